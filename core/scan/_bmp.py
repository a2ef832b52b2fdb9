"""BMP (Windows bitmap, also OS/2's first): uncompressed, 1, 4, 8, 16, 24 and 32 bits per pixel.

Rows are read from the file as they lie. Run-length compression, and a JPEG or PNG inside a BMP,
are refused. A BMP has no checksum: only a file that was cut off is found.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from core.errors import UnsupportedFormat
from core.scan._formats import Decoded, Format, corrupt
from core.scan._samples import assemble, look_up
from core.text import _

_PLAIN, _BITFIELDS, _ALPHA_BITFIELDS = 0, 3, 6
#: Sizes of the header behind the file's own: OS/2 1, and Windows 3 to 5 with what lies between.
_CORE, _INFO, _SIZES = 12, 40, (12, 40, 52, 56, 64, 108, 124)
_MASKS = {16: (0x7C00, 0x03E0, 0x001F, 0), 32: (0xFF0000, 0xFF00, 0xFF, 0)}
_FILE_HEADER = 14


@dataclass(frozen=True, slots=True, eq=False)
class BmpFile:
    """A BMP whose header has been read."""

    data: bytes = field(repr=False)
    width: int
    height: int
    upside_down: bool
    bits: int
    start: int
    masks: tuple[int, int, int, int]
    palette: tuple[int, int, int]

    def decode(self) -> Decoded:
        """Decode the whole image."""
        stride = (self.width * self.bits + 31) // 32 * 4
        if self.start + stride * self.height > len(self.data):
            raise corrupt()
        stored = np.frombuffer(self.data, np.uint8, stride * self.height, self.start)
        rows = stored.reshape(self.height, stride)
        if self.upside_down:
            rows = rows[::-1]
        if self.bits <= 8:
            return assemble(self._colours(rows))
        if self.bits == 24:
            blue_first = rows[:, : self.width * 3].reshape(self.height, self.width, 3)
            return assemble(np.ascontiguousarray(blue_first[..., ::-1]))
        return self._masked(rows)

    def _colours(self, rows: NDArray[np.uint8]) -> NDArray[np.uint8]:
        shifts = np.arange(8 - self.bits, -1, -self.bits, dtype=np.uint8)
        indices = (rows[..., None] >> shifts) & np.uint8(2**self.bits - 1)
        where, count, size = self.palette
        entries = np.frombuffer(self.data, np.uint8, count * size, where).reshape(count, size)
        flat = indices.reshape(self.height, -1)[:, : self.width]
        rgb = look_up(flat, entries[:, [2, 1, 0]])
        if rgb is None:
            raise corrupt()
        return rgb

    def _masked(self, rows: NDArray[np.uint8]) -> Decoded:
        size = self.bits // 8
        words = np.ascontiguousarray(rows[:, : self.width * size]).view(f"<u{size}")
        red, green, blue, alpha = (_channel(words, mask) for mask in self.masks)
        if red is None or green is None or blue is None:
            raise corrupt()
        return assemble(np.stack([red, green, blue], axis=-1), alpha)


def _channel(words: NDArray[np.unsignedinteger], mask: int) -> NDArray[np.uint8] | None:
    """Return one channel spread over 0 to 255, or None where it has no bits."""
    if not mask:
        return None
    low = (mask & -mask).bit_length() - 1
    most = mask >> low
    levels = ((words & words.dtype.type(mask)) >> words.dtype.type(low)).astype(np.uint32)
    if most == 255:
        return np.asarray(levels, np.uint8)
    return np.asarray((levels * 255 + most // 2) // most, np.uint8)


def _matches(data: bytes) -> bool:
    # Two letters begin many things: the size of the next header tells.
    return (
        data.startswith(b"BM")
        and len(data) >= 18
        and data[14] in _SIZES
        and data[15:18] == b"\0" * 3
    )


def _open(data: bytes) -> BmpFile:
    if len(data) < _FILE_HEADER + data[_FILE_HEADER]:
        raise corrupt()
    (start, size) = struct.unpack_from("<II", data, 10)
    compression, used = _PLAIN, 0
    if size == _CORE:
        width, height, planes, bits = struct.unpack_from("<HHHH", data, 18)
    else:
        width, height, planes, bits, compression = struct.unpack_from("<iiHHI", data, 18)
        (used,) = struct.unpack_from("<I", data, 46)
    fields = compression in (_BITFIELDS, _ALPHA_BITFIELDS) and bits in (16, 32) and size != 64
    if bits not in (1, 4, 8, 16, 24, 32) or not (compression == _PLAIN or fields):
        raise _kind()
    upside_down, height = height > 0, abs(height)
    if planes != 1 or width < 1 or height < 1 or start < _FILE_HEADER + size:
        raise corrupt()
    masks = _masks(data, size, bits, compression) if fields else _MASKS.get(bits, (0, 0, 0, 0))
    each = 3 if size == _CORE else 4
    room = (min(start, len(data)) - _FILE_HEADER - size) // each
    count = min(used or 2**bits, 2**bits, room) if bits <= 8 else 0
    if bits <= 8 and count < 1:
        raise corrupt()
    palette = (_FILE_HEADER + size, count, each)
    return BmpFile(data, width, height, upside_down, bits, start, masks, palette)


def _masks(data: bytes, size: int, bits: int, compression: int) -> tuple[int, int, int, int]:
    """Return the masks of red, green, blue and alpha, which must not overlap or have gaps."""
    count = 4 if compression == _ALPHA_BITFIELDS or size >= 56 else 3
    if len(data) < _FILE_HEADER + _INFO + 4 * count:
        raise corrupt()
    masks = struct.unpack_from(f"<{count}I", data, _FILE_HEADER + _INFO)
    seen = 0
    for mask in masks:
        low = mask & -mask
        # A run of ones plus its lowest bit shares nothing with it.
        if mask & seen or (mask + low) & mask or mask >> bits:
            raise corrupt()
        if mask > 255 * low:
            raise _kind()
        seen |= mask
    red, green, blue, alpha = (*masks, 0)[:4]
    return red, green, blue, alpha


def _kind() -> UnsupportedFormat:
    return UnsupportedFormat(
        _("This kind of BMP is not read here. Save it uncompressed, or as PNG.")
    )


BMP = Format("BMP", _matches, _open)
