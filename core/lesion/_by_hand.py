"""What a doctor measures by hand: a distance between two points, or an ellipse."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

import numpy as np

from core.errors import LesionError
from core.scan import Box, Region, Scan, Spacing
from core.text import _

HandKind = Literal["distance", "ellipse"]
#: Why a measurement has no millimetres: no calibration is known; it lies outside all calibrated
#: areas; it leaves one or touches two; or its area has no lengths in both directions.
NoMillimetres = Literal["uncalibrated", "outside", "crosses", "no lengths"]
Point = tuple[float, float]

_POINTS: Final = {"distance": 2, "ellipse": 3}
#: Shortest line that can be measured, in pixels.
_LEAST: Final = 1.0


@dataclass(frozen=True, slots=True)
class HandMeasure:
    """One measurement by hand, made with :func:`measure_by_hand`.

    Attributes
    ----------
    kind
        ``"distance"`` or ``"ellipse"``.
    points
        x, y in pixels, whole numbers at pixel centres. A distance: its two ends. An ellipse: the
        two ends of one axis, and an end of the other, which is at a right angle in the picture.
    value
        A distance, or the area of the ellipse.
    unit
        ``"mm"``, ``"mm2"``, ``"px"`` or ``"px2"``.
    axes
        The longest and the shortest diameter of the ellipse in mm or px; empty for a distance.
    no_mm
        Why it is in pixels, or None where it is in millimetres.
    """

    kind: HandKind
    points: tuple[Point, ...]
    value: float
    unit: Literal["mm", "mm2", "px", "px2"]
    axes: tuple[float, ...] = ()
    no_mm: NoMillimetres | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return it ready for JSON: kind, points, value, unit, axes and why it is in pixels."""
        return {
            "kind": self.kind,
            "points": [list(point) for point in self.points],
            "value": self.value,
            "unit": self.unit,
            "axes": list(self.axes),
            "no_mm": self.no_mm,
        }


def measure_by_hand(kind: str, points: Sequence[Sequence[float]], scan: Scan) -> HandMeasure:
    """Measure what was drawn, in millimetres where one scale holds all over it.

    Parameters
    ----------
    kind
        ``"distance"`` or ``"ellipse"``.
    points
        As :attr:`HandMeasure.points`; a point outside the image is moved to its edge, and the end
        of the second axis to the line through the middle of the first.
    scan
        Gives the size and the calibration; a spacing that differs by direction counts for both.

    Raises
    ------
    LesionError
        It is no such measurement, or a line of it is shorter than a pixel.
    """
    return measure_within(kind, points, scan.width, scan.height, scan.spacing, scan.regions)


def measure_within(
    kind: str,
    points: Sequence[Sequence[float]],
    width: int,
    height: int,
    spacing: Spacing | None,
    regions: Sequence[Region] = (),
) -> HandMeasure:
    """Measure as :func:`measure_by_hand`, with the size and the calibration given one by one.

    Parameters
    ----------
    width, height
        Of the image, in pixels.
    spacing
        Millimetres per pixel (row, column) all over the image, or None.
    regions
        Areas with a scale of their own; where there are any, ``spacing`` does not count.
    """
    if kind not in get_args(HandKind) or len(points) != _POINTS[kind]:
        raise LesionError(_("This is not a measurement: draw it again."))
    if not all(len(point) == 2 and all(map(math.isfinite, point)) for point in points):
        raise LesionError(_("This is not a measurement: draw it again."))
    inside = [
        (round(_between(x, width - 1), 2), round(_between(y, height - 1), 2)) for x, y in points
    ]
    if kind == "distance":
        return _distance(inside[0], inside[1], _scale_for(regions, spacing))
    return _ellipse(inside, _scale_for(regions, spacing))


Scale = Callable[[float, float, float, float], tuple[Spacing | None, NoMillimetres | None]]


def _scale_for(regions: Sequence[Region], spacing: Spacing | None) -> Scale:
    """Return what tells the scale between (left, top) and (right, bottom), or why there is none."""

    def scale(
        left: float, top: float, right: float, bottom: float
    ) -> tuple[Spacing | None, NoMillimetres | None]:
        if not regions:
            return spacing, "uncalibrated" if spacing is None else None
        box = _pixels(left, top, right, bottom)
        met = [region for region in regions if region.meets(box)]
        if not met:
            return None, "outside"
        scales = {region.spacing for region in met}
        if len(scales) > 1 or not any(region.holds(box) for region in met):
            return None, "crosses"
        (found,) = scales
        return found, "no lengths" if found is None else None

    return scale


def _pixels(left: float, top: float, right: float, bottom: float) -> Box:
    """Return the pixels from one corner to the other: a pixel reaches half a step around it."""
    x0, y0 = math.floor(left + 0.5), math.floor(top + 0.5)
    return x0, y0, math.floor(right + 0.5) - x0 + 1, math.floor(bottom + 0.5) - y0 + 1


def _distance(a: Point, b: Point, scale: Scale) -> HandMeasure:
    dx, dy = b[0] - a[0], b[1] - a[1]
    if math.hypot(dx, dy) < _LEAST:
        raise LesionError(_("This line is shorter than a pixel: draw it again."))
    found, why = scale(min(a[0], b[0]), min(a[1], b[1]), max(a[0], b[0]), max(a[1], b[1]))
    if found is None:
        return HandMeasure("distance", (a, b), math.hypot(dx, dy), "px", no_mm=why)
    return HandMeasure("distance", (a, b), math.hypot(dx * found[1], dy * found[0]), "mm")


def _ellipse(points: Sequence[Point], scale: Scale) -> HandMeasure:
    a, b, c = (np.array(point) for point in points)
    centre, first = (a + b) / 2, (b - a) / 2
    long = float(np.hypot(*first))
    if long < _LEAST / 2:
        raise LesionError(_("This line is shorter than a pixel: draw it again."))
    across = np.array([-first[1], first[0]]) / long
    second = float((c - centre) @ across) * across
    if float(np.hypot(*second)) < _LEAST / 2:
        raise LesionError(_("This line is shorter than a pixel: draw it again."))
    end = (round(float(centre[0] + second[0]), 2), round(float(centre[1] + second[1]), 2))
    halves = np.column_stack([first, second])
    # The farthest points of an ellipse along x and y.
    reach = np.sqrt((halves**2).sum(axis=1))
    low, high = centre - reach, centre + reach
    found, why = scale(float(low[0]), float(low[1]), float(high[0]), float(high[1]))
    if found is not None:
        # A spacing that differs by direction turns the axes: the singular values are the new ones.
        halves = np.diag([found[1], found[0]]) @ halves
    semi = np.linalg.svd(halves, compute_uv=False)
    return HandMeasure(
        "ellipse",
        (points[0], points[1], end),
        math.pi * float(semi[0] * semi[1]),
        "px2" if found is None else "mm2",
        (2 * float(semi[0]), 2 * float(semi[1])),
        why,
    )


def _between(value: float, most: int) -> float:
    return min(max(float(value), 0.0), float(most))
