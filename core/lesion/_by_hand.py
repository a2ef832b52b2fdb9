"""What a doctor measures by hand: a distance between two points, or an ellipse."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from core.errors import LesionError
from core.scan import Box, Region, Scan, Spacing
from core.text import _

HandKind = Literal["distance", "ellipse"]
#: Why a measurement has no millimetres: no calibration is known; it lies outside all calibrated
#: areas; it leaves one or touches two; or its area has no lengths in both directions.
NoMillimetres = Literal["uncalibrated", "outside", "crosses", "no lengths"]
Point = tuple[float, float]

_POINTS: Final = {"distance": 2, "ellipse": 3}
_AXES: Final = {"distance": 0, "ellipse": 2}
#: Shortest line that can be measured, in pixels.
_LEAST: Final = 1.0
#: How far off its line the end of an axis may lie, in pixels: points are kept to hundredths.
_ROUNDED: Final = 0.05


@dataclass(frozen=True, slots=True)
class HandMeasure:
    """One measurement by hand, made with :func:`measure_by_hand`.

    Attributes
    ----------
    kind
        ``"distance"`` or ``"ellipse"``.
    points
        x, y in pixels, whole numbers at pixel centres. A distance: its two ends. An ellipse: the
        two ends of one axis, and an end of the other, which is at a right angle in the picture
        and may lie beyond its edge.
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

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> HandMeasure:
        """Make it again from what :meth:`to_dict` gave; nothing is measured.

        Raises
        ------
        ValueError
            It is not what :meth:`to_dict` gives.
        """
        try:
            made = cls(
                kind=stored["kind"],
                points=tuple((float(x), float(y)) for x, y in stored["points"]),
                value=float(stored["value"]),
                unit=stored["unit"],
                axes=tuple(float(axis) for axis in stored["axes"]),
                no_mm=stored["no_mm"],
            )
            whole = (len(made.points), len(made.axes)) == (_POINTS[made.kind], _AXES[made.kind])
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError("This is no stored measurement.") from error
        if not whole:
            raise ValueError("This is no stored measurement.")
        return made

    @property
    def box(self) -> Box:
        """The pixels it lies on, as (left, top, width, height); an ellipse may leave the image."""
        return _pixels(*_reach(self.points))


def measure_by_hand(kind: str, points: Sequence[Sequence[float]], scan: Scan) -> HandMeasure:
    """Measure what was drawn, in millimetres where one scale holds all over it.

    Parameters
    ----------
    kind
        ``"distance"`` or ``"ellipse"``.
    points
        As :attr:`HandMeasure.points`; a point outside the image is moved to its edge, and the end
        of the second axis to the line through the middle of the first. An end that lies on that
        line stays there, beyond the edge too, so that what was measured once measures the same.
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
    a, b = (_inside(point, width, height) for point in points[:2])
    if math.dist(a, b) < _LEAST:
        raise LesionError(_("This line is shorter than a pixel: draw it again."))
    scale = _scale_for(regions, spacing)
    if kind == "distance":
        return _distance(a, b, scale)
    return _ellipse(a, b, _second_end(a, b, points[2], width, height), scale)


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
    found, why = scale(*_reach((a, b)))
    row, column = found or (1.0, 1.0)
    value = math.hypot((b[0] - a[0]) * column, (b[1] - a[1]) * row)
    return HandMeasure("distance", (a, b), value, "px" if found is None else "mm", no_mm=why)


def _ellipse(a: Point, b: Point, c: Point, scale: Scale) -> HandMeasure:
    halves = _halves((a, b, c))
    if float(np.hypot(*halves[:, 1])) < _LEAST / 2:
        raise LesionError(_("This line is shorter than a pixel: draw it again."))
    found, why = scale(*_reach((a, b, c)))
    if found is not None:
        # A spacing that differs by direction turns the axes: the singular values are the new ones.
        halves = np.diag([found[1], found[0]]) @ halves
    semi = np.linalg.svd(halves, compute_uv=False)
    return HandMeasure(
        "ellipse",
        (a, b, c),
        math.pi * float(semi[0] * semi[1]),
        "px2" if found is None else "mm2",
        (2 * float(semi[0]), 2 * float(semi[1])),
        why,
    )


def _second_end(a: Point, b: Point, c: Sequence[float], width: int, height: int) -> Point:
    """Return the end of the second axis, at a right angle to the first through its middle."""
    middle, kept = _middle(a, b), _rounded(c)
    if math.dist(middle, kept) <= math.hypot(width, height):
        on_line = middle + _halves((a, b, kept))[:, 1]
        if math.dist(on_line, kept) <= _ROUNDED:
            return kept
    return _rounded(middle + _halves((a, b, _inside(c, width, height)))[:, 1])


def _middle(a: Point, b: Point) -> NDArray[np.float64]:
    return np.array([(a[0] + b[0]) / 2, (a[1] + b[1]) / 2])


def _halves(points: Sequence[Point]) -> NDArray[np.float64]:
    """Return the half axes of an ellipse as columns, at a right angle to each other."""
    a, b, c = points
    first = (np.array(b) - np.array(a)) / 2
    across = np.array([-first[1], first[0]]) / np.hypot(*first)
    reach = float((np.array(c) - _middle(a, b)) @ across)
    return np.column_stack([first, reach * across])


def _reach(points: Sequence[Point]) -> tuple[float, float, float, float]:
    """Return left, top, right and bottom: the farthest points of an ellipse along x and y."""
    if len(points) == 2:
        (x0, y0), (x1, y1) = points
        return min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)
    centre, reach = _middle(*points[:2]), np.sqrt((_halves(points) ** 2).sum(axis=1))
    (left, top), (right, bottom) = (centre - reach).tolist(), (centre + reach).tolist()
    return left, top, right, bottom


def _inside(point: Sequence[float], width: int, height: int) -> Point:
    x, y = point
    return _rounded((min(max(x, 0.0), width - 1.0), min(max(y, 0.0), height - 1.0)))


def _rounded(point: Sequence[float] | NDArray[np.float64]) -> Point:
    # Adding 0.0 turns -0.0 into 0.0.
    return round(float(point[0]), 2) + 0.0, round(float(point[1]), 2) + 0.0
