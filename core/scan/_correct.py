"""Corrections: a new scan from a scan, exact to the pixel, carrying what was done to it.

Pixels are moved, left out or looked up in a table, never resampled: what is measured in
millimetres on a corrected scan is what would have been measured before. Every function leaves
its argument as it was and raises :class:`~core.errors.InvalidCorrection`, with a remedy, where it
cannot do what it is asked.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any, Literal, cast

import numpy as np
from numpy.typing import NDArray

from core.errors import InvalidCorrection
from core.scan._layout import find_layout
from core.scan._parts import (
    Box,
    Correction,
    CorrectionKind,
    Depth,
    Region,
    Spacing,
    Window,
    WindowFunction,
)
from core.scan._read import SMALLEST_SIDE
from core.scan._scan import Scan
from core.text import _

Axis = Literal["horizontal", "vertical"]
#: Least and largest gamma of a contrast correction.
GAMMA = (0.2, 5.0)


def crop(scan: Scan, box: Box) -> Scan:
    """Keep only what lies inside a box.

    Parameters
    ----------
    scan
        Any scan.
    box
        Left, top, width and height in pixels, inside the image, at least 32 x 32.

    Returns
    -------
    Scan
        Regions are moved and clipped; those that lie outside are gone.

    Raises
    ------
    InvalidCorrection
        The box is too small, leaves the image, or is all of it.
    """
    return _cut(scan, box, "crop")


def trim(scan: Scan) -> Scan:
    """Cut off the empty frame around the picture, and what stands alone in it.

    Raises
    ------
    InvalidCorrection
        There is no frame, or hardly a picture in it.
    """
    content = find_layout(scan.grey).content
    if content == (0, 0, scan.width, scan.height):
        raise InvalidCorrection(_("There is no empty frame to cut off. Crop by numbers instead."))
    return _cut(scan, content, "crop")


def split_panels(scan: Scan) -> tuple[Scan, ...]:
    """Take the pictures of an image that holds several apart, row by row.

    Returns
    -------
    tuple of Scan
        Two or more; the scale of each is that of the regions it holds.

    Raises
    ------
    InvalidCorrection
        No empty band splits the image.
    """
    panels = find_layout(scan.grey).panels
    if not panels:
        raise InvalidCorrection(
            _("No empty band splits this image into pictures. Crop by numbers instead.")
        )
    return tuple(_cut(scan, panel, "panel") for panel in panels)


def rotate(scan: Scan, degrees: int) -> Scan:
    """Turn a scan clockwise by 90, 180 or 270 degrees.

    Row and column spacing change places on a quarter turn.

    Raises
    ------
    InvalidCorrection
        Another angle: it would need resampling.
    """
    if degrees not in (90, 180, 270):
        raise InvalidCorrection(_("A scan is turned by 90, 180 or 270 degrees. Choose one."))
    turns = degrees // 90
    quarter = turns % 2 == 1

    def turned(region: Region) -> Region:
        box = (region.left, region.top, region.right, region.bottom)
        width, height = scan.width, scan.height
        for _turn in range(turns):
            left, top, right, bottom = box
            # Pixel (x, y) goes to (height - 1 - y, x); right and bottom are the first beyond.
            box = (height - bottom, left, height - top, right)
            width, height = height, width
        return Region(*box, spacing=_turned_spacing(region.spacing, quarter))

    return _moved(
        scan,
        # np.rot90 turns the other way.
        lambda plane: np.rot90(plane, -turns),
        Correction.make("rotate", degrees=int(degrees)),
        spacing=_turned_spacing(scan.spacing, quarter),
        regions=tuple(turned(region) for region in scan.regions),
    )


def flip(scan: Scan, axis: Axis) -> Scan:
    """Mirror a scan.

    Parameters
    ----------
    axis
        ``"horizontal"``: left and right change places; ``"vertical"``: top and bottom.

    Raises
    ------
    InvalidCorrection
        Another axis.
    """
    if axis not in ("horizontal", "vertical"):
        raise InvalidCorrection(_("A scan is mirrored left to right or top to bottom. Choose one."))
    sideways = axis == "horizontal"

    def mirrored(region: Region) -> Region:
        if sideways:
            return replace(region, left=scan.width - region.right, right=scan.width - region.left)
        return replace(region, top=scan.height - region.bottom, bottom=scan.height - region.top)

    return _moved(
        scan,
        lambda plane: plane[:, ::-1] if sideways else plane[::-1],
        Correction.make("flip", axis=axis),
        spacing=scan.spacing,
        regions=tuple(mirrored(region) for region in scan.regions),
    )


def contrast(scan: Scan, low: int, high: int, gamma: float = 1.0) -> Scan:
    """Spread the grey levels between two of them, by a look-up table for every channel.

    A level ``x`` becomes ``255 * ((x - low) / (high - low)) ** (1 / gamma)``, clipped to 0..255
    and rounded.

    Parameters
    ----------
    scan
        One of 8 bits.
    low, high
        Levels that become black and white: 0 to 255, low below high.
    gamma
        0.2 to 5; above 1 the middle becomes brighter.

    Raises
    ------
    InvalidCorrection
        A number is out of its range, nothing would change, or there are values behind the pixels
        that a window is for.
    """
    if scan.depth is not None:
        raise InvalidCorrection(
            _("This image has more than 8 bits of grey. Change its window instead.")
        )
    gamma = float(gamma)
    whole = float(low).is_integer() and float(high).is_integer()
    if not (whole and 0 <= low < high <= 255 and GAMMA[0] <= gamma <= GAMMA[1]):
        raise InvalidCorrection(
            _(
                "Contrast needs black below white, both from 0 to 255, and a gamma from {least} to "
                "{most}. Change the numbers."
            ).format(least=f"{GAMMA[0]:g}", most=f"{GAMMA[1]:g}")
        )
    if (low, high, gamma) == (0, 255, 1.0):
        raise InvalidCorrection(_("These numbers change nothing. Move one of them."))
    share = np.clip((np.arange(256) - float(low)) / (high - low), 0, 1)
    table = np.rint(255 * share ** (1 / gamma)).astype(np.uint8)
    return _made(
        scan,
        np.asarray(table[scan.pixels], np.uint8),
        Correction.make("contrast", low=int(low), high=int(high), gamma=gamma),
        spacing=scan.spacing,
        regions=scan.regions,
        depth=None,
    )


def rewindow(scan: Scan, window: Window) -> Scan:
    """Show a deep scan through another window.

    Raises
    ------
    InvalidCorrection
        There are no values behind its pixels.
    """
    if scan.depth is None:
        raise InvalidCorrection(
            _("A window needs more than 8 bits of grey. Change the contrast instead.")
        )
    return _made(
        scan,
        scan.depth.apply(window),
        Correction.make(
            "window",
            centre=float(window.centre),
            width=float(window.width),
            function=window.function,
        ),
        spacing=scan.spacing,
        regions=scan.regions,
        depth=replace(scan.depth, window=window),
    )


def replay(scan: Scan, corrections: Iterable[Correction]) -> Scan:
    """Do stored corrections again, in their order.

    Parameters
    ----------
    scan
        The scan they were done to first.
    corrections
        As :attr:`Scan.corrections <core.scan.Scan.corrections>` of the corrected scan.

    Returns
    -------
    Scan
        With the digest of the corrected scan.

    Raises
    ------
    InvalidCorrection
        One of them does not fit the image.
    """
    for correction in corrections:
        values = dict(correction.values)
        try:
            scan = _REPLAY[correction.kind](scan, values)
        except (KeyError, TypeError, ValueError) as error:
            raise InvalidCorrection(
                _("A stored correction cannot be done again. Correct the untouched image anew.")
            ) from error
    return scan


def _cut(scan: Scan, box: Box, kind: CorrectionKind) -> Scan:
    try:
        left, top, width, height = (_whole(number) for number in box)
    except (TypeError, ValueError, OverflowError) as error:
        raise InvalidCorrection(
            _("A crop needs whole numbers for left, top, width and height.")
        ) from error
    if min(width, height) < SMALLEST_SIDE:
        raise InvalidCorrection(
            _("A crop is at least {side} pixels wide and high. Choose a larger one.").format(
                side=SMALLEST_SIDE
            )
        )
    right, bottom = left + width, top + height
    if left < 0 or top < 0 or right > scan.width or bottom > scan.height:
        raise InvalidCorrection(
            _(
                "A crop lies inside the image of {width} × {height} pixels. Move or shrink it."
            ).format(width=scan.width, height=scan.height)
        )
    if (width, height) == (scan.width, scan.height):
        raise InvalidCorrection(_("This crop is the whole image. Choose a smaller one."))
    regions = tuple(
        Region(
            max(region.left, left) - left,
            max(region.top, top) - top,
            min(region.right, right) - left,
            min(region.bottom, bottom) - top,
            region.spacing,
        )
        for region in scan.regions
        if region.meets((left, top, width, height))
    )
    return _moved(
        scan,
        lambda plane: plane[top:bottom, left:right],
        Correction.make(kind, left=left, top=top, width=width, height=height),
        spacing=scan.spacing,
        regions=regions,
    )


def _whole(number: float) -> int:
    if not math.isfinite(number) or int(number) != number:
        raise ValueError("not a whole number")
    return int(number)


def _turned_spacing(spacing: Spacing | None, quarter: bool) -> Spacing | None:
    return (spacing[1], spacing[0]) if quarter and spacing is not None else spacing


def _moved(
    scan: Scan,
    move: Callable[[NDArray[Any]], NDArray[Any]],
    correction: Correction,
    *,
    spacing: Spacing | None,
    regions: tuple[Region, ...],
) -> Scan:
    """Move the pixels of a scan, and the values behind them alike."""
    depth = scan.depth
    if depth is not None:
        values = np.array(move(depth.values), order="C")
        values.flags.writeable = False
        depth = replace(depth, values=values)
    return _made(scan, move(scan.pixels), correction, spacing=spacing, regions=regions, depth=depth)


def _made(
    scan: Scan,
    pixels: NDArray[np.uint8],
    correction: Correction,
    *,
    spacing: Spacing | None,
    regions: tuple[Region, ...],
    depth: Depth | None,
) -> Scan:
    # The source digest is not carried on: a cache must not take this scan for its source.
    return Scan.from_pixels(
        np.ascontiguousarray(pixels),
        modality=scan.modality,
        spacing=spacing,
        frames=scan.frames,
        synthetic=scan.synthetic,
        frame=scan.frame,
        regions=regions,
        depth=depth,
        corrections=(*scan.corrections, correction),
        origin=scan.origin or scan.digest,
        notes=scan.notes,
        series=scan.series,
    )


def _stored_box(values: _Values) -> Box:
    left, top, width, height = (
        _whole(float(values[name])) for name in ("left", "top", "width", "height")
    )
    return left, top, width, height


_Values = dict[str, float | int | str]
#: How each kind is done again from its stored numbers.
_REPLAY: dict[CorrectionKind, Callable[[Scan, _Values], Scan]] = {
    "crop": lambda scan, stored: _cut(scan, _stored_box(stored), "crop"),
    "panel": lambda scan, stored: _cut(scan, _stored_box(stored), "panel"),
    "rotate": lambda scan, stored: rotate(scan, _whole(float(stored["degrees"]))),
    "flip": lambda scan, stored: flip(scan, cast("Axis", stored["axis"])),
    "contrast": lambda scan, stored: contrast(
        scan,
        _whole(float(stored["low"])),
        _whole(float(stored["high"])),
        float(stored["gamma"]),
    ),
    "window": lambda scan, stored: rewindow(
        scan,
        Window(
            float(stored["centre"]),
            float(stored["width"]),
            cast("WindowFunction", stored["function"]),
        ),
    ),
}
