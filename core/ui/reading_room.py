"""The scan on screen: viewer and answer side by side, the controls, the table, the downloads.

One fragment: a slider move runs only this, and never the model.
"""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from core.errors import LesionError, OverreadError, ScanError
from core.lesion import HeatRegionResult, LesionResult
from core.model import Prediction
from core.review import record_override
from core.scan import note_line, rewindow
from core.text import _
from core.trust import Person
from core.ui import picture, service
from core.ui.answer import show_answer
from core.ui.beside import beside_choice, chosen_beside
from core.ui.correction_tools import correction_tools
from core.ui.explain_downloads import explain_downloads
from core.ui.explain_panel import explain_panel
from core.ui.explain_screen import heat_is_seen, is_the_reads_heat, maps_on_screen
from core.ui.feedback_form import catch_up
from core.ui.figure import Layers
from core.ui.layers import layer_controls
from core.ui.loop_panel import loop_panel
from core.ui.model_version import card_of, version_line
from core.ui.open_scan import Entry, OpenScan
from core.ui.operating_point import begin_anew, explore
from core.ui.quality_panel import ask_reason, ask_to_look, show_quality
from core.ui.reading_list import reading_list
from core.ui.results import show_results
from core.ui.scores import show_scores
from core.ui.shaping import shape_controls, shaped, threshold_controls, withdraw_acceptance
from core.ui.site import site_of
from core.ui.viewer_events import ViewerEvents


@st.fragment
def reading_room(entry: Entry, person: Person) -> None:
    """Show one image with everything the model says about it.

    Parameters
    ----------
    entry
        The file on screen; a result is shown only if it is that of the image shown.
    person
        Who reads: a reason to read a failing image is kept with who gave it.
    """
    item = entry.shown
    if item.form_is_old:
        item.form_is_old = False
        st.rerun()
    left, right = st.columns([11, 5], gap="medium")
    try:
        result = shaped(item)
    except LesionError as error:
        st.error(str(error), icon=":material/error:")
        result = None
    with left:
        layers = _picture(entry, item, result)
    with right:
        show_quality(item.quality, key=f"quality-{item.widget}")
        for note in item.scan.notes:
            st.caption(":material/info: " + note_line(note))
        _answer(item, person)
    # Below both columns, so that on a phone the answer comes straight after the picture.
    explain_panel(item, result, heat=heat_is_seen(layers))
    if item.prediction is not None:
        with st.container(border=True, key="shape"):
            shape_controls(item)
    if result is not None and item.prediction is not None:
        # The overlay as a file holds the heat of the read; another map is not put into it.
        heat = layers.heat and is_the_reads_heat(item)
        show_results(item, item.prediction, result, replace(layers, heat=heat))
    if item.prediction is not None:
        explain_downloads(item, item.prediction, layers)
    item.drawn = item.controls
    catch_up(entry)


def _picture(
    entry: Entry, item: OpenScan, result: LesionResult | HeatRegionResult | None
) -> Layers:
    reading = reading_list()
    with st.container(horizontal=True, gap="small", vertical_alignment="center", key="layers-bar"):
        layers = layer_controls(item)
        _correct(entry, item)
        heat, second = maps_on_screen(item, layers)
        if layers.compare == "both" and second is None:
            beside_choice(entry, reading)
    shown = layers.compare != "original" and (layers.contour or layers.mask)
    if shown != item.outline_shown:
        # The form asks whether the outline is accepted only while there is one to be seen.
        item.outline_shown = shown
        st.rerun()
    events = picture.view_scan(
        item,
        result,
        layers,
        loop=entry.loop,
        beside=chosen_beside(entry, reading),
        window=entry.viewing,
        heat=heat,
        second=second,
    )
    _take_over(entry, item, events)
    _window_tool(entry, item)
    if item.prediction is not None:
        threshold_controls(item)
    _all_frames(entry)
    return layers


def _take_over(entry: Entry, item: OpenScan, events: ViewerEvents) -> None:
    """Keep what the person did in the viewer; it is reported once."""
    if events.window is not None or events.window_as_read:
        entry.viewing = events.window
    if events.frame is not None and events.frame != entry.frame:
        _go_to_frame(entry, events.frame)
    if events.measures is not None:
        item.measures = events.measures
    if events.regions is not None:
        item.regions = picture.region_points(events.regions)
        withdraw_acceptance(item)
    if events.measures is not None or events.regions is not None:
        # The feedback form stands outside this fragment and counts them.
        st.rerun()


def _go_to_frame(entry: Entry, frame: int) -> None:
    try:
        entry.show_frame(frame)
    except ScanError as error:
        st.error(str(error), icon=":material/error:")
        return
    # The model reads it, and the form is about it: both stand outside this fragment.
    st.rerun()


def _all_frames(entry: Entry) -> None:
    """Offer to read every frame of a loop, to find the ones worth looking at."""
    if entry.loop is None:
        return
    with st.expander(_("All frames"), icon=":material/timeline:", key=f"frames-{entry.key[:16]}"):
        frame = loop_panel(
            entry.loop,
            entry.first.scan.source_digest,
            shown=entry.frame,
            key=f"loop-{entry.key[:16]}",
        )
    if frame is not None:
        _go_to_frame(entry, frame)


def _window_tool(entry: Entry, item: OpenScan) -> None:
    """Offer to let the model read what the person sees, where that is another window."""
    depth, window = item.scan.depth, entry.viewing
    if depth is None or window is None or window == depth.window:
        return
    if st.button(
        _("Let the model read with this window"), icon=":material/tune:", key="read-window"
    ):
        entry.bring(rewindow(item.scan, window))
        st.rerun()


def _correct(entry: Entry, item: OpenScan) -> None:
    """Offer the corrections; what comes of one is another image of the same file."""
    try:
        untouched = entry.untouched()
    except ScanError as error:
        st.error(str(error), icon=":material/error:")
        return
    corrected = correction_tools(item.scan, untouched, item.quality, key=f"correct-{item.widget}")
    if corrected is not None and corrected.digest != item.digest:
        entry.bring(corrected)
        st.rerun()


def _about_model(prediction: Prediction) -> None:
    """Show what the model is for and its limits, in the words of its card."""
    with st.expander(_("What this model is for, and its limits"), icon=":material/info:"):
        card = card_of(prediction)
        if card is None:
            st.caption(_("The version that made this answer is not here any more."))
            return
        # The card's own words, as plain text.
        st.text(card.intended_use)
        for limit in card.limits:
            st.text("· " + limit)


def _read_anyway(item: OpenScan, person: Person, reason: str) -> None:
    """Keep the reason, and only then let the model read, or show what it withheld."""
    withheld = item.withheld
    familiarity = None if withheld is None else withheld.familiarity
    try:
        record_override(
            service.store(), person, item.digest, item.quality.to_dict(), reason, familiarity
        )
    except OverreadError as error:
        st.error(str(error), icon=":material/error:")
        if withheld is None:
            st.caption(_("The reason could not be kept, so the image was not read."))
        else:
            st.caption(_("The reason could not be kept, so the answer stays back."))
        return
    if withheld is None:
        item.reason = reason
    else:
        item.look_anyway(reason)
    st.rerun()


def _answer(item: OpenScan, person: Person) -> None:
    prediction = item.prediction
    if prediction is not None and prediction.image_digest == item.digest:
        version_line(item, prediction)
        site = site_of(prediction.task)
        # What stands on screen is what is stored with feedback and printed in the report.
        item.site_prevalence = site.share
        show_answer(prediction, item.scan, item.quality, item.reason, site)
        begin_anew(item)
        explore(item, prediction, person)
        more = st.expander(
            _("Among the validation scans"),
            icon=":material/bar_chart:",
            key="scores-open",
            on_change="rerun",
        )
        # Drawn only while it is open: it would be a third of the work of every slider move.
        if more.open:
            with more:
                show_scores(prediction)
        _about_model(prediction)
        return
    with st.container(border=True, key="answer"):
        st.caption(_("Case {case}").format(case=item.scan.case_number))
        if not item.qualifies:
            reason = ask_reason(item.quality, key=f"reason-{item.widget}")
            if reason:
                _read_anyway(item, person, reason)
        elif item.withheld is not None and item.withheld.familiarity is not None:
            version_line(item, item.withheld)
            reason = ask_to_look(item.withheld.familiarity, key=f"unknown-{item.widget}")
            if reason:
                _read_anyway(item, person, reason)
        elif item.problem:
            st.subheader(":material/cloud_off: " + _("No AI result"), anchor=False)
            st.write(item.problem)
            st.caption(_("The scan, your own read and the review queue go on without it."))
            if st.button(_("Try again"), icon=":material/refresh:", key="read-again"):
                service.load_model_again()
                reading_list().ask_again()
                st.rerun()
        else:
            st.subheader(":material/hourglass_top: " + _("Waiting for the model"), anchor=False)
