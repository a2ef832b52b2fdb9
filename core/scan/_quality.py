"""The quality gate: whether a picture is like those a reading is known to work on.

Every figure is held against thresholds that were set from training images by
``python -m core.scan.fit_quality`` and lie in ``quality.json``; how is written there. A check that
warns says that the picture is unusual, one that fails that it lies clearly beyond all of them.
Nothing is blocked here: what fails goes to correction, or is read for a stored reason.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any

from core.scan._measures import Measures, measure
from core.scan._parts import Box
from core.scan._scan import Scan

#: Written by ``python -m core.scan.fit_quality``.
THRESHOLDS = Path(__file__).with_name("quality.json")
#: Standard deviation of a blank picture at the most, in grey levels: speckle alone spreads a
#: scan by several times this.
BLANK = 6.0
#: Coloured shares. B-mode is grey, so what is coloured was laid over it: there is no training
#: image to set these from. Anything more than stray pixels warns, as a Doppler window or a
#: coloured caliper; from the second on it is no grey picture any more.
COLOURED_WARN, COLOURED_FAIL = 0.001, 0.3
#: Pictures in one image: a reading takes several for one, and no training image had two.
_PICTURES = 1


class CheckName(StrEnum):
    """What is checked, in the order it is shown."""

    #: Standard deviation of the whole image: next to none is a blank picture.
    BLANK = "blank"
    #: Short side of the picture, in pixels.
    RESOLUTION = "resolution"
    #: Fine share of the texture: blurred and enlarged pictures have little.
    BLUR = "blur"
    #: Grey levels between the 5th and the 95th percentile.
    CONTRAST = "contrast"
    #: Mean grey level; too low and too high both count.
    EXPOSURE = "exposure"
    #: Share of pixels clipped to black, without the frame.
    CLIPPED_BLACK = "clipped_black"
    #: Share of pixels clipped to white.
    CLIPPED_WHITE = "clipped_white"
    #: Share of coloured pixels.
    COLOUR = "colour"
    #: Share of the picture on or beside burned-in letters, calipers and scales.
    ANNOTATION = "annotation"
    #: Share of the image that is empty frame; the box is the picture's.
    BORDERS = "borders"
    #: Number of pictures in one image; the boxes are theirs.
    PANELS = "panels"


class Outcome(StrEnum):
    """What a check found, from good to bad."""

    PASS = "pass"  # noqa: S105 - not a password
    WARN = "warn"
    FAIL = "fail"


_BADNESS = (Outcome.PASS, Outcome.WARN, Outcome.FAIL)


@dataclass(frozen=True, slots=True)
class Check:
    """One check and its figure.

    Attributes
    ----------
    name, outcome
        What was checked, and what was found.
    value
        The figure, in ``unit``.
    threshold
        What it was held against: the limit it passed, or the worst one it is beyond. Of two
        limits, the nearer.
    unit
        ``"px"``, ``"grey levels"``, ``"share"`` (0 to 1), ``"ratio"`` or ``"pictures"``.
    boxes
        Where it lies, as (left, top, width, height): the pictures of ``panels``, the picture
        inside ``borders``; else empty.
    """

    name: CheckName
    outcome: Outcome
    value: float
    threshold: float | None
    unit: str
    boxes: tuple[Box, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return it ready for JSON."""
        return {
            "name": self.name.value,
            "outcome": self.outcome.value,
            "value": self.value,
            "threshold": self.threshold,
            "unit": self.unit,
            "boxes": [list(box) for box in self.boxes],
        }

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Check:
        """Make it again from what :meth:`to_dict` gave."""
        threshold = stored["threshold"]
        boxes = []
        for box in stored["boxes"]:
            left, top, width, height = (int(number) for number in box)
            boxes.append((left, top, width, height))
        return cls(
            name=CheckName(stored["name"]),
            outcome=Outcome(stored["outcome"]),
            value=float(stored["value"]),
            threshold=None if threshold is None else float(threshold),
            unit=str(stored["unit"]),
            boxes=tuple(boxes),
        )


@dataclass(frozen=True, slots=True)
class QualityReport:
    """All checks of one scan, in the order of :class:`CheckName`."""

    checks: tuple[Check, ...]

    @property
    def outcome(self) -> Outcome:
        """The worst of them."""
        return max((check.outcome for check in self.checks), key=_BADNESS.index)

    @property
    def failed(self) -> tuple[Check, ...]:
        """The checks that fail."""
        return tuple(check for check in self.checks if check.outcome is Outcome.FAIL)

    @property
    def warned(self) -> tuple[Check, ...]:
        """The checks that warn, without those that fail."""
        return tuple(check for check in self.checks if check.outcome is Outcome.WARN)

    def __getitem__(self, name: CheckName) -> Check:
        """Return the check of a name.

        Raises
        ------
        KeyError
            It was not made.
        """
        for check in self.checks:
            if check.name is name:
                return check
        raise KeyError(name)

    def to_dict(self) -> dict[str, Any]:
        """Return it ready for JSON."""
        return {"checks": [check.to_dict() for check in self.checks]}

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> QualityReport:
        """Make it again from what :meth:`to_dict` gave, also after a round trip through JSON.

        Raises
        ------
        ValueError
            It is not what :meth:`to_dict` gives.
        """
        try:
            checks = tuple(Check.from_dict(check) for check in stored["checks"])
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError("This is no stored quality report.") from error
        if not checks:
            raise ValueError("A quality report has checks.")
        return cls(checks)


@dataclass(frozen=True, slots=True)
class Limits:
    """Where a figure starts to warn and to fail, below or above; None where it does not."""

    low_warn: float | None = None
    low_fail: float | None = None
    high_warn: float | None = None
    high_fail: float | None = None

    def judge(self, value: float) -> tuple[Outcome, float | None]:
        """Return what ``value`` amounts to, and the limit it was held against."""
        for outcome, low, high in (
            (Outcome.FAIL, self.low_fail, self.high_fail),
            (Outcome.WARN, self.low_warn, self.high_warn),
        ):
            if low is not None and value < low:
                return outcome, low
            if high is not None and value > high:
                return outcome, high
        known = [
            limit
            for warn, fail in ((self.low_warn, self.low_fail), (self.high_warn, self.high_fail))
            if (limit := fail if warn is None else warn) is not None
        ]
        return Outcome.PASS, min(known, key=lambda limit: abs(limit - value), default=None)


@cache
def fitted_limits() -> dict[CheckName, Limits]:
    """Return the limits that were set from training images."""
    stored = json.loads(THRESHOLDS.read_text(encoding="utf-8"))
    return {CheckName(name): Limits(**entry["limits"]) for name, entry in stored["checks"].items()}


def figures(found: Measures) -> dict[CheckName, float]:
    """Return the figure of every check whose limits are set from data."""
    return {
        CheckName.RESOLUTION: float(found.resolution),
        # No texture at all is as far from sharp as a picture can be.
        CheckName.BLUR: found.detail or 0.0,
        CheckName.CONTRAST: found.contrast,
        CheckName.EXPOSURE: found.brightness,
        CheckName.CLIPPED_BLACK: found.black,
        CheckName.CLIPPED_WHITE: found.white,
        CheckName.ANNOTATION: found.lettering,
        CheckName.BORDERS: found.frame,
    }


_UNITS = {
    CheckName.BLANK: "grey levels",
    CheckName.RESOLUTION: "px",
    CheckName.BLUR: "ratio",
    CheckName.CONTRAST: "grey levels",
    CheckName.EXPOSURE: "grey levels",
    CheckName.PANELS: "pictures",
}


def check_quality(scan: Scan) -> QualityReport:
    """Check whether a scan is like those a reading is known to work on.

    Parameters
    ----------
    scan
        Any scan. A deep one is judged as its window shows it.

    Returns
    -------
    QualityReport
        Every check of :class:`CheckName`, in that order; the same for the same pixels.

    Notes
    -----
    A blank picture says nothing about blur, contrast and the like: those checks still give their
    figures, and most of them fail too.
    """
    found = measure(scan)
    limits = {
        CheckName.BLANK: Limits(low_fail=BLANK),
        CheckName.COLOUR: Limits(high_warn=COLOURED_WARN, high_fail=COLOURED_FAIL),
        CheckName.PANELS: Limits(high_fail=_PICTURES),
        **fitted_limits(),
    }
    values = {
        CheckName.BLANK: found.spread,
        CheckName.COLOUR: found.coloured,
        CheckName.PANELS: float(len(found.layout.panels) or 1),
        **figures(found),
    }
    boxes = {CheckName.PANELS: found.layout.panels, CheckName.BORDERS: (found.layout.content,)}
    checks = []
    for name in CheckName:
        outcome, threshold = limits[name].judge(values[name])
        unit = _UNITS.get(name, "share")
        checks.append(Check(name, outcome, values[name], threshold, unit, boxes.get(name, ())))
    return QualityReport(tuple(checks))
