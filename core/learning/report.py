"""All that an evaluation says beside its headline figures: where, at which threshold, for whom."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from core.learning.evaluation import Scored, figures, intervals, resample
from core.learning.evaluation._bootstrap import RESAMPLES, Support
from core.learning.evaluation._measures import BINS, Flags, Values, bin_of, share
from core.learning.readers import beside_reader
from core.model import OperatingPoint, wilson_interval

#: Version of what :func:`full_report` returns; 2: no scan is left out of any figure.
SCHEMA = 2
#: Points of a curve at the most.
_POINTS = 200
#: A smaller group says nothing that its interval would not swallow.
_SMALLEST_GROUP = 10
_COVERAGES = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5)
#: Headline figures that are given by subgroup.
_OF_GROUPS = (
    "accuracy",
    "recall",
    "specificity",
    "roc_auc",
    "ece",
    "dice_mean",
    "mask_peak",
    "cam_pointing",
)
#: Scans that are named as the worst of their kind, at the most.
_WORST = 10


def full_report(scored: Scored, points: Sequence[OperatingPoint], approved: str) -> dict[str, Any]:
    """Return an evaluation ready for JSON.

    Parameters
    ----------
    scored
        What the model said about labelled scans.
    points
        The thresholds of the model's card.
    approved
        Name of the one at which the model answers.

    Returns
    -------
    dict
        The headline figures of :func:`core.learning.evaluation.figures`, and: ``schema``;
        ``calibration`` with ``bins``; ``confusion`` (rows are the right labels, columns the
        answers at the approved point) and ``confusion_at_half``; ``curves`` with ``roc`` (share of
        the others flagged, share of the positives found, threshold) and ``pr`` (share found, share
        of the flagged that are positive, threshold); ``operating_points``; ``subgroups``;
        ``selective``; ``answered``; ``worst``; ``problems``; and ``beside_reader``, as
        :func:`core.learning.readers.beside_reader` says. What the data cannot give is left out.
    """
    report = {"schema": SCHEMA, "resamples": RESAMPLES} | figures(scored)
    if len(scored.truth) == 0:
        return report
    threshold = next(point.threshold for point in points if point.name == approved)
    if rated := beside_reader(scored):
        report["beside_reader"] = rated
    return report | {
        "calibration": {"bins": reliability_bins(scored)},
        "confusion": confusion(scored, threshold),
        "confusion_at_half": confusion(scored, 0.5),
        "curves": curves(scored),
        "operating_points": [_at(scored, point) for point in points],
        "approved_operating_point": approved,
        "subgroups": subgroups(scored),
        "selective": [_covering(scored, coverage) for coverage in _COVERAGES],
        "answered": answered(scored, threshold),
        "worst": worst(scored, threshold),
        "problems": problems(scored),
    }


def reliability_bins(scored: Scored) -> list[dict[str, Any]]:
    """Return ten bins of equal width: what was said in each, and what came true (Wilson).

    Scans that were not read have no probability and stand in none.
    """
    read = ~scored.unread
    p, truth = scored.score[read], scored.is_positive[read]
    place = bin_of(p)
    bins = []
    for number in range(BINS):
        inside = place == number
        n = int(inside.sum())
        entry: dict[str, Any] = {"low": number / BINS, "high": (number + 1) / BINS, "n": n}
        if n:
            sick = int(truth[inside].sum())
            low, high = wilson_interval(sick, n)
            entry |= {
                "mean": float(p[inside].mean()),
                "rate": sick / n,
                "rate_low": low,
                "rate_high": high,
            }
        bins.append(entry)
    return bins


def confusion(scored: Scored, threshold: float) -> dict[str, Any]:
    """Count answers by the right label; the answer is given as the predictor gives it.

    ``counts`` holds the scans that were read, and ``unread`` the others by their label.
    """
    target = scored.labels.index(scored.positive)
    read = ~scored.unread
    others = scored.probabilities[read]
    others[:, target] = -1.0
    said = np.where(scored.score[read] >= threshold, target, others.argmax(axis=1))
    counts = np.zeros((len(scored.labels),) * 2, np.int64)
    np.add.at(counts, (scored.truth[read], said), 1)
    unread = np.bincount(scored.truth[~read], minlength=len(scored.labels))
    return {
        "labels": list(scored.labels),
        "threshold": threshold,
        "counts": counts.tolist(),
        "unread": unread.tolist(),
    }


def curves(scored: Scored) -> dict[str, list[list[float]]]:
    """Return the ROC and the precision-recall curve, thinned evenly to at most 200 points.

    Their areas are the figures told: scans that were not read lie on the wrong side throughout.
    """
    p, truth = scored.score, scored.is_positive
    sick, well = int(truth.sum()), int((~truth).sum())
    if not sick or not well:
        return {}
    values, place = np.unique(p, return_inverse=True)
    flagged = np.bincount(place, minlength=len(values))[::-1].cumsum()
    found = np.bincount(place, weights=truth, minlength=len(values))[::-1].cumsum()
    thresholds = np.clip(values[::-1], 0.0, 1.0)
    roc = [[0.0, 0.0, 1.0]] + [
        [float((n - k) / well), float(k / sick), float(t)]
        for n, k, t in zip(flagged, found, thresholds, strict=True)
    ]
    pr = [
        [float(k / sick), float(k / n), float(t)]
        for n, k, t in zip(flagged, found, thresholds, strict=True)
    ]
    return {"roc": _thinned(roc), "pr": _thinned(pr)}


def _thinned(points: list[list[float]]) -> list[list[float]]:
    if len(points) <= _POINTS:
        return points
    return [points[i] for i in np.linspace(0, len(points) - 1, _POINTS).round().astype(int)]


def measured_point(name: str, threshold: float, scored: Scored) -> OperatingPoint:
    """Say what a threshold achieves on scans it was not chosen on, as an evaluation says it.

    The intervals are those of patients or groups, not of single scans. What the scans say nothing
    of, or a single group does, is left None.
    """
    found = _at(scored, OperatingPoint(name, threshold))

    def of(figure: str) -> tuple[float | None, tuple[float, float] | None]:
        told = found.get(figure)
        return (None, None) if told is None else (told["value"], (told["low"], told["high"]))

    (sensitivity, sensitive), (specificity, specific) = of("sensitivity"), of("specificity")
    return OperatingPoint(
        name, threshold, sensitivity, specificity, sensitive, specific, found["n"]
    )


def _at(scored: Scored, point: OperatingPoint) -> dict[str, Any]:
    truth = scored.is_positive
    said = scored.score >= point.threshold
    return {
        "name": point.name,
        "threshold": point.threshold,
        "n": len(truth),
        "flagged": int((said & ~scored.unread).sum()),
    } | _shares(
        scored,
        {
            "sensitivity": (said, truth),
            "specificity": (~said, ~truth),
            "ppv": (truth, said),
            "npv": (~truth, ~said),
        },
    )


def _shares(scored: Scored, of: Mapping[str, tuple[Flags, Flags]]) -> dict[str, dict[str, float]]:
    """Return shares with their intervals, by name: how much of the second is the first too."""

    def measure(weights: Values) -> dict[str, Values]:
        return {name: share(weights, part, whole) for name, (part, whole) in of.items()}

    support: Support = {name: (whole,) for name, (_part, whole) in of.items()}
    return intervals(resample(scored, measure), support)


def subgroups(scored: Scored) -> list[dict[str, Any]]:
    """Return headline figures by each attribute's values; groups under ten scans are left out.

    The value is the data's own word. An attribute that all scans share parts nothing.
    """
    found = []
    for by, words in scored.attributes.items():
        values = [value for value in np.unique(words).tolist() if value]
        if len(values) < 2:
            continue
        for value in values:
            part = scored[words == value]
            n = len(part.truth)
            if n < _SMALLEST_GROUP:
                continue
            report = figures(part, only=_OF_GROUPS)
            entry: dict[str, Any] = {
                "by": by,
                "value": value,
                "n": n,
                "positives": int(part.is_positive.sum()),
            }
            found.append(entry | {name: report[name] for name in _OF_GROUPS if name in report})
    return found


def _covering(scored: Scored, coverage: float) -> dict[str, Any]:
    """Return the accuracy on the share of scans the model is surest of: farthest from one half.

    Scans that were not read come last.
    """
    p = scored.score
    n = max(1, round(coverage * len(p)))
    distance = np.where(scored.unread, -1.0, np.abs(p - 0.5))
    chosen = np.zeros(len(p), np.bool_)
    chosen[np.argsort(-distance, kind="stable")[:n]] = True
    return {"coverage": coverage, "n": n} | _accuracy(scored[chosen])


def _accuracy(part: Scored) -> dict[str, dict[str, float]]:
    right = (part.score >= 0.5) == part.is_positive
    return _shares(part, {"accuracy": (right, np.ones_like(right))})


def answered(scored: Scored, threshold: float) -> dict[str, Any]:
    """Return figures of the scans that the app answers: neither refused nor "not sure".

    At the threshold that the app answers by, which is the one it keeps silent around.

    Beside the figures of all scans, never in their place: what a model keeps silent about is not
    read right.
    """
    part = scored[scored.sure & ~scored.refused]
    n = len(part.truth)
    found: dict[str, Any] = {
        "n": n,
        "coverage": n / len(scored.truth),
        "threshold": threshold,
    }
    if n:
        truth = part.is_positive
        said = part.score >= threshold
        found |= _shares(
            part,
            {
                "accuracy": (said == truth, np.ones_like(truth)),
                "recall": (said, truth),
                "specificity": (~said, ~truth),
            },
        )
        report = figures(part, only=("roc_auc",))
        found |= {name: report[name] for name in ("roc_auc",) if name in report}
    return found


def worst(scored: Scored, threshold: float) -> dict[str, list[dict[str, Any]]]:
    """Name scans that went wrong, at most ten of a kind, the worst first; never by their file.

    ``missed`` and ``false_alarms`` at ``threshold``, and ``outlines`` with the lowest overlap.
    """
    p, truth = scored.score, scored.is_positive
    read = ~scored.unread
    kinds = {
        "missed": (read & truth & (p < threshold), p),
        "false_alarms": (read & ~truth & (p >= threshold), -p),
        "outlines": (read & (scored.dice < 0.5), scored.dice),
    }
    found: dict[str, list[dict[str, Any]]] = {}
    for kind, (chosen, order) in kinds.items():
        places = np.flatnonzero(chosen)
        places = places[np.argsort(order[places], kind="stable")][:_WORST]
        found[kind] = [
            _named(scored, i)
            | {"probability": float(p[i])}
            | ({"dice": float(scored.dice[i])} if np.isfinite(scored.dice[i]) else {})
            for i in map(int, places)
        ]
    return found


def problems(scored: Scored) -> list[dict[str, Any]]:
    """Name every scan that was refused, and why."""
    return [
        _named(scored, i) | {"unread": bool(scored.unread[i]), "reason": str(scored.reason[i])}
        for i in map(int, np.flatnonzero(scored.refused))
    ]


def _named(scored: Scored, i: int) -> dict[str, Any]:
    return {
        "source": _source(scored, i),
        "entry": int(scored.entry[i]),
        "label": scored.labels[int(scored.truth[i])],
    }


def _source(scored: Scored, i: int) -> str:
    words = scored.attributes.get("source")
    return "" if words is None else str(words[i])
