"""How sure a probability is, and what it means where the disease is rarer or commoner."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: The 97.5 % point of the standard normal distribution: two-sided 95 %.
Z95 = 1.959963984540054


@dataclass(frozen=True, slots=True)
class Interval:
    """95 % interval of the positive rate among validation scans that scored alike.

    Attributes
    ----------
    low, high
        Wilson interval, 0..1.
    n, positives
        Scans in the score bin, and how many of them were positive.
    score_low, score_high
        The bin: calibrated probabilities from ``score_low`` up to, not including, ``score_high``
        (the last bin includes 1).
    """

    low: float
    high: float
    n: int
    positives: int
    score_low: float
    score_high: float


def wilson_interval(positives: int, n: int) -> tuple[float, float]:
    """Return the 95 % score interval of a proportion ``positives / n``; ``(0, 1)`` for n = 0.

    Wilson E. B., *Probable inference, the law of succession, and statistical inference*, Journal
    of the American Statistical Association 22:209-212, 1927.
    """
    if not 0 <= positives <= n:
        raise ValueError("positives must lie from 0 to n")
    if n == 0:
        return 0.0, 1.0
    share, z2 = positives / n, Z95 * Z95
    centre = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = Z95 / (1 + z2 / n) * math.sqrt(share * (1 - share) / n + z2 / (4 * n * n))
    # At 0 and at n the bound is exact; rounding must not push it past the end.
    low = 0.0 if positives == 0 else max(0.0, centre - half)
    high = 1.0 if positives == n else min(1.0, centre + half)
    return low, high


class IntervalTable:
    """The intervals of all scores, worked out once: see :func:`score_interval`.

    Parameters
    ----------
    scores, positive, least, most_bins
        As for :func:`score_interval`.
    """

    def __init__(
        self,
        scores: NDArray[np.floating[Any]],
        positive: NDArray[np.bool_],
        *,
        least: int = 40,
        most_bins: int = 10,
    ) -> None:
        n = len(scores)
        self._edges = np.zeros(0)
        self._intervals: tuple[Interval, ...] = ()
        if n == 0:
            return
        values = np.asarray(scores, np.float64)
        ordered = np.sort(values)
        for bins in range(max(1, min(most_bins, n // least)), 0, -1):
            starts = [len(part) for part in np.array_split(ordered, bins)]
            # A bin is a range of scores, so equal scores share one and can make its neighbour
            # small.
            self._edges = np.unique(ordered[np.cumsum(starts)[:-1]])
            place = np.searchsorted(self._edges, values, side="right")
            counts = np.bincount(place, minlength=len(self._edges) + 1)
            if bins == 1 or counts.min() >= least:
                break
        limits = [0.0, *map(float, self._edges), 1.0]
        found = []
        for mine in range(len(self._edges) + 1):
            inside = place == mine
            hits, total = int(np.count_nonzero(positive[inside])), int(np.count_nonzero(inside))
            low, high = wilson_interval(hits, total)
            found.append(Interval(low, high, total, hits, limits[mine], limits[mine + 1]))
        self._intervals = tuple(found)

    def at(self, probability: float) -> Interval | None:
        """Return the interval of the bin a probability falls in; None without validation scans."""
        if not self._intervals:
            return None
        return self._intervals[int(np.searchsorted(self._edges, probability, side="right"))]


def score_interval(
    probability: float,
    scores: NDArray[np.floating[Any]],
    positive: NDArray[np.bool_],
    *,
    least: int = 40,
    most_bins: int = 10,
) -> Interval | None:
    """Say how often validation scans with a score like this were positive.

    Parameters
    ----------
    probability
        Calibrated probability of the positive label, 0..1.
    scores, positive
        ``(n,)`` the same of each validation scan, and whether it was positive.
    least
        Bins hold about equally many scans, and at least this many where there are enough at all.
    most_bins
        No more bins than this.

    Returns
    -------
    The interval of the bin ``probability`` falls in, or None without validation scans.
    """
    return IntervalTable(scores, positive, least=least, most_bins=most_bins).at(probability)


def shift_prior(probability: float, study: float, site: float) -> float:
    """Restate a calibrated probability for a site where the positives are rarer or commoner.

    Parameters
    ----------
    probability
        Calibrated at prevalence ``study``, 0..1.
    study, site
        Share of positives, strictly between 0 and 1.

    Returns
    -------
    The probability at prevalence ``site``: the odds times the ratio of the two prior odds
    (Saerens, Latinne, Decaestecker, *Adjusting the outputs of a classifier to new a priori
    probabilities*, Neural Computation 14:21-41, 2002, eq. 2.4).
    """
    if not 0 <= probability <= 1:
        raise ValueError("probability must lie from 0 to 1")
    if not (0 < study < 1 and 0 < site < 1):
        raise ValueError("prevalences must lie strictly between 0 and 1")
    with_disease = probability * site / study
    without = (1 - probability) * (1 - site) / (1 - study)
    return with_disease / (with_disease + without)
