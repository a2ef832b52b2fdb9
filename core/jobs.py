"""Long work in the background: one item after the other, with progress, and it can be stopped.

A job is a thread of this process and not a process of its own. What takes long here is the
network, and TensorFlow lets go of Python's lock while it computes, so the pages stay quick; a
second process would import TensorFlow and load the model once more, some 600 MB and ten seconds
each, and could not share the gate that lets a waiting reader go first.

Work is whatever gives its results one by one. A job is stopped between two of them, by closing the
iterator, so that what it opened is closed too. A job nobody holds any more is stopped by itself:
whoever started it has left.
"""

from __future__ import annotations

import logging
import time
import weakref
from collections import deque
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
from functools import cache
from threading import Condition, Lock, Thread
from typing import Generic, Literal, TypeVar

from core.errors import JobCancelled, JobsBusy, OverreadError
from core.text import _, language, use_language

logger = logging.getLogger(__name__)

T = TypeVar("T")
State = Literal["waiting", "running", "done", "failed", "cancelled"]
#: Jobs of this process that run at once: two would share the same cores.
_RUNNING = 1
_WAITING = 32


@dataclass(frozen=True, slots=True)
class JobStatus:
    """How far a job is.

    Attributes
    ----------
    state
        ``waiting`` for others to end, ``running``, ``done``, ``failed`` or ``cancelled``.
    done, total
        Items that came, and how many there will be; None where that is not known.
    seconds, seconds_left
        Since it began to run, and until it ends at the pace so far; None before the first item
        and where the total is not known.
    error
        One line for a person where it failed.
    """

    state: State
    done: int
    total: int | None
    seconds: float
    seconds_left: float | None
    error: str | None = None

    @property
    def ended(self) -> bool:
        """Whether nothing more will come."""
        return self.state in ("done", "failed", "cancelled")

    @property
    def share(self) -> float:
        """Share that is done, 0..1; 0 where the total is not known and it has not ended."""
        if self.state == "done":
            return 1.0
        return min(self.done / self.total, 1.0) if self.total else 0.0


class _Work(Generic[T]):
    """What the thread holds: everything but the handle, so that a lost handle is noticed."""

    def __init__(self, make: Callable[[], Iterable[T]], total: int | None, name: str) -> None:
        self.make: Callable[[], Iterable[T]] | None = make
        self.name = name
        self.total = total
        self.spoken = language()
        self.changed = Condition()
        self.items: list[T] = []
        self.state: State = "waiting"
        self.stop = False
        self.error: OverreadError | None = None
        self.began = self.ended = 0.0

    def cancel(self) -> None:
        with self.changed:
            self.stop = True
            if self.state == "waiting":
                self._end("cancelled")

    def run(self) -> None:
        """Do the work; any end is noted, whatever it is."""
        with self.changed:
            if self.state != "waiting" or self.make is None:
                return
            make, self.make = self.make, None
            self.state, self.began = "running", time.monotonic()
        with use_language(self.spoken):
            stopped = OverreadError(_("This stopped unexpectedly. What was done so far is kept."))
        try:
            with use_language(self.spoken):
                self._take(make())
                with self.changed:
                    self._end("cancelled" if self.stop else "done")
        except JobCancelled:
            with self.changed:
                self._end("cancelled")
        except OverreadError as error:
            with self.changed:
                self._end("failed", error)
        except (OSError, MemoryError, ValueError, TypeError, LookupError, RuntimeError) as error:
            logger.exception("A job failed: %s", self.name)
            stopped.__cause__ = error
        finally:
            # Whoever waits must hear of any end.
            with self.changed:
                self._end("failed", stopped)

    def _take(self, items: Iterable[T]) -> None:
        try:
            for item in items:
                with self.changed:
                    if self.stop:
                        return
                    self.items.append(item)
                    self.changed.notify_all()
        finally:
            if isinstance(items, Generator):
                items.close()

    def _end(self, state: State, error: OverreadError | None = None) -> None:
        if self.state in ("waiting", "running"):
            self.state, self.error, self.ended = state, error, time.monotonic()
            self.make = None
            self.changed.notify_all()

    def status(self) -> JobStatus:
        with self.changed:
            until = self.ended or time.monotonic()
            seconds = until - self.began if self.began else 0.0
            done, left = len(self.items), None
            if self.state == "running" and done and self.total is not None:
                left = seconds / done * max(self.total - done, 0)
            error = None if self.error is None else str(self.error)
            return JobStatus(self.state, done, self.total, seconds, left, error)


class Job(Generic[T]):
    """A handle on work in the background; safe to ask from any thread, and never slow.

    Let go of the last handle and the job is stopped.
    """

    def __init__(self, work: _Work[T]) -> None:
        self._work = work
        self._lost = weakref.finalize(self, work.cancel)
        self._lost.atexit = False

    @property
    def name(self) -> str:
        """What it is called, in logs and as a thread; never from a person or a file."""
        return self._work.name

    def status(self) -> JobStatus:
        """Say how far it is."""
        return self._work.status()

    def items(self, since: int = 0) -> tuple[T, ...]:
        """Return what came so far, from item ``since`` on; items are only ever added."""
        with self._work.changed:
            return tuple(self._work.items[since:])

    def cancel(self) -> None:
        """Stop after the item under way; what came so far stays."""
        self._work.cancel()

    def wait(self, timeout: float | None = None) -> JobStatus:
        """Wait until it has ended, at most ``timeout`` seconds, and say how far it is."""
        with self._work.changed:
            self._work.changed.wait_for(
                lambda: self._work.state in ("done", "failed", "cancelled"), timeout
            )
        return self.status()

    def result(self) -> tuple[T, ...]:
        """Return every item once it is done.

        Raises
        ------
        JobCancelled
            It was stopped, or has not ended yet.
        OverreadError
            It failed: the error it met.
        """
        if self._work.error is not None:
            raise self._work.error
        if self.status().state != "done":
            raise JobCancelled(_("This was stopped before it was done."))
        return self.items()


class JobRunner:
    """Runs a few jobs at once; the others wait their turn, in the order they came.

    Parameters
    ----------
    running, waiting
        Jobs that run at once, and jobs that may wait; one more is turned away.
    """

    def __init__(self, running: int = _RUNNING, waiting: int = _WAITING) -> None:
        self._running = running
        self._most_waiting = waiting
        self._now = 0
        self._waiting: deque[_Work[object]] = deque()
        self._lock = Lock()

    def start(
        self, make: Callable[[], Iterable[T]], *, total: int | None = None, name: str = "job"
    ) -> Job[T]:
        """Run ``make`` and go through what it gives, on a thread of its own.

        Parameters
        ----------
        make
            Called once, on that thread; the language in force now holds there too.
        total
            How many items there will be, where that is known.
        name
            For logs and the thread: nothing typed, nothing about a patient.

        Raises
        ------
        JobsBusy
            Too many wait already.
        """
        work: _Work[T] = _Work(make, total, name)
        with self._lock:
            self._waiting = deque(each for each in self._waiting if each.state == "waiting")
            if self._now >= self._running and len(self._waiting) >= self._most_waiting:
                raise JobsBusy(_("Too much is being worked on just now. Try again in a minute."))
            self._waiting.append(work)  # type: ignore[arg-type]  # the runner looks at no item
        self._fill()
        return Job(work)

    def _fill(self) -> None:
        with self._lock:
            while self._waiting and self._now < self._running:
                work = self._waiting.popleft()
                if work.state == "waiting":
                    self._now += 1
                    Thread(
                        target=self._run, args=(work,), name=f"job-{work.name}", daemon=True
                    ).start()

    def _run(self, work: _Work[object]) -> None:
        try:
            work.run()
        finally:
            with self._lock:
                self._now -= 1
            del work
            self._fill()


@cache
def shared_runner() -> JobRunner:
    """Return the process's one runner."""
    return JobRunner()
