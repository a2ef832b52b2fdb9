"""How scans come in: uploads, folders, archives, samples, and the strip that moves between them."""

from __future__ import annotations

from functools import partial

import streamlit as st

from core.model import Prediction
from core.scan import list_samples, open_sample, readable_formats
from core.text import _, ngettext
from core.ui import service
from core.ui.feedback_form import has_unsent
from core.ui.open_scan import Entry, OpenScan
from core.ui.picture import small_picture
from core.ui.reading_list import ReadingList, take_in

#: Scans the strip shows at once.
_STRIP = 5
_THUMBNAIL = 44
#: Files that could not be opened, of which the reasons are listed.
_REFUSALS = 20


def add_scans(reading: ReadingList) -> None:
    """Show the uploader and the samples, and put what comes on the list."""
    settings = service.settings()
    folder = st.toggle(_("A whole folder"), key=f"upload-folder-{reading.upload_round}")
    files = st.file_uploader(
        _("{formats}, or a zip of them: one or many, up to {limit} MB each").format(
            formats=", ".join(readable_formats()), limit=settings.max_upload_bytes // 2**20
        ),
        accept_multiple_files="directory" if folder else True,
        key=f"upload-{reading.upload_round}{'-folder' if folder else ''}",
    )
    if files:
        bar = st.progress(0.0, _("Opening scans…"))

        def show(images: int, done: int) -> None:
            text = ngettext(
                "Opened {n} image · {done} of {total} files",
                "Opened {n} images · {done} of {total} files",
                images,
            ).format(n=images, done=done, total=len(files))
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
                    reading.show(reading.add(open_sample(sample.key)).key)
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
        for name, reason in reading.refused[:_REFUSALS]:
            # Plain text: a file name is something a person typed.
            st.text(f"{name}: {reason}")
        more = len(reading.refused) - _REFUSALS
        if more > 0:
            st.caption(ngettext("and {n} more", "and {n} more", more).format(n=more))
        st.button(_("Seen"), key="refused-seen", on_click=reading.forget_refusals)


def strip(reading: ReadingList) -> None:
    """Show the open scans with thumbnail, case number and state, and move between them."""
    order = list(reading.entries.values())
    at = next((i for i, entry in enumerate(order) if entry.key == reading.current), 0)
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
        for entry in order[first : first + _STRIP]:
            _card(reading, entry)
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


def _close(reading: ReadingList, entry: Entry) -> None:
    """Take a scan off the list; what was entered and not sent goes only when the person says so."""
    if not st.button(_("Close scan"), icon=":material/close:", type="tertiary", key="close-scan"):
        return
    # Asked now and not when the button was drawn: the form is a part of the page that reruns by
    # itself, so the button may be older than what was entered since.
    if any(has_unsent(entry, item) for item in entry.items.values()):
        st.dialog(_("Close scan"))(_ask_before_closing)(reading, entry)
        return
    reading.remove(entry.key)
    st.rerun()


def _ask_before_closing(reading: ReadingList, entry: Entry) -> None:
    st.markdown(_("What you entered or drew on this case has not been sent."))
    if st.button(
        _("Close and discard it"), on_click=reading.remove, args=(entry.key,), key="close-discard"
    ):
        st.rerun()


def _card(reading: ReadingList, entry: Entry) -> None:
    item = entry.shown
    frames = "" if entry.loop is None else f" · {entry.frame + 1}/{entry.loop.count}"
    with st.container(
        horizontal=True,
        width="content",
        gap="xsmall",
        vertical_alignment="center",
        key=f"card-{entry.key[:16]}",
    ):
        alt = _("Thumbnail of case {case}").format(case=item.scan.case_number)
        small_picture(item.digest, lambda: item.scan, alt, _THUMBNAIL)
        st.button(
            f"{item.scan.case_number}{frames} · {state_of(item)}",
            key=f"show-{entry.key[:16]}",
            type="primary" if entry.key == reading.current else "secondary",
            on_click=reading.show,
            args=(entry.key,),
        )


def state_of(item: OpenScan) -> str:
    """Return where a scan on the list stands, in a word or two."""
    if item.receipt is not None:
        return _("sent")
    if item.prediction is not None:
        return _answered(item, item.prediction)
    if item.problem is not None:
        return _("no AI result")
    if not item.qualifies:
        return _("check quality")
    return _("waiting") if item.withheld is None else _("not a scan it knows")


def _answered(item: OpenScan, prediction: Prediction) -> str:
    if prediction.refused:
        return _("read though not known")
    if item.reason:
        return _("read despite quality")
    if prediction.sure is False:
        return _("not sure")
    return _("flagged") if prediction.flagged else _("read")
