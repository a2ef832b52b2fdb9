"""A CSV that survives being killed: rows reach the disk in groups, and a torn one is taken out."""

from __future__ import annotations

import csv
import io
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

from core.errors import ScoreError
from core.text import _

#: A group goes to the disk once it has so many rows, or its first row has waited so long.
_GROUP_ROWS = 64
_GROUP_SECONDS = 1.0
#: Every table begins with these many columns; the others depend on the model.
_COMMON = 3


class Table:
    """The output file, locked for one writer; every row that was flushed is whole on the disk.

    Parameters
    ----------
    path
        Where it is.
    columns
        Its header.
    run
        Names what makes the rows; a table with rows of another run is not gone on with.
    resume, overwrite
        Whether a table already there is gone on with, or replaced. With neither it is refused.

    Raises
    ------
    ScoreError
        The file is there already, is another kind of table, is being written by another run, or
        cannot be written.
    """

    def __init__(
        self,
        path: Path,
        columns: Sequence[str],
        run: str,
        *,
        resume: bool = False,
        overwrite: bool = False,
    ) -> None:
        self._columns = tuple(columns)
        self._run = run
        self._rows: list[Sequence[Any]] = []
        self._since = 0.0
        self._file = _open(path, may_exist=resume or overwrite)
        try:
            self._begin(resume)
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Table:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Write what is left, also after an error: it was read."""
        try:
            self.flush()
        finally:
            self._file.close()

    def rows(self) -> Iterator[Mapping[str, str]]:
        """Go through the rows that are there, by column; call it before adding any."""
        self._file.seek(0)
        for cells, _end in _whole_lines(self._file):
            if cells is not None and tuple(cells) != self._columns:
                yield dict(zip(self._columns, cells, strict=True))
        self._file.seek(0, os.SEEK_END)

    def add(self, cells: Sequence[Any]) -> None:
        """Add a row; it is on the disk after the next :meth:`flush`, which comes by itself."""
        if not self._rows:
            self._since = time.monotonic()
        self._rows.append(cells)
        if len(self._rows) >= _GROUP_ROWS or time.monotonic() - self._since >= _GROUP_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Bring every row added so far onto the disk.

        Raises
        ------
        ScoreError
            The disk is full or fails.
        """
        if self._rows:
            rows, self._rows = self._rows, []
            self._write(rows)

    def _begin(self, resume: bool) -> None:
        if resume:
            end = self._check()
            self._file.seek(end)
            self._file.truncate()
            if end:
                return
        else:
            self._check_is_table()
            self._file.seek(0)
            self._file.truncate()
        self._write([self._columns])

    def _check(self) -> int:
        """Return where the last whole row ends, having compared every row with this run."""
        end, torn = 0, False
        for line, (cells, line_end) in enumerate(_whole_lines(self._file)):
            whole = cells is not None and len(cells) == len(self._columns)
            if torn or (line == 0 and whole and tuple(cells or ()) != self._columns):
                raise self._other()
            if not whole:
                # Only the last line may be torn.
                torn = True
                continue
            if line and (cells or [""])[self._columns.index("run")] != self._run:
                raise self._other()
            end = line_end
        if torn and end == 0 and not self._header_begins():
            raise self._other()
        return end

    def _check_is_table(self) -> None:
        """Refuse what does not begin as a table of ours: it may be a patient's only image."""
        begins = _as_csv([self._columns[:_COMMON]]).rstrip(b"\n")
        self._file.seek(0)
        # Of a table that was cut off earlier there is less.
        if not begins.startswith(self._file.read(len(begins))):
            raise ScoreError(
                _("What is there is no table of results, and was not touched. Choose another file.")
            )

    def _header_begins(self) -> bool:
        """Whether all there is is the beginning of our header."""
        self._file.seek(0)
        header = _as_csv([self._columns])
        return header.startswith(self._file.read(len(header) + 1))

    def _other(self) -> ScoreError:
        return ScoreError(
            _(
                "The results there were made with another model, other controls or another "
                "command. Choose another file, or --overwrite."
            )
        )

    def _write(self, rows: Sequence[Sequence[Any]]) -> None:
        try:
            self._file.write(_as_csv(rows))
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise ScoreError(
                _("The results cannot be written: check the disk, then go on with --resume.")
            ) from error


def _as_csv(rows: Sequence[Sequence[Any]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode("utf-8", "replace")


def _whole_lines(file: BinaryIO) -> Iterator[tuple[list[str] | None, int]]:
    """Yield each line's cells and where it ends; None for one that is no whole row.

    No cell holds a line break, so a row is a line.
    """
    end = 0
    for line in file:
        end += len(line)
        cells = None
        if line.endswith(b"\n") and b"\0" not in line:
            try:
                (cells,) = csv.reader([line.decode()], strict=True)
            except (UnicodeDecodeError, csv.Error, ValueError):
                cells = None
        yield cells, end


def _open(path: Path, *, may_exist: bool) -> BinaryIO:
    flags = os.O_RDWR | os.O_CREAT | (0 if may_exist else os.O_EXCL)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = os.fdopen(os.open(path, flags, 0o666), "r+b")
    except FileExistsError as error:
        raise ScoreError(
            _("The results file is there already: choose another, --resume or --overwrite.")
        ) from error
    except OSError as error:
        raise ScoreError(_("The results cannot be written there. Choose another file.")) from error
    try:
        _lock()(file)
    except OSError as error:
        file.close()
        raise ScoreError(_("Another run is writing into this results file.")) from error
    return file


def _lock() -> Callable[[BinaryIO], None]:
    try:
        import fcntl
    except ImportError:  # only where there is no such lock
        return lambda _file: None
    # The system lets go of it when the process ends, however it ends.
    return lambda file: fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
