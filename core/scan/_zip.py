"""ZIP archives (PKWARE APPNOTE 6.3), read entry by entry and within bounds.

Python's own reader loads the whole list of contents before a limit can be held, and believes what
the list says. Here the list is walked, each entry is compared with its own header, and an entry is
inflated alone. Stored and deflated entries, ZIP64 included, are read; encrypted ones and other
compressions are refused one by one.
"""

from __future__ import annotations

import bisect
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from core.errors import ArchiveError, ScanError
from core.text import _

_LOCAL, _CENTRAL, _END = b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06"
_END64, _LOCATOR64 = b"PK\x06\x06", b"PK\x06\x07"
_END_SIZE, _CENTRAL_SIZE, _LOCAL_SIZE = 22, 46, 30
_LONGEST_COMMENT = 65535
_ENCRYPTED, _UTF8 = 0x0001 | 0x0040 | 0x2000, 0x0800
_STORED, _DEFLATED = 0, 8
_ELSEWHERE = 0xFFFFFFFF
#: The list of contents is read so much at a time.
_PIECE = 2**20


class Source(Protocol):
    """Where an archive lies: in memory or in a file."""

    @property
    def size(self) -> int:
        """Bytes of the archive."""

    def read(self, start: int, length: int) -> bytes:
        """Return bytes, fewer at the end."""


@dataclass(frozen=True, slots=True, eq=False)
class Memory:
    """An archive in memory."""

    data: bytes = field(repr=False)

    @property
    def size(self) -> int:
        """Bytes of the archive."""
        return len(self.data)

    def read(self, start: int, length: int) -> bytes:
        """Return bytes, fewer at the end."""
        return self.data[start : start + length]


@dataclass(frozen=True, slots=True, eq=False)
class OnDisk:
    """An archive in a file, opened only while something is read."""

    path: Path = field(repr=False)
    size: int

    def read(self, start: int, length: int) -> bytes:
        """Return bytes, fewer at the end.

        Raises
        ------
        ScanError
            The file cannot be read.
        """
        try:
            with self.path.open("rb") as file:
                file.seek(start)
                return file.read(length)
        except OSError as error:
            raise ScanError(
                _("This file cannot be read. Check that it is there and may be opened.")
            ) from error


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """One entry of the list of contents.

    Attributes
    ----------
    name
        As stored, with ``/`` between folders; not to be used as a path.
    folder
        Whether it is a folder.
    size, packed
        Bytes as announced, inflated and in the archive.
    problem
        Why it cannot be taken out, known without inflating it.
    """

    name: str = field(repr=False)
    folder: bool
    size: int
    packed: int
    method: int
    checksum: int
    start: int
    problem: ArchiveError | None = None


@dataclass(frozen=True, slots=True)
class _Contents:
    """Where the list of contents lies."""

    start: int
    end: int


def damaged() -> ArchiveError:
    """Return the error for an archive, or an entry, that cannot be read whole."""
    return ArchiveError(_("This archive is damaged or was cut off. Make it again and upload that."))


def find_contents(source: Source) -> _Contents:
    """Find the list of contents.

    Raises
    ------
    ArchiveError
        There is none, or it lies in another file.
    """
    tail_start = max(0, source.size - _END_SIZE - _LONGEST_COMMENT)
    tail = source.read(tail_start, source.size - tail_start)
    at = tail.rfind(_END)
    if at < 0 or at + _END_SIZE > len(tail):
        raise damaged()
    disk, first_disk, _here, count, size, start = struct.unpack_from("<HHHHII", tail, at + 4)
    if disk not in (0, 0xFFFF) or first_disk not in (0, 0xFFFF):
        raise ArchiveError(_("This archive is split over several files. Make it one file."))
    end = tail_start + at
    if count == 0xFFFF or _ELSEWHERE in (size, start):
        locator = source.read(end - 20, 20) if end >= 20 else b""
        if locator[:4] == _LOCATOR64:
            (where,) = struct.unpack_from("<Q", locator, 8)
            record = source.read(where, 56) if where < source.size else b""
            if len(record) < 56 or record[:4] != _END64:
                raise damaged()
            size, start = struct.unpack_from("<QQ", record, 40)
    if start + size > end:
        raise damaged()
    return _Contents(start, start + size)


def entries(source: Source, contents: _Contents, *, old_names: str = "cp437") -> Iterator[Entry]:
    """Yield the entries in the order of the list.

    Parameters
    ----------
    source, contents
        The archive, and what :func:`find_contents` found.
    old_names
        Encoding of names that are not UTF-8.

    Raises
    ------
    ArchiveError
        The list itself is damaged; what was yielded before stands.
    """
    taken: list[tuple[int, int]] = []
    buffer, offset, position = b"", contents.start, contents.start
    while position < contents.end:
        # The longest entry has three fields of 65,535 bytes.
        if offset + len(buffer) < min(position + _CENTRAL_SIZE + 3 * 65535, contents.end):
            offset = position
            buffer = source.read(position, min(_PIECE, contents.end - position))
        at = position - offset
        if len(buffer) - at < _CENTRAL_SIZE or buffer[at : at + 4] != _CENTRAL:
            raise damaged()
        flags, method = struct.unpack_from("<HH", buffer, at + 8)
        checksum, packed, size, name_size, extra_size, comment_size, disk = struct.unpack_from(
            "<IIIHHHH", buffer, at + 16
        )
        (start,) = struct.unpack_from("<I", buffer, at + 42)
        name_at = at + _CENTRAL_SIZE
        extra_at = name_at + name_size
        position += _CENTRAL_SIZE + name_size + extra_size + comment_size
        if position > contents.end:
            raise damaged()
        extra = buffer[extra_at : extra_at + extra_size]
        size, packed, start = _wide(extra, size, packed, start)
        name = _name(buffer[name_at:extra_at], flags, old_names)
        data_start, problem = _locate(source, start, packed, contents.start, taken)
        if flags & _ENCRYPTED:
            problem = ArchiveError(
                _("This file is encrypted in the archive. Make the archive without a password.")
            )
        elif method not in (_STORED, _DEFLATED):
            problem = ArchiveError(
                _(
                    "This file is compressed in a way that is not read here. "
                    "Make the archive with the usual compression (Deflate)."
                )
            )
        elif disk not in (0, 0xFFFF):
            problem = damaged()
        yield Entry(name, name.endswith("/"), size, packed, method, checksum, data_start, problem)


def _wide(extra: bytes, size: int, packed: int, start: int) -> tuple[int, int, int]:
    """Return size, packed size and place, from the ZIP64 field where the list has no room."""
    if _ELSEWHERE not in (size, packed, start):
        return size, packed, start
    at = 0
    while at + 4 <= len(extra):
        kind, length = struct.unpack_from("<HH", extra, at)
        if kind == 1:
            field_ = extra[at + 4 : at + 4 + length]
            numbers = list(struct.unpack(f"<{len(field_) // 8}Q", field_[: len(field_) // 8 * 8]))
            whole = []
            for value in (size, packed, start):
                wide = value == _ELSEWHERE and numbers
                whole.append(numbers.pop(0) if wide else value)
            return whole[0], whole[1], whole[2]
        at += 4 + length
    return size, packed, start


def _locate(
    source: Source, start: int, packed: int, limit: int, taken: list[tuple[int, int]]
) -> tuple[int, ArchiveError | None]:
    """Return where an entry's data begins; it has a header and shares no byte with another."""
    if start + _LOCAL_SIZE > limit:
        return 0, damaged()
    header = source.read(start, _LOCAL_SIZE)
    if len(header) < _LOCAL_SIZE or header[:4] != _LOCAL:
        return 0, damaged()
    name_size, extra_size = struct.unpack_from("<HH", header, 26)
    data_start = start + _LOCAL_SIZE + name_size + extra_size
    end = data_start + packed
    if end > limit:
        return 0, damaged()
    # Entries that share data make a small archive into a large one.
    at = bisect.bisect_left(taken, (start, end))
    before = taken[at - 1][1] if at else 0
    after = taken[at][0] if at < len(taken) else limit
    if before > start or after < end:
        return 0, damaged()
    taken.insert(at, (start, end))
    return data_start, None


def _name(raw: bytes, flags: int, old_names: str) -> str:
    try:
        name = raw.decode("utf-8")
    except UnicodeDecodeError:
        name = raw.decode("utf-8" if flags & _UTF8 else old_names, "replace")
    # Some write the folders of a name as Windows does.
    return name.replace("\\", "/")


def inflate(source: Source, entry: Entry) -> bytes:
    """Take one entry out.

    Parameters
    ----------
    source
        The archive.
    entry
        One without a problem. Its announced size has been compared with the limits: no more than
        that is ever inflated.

    Raises
    ------
    ArchiveError
        It is damaged, or larger or smaller than announced.
    ScanError
        The archive cannot be read.
    """
    packed = source.read(entry.start, entry.packed)
    if len(packed) != entry.packed:
        raise damaged()
    whole = packed
    if entry.method == _DEFLATED:
        inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        try:
            whole = inflater.decompress(packed, entry.size + 1)
        except zlib.error as error:
            raise damaged() from error
        if not inflater.eof:
            raise damaged()
    if len(whole) != entry.size or zlib.crc32(whole) != entry.checksum:
        raise damaged()
    return whole
