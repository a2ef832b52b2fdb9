"""When a model says "not sure": the entry of a card that promises it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from core.model._reading import Fields, invalid
from core.text import _


@dataclass(frozen=True, slots=True)
class Abstention:
    """When a model may say "not sure": class-conditional conformal prediction.

    The positive label is possible from ``low`` on and the others up to ``high``, so that of the
    positives at least the share ``coverage`` keeps the positive label possible, and of the others
    at least as many keep theirs (on average over calibrations, and as long as scans come as the
    calibrating ones did: Vovk, *Conditional validity of inductive conformal predictors*, ACML
    2012). Where both are possible, or neither is, or only the one the answer does not give, the
    model is not sure. Fitted in ``core.learning.conformal``.

    Attributes
    ----------
    coverage
        The share that is promised, strictly between 0 and 1.
    low, high
        Calibrated probabilities of the positive label, 0 to 1.
    n
        Scans it was fitted on.
    measured
        Free: coverage and share of "not sure" on other scans, by name as ``{"value", "low",
        "high", "n"}``.
    """

    coverage: float
    low: float
    high: float
    n: int
    measured: Mapping[str, Any] = field(default_factory=dict)

    def sure(self, probability: float, *, flagged: bool) -> bool:
        """Tell whether only the side that an answer gives is possible."""
        positive, others = probability >= self.low, probability <= self.high
        return positive != others and positive == flagged


def read_abstention(entry: Fields | None) -> Abstention | None:
    """Take the entry ``abstention`` of a card; None where there is none."""
    if entry is None:
        return None
    found = Abstention(
        entry.number("coverage"),
        entry.number("low"),
        entry.number("high"),
        entry.take("n", int),
        entry.optional("measured", dict) or {},
    )
    entry.nothing_left()
    return found


def abstention_entry(found: Abstention | None) -> dict[str, Any] | None:
    """Return the entry ``abstention`` of a card."""
    if found is None:
        return None
    return {
        "coverage": found.coverage,
        "low": found.low,
        "high": found.high,
        "n": found.n,
        "measured": dict(found.measured),
    }


def check_abstention(found: Abstention) -> None:
    """Refuse a promise that is out of its range."""
    if not 0 < found.coverage < 1:
        raise invalid(_("abstention coverage must lie between 0 and 1"))
    if not (0 <= found.low <= 1 and 0 <= found.high <= 1):
        raise invalid(_("abstention low and high must lie from 0 to 1"))
    if found.n < 1:
        raise invalid(_("the n of abstention must be at least 1"))
    try:
        json.dumps(dict(found.measured), allow_nan=False)
    except (TypeError, ValueError) as error:
        problem = _("abstention measured must be plain JSON values with finite numbers")
        raise invalid(problem) from error
