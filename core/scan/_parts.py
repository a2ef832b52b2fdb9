"""What a scan carries beside its pixels: scale by region, depth, corrections, notes, frames."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from core.scan._scan import Scan

#: Millimetres per pixel as (row, column).
Spacing = tuple[float, float]
#: Left, top, width, height in pixels.
Box = tuple[int, int, int, int]
WindowFunction = Literal["linear", "linear_exact", "sigmoid"]
CorrectionKind = Literal["crop", "rotate", "flip", "panel", "contrast", "window"]


class Note(StrEnum):
    """What reading a file had to decide, or what the file says of itself: shown with the scan."""

    #: Transparent parts were laid on black.
    TRANSPARENCY_ON_BLACK = "transparency_on_black"
    #: Print colours (CMYK) were turned into RGB by the plain formula, without a colour profile.
    PRINT_COLOURS = "print_colours"
    #: More than 8 bits of colour were cut to the upper 8.
    COLOUR_DEPTH_CUT = "colour_depth_cut"
    #: The file says that text is burned into the picture: it may name a patient.
    BURNED_IN = "burned_in"
    #: The file says that it was compressed with loss.
    LOSSY = "lossy"


def check_spacing(spacing: Spacing) -> Spacing:
    """Return a spacing as two plain numbers.

    Raises
    ------
    ValueError
        It is not positive and finite.
    """
    row, column = float(spacing[0]), float(spacing[1])
    if not all(math.isfinite(step) and step > 0 for step in (row, column)):
        raise ValueError("The spacing of a scan is positive and finite.")
    return row, column


@dataclass(frozen=True, slots=True)
class Region:
    """An area with a scale of its own: a measurement lies inside one or has no millimetres.

    Attributes
    ----------
    left, top, right, bottom
        Pixels; right and bottom are the first beyond it.
    spacing
        Millimetres per pixel (row, column); None where the area has no lengths in both
        directions, as an M-mode trace or a spectrum.
    """

    left: int
    top: int
    right: int
    bottom: int
    spacing: Spacing | None

    def __post_init__(self) -> None:
        if not (0 <= self.left < self.right and 0 <= self.top < self.bottom):
            raise ValueError("A region lies inside the image and has an area.")
        if self.spacing is not None:
            object.__setattr__(self, "spacing", check_spacing(self.spacing))

    def holds(self, box: Box) -> bool:
        """Tell whether all of ``box`` lies inside."""
        left, top, width, height = box
        return (
            self.left <= left
            and self.top <= top
            and left + width <= self.right
            and top + height <= self.bottom
        )

    def meets(self, box: Box) -> bool:
        """Tell whether some of ``box`` lies inside."""
        left, top, width, height = box
        return (
            left < self.right
            and top < self.bottom
            and left + width > self.left
            and top + height > self.top
        )


def spacing_within(regions: tuple[Region, ...], whole: Spacing | None, box: Box) -> Spacing | None:
    """Return the one scale that holds all over ``box``, or None where there is none.

    Without regions it is that of the whole image. With regions it is that of the region that
    holds the box, as long as no other region with another scale has a part of it too.
    """
    if not regions:
        return whole
    met = {region.spacing for region in regions if region.meets(box)}
    if len(met) == 1 and any(region.holds(box) for region in regions):
        return met.pop()
    return None


def one_spacing(regions: tuple[Region, ...], whole: Spacing | None) -> Spacing | None:
    """Return the scale a picture can be looked at by: a scale bar, two pictures at one size.

    That of the whole image, or the one that all its calibrated regions share. It is none to
    measure by: :func:`spacing_within` tells whether a place lies in a region at all.
    """
    if not regions:
        return whole
    scales = {region.spacing for region in regions if region.spacing is not None}
    return scales.pop() if len(scales) == 1 else None


@dataclass(frozen=True, slots=True)
class Window:
    """A window over the values of a deep image (PS3.3 C.11.2.1.2).

    Attributes
    ----------
    centre, width
        In the unit of the values; the width is above 0 (at least 1 for ``linear``).
    function
        ``linear`` (C.11.2.1.2.1, with its half steps), ``linear_exact`` (C.11.2.1.3.2) or
        ``sigmoid`` (C.11.2.1.3.1).
    """

    centre: float
    width: float
    function: WindowFunction = "linear"

    def __post_init__(self) -> None:
        least = 1.0 if self.function == "linear" else np.finfo(np.float64).tiny
        finite = math.isfinite(self.centre) and math.isfinite(self.width)
        if not finite or self.width < least or self.function not in get_args(WindowFunction):
            raise ValueError("A window has a finite centre and a positive width.")


@dataclass(frozen=True, slots=True, eq=False)
class Depth:
    """The values behind the pixels of a grey image of more than 8 bits.

    Attributes
    ----------
    values
        uint16 ``(H, W)``, read-only, upright as the pixels are.
    slope, intercept
        ``value * slope + intercept`` is the quantity in ``unit``; the slope is above 0.
    window
        The one that made the scan's pixels; None where a table of the file made them.
    presets
        What the file proposes, the one in force first, then the full range of the values.
    inverted
        Whether low values are bright (MONOCHROME1).
    unit
        ``"HU"`` or another unit the file names by a code; empty where it names none.
    """

    values: NDArray[np.uint16] = field(repr=False)
    slope: float = 1.0
    intercept: float = 0.0
    window: Window | None = None
    presets: tuple[Window, ...] = ()
    inverted: bool = False
    unit: str = ""

    def __post_init__(self) -> None:
        if self.values.dtype != np.uint16 or self.values.ndim != 2 or 0 in self.values.shape:
            raise ValueError("The values of a deep image are uint16, (H, W).")
        if not (math.isfinite(self.slope) and self.slope > 0 and math.isfinite(self.intercept)):
            raise ValueError("The slope is above 0, and the intercept finite.")
        if self.values.flags.writeable:
            raise ValueError("The values of a deep image are read-only.")

    def apply(self, window: Window) -> NDArray[np.uint8]:
        """Return uint8 ``(H, W)`` pixels: the values seen through ``window``."""
        # 65,536 values at the most, so the arithmetic is done once for each and looked up.
        table = window_table(window, self.slope, self.intercept, inverted=self.inverted)
        return np.asarray(table[self.values], np.uint8)


def window_table(
    window: Window, slope: float, intercept: float, *, inverted: bool = False
) -> NDArray[np.uint8]:
    """Return what a window makes of every uint16 value: uint8 ``(65536,)``, rounded to nearest."""
    x = np.arange(65536, dtype=np.float64) * slope + intercept
    if window.function == "sigmoid":
        # Beyond ±700 exp() overflows and the answer has long been 0 or 1.
        share = 1 / (1 + np.exp(np.clip(-4 * (x - window.centre) / window.width, -700, 700)))
    elif window.function == "linear_exact":
        share = (x - window.centre) / window.width + 0.5
    elif window.width == 1:
        # C.11.2.1.2.1: at width 1 there is only black and white.
        share = (x > window.centre - 0.5).astype(np.float64)
    else:
        share = (x - (window.centre - 0.5)) / (window.width - 1) + 0.5
    table = np.rint(np.clip(share, 0, 1) * 255).astype(np.uint8)
    return 255 - table if inverted else table


def full_range(values: NDArray[np.uint16], slope: float, intercept: float) -> Window:
    """Return the window from the smallest to the largest value; a flat image gets the least."""
    low = float(values.min()) * slope + intercept
    high = float(values.max()) * slope + intercept
    return Window((low + high) / 2, max(high - low, slope), "linear_exact")


@dataclass(frozen=True, slots=True)
class Correction:
    """One thing a person did to an image before it was read.

    Attributes
    ----------
    kind
        ``crop`` (left, top, width, height), ``rotate`` (degrees clockwise: 90, 180, 270),
        ``flip`` (axis: ``horizontal``, ``vertical``), ``panel`` (left, top, width, height),
        ``contrast`` (low, high, gamma) or ``window`` (centre, width, function).
    values
        Its numbers by name, sorted; nothing that was typed as text.
    """

    kind: CorrectionKind
    values: tuple[tuple[str, float | int | str], ...]

    @classmethod
    def make(cls, kind: CorrectionKind, **values: float | int | str) -> Correction:
        """Make one from named numbers."""
        return cls(kind, tuple(sorted(values.items())))

    def to_dict(self) -> dict[str, Any]:
        """Return it ready for JSON."""
        return {"kind": self.kind, **dict(self.values)}

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Correction:
        """Make it again from what :meth:`to_dict` gave."""
        values = {name: value for name, value in stored.items() if name != "kind"}
        return cls.make(stored["kind"], **values)


@dataclass(frozen=True, slots=True, eq=False)
class Loop:
    """The frames of one file, decoded when they are asked for. Safe to share between threads.

    Attributes
    ----------
    count
        Frames, at least 2.
    starts
        Seconds from the first frame at which each begins, rising, as recorded; None where the
        file does not say. The rate of :attr:`frames_per_second` is then unknown.
    held_bytes
        What it keeps in memory: compressed or native frames, never the whole file.
    decode
        Gives frame ``i`` (from 0) as a :class:`Scan` whose ``frame`` is ``i``.
    """

    count: int
    starts: tuple[float, ...] | None
    held_bytes: int
    decode: Callable[[int], Scan] = field(repr=False)

    @property
    def frames_per_second(self) -> float | None:
        """The mean recorded rate, or None where it is not known."""
        if self.starts is None or self.starts[-1] <= 0:
            return None
        return (self.count - 1) / self.starts[-1]

    def frame(self, index: int) -> Scan:
        """Decode one frame.

        Raises
        ------
        IndexError
            There is no such frame.
        ScanError
            It cannot be decoded; other frames may well be.
        """
        if not 0 <= index < self.count:
            raise IndexError("There is no such frame.")
        return self.decode(index)
