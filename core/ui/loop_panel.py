"""The curve over a loop: every frame read in the background, to find frames and not an answer.

The model is calibrated on single images. The largest of hundreds of probabilities rises with their
number, so it is neither shown nor computed here; what describes the loop are the median and the
middle half. The answer stays that of the frame on screen.

The read goes on while the page moves on. It belongs to the session: whoever closes the browser or
signs out stops it.
"""

from __future__ import annotations

import time
import weakref
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeAlias
from uuid import uuid4

import streamlit as st

from core.errors import OverreadError, QualityFailed
from core.jobs import Job, shared_runner
from core.model import Bundle, FrameCurve, FramePoint, Predictor, iter_frames
from core.scan import Loop, check_quality
from core.text import _, ngettext
from core.ui import service
from core.ui.frame_curve import about, curve_figure, describe, frame_name, progress_text, purpose

_KEY = "loop-reads"
#: Loops of one session whose points are kept.
_KEPT = 8
#: Digests of the loop's file and of the bundle that reads it.
_Which: TypeAlias = tuple[str, str]


@dataclass(slots=True)
class _Pace:
    """Seconds a frame took the last time, or one read of one frame took."""

    seconds: float


@dataclass(slots=True, eq=False)
class _Entry:
    """What was read of one loop by one bundle."""

    points: dict[int, FramePoint] = field(default_factory=dict)
    job: Job[FramePoint] | None = None
    taken: int = 0
    problem: str | None = None
    pace: _Pace | None = None
    bundle: Bundle | None = None

    def collect(self) -> None:
        """Take over what the job has read since the last time."""
        if self.job is None:
            return
        # Asked before the items: whatever came up to its end is then among them.
        status = self.job.status()
        for point in self.job.items(self.taken):
            self.points[point.index] = point
            self.taken += 1
        if status.ended:
            self.problem, self.job = status.error, None
            if status.done and self.pace is not None:
                # The next estimate is that of a read in batches.
                self.pace.seconds = status.seconds / status.done


@dataclass(slots=True, eq=False, weakref_slot=True)
class _Reads:
    """The loops one session has read; dropping it stops what is under way."""

    token: str = field(default_factory=lambda: uuid4().hex)
    entries: OrderedDict[_Which, _Entry] = field(default_factory=OrderedDict)

    def entry(self, key: _Which) -> _Entry:
        """Return the entry of a loop and a bundle, made where there is none."""
        found = self.entries.setdefault(key, _Entry())
        self.entries.move_to_end(key)
        while len(self.entries) > _KEPT:
            self.entries.popitem(last=False)
        return found

    def which(self, loop: str, active: str) -> _Which:
        """Return what a loop's curve on screen is of.

        A switch of versions does not take a curve away: one of another version than the active
        one stays until the loop is read again.
        """
        made = [key for key, each in self.entries.items() if key[0] == loop and each.bundle]
        return (loop, active) if not made or (loop, active) in made else made[-1]

    def stop(self) -> None:
        """Stop every read that is under way."""
        for entry in self.entries.values():
            if entry.job is not None:
                entry.job.cancel()


def _left(held: weakref.ref[_Reads]) -> None:
    reads = held()
    if reads is not None:
        reads.stop()


@st.cache_resource(scope="session", on_release=_left, show_spinner=False)
def _lease(token: str, _reads: _Reads) -> weakref.ref[_Reads]:
    """Notice when the session ends. Weak, so that signing out lets go of the reads as well."""
    return weakref.ref(_reads)


def _session_reads() -> _Reads:
    found = st.session_state.get(_KEY)
    if not isinstance(found, _Reads):
        found = st.session_state[_KEY] = _Reads()
    _lease(found.token, found)
    return found


@st.cache_resource(show_spinner=False, max_entries=8)
def _pace(bundle_digest: str, _predictor: Predictor, _loop: Loop, _shown: int) -> _Pace:
    """Return how fast this machine reads with this bundle, from one read where none ran yet.

    Raises
    ------
    QualityFailed
        The frame fails the quality check, so it is not read for an estimate either.
    """
    frame = _loop.frame(_shown)
    start = time.monotonic()
    if check_quality(frame).failed:
        raise QualityFailed(_("This frame fails the quality check and was not read."))
    _predictor.read(frame)
    return _Pace(time.monotonic() - start)


def loop_panel(loop: Loop, digest: str, *, shown: int, key: str) -> int | None:
    """Offer to read all frames, follow the read, and show the curve to jump by.

    Parameters
    ----------
    loop
        The frames.
    digest
        ``Scan.source_digest`` of their file: what the curve is kept under in this session.
    shown
        The frame on screen, from 0; marked on the curve.
    key
        Tells this panel's controls from others on the page.

    Returns
    -------
    int or None
        The frame, from 0, that the person has just asked for; None most of the time.
    """
    warm = service.model()
    if warm.status().state != "ready":
        st.caption(_("The frames can be read together once the model is ready."))
        return None
    predictor = warm.get_predictor()
    active = (digest, predictor.bundle.digest)
    which = _session_reads().which(*active)
    entry = _session_reads().entry(which)
    entry.collect()
    if entry.job is not None:
        _follow(which, key)
    elif which == active:
        _offer(which, loop, predictor, shown, key)
    else:
        _offer_again(entry, active, loop, predictor, key)
    if entry.points:
        curve = FrameCurve.of(entry.points.values(), loop.count, entry.bundle or predictor)
        st.markdown(purpose())
        st.caption(describe(curve))
        _chart(curve, shown, key)
        _controls(curve, shown, key)
    jump = st.session_state.pop(_jump_key(key), None)
    return jump if isinstance(jump, int) and 0 <= jump < loop.count and jump != shown else None


def _offer_again(entry: _Entry, active: _Which, loop: Loop, predictor: Predictor, key: str) -> None:
    """Say that a curve is another version's than the active one, and offer to read again."""
    if entry.bundle is None:
        return
    words = {"made": entry.bundle.card.version, "active": predictor.card.version}
    st.caption(
        _("Version {made} of the model made this curve; version {active} is active now.").format(
            **words
        )
    )
    st.button(
        _("Read all frames again with version {active}").format(**words),
        icon=":material/refresh:",
        key=f"{key}-read-again",
        on_click=_start,
        args=(active, loop, predictor, list(range(loop.count))),
    )


def _offer(which: _Which, loop: Loop, predictor: Predictor, shown: int, key: str) -> None:
    """Show the button that starts the read, or goes on with what is left of it."""
    entry = _session_reads().entry(which)
    left = [index for index in range(loop.count) if index not in entry.points]
    if entry.problem is not None:
        st.warning(entry.problem, icon=":material/error:")
    if not left:
        return
    if entry.points:
        text = ngettext("Read the {n} frame left", "Read the {n} frames left", len(left))
    else:
        text = ngettext("Read the {n} frame", "Read all {n} frames", len(left))
    st.button(
        text.format(n=len(left)),
        icon=":material/timeline:",
        key=f"{key}-read",
        on_click=_start,
        args=(which, loop, predictor, left),
    )
    try:
        entry.pace = _pace(predictor.bundle.digest, predictor, loop, shown)
    except OverreadError:
        # The frame cannot be opened or read, or must not be: the page says so, and there is just
        # no estimate.
        return
    st.caption(
        _("{time}, in the background: you can go on meanwhile.").format(
            time=about(entry.pace.seconds * len(left))
        )
    )


# What Streamlit keeps to call later names the entry and does not hold it: a read must not outlive
# the session's own hold on it.


def _start(which: _Which, loop: Loop, predictor: Predictor, frames: list[int]) -> None:
    entry = _session_reads().entry(which)
    if entry.job is not None:
        # A second press, on a button the browser had not taken away yet.
        return
    entry.problem, entry.taken, entry.bundle = None, 0, predictor.bundle
    try:
        entry.job = shared_runner().start(
            partial(iter_frames, predictor, loop, frames), total=len(frames), name="frames"
        )
    except OverreadError as error:
        entry.problem = str(error)


@st.fragment(run_every=0.5)
def _follow(which: _Which, key: str) -> None:
    """Show how far the read is, and draw the page anew once it has ended."""
    entry = _session_reads().entry(which)
    if entry.job is None:
        st.rerun()
        return
    status = entry.job.status()
    if status.ended:
        entry.collect()
        st.rerun()
        return
    st.progress(status.share, progress_text(status))
    st.button(
        _("Stop reading"), icon=":material/stop:", key=f"{key}-stop", on_click=_stop, args=(which,)
    )


def _stop(which: _Which) -> None:
    job = _session_reads().entry(which).job
    if job is not None:
        job.cancel()


def _chart(curve: FrameCurve, shown: int, key: str) -> None:
    chart = f"{key}-curve"
    st.plotly_chart(
        curve_figure(curve, shown),
        config={"displayModeBar": False, "displaylogo": False},
        key=chart,
        # A function and not "rerun": the selection is gone as soon as the figure changes, and
        # one that stayed would jump again at every run of the page.
        on_select=partial(_clicked, chart, key),
        selection_mode="points",
    )


def _clicked(chart: str, key: str) -> None:
    frame = clicked_frame(st.session_state.get(chart))
    if frame is not None:
        st.session_state[_jump_key(key)] = frame


def clicked_frame(event: Any) -> int | None:
    """Return the frame of the point that a chart's selection holds, from 0; None without one."""
    selection = event.get("selection") if isinstance(event, Mapping) else None
    points = selection.get("points") if isinstance(selection, Mapping) else None
    if not points:
        return None
    data = points[0].get("customdata")
    return int(data[0]) if data else None


def _controls(curve: FrameCurve, shown: int, key: str) -> None:
    """Offer the same jumps to a keyboard and to whoever cannot see the curve."""
    names = {point.index: frame_name(point) for point in curve.points}
    select = f"{key}-frame"
    if shown in names:
        st.session_state[select] = shown
    before = [p.index for p in curve.points if p.flagged and p.index < shown]
    after = [p.index for p in curve.points if p.flagged and p.index > shown]
    with st.container(horizontal=True, vertical_alignment="bottom", key=f"{key}-jumps"):
        st.selectbox(
            _("Go to frame"),
            list(names),
            format_func=lambda index: names[index],
            index=None,
            placeholder="–",
            key=select,
            on_change=_chosen,
            args=(select, key),
        )
        st.button(
            _("Previous flagged frame"),
            icon=":material/chevron_left:",
            key=f"{key}-before",
            disabled=not before,
            on_click=_go,
            args=(key, before[-1] if before else shown),
        )
        st.button(
            _("Next flagged frame"),
            icon=":material/chevron_right:",
            key=f"{key}-after",
            disabled=not after,
            on_click=_go,
            args=(key, after[0] if after else shown),
        )


def _chosen(select: str, key: str) -> None:
    frame = st.session_state.get(select)
    if isinstance(frame, int):
        _go(key, frame)


def _go(key: str, frame: int) -> None:
    st.session_state[_jump_key(key)] = frame


def _jump_key(key: str) -> str:
    return f"{key}-jump"
