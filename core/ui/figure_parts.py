"""What a figure may hold beside image and outlines: depth, frames, a second image, measurements."""

from __future__ import annotations

import base64
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from core.lesion import HandMeasure
from core.scan import Region as Area
from core.scan import Spacing, Window

#: Most measurements by hand on one image.
MAX_MEASURES = 20


@dataclass(frozen=True, slots=True)
class Preset:
    """A window under a name.

    Attributes
    ----------
    name
        In the language of the session, as plain text.
    window
        The window it stands for.
    """

    name: str
    window: Window


@dataclass(frozen=True, slots=True)
class Deep:
    """The values behind a grey image of more than 8 bits, for the browser to window.

    Attributes
    ----------
    url
        Address of the values: little-endian uint16, row by row; it stands for the image.
    read
        The window the model reads with; None where the file's own table made the pixels.
    presets
        Windows to choose from, at least one.
    table_url
        Address of that table, 65,536 bytes; needed where ``read`` is None.
    slope, intercept, inverted, unit
        As :class:`core.scan.Depth`.
    shown
        The window on screen first; the one the model reads with if left out.
    preview_url
        Address of a small picture that stands in until the values are there.
    """

    url: str
    read: Window | None
    presets: tuple[Preset, ...]
    table_url: str | None = None
    slope: float = 1.0
    intercept: float = 0.0
    inverted: bool = False
    unit: str = ""
    shown: Window | None = None
    preview_url: str | None = None

    def __post_init__(self) -> None:
        if not self.presets or (self.read is None and self.table_url is None):
            raise ValueError("a deep image has a preset, and a table where it has no window")


@dataclass(frozen=True, slots=True)
class LoopView:
    """A loop, and which of its frames the figure's outlines belong to.

    Attributes
    ----------
    url
        Address of a frame as PNG, with ``{frame}`` for its number from 0.
    count
        Frames there are, at least 2.
    frame
        The frame that was read, from 0.
    starts
        Seconds at which each frame begins, rising from 0; None where the file does not say.
    frames_per_second
        The recorded rate; None where it is not known.
    """

    url: str
    count: int
    frame: int
    starts: tuple[float, ...] | None = None
    frames_per_second: float | None = None

    def __post_init__(self) -> None:
        if self.count < 2 or not 0 <= self.frame < self.count or "{frame}" not in self.url:
            raise ValueError("a loop has two frames or more, and shows one of them")
        if self.starts is not None and len(self.starts) != self.count:
            raise ValueError("a loop has as many starts as frames")


@dataclass(frozen=True, slots=True)
class Beside:
    """Another image that stands beside the one that was read, with one zoom for both.

    Attributes
    ----------
    url
        Address of the picture.
    width, height
        In its own pixels; the picture may be smaller and is stretched.
    caption
        What it is, as plain text: another frame, an earlier scan and its day.
    spacing
        Millimetres per pixel (row, column), or None. Where both images have one, the same in both
        directions, zoom and pan are linked by millimetres, else by the share of the image.
    """

    url: str
    width: int
    height: int
    caption: str
    spacing: Spacing | None = None


@dataclass(frozen=True, slots=True)
class Second:
    """Other heat over the same image, beside the first.

    Attributes
    ----------
    url
        Address of the heat, which is stretched over the image.
    caption
        What it is, as plain text.
    """

    url: str
    caption: str


def second_data(second: Second | None) -> dict[str, Any] | None:
    """Return the second heat ready for JSON."""
    return None if second is None else {"heat": second.url, "caption": second.caption}


def window_data(window: Window | None) -> dict[str, Any] | None:
    """Return a window ready for JSON."""
    if window is None:
        return None
    return {"centre": window.centre, "width": window.width, "function": window.function}


def deep_data(deep: Deep | None) -> dict[str, Any] | None:
    """Return a deep image ready for JSON; its values stay at their address."""
    if deep is None:
        return None
    return {
        "slope": deep.slope,
        "intercept": deep.intercept,
        "inverted": deep.inverted,
        "unit": deep.unit,
        "read": window_data(deep.read),
        "shown": window_data(deep.shown),
        "presets": [
            {"name": preset.name} | (window_data(preset.window) or {}) for preset in deep.presets
        ],
        "table": deep.table_url,
        "preview": deep.preview_url,
    }


def loop_data(loop: LoopView | None) -> dict[str, Any] | None:
    """Return a loop ready for JSON: its starts only where frames do not come evenly."""
    if loop is None:
        return None
    rate, starts = loop.frames_per_second, None
    if loop.starts is not None and loop.starts[-1] > 0:
        rate = (loop.count - 1) / loop.starts[-1]
        if not _even(loop.starts):
            raw = np.asarray(loop.starts, "<f4").tobytes()
            starts = {"dtype": "f4", "bdata": base64.b64encode(raw).decode("ascii")}
    if rate is not None and not (math.isfinite(rate) and rate > 0):
        rate = None
    return {
        "url": loop.url,
        "count": loop.count,
        "frame": loop.frame,
        "rate": rate,
        "starts": starts,
    }


def beside_data(beside: Beside | None) -> dict[str, Any] | None:
    """Return the image beside ready for JSON."""
    if beside is None:
        return None
    return {
        "image": beside.url,
        "width": beside.width,
        "height": beside.height,
        "caption": beside.caption,
        "spacing": None if beside.spacing is None else list(beside.spacing),
    }


def areas_data(areas: Sequence[Area]) -> list[dict[str, Any]]:
    """Return areas with a scale of their own ready for JSON."""
    return [
        {
            "left": area.left,
            "top": area.top,
            "right": area.right,
            "bottom": area.bottom,
            "spacing": None if area.spacing is None else list(area.spacing),
        }
        for area in areas
    ]


def measures_data(measures: Sequence[HandMeasure], words: Sequence[str]) -> list[dict[str, Any]]:
    """Return measurements ready for JSON, each with its value in words."""
    return [
        {"kind": measure.kind, "points": [list(p) for p in measure.points], "text": text}
        for measure, text in zip(measures, words, strict=True)
    ]


def _even(starts: Sequence[float]) -> bool:
    """Tell whether all frames are as long, to half a millisecond."""
    steps = np.linspace(starts[0], starts[-1], len(starts))
    return bool(np.abs(np.asarray(starts) - steps).max() <= 0.0005)
