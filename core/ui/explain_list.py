"""Explain all scans on the list: choose a method, follow the work, take the files away."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from threading import Event

import streamlit as st

from core.errors import OverreadError
from core.explain import METHODS, Drawing, asked_name, caveat_words, method_name
from core.jobs import Job, JobStatus
from core.text import _, language, ngettext
from core.ui.explain_batch import (
    MOST_SCANS,
    Outcome,
    Turn,
    explain_list,
    list_runner,
    turn_of,
    zip_of,
)
from core.ui.explain_jobs import model_of
from core.ui.explain_kept import Question
from core.ui.frame_curve import about
from core.ui.open_scan import OpenScan
from core.ui.reading_list import ReadingList
from core.ui.report_panel import in_language
from core.ui.wording import class_name

_KEY = "explain-list"


@dataclass(slots=True, eq=False)
class _Run:
    """A list that is, or was, explained; held by the session alone, so that it stops with it.

    Attributes
    ----------
    job
        Gives an outcome for each scan.
    method, target
        What was asked.
    shown
        The images by digest, for their outlines and their panels.
    stop
        Set to leave the scan under way too.
    """

    job: Job[Outcome]
    method: str
    target: str
    shown: dict[str, OpenScan]
    stop: Event


def explain_all(reading: ReadingList) -> None:
    """Offer to explain every scan on the list, and what came of it as files."""
    with st.container(border=True, gap="small", key="explain-list-panel"):
        st.markdown("**" + _("Explain all scans") + "**")
        run: _Run | None = st.session_state.get(_KEY)
        if run is not None and not run.job.status().ended:
            _follow()
            return
        if run is not None:
            _what_came(run, reading)
        _offer(reading)


def _offer(reading: ReadingList) -> None:
    items = _different(reading)
    answered = [item for item in items if item.prediction is not None]
    if not answered:
        st.caption(_("Once the model has answered, its answers can be explained together."))
        return
    labels = sorted({label for item in answered if item.prediction for label in _labels(item)})
    with st.container(horizontal=True, gap="small", vertical_alignment="bottom"):
        method = st.selectbox(
            _("Explained by"),
            METHODS,
            format_func=method_name,
            key="explain-list-method",
            width=230,
        )
        target = st.selectbox(
            _("Class"),
            ["", *labels],
            format_func=lambda label: class_name(label) if label else _("That of each answer"),
            key="explain-list-target",
            width=230,
        )
    measured = st.checkbox(
        _("Measure how faithful each map is (takes much longer)"), key="explain-list-measured"
    )
    if len(items) > MOST_SCANS:
        st.caption(
            _(
                "The first {n} scans are explained; for more there is the command line, "
                "python -m core explain."
            ).format(n=MOST_SCANS)
        )
    count = min(len(items), MOST_SCANS)
    if st.button(
        ngettext("Explain {n} scan", "Explain {n} scans", count).format(n=count),
        icon=":material/play_arrow:",
        key="explain-list-start",
    ):
        _start(items[:MOST_SCANS], method or METHODS[0], target or "", measured=measured)


def _labels(item: OpenScan) -> tuple[str, ...]:
    return () if item.prediction is None else tuple(item.prediction.labels)


def _different(reading: ReadingList) -> list[OpenScan]:
    """Return the images that stand for their files, the same picture once."""
    found = {entry.shown.digest: entry.shown for entry in reading.entries.values()}
    return list(found.values())


def _start(items: list[OpenScan], method: str, target: str, *, measured: bool) -> None:
    models = {}
    for item in items:
        found = item.prediction
        if found is not None and found.bundle_digest not in models:
            model = model_of(found)
            if model is not None:
                models[found.bundle_digest] = model
    turns = [_turn(item) for item in items]
    stop = Event()
    try:
        job = list_runner().start(
            lambda: explain_list(models, turns, method, target, measured=measured, stop=stop),
            total=len(turns),
            name="explain-list",
        )
    except OverreadError as error:
        st.error(str(error), icon=":material/error:")
        return
    st.session_state[_KEY] = _Run(job, method, target, {item.digest: item for item in items}, stop)
    st.rerun()


def _turn(item: OpenScan) -> Turn:
    return turn_of(
        item.scan,
        item.prediction,
        withheld=item.withheld is not None,
        unread=item.is_unread,
        failed=not item.qualifies,
        reason=item.problem,
        read_despite=item.read_despite,
    )


@st.fragment(run_every=0.7)
def _follow() -> None:
    """Show how far it is; the page is drawn anew once it has ended."""
    run: _Run | None = st.session_state.get(_KEY)
    if run is None:
        return
    status = run.job.status()
    if status.ended:
        st.rerun()
    st.caption(asked_name(run.method, run.target) if run.target else method_name(run.method))
    st.progress(status.share, progress_words(status))
    st.button(
        _("Stop"),
        icon=":material/stop:",
        key="explain-list-stop",
        on_click=_stop,
    )


def _stop() -> None:
    # By the session and not by the job: what Streamlit keeps to call must not hold the work.
    run: _Run | None = st.session_state.get(_KEY)
    if run is not None:
        # In this order: work that ends by itself would count as done.
        run.job.cancel()
        run.stop.set()


def progress_words(status: JobStatus) -> str:
    """Say how far a list is, and how long it will take."""
    if status.state == "waiting":
        return _("Waits for other work to end")
    said = _("Explained {done} of {n} in the background").format(done=status.done, n=status.total)
    if status.seconds_left is None:
        return said
    return f"{said} · {about(status.seconds_left)}"


def _what_came(run: _Run, reading: ReadingList) -> None:
    """Say what was explained and what was not, and offer the files."""
    outcomes, status = run.job.items(), run.job.status()
    made = [outcome for outcome in outcomes if outcome.npz]
    for outcome in made:
        _remember(run.shown.get(outcome.row.image_digest), outcome)
    total = status.total or len(outcomes)
    st.markdown(
        _("{done} of {n} scans explained by {method}.").format(
            done=len(made), n=total, method=method_name(run.method)
        )
    )
    if status.state == "cancelled":
        st.caption(_("It was stopped; what was done so far is kept."))
    if status.error:
        st.error(status.error, icon=":material/error:")
    for outcome in outcomes:
        problem = outcome.row.problem or caveat_words(outcome.row.read_despite)
        if problem:
            icon = ":material/error: " if outcome.row.problem else ":material/help: "
            said = _("Case {case}: {problem}")
            st.caption(icon + said.format(case=outcome.row.case_number, problem=problem))
    if not outcomes:
        return

    day = datetime.now().astimezone().strftime("%Y-%m-%d")
    st.download_button(
        _("All as ZIP: pictures, values, figures"),
        in_language(language(), lambda: zip_of(outcomes, Drawing())),
        f"explanations-{day}.zip",
        "application/zip",
        on_click="ignore",
        icon=":material/folder_zip:",
        key="explain-list-zip",
    )


def _remember(item: OpenScan | None, outcome: Outcome) -> None:
    """Let the panel of a scan know its map, as if it had been asked for there."""
    row = outcome.row
    question = Question(row.image_digest, row.bundle_digest, row.method, row.target)
    if item is not None and question not in item.asked:
        item.asked.append(question)
