"""Figures of many resamples at once: every function takes weights and gives a value per row.

Weights are (B, N): how often each of N scans stands in each of B resamples; a row of ones is the
data itself. So a figure and its resamples come from the same lines of code, and a thousand
resamples take a few products of matrices. A score below 0 or above 1 is a scan that could not be
read (see :attr:`Scored.score`).
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Values: TypeAlias = NDArray[np.float64]
Flags: TypeAlias = NDArray[np.bool_]

#: Bins of the calibration error, of equal width.
BINS = 10
#: Steps the line of a calibration is given, and the change with which it is found.
_NEWTON_STEPS, _NEWTON_DONE = 50, 1e-8


def share(weights: Values, part: Flags, whole: Flags) -> Values:
    """Return (B,) how much of ``whole``, (N,), is ``part`` of it too; NaN where it is empty."""
    return ratio(weights @ (part & whole), weights @ whole)


def ratio(over: Values, under: Values) -> Values:
    """Return the quotient, NaN over nothing."""
    return np.asarray(np.divide(over, under, out=np.full(under.shape, np.nan), where=under > 0))


def mean(weights: Values, values: Values) -> Values:
    """Return (B,) the mean of ``values``, (N,), where they are finite; NaN without any."""
    known = np.isfinite(values)
    return ratio(weights[:, known] @ values[known], weights[:, known].sum(axis=1))


def median(weights: Values, values: Values) -> Values:
    """Return (B,) the median of ``values``, (N,), where they are finite; NaN without any."""
    known = np.isfinite(values)
    if not known.any():
        return np.full(len(weights), np.nan)
    order = np.argsort(values[known], kind="stable")
    ordered = values[known][order]
    below = weights[:, known][:, order].cumsum(axis=1)
    total = below[:, -1]
    # The two middle ones, which are one and the same where their number is odd.
    low = (below < np.ceil(total / 2)[:, None]).sum(axis=1)
    high = (below < np.floor(total / 2 + 1)[:, None]).sum(axis=1)
    last = len(ordered) - 1
    middle = (ordered[np.minimum(low, last)] + ordered[np.minimum(high, last)]) / 2
    return np.where(total > 0, middle, np.nan)


def quantile(weights: Values, values: Values, share: float) -> Values:
    """Return (B,) the smallest of ``values``, (N,), that ``share`` of them do not exceed.

    Of those that are finite; NaN without any.
    """
    known = np.isfinite(values)
    if not known.any():
        return np.full(len(weights), np.nan)
    order = np.argsort(values[known], kind="stable")
    ordered = values[known][order]
    below = weights[:, known][:, order].cumsum(axis=1)
    total = below[:, -1]
    # A hair less, so that rounding does not go one too far.
    place = (below < (share * total - 1e-9)[:, None]).sum(axis=1)
    return np.where(total > 0, ordered[np.minimum(place, len(ordered) - 1)], np.nan)


def brier(weights: Values, score: Values, positive: Flags) -> Values:
    """Return (B,) the mean squared error of the probability; 1 for each scan not read."""
    error = np.minimum((score - positive) ** 2, 1.0)
    return ratio(weights @ error, weights.sum(axis=1))


def calibration_error(weights: Values, score: Values, positive: Flags) -> Values:
    """Return (B,) the expected calibration error over ten bins of equal width.

    Naeini et al., AAAI 2015, for the positive class: the gap between probability and rate per bin,
    weighted by the bin's share. Scans that were not read are a bin of their own, with a gap of 1.
    """
    read = _is_read(score)
    inside = np.zeros((len(score), BINS))
    inside[np.flatnonzero(read), bin_of(score[read])] = 1.0
    gap = np.abs(weights @ (inside * (np.where(read, score, 0) - positive)[:, None])).sum(axis=1)
    return ratio(gap + weights @ ~read, weights.sum(axis=1))


def bin_of(score: Values) -> NDArray[np.int64]:
    """Return the bin, 0..9, that each probability, 0..1, falls in."""
    return np.minimum((score * BINS).astype(np.int64), BINS - 1)


def ranking(weights: Values, score: Values, positive: Flags) -> tuple[Values, Values]:
    """Return (B,) ROC-AUC and (B,) average precision; equal scores count as one threshold.

    NaN where one kind of scan is missing.
    """
    if not len(score):
        return np.full(len(weights), np.nan), np.full(len(weights), np.nan)
    order = np.argsort(-score, kind="stable")
    # From the highest score down: how many were flagged, and how many of them rightly.
    last = np.append(np.diff(score[order]) != 0, True)
    ordered = weights[:, order]
    total = ordered.cumsum(axis=1)[:, last]
    right = (ordered * positive[order]).cumsum(axis=1)[:, last]
    wrong = total - right
    sick, well = right[:, -1], wrong[:, -1]
    gained = np.diff(right, prepend=0.0, axis=1)
    precision = (gained * ratio(right, np.maximum(total, 1e-300))).sum(axis=1)
    passed = well[:, None] - wrong + np.diff(wrong, prepend=0.0, axis=1) / 2
    return ratio((gained * passed).sum(axis=1), sick * well), ratio(precision, sick)


def calibration_slope(weights: Values, score: Values, positive: Flags) -> tuple[Values, Values]:
    """Return (B,) slope and (B,) intercept of the logistic recalibration of probabilities.

    Cox, Biometrika 1958: the log odds of being positive as a line over the log odds that were
    said. A slope of 1 and an intercept of 0 are right; below 1 the model is too sure of itself.
    Fitted by Newton's method without a penalty, on the scans that were read. NaN for both where
    one kind of scan is missing or the probabilities part the kinds without an error, as then no
    line is the best one.
    """
    read = _is_read(score)
    w, p, sick = weights[:, read], np.clip(score[read], 1e-6, 1 - 1e-6), positive[read]
    said = np.log(p / (1 - p))
    slope, intercept = np.ones(len(w)), np.zeros(len(w))
    found = np.zeros(len(w), np.bool_)
    left = np.flatnonzero(_has_line(w, said, sick))
    for _step in range(_NEWTON_STEPS):
        if not len(left):
            break
        # A block at a time, so that few resamples that need many steps cost little.
        here = w[left]
        line = intercept[left][:, None] + slope[left][:, None] * said
        fitted = 1 / (1 + np.exp(-np.clip(line, -30, 30)))
        curve = here * np.maximum(fitted * (1 - fitted), 1e-9)
        off = here * (sick - fitted)
        first, second = off.sum(axis=1), off @ said
        aa, ab, bb = curve.sum(axis=1), curve @ said, curve @ said**2
        determinant = np.maximum(aa * bb - ab * ab, 1e-300)
        change = np.stack([bb * first - ab * second, aa * second - ab * first]) / determinant
        # Damped: far from the best line a whole step can overshoot it.
        largest = np.abs(change).max(axis=0)
        change *= np.minimum(1.0, 2.0 / np.maximum(1e-12, largest))
        intercept[left] += change[0]
        slope[left] += change[1]
        done = np.abs(change).max(axis=0) < _NEWTON_DONE
        found[left[done]] = True
        left = left[~done]
    return np.where(found, slope, np.nan), np.where(found, intercept, np.nan)


def _has_line(weights: Values, said: Values, sick: Flags) -> Flags:
    """Tell, (B,), where both kinds are there and neither lies wholly above the other."""
    if not sick.any() or sick.all():
        return np.zeros(len(weights), np.bool_)
    there = weights > 0
    low = np.where(there, said, np.inf)
    high = np.where(there, said, -np.inf)
    sick_low, sick_high = low[:, sick].min(axis=1), high[:, sick].max(axis=1)
    well_low, well_high = low[:, ~sick].min(axis=1), high[:, ~sick].max(axis=1)
    both = np.isfinite(sick_low) & np.isfinite(well_low)
    return np.asarray(both & (sick_low < well_high) & (well_low < sick_high))


def _is_read(score: Values) -> Flags:
    return np.asarray((score >= 0) & (score <= 1))
