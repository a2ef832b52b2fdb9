"""Held-out figures with bootstrap intervals, as read through the very predictor the page uses."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from core.errors import ModelError, ScanError
from core.learning.rows import Row, load_mask, load_scan
from core.model import Reader
from core.scan import Scan

#: Gives a changed scan and the lesion mask that belongs to it.
Alter: TypeAlias = Callable[[Scan, NDArray[np.bool_]], tuple[Scan, NDArray[np.bool_]]]

_RESAMPLES = 1000
#: Steps the line of a calibration is given, and the change with which it is found.
_NEWTON_STEPS, _NEWTON_DONE = 50, 1e-8


@dataclass(frozen=True, slots=True, eq=False)
class Scored:
    """What a model said about labelled scans, one entry per scan.

    Attributes
    ----------
    truth
        Index of the right label.
    probabilities
        (N, labels) calibrated.
    dice, iou
        Overlap at native size and threshold 0.5; NaN where there is no lesion or no map.
    mask_peak, cam_pointing
        1 where the maximum of the lesion map, or of the Grad-CAM for the likeliest class (malignant
        from .5), lies in the lesion, else 0; NaN where there is no lesion or no map.
    group
        What is resampled together: a patient, or a set of near-duplicates.
    refused
        Scans that could not be read; they are counted, not left out silently.
    attributes
        What scans are told apart by, one word per scan and empty where it is not known: ``source``,
        ``device``, ``birads`` and ``lesion size`` (a third of those with a lesion each).
    """

    labels: tuple[str, ...]
    positive: str
    truth: NDArray[np.int64]
    probabilities: NDArray[np.float64]
    dice: NDArray[np.float64]
    iou: NDArray[np.float64]
    mask_peak: NDArray[np.float64]
    cam_pointing: NDArray[np.float64]
    group: NDArray[np.str_]
    refused: int
    attributes: Mapping[str, NDArray[np.str_]] = field(default_factory=dict)

    def __getitem__(self, chosen: NDArray[np.bool_]) -> Scored:
        """Return the scans where ``chosen``, (N,), is true."""
        return replace(
            self,
            **{name: getattr(self, name)[chosen] for name in _PER_SCAN},
            attributes={name: words[chosen] for name, words in self.attributes.items()},
        )


_PER_SCAN = ("truth", "probabilities", "dice", "iou", "mask_peak", "cam_pointing", "group")


def score(
    rows: Sequence[Row],
    reader: Reader,
    labels: Sequence[str],
    positive: str,
    progress: Callable[[int], None] = lambda _done: None,
    alter: Alter | None = None,
) -> Scored:
    """Let ``reader`` read every row.

    Parameters
    ----------
    labels
        The model's labels; every row's label is one of them.
    progress
        Called with the number of rows done.
    alter
        Changes each scan, and its lesion mask along with it, before it is read.

    Raises
    ------
    DatasetError
        A mask cannot be read or has another size than its image: the truth is unknown, which
        must not count as a scan that the model refused.
    """
    kept: list[dict[str, Any]] = []
    refused = 0
    for done, row in enumerate(rows, start=1):
        try:
            kept.append(_score_one(row, reader, tuple(labels), positive, alter))
        except (ScanError, ModelError):
            refused += 1
        progress(done)
    column: Callable[[str], list[Any]] = lambda name: [entry[name] for entry in kept]  # noqa: E731
    return Scored(
        labels=tuple(labels),
        positive=positive,
        truth=np.array(column("truth"), np.int64),
        probabilities=np.array(column("probabilities"), np.float64).reshape(len(kept), len(labels)),
        dice=np.array(column("dice"), np.float64),
        iou=np.array(column("iou"), np.float64),
        mask_peak=np.array(column("mask_peak"), np.float64),
        cam_pointing=np.array(column("cam_pointing"), np.float64),
        group=np.array(column("group"), np.str_),
        refused=refused,
        attributes={
            "source": np.array(column("source"), np.str_),
            "device": np.array(column("device"), np.str_),
            "birads": np.array(column("birads"), np.str_),
            "lesion size": _thirds(np.array(column("lesion_share"), np.float64)),
        },
    )


def _thirds(share: NDArray[np.float64]) -> NDArray[np.str_]:
    """Name the third of the lesions that each one belongs to by its share of the picture."""
    words = np.full(len(share), "", dtype="<U6")
    known = np.isfinite(share)
    if known.any():
        low, high = np.percentile(share[known], [100 / 3, 200 / 3])
        words[known] = "medium"
        words[known & (share < low)] = "small"
        words[known & (share > high)] = "large"
    return words


def _score_one(
    row: Row, reader: Reader, labels: tuple[str, ...], positive: str, alter: Alter | None
) -> dict[str, Any]:
    scan = load_scan(row)
    lesion = load_mask(row, scan.height, scan.width) > 127
    if alter is not None:
        scan, lesion = alter(scan, lesion)
    prediction = reader.read(scan)
    probabilities = prediction.probabilities
    others = max((name for name in labels if name != positive), key=probabilities.__getitem__)
    likeliest = positive if probabilities[positive] >= 0.5 else others
    if prediction.heat_class != likeliest:
        prediction = reader.read(scan, target=likeliest)
    found = prediction.lesion_map()
    heat = prediction.heat()
    entry: dict[str, Any] = {
        "truth": labels.index(row.label),
        "probabilities": [probabilities[name] for name in labels],
        "group": f"{row.source}/{row.group}",
        "source": row.source,
        "device": row.device,
        "birads": row.about.get("birads", ""),
        "lesion_share": float(lesion.mean()) if lesion.any() else np.nan,
        **dict.fromkeys(("dice", "iou", "mask_peak", "cam_pointing"), np.nan),
    }
    if lesion.any():
        if found is not None:
            marked = found >= 0.5
            both = int((marked & lesion).sum())
            entry["dice"] = 2 * both / int(marked.sum() + lesion.sum())
            entry["iou"] = both / int((marked | lesion).sum())
            entry["mask_peak"] = float(lesion.flat[int(found.argmax())])
        # Heat that is nowhere points nowhere: it counts as a miss.
        entry["cam_pointing"] = float(heat.max() > 0 and lesion.flat[int(heat.argmax())])
    return entry


def expected_calibration_error(
    probability: NDArray[np.float64], positive: NDArray[np.bool_], bins: int = 10
) -> float:
    """Return the gap between probability and rate, weighted over equal-width bins.

    Naeini et al., AAAI 2015, for the positive class.
    """
    place = np.minimum((probability * bins).astype(int), bins - 1)
    gap = 0.0
    for b in range(bins):
        inside = place == b
        if inside.any():
            gap += inside.mean() * abs(float(probability[inside].mean() - positive[inside].mean()))
    return float(gap)


def calibration_line(
    probability: NDArray[np.float64], positive: NDArray[np.bool_]
) -> tuple[float, float]:
    """Return slope and intercept of the logistic recalibration of probabilities.

    Cox, Biometrika 1958: the log odds of being positive as a line over the log odds that were
    said. A slope of 1 and an intercept of 0 are right; below 1 the model is too sure of itself.
    Fitted by Newton's method without a penalty. NaN for both where one kind of scan is missing
    or the probabilities part the kinds without an error, as then no line is the best one.
    """
    p = np.clip(probability, 1e-6, 1 - 1e-6)
    said = np.log(p / (1 - p))
    sick, well = said[positive], said[~positive]
    if not len(sick) or not len(well) or said.min() == said.max():
        return np.nan, np.nan
    if sick.min() >= well.max() or well.min() >= sick.max():
        return np.nan, np.nan
    slope, intercept = 1.0, 0.0
    for _step in range(_NEWTON_STEPS):
        fitted = 1 / (1 + np.exp(-np.clip(intercept + slope * said, -30, 30)))
        weight = np.maximum(fitted * (1 - fitted), 1e-9)
        off = positive - fitted
        first = np.array([off.sum(), (off * said).sum()])
        mixed = (weight * said).sum()
        second = np.array([[weight.sum(), mixed], [mixed, (weight * said**2).sum()]])
        # Damped: far from the best line a whole step can overshoot it.
        change = np.linalg.solve(second, first)
        change *= min(1.0, 2.0 / max(1e-12, float(np.abs(change).max())))
        intercept, slope = intercept + float(change[0]), slope + float(change[1])
        if float(np.abs(change).max()) < _NEWTON_DONE:
            return slope, intercept
    return np.nan, np.nan


def ranking_figures(
    probability: NDArray[np.float64], positive: NDArray[np.bool_]
) -> tuple[float, float]:
    """Return ROC-AUC and average precision; equal scores count as one threshold.

    As scikit-learn defines them, without its checks, which take most of the time when thousands
    of resamples are measured. NaN where one kind of scan is missing.
    """
    values, place = np.unique(probability, return_inverse=True)
    # From the highest score down: how many were flagged, and how many of them rightly.
    total = np.bincount(place, minlength=len(values))[::-1].cumsum()
    right = np.bincount(place, weights=positive, minlength=len(values))[::-1].cumsum()
    wrong = total - right
    sick, well = float(right[-1]), float(wrong[-1])
    gained = np.diff(right, prepend=0.0)
    precision = float((gained * right / total).sum()) / sick if sick else np.nan
    area = float((gained * (well - wrong + np.diff(wrong, prepend=0.0) / 2)).sum())
    return area / (sick * well) if sick and well else np.nan, precision


def _point_figures(scored: Scored, index: NDArray[np.int64]) -> dict[str, float]:
    target = scored.labels.index(scored.positive)
    truth = scored.truth[index] == target
    p = scored.probabilities[index, target]
    said = p >= 0.5
    sick, well = int(truth.sum()), int((~truth).sum())
    hit = int((said & truth).sum())
    recall = hit / sick if sick else np.nan
    precision = hit / int(said.sum()) if said.any() else np.nan
    specificity = int((~said & ~truth).sum()) / well if well else np.nan
    roc_auc, pr_auc = ranking_figures(p, truth)
    slope, intercept = calibration_line(p, truth)
    figures = {
        "accuracy": float((said == truth).mean()),
        "balanced_accuracy": (recall + specificity) / 2,
        "precision": precision,
        "recall": recall,
        "specificity": specificity,
        "f1": 2 * hit / (int(said.sum()) + sick) if said.any() or sick else np.nan,
        "roc_auc": roc_auc,
        "pr_auc": pr_auc,
        "brier": float(((p - truth) ** 2).mean()),
        "ece": expected_calibration_error(p, truth),
        "calibration_slope": slope,
        "calibration_intercept": intercept,
    }
    for name in ("dice", "iou", "mask_peak", "cam_pointing"):
        values = getattr(scored, name)[index]
        values = values[~np.isnan(values)]
        key = f"{name}_mean" if name in ("dice", "iou") else name
        figures[key] = float(values.mean()) if len(values) else np.nan
        if name == "dice":
            figures["dice_median"] = float(np.median(values)) if len(values) else np.nan
    return figures


def figures(scored: Scored, seed: int = 0) -> dict[str, Any]:
    """Return every headline figure with a 95 % bootstrap interval.

    Groups are resampled whole: pictures of one patient are no independent evidence.

    Returns
    -------
    dict
        ``n``, ``refused``, ``labels``, ``positive``, and each figure as ``{"value", "low",
        "high"}``; a figure that the data cannot give is left out.
    """
    n = len(scored.truth)
    report: dict[str, Any] = {
        "n": n,
        "refused": scored.refused,
        "labels": list(scored.labels),
        "positive": scored.positive,
    }
    if n == 0:
        return report
    return report | with_intervals(scored, lambda index: _point_figures(scored, index), seed)


def with_intervals(
    scored: Scored, figures_of: Callable[[NDArray[np.int64]], Mapping[str, float]], seed: int = 0
) -> dict[str, dict[str, float]]:
    """Return figures of all scans, each with its 95 % bootstrap interval; groups stay whole.

    Parameters
    ----------
    figures_of
        Gives figures by name for the scans at some places, a scan drawn twice standing twice.

    Returns
    -------
    dict
        ``{"value", "low", "high"}`` by name; a figure that is not finite is left out.
    """
    report: dict[str, dict[str, float]] = {}
    groups, member = np.unique(scored.group, return_inverse=True)
    rows_of = [np.flatnonzero(member == g) for g in range(len(groups))]
    rng = np.random.default_rng(seed)
    samples: list[Mapping[str, float]] = []
    for _round in range(_RESAMPLES):
        drawn = rng.integers(0, len(groups), len(groups))
        samples.append(figures_of(np.concatenate([rows_of[g] for g in drawn])))
    for name, value in figures_of(np.arange(len(scored.truth))).items():
        spread = np.array([sample[name] for sample in samples])
        spread = spread[np.isfinite(spread)]
        if np.isfinite(value) and len(spread):
            low, high = np.percentile(spread, [2.5, 97.5])
            # Drawing with replacement adds noise that the calibration error counts as error, so
            # its interval can lie above the value itself; it is widened to hold it.
            report[name] = {
                "value": float(value),
                "low": min(float(low), float(value)),
                "high": max(float(high), float(value)),
            }
    return report
