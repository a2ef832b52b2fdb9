"""What a threshold would do: how many of the positives it finds, how many of the others it flags.

Measured on a bundle's own validation scores, so that moving a slider never calls the model.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.model._bundle import Reference
from core.model._statistics import Z95, wilson_interval


@dataclass(frozen=True, slots=True)
class Share:
    """Some of many, with its 95 % interval.

    Attributes
    ----------
    hits, n
        How many of how many.
    """

    hits: int
    n: int

    @property
    def value(self) -> float | None:
        """The share, 0..1; None of none."""
        return self.hits / self.n if self.n else None

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's interval; 0 to 1 of none."""
        return wilson_interval(self.hits, self.n)


@dataclass(frozen=True, slots=True)
class Predictive:
    """A predictive value at some prevalence, with its 95 % interval; all 0..1."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class AtThreshold:
    """What flagging from a threshold on does to the validation scans.

    Attributes
    ----------
    threshold
        On the calibrated probability of the positive label, 0..1; a scan at it is flagged.
    found
        Flagged ones of the positives: the sensitivity.
    false_alarms
        Flagged ones of the others: one minus the specificity.
    """

    threshold: float
    found: Share
    false_alarms: Share

    @property
    def prevalence(self) -> float | None:
        """Share of positives among the validation scans; None without any."""
        n = self.found.n + self.false_alarms.n
        return self.found.n / n if n else None

    def positive_value(self, prevalence: float) -> Predictive | None:
        """Return the share of the flagged that are positive where ``prevalence`` (0..1) are.

        None where nothing can be said: one kind of scan is missing, or nothing is flagged.
        """
        return _predictive(self.found, self.false_alarms, prevalence)

    def negative_value(self, prevalence: float) -> Predictive | None:
        """Return the share of those not flagged that are not positive, in the same way."""
        spared = Share(self.false_alarms.n - self.false_alarms.hits, self.false_alarms.n)
        missed = Share(self.found.n - self.found.hits, self.found.n)
        return _predictive(spared, missed, 1 - prevalence)


def at_threshold(reference: Reference, threshold: float) -> AtThreshold:
    """Count what a threshold flags of a bundle's validation scans.

    Parameters
    ----------
    reference
        The bundle's validation scores; there may be none.
    threshold
        0..1.

    Raises
    ------
    ValueError
        The threshold is out of its range.
    """
    if not 0 <= threshold <= 1:
        raise ValueError("a threshold must lie from 0 to 1")
    flagged: NDArray[np.bool_] = np.asarray(reference.validation_scores, np.float64) >= threshold
    positive: NDArray[Any] = reference.validation_positive
    return AtThreshold(
        threshold,
        Share(int((flagged & positive).sum()), int(positive.sum())),
        Share(int((flagged & ~positive).sum()), int((~positive).sum())),
    )


def _predictive(right: Share, wrong: Share, prevalence: float) -> Predictive | None:
    """Return the predictive value of a result that ``right`` of its class and ``wrong`` give.

    The odds are those of the prevalence times the likelihood ratio. The interval is the adjusted
    logit interval of Mercaldo, Lau and Zhou, *Confidence intervals for predictive values with an
    emphasis to case-control studies*, Statistics in Medicine 26:2170-2183, 2007: the delta method
    on the log odds, with z²/2 (about two) imaginary successes and as many failures in both
    shares, so that it exists where a share is 0 or 1. It is widened to hold the plain value. The
    prevalence itself is taken as known.
    """
    if not 0 < prevalence < 1:
        raise ValueError("a prevalence must lie strictly between 0 and 1")
    if right.value is None or wrong.value is None or not right.hits + wrong.hits:
        return None
    with_it, without = right.value * prevalence, wrong.value * (1 - prevalence)
    value = with_it / (with_it + without)
    more = Z95 * Z95 / 2
    n_right, n_wrong = right.n + 2 * more, wrong.n + 2 * more
    a, b = (right.hits + more) / n_right, (wrong.hits + more) / n_wrong
    log_odds = math.log(a / b) + math.log(prevalence / (1 - prevalence))
    spread = Z95 * math.sqrt((1 - a) / (a * n_right) + (1 - b) / (b * n_wrong))
    low, high = (1 / (1 + math.exp(-x)) for x in (log_odds - spread, log_odds + spread))
    return Predictive(value, min(low, value), max(high, value))
