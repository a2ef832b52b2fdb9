"""What a person did in the viewer: read from what the browser sent, and none of it believed."""

from __future__ import annotations

import math
from dataclasses import dataclass

from core.errors import LesionError
from core.lesion import HandMeasure, measure_within
from core.scan import Window
from core.ui.figure import MAX_REGIONS, Figure, Region, read_region
from core.ui.figure_parts import MAX_MEASURES


@dataclass(frozen=True, slots=True)
class ViewerEvents:
    """What happened in this run; each is None (or False) in every other run.

    Attributes
    ----------
    regions
        All regions, after one was drawn or removed.
    frame
        The frame a person stopped at, from 0: it is to be read.
    window
        The window a person chose to look through; it is not the one the model read with.
    measures
        All measurements by hand, after one was drawn, moved or removed; measured anew here.
    window_as_read
        Whether the person went back to the window the model read with.
    """

    regions: tuple[Region, ...] | None = None
    frame: int | None = None
    window: Window | None = None
    measures: tuple[HandMeasure, ...] | None = None
    window_as_read: bool = False


def regions_from(value: object, figure: Figure) -> tuple[Region, ...] | None:
    """Read regions that were drawn.

    Parameters
    ----------
    value
        ``{"image": address, "regions": [[[x, y], …], …]}`` in image pixels, or anything.
    figure
        What is on screen now. Regions drawn on another image are discarded.

    Returns
    -------
    tuple of Region, or None
        None where there is nothing to take over. A polygon without an area is left out.
    """
    if not isinstance(value, dict) or value.get("image") != figure.data["image"]:
        return None
    drawn = value.get("regions")
    if not isinstance(drawn, list) or len(drawn) > MAX_REGIONS:
        return None
    read = (read_region(each, figure.width, figure.height) for each in drawn)
    return tuple(region for region in read if region is not None)


def measures_from(value: object, figure: Figure) -> tuple[HandMeasure, ...] | None:
    """Read measurements that were drawn, and measure them anew from their points.

    Parameters
    ----------
    value
        ``{"image": address, "measures": [{"kind": …, "points": [[x, y], …]}, …]}``, or anything.
    figure
        What is on screen now, with its calibration. Measurements on another image are discarded.

    Returns
    -------
    tuple of HandMeasure, or None
        None where there is nothing to take over. What cannot be measured is left out.
    """
    if not isinstance(value, dict) or value.get("image") != figure.data["image"]:
        return None
    drawn = value.get("measures")
    if not isinstance(drawn, list) or len(drawn) > MAX_MEASURES:
        return None
    read = (_measure(each, figure) for each in drawn)
    return tuple(measure for measure in read if measure is not None)


def frame_from(value: object, figure: Figure) -> int | None:
    """Read the frame a person stopped at; a frame of another loop is discarded."""
    loop = figure.data["loop"]
    if not isinstance(value, dict) or loop is None or value.get("loop") != loop["url"]:
        return None
    frame = value.get("frame")
    if isinstance(frame, bool) or not isinstance(frame, int) or not 0 <= frame < loop["count"]:
        return None
    return frame


def window_from(value: object, figure: Figure) -> tuple[Window | None, bool]:
    """Read the window a person chose, and whether it is the model's own again."""
    if not isinstance(value, dict) or figure.data["deep"] is None:
        return None, False
    if value.get("image") != figure.data["image"]:
        return None, False
    if value.get("asRead") is True:
        return None, True
    centre, width, function = (value.get(name) for name in ("centre", "width", "function"))
    if not (_number(centre) and _number(width)) or not isinstance(function, str):
        return None, False
    try:
        return Window(float(centre), float(width), function), False  # type: ignore[arg-type]
    except ValueError:
        return None, False


def _measure(value: object, figure: Figure) -> HandMeasure | None:
    if not isinstance(value, dict):
        return None
    kind, points = value.get("kind"), value.get("points")
    if not isinstance(kind, str) or not isinstance(points, list) or len(points) > 3:
        return None
    for pair in points:
        if not isinstance(pair, (list, tuple)) or len(pair) != 2 or not all(map(_number, pair)):
            return None
    size = figure.width, figure.height
    try:
        return measure_within(kind, points, *size, figure.spacing, figure.areas)
    except LesionError:
        return None


def _number(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    return abs(value) < 1e12 and math.isfinite(value)
