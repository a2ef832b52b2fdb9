"""The few statistics of an audit, each with its source."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtrc, kolmogorov

_Z95 = 1.959964


@dataclass(frozen=True, slots=True)
class Odds:
    """An odds ratio with its 95 % interval."""

    value: float
    low: float
    high: float

    @property
    def at_least(self) -> float:
        """How strong it is at the least, whichever way it points: 1 is no relation."""
        return max(self.low, 1 / self.high, 1.0)


def odds_ratio(with_in: int, with_out: int, without_in: int, without_out: int) -> Odds:
    """Return the odds ratio of a two-by-two table with Woolf's interval.

    Half a case is added to each cell (Haldane J. B. S., Annals of Human Genetics 20:309, 1956;
    Anscombe F. J., Biometrika 43:461, 1956), so that empty cells have one too.

    Parameters
    ----------
    with_in, with_out, without_in, without_out
        Images that have the feature, of the label and of others; then those without it.
    """
    a, b, c, d = (count + 0.5 for count in (with_in, with_out, without_in, without_out))
    log = math.log(a * d / (b * c))
    wide = _Z95 * math.sqrt(1 / a + 1 / b + 1 / c + 1 / d)
    return Odds(math.exp(log), math.exp(log - wide), math.exp(log + wide))


def chi_square(table: Sequence[Sequence[int]]) -> tuple[float, float, float]:
    """Return Pearson's chi-square of a table of counts, its p, and Cramér's V (0 to 1).

    0, 1 and 0 where the table has one row or one column that is not empty.
    """
    counts = np.asarray(table, np.float64)
    counts = counts[counts.sum(axis=1) > 0][:, counts.sum(axis=0) > 0]
    least = min(counts.shape) - 1
    if least < 1:
        return 0.0, 1.0, 0.0
    total = counts.sum()
    expected = np.outer(counts.sum(axis=1), counts.sum(axis=0)) / total
    value = float(((counts - expected) ** 2 / expected).sum())
    freedom = (counts.shape[0] - 1) * (counts.shape[1] - 1)
    return value, float(chdtrc(freedom, value)), math.sqrt(value / (total * least))


def kolmogorov_smirnov(one: NDArray[np.float32], two: NDArray[np.float32]) -> tuple[float, float]:
    """Return the largest distance between two distributions, 0 to 1, and its asymptotic p.

    The two-sample test of Smirnov N. V. (1939) with the effective n of Stephens M. A. (Journal of
    the Royal Statistical Society B 32:115, 1970). 0 and 1 where one is empty.
    """
    n, m = len(one), len(two)
    if not n or not m:
        return 0.0, 1.0
    every = np.concatenate([one, two])
    below_one = np.searchsorted(np.sort(one), every, side="right") / n
    below_two = np.searchsorted(np.sort(two), every, side="right") / m
    distance = float(np.abs(below_one - below_two).max())
    root = math.sqrt(n * m / (n + m))
    return distance, float(kolmogorov((root + 0.12 + 0.11 / root) * distance))
