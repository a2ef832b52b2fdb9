"""A map made small enough to be kept with feedback, and made whole again.

What is kept is rounded: values as half floats relative to the largest of them, at most
:data:`LONGEST` places along the longer side (no network here reads a finer picture). The exact
values leave as a file (:mod:`core.explain._export`); a kept map shows what was on screen.
"""

from __future__ import annotations

import struct
import zlib

import cv2
import numpy as np
from numpy.typing import NDArray

from core.errors import MapDamaged
from core.text import _

#: Places along the longer side that are kept.
LONGEST = 1024
#: Bytes of the largest packed map: nothing of noise can be left out by compression.
MOST_BYTES = 2 * LONGEST * LONGEST + 4096
_HEAD = struct.Struct("<4sHHd")
_MARK = b"OVM1"


def pack(values: NDArray[np.float32]) -> bytes:
    """Return a map in at most :data:`MOST_BYTES`, the same bytes for the same map.

    Parameters
    ----------
    values
        ``(H, W)`` float32, finite, not 0 everywhere.

    Returns
    -------
    bytes
        A mark, rows and columns kept (uint16), the largest magnitude (float64), then zlib over the
        low and then the high bytes of the half floats, which compresses better than in turn.
    """
    rows, columns = _kept_shape((values.shape[0], values.shape[1]))
    small = values
    if small.shape != (rows, columns):
        # Averages, so that the sum of values shared out by area stays what it was.
        small = cv2.resize(values, (columns, rows), interpolation=cv2.INTER_AREA)
    largest = float(np.abs(small).max())
    halves = np.ascontiguousarray(small / (largest or 1.0), "<f2")
    planes = halves.view(np.uint8).reshape(-1, 2).T
    return _HEAD.pack(_MARK, *small.shape, largest) + zlib.compress(planes.tobytes(), 6)


def _kept_shape(shape: tuple[int, int]) -> tuple[int, int]:
    """Return the rows and columns that are kept of a map."""
    longer = max(shape)
    if longer <= LONGEST:
        return shape
    rows, columns = (max(1, round(LONGEST * side / longer)) for side in shape)
    return rows, columns


def unpack(data: bytes, shape: tuple[int, int]) -> NDArray[np.float32]:
    """Return a packed map at the size it had.

    Parameters
    ----------
    data
        What :func:`pack` gave.
    shape
        Rows and columns of the scan.

    Returns
    -------
    ndarray
        ``(H, W)`` float32; of a scan larger than what is kept, interpolated.

    Raises
    ------
    MapDamaged
        These are no packed map, or not one of this scan.
    """
    damaged = MapDamaged(_("This kept map cannot be read. Make the explanation again."))
    try:
        mark, rows, columns, largest = _HEAD.unpack_from(data)
        size = rows * columns * 2
        if mark != _MARK or not 0 < max(rows, columns) <= LONGEST or not np.isfinite(largest):
            raise damaged
        # Never more than the head says, whatever the rest unfolds to.
        opened = zlib.decompressobj()
        raw = opened.decompress(data[_HEAD.size :], size + 1)
    except (struct.error, zlib.error):
        raise damaged from None
    if len(raw) != size or not opened.eof or (rows, columns) != _kept_shape(shape):
        raise damaged
    planes = np.frombuffer(raw, np.uint8).reshape(2, -1)
    halves = np.ascontiguousarray(planes.T).view("<f2").reshape(rows, columns)
    values = halves.astype(np.float32) * np.float32(largest)
    if values.shape != shape:
        values = cv2.resize(values, shape[::-1], interpolation=cv2.INTER_LINEAR)
    if not np.isfinite(values).all():
        raise damaged
    return np.asarray(values, np.float32)
