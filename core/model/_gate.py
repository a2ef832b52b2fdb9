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

    Notes
    -----
    Work in the background takes its turn behind every reader who waits, and leaves one place free
    where there are two or more: a long list never keeps a person waiting for more than one batch.
    """

    def __init__(self, limit: int, *, wait: float = 60.0, queue: int = 32) -> None:
        self._limit = limit
        self._wait = wait
        self._queue = queue
        self._inside = 0
        self._waiting = 0
        self._behind = 0
        self._changed = Condition()

    @contextmanager
    def enter(self, *, background: bool = False) -> Iterator[None]:
        """Wait for a place and hold it inside the ``with`` block.

        Parameters
        ----------
        background
            Whether nobody waits for this one in person.

        Raises
        ------
        ModelBusy
            Too many wait already, or no place came free in time.
        """
        if background:
            self._take_behind()
        else:
            self._take()
        try:
            yield
        finally:
            with self._changed:
                self._inside -= 1
                self._behind -= background
                # All: the one that wakes first may be one that has to let another go ahead.
                self._changed.notify_all()

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
                    # Those behind may wait for this one only.
                    self._changed.notify_all()
                if not free:
                    raise self._busy()
            self._inside += 1

    def _take_behind(self) -> None:
        with self._changed:
            if not self._changed.wait_for(self._has_place_behind, self._wait):
                raise self._busy()
            self._inside += 1
            self._behind += 1

    def _has_place_behind(self) -> bool:
        most = max(1, self._limit - 1)
        return self._has_place() and self._waiting == 0 and self._behind < most

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
