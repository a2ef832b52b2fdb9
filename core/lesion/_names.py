"""Measurements by hand in words: the same in the viewer, in a report and in the review."""

from __future__ import annotations

from core.lesion._by_hand import HandKind, HandMeasure, NoMillimetres
from core.text import _


def measure_name(kind: HandKind) -> str:
    """Return what a kind of measurement by hand is called."""
    return {"distance": _("Distance"), "ellipse": _("Ellipse")}[kind]


def no_millimetres(reason: NoMillimetres) -> str:
    """Say why a measurement by hand has no millimetres."""
    return {
        "uncalibrated": _("no mm: no calibration is known"),
        "outside": _("no mm: outside the calibrated areas"),
        "crosses": _("no mm: crosses regions"),
        "no lengths": _("no mm: this area has no lengths"),
    }[reason]


def measure_text(measure: HandMeasure) -> str:
    """Return a measurement by hand in words: to a tenth, its unit, and why it has no mm."""
    unit = measure.unit.rstrip("2")
    if measure.kind == "distance":
        text = f"{measure.value:.1f} {unit}"
    else:
        long, short = measure.axes
        text = f"{measure.value:.1f} {unit}² ({long:.1f} × {short:.1f} {unit})"
    return text if measure.no_mm is None else f"{text} ({no_millimetres(measure.no_mm)})"
