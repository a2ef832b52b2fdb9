"""All that an evaluation says beside its headline figures: where, at which threshold, for whom."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.learning.evaluation import Scored, figures, with_intervals
from core.model import OperatingPoint, wilson_interval

#: Version of what :func:`full_report` returns.
SCHEMA = 1
#: Points of a curve at the most.
_POINTS = 200
_BINS = 10
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
        answers at the approved point); ``curves`` with ``roc`` (share of the others flagged,
        share of the positives found, threshold) and ``pr`` (share found, share of the flagged
        that are positive, threshold); ``operating_points``; ``subgroups``; ``selective``. What
        the data cannot give is left out.
    """
    report = {"schema": SCHEMA} | figures(scored)
    if len(scored.truth) == 0:
        return report
    threshold = next(point.threshold for point in points if point.name == approved)
    return report | {
        "calibration": {"bins": reliability_bins(scored)},
        "confusion": confusion(scored, threshold),
        "curves": curves(scored),
        "operating_points": [_at(scored, point) for point in points],
        "subgroups": subgroups(scored),
        "selective": [_covering(scored, coverage) for coverage in _COVERAGES],
    }


def _positive(scored: Scored) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    target = scored.labels.index(scored.positive)
    return scored.probabilities[:, target], scored.truth == target


def reliability_bins(scored: Scored) -> list[dict[str, Any]]:
    """Return ten bins of equal width: what was said in each, and what came true (Wilson)."""
    p, truth = _positive(scored)
    place = np.minimum((p * _BINS).astype(int), _BINS - 1)
    bins = []
    for number in range(_BINS):
        inside = place == number
        n = int(inside.sum())
        entry: dict[str, Any] = {"low": number / _BINS, "high": (number + 1) / _BINS, "n": n}
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
    """Count answers by the right label; the answer is given as the predictor gives it."""
    target = scored.labels.index(scored.positive)
    others = scored.probabilities.copy()
    others[:, target] = -1.0
    answer = np.where(scored.probabilities[:, target] >= threshold, target, others.argmax(axis=1))
    counts = np.zeros((len(scored.labels),) * 2, np.int64)
    np.add.at(counts, (scored.truth, answer), 1)
    return {"labels": list(scored.labels), "threshold": threshold, "counts": counts.tolist()}


def curves(scored: Scored) -> dict[str, list[list[float]]]:
    """Return the ROC and the precision-recall curve, thinned evenly to at most 200 points."""
    p, truth = _positive(scored)
    sick, well = int(truth.sum()), int((~truth).sum())
    if not sick or not well:
        return {}
    values, place = np.unique(p, return_inverse=True)
    flagged = np.bincount(place, minlength=len(values))[::-1].cumsum()
    found = np.bincount(place, weights=truth, minlength=len(values))[::-1].cumsum()
    thresholds = values[::-1]
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


def _at(scored: Scored, point: OperatingPoint) -> dict[str, Any]:
    p, truth = _positive(scored)
    said = p >= point.threshold

    def of(index: NDArray[np.int64]) -> dict[str, float]:
        flagged, sick = said[index], truth[index]
        return {
            "sensitivity": _share(flagged & sick, sick),
            "specificity": _share(~flagged & ~sick, ~sick),
            "ppv": _share(flagged & sick, flagged),
            "npv": _share(~flagged & ~sick, ~flagged),
        }

    return {
        "name": point.name,
        "threshold": point.threshold,
        "n": len(truth),
        "flagged": int(said.sum()),
    } | with_intervals(scored, of)


def _share(part: NDArray[np.bool_], whole: NDArray[np.bool_]) -> float:
    n = int(whole.sum())
    return float(part.sum()) / n if n else float("nan")


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
            report = figures(part)
            positives = int((part.truth == part.labels.index(part.positive)).sum())
            entry: dict[str, Any] = {"by": by, "value": value, "n": n, "positives": positives}
            found.append(entry | {name: report[name] for name in _OF_GROUPS if name in report})
    return found


def _covering(scored: Scored, coverage: float) -> dict[str, Any]:
    """Return the accuracy on the share of scans the model is surest of: farthest from one half."""
    p, truth = _positive(scored)
    n = max(1, round(coverage * len(p)))
    surest = np.argsort(-np.abs(p - 0.5), kind="stable")[:n]
    chosen = np.zeros(len(p), np.bool_)
    chosen[surest] = True
    right = ((p >= 0.5) == truth)[chosen]
    part = scored[chosen]
    accuracy = with_intervals(part, lambda index: {"accuracy": float(right[index].mean())})
    return {"coverage": coverage, "n": n} | accuracy
