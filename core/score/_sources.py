"""The files of folders, in order, each read when its turn comes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path

from core.errors import FileTooLarge, ScanError
from core.settings import Settings
from core.text import _

#: Gives the bytes of a file, or raises :class:`~core.errors.ScanError`.
Loader = Callable[[], bytes]


def files_of(paths: Iterable[Path], settings: Settings) -> Iterator[tuple[str, Loader]]:
    """Find the files of folders, hidden ones left out, in alphabetical order.

    Yields
    ------
    name, loader
        What to call it, beginning as the path that was given; and a function that gives its bytes
        or raises :class:`~core.errors.ScanError`.
    """
    for path in paths:
        found = sorted(path.rglob("*")) if path.is_dir() else [path]
        for file in found:
            hidden = any(part.startswith(".") for part in file.relative_to(path).parts)
            if not hidden and not file.is_dir():
                yield str(file), partial(_load, file, settings.max_upload_bytes)


def _load(path: Path, most: int) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(most + 1)
    except OSError as error:
        raise ScanError(
            _("This file cannot be read. Check that it is there and may be opened.")
        ) from error
    if len(data) > most:
        raise FileTooLarge(
            _("This file is larger than {limit} MB. Export a single image of the scan.").format(
                limit=most // 2**20
            )
        )
    return data
