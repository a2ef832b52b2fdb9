"""Long work that a person can watch, stop and leave, and that never ends in silence."""

from __future__ import annotations

import gc
import logging
import threading
import time
import weakref
from collections.abc import Iterator

import pytest

from core.errors import JobCancelled, JobsBusy, ScanError
from core.jobs import Job, JobRunner, shared_runner
from core.text import language, use_language


class Steps:
    """Work that goes one step further each time it is told to."""

    def __init__(self, count: int) -> None:
        self.count, self.closed = count, False
        self.may = threading.Semaphore(0)

    def __call__(self) -> Iterator[int]:
        try:
            for step in range(self.count):
                assert self.may.acquire(timeout=20)
                yield step
        finally:
            self.closed = True

    def go(self, steps: int) -> None:
        self.may.release(steps)


def until(job: Job[int], done: int) -> None:
    deadline = time.monotonic() + 20
    while job.status().done < done:
        assert time.monotonic() < deadline
        time.sleep(0.001)


def job_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("job-")]


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    yield
    for thread in job_threads():
        thread.join(20)
    assert job_threads() == []


def test_what_is_done_so_far_can_be_seen_while_it_goes_on() -> None:
    steps = Steps(4)
    job = JobRunner().start(steps, total=4, name="steps")
    steps.go(2)
    until(job, 2)
    status = job.status()
    assert (status.state, status.done, status.total, status.share) == ("running", 2, 4, 0.5)
    assert status.seconds_left is not None
    assert status.seconds_left == pytest.approx(status.seconds)
    assert not status.ended
    seen = job.items()
    assert seen == (0, 1)
    assert job.items(since=1) == (1,)
    (thread,) = job_threads()
    assert (thread.name, thread.daemon) == ("job-steps", True)
    with pytest.raises(JobCancelled):
        job.result()
    steps.go(2)
    ended = job.wait(20)
    assert (ended.state, ended.done, ended.share, ended.seconds_left) == ("done", 4, 1.0, None)
    assert job.result() == (0, 1, 2, 3)
    assert seen == (0, 1)
    assert steps.closed


def test_stopping_keeps_what_was_done_and_closes_what_was_open() -> None:
    steps = Steps(9)
    job = JobRunner().start(steps, total=9)
    steps.go(3)
    until(job, 3)
    job.cancel()
    steps.go(1)
    assert job.wait(20).state == "cancelled"
    assert job.items() == (0, 1, 2)
    assert steps.closed
    assert job.status().error is None
    with pytest.raises(JobCancelled):
        job.result()


def test_a_failure_is_one_line_and_what_was_done_is_kept() -> None:
    def fails() -> Iterator[int]:
        yield 7
        raise ScanError("This frame is damaged.")

    job = JobRunner().start(fails)
    assert job.wait(20).state == "failed"
    assert job.status().error == "This frame is damaged."
    assert job.items() == (7,)
    with pytest.raises(ScanError, match="damaged"):
        job.result()


def test_a_fault_of_ours_is_logged_and_said_without_its_text(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def faulty() -> Iterator[int]:
        yield 7
        raise ValueError("/somebody/name.png")

    with caplog.at_level(logging.ERROR):
        job = JobRunner().start(faulty)
        assert job.wait(20).state == "failed"
    assert "name.png" not in (job.status().error or "name.png")
    assert "ValueError" in caplog.text


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_fault_nobody_thought_of_does_not_leave_a_job_running_for_ever() -> None:
    class Unknown(Exception):
        pass

    def faulty() -> Iterator[int]:
        raise Unknown
        yield 0

    runner = JobRunner()
    assert runner.start(faulty).wait(20).state == "failed"
    assert runner.start(lambda: [1]).wait(20).state == "done"


def test_jobs_wait_their_turn_and_too_many_are_turned_away() -> None:
    runner = JobRunner(running=1, waiting=1)
    first, second = Steps(1), Steps(1)
    running, waiting = runner.start(first), runner.start(second)
    assert waiting.status().state == "waiting"
    assert waiting.status().seconds == 0
    with pytest.raises(JobsBusy):
        runner.start(Steps(1))
    second.go(1)
    time.sleep(0.02)
    assert waiting.status().state == "waiting"
    first.go(1)
    assert running.wait(20).state == "done"
    assert waiting.wait(20).state == "done"


def test_one_that_waits_can_be_stopped_and_makes_room() -> None:
    runner = JobRunner(running=1, waiting=1)
    first, never = Steps(1), Steps(1)
    running, waiting = runner.start(first), runner.start(never)
    waiting.cancel()
    assert waiting.status().state == "cancelled"
    third = runner.start(lambda: [3])
    first.go(1)
    assert running.wait(20).state == "done"
    assert third.wait(20).state == "done"
    assert waiting.items() == ()
    assert not never.closed


def test_whoever_leaves_stops_the_work() -> None:
    steps = Steps(1000)
    job = JobRunner().start(steps, total=1000)
    steps.go(1)
    until(job, 1)
    del job
    gc.collect()
    steps.go(999)
    for thread in job_threads():
        thread.join(20)
    assert steps.closed
    assert steps.may.acquire(blocking=False)


def test_a_job_that_ended_lets_go_of_what_it_worked_on() -> None:
    class Large:
        pass

    def start() -> tuple[Job[int], weakref.ref[Large]]:
        large = Large()

        def work() -> Iterator[int]:
            yield id(large)

        return JobRunner().start(work), weakref.ref(large)

    job, large = start()
    job.wait(20)
    for thread in job_threads():
        thread.join(20)
    gc.collect()
    assert large() is None
    assert len(job.items()) == 1


def test_a_job_speaks_the_language_of_who_started_it() -> None:
    with use_language("zh_CN"):
        job = JobRunner().start(lambda: [language()])
    assert job.wait(20).state == "done"
    assert job.items() == ("zh_CN",)


def test_the_process_has_one_runner() -> None:
    assert shared_runner() is shared_runner()
