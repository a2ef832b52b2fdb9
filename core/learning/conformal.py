"""When a model may say "not sure": class-conditional conformal prediction.

Each side of the question is calibrated by itself (Mondrian conformal prediction: Vovk, Gammerman
and Shafer, *Algorithmic Learning in a Random World*, 2005, section 4.5; Vovk, *Conditional validity
of inductive conformal predictors*, ACML 2012), with the finite-sample correction of Angelopoulos
and Bates, *Conformal prediction: a gentle introduction*, Foundations and Trends in Machine Learning
16:494-591, 2023, section 1. So the promise holds for the positives alone, however rare they are.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import LearningError
from core.model import Abstention, wilson_interval
from core.text import _


def fit_abstention(
    probability: NDArray[np.floating[Any]], positive: NDArray[np.bool_], coverage: float = 0.9
) -> Abstention:
    """Set from where on, and up to where, each side is possible.

    Parameters
    ----------
    probability
        (n,) calibrated probability of the positive label, 0..1, of scans not trained on.
    positive
        (n,) whether they were positive.
    coverage
        Share of either side that is to keep the right answer possible, strictly between 0 and 1.

    Returns
    -------
    Abstention
        Without ``measured``. With too few scans of a side, fewer than about ``1 / (1 - coverage)``,
        that side is possible everywhere, and the model seldom sure.

    Raises
    ------
    LearningError
        The coverage is out of its range, a probability is, or there are no scans.
    """
    scores, sick = _checked(probability, positive)
    if not 0 < coverage < 1:
        raise LearningError(_("The coverage to promise must lie between 0 and 1."))
    return Abstention(
        coverage=coverage,
        # The score of not being positive falls with the probability.
        low=max(0.0, -_quantile(-scores[sick], coverage)),
        high=min(1.0, _quantile(scores[~sick], coverage)),
        n=len(scores),
    )


def measured_abstention(
    fitted: Abstention,
    probability: NDArray[np.floating[Any]],
    positive: NDArray[np.bool_],
    threshold: float,
) -> Abstention:
    """Return ``fitted`` with what it does on other scans, each figure with its Wilson interval.

    Parameters
    ----------
    fitted
        From :func:`fit_abstention`, on scans that are not among these.
    probability, positive
        As there.
    threshold
        Of the approved operating point.

    Returns
    -------
    Abstention
        ``measured`` has ``coverage``, ``coverage_positive`` and ``coverage_others`` (share whose
        right side is possible), ``unsure`` (share without a sure answer), and ``right_when_sure``
        (share of the sure answers that are right); what there are no scans for is left out.

    Raises
    ------
    LearningError
        A probability is out of its range, or there are no scans.
    """
    scores, sick = _checked(probability, positive)
    possible = np.where(sick, scores >= fitted.low, scores <= fitted.high)
    flagged = scores >= threshold
    sure = np.array(
        [fitted.sure(float(p), flagged=bool(f)) for p, f in zip(scores, flagged, strict=True)]
    )
    found = {
        "coverage": possible,
        "coverage_positive": possible[sick],
        "coverage_others": possible[~sick],
        "unsure": ~sure,
        "right_when_sure": (flagged == sick)[sure],
    }
    return replace(fitted, measured={k: _figure(v) for k, v in found.items() if len(v)})


def _figure(hits: NDArray[np.bool_]) -> Mapping[str, float | int]:
    low, high = wilson_interval(int(hits.sum()), len(hits))
    return {"value": float(hits.mean()), "low": low, "high": high, "n": len(hits)}


def _quantile(scores: NDArray[np.float64], coverage: float) -> float:
    """Return the ``ceil((n + 1) coverage)``-th smallest score; infinite where there is none.

    The correction: with the scan to come as one of n + 1 that could stand in any order, at least
    the share ``coverage`` of the places lies at or below it.
    """
    n = len(scores)
    # Rounded first: 0.9 * 10 must not become 10 for a last bit.
    rank = math.ceil(round((n + 1) * coverage, 9))
    return math.inf if rank > n else float(np.sort(scores)[rank - 1])


def _checked(
    probability: NDArray[np.floating[Any]], positive: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    scores, sick = np.asarray(probability, np.float64), np.asarray(positive, np.bool_)
    if scores.ndim != 1 or scores.shape != sick.shape or not len(scores):
        raise LearningError(_("Without a scan of known label nothing can be promised."))
    if not ((scores >= 0) & (scores <= 1)).all():
        raise LearningError(_("A probability is not from 0 to 1."))
    return scores, sick
