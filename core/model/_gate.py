"""How many reads compute at once, and how long the others wait."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from threading import Condition

from core.errors import ModelBusy
from core.text import _


class Gate:
    """Lets at most ``limit`` threads in; the others wait, at most ``queue`` of them.

    Parameters
    ----------
    limit
        Threads inside at the same time.
    wait
        Seconds a thread waits before it gives up.
    queue
        Threads that may wait; one more is turned away at once.
    """

    def __init__(self, limit: int, *, wait: float = 60.0, queue: int = 32) -> None:
        self._limit = limit
        self._wait = wait
        self._queue = queue
        self._inside = 0
        self._waiting = 0
        self._changed = Condition()

    @contextmanager
    def enter(self) -> Iterator[None]:
        """Wait for a place and hold it inside the ``with`` block.

        Raises
        ------
        ModelBusy
            Too many wait already, or no place came free in time.
        """
        self._take()
        try:
            yield
        finally:
            with self._changed:
                self._inside -= 1
                self._changed.notify()

    def _take(self) -> None:
        with self._changed:
            if self._inside >= self._limit:
                if self._waiting >= self._queue:
                    raise self._busy()
                self._waiting += 1
                try:
                    free = self._changed.wait_for(self._has_place, self._wait)
                finally:
                    self._waiting -= 1
                if not free:
                    raise self._busy()
            self._inside += 1

    def _has_place(self) -> bool:
        return self._inside < self._limit

    def _busy(self) -> ModelBusy:
        return ModelBusy(
            _("Many scans are being read just now. This one is kept: try again in a minute.")
        )


@cache
def shared_gate(limit: int) -> Gate:
    """Return the process's gate of this width: models share the machine, so they share it."""
    return Gate(limit)
