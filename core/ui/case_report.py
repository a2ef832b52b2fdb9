"""The report on the image on screen, as it stands when it is asked for."""

from __future__ import annotations

from datetime import datetime

import streamlit as st

from core.lesion import Lesion, LesionResult, lesion_from_mask, mask_from_polygon
from core.model import Prediction, unknown_scan
from core.report import Outline, ReportInput
from core.text import _
from core.trust import Person
from core.ui.context_form import context_of, has_context
from core.ui.feedback_form import entered, keep_comments, reportable
from core.ui.model_version import card_of
from core.ui.open_scan import Entry, OpenScan
from core.ui.reading_list import reading_list
from core.ui.report_panel import report_downloads
from core.ui.shaping import outline_of
from core.ui.wording import role_name


@st.fragment
def report_panel(entry: Entry, person: Person) -> None:
    """Offer the report, and say before what it will lack."""
    # The click on a report brings along what was typed before it.
    keep_comments(reading_list())
    item = entry.shown
    panel = st.expander(
        _("Report"),
        icon=":material/description:",
        key=f"report-panel-{item.widget}",
        on_change="rerun",
    )
    item.reported_on = reportable(entry, item) if panel.open else None
    if panel.open:
        with panel:
            report_downloads(
                lambda: report_input(entry, item, person),
                item.scan.case_number,
                key=f"report-{item.widget}",
            )


def report_input(entry: Entry, item: OpenScan, person: Person) -> ReportInput:
    """Return the read of an image of a file as it stands.

    An outline of the AI counts only once the doctor has accepted it; what the doctor drew
    themselves takes its place.

    Raises
    ------
    OverreadError
        What was entered contradicts itself; the line says where.
    """
    form = entered(item)
    scan, prediction = item.scan, item.prediction
    outline: Outline = "none"
    lesions: tuple[Lesion, ...] = ()
    found = outline_of(item)
    if item.regions:
        size = (scan.height, scan.width)
        outline = "drawn"
        lesions = tuple(
            lesion_from_mask(mask_from_polygon(points, size), scan.grey, spacing=scan.spacing_at)
            for points in item.regions
        )
    elif form["outline"] and isinstance(found, LesionResult) and found.lesions:
        outline, lesions = "accepted", found.lesions
    intended_use, limits = _card(prediction)
    return ReportInput(
        scan=scan,
        made_at=datetime.now().astimezone(),
        author=person.name,
        role=role_name(person.role),
        prediction=prediction,
        no_prediction=item.problem or ("" if item.withheld is None else unknown_scan() + "."),
        site_prevalence=item.site_prevalence,
        intended_use=intended_use,
        limits=limits,
        outline=outline,
        lesions=lesions,
        context=context_of(entry.context) if has_context(entry.context) else None,
        verdict=form["verdict"] if prediction is not None else None,
        label=form["label"],
        origin=form["origin"] if form["label"] else None,
        confidence=form["confidence"],
        problems=tuple(form["problems"]),
        comment=form["comment"],
        quality=item.quality.to_dict(),
        override_reason=item.reason,
        measures=item.measures,
    )


def _card(prediction: Prediction | None) -> tuple[str, tuple[str, ...]]:
    """Return what the version that answered is for and its limits, as long as it is here."""
    card = None if prediction is None else card_of(prediction)
    return ("", ()) if card is None else (card.intended_use, card.limits)
