"""The directories of a TIFF 6.0 or BigTIFF file, read by hand and within bounds.

A general TIFF reader warns, guesses, and follows far more of a file than an image needs. Here a
directory is looked at for a few numbers; what points outside the file, in a circle, or nowhere is
damage.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from core.errors import UnsupportedFormat
from core.scan._formats import corrupt
from core.text import _

#: First bytes -> (byte order, whether offsets have 8 bytes).
HEADERS = {
    b"II*\0": ("<", False),
    b"MM\0*": (">", False),
    b"II+\0": ("<", True),
    b"MM\0+": (">", True),
}
#: Types a count or an offset may have (TIFF 6.0 section 2; 13 and 16 of its supplements).
_WHOLE = {1: "u1", 3: "u2", 4: "u4", 13: "u4", 16: "u8", 18: "u8"}
_BYTES = frozenset({1, 2, 6, 7})
#: More frames than any scanner records, and more tags than all of them need.
MOST_PAGES = 8192
_MOST_ENTRIES = 500_000


@dataclass(frozen=True, slots=True, eq=False)
class Directory:
    """One directory: tags with their type, count and where the values lie."""

    data: bytes = field(repr=False)
    order: str
    entries: dict[int, tuple[int, int, int]] = field(repr=False)

    def array(self, tag: int) -> NDArray[np.int64] | None:
        """Return the whole numbers of a tag, or None where the directory has none.

        Raises
        ------
        CorruptFile
            They are not whole numbers, or lie outside the file.
        """
        entry = self.entries.get(tag)
        if entry is None:
            return None
        kind, count, where = entry
        code = _WHOLE.get(kind)
        if code is None or not count or where + count * int(code[1]) > len(self.data):
            raise corrupt()
        values = np.frombuffer(self.data, f"{self.order}{code}", count, where)
        if int(values.max()) > 2**62:
            raise corrupt()
        return values.astype(np.int64)

    def number(self, tag: int, default: int | None = None) -> int:
        """Return the first number of a tag, or ``default``; without one it has to be there."""
        entry = self.entries.get(tag)
        if entry is not None:
            kind, count, where = entry
            first = Directory(self.data, self.order, {tag: (kind, min(count, 1), where)})
            values = first.array(tag)
            if values is not None:
                return int(values[0])
        if default is None:
            raise corrupt()
        return default

    def raw(self, tag: int) -> bytes:
        """Return the bytes of a tag; none where the directory has none."""
        kind, count, where = self.entries.get(tag, (7, 0, 0))
        if kind not in _BYTES or where + count > len(self.data):
            raise corrupt()
        return self.data[where : where + count]


def directories(data: bytes) -> Iterator[Directory]:
    """Yield the directories of the main chain; those of EXIF and previews hang elsewhere.

    Raises
    ------
    CorruptFile
        The chain leaves the file, runs in a circle, or has tags without end.
    UnsupportedFormat
        It has more pages than are read.
    """
    order, big = HEADERS[data[:4]]
    try:
        if big and struct.unpack_from(f"{order}HH", data, 4) != (8, 0):
            raise corrupt()
        (where,) = struct.unpack_from(f"{order}{'Q' if big else 'I'}", data, 8 if big else 4)
        seen: set[int] = set()
        left = _MOST_ENTRIES
        while where:
            if where in seen or where >= len(data):
                raise corrupt()
            if len(seen) >= MOST_PAGES:
                raise UnsupportedFormat(
                    _("This TIFF has more than {limit} frames. Export a shorter loop.").format(
                        limit=MOST_PAGES
                    )
                )
            seen.add(where)
            (count,) = struct.unpack_from(f"{order}{'Q' if big else 'H'}", data, where)
            left -= count
            if left < 0:
                raise corrupt()
            directory, where = _directory(data, order, big, where, count)
            yield directory
    except struct.error as error:
        raise corrupt() from error


def _directory(data: bytes, order: str, big: bool, where: int, count: int) -> tuple[Directory, int]:
    """Return the directory at ``where`` and where the next one lies."""
    layout = struct.Struct(f"{order}HHQ" if big else f"{order}HHI")
    inline, step = (8, 20) if big else (4, 12)
    pointer = struct.Struct(f"{order}{'Q' if big else 'I'}")
    start = where + (8 if big else 2)
    entries: dict[int, tuple[int, int, int]] = {}
    for at in range(start, start + count * step, step):
        tag, kind, number = layout.unpack_from(data, at)
        value = at + layout.size
        size = int(_WHOLE.get(kind, "u1")[1]) * number
        # Of the values only the place is noted: the array of a tag nobody asks for is not read.
        if size > inline:
            (value,) = pointer.unpack_from(data, value)
        entries.setdefault(tag, (kind, number, value))
    (following,) = pointer.unpack_from(data, start + count * step)
    return Directory(data, order, entries), following
