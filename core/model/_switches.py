"""The record of which version of a task is active: one line per switch, only ever appended.

It lies beside the bundles it names, ``var/models/<task>/active.jsonl``, and not in the database:
reading goes on without a database, and the command line runs without one. Were the record there, a
database that is down would quietly bring back another model. Every process of a site sees a switch
by the state of this one file, and a backup of the bundles holds which of them is used.

The last whole line counts. A line is whole once its line feed is written, so a process that is
killed while it writes, or a disk that fills, leaves the version before active.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from typing import Any, Literal, NamedTuple, TypeAlias, get_args

from core.errors import BundleInvalid, SwitchRefused
from core.settings import Settings
from core.store import sync_folder
from core.text import _

logger = logging.getLogger(__name__)

RECORD = "active.jsonl"
FORMAT = 1
LONGEST_REASON = 500

#: ``keep`` holds the version that was active by itself, so that one that is added does not take
#: its place.
Action: TypeAlias = Literal["promote", "rollback", "keep"]


class Which(NamedTuple):
    """A bundle by its version and the SHA-256 of its files: a version alone could be rewritten."""

    version: str
    digest: str


@dataclass(frozen=True, slots=True)
class Switch:
    """One switch: what became active, what was before, when, by whom and why.

    Attributes
    ----------
    at
        When, UTC.
    version, digest
        What became active.
    before_version, before_digest
        What was active until then; empty where nothing was.
    by
        Id of the person, or ``shell:`` and the account at a command line.
    reason
        What they gave as reason; may be empty.
    """

    at: datetime
    action: Action
    version: str
    digest: str
    before_version: str
    before_digest: str
    by: str
    reason: str

    @property
    def which(self) -> Which:
        """What became active."""
        return Which(self.version, self.digest)

    @property
    def before(self) -> Which | None:
        """What was active until then."""
        return Which(self.before_version, self.before_digest) if self.before_digest else None


class Approved(NamedTuple):
    """What a record comes to.

    ``line`` holds what was made active and not taken back since, the active one last;
    ``withdrawn`` the digests of what was taken back, and has not been made active again.
    """

    line: tuple[Which, ...]
    withdrawn: frozenset[str]

    @property
    def chosen(self) -> Which | None:
        """What was made active last; None where nobody ever chose."""
        return self.line[-1] if self.line else None


def approved(switches: tuple[Switch, ...]) -> Approved:
    """Go through a record from its beginning: a promotion is put on top, a rollback takes off."""
    line: list[Which] = []
    withdrawn: set[str] = set()
    for switch in switches:
        # Where what was chosen could not be used, another version answered until this switch.
        stood_in = switch.action != "rollback" and line[-1:] != [switch.before]
        if switch.before is not None and (not line or stood_in):
            line.append(switch.before)
        if switch.action == "rollback":
            while line and line[-1] != switch.which:
                withdrawn.add(line.pop().digest)
        if not line or line[-1] != switch.which:
            line.append(switch.which)
        withdrawn.discard(switch.digest)
    return Approved(tuple(line), frozenset(withdrawn))


def record_path(settings: Settings, task: str) -> Path:
    """Return where a task's record lies: always among the site's own, also for what ships."""
    return settings.model_roots[0] / task / RECORD


#: By file: its state, and what it holds. A page asks at every run.
_read: dict[Path, tuple[tuple[int, ...], tuple[Switch, ...]]] = {}
_read_lock = Lock()


def read_switches(settings: Settings, task: str) -> tuple[Switch, ...]:
    """Read a task's record, the oldest first; free as long as the file stays as it is.

    Raises
    ------
    BundleInvalid
        It is there and cannot be read: which version is active is not known, and guessing could
        bring back one that was taken out of use.
    """
    path = record_path(settings, task)
    try:
        found = path.stat()
        state = (found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
        with _read_lock:
            known = _read.get(path)
        if known is not None and known[0] == state:
            return known[1]
        switches = _parse(path.read_bytes(), task)
    except (FileNotFoundError, NotADirectoryError):
        return ()
    except OSError as error:
        raise BundleInvalid(
            _("Which version of the model is active cannot be read from disk; check its rights.")
        ) from error
    with _read_lock:
        _read[path] = (state, switches)
    return switches


def append_switch(
    settings: Settings, task: str, decide: Callable[[tuple[Switch, ...]], Switch | None]
) -> Switch | None:
    """Append what ``decide`` makes of the record as it stands, while nobody else can.

    Parameters
    ----------
    decide
        Gets the record; None leaves it as it is, an error too.

    Raises
    ------
    SwitchRefused
        It cannot be written; the record is as it was.
    """
    path = record_path(settings, task)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _locked(path) as handle:
            held = _whole(handle)
            # Choosing a version by name heals a record whose last line is damaged.
            switch = decide(_parse(held, task, last_counts=False))
            if switch is not None:
                _append(handle, len(held), _line(switch))
                sync_folder(path.parent)
    except OSError as error:
        raise SwitchRefused(
            _(
                "The switch could not be recorded: the disk may be full or read-only. "
                "The active version stays."
            )
        ) from error
    return switch


def now() -> datetime:
    """Return this moment, UTC."""
    return datetime.now(UTC)


@contextmanager
def _locked(path: Path) -> Iterator[int]:
    """Open the record for one writer at a time, of all threads and processes."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
    try:
        with suppress(ImportError):
            import fcntl

            fcntl.flock(handle, fcntl.LOCK_EX)
        yield handle
    finally:
        # The lock goes with it.
        os.close(handle)


def _whole(handle: int) -> bytes:
    """Return the whole lines of the record."""
    held = b""
    os.lseek(handle, 0, os.SEEK_SET)
    while chunk := os.read(handle, 2**16):
        held += chunk
    return held[: held.rfind(b"\n") + 1]


def _append(handle: int, whole: int, line: bytes) -> None:
    # What follows the last line feed was never a switch: whoever wrote it was cut off.
    os.ftruncate(handle, whole)
    try:
        left = line
        while left:
            left = left[os.write(handle, left) :]
        os.fsync(handle)
    except OSError:
        with suppress(OSError):
            os.ftruncate(handle, whole)
        raise


def _line(switch: Switch) -> bytes:
    entry = {"format": FORMAT} | asdict(switch) | {"at": switch.at.isoformat()}
    return json.dumps(entry, ensure_ascii=False, allow_nan=False).encode() + b"\n"


def _parse(data: bytes, task: str, *, last_counts: bool = True) -> tuple[Switch, ...]:
    found = []
    lines = data[: data.rfind(b"\n") + 1].splitlines()
    for number, line in enumerate(lines, start=1):
        switch = _switch(line)
        if switch is not None:
            found.append(switch)
        elif number == len(lines) and last_counts:
            # An older line that is damaged changes nothing; of the last one nobody knows.
            raise BundleInvalid(
                _(
                    "Which version of {task} is active cannot be read: the last line of its "
                    "record is damaged. Restore it from a backup."
                ).format(task=task)
            )
        else:
            logger.warning("Line %d of the record of active models of %s is damaged", number, task)
    return tuple(found)


def _switch(line: bytes) -> Switch | None:
    try:
        entry: dict[str, Any] = json.loads(line)
        if entry.pop("format") != FORMAT or entry["action"] not in get_args(Action):
            return None
        at = datetime.fromisoformat(entry.pop("at"))
        if at.tzinfo is None or not all(isinstance(value, str) for value in entry.values()):
            return None
        return Switch(at=at, **entry)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None
