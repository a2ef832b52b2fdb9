"""How sure a figure is: 95 % intervals from resamples of whole groups.

BCa intervals (Efron, *Better bootstrap confidence intervals*, Journal of the American Statistical
Association 82:171-185, 1987) hold the truth more often than plain percentiles where scans are few
or a figure is near its end. Where every resample says the same, such as a sensitivity of 1, a
bootstrap has no width at all, which would be a lie: there Wilson's interval of as many groups
stands. For the calibration error, which noise can only raise, see
:func:`calibration_error_interval`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from core.learning.evaluation._measures import Flags, Values, bin_of
from core.model import wilson_interval

#: Gives figures by name, (B,) each, for weights (B, N).
Measure: TypeAlias = Callable[[Values], Mapping[str, Values]]
#: By name: the kinds of scans, (N,) each, that a figure is made of.
Support: TypeAlias = Mapping[str, tuple[Flags, ...]]


class Grouped(Protocol):
    """Scans that are told apart by group."""

    @property
    def group(self) -> NDArray[np.str_]:
        """(N,) what is resampled together: a patient, or a set of near-duplicates."""
        ...


RESAMPLES = 2000
#: Numbers in one block of weights, so that memory stays bounded however many scans there are.
_BLOCK = 2_000_000
#: Parts that are left out in turn for the acceleration; of many groups several are one part.
_PARTS = 300
_TAILS = (0.025, 0.975)


@dataclass(frozen=True, slots=True, eq=False)
class Resampled:
    """Figures of the data, of its resamples, and with one part after the other left out.

    Attributes
    ----------
    value
        By name.
    drawn, without
        By name, (B,) and (parts,); NaN where a figure could not be worked out.
    member
        (N,) index of each scan's group.
    """

    value: Mapping[str, float]
    drawn: Mapping[str, Values]
    without: Mapping[str, Values]
    member: NDArray[np.int64]


def resample(scored: Grouped, measure: Measure, seed: int = 0) -> Resampled:
    """Work figures out for the data and for its resamples; groups stay whole.

    Pictures of one patient are no independent evidence.
    """
    _names, member = np.unique(scored.group, return_inverse=True)
    value = measure(np.ones((1, len(member))))
    return Resampled(
        {name: float(found[0]) for name, found in value.items()},
        _joined(measure, _drawn(member, seed)),
        _joined(measure, _left_out(member, seed)),
        member,
    )


def _joined(measure: Measure, blocks: Iterator[Values]) -> dict[str, Values]:
    found = [measure(block) for block in blocks]
    return {name: np.concatenate([each[name] for each in found]) for name in found[0]}


def _drawn(member: NDArray[np.int64], seed: int) -> Iterator[Values]:
    """Yield blocks of weights: as many groups as there are, drawn with replacement."""
    rng = np.random.default_rng(seed)
    groups = int(member.max()) + 1
    rows = max(1, _BLOCK // max(len(member), groups))
    for start in range(0, RESAMPLES, rows):
        count = min(rows, RESAMPLES - start)
        drawn = rng.integers(0, groups, (count, groups)) + groups * np.arange(count)[:, None]
        times = np.bincount(drawn.ravel(), minlength=count * groups).reshape(count, groups)
        yield times[:, member].astype(np.float64)


def _left_out(member: NDArray[np.int64], seed: int) -> Iterator[Values]:
    """Yield blocks of weights that leave one part after the other out."""
    groups = int(member.max()) + 1
    parts = min(groups, _PARTS)
    part = np.random.default_rng(seed).permutation(groups) % parts
    rows = max(1, _BLOCK // len(member))
    for start in range(0, parts, rows):
        out = np.arange(start, min(start + rows, parts))
        yield (part[member] != out[:, None]).astype(np.float64)


def intervals(found: Resampled, support: Support | None = None) -> dict[str, dict[str, float]]:
    """Return each figure with its 95 % interval.

    Parameters
    ----------
    support
        For figures from 0 to 1: what they are made of. The others have no end to run into.

    Returns
    -------
    dict
        ``{"value", "low", "high"}`` by name; a figure that is not finite, or of which a single
        group says nothing about how sure it is, is left out.
    """
    report: dict[str, dict[str, float]] = {}
    for name, value in found.value.items():
        drawn = found.drawn[name][np.isfinite(found.drawn[name])]
        if not np.isfinite(value) or not len(drawn):
            continue
        kinds = (support or {}).get(name, ())
        # Of several kinds the rarest tells how much is known.
        n = min((len(np.unique(found.member[kind])) for kind in kinds), default=0)
        if kinds and n < 2:
            low, high = 0.0, 1.0
        elif len(found.without[name]) < 2:
            continue
        elif kinds and np.ptp(drawn) == 0:
            low, high = wilson_interval(round(value * n), n)
        else:
            low, high = _bca(value, drawn, found.without[name])
        report[name] = _holding(value, low, high)
    return report


def _holding(value: float, low: float, high: float) -> dict[str, float]:
    return {"value": value, "low": min(low, value), "high": max(high, value)}


def _bca(value: float, drawn: Values, without: Values) -> tuple[float, float]:
    from scipy.special import ndtr, ndtri

    # Where resamples tie with the value, half of them count as below it.
    below = float((drawn < value).mean() + (drawn <= value).mean()) / 2
    edge = 0.5 / len(drawn)
    bias = float(ndtri(min(max(below, edge), 1 - edge)))
    off = without[np.isfinite(without)]
    off = off.mean() - off if len(off) else np.zeros(1)
    spread = float((off**2).sum())
    skew = float((off**3).sum()) / (6 * spread**1.5) if spread > 0 else 0.0
    places = []
    for tail in _TAILS:
        z = bias + float(ndtri(tail))
        places.append(float(ndtr(bias + z / max(1e-3, 1 - skew * z))))
    low, high = np.quantile(drawn, places)
    return float(low), float(high)


def calibration_error_interval(
    found: Resampled, score: Values, positive: Flags, seed: int = 0
) -> dict[str, float]:
    """Return the expected calibration error, ``ece``, with an interval that allows for its bias.

    Noise alone makes a calibration error above 0, and drawing with replacement adds noise once
    more, so the percentiles of resamples lie above the truth: at 60 to 200 well calibrated scans
    they never held it. Here the low end is 0 wherever outcomes drawn from the probabilities
    themselves give as large an error in 2.5 % of draws (consistency resampling, Broecker and Smith,
    *Increasing the reliability of reliability diagrams*, Weather and Forecasting 22:651-661,
    2007), else that of the basic bootstrap; the high end is the percentile less the bias that
    resampling shows. In simulations of 60 to 500 scans this held the truth in 90 to 98 of 100.
    Scans that were not read count as certain.
    """
    value, drawn = found.value["ece"], found.drawn["ece"]
    drawn = drawn[np.isfinite(drawn)]
    if len(found.without["ece"]) < 2:
        return _holding(value, 0.0, 1.0)
    bias = max(0.0, float(drawn.mean()) - value)
    low_drawn, high_drawn = np.quantile(drawn, _TAILS)
    low = max(0.0, 2 * value - float(high_drawn))
    if value <= np.quantile(_of_calibrated(found.member, score, positive, seed), _TAILS[1]):
        low = 0.0
    return _holding(value, min(low, float(low_drawn)), float(high_drawn) - bias)


def _of_calibrated(member: NDArray[np.int64], score: Values, positive: Flags, seed: int) -> Values:
    """Return (B,) calibration errors of outcomes drawn from the probabilities.

    One draw serves a whole group: its pictures show the same lesion.
    """
    read = (score >= 0) & (score <= 1)
    p, member = score[read], member[read]
    inside = np.zeros((len(p), int(bin_of(p).max(initial=0)) + 1))
    inside[np.arange(len(p)), bin_of(p)] = 1.0
    rng = np.random.default_rng(seed + 1)
    groups = int(member.max(initial=0)) + 1
    rows = max(1, _BLOCK // max(1, len(p), groups))
    errors = []
    for start in range(0, RESAMPLES, rows):
        drawn = rng.random((min(rows, RESAMPLES - start), groups))[:, member] < p
        errors.append(np.abs((drawn - p) @ inside).sum(axis=1))
    return (np.concatenate(errors) + int((~read).sum())) / max(1, len(score))
