"""The case beside the image: what the doctor knows of it, and the patient's earlier scans."""

from __future__ import annotations

import streamlit as st

from core.errors import OverreadError
from core.lesion import LesionResult, Measurements, lesion_from_mask, mask_from_polygon
from core.review import Suggestions, open_earlier, suggest_terms
from core.text import _
from core.trust import Person
from core.ui import service
from core.ui.beside import EARLIER, UNTOUCHED
from core.ui.context_form import context_form, has_context
from core.ui.earlier import earlier_panel
from core.ui.feedback_form import catch_up, context_key, keep_case
from core.ui.open_scan import Entry, OpenScan
from core.ui.shaping import outline_of


@st.fragment
def case_panel(entry: Entry, person: Person) -> None:
    """Show the form of the case, with what the measured lesion suggests beside it."""
    key = f"case-{entry.key[:16]}"
    # Set and not passed as ``expanded``: that is part of the panel's identity, and a panel that
    # becomes another one takes along the field that somebody is typing in.
    if key not in st.session_state:
        st.session_state[key] = has_context(entry.context)
    panel = st.expander(
        _("Case: patient, place, history, BI-RADS"),
        icon=":material/clinical_notes:",
        key=key,
        on_change="rerun",
    )
    item = entry.shown
    item.suggested_on = item.measured_on if panel.open else None
    another = False
    keep_case(entry)
    with panel:
        context_form(entry.context, key=context_key(entry), suggestions=_suggestions(item))
        entry.has_form = True
        try:
            another = _open_earlier(entry, person)
        except OverreadError as error:
            st.error(str(error), icon=":material/error:")
    if another:
        # The viewer stands outside this part of the page.
        st.rerun()
    catch_up(entry)


def _open_earlier(entry: Entry, person: Person) -> bool:
    """Let the person open an earlier scan beside; return whether another one is open now."""
    # What is typed travels with the next click: this is the one for whoever has typed it.
    st.button(
        _("Look for earlier scans"),
        icon=":material/search:",
        key=f"earlier-look-{entry.key[:16]}",
    )
    chosen = earlier_panel(
        service.store(),
        person,
        str(entry.context.get("pseudonym") or ""),
        key=f"earlier-{entry.key[:16]}",
        before_digest=entry.shown.digest,
    )
    before = None if entry.earlier is None else entry.earlier[0].case_number
    if chosen == before:
        return False
    entry.earlier = None if chosen is None else open_earlier(service.store(), person, chosen)
    entry.beside = UNTOUCHED if chosen is None else EARLIER
    return True


def _suggestions(item: OpenScan) -> Suggestions | None:
    measured = main_lesion(item)
    if measured is None:
        return None
    return suggest_terms(
        measured,
        corrections=item.scan.corrections,
        outline="drawn" if item.regions else "accepted" if item.drafts.get("outline") else "ai",
    )


def main_lesion(item: OpenScan) -> Measurements | None:
    """Return the measurements that count: of the doctor's first region, else of the AI's first."""
    scan = item.scan
    if item.regions:
        mask = mask_from_polygon(item.regions[0], (scan.height, scan.width))
        return lesion_from_mask(mask, scan.grey, spacing=scan.spacing_at).measurements
    found = outline_of(item)
    if isinstance(found, LesionResult) and found.lesions:
        return found.lesions[0].measurements
    return None
