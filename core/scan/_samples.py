"""From decoded samples to what a decoder hands on: transparency, depth, print colours."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from core.scan._exif import upright
from core.scan._formats import Decoded
from core.scan._parts import Depth, Note, full_range

#: Samples of an image: full scale is the largest value of their type.
Samples = NDArray[np.unsignedinteger[Any]]


def assemble(
    samples: Samples,
    alpha: Samples | None = None,
    *,
    turn: int = 1,
    slope: float = 1.0,
    intercept: float = 0.0,
    inverted: bool = False,
    notes: tuple[Note, ...] = (),
) -> Decoded:
    """Make the pixels people look at, and the values behind them where there are more than 8 bits.

    The resolution tags of picture formats (dots per inch) are the size of a print and say nothing
    about the patient: no spacing comes from them.

    Parameters
    ----------
    samples
        uint8 or uint16, ``(H, W)`` grey or ``(H, W, 3)`` RGB, as stored.
    alpha
        ``(H, W)`` of the same type, where the file has one; 0 is transparent.
    turn
        EXIF orientation, 1 to 8.
    slope, intercept
        What grey uint16 samples mean, as in :class:`~core.scan.Depth`.
    inverted
        Whether low values are bright.
    notes
        What was decided before.
    """
    if alpha is not None:
        if inverted:
            samples, inverted = np.iinfo(samples.dtype).max - samples, False
        if int(alpha.min()) < np.iinfo(alpha.dtype).max:
            samples = _on_black(samples, alpha)
            notes += (Note.TRANSPARENCY_ON_BLACK,)
    if samples.dtype == np.uint8:
        pixels = np.asarray(samples, np.uint8)
        return Decoded(upright(~pixels if inverted else pixels, turn), notes=notes)
    values = np.asarray(samples, np.uint16)
    if values.ndim == 3:
        first = values[..., :1]
        # Grey that was exported as colour is still grey, and keeps its depth.
        if np.any(first[0] != values[0]) or np.any(first != values):
            cut = (values >> 8).astype(np.uint8)
            return Decoded(upright(cut, turn), notes=(*notes, Note.COLOUR_DEPTH_CUT))
        values = values[..., 0]
    return _deep(upright(values, turn), slope, intercept, inverted, notes)


def _deep(
    values: NDArray[np.uint16],
    slope: float,
    intercept: float,
    inverted: bool,
    notes: tuple[Note, ...],
) -> Decoded:
    """Show the full range: a picture format proposes no window, and a cut would hide tissue."""
    # An array over immutable bytes cannot be made writeable again by anyone.
    sealed = (
        values
        if isinstance(_owner(values), bytes)
        else np.frombuffer(values.tobytes(), np.uint16).reshape(values.shape)
    )
    window = full_range(sealed, slope, intercept)
    depth = Depth(sealed, slope, intercept, window, (window,), inverted)
    return Decoded(depth.apply(window), depth=depth, notes=notes)


def _owner(values: NDArray[np.uint16]) -> object:
    """Return what holds the memory of an array."""
    owner: object = values
    while isinstance(owner, np.ndarray):
        owner = owner.base
    return owner


def _on_black(samples: Samples, alpha: Samples) -> Samples:
    """Lay the image on black, rounded to nearest."""
    most = int(np.iinfo(samples.dtype).max)
    share = alpha if samples.ndim == 2 else alpha[..., None]
    laid: NDArray[Any] = samples.astype(np.uint16 if most == 255 else np.uint32)
    laid *= share
    laid += most // 2
    laid //= most
    return np.asarray(laid, samples.dtype)


def spread(levels: NDArray[np.uint8], bits: int) -> NDArray[np.uint8]:
    """Spread levels of 1, 2 or 4 bits exactly over 0 to 255."""
    return np.asarray(levels * np.uint8(255 // (2**bits - 1)), np.uint8)


def look_up(indices: NDArray[np.uint8], colours: NDArray[np.uint8]) -> NDArray[np.uint8] | None:
    """Return the colours of indices, ``(H, W, 3)``; None where an index has no colour."""
    if int(indices.max()) >= len(colours):
        return None
    # One byte per lookup is quicker than a row of three, and grey palettes are common.
    return np.stack([np.ascontiguousarray(colours[:, c])[indices] for c in range(3)], axis=-1)


def rgb_from_print(inks: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Turn print colours into RGB by the plain formula, ``(255 - ink) * (255 - black) / 255``.

    Parameters
    ----------
    inks
        uint8 ``(H, W, 4)``: cyan, magenta, yellow, black; 255 is full ink.
    """
    height, width = inks.shape[:2]
    image = Image.frombuffer("CMYK", (width, height), inks.tobytes(), "raw", "CMYK", 0, 1)
    return np.asarray(image.convert("RGB"), np.uint8)
