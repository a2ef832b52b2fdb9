"""From paths to rows: files opened ahead, read in batches, shaped, measured and written."""

from __future__ import annotations

import hashlib
import json
import logging
import time
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal

from core.errors import OverreadError, ScanError, ScoreError
from core.lesion import LesionControls
from core.model import BatchRead, Predictor
from core.model import Source as ReadSource
from core.scan import Scan, files_of, read_scan
from core.score._rows import columns, constants, make_row, written
from core.score._table import Table
from core.settings import Settings
from core.text import _, language, use_language

logger = logging.getLogger(__name__)

#: Gives the bytes of a file, or raises :class:`~core.errors.ScanError`.
Loader = Callable[[], bytes]
#: Goes up when the meaning of a column changes.
_FORMAT = 1
#: Files opened ahead where their frames have to be counted first.
_OPENED_AHEAD = 2

#: Which frames of a loop are read: the first, all, or this many spread evenly.
Frames = Literal["first", "all"] | int


@dataclass(frozen=True, slots=True)
class Options:
    """How scans are read into the table.

    Attributes
    ----------
    frames
        Which frames of a loop.
    controls
        How the lesion map is shaped and measured.
    batch_size
        Scans in one call of the network.
    resume, overwrite
        What to do with a table that is there already: go on behind it, or replace it.
    """

    frames: Frames = "first"
    controls: LesionControls = field(default_factory=LesionControls)
    batch_size: int = 16
    resume: bool = False
    overwrite: bool = False


@dataclass(slots=True)
class Progress:
    """How far it is; read by whoever shows it, from any thread.

    Attributes
    ----------
    files, files_done
        Files found, and those whose rows are complete, earlier ones included.
    files_before
        Those an earlier run had completed.
    read, problems
        Rows of this run: with an answer, and with a reason why there is none.
    """

    files: int = 0
    files_done: int = 0
    files_before: int = 0
    read: int = 0
    problems: int = 0
    began: float = field(default_factory=time.monotonic)

    @property
    def per_second(self) -> float:
        """Rows per second so far."""
        seconds = time.monotonic() - self.began
        return (self.read + self.problems) / seconds if seconds > 0 else 0.0

    @property
    def seconds_left(self) -> float | None:
        """How long the files that are left will take at the pace so far."""
        done = self.files_done - self.files_before
        if not done:
            return None
        return (time.monotonic() - self.began) / done * (self.files - self.files_done)


@dataclass(frozen=True, slots=True)
class Summary:
    """What a run did; ``rows`` and ``problems`` are this run's, ``files_before`` an earlier one's.

    ``flagged`` counts rows at or above the threshold of the approved operating point.
    """

    files: int
    files_before: int
    rows: int
    problems: int
    flagged: int
    seconds: float
    per_second: float
    task: str
    version: str
    bundle_digest: str
    run: str

    def to_dict(self) -> dict[str, Any]:
        """Return it ready for JSON."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class _Turn:
    """One row to come; ``last`` closes its file."""

    name: str
    last: bool
    frame: int | None = None
    frames: int | None = None


def score(
    paths: Sequence[Path],
    out: Path,
    predictor: Predictor,
    settings: Settings,
    options: Options | None = None,
    progress: Progress | None = None,
) -> Summary:
    """Read the scans of files, folders and archives into a table.

    Parameters
    ----------
    paths
        Where the scans are. Files come in a fixed order, so that a run can be gone on with.
    out
        The CSV, one row per scan or frame, in the order of the files. It is locked for this run.
    predictor
        What reads.
    settings
        Limits on files, bytes and pixels.
    options
        How.
    progress
        Kept up to date for whoever looks.

    Returns
    -------
    Summary
        Once every file has its rows.

    Raises
    ------
    ScoreError
        The table cannot be written, is there already, or was made by another run.
    """
    chosen, shown = options or Options(), progress or Progress()
    run = _run_name(predictor, chosen)
    names = columns(predictor.bundle)
    fixed = constants(predictor.bundle, chosen.controls, run)
    with Table(out, names, run, resume=chosen.resume, overwrite=chosen.overwrite) as table:
        done = _Done(table.rows(), chosen.frames)
        # Nothing is read for the list, and it is no longer than the limits allow.
        found = list(_all_but(out, files_of(paths, settings)))
        shown.files, shown.began = len(found), time.monotonic()
        turns: deque[_Turn] = deque()
        flagged = 0
        sources = _sources(found, done, chosen.frames, settings, turns, shown)
        with (
            closing(sources),
            closing(predictor.read_many(sources, batch_size=chosen.batch_size)) as reading,
        ):
            for read in reading:
                turn = turns.popleft()
                row = make_row(turn.name, *_place(turn, read), read, chosen.controls)
                table.add(written({**fixed, **row}, names))
                shown.read += row["status"] == "read"
                shown.problems += row["status"] != "read"
                shown.files_done += turn.last
                flagged += row.get("flagged") == "yes"
    seconds = time.monotonic() - shown.began
    return Summary(
        files=shown.files,
        files_before=shown.files_before,
        rows=shown.read + shown.problems,
        problems=shown.problems,
        flagged=flagged,
        seconds=round(seconds, 3),
        per_second=round((shown.read + shown.problems) / seconds, 2) if seconds > 0 else 0.0,
        task=predictor.card.task,
        version=predictor.card.version,
        bundle_digest=predictor.bundle.digest,
        run=run,
    )


def planned(frames: int, wanted: Frames) -> range | list[int]:
    """Return the frames of a loop that are read, from 0, rising."""
    if wanted == "first" or frames <= 1:
        return range(1)
    if wanted == "all" or wanted >= frames:
        return range(frames)
    if wanted == 1:
        return range(1)
    # The first and the last are among them.
    return [round(step * (frames - 1) / (wanted - 1)) for step in range(wanted)]


class _Done:
    """What an earlier run wrote: files whose rows are complete, and the frames of one that is not.

    A file is remembered by 64 bits of its name, so that a long table does not fill the memory. A
    name may come more than once, so it is counted.
    """

    def __init__(self, rows: Iterable[Mapping[str, str]], wanted: Frames) -> None:
        self._complete: Counter[bytes] = Counter()
        self._partial: tuple[bytes, set[int]] | None = None
        for row in rows:
            name = _short(row["file"])
            if not row["frame"]:
                self._complete[name] += 1
                continue
            try:
                frame, frames = int(row["frame"]) - 1, int(row["frames"])
            except ValueError as error:
                raise ScoreError(
                    _("The results there cannot be understood. Choose another file.")
                ) from error
            # Rows are in the order of the files, so only the last file can be incomplete.
            before: set[int] = set()
            if self._partial is not None and self._partial[0] == name:
                before = self._partial[1]
            if frame == planned(frames, wanted)[-1]:
                self._complete[name] += 1
                self._partial = None
            else:
                self._partial = (name, before | {frame})

    def take(self, name: str) -> bool:
        """Tell whether a file is complete; asked again, it is about the next of that name."""
        short = _short(name)
        if self._complete[short] <= 0:
            return False
        self._complete[short] -= 1
        return True

    def frames(self, name: str) -> set[int]:
        """Return the frames that are there of the one file that is incomplete, and forget them."""
        if self._partial is None or self._partial[0] != _short(name):
            return set()
        found, self._partial = self._partial[1], None
        return found


def _short(name: str) -> bytes:
    # As it stands in the table, where signs that a spreadsheet would run are marked.
    shown = written({"file": name}, ("file",))[0]
    return hashlib.blake2b(str(shown).encode("utf-8", "replace"), digest_size=8).digest()


def _run_name(predictor: Predictor, options: Options) -> str:
    """Name what makes the rows: results of two runs are comparable if they share it."""
    made_by = {
        "format": _FORMAT,
        "bundle": predictor.bundle.digest,
        "controls": options.controls.to_dict(),
        "frames": options.frames,
    }
    return hashlib.sha256(json.dumps(made_by, sort_keys=True).encode()).hexdigest()[:16]


def _all_but(out: Path, files: Iterable[tuple[str, Loader]]) -> Iterator[tuple[str, Loader]]:
    """Leave out the table itself, where it lies in a folder that is read."""
    own = out.resolve()
    for name, load in files:
        if not (name.endswith(out.name) and Path(name).resolve() == own):
            yield name, load


def _sources(
    files: Iterable[tuple[str, Loader]],
    done: _Done,
    frames: Frames,
    settings: Settings,
    turns: deque[_Turn],
    shown: Progress,
) -> Generator[ReadSource]:
    """Yield what is read, and note for each whose turn it is."""
    left = []
    for name, load in files:
        if done.take(name):
            shown.files_done += 1
            shown.files_before += 1
        else:
            left.append((name, load))
    if frames == "first":
        for name, load in left:
            turns.append(_Turn(name, last=True))
            yield partial(_open, load, settings)
        return
    for name, opened in _opened_ahead(left, settings):
        if isinstance(opened, OverreadError):
            turns.append(_Turn(name, last=True))
            yield opened
            continue
        wanted, known = planned(opened.frames, frames), done.frames(name)
        for frame in wanted:
            if frame not in known:
                turns.append(_Turn(name, frame == wanted[-1], frame, opened.frames))
                yield partial(_frame, opened, frame)


def _opened_ahead(
    files: Iterable[tuple[str, Loader]], settings: Settings
) -> Generator[tuple[str, Scan | OverreadError]]:
    spoken = language()

    def attempt(load: Loader) -> Scan | OverreadError:
        with use_language(spoken):
            try:
                return _open(load, settings)
            except OverreadError as error:
                return error

    with ThreadPoolExecutor(_OPENED_AHEAD, thread_name_prefix="score-open") as pool:
        waiting: deque[tuple[str, Any]] = deque()
        for name, load in files:
            waiting.append((name, pool.submit(attempt, load)))
            if len(waiting) > _OPENED_AHEAD:
                first, future = waiting.popleft()
                yield first, future.result()
        while waiting:
            first, future = waiting.popleft()
            yield first, future.result()


def _open(load: Callable[[], bytes], settings: Settings) -> Scan:
    try:
        return read_scan(load(), settings=settings)
    except (OSError, MemoryError, ValueError, LookupError, RuntimeError) as error:
        # A fault of ours: it must not take the other files with it.
        logger.exception("A file could not be opened")
        raise ScanError(
            _("This file could not be opened. Export the scan again and try that.")
        ) from error


def _frame(opened: Scan, frame: int) -> Scan:
    if frame == opened.frame:
        return opened
    if opened.loop is None:
        raise ScanError(_("This frame cannot be opened."))
    return opened.loop.frame(frame)


def _place(turn: _Turn, read: BatchRead) -> tuple[int | None, int | None]:
    """Return which frame, from 1, of how many the row is about."""
    if read.scan is not None:
        return read.scan.frame + 1, read.scan.frames
    return (None if turn.frame is None else turn.frame + 1), turn.frames
