"""How scans come in: uploads, samples, the strip that moves between them, and the model's turn."""

from __future__ import annotations

from functools import partial

import streamlit as st

from core.errors import OverreadError
from core.model import WarmUp
from core.scan import list_samples, open_sample
from core.text import _, ngettext, translated
from core.ui import service
from core.ui.feedback_form import has_unsent
from core.ui.picture import small_picture
from core.ui.reading_list import OpenScan, ReadingList, read_all, take_in

#: Scans the strip shows at once.
_STRIP = 5
_THUMBNAIL = 44


def add_scans(reading: ReadingList) -> None:
    """Show the uploader and the samples, and put what comes on the list."""
    settings = service.settings()
    files = st.file_uploader(
        _("PNG or JPEG, one or many, up to {limit} MB each").format(
            limit=settings.max_upload_bytes // 2**20
        ),
        accept_multiple_files=True,
        key=f"upload-{reading.upload_round}",
    )
    if files:
        bar = st.progress(0.0, _("Opening scans…"))

        def show(done: int) -> None:
            text = _("Opened {done} of {total}").format(done=done, total=len(files))
            bar.progress(done / len(files), text)

        take_in(files, reading, settings, show)
        # A fresh uploader lets go of the bytes, and a rerun cannot open the files twice.
        reading.upload_round += 1
        reading.seen.clear()
        st.rerun()
    st.caption(_("No scan at hand? These are synthetic; no patient stands behind them."))
    with st.container(horizontal=True, gap="medium", key="samples"):
        for sample in list_samples():
            with st.container(width=170, gap="xsmall", key=f"sample-card-{sample.key}"):
                small_picture(
                    f"sample:{sample.key}", partial(open_sample, sample.key), sample.title, 160
                )
                if st.button(sample.title, key=f"sample-{sample.key}", width="stretch"):
                    scan = open_sample(sample.key)
                    reading.add(scan)
                    reading.show(scan.digest)
                    st.rerun()


def refusals(reading: ReadingList) -> None:
    """Say what could not be opened, and why, until the person has seen it."""
    if not reading.refused and not reading.again:
        return
    with st.container(border=True, key="refused"):
        if reading.again:
            again = ngettext(
                "{n} scan was on the list already.",
                "{n} scans were on the list already.",
                reading.again,
            )
            st.markdown(":material/info: " + again.format(n=reading.again))
        if reading.refused:
            title = ngettext(
                "{n} file could not be opened:",
                "{n} files could not be opened:",
                len(reading.refused),
            )
            st.markdown(f":material/error: **{title.format(n=len(reading.refused))}**")
        for name, reason in reading.refused:
            # Plain text: a file name is something a person typed.
            st.text(f"{name}: {reason}")
        st.button(_("Seen"), key="refused-seen", on_click=reading.forget_refusals)


def strip(reading: ReadingList) -> None:
    """Show the open scans with thumbnail, case number and state, and move between them."""
    order = list(reading.scans.values())
    at = next((i for i, item in enumerate(order) if item.digest == reading.current), 0)
    first = max(0, min(at - _STRIP // 2, len(order) - _STRIP))
    with st.container(horizontal=True, gap="small", vertical_alignment="center", key="strip"):
        with st.popover(_("Add scans"), icon=":material/add:"):
            add_scans(reading)
        if len(order) > 1:
            st.button(
                _("Previous"),
                icon=":material/chevron_left:",
                key="previous",
                disabled=at == 0,
                on_click=reading.step,
                args=(-1,),
            )
        for item in order[first : first + _STRIP]:
            _card(reading, item)
        if len(order) > 1:
            st.button(
                _("Next"),
                icon=":material/chevron_right:",
                key="next",
                disabled=at == len(order) - 1,
                on_click=reading.step,
                args=(1,),
            )
            st.caption(_("{at} of {n}").format(at=at + 1, n=len(order)), width="content")
        _close(reading, order[at])


def _close(reading: ReadingList, item: OpenScan) -> None:
    """Take a scan off the list; what was entered and not sent goes only when the person says so."""
    if not st.button(_("Close scan"), icon=":material/close:", type="tertiary", key="close-scan"):
        return
    # Asked now and not when the button was drawn: the form is a part of the page that reruns by
    # itself, so the button may be older than what was entered since.
    if has_unsent(item):
        st.dialog(_("Close scan"))(_ask_before_closing)(reading, item)
        return
    reading.remove(item.digest)
    st.rerun()


def _ask_before_closing(reading: ReadingList, item: OpenScan) -> None:
    st.markdown(_("What you entered or drew on this case has not been sent."))
    if st.button(
        _("Close and discard it"), on_click=reading.remove, args=(item.digest,), key="close-discard"
    ):
        st.rerun()


def _card(reading: ReadingList, item: OpenScan) -> None:
    current = item.digest == reading.current
    with st.container(
        horizontal=True,
        width="content",
        gap="xsmall",
        vertical_alignment="center",
        key=f"card-{item.digest[:16]}",
    ):
        alt = _("Thumbnail of case {case}").format(case=item.scan.case_number)
        small_picture(item.digest, lambda: item.scan, alt, _THUMBNAIL)
        st.button(
            f"{item.scan.case_number} · {state_of(item)}",
            key=f"show-{item.digest[:16]}",
            type="primary" if current else "secondary",
            on_click=reading.show,
            args=(item.digest,),
        )


def state_of(item: OpenScan) -> str:
    """Return where a scan on the list stands, in a word or two."""
    if item.receipt is not None:
        return _("sent")
    if item.problem is not None:
        return _("no AI result")
    if item.prediction is None:
        return _("waiting")
    if item.doubts:
        return _("doubtful")
    return _("flagged") if item.prediction.flagged else _("read")


def let_the_model_read(reading: ReadingList) -> None:
    """Read what has not been read, with one bar for all; say so while the model is not ready."""
    unread = len(reading.unread)
    if not unread:
        return
    warm = service.model()
    status = warm.status()
    if status.state == "failed":
        # The warm-up spoke English, for nobody's session: the text is a message to translate.
        for item in reading.unread:
            item.problem = translated(status.error or "")
        st.rerun()
    if status.state != "ready":
        _wait_for_model(warm)
        return
    bar = st.progress(0.0, _("Reading scans…"))

    def show(done: int) -> None:
        bar.progress(done / unread, _("Read {done} of {n}").format(done=done, n=unread))

    try:
        read_all(reading, warm.get_predictor(), show)
    except OverreadError as error:
        for item in reading.unread:
            item.problem = str(error)
    st.rerun()


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
