"""Orientation: the one thing of the EXIF block that is used before the block is dropped.

Only tag 0x0112 is looked up, by hand: a full EXIF parser warns, guesses and reads far more of a
patient's phone than is any of our business.
"""

from __future__ import annotations

import struct
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

_ORIENTATION = 0x0112
_SHORT = 3
_Sample = TypeVar("_Sample", np.uint8, np.uint16)


def orientation(tiff: bytes) -> int:
    """Return the orientation an EXIF block asks for.

    Parameters
    ----------
    tiff
        The block from its TIFF header on (in a JPEG: behind the word Exif and two zeros).

    Returns
    -------
    int
        1 to 8 as in EXIF 2.3, section 4.6.4; 1 (upright) where it says nothing usable.
    """
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(tiff[:4])
    if order is None:
        return 1
    try:
        (start,) = struct.unpack_from(f"{order}I", tiff, 4)
        (entries,) = struct.unpack_from(f"{order}H", tiff, start)
        for entry in range(entries):
            tag, kind, count, value = struct.unpack_from(
                f"{order}HHIH", tiff, start + 2 + 12 * entry
            )
            if tag == _ORIENTATION:
                return value if kind == _SHORT and count == 1 and 1 <= value <= 8 else 1
    except struct.error:
        return 1
    return 1


def upright(pixels: NDArray[_Sample], orientation: int) -> NDArray[_Sample]:
    """Turn stored pixels the way they are to be looked at.

    Parameters
    ----------
    pixels
        ``(H, W)`` or ``(H, W, 3)`` as stored.
    orientation
        1 to 8: where row 0 and column 0 of the stored image lie in the visual one.

    Returns
    -------
    numpy.ndarray
        The same values; ``(W, H)`` or ``(W, H, 3)`` for 5 to 8.
    """
    if orientation >= 5:
        pixels = pixels.swapaxes(0, 1)
    # After the transpose 5 is upright, 6 mirrored, 7 turned half round and 8 upside down.
    flip_rows = orientation in (3, 4, 7, 8)
    flip_columns = orientation in (2, 3, 6, 7)
    if flip_rows:
        pixels = pixels[::-1]
    if flip_columns:
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)
