"""From paths to rows: files opened ahead, read in batches, shaped, measured and written."""

from __future__ import annotations

import hashlib
import json
import time
import unicodedata
from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from core.errors import ScoreError
from core.lesion import LesionControls
from core.model import Predictor
from core.scan import files_of
from core.score._rows import columns, constants, make_row, written
from core.score._sources import Frames, Turn, planned, sources
from core.score._table import Table
from core.settings import Settings
from core.text import _

#: Goes up when the meaning of a column changes.
_FORMAT = 3
#: Characters of the reason to read what fails the quality check.
LONGEST_REASON = 500


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
    read_failing
        Why scans that fail the quality check are read all the same, and answers to scans the model
        does not know are given: one line of at most 500 characters, which stands in their rows.
        Empty: they are not.

    Raises
    ------
    ScoreError
        The reason cannot be stored.
    """

    frames: Frames = "first"
    controls: LesionControls = field(default_factory=LesionControls)
    batch_size: int = 16
    resume: bool = False
    overwrite: bool = False
    read_failing: str = ""

    def __post_init__(self) -> None:
        """Refuse a reason that cannot be stored."""
        check_reason(self.read_failing)


def check_reason(reason: str) -> None:
    """Refuse a reason that does not fit into one line of a table; none is allowed here.

    Raises
    ------
    ScoreError
        One line says why.
    """
    if len(reason) > LONGEST_REASON:
        raise ScoreError(
            _("The reason has {n} characters; shorten it to {limit}.").format(
                n=len(reason), limit=LONGEST_REASON
            )
        )
    # Half a character (a lone surrogate) has no place in UTF-8.
    if any(unicodedata.category(sign) in ("Cc", "Cs", "Zl", "Zp") for sign in reason):
        raise ScoreError(
            _("The reason must be one line, without signs that cannot be stored. Type it again.")
        )
    if reason and not reason.strip():
        raise ScoreError(_("The reason is empty: say why such scans are read all the same."))


@dataclass(slots=True)
class Progress:
    """How far it is; read by whoever shows it, from any thread.

    Attributes
    ----------
    files, files_done
        Files found, and those whose rows are complete, earlier ones included.
    files_before
        Those an earlier run had completed.
    read, not_read, not_known, problems
        Rows of this run: with an answer, held back by the quality check, held back as no scan the
        model knows, and with what is wrong.
    """

    files: int = 0
    files_done: int = 0
    files_before: int = 0
    read: int = 0
    not_read: int = 0
    not_known: int = 0
    problems: int = 0
    began: float = field(default_factory=time.monotonic)

    @property
    def rows(self) -> int:
        """Rows of this run."""
        return self.read + self.not_read + self.not_known + self.problems

    @property
    def per_second(self) -> float:
        """Rows per second so far."""
        seconds = time.monotonic() - self.began
        return self.rows / seconds if seconds > 0 else 0.0

    @property
    def seconds_left(self) -> float | None:
        """How long the files that are left will take at the pace so far."""
        done = self.files_done - self.files_before
        if not done:
            return None
        return (time.monotonic() - self.began) / done * (self.files - self.files_done)


@dataclass(frozen=True, slots=True)
class Summary:
    """What a run did; rows of all kinds are this run's, ``files_before`` an earlier one's.

    ``not_read`` counts rows held back by the quality check, ``not_known`` those held back as no
    scan the model knows, ``flagged`` those at or above the threshold of the approved operating
    point, ``unsure`` those of them all whose answer is not sure.
    """

    files: int
    files_before: int
    rows: int
    not_read: int
    problems: int
    flagged: int
    seconds: float
    per_second: float
    task: str
    version: str
    bundle_digest: str
    run: str
    not_known: int = 0
    unsure: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Return it ready for JSON."""
        return asdict(self)


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
        The table cannot be written, is there already, is one of the inputs or no table, or was
        made by another run.
    """
    _refuse_inputs(paths, out)
    chosen, shown = options or Options(), progress or Progress()
    run = _run_name(predictor, chosen)
    names = columns(predictor.bundle)
    fixed = constants(predictor.bundle, chosen.controls, run)
    with Table(out, names, run, resume=chosen.resume, overwrite=chosen.overwrite) as table:
        done = _Done(table.rows(), chosen.frames)
        # Nothing is read for the list, and it is no longer than the limits allow.
        # The table itself may lie in a folder that is read.
        found = list(files_of(paths, settings, without=out))
        shown.files, shown.began = len(found), time.monotonic()
        left = [file for file in found if not done.take(file[0])]
        shown.files_done = shown.files_before = len(found) - len(left)
        turns: deque[Turn] = deque()
        flagged = unsure = 0
        opening = sources(left, chosen.frames, chosen.read_failing, settings, done.frames, turns)
        with (
            closing(opening),
            closing(
                predictor.read_many(opening, batch_size=chosen.batch_size, heat=False)
            ) as reading,
        ):
            for read in reading:
                turn = turns.popleft()
                row = make_row(turn, read, chosen.controls, chosen.read_failing)
                table.add(written({**fixed, **row}, names))
                shown.read += row["status"] == "read"
                held_back = row["status"] == "not read"
                unknown = held_back and row.get("known_scan") == "no"
                shown.not_known += unknown
                shown.not_read += held_back and not unknown
                shown.problems += row["status"] == "problem"
                shown.files_done += turn.last
                flagged += row.get("flagged") == "yes"
                unsure += row.get("sure") == "no"
    seconds = time.monotonic() - shown.began
    return Summary(
        files=shown.files,
        files_before=shown.files_before,
        rows=shown.rows,
        not_read=shown.not_read,
        problems=shown.problems,
        flagged=flagged,
        seconds=round(seconds, 3),
        per_second=round(shown.rows / seconds, 2) if seconds > 0 else 0.0,
        task=predictor.card.task,
        version=predictor.card.version,
        bundle_digest=predictor.bundle.digest,
        run=run,
        not_known=shown.not_known,
        unsure=unsure,
    )


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
        "read_failing": options.read_failing,
    }
    return hashlib.sha256(json.dumps(made_by, sort_keys=True).encode()).hexdigest()[:16]


def _refuse_inputs(paths: Iterable[Path], out: Path) -> None:
    """Refuse to write into what is to be read. In folders :class:`Table` knows it by its content.

    Raises
    ------
    ScoreError
        One of the paths is the output, by whatever name or link.
    """
    for path in paths:
        try:
            same = path.samefile(out)
        except (OSError, ValueError):  # one of them is not there, which is told later
            continue
        if same:
            raise ScoreError(
                _("The results would be written over what is to be read. Choose another file.")
            )
