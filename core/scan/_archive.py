"""Archives and folders: file after file, under the same limits as an upload.

A file is taken out when it is asked for, so memory holds one at a time. One that cannot be taken
out is an error of its own and stops no other.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from core.errors import ArchiveError, ScanError
from core.scan._formats import too_large
from core.scan._zip import Entry, Memory, OnDisk, Source, entries, find_contents, inflate
from core.settings import Settings
from core.text import _, language

#: How an archive begins: with an entry, or with the end of its list where it is empty.
_MAGIC = (b"PK\x03\x04", b"PK\x05\x06")
#: Blank images shrink a thousandfold, scans hardly tenfold: beyond this it is no scan.
_MOST_RATIO = 250
#: Below this a bomb does no harm, and blank images are tried out.
_HARMLESS = 4 * 2**20
#: Inflated bytes of a whole archive, in largest uploads: what takes minutes is no upload.
_MOST_TIMES = 20
#: Entries of the list, folders and litter included, for each file that may be taken out.
_MOST_LISTED = 10
#: What systems and scanners leave beside the files: not looked at and not reported.
_LITTER = frozenset({"thumbs.db", "desktop.ini", "dicomdir", "__macosx"})
_LONGEST_NAME = 200
#: What the name of a file ends with where signs were taken out of it.
_MARK = re.compile(r" \[[0-9a-f]{16}\]")


@dataclass(frozen=True, slots=True, eq=False)
class ArchiveMember:
    """One file of an archive.

    Attributes
    ----------
    name
        For a person to recognise it by: path inside the archive, printable, never to be used as a
        path or written down. Empty where ``error`` concerns the archive itself.
    data
        Its bytes; none where there is an error.
    error
        Why it was not taken out.
    """

    name: str = field(repr=False)
    data: bytes = field(default=b"", repr=False)
    error: ScanError | None = None


#: Gives the bytes of a file, or raises :class:`~core.errors.ScanError`.
Loader = Callable[[], bytes]


def is_archive(data: bytes) -> bool:
    """Tell whether bytes begin as a ZIP archive does."""
    return data[:4] in _MAGIC


def open_archive(data: bytes, settings: Settings) -> Iterator[ArchiveMember]:
    """Take the files out of a ZIP archive, one by one.

    Folders, hidden files and what systems leave behind are passed over in silence.

    Parameters
    ----------
    data
        The whole archive.
    settings
        ``max_upload_bytes`` holds for each file, ``max_files`` for their number.

    Returns
    -------
    Iterator[ArchiveMember]
        In the archive's order. Each is inflated when it is asked for and not kept.

    Raises
    ------
    ArchiveError
        Right away where it cannot be opened at all; later problems come as members.
    """
    return _inflated(_members(Memory(data), settings))


def _inflated(members: Iterator[tuple[str, Loader]]) -> Iterator[ArchiveMember]:
    for name, load in members:
        try:
            member = ArchiveMember(name, load())
        except ScanError as error:
            member = ArchiveMember(name, error=error)
        yield member


def _members(source: Source, settings: Settings) -> Iterator[tuple[str, Loader]]:
    """Return name and loader of each file; nothing is inflated before a loader is called."""
    contents = find_contents(source)
    # Names without a mark of their encoding come from the reader's own Windows, as a rule.
    old_names = "gb18030" if language() == "zh_CN" else "cp437"
    return _limited(source, entries(source, contents, old_names=old_names), settings)


def _limited(
    source: Source, listed: Iterator[Entry], settings: Settings
) -> Iterator[tuple[str, Loader]]:
    files = total = 0
    most = _MOST_TIMES * settings.max_upload_bytes
    try:
        for index, entry in enumerate(listed):
            if index > _MOST_LISTED * settings.max_files:
                yield "", partial(_fail, _too_many(settings))
                return
            if entry.folder or _litter(entry.name.split("/")):
                continue
            if files == settings.max_files:
                yield "", partial(_fail, _too_many(settings))
                return
            files += 1
            problem: ScanError | None = entry.problem or _out_of_bounds(entry, settings)
            if problem is None:
                total += entry.size
            if total > most:
                yield "", partial(_fail, _too_much(most))
                return
            load = partial(_fail, problem) if problem else partial(_take, source, entry)
            yield _shown(entry.name), load
    except ScanError as error:
        # The list broke off; the files before it stand.
        yield "", partial(_fail, error)


def _out_of_bounds(entry: Entry, settings: Settings) -> ScanError | None:
    if entry.size > settings.max_upload_bytes:
        return too_large(settings.max_upload_bytes)
    if entry.size > max(_HARMLESS, _MOST_RATIO * entry.packed):
        return ArchiveError(
            _("This file is compressed more than any scan can be. Add the scan as it was exported.")
        )
    return None


def _take(source: Source, entry: Entry) -> bytes:
    data = inflate(source, entry)
    if is_archive(data):
        raise ArchiveError(
            _("This is an archive inside an archive. Unpack it and add its files instead.")
        )
    return data


def _fail(error: ScanError) -> bytes:
    raise error


def _too_many(settings: Settings) -> ArchiveError:
    return ArchiveError(
        _(
            "There are more than {limit} files; the others were left out. Add them separately."
        ).format(limit=settings.max_files)
    )


def _too_much(most: int) -> ArchiveError:
    return ArchiveError(
        _(
            "The files of this archive are larger than {limit} MB together; "
            "the others were left out. Add them separately."
        ).format(limit=most // 2**20)
    )


def _litter(parts: Iterable[str]) -> bool:
    """Whether a path leads to something hidden, or left behind by a system."""
    return any(
        part.lower() in _LITTER or (part.startswith(".") and part not in (".", ".."))
        for part in parts
    )


def _shown(name: str) -> str:
    """Return a name without what would not be seen, or would be seen as something else."""
    return _seen(name).strip()[-_LONGEST_NAME:] or "?"


def _seen(name: str) -> str:
    # Control and format characters are taken out, the ones that turn the direction of text and
    # those that end a line among them.
    categories = ((sign, unicodedata.category(sign)) for sign in name)
    return "".join(sign for sign, kind in categories if kind[0] != "C" and kind not in ("Zl", "Zp"))


def files_of(
    paths: Iterable[Path], settings: Settings, *, without: Path | None = None
) -> Iterator[tuple[str, Loader]]:
    """Find the files of folders and archives.

    Folders are walked whole, in alphabetical order; hidden files and what systems leave behind
    are passed over, and a folder that was walked is not walked again where a link leads back to
    it. Archives on the way are opened. What cannot be read is in the list too: its loader says
    why.

    Parameters
    ----------
    paths
        Files, folders and archives, in any order.
    settings
        ``max_upload_bytes`` holds for each file, ``max_files`` for what comes out of each path.
    without
        A file that is left out wherever it is met, by whatever name or link.

    Yields
    ------
    name, loader
        What to call it, beginning as the path that was given; signs that would not be seen, or
        would turn the text around, are taken out of it, and a mark at its end keeps two files
        apart that would then be called the same. And a function that gives its bytes or raises
        :class:`~core.errors.ScanError`. Nothing is read before it is called, so the whole list may
        be made first.
    """
    own = None if without is None else _identity(without)
    for path in paths:
        for index, (name, load) in enumerate(_found(path, settings, own)):
            if index == settings.max_files:
                yield _printable(path), partial(_fail, _too_many(settings))
                break
            yield name, load


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except (OSError, ValueError):
        return None
    return status.st_dev, status.st_ino


def _found(
    path: Path, settings: Settings, own: tuple[int, int] | None
) -> Iterator[tuple[str, Loader]]:
    seen: set[tuple[int, int]] = set()
    # A stack and no recursion: folders may be nested deeper than Python calls.
    waiting = [path]
    while waiting:
        at = waiting.pop()
        try:
            status = at.stat()
            if stat.S_ISDIR(status.st_mode):
                if (status.st_dev, status.st_ino) in seen:
                    continue
                seen.add((status.st_dev, status.st_ino))
                inside = sorted(name for name in os.listdir(at) if not _litter([name]))
                waiting += [at / name for name in reversed(inside)]
                continue
            if (status.st_dev, status.st_ino) == own:
                continue
            # Pipes and devices would be waited for: they are named, and never opened.
            regular = stat.S_ISREG(status.st_mode)
            magic = _first_bytes(at) if regular else b""
        except (OSError, ValueError):
            yield _printable(at), partial(_fail, _unreadable())
            continue
        if not regular:
            yield _printable(at), partial(_fail, _unreadable())
        elif is_archive(magic):
            yield from _of_archive(at, status.st_size, settings)
        else:
            yield _printable(at), partial(_load, at, settings.max_upload_bytes)


def _of_archive(path: Path, size: int, settings: Settings) -> Iterator[tuple[str, Loader]]:
    shown = _printable(path)
    try:
        members = _members(OnDisk(path, size), settings)
    except ScanError as error:
        yield shown, partial(_fail, error)
        return
    for name, load in members:
        yield (f"{shown}/{name}" if name else shown), load


def _first_bytes(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(4)


def _load(path: Path, most: int) -> bytes:
    try:
        with path.open("rb") as file:
            # One byte more, because a file may grow after its size was asked for.
            data = file.read(most + 1)
    except OSError as error:
        raise _unreadable() from error
    if len(data) > most:
        raise too_large(most)
    return data


def _printable(path: Path) -> str:
    """Return a path as it can be shown and written into a table; no two paths give the same."""
    name = str(path)
    # Bytes of a name that are not UTF-8 came as halves of characters.
    clean = _seen("".join("\ufffd" if "\ud800" <= sign <= "\udfff" else sign for sign in name))
    if clean == name and not _MARK.search(name):
        return name
    # Another file may be called what is left of this name: a mark made of all of it keeps them
    # apart. A name that has such a mark by itself gets one too.
    whole = hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8)
    return f"{clean} [{whole.hexdigest()}]"


def _unreadable() -> ScanError:
    return ScanError(_("This file cannot be read. Check that it is there and may be opened."))
