"""The clinician's feedback on one scan: kept as it is typed, saved in one step."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import streamlit as st

from core.errors import OverreadError, ReviewError, StateConflict
from core.lesion import LesionResult
from core.model import Prediction, restated
from core.review import (
    DEFAULT_LABELS,
    MAX_EXPLANATIONS,
    AIResult,
    Feedback,
    Origin,
    Problem,
    SentExplanation,
    Urgency,
    Verdict,
    ai_result,
    can_be_kept,
    image_facts,
    submit_feedback,
)
from core.scan import encode_png
from core.text import _, ngettext
from core.trust import Person
from core.ui import service
from core.ui.context_form import context_of, has_context, keep_context
from core.ui.explain_choice import hidden_regions
from core.ui.explained import explained, figures_of
from core.ui.kept import kept
from core.ui.open_scan import Entry, OpenScan
from core.ui.picture import named_case
from core.ui.reading_list import ReadingList, reading_list
from core.ui.shaping import outline_of
from core.ui.wording import (
    class_name,
    confidence_choice,
    origin_name,
    problem_name,
    urgency_name,
    verdict_name,
)

_START: dict[str, Any] = {
    "verdict": None,
    "label": None,
    "origin": Origin.OPINION,
    "confidence": None,
    "problems": [],
    "urgency": Urgency.ROUTINE,
    "comment": "",
    "outline": False,
}


@st.fragment
def feedback_form(entry: Entry, person: Person) -> None:
    """Show the form for the scan on screen.

    Parameters
    ----------
    entry
        The file with its image on screen; what is typed is kept with the image, so that moving
        to another one loses nothing.
    person
        Who sends it; whether they may is checked again where it is stored.
    """
    keep_comments(reading_list())
    item = entry.shown
    if item.drawn not in (None, item.controls):
        # A control changed in a run of this form alone: nothing is accepted or sent before the
        # picture shows it.
        st.rerun()
    title = _("Your feedback · case {case}").format(case=item.scan.case_number)
    named_case(item.scan, f"**{title}**")
    labels = item.prediction.labels if item.prediction else DEFAULT_LABELS
    if item.drafts.get("label") not in (None, *labels):
        # Chosen while the model, whose classes are others, was still starting.
        del item.drafts["label"]
    left, right = st.columns([5, 6], gap="medium")
    with left:
        if item.prediction is not None:
            _choice(item, "verdict", _("The AI's result"), list(Verdict), verdict_name)
        else:
            waiting = _("The AI result is not there yet; what you send now is your own read.")
            without = _("There is no AI result on this scan; your own read is the entry.")
            back = _("The AI result is kept back; what you send now is your own read.")
            if item.withheld is not None:
                st.caption(back)
            else:
                st.caption(waiting if item.is_unread else without)
        _choice(item, "label", _("Your own label"), list(labels), class_name)
        _choice(item, "origin", _("What your label rests on"), list(Origin), origin_name)
        _choice(item, "confidence", _("How sure you are"), [1, 2, 3, 4, 5], confidence_choice)
    with right:
        st.pills(
            _("What was wrong, if anything"),
            list(Problem),
            format_func=problem_name,
            selection_mode="multi",
            wrap=True,
            **_state(item, "problems"),
        )
        _choice(item, "urgency", _("How soon somebody should look"), list(Urgency), urgency_name)
        st.text_area(
            _("Comment (no patient names)"),
            max_chars=4000,
            height=90,
            # It travels with the next click: a rerun of its own when the field is left would
            # swallow the very click that left it.
            **_state(item, "comment") | {"on_change": "ignore", "args": ()},
        )
        item.has_form = True
        _outline_choice(item)
    if st.button(
        _("Send feedback on case {case}").format(case=item.scan.case_number),
        type="primary",
        icon=":material/send:",
        key=f"send-{item.widget}",
    ):
        _send(entry, item, person)
    _receipt(entry, item)
    from core.ui.leaving import guard_reload

    guard_reload(reading_list())
    catch_up(entry)


def _choice(item: OpenScan, name: str, title: str, options: list[Any], names: Any) -> None:
    st.segmented_control(title, options, format_func=names, wrap=True, **_state(item, name))


def _outline_choice(item: OpenScan) -> None:
    if item.regions:
        st.markdown(
            ngettext(
                "{n} corrected region drawn; it goes with your feedback.",
                "{n} corrected regions drawn; they go with your feedback.",
                len(item.regions),
            ).format(n=len(item.regions))
        )
        asked_about = hidden_regions(item.asked)
        if any(region in asked_about for region in item.regions):
            # A label is learned from: a question to the model must not become one unnoticed.
            st.warning(
                _(
                    "You hid a region to question the model. It goes along as a corrected outline: "
                    "remove it unless it is one."
                ),
                icon=":material/gesture:",
            )
    elif _has_outline(item) and (item.outline_shown or item.drafts.get("outline")):
        # Offered only beside the outline itself; once ticked it stays in sight, as it is sent.
        st.checkbox(_("I accept the AI outline as it is shown above"), **_state(item, "outline"))
    st.caption(_("To correct the outline, choose “Draw a region” above the image."))


def _has_outline(item: OpenScan) -> bool:
    result = outline_of(item)
    return isinstance(result, LesionResult) and bool(result.lesions)


def keep_comments(reading: ReadingList) -> None:
    """Take over what was typed, before a run that might not draw the field again."""
    for entry in reading.entries.values():
        keep_case(entry)
    for item in reading.items:
        typed = st.session_state.get(_key(item, "comment"))
        if item.has_form and typed is not None and typed != item.drafts.get("comment", ""):
            item.drafts["comment"] = typed


def keep_case(entry: Entry) -> None:
    """Take over what was typed about the case of a file."""
    if entry.has_form:
        keep_context(entry.context, key=context_key(entry))


def context_key(entry: Entry) -> str:
    """Return what the fields about the case of a file are called."""
    return f"context-{entry.key[:16]}"


def _key(item: OpenScan, name: str) -> str:
    key = f"feedback-{name}-{item.widget}"
    return f"{key}-{item.withdrawn}" if name == "outline" and item.withdrawn else key


def _state(item: OpenScan, name: str) -> dict[str, Any]:
    """Return key and callback that keep a widget's value with the scan, not with the page."""
    key = _key(item, name)

    def keep() -> None:
        item.drafts[name] = st.session_state[key]

    return kept(key, item.drafts.get(name, _START[name]), keep)


def _send(entry: Entry, item: OpenScan, person: Person) -> None:
    sent = said(entry, item)
    maps = explanations_to_keep(item)
    try:
        item.receipt = submit_feedback(service.store(), person, _feedback(entry, item, maps))
    except ReviewError as error:
        item.receipt = None
        if isinstance(error, StateConflict):
            # The key names a form that did arrive, though nobody heard of it.
            item.submission_key = uuid4().hex
        st.error(str(error), icon=":material/edit_note:")
        return
    except OverreadError as error:
        item.receipt = None
        st.error(
            _("Not saved: {reason} Everything you entered is still here; send it again.").format(
                reason=error
            ),
            icon=":material/error:",
        )
        return
    item.sent, item.sent_maps = sent, len(maps)
    # The next thing said is another entry.
    item.submission_key = uuid4().hex
    # The strip above shows where each scan stands.
    st.rerun()


def has_unsent(entry: Entry, item: OpenScan) -> bool:
    """Tell whether something was entered or drawn that has not been sent."""
    typed = entered(item) != _START
    about_case = item is entry.shown and has_context(entry.context)
    own = typed or about_case or item.regions or item.measures or item.reason
    return bool(own) and item.sent != said(entry, item)


def catch_up(entry: Entry) -> None:
    """Draw the page anew where an open panel shows what no longer holds.

    Every part of the page reruns by itself: what is entered in one may change what another says.
    """
    item = entry.shown
    if item.suggested_on in (None, item.measured_on) and (
        item.reported_on in (None, reportable(entry, item))
    ):
        return
    forget_panels(entry)
    st.rerun()


def forget_panels(entry: Entry) -> None:
    """Note that the panels of an image are about to be drawn."""
    entry.shown.suggested_on = entry.shown.reported_on = None


def said(entry: Entry, item: OpenScan) -> str:
    """Return everything said of an image, to tell whether it has changed since."""
    drafts = entered(item)
    context = {name: value for name, value in sorted(entry.context.items()) if value}
    about = (item.regions, item.measures, item.reason, item.controls, item.again)
    return repr((drafts, context, *about))


def reportable(entry: Entry, item: OpenScan) -> str:
    """Return what the offer of a report depends on.

    The pseudonym is not of it: it is told with every letter, and a page drawn anew at each would
    swallow clicks. The report itself takes it as it stands when it is asked for.
    """
    context = {k: v for k, v in sorted(entry.context.items()) if v and k != "pseudonym"}
    about = (item.regions, item.measures, item.reason, item.controls, item.again)
    return repr((entered(item), context, *about))


def _receipt(entry: Entry, item: OpenScan) -> None:
    receipt = item.receipt
    if receipt is None:
        return
    when = receipt.submitted_at.astimezone().strftime("%Y-%m-%d %H:%M")
    if item.sent != said(entry, item):
        st.info(
            _("Changed since it was sent on {when}; the change is not saved yet.").format(
                when=when
            ),
            icon=":material/edit:",
        )
        return
    text = (
        _("Saved: your feedback on case {case}, as you sent it at {when}, is in the review queue.")
        if receipt.created
        else _("Already saved: this very feedback on case {case} came in on {when}.")
    )
    told = text.format(case=receipt.case_number, when=when)
    if item.sent_maps:
        told += " " + ngettext(
            "{n} explanation is kept with it.", "{n} explanations are kept with it.", item.sent_maps
        ).format(n=item.sent_maps)
    st.success(told, icon=":material/check_circle:")


def explanations_to_keep(item: OpenScan) -> tuple[SentExplanation, ...]:
    """Return the explanations that go with the feedback on an image: the last that were shown."""
    if item.prediction is None:
        return ()
    sent = (
        SentExplanation(one.explanation, figures_of(one, item))
        for one in explained(item)
        if one.shown
    )
    # A map that is too intricate to be kept must not keep the feedback from being sent.
    return tuple(one for one in sent if can_be_kept(one))[-MAX_EXPLANATIONS:]


def entered(item: OpenScan) -> dict[str, Any]:
    """Return what the form on an image says so far, by field."""
    return {name: item.drafts.get(name, start) for name, start in _START.items()}


def _feedback(entry: Entry, item: OpenScan, maps: tuple[SentExplanation, ...] = ()) -> Feedback:
    values = entered(item)
    scan = item.scan
    ai = _ai(item, item.prediction) if item.prediction is not None else None
    accepted = bool(values["outline"]) and not item.regions and _has_outline(item)
    regions = tuple(tuple((float(x), float(y)) for x, y in region) for region in item.regions)
    return Feedback(
        submission_key=item.submission_key,
        image=image_facts(scan),
        png=encode_png(scan),
        task=item.prediction.task if item.prediction else service.settings().task,
        ai=ai,
        verdict=values["verdict"] if ai is not None else None,
        label=values["label"],
        # An origin says what a label rests on; without a label there is nothing to say.
        origin=values["origin"] if values["label"] else None,
        confidence=values["confidence"],
        problems=tuple(problem for problem in Problem if problem in values["problems"]),
        urgency=values["urgency"] or Urgency.ROUTINE,
        comment=values["comment"],
        regions=regions,
        region_image=scan.digest if regions else None,
        outline_accepted=accepted,
        labels=item.prediction.labels if item.prediction else DEFAULT_LABELS,
        context=context_of(entry.context) if has_context(entry.context) else None,
        quality=item.quality.to_dict(),
        override_reason=item.reason,
        measures=tuple(measure.to_dict() for measure in item.measures),
        explanations=maps,
        embedding=None if item.prediction is None else item.prediction.embedding,
    )


def _ai(item: OpenScan, prediction: Prediction) -> AIResult:
    result = outline_of(item)
    lesions = result.lesions if isinstance(result, LesionResult) else ()
    return ai_result(
        prediction,
        map_kind="lesion" if prediction.has_lesion_map else "heat" if result else "none",
        controls=item.controls if result else None,
        lesion_threshold=result.threshold if result else None,
        measurements=[lesion.measurements.to_dict() for lesion in lesions],
        explored_threshold=item.last_explored,
        site_prevalence=_shown_with(item, prediction),
    )


def _shown_with(item: OpenScan, prediction: Prediction) -> float | None:
    """Return the site's prevalence if the answer stood on screen restated for it."""
    share = item.site_prevalence
    failed = [check.name for check in item.quality.failed]
    if share is None or restated(prediction, share, failed) is None:
        return None
    return share
