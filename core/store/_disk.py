"""Making sure that what was written is on disk, where a crash or a power cut leaves it."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path


def sync_file(path: Path) -> None:
    """Wait until the content of a file is on disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_folder(folder: Path) -> None:
    """Wait until new names in a folder are on disk; Windows has no such call and needs none."""
    if os.name != "nt":
        sync_file(folder)


def write_whole(path: Path, content: bytes, *, replace: bool) -> None:
    """Write a file beside its place and move it there: it is there whole or not at all.

    Parameters
    ----------
    path, content
        What is written where; the folder is there.
    replace
        Whether a file that is there may go.

    Raises
    ------
    FileExistsError
        A file is there and may not go.
    OSError
        It cannot be written.
    """
    handle, partial = tempfile.mkstemp(prefix=".", suffix=".part", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        # What mkstemp makes is for its owner alone; this is as readable as any new file.
        os.chmod(partial, 0o666 & ~_umask())
        if replace:
            os.replace(partial, path)
        else:
            # A second name is only given where there is none: never over what is there.
            os.link(partial, path)
    finally:
        with suppress(OSError):
            os.unlink(partial)


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask
