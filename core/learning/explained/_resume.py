"""What was measured so far, on disk: a run that was stopped goes on where it was."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
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
        JSON values that say of what, and how, scans are measured. A file that says otherwise
        begins anew.

    Attributes
    ----------
    found
        What came of a scan, by its place; None for one that could not be read.

    Raises
    ------
    LearningError
        It cannot be written.
    """

    def __init__(self, path: Path | None, what: Mapping[str, Any]) -> None:
        self._path = path
        key = hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()
        self.found: dict[int, Measured | None] = {}
        self._asked: dict[int, list[str]] = {}
        lines = [json.dumps({"key": key})]
        for place, asked, measured in () if path is None else _read(path, key):
            self.found[place], self._asked[place] = measured, asked
        lines += [_line(place, self._asked[place], each) for place, each in self.found.items()]
        if path is not None:
            # Anew in any case: a line that was cut off must not have another behind it.
            write_whole(path, ("\n".join(lines) + "\n").encode(), replace=True)

    def has(self, place: int, methods: Iterable[str]) -> bool:
        """Tell whether a scan was asked about by all of these methods, or more."""
        return set(methods) <= set(self._asked[place]) if place in self._asked else False

    def add(self, place: int, asked: Sequence[str], measured: Measured | None) -> None:
        """Keep what came of a scan.

        Parameters
        ----------
        place
            Of the scan among the rows.
        asked
            The methods.
        measured
            None for a scan that could not be read.

        Raises
        ------
        LearningError
            It cannot be written.
        """
        self.found[place], self._asked[place] = measured, list(asked)
        if self._path is None:
            return
        try:
            with self._path.open("a", encoding="utf-8") as stream:
                stream.write(_line(place, asked, measured) + "\n")
        except OSError as error:
            raise LearningError(
                _("The folder cannot be written to: it is full, or may not be written.")
            ) from error


def _line(place: int, asked: Sequence[str], measured: Measured | None) -> str:
    found = None if measured is None else measured.to_json()
    return json.dumps({"place": place, "asked": list(asked), "measured": found})


def _read(path: Path, key: str) -> Iterator[tuple[int, list[str], Measured | None]]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError):
        return
    try:
        if not lines or json.loads(lines[0])["key"] != key:
            return
        for line in lines[1:]:
            entry = json.loads(line)
            known = entry["measured"]
            measured = None if known is None else Measured.from_json(known)
            yield int(entry["place"]), list(entry["asked"]), measured
    except (ValueError, KeyError, TypeError):
        # The last line, where the process ended in the middle of it.
        return
