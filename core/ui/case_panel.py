"""The case beside the image: what the doctor knows of it, and the patient's earlier scans."""

from __future__ import annotations

import streamlit as st

from core.errors import OverreadError
from core.lesion import LesionResult, Measurements, lesion_from_mask, mask_from_polygon
from core.review import Suggestions, open_earlier, suggest_terms
from core.text import _
from core.trust import Person
from core.ui import service
from core.ui.beside import EARLIER
from core.ui.context_form import context_form, earlier_panel
from core.ui.open_scan import Entry, OpenScan


@st.fragment
def case_panel(entry: Entry, person: Person) -> None:
    """Show the form of the case, with what the measured lesion suggests beside it."""
    with st.expander(
        _("Case: patient, place, history, BI-RADS"),
        icon=":material/clinical_notes:",
        expanded=any(entry.context.values()),
    ):
        context_form(
            entry.context, key=f"context-{entry.key[:16]}", suggestions=_suggestions(entry.shown)
        )
        pseudonym = str(entry.context.get("pseudonym") or "")
        if not pseudonym:
            return
        chosen = earlier_panel(service.store(), person, pseudonym, key=f"earlier-{entry.key[:16]}")
        if chosen is None:
            return
        try:
            entry.earlier = open_earlier(service.store(), person, chosen)
        except OverreadError as error:
            st.error(str(error), icon=":material/error:")
            return
        entry.beside = EARLIER
        # The viewer stands outside this part of the page.
        st.rerun()


def _suggestions(item: OpenScan) -> Suggestions | None:
    measured = main_lesion(item)
    if measured is None:
        return None
    return suggest_terms(
        measured,
        corrections=item.scan.corrections,
        outline="drawn" if item.regions else "ai",
    )


def main_lesion(item: OpenScan) -> Measurements | None:
    """Return the measurements that count: of the doctor's first region, else of the AI's largest."""
    scan = item.scan
    if item.regions:
        mask = mask_from_polygon(item.regions[0], (scan.height, scan.width))
        return lesion_from_mask(mask, scan.grey, spacing=scan.spacing_at).measurements
    if isinstance(item.shaped, LesionResult) and item.shaped.lesions:
        return item.shaped.lesions[0].measurements
    return None
