"""What the viewer shows, as plain data: built here, drawn by ``viewer.js``.

Coordinates are image pixels with y downwards, and whole numbers are the centres of pixels, as
OpenCV counts them. The picture itself is named by address and never part of the figure, so a
slider move costs a few kilobytes: contours travel as base64 of 16-bit integers.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from core.scan import Region as Area
from core.scan import Spacing, one_spacing
from core.text import _, ngettext
from core.ui.figure_parts import (
    Beside,
    Deep,
    LoopView,
    Second,
    areas_data,
    beside_data,
    deep_data,
    loop_data,
    second_data,
)

#: Most outlines drawn at once; the others are counted in :attr:`Figure.hidden`.
MAX_OUTLINES = 50
#: Most contour points in one figure: 4 bytes each, 27 KB as base64.
MAX_POINTS = 5_000
#: Most regions drawn by hand on one image.
MAX_REGIONS = 10
#: Most corners kept of a region drawn by hand.
MAX_REGION_POINTS = 500

Kind = Literal["lesion", "heat region"]
Compare = Literal["overlay", "both", "original"]
Points = NDArray[np.int16]


@dataclass(frozen=True, slots=True)
class Layers:
    """What lies over the image.

    Attributes
    ----------
    heat, mask, contour, chords
        Whether the heatmap, the filled mask, the outline and the two measured chords are shown.
    heat_opacity, mask_opacity
        0 (invisible) to 1.
    heat_cut
        Heat below this share of the strongest, 0..1, is not drawn.
    compare
        ``"overlay"``, ``"original"`` (nothing over the image), or ``"both"``: the untouched image
        beside the overlay with one zoom for both (below each other where the screen is narrow).
        Where the figure has another image to stand beside, that stands in the untouched one's
        place.
    """

    heat: bool = False
    heat_opacity: float = 0.4
    heat_cut: float = 0.0
    mask: bool = True
    mask_opacity: float = 0.25
    contour: bool = True
    chords: bool = False
    compare: Compare = "overlay"


@dataclass(frozen=True, slots=True, eq=False)
class Outline:
    """One region as the viewer draws it.

    Attributes
    ----------
    number
        The number it has in the lesion table, from 1.
    rings
        ``(N, 2)`` arrays of x, y in pixels, at most half a pixel from the true contour: the outer
        contour, then its holes.
    chords
        Measured lines as ``(x1, y1, x2, y2)`` in pixels: longest chord, longest perpendicular.
    """

    number: int
    rings: tuple[NDArray[np.integer[Any]], ...]
    chords: tuple[tuple[int, int, int, int], ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Region:
    """A closed polygon a person drew on the image.

    Attributes
    ----------
    points
        ``(N, 2)`` int16 of x, y in pixels, inside the image, read-only, at least three.
    """

    points: Points

    def mask(self, width: int, height: int) -> NDArray[np.uint8]:
        """Return the filled polygon as ``(height, width)`` uint8, 255 inside."""
        mask = np.zeros((height, width), np.uint8)
        cv2.fillPoly(mask, [self.points.astype(np.int32)], 255)
        return mask

    def to_list(self) -> list[list[int]]:
        """Return ``[[x, y], …]``, for JSON and for the store."""
        return [[int(x), int(y)] for x, y in self.points]


@dataclass(frozen=True, slots=True, eq=False)
class Figure:
    """What goes to the browser.

    Attributes
    ----------
    data
        JSON-ready; see ``viewer.js``. Made anew by each call, so it may be extended by a copy.
    alt
        One sentence that says what is to be seen, for screen readers.
    drawn, hidden
        Outlines that are drawn, and those that were left out for being too many.
    width, height
        Of the image, in pixels.
    spacing, areas
        The calibration it was built with.
    """

    data: dict[str, Any]
    alt: str
    drawn: int
    hidden: int
    width: int
    height: int
    spacing: Spacing | None = None
    areas: tuple[Area, ...] = ()

    @property
    def note(self) -> str | None:
        """Say how many outlines are not drawn, or nothing."""
        if not self.hidden:
            return None
        return ngettext(
            "{hidden} smaller outline is not drawn.",
            "{hidden} smaller outlines are not drawn.",
            self.hidden,
        ).format(hidden=self.hidden)


def build_figure(
    image_url: str,
    width: int,
    height: int,
    *,
    outlines: Sequence[Outline] = (),
    hidden: int = 0,
    layers: Layers | None = None,
    kind: Kind = "lesion",
    heat_url: str | None = None,
    case_number: str = "",
    deep: Deep | None = None,
    loop: LoopView | None = None,
    beside: Beside | None = None,
    heat_caption: str = "",
    second: Second | None = None,
    spacing: Spacing | None = None,
    areas: Sequence[Area] = (),
) -> Figure:
    """Describe an image with its overlays for the viewer.

    Parameters
    ----------
    image_url, heat_url
        Addresses of the image and of its heatmap, which is stretched over it; see
        ``core.ui.media``. A deep image has its own address, and ``image_url`` does not count.
    width, height
        Of the image, in pixels, at most 32767 each.
    outlines
        Largest first. At most :data:`MAX_OUTLINES` and :data:`MAX_POINTS` are drawn, the first
        always.
    hidden
        Outlines the caller has already left out; they are counted with those left out here.
    kind
        ``"heat region"`` where the outlines come from a heatmap: dashed, in another colour, named
        as heat, and never with chords.
    case_number
        Goes into the text for screen readers.
    deep
        The values behind the image where there are more than 8 bits.
    loop
        The loop that the image is a frame of.
    beside
        What stands beside the overlay instead of the untouched image.
    heat_caption, second
        What the heat is, and other heat over the same image beside it, instead of the untouched
        one, to compare the two.
    spacing, areas
        The calibration of the scan: millimetres per pixel (row, column) all over the image, or
        areas with a scale of their own. A scale bar is drawn where there is one spacing, or where
        the areas share one.

    Raises
    ------
    ValueError
        A size that does not fit, or a ring that is not ``(N, 2)``.
    """
    if not (0 < width <= 32767 and 0 < height <= 32767):
        raise ValueError("an image in the viewer is 1 to 32767 pixels wide and high")
    layers = layers or Layers()
    shown = _within_budget(outlines)
    rings = [_as_points(ring) for outline in shown for ring in outline.rings]
    heat_region = kind == "heat region"
    seen_by = one_spacing(tuple(areas), spacing)
    data: dict[str, Any] = {
        "image": image_url if deep is None else deep.url,
        "width": width,
        "height": height,
        "compare": layers.compare,
        "kind": "heat" if heat_region else "lesion",
        "heat": heat_url if layers.heat else None,
        "heatOpacity": _share(layers.heat_opacity),
        "heatCut": _share(layers.heat_cut),
        "heatCaption": heat_caption,
        "second": second_data(second if layers.heat else None),
        "maskOpacity": _share(layers.mask_opacity) if layers.mask else 0,
        "contour": layers.contour,
        "points": encode(np.concatenate(rings) if rings else np.zeros((0, 2), np.int16)),
        "rings": [len(ring) for ring in rings],
        # A hole has no label of its own.
        "labels": [
            _label(outline.number, kind) if place == 0 else ""
            for outline in shown
            for place in range(len(outline.rings))
        ],
        "chords": [
            list(map(int, chord))
            for outline in shown
            for chord in outline.chords
            if layers.chords and not heat_region
        ],
        "deep": deep_data(deep),
        "loop": loop_data(loop),
        "beside": beside_data(beside),
        "spacing": None if seen_by is None else list(seen_by),
        "scaleNote": _("in the calibrated area") if areas else "",
        "areas": areas_data(areas),
    }
    left_out = hidden + len(outlines) - len(shown)
    drawn = len(shown)
    if layers.compare == "original" or not (
        layers.contour or data["maskOpacity"] or data["chords"]
    ):
        # Nothing of them is to be seen, so nothing may be said of them either.
        drawn = left_out = 0
    alt = _alternative(case_number, width, height, drawn, kind)
    return Figure(data, alt, drawn, left_out, width, height, spacing, tuple(areas))


def encode(points: NDArray[np.integer[Any]]) -> dict[str, str]:
    """Return points as a typed array that JSON can carry: little-endian int16 in base64."""
    raw = np.ascontiguousarray(points, dtype="<i2").tobytes()
    return {"dtype": "i2", "bdata": base64.b64encode(raw).decode("ascii")}


def read_region(value: object, width: int, height: int) -> Region | None:
    """Read ``[[x, y], …]`` that came from a browser, and believe none of it.

    Parameters
    ----------
    value
        Anything. Corners outside the image are moved to its edge; a corner less than half a pixel
        off the line between its neighbours is dropped.
    width, height
        Of the image, in pixels.

    Returns
    -------
    Region or None
        None where there is no polygon in it: not numbers, too many, or no area.
    """
    if not isinstance(value, list) or not 3 <= len(value) <= 20_000:
        return None
    for pair in value:
        if not isinstance(pair, (list, tuple)) or len(pair) != 2:
            return None
        if not all(
            not isinstance(n, bool) and isinstance(n, (int, float)) and -1e6 < n < 1e6 for n in pair
        ):
            return None
    points = np.rint(np.asarray(value, np.float64))
    limits = np.array([width - 1, height - 1], np.float64)
    line = np.clip(points, 0, limits).astype(np.int32).reshape(-1, 1, 2)
    tolerance = 0.5
    simple = cv2.approxPolyDP(line, tolerance, closed=True)
    while len(simple) > MAX_REGION_POINTS:
        tolerance *= 2
        simple = cv2.approxPolyDP(line, tolerance, closed=True)
    if len(simple) < 3:
        return None
    region = Region(np.ascontiguousarray(simple.reshape(-1, 2), dtype=np.int16))
    region.points.flags.writeable = False
    # A figure of eight has no signed area but covers pixels: count pixels, not the formula.
    return region if int(np.count_nonzero(region.mask(width, height))) >= 9 else None


def _within_budget(outlines: Sequence[Outline]) -> list[Outline]:
    shown: list[Outline] = []
    points = 0
    for outline in outlines[:MAX_OUTLINES]:
        points += sum(len(ring) for ring in outline.rings)
        if shown and points > MAX_POINTS:
            break
        shown.append(outline)
    return shown


def _as_points(ring: NDArray[np.integer[Any]]) -> Points:
    if ring.ndim != 2 or ring.shape[1] != 2:
        raise ValueError("a ring is an (N, 2) array of x, y")
    return ring.astype(np.int16)


def _share(value: float) -> float:
    return round(min(1.0, max(0.0, value)), 3)


def _label(number: int, kind: Kind) -> str:
    if kind == "heat region":
        return _("Heat {number}").format(number=number)
    return str(number)


def _alternative(case_number: str, width: int, height: int, drawn: int, kind: Kind) -> str:
    if case_number:
        text = _("Scan {case}, {width} × {height} pixels.")
        text = text.format(case=case_number, width=width, height=height)
    else:
        text = _("Scan, {width} × {height} pixels.").format(width=width, height=height)
    if drawn and kind == "heat region":
        outlines = ngettext("{n} heat region is outlined.", "{n} heat regions are outlined.", drawn)
    elif drawn:
        outlines = ngettext("{n} AI outline, unconfirmed.", "{n} AI outlines, unconfirmed.", drawn)
    else:
        return text
    return f"{text} {outlines.format(n=drawn)}"
