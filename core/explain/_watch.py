"""How far a long explanation is, and how it is stopped."""

from __future__ import annotations

from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass
from queue import SimpleQueue
from threading import Event
from typing import Generic, TypeAlias, TypeVar

from core.errors import JobCancelled
from core.text import _

T = TypeVar("T")

#: Told ``(done, total)`` after each batch of the network; it stops the work by raising
#: :class:`core.errors.JobCancelled`. Called on the thread that works.
Watch: TypeAlias = Callable[[int, int], None]


def unwatched(done: int, total: int) -> None:
    """Let the work run to its end."""


@dataclass(frozen=True, slots=True)
class Step:
    """So many of ``total`` parts of the work are done."""

    done: int
    total: int


@dataclass(frozen=True, slots=True, eq=False)
class Finished(Generic[T]):
    """The work is done, and this is what it gave."""

    result: T


def in_steps(work: Callable[[Watch], T]) -> Generator[Step | Finished[T]]:
    """Run work that reports to a :data:`Watch` as something that gives its results one by one.

    That is what :mod:`core.jobs` runs: ``runner.start(lambda: in_steps(work))`` shows progress,
    and cancelling the job, or losing it, stops the work after the batch under way.

    Parameters
    ----------
    work
        Called once with the watch to report to, on a thread of its own.

    Yields
    ------
    A :class:`Step` for each report, and the result as :class:`Finished` at the end.

    Raises
    ------
    OverreadError
        Whatever the work raises.
    """
    told: SimpleQueue[Step | None] = SimpleQueue()
    stop = Event()

    def watch(done: int, total: int) -> None:
        if stop.is_set():
            raise stopped
        told.put(Step(done, total))

    # Made here: the language in force is the asking thread's.
    stopped = JobCancelled(_("This was stopped before it was done."))
    with ThreadPoolExecutor(1, "explain") as pool:
        work_done = pool.submit(copy_context().run, work, watch)
        # However the work ends, whoever waits must hear of it.
        work_done.add_done_callback(lambda _done: told.put(None))
        try:
            while (step := told.get()) is not None:
                yield step
            yield Finished(work_done.result())
        finally:
            stop.set()
