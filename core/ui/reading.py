"""The model's turn: the image on screen at once, the others in the background."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

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


def _read_the_rest(reading: ReadingList, predictor: BatchReader) -> None:
    job: Job[OpenScan] | None = st.session_state.get(_JOB)
    if job is None or job.status().ended:
        waiting = reading.unread

        def work() -> Iterator[OpenScan]:
            return read_all(waiting, predictor)

        # Held by the session alone: it is stopped when the session goes.
        st.session_state[_JOB] = shared_runner().start(work, total=len(waiting), name="read-list")
    _show_progress()


@st.fragment(run_every=0.5)
def _show_progress() -> None:
    job: Job[Any] | None = st.session_state.get(_JOB)
    if job is None:
        return
    status = job.status()
    if status.ended:
        del st.session_state[_JOB]
        if status.error is not None:
            st.toast(status.error, icon=":material/error:")
        # The strip shows where each scan stands.
        st.rerun()
    said = _("Read {done} of {n} in the background").format(done=status.done, n=status.total)
    if status.seconds_left is not None:
        said += " · " + _("about {n} s left").format(n=max(1, round(status.seconds_left)))
    with st.container(horizontal=True, gap="small", vertical_alignment="center", key="reading-job"):
        st.progress(status.share, said)


@st.fragment(run_every=1.0)
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
