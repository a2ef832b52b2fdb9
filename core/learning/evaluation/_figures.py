"""The headline figures, each with its interval."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.learning.evaluation import _measures as measures
from core.learning.evaluation._bootstrap import (
    Measure,
    Support,
    calibration_error_interval,
    intervals,
    resample,
)
from core.learning.evaluation._measures import Values
from core.learning.evaluation._scored import Scored

#: Every headline figure, in the order in which it is told.
HEADLINE = (
    "accuracy",
    "balanced_accuracy",
    "precision",
    "recall",
    "specificity",
    "f1",
    "roc_auc",
    "pr_auc",
    "brier",
    "ece",
    "calibration_slope",
    "calibration_intercept",
    "dice_mean",
    "dice_median",
    "iou_mean",
    "mask_peak",
    "cam_pointing",
    "false_outlines",
)
_LINE = ("calibration_slope", "calibration_intercept")


def figures(scored: Scored, seed: int = 0, only: Collection[str] = HEADLINE) -> dict[str, Any]:
    """Return every headline figure with a 95 % bootstrap interval.

    Groups are resampled whole: pictures of one patient are no independent evidence. No scan is
    left out: one that could not be read counts as answered wrongly and with certainty.

    Parameters
    ----------
    seed
        Of the resamples.
    only
        Figures that are wanted, of :data:`HEADLINE`.

    Returns
    -------
    dict
        ``n``, ``positives``, ``cases``, ``refused``, ``unread``, ``abstained``, ``labels``,
        ``positive``, and each figure as ``{"value", "low", "high"}``; a figure that the data
        cannot give is left out.
    """
    n = len(scored.truth)
    report: dict[str, Any] = {
        "n": n,
        "positives": int(scored.is_positive.sum()),
        "cases": len(np.unique(scored.group)),
        "refused": int(scored.refused.sum()),
        "unread": int(scored.unread.sum()),
        "abstained": int((~scored.sure & ~scored.refused).sum()),
        "labels": list(scored.labels),
        "positive": scored.positive,
    }
    if n == 0:
        return report
    found = resample(scored, _measure(scored, only), seed)
    told = intervals(found, _support(scored))
    if "ece" in told:
        told["ece"] = calibration_error_interval(found, scored.score, scored.is_positive, seed)
    return report | {name: told[name] for name in HEADLINE if name in told}


def _measure(scored: Scored, only: Collection[str]) -> Measure:
    score, positive = scored.score, scored.is_positive
    said = score >= 0.5

    def of(weights: Values) -> dict[str, Values]:
        recall = measures.share(weights, said, positive)
        specificity = measures.share(weights, ~said, ~positive)
        marked = weights @ said + weights @ positive
        roc_auc, pr_auc = measures.ranking(weights, score, positive)
        found = {
            "accuracy": measures.share(weights, said == positive, np.ones_like(said)),
            "balanced_accuracy": (recall + specificity) / 2,
            "precision": measures.share(weights, positive, said),
            "recall": recall,
            "specificity": specificity,
            "f1": measures.ratio(2 * (weights @ (said & positive)), marked),
            "roc_auc": roc_auc,
            "pr_auc": pr_auc,
            "brier": measures.brier(weights, score, positive),
            "ece": measures.calibration_error(weights, score, positive),
            "dice_mean": measures.mean(weights, scored.dice),
            "dice_median": measures.median(weights, scored.dice),
            "iou_mean": measures.mean(weights, scored.iou),
            "mask_peak": measures.mean(weights, scored.mask_peak),
            "cam_pointing": measures.mean(weights, scored.cam_pointing),
            "false_outlines": measures.mean(weights, scored.false_outline),
        }
        if not set(_LINE).isdisjoint(only):
            found |= zip(_LINE, measures.calibration_slope(weights, score, positive), strict=True)
        return {name: values for name, values in found.items() if name in only}

    return of


def _support(scored: Scored) -> Support:
    positive, said = scored.is_positive, scored.score >= 0.5
    every, both = (np.ones_like(said),), (positive, ~positive)
    maps = {
        name: (np.isfinite(values),)
        for name, values in (
            ("dice_mean", scored.dice),
            ("dice_median", scored.dice),
            ("iou_mean", scored.iou),
            ("mask_peak", scored.mask_peak),
            ("cam_pointing", scored.cam_pointing),
            ("false_outlines", scored.false_outline),
        )
    }
    return maps | {
        "accuracy": every,
        "balanced_accuracy": both,
        "precision": (said,),
        "recall": (positive,),
        "specificity": (~positive,),
        "f1": (positive | said,),
        "roc_auc": both,
        "pr_auc": (positive,),
        "brier": every,
        "ece": every,
    }


def expected_calibration_error(
    probability: NDArray[np.float64], positive: NDArray[np.bool_]
) -> float:
    """Return the calibration error of probabilities: :func:`_measures.calibration_error`."""
    return float(measures.calibration_error(_once(probability), probability, positive)[0])


def calibration_line(
    probability: NDArray[np.float64], positive: NDArray[np.bool_]
) -> tuple[float, float]:
    """Return slope and intercept of the recalibration: :func:`_measures.calibration_slope`."""
    slope, intercept = measures.calibration_slope(_once(probability), probability, positive)
    return float(slope[0]), float(intercept[0])


def ranking_figures(
    probability: NDArray[np.float64], positive: NDArray[np.bool_]
) -> tuple[float, float]:
    """Return ROC-AUC and average precision: :func:`_measures.ranking`."""
    area, precision = measures.ranking(_once(probability), probability, positive)
    return float(area[0]), float(precision[0])


def _once(values: NDArray[np.float64]) -> Values:
    return np.ones((1, len(values)))
