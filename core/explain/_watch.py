"""How far a long explanation is, and how it is stopped."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextvars import copy_context
from dataclasses import dataclass
from queue import SimpleQueue
from threading import Event, Thread
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
    told: SimpleQueue[Step | Finished[T] | BaseException] = SimpleQueue()
    stop = Event()

    def watch(done: int, total: int) -> None:
        if stop.is_set():
            raise stopped
        told.put(Step(done, total))

    def run() -> None:
        # Whatever ends the work, whoever waits must hear of it: it is raised again there.
        try:
            told.put(Finished(work(watch)))
        except BaseException as error:  # noqa: BLE001
            told.put(error)

    # Made here: the language in force is the asking thread's.
    stopped = JobCancelled(_("This was stopped before it was done."))
    thread = Thread(target=copy_context().run, args=(run,), name="explain", daemon=True)
    thread.start()
    try:
        while True:
            news = told.get()
            if isinstance(news, BaseException):
                raise news
            yield news
            if isinstance(news, Finished):
                return
    finally:
        stop.set()
        thread.join()
