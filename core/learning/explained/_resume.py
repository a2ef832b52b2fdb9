"""What was measured so far, on disk: a run that was stopped goes on where it was."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from core.errors import LearningError
from core.learning.explained._measure import Measured
from core.learning.whole_file import write_whole
from core.text import _


class Kept:
    """Measured scans by their place among the rows, one line of JSON each.

    Parameters
    ----------
    path
        The file; None keeps nothing.
    what
        JSON values that say what is measured how. A file that says otherwise begins anew.

    Raises
    ------
    LearningError
        It cannot be written.
    """

    def __init__(self, path: Path | None, what: Mapping[str, Any]) -> None:
        self._path = path
        key = hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()
        self.found = {} if path is None else _read(path, key)
        if path is not None:
            # Anew in any case: a line that was cut off must not have another behind it.
            lines = [json.dumps({"key": key}), *map(_line, self.found.items())]
            write_whole(path, ("\n".join(lines) + "\n").encode(), replace=True)

    def add(self, place: int, measured: Measured | None) -> None:
        """Keep what came of a scan; None for one that could not be read.

        Raises
        ------
        LearningError
            It cannot be written.
        """
        self.found[place] = measured
        if self._path is None:
            return
        try:
            with self._path.open("a", encoding="utf-8") as stream:
                stream.write(_line((place, measured)) + "\n")
        except OSError as error:
            raise LearningError(
                _("The folder cannot be written to: it is full, or may not be written.")
            ) from error


def _line(entry: tuple[int, Measured | None]) -> str:
    place, measured = entry
    return json.dumps(
        {"place": place, "measured": None if measured is None else measured.to_json()}
    )


def _read(path: Path, key: str) -> dict[int, Measured | None]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError):
        return {}
    found: dict[int, Measured | None] = {}
    try:
        if not lines or json.loads(lines[0])["key"] != key:
            return {}
        for line in lines[1:]:
            entry = json.loads(line)
            known = entry["measured"]
            found[int(entry["place"])] = None if known is None else Measured.from_json(known)
    except (ValueError, KeyError, TypeError):
        # The last line, where the process ended in the middle of it.
        pass
    return found
