"""How scans come in: uploads, samples, the strip that moves between them, and the model's turn."""

from __future__ import annotations

import streamlit as st

from core.errors import OverreadError
from core.model import WarmUp
from core.scan import encode_png, list_samples, open_sample, thumbnail
from core.text import _, ngettext
from core.ui import media, service
from core.ui.reading_list import OpenScan, ReadingList, read_all, take_in

#: Scans the strip shows at once.
_STRIP = 8
_THUMBNAIL = 96


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
    samples = list_samples()
    for column, sample in zip(st.columns(len(samples)), samples, strict=True):
        if column.button(
            sample.title, key=f"sample-{sample.key}", icon=":material/image:", width="stretch"
        ):
            scan = open_sample(sample.key)
            reading.add(scan)
            reading.show(scan.digest)
            st.rerun()


def refusals(reading: ReadingList) -> None:
    """Say what could not be opened, and why, until the person has seen it."""
    if reading.again:
        st.info(
            ngettext(
                "{n} scan was on the list already.",
                "{n} scans were on the list already.",
                reading.again,
            ).format(n=reading.again)
        )
        reading.again = 0
    if not reading.refused:
        return
    title = ngettext(
        "{n} file was not opened; the others were.",
        "{n} files were not opened; the others were.",
        len(reading.refused),
    ).format(n=len(reading.refused))
    with st.container(border=True, key="refused"):
        st.markdown(f":material/error: **{title}**")
        for name, reason in reading.refused:
            # Plain text: a file name is something a person typed.
            st.text(f"{name}: {reason}")
        if st.button(_("Seen"), key="refused-seen"):
            reading.refused.clear()
            st.rerun()


def strip(reading: ReadingList) -> None:
    """Show the open scans with thumbnail, case number and state, and move between them."""
    order = list(reading.scans.values())
    at = next((i for i, item in enumerate(order) if item.digest == reading.current), 0)
    first = max(0, min(at - _STRIP // 2, len(order) - _STRIP))
    with st.container(horizontal=True, gap="small", vertical_alignment="center", key="strip"):
        with st.popover(_("Add scans"), icon=":material/add:"):
            add_scans(reading)
        if len(order) > 1:
            if st.button(
                _("Previous"), icon=":material/chevron_left:", key="previous", disabled=at == 0
            ):
                reading.step(-1)
                st.rerun()
            if st.button(
                _("Next"),
                icon=":material/chevron_right:",
                key="next",
                disabled=at == len(order) - 1,
            ):
                reading.step(1)
                st.rerun()
            st.caption(_("{at} of {n}").format(at=at + 1, n=len(order)), width="content")
        if st.button(_("Close scan"), icon=":material/close:", key="close-scan"):
            reading.remove(order[at].digest)
            st.rerun()
    with st.container(horizontal=True, gap="small", key="thumbnails"):
        for item in order[first : first + _STRIP]:
            _card(reading, item)


def _card(reading: ReadingList, item: OpenScan) -> None:
    current = item.digest == reading.current
    with st.container(width=_THUMBNAIL + 34, gap=None, key=f"card-{item.digest[:16]}"):
        address = media.publish(
            f"thumbnail:{item.digest}", lambda: encode_png(thumbnail(item.scan, _THUMBNAIL))
        )
        alt = _("Thumbnail of case {case}").format(case=item.scan.case_number)
        st.markdown(f"![{alt}]({address})")
        if st.button(
            f"{item.scan.case_number}  \n{state_of(item)}",
            key=f"show-{item.digest[:16]}",
            type="primary" if current else "secondary",
            width="stretch",
        ):
            reading.show(item.digest)
            st.rerun()


def state_of(item: OpenScan) -> str:
    """Return where a scan on the list stands, in a word or two."""
    if item.receipt is not None:
        return _("sent")
    if item.problem is not None:
        return _("no AI result")
    if item.prediction is None:
        return _("waiting")
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
            item.problem = _(status.error or "")
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
