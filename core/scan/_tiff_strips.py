"""Strips and tiles of a TIFF, from compressed bytes to bytes.

What compresses bytes (Deflate, LZW, PackBits, Zstandard, LZMA) is undone as bytes, whatever the
samples are, so that every depth and layout takes one way. Deflate is undone here, the others by
libtiff, which is told that the bytes of a row are the pixels of a grey image.
"""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
from numpy.typing import NDArray
from PIL import TiffImagePlugin

from core.scan._formats import corrupt

NONE, LZW, JPEG, DEFLATE, OLD_DEFLATE, PACKBITS, LZMA, ZSTD = (
    1,
    5,
    7,
    8,
    32946,
    32773,
    34925,
    50000,
)
#: What :func:`unpack` undoes.
BYTEWISE = frozenset({NONE, LZW, DEFLATE, OLD_DEFLATE, PACKBITS, LZMA, ZSTD})


def unpack(
    compression: int, parts: tuple[bytes, ...], rows: tuple[int, ...], row_bytes: int
) -> NDArray[np.uint8]:
    """Undo the compression of strips that lie below each other.

    Parameters
    ----------
    compression
        One of :data:`BYTEWISE`.
    parts
        Each strip as it lies in the file.
    rows
        Rows of each; the same for all but the last, which may have fewer.
    row_bytes
        Bytes of a row.

    Returns
    -------
    numpy.ndarray
        uint8 ``(sum(rows), row_bytes)``, read-only.

    Raises
    ------
    CorruptFile
        A strip holds too little, or cannot be undone.
    """
    if compression in (DEFLATE, OLD_DEFLATE):
        parts = tuple(_inflated(part, rows[0] * row_bytes) for part in parts)
    elif compression != NONE:
        return _by_libtiff(compression, parts, rows, row_bytes)
    needed = [count * row_bytes for count in rows]
    if any(len(part) < need for part, need in zip(parts, needed, strict=True)):
        raise corrupt()
    whole = parts[0]
    if len(parts) > 1 or len(whole) > needed[0]:
        pieces = (memoryview(part)[:need] for part, need in zip(parts, needed, strict=True))
        whole = b"".join(pieces)
    return np.frombuffer(whole, np.uint8).reshape(sum(rows), row_bytes)


def _inflated(part: bytes, most: int) -> bytes:
    """Inflate a strip, its checksum included; more than ``most`` bytes are damage."""
    inflater = zlib.decompressobj()
    try:
        out = inflater.decompress(part, most + 1)
    except zlib.error as error:
        raise corrupt() from error
    if not inflater.eof or len(out) > most:
        raise corrupt()
    return out


def _by_libtiff(
    compression: int, parts: tuple[bytes, ...], rows: tuple[int, ...], row_bytes: int
) -> NDArray[np.uint8]:
    height = sum(rows)
    count = len(parts)
    header, entries, arrays = 8, 9, 8 * count
    first = header + 2 + 12 * entries + 4 + arrays
    sizes = np.array([len(part) for part in parts], "<u4")
    places = (first + np.concatenate(([0], np.cumsum(sizes[:-1], dtype=np.int64)))).astype("<u4")
    table = header + 2 + 12 * entries + 4
    # One value lies in the entry itself, several where it points.
    place, size = (int(places[0]), int(sizes[0])) if count == 1 else (table, table + 4 * count)
    long = 4
    tags = (
        (256, row_bytes, 1),
        (257, height, 1),
        (258, 8, 1),
        (259, compression, 1),
        (262, 1, 1),
        (273, place, count),
        (277, 1, 1),
        (278, rows[0], 1),
        (279, size, count),
    )
    directory = b"".join(struct.pack("<HHII", tag, long, n, value) for tag, value, n in tags)
    head = struct.pack("<4sIH", b"II*\0", header, entries) + directory + struct.pack("<I", 0)
    file = b"".join((head, places.tobytes(), sizes.tobytes(), *parts))
    try:
        # Not Image.open: it warns about sizes that a site may have allowed. The limits were held.
        with TiffImagePlugin.TiffImageFile(io.BytesIO(file)) as image:
            image.load()
            mode, pixels = image.mode, np.asarray(image, np.uint8)
    except (OSError, SyntaxError, ValueError, EOFError, RuntimeError) as error:
        raise corrupt() from error
    if mode != "L" or pixels.shape != (height, row_bytes):
        raise corrupt()
    return pixels
