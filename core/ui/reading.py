"""The model's turn: the image on screen at once, the others in the background."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import streamlit as st

from core.errors import OverreadError
from core.jobs import Job, shared_runner
from core.model import WarmUp
from core.text import _, translated
from core.ui import service
from core.ui.open_scan import OpenScan
from core.ui.reading_list import BatchReader, ReadingList, read_all

_JOB = "reading-job"


def let_the_model_read(reading: ReadingList) -> None:
    """Read what has not been read; say so while the model is not ready, and how far it is.

    The image on screen is read in this very run. All others are read by a job, so that the page
    answers meanwhile; it ends with the session.
    """
    waiting = reading.unread
    if not waiting:
        return
    warm = service.model()
    status = warm.status()
    if status.state == "failed":
        # The warm-up spoke English, for nobody's session: the text is a message to translate.
        for item in waiting:
            item.problem = translated(status.error or "")
        st.rerun()
    if status.state != "ready":
        _wait_for_model(warm)
        return
    try:
        predictor = warm.get_predictor()
        shown = reading.shown
        if shown is not None and shown.is_unread:
            list(read_all([shown], predictor))
        if reading.unread:
            _read_the_rest(reading, predictor)
    except OverreadError as error:
        for item in reading.unread:
            item.problem = str(error)
        st.rerun()


@dataclass(frozen=True, slots=True, eq=False)
class Background:
    """What is read in the background, and the job that does it.

    Held by the session alone: the job is stopped when the session goes.
    """

    job: Job[OpenScan]
    items: tuple[OpenScan, ...]

    def settle(self) -> None:
        """Give the images of a job that broke its error: it would meet the same fault again."""
        error = self.job.status().error
        for item in self.items if error is not None else ():
            if item.is_unread:
                item.problem = error


def _read_the_rest(reading: ReadingList, predictor: BatchReader) -> None:
    under_way: Background | None = st.session_state.get(_JOB)
    if under_way is not None and under_way.job.status().ended:
        under_way.settle()
        under_way = None
    waiting = tuple(reading.unread)
    if under_way is None and waiting:

        def work() -> Iterator[OpenScan]:
            return read_all(waiting, predictor)

        job = shared_runner().start(work, total=len(waiting), name="read-list")
        st.session_state[_JOB] = Background(job, waiting)
    _show_progress()


@st.fragment(run_every=0.5)
def _show_progress() -> None:
    under_way: Background | None = st.session_state.get(_JOB)
    if under_way is None:
        return
    status = under_way.job.status()
    if status.ended:
        under_way.settle()
        del st.session_state[_JOB]
        # The strip shows where each scan stands.
        st.rerun()
    said = _("Read {done} of {n} in the background").format(done=status.done, n=status.total)
    if status.seconds_left is not None:
        said += " · " + _("about {n} s left").format(n=max(1, round(status.seconds_left)))
    with st.container(horizontal=True, gap="small", vertical_alignment="center", key="reading-job"):
        st.progress(status.share, said)


@st.fragment(run_every=2.0)
def _wait_for_model(warm: WarmUp) -> None:
    """Say what the model is doing, and show the answer as soon as it can be given."""
    state = warm.status().state
    if state in ("ready", "failed"):
        st.rerun()
    step = {
        "waiting": _("The model waits to start."),
        "importing": _("The model is starting (about ten seconds)."),
        "loading": _("The model is loading."),
    }.get(state, "")
    st.info(
        step + " " + _("You can look at the scan and fill in your read meanwhile."),
        icon=":material/hourglass_top:",
    )
