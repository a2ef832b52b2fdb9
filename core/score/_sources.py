"""From files to what is read: opened and checked on other threads, frames of loops one by one."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

from core.errors import OverreadError, QualityFailed, ScanError
from core.model import Source as ReadSource
from core.scan import Outcome, Scan, check_quality, read_scan
from core.score._rows import Row, scan_cells
from core.settings import Settings
from core.text import _, language, use_language

logger = logging.getLogger(__name__)

#: Gives the bytes of a file, or raises :class:`~core.errors.ScanError`.
Loader = Callable[[], bytes]
#: Which frames of a loop are read: the first, all, or this many spread evenly.
Frames = Literal["first", "all"] | int
#: Files opened ahead where their frames have to be counted first.
_OPENED_AHEAD = 2


@dataclass(slots=True)
class Turn:
    """One row to come.

    Attributes
    ----------
    name
        The file, as it was found.
    last
        Whether this row closes its file.
    frame, frames
        Which frame, from 0, of how many, where that is known before it is opened.
    cells
        What the row says of the scan and its quality, once it was opened. Cells and not the scan,
        which need not stay in memory where it is not read.
    """

    name: str
    last: bool
    frame: int | None = None
    frames: int | None = None
    cells: Row | None = None


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


def sources(
    files: Iterable[tuple[str, Loader]],
    frames: Frames,
    reason: str,
    settings: Settings,
    known: Callable[[str], set[int]],
    turns: deque[Turn],
) -> Generator[ReadSource]:
    """Yield what is read, and note for each whose turn it is.

    Parameters
    ----------
    files
        Names, and what gives their bytes.
    frames
        Which frames of a loop.
    reason
        Why scans that fail the quality check are read; empty where they are not.
    settings
        Limits on bytes and pixels.
    known
        Gives the frames of a file, from 0, that have their rows already.
    turns
        Takes one for every source, in the same order.
    """
    if frames == "first":
        for name, load in files:
            turn = Turn(name, last=True)
            turns.append(turn)
            yield partial(_checked, partial(_open, load, settings), turn, reason)
        return
    for name, opened in _opened_ahead(files, settings):
        if isinstance(opened, OverreadError):
            turns.append(Turn(name, last=True))
            yield opened
            continue
        wanted, there = planned(opened.frames, frames), known(name)
        for frame in wanted:
            if frame not in there:
                turn = Turn(name, frame == wanted[-1], frame, opened.frames)
                turns.append(turn)
                yield partial(_checked, partial(_frame, opened, frame), turn, reason)


def _checked(open_scan: Callable[[], Scan], turn: Turn, reason: str) -> Scan:
    """Open a scan and check it; one that fails comes through for a reason alone."""
    with _own_faults():
        scan = open_scan()
        report = check_quality(scan)
        turn.cells = scan_cells(scan, report)
    if report.outcome is Outcome.FAIL and not reason:
        raise QualityFailed(
            _(
                "It fails the quality check and was not read. Correct it on the read page, or say "
                "with --read-failing why it is read all the same."
            )
        )
    return scan


def _opened_ahead(
    files: Iterable[tuple[str, Loader]], settings: Settings
) -> Generator[tuple[str, Scan | OverreadError]]:
    spoken = language()

    def attempt(load: Loader) -> Scan | OverreadError:
        with use_language(spoken):
            try:
                with _own_faults():
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


@contextmanager
def _own_faults() -> Iterator[None]:
    """Turn a fault of ours into what is wrong with one file: it must take no other with it."""
    try:
        yield
    except (OSError, MemoryError, ValueError, LookupError, RuntimeError) as error:
        logger.exception("A file could not be opened")
        raise ScanError(
            _("This file could not be opened. Export the scan again and try that.")
        ) from error


def _open(load: Loader, settings: Settings) -> Scan:
    return read_scan(load(), settings=settings)


def _frame(opened: Scan, frame: int) -> Scan:
    if frame == opened.frame:
        return opened
    if opened.loop is None:
        raise ScanError(_("This frame cannot be opened."))
    return opened.loop.frame(frame)
