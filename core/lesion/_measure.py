"""Measurements of one lesion, each with its definition."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from core.errors import LesionError
from core.lesion._outline import (
    Chord,
    chord_angle,
    closed_length,
    convex_hull,
    half_pixel_hull,
    longest_chord,
    perpendicular_chord,
    pixel_girth,
    polygon_area,
    smoothed_length,
)
from core.text import _


@dataclass(frozen=True, slots=True)
class Measurements:
    """What is measured of one lesion.

    Lengths are in `unit`, areas in its square: pixels where no calibration is known, millimetres
    where a spacing was given. Ends of chords are always (x, y) in pixels, to be drawn.

    Attributes
    ----------
    unit
        ``"px"`` or ``"mm"``.
    area
        Pixels of the lesion, holes left out, times the size of a pixel.
    area_pixels
        The same in pixels.
    longest_chord, longest_chord_ends
        Greatest distance between two points of the outline (maximum Feret diameter).
    perpendicular_chord, perpendicular_chord_ends
        Greatest distance, at a right angle to the longest chord, between the first and the last
        crossing of one line with the outline: calipers set margin to margin. It is a chord of
        the outline, not the width of a box around it, and may pass over a notch. (Of several
        longest chords equally long the one nearest the horizontal is taken.)
    width, depth
        Extent of the lesion along the rows and down the columns.
    depth_to_width
        `depth` / `width`: above 1 the lesion is taller than wide.
    perimeter
        Length of the outer outline: the chain of boundary pixels smoothed (Savitzky-Golay,
        quadratic, 7 points) plus what moving it half a pixel outwards adds. Within 2 % on discs
        of radius 5 or more and on squares of 50 or more, 4 % on squares of 20; sharp corners and
        lesions one pixel thin come out a little short.
    circularity
        4π `area` / `perimeter`²: 1 for a disc, less for anything else; cut off at 1.
    solidity
        `area` / area of the convex hull of the outline; cut off at 1. Holes lower it.
    orientation
        Degrees of the longest chord against the horizontal, which is the skin line in a scan
        taken upright: in (-90, 90], 0 is parallel to the skin, positive means the right end is
        nearer the top. The rounder the lesion, the less it says.
    margin_irregularity
        1 - perimeter of the convex hull / perimeter (1 minus the convexity of Zunic and Rosin,
        IEEE TPAMI 26, 923, 2004): 0 for an outline without a dent, whether round or long,
        growing towards 1 with lobes and spicules; cut off at 0.
    echogenicity
        Mean grey level inside minus mean grey level of the surrounding ring. The ring is the
        background nearer to this lesion than to another and closer than the width that would
        give a disc of this area a ring of equal area. In grey levels of the display (0 to 255),
        which is log-compressed: a difference compares within one picture only. None without a
        ring. Negative is darker than the surroundings.
    touches_border
        The lesion reaches the edge of the picture: what lies beyond is not measured, so area
        and lengths are lower bounds.
    """

    unit: Literal["px", "mm"]
    area: float
    area_pixels: int
    longest_chord: float
    longest_chord_ends: Chord
    perpendicular_chord: float
    perpendicular_chord_ends: Chord
    width: float
    depth: float
    depth_to_width: float
    perimeter: float
    circularity: float
    solidity: float
    orientation: float
    margin_irregularity: float
    echogenicity: float | None
    touches_border: bool

    def to_dict(self) -> dict[str, str | float | int | bool | list[list[float]] | None]:
        """Return the measurements for JSON, with the unit in the name of what has one."""
        length, square = self.unit, f"{self.unit}2"
        return {
            "unit": self.unit,
            f"area_{square}": self.area,
            "area_pixels": self.area_pixels,
            f"longest_chord_{length}": self.longest_chord,
            "longest_chord_ends_px": [list(end) for end in self.longest_chord_ends],
            f"perpendicular_chord_{length}": self.perpendicular_chord,
            "perpendicular_chord_ends_px": [list(end) for end in self.perpendicular_chord_ends],
            f"width_{length}": self.width,
            f"depth_{length}": self.depth,
            "depth_to_width": self.depth_to_width,
            f"perimeter_{length}": self.perimeter,
            "circularity": self.circularity,
            "solidity": self.solidity,
            "orientation_degrees": self.orientation,
            "margin_irregularity": self.margin_irregularity,
            "echogenicity_grey_levels": self.echogenicity,
            "touches_border": self.touches_border,
        }


def check_spacing(spacing: tuple[float, float] | None) -> None:
    """Refuse a spacing that is not two positive lengths in mm, (row, column).

    Raises
    ------
    LesionError
        With one line that says what is wrong.
    """
    if spacing is None:
        return
    if len(spacing) != 2 or not all(math.isfinite(s) and 0 < s < 1000 for s in spacing):
        raise LesionError(_("Pixel spacing must be two positive lengths in millimetres."))


def measure(
    chain: NDArray[np.int32],
    area_pixels: int,
    box: tuple[int, int, int, int],
    shape: tuple[int, int],
    *,
    echogenicity: float | None,
    spacing: tuple[float, float] | None,
) -> Measurements:
    """Measure one lesion.

    Parameters
    ----------
    chain
        (N, 2) int32: its outer outline through pixel centres, (x, y), anticlockwise as seen.
    area_pixels
        Its pixels, holes left out.
    box
        Left, top, width, height in pixels.
    shape
        Rows and columns of the picture.
    echogenicity
        See :class:`Measurements`.
    spacing
        mm per pixel (row, column), or None.
    """
    scale = np.array((1.0, 1.0) if spacing is None else (spacing[1], spacing[0]), np.float64)
    pixel = float(scale[0] * scale[1])
    corners = convex_hull(chain)
    hull = half_pixel_hull(corners)
    long_axis = longest_chord(hull, scale)
    short_axis = perpendicular_chord(chain, corners, long_axis, scale)
    around = pixel_girth(scale)
    perimeter = smoothed_length(chain, scale) + around
    convex_perimeter = closed_length(corners * scale) + around
    area = area_pixels * pixel
    left, top, width, height = box
    ends = np.array(long_axis) * scale
    return Measurements(
        unit="px" if spacing is None else "mm",
        area=area,
        area_pixels=area_pixels,
        longest_chord=_length(long_axis, scale),
        longest_chord_ends=long_axis,
        perpendicular_chord=_length(short_axis, scale),
        perpendicular_chord_ends=short_axis,
        width=float(width * scale[0]),
        depth=float(height * scale[1]),
        depth_to_width=float(height * scale[1] / (width * scale[0])),
        perimeter=perimeter,
        circularity=min(1.0, 4 * math.pi * area / perimeter**2),
        solidity=min(1.0, area_pixels / polygon_area(hull)),
        orientation=float(chord_angle(ends[0], ends[1])),
        margin_irregularity=max(0.0, 1 - convex_perimeter / perimeter),
        echogenicity=echogenicity,
        touches_border=left == 0
        or top == 0
        or left + width == shape[1]
        or top + height == shape[0],
    )


def _length(chord: Chord, scale: NDArray[np.float64]) -> float:
    (x0, y0), (x1, y1) = chord
    return math.hypot((x1 - x0) * scale[0], (y1 - y0) * scale[1])
