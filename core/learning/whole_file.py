"""Files that are there whole or not at all, whatever ends the process."""

from __future__ import annotations

import tempfile
from pathlib import Path

from core import store
from core.errors import LearningError
from core.text import _


def write_whole(path: Path, content: bytes, *, replace: bool) -> None:
    """Write a file beside its place and move it there.

    Parameters
    ----------
    path, content
        What is written where; folders are made.
    replace
        Whether a file that is there may go.

    Raises
    ------
    LearningError
        A file is there and may not go, or nothing can be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        store.write_whole(path, content, replace=replace)
    except FileExistsError as error:
        raise LearningError(
            _("There is a file of this name already; move it, or write elsewhere with --out.")
        ) from error
    except OSError as error:
        raise _not_written() from error


def check_writable(folder: Path) -> None:
    """Make a folder and try it: before the work whose result goes there, and not behind it.

    Raises
    ------
    LearningError
        Nothing can be written there.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise _not_written() from error


def _not_written() -> LearningError:
    return LearningError(_("The folder cannot be written to: it is full, or may not be written."))
