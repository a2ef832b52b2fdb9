"""Many readers at once must neither swamp the machine nor wait for ever."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from threading import Event, Lock

import pytest

from core.errors import ModelBusy
from core.model import Gate


class Inside:
    """Counts threads inside a gate, and the most there ever were."""

    def __init__(self) -> None:
        self.lock = Lock()
        self.now = 0
        self.most = 0

    def __enter__(self) -> None:
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)

    def __exit__(self, *unused: object) -> None:
        with self.lock:
            self.now -= 1


@pytest.mark.parametrize("limit", [1, 3])
def test_no_more_reads_compute_at_once_than_the_site_allows(limit: int) -> None:
    gate, inside = Gate(limit), Inside()

    def work(_: int) -> None:
        with gate.enter(), inside:
            time.sleep(0.005)

    with ThreadPoolExecutor(12) as pool:
        list(pool.map(work, range(36)))
    assert inside.most == limit
    assert inside.now == 0


def test_a_reader_is_told_when_too_many_wait_already() -> None:
    gate, hold = Gate(1, queue=0), Event()

    with ThreadPoolExecutor(1) as pool, gate.enter():

        def late() -> None:
            with gate.enter():
                hold.set()

        with pytest.raises(ModelBusy, match="try again"):
            pool.submit(late).result()
    assert not hold.is_set()
    with gate.enter():
        pass


def test_a_reader_does_not_wait_for_ever() -> None:
    gate = Gate(1, wait=0.02)
    with gate.enter(), ThreadPoolExecutor(1) as pool, pytest.raises(ModelBusy):
        pool.submit(gate.enter().__enter__).result()


def test_a_read_that_fails_gives_its_place_back() -> None:
    gate = Gate(1, wait=0.02)
    for _ in range(3):
        with pytest.raises(RuntimeError), gate.enter():
            raise RuntimeError
