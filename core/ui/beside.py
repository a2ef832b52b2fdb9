"""What stands beside the image on screen: itself untouched, a frame, another or an earlier scan."""

from __future__ import annotations

import streamlit as st

from core.scan import one_spacing
from core.text import _
from core.ui import media, picture
from core.ui.figure_parts import Beside
from core.ui.open_scan import Entry
from core.ui.reading_list import ReadingList

#: The values of :attr:`Entry.beside` that are no key of another entry.
UNTOUCHED, HELD, EARLIER = "", "held", "earlier"


def beside_choice(entry: Entry, reading: ReadingList) -> None:
    """Let the person choose what stands beside; nothing is shown where there is no choice."""
    options = {UNTOUCHED: _("Untouched")}
    if entry.held is not None:
        options[HELD] = _("Frame {n}").format(n=entry.held.frame + 1)
    if entry.earlier is not None:
        options[EARLIER] = _("Earlier: {case}").format(case=entry.earlier[0].case_number)
    for other in reading.entries.values():
        if other is not entry:
            options[other.key] = _("Case {case}").format(case=other.shown.scan.case_number)
    if entry.beside not in options:
        entry.beside = UNTOUCHED
    if entry.loop is not None:
        st.button(
            _("Hold this frame"),
            icon=":material/push_pin:",
            key="hold-frame",
            help=_("Keeps it beside the others, to compare them with."),
            on_click=_hold,
            args=(entry,),
        )
    if len(options) == 1:
        return
    key = f"beside-{entry.key[:16]}"
    # The choice can come from elsewhere too: an earlier scan that was opened.
    st.session_state[key] = entry.beside

    def keep() -> None:
        entry.beside = st.session_state[key]

    st.selectbox(
        _("Beside it"),
        list(options),
        format_func=options.__getitem__,
        label_visibility="collapsed",
        width=220,
        key=key,
        on_change=keep,
    )


def _hold(entry: Entry) -> None:
    entry.held = entry.shown.scan
    entry.beside = HELD


def chosen_beside(entry: Entry, reading: ReadingList) -> Beside | None:
    """Return what stands beside the image on screen; None for the same image untouched."""
    if entry.beside == EARLIER and entry.earlier is not None:
        facts, png = entry.earlier
        return Beside(
            url=media.publish(f"case:{facts.digest}", lambda: png),
            width=facts.width,
            height=facts.height,
            caption=_("Earlier scan · case {case}").format(case=facts.case_number),
            spacing=one_spacing(facts.regions, facts.spacing),
        )
    if entry.beside == HELD and entry.held is not None:
        scan = entry.held
        caption = _("Frame {n} · case {case}")
        return picture.beside_of(scan, caption.format(n=scan.frame + 1, case=scan.case_number))
    other = reading.entries.get(entry.beside)
    if other is None:
        return None
    scan = other.shown.scan
    return picture.beside_of(scan, _("Case {case}").format(case=scan.case_number))
