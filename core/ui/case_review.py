"""One case in review: the image and a blind read first, everything else only after that."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any

import streamlit as st

from core.errors import OverreadError, StateConflict
from core.lesion import (
    HeatRegionResult,
    LesionControls,
    LesionResult,
    find_heat_regions,
    find_lesions,
)
from core.model import Predictor
from core.review import (
    AIResult,
    CaseState,
    CaseView,
    LabelDraft,
    Origin,
    Polygon,
    Revealed,
    Urgency,
    add_comment,
    close_case,
    open_case,
    record_blind_read,
    reveal,
    revise_label,
    stored_scan,
)
from core.text import _
from core.trust import Person
from core.ui import picture, service
from core.ui.kept_explanations import kept_explanations_of
from core.ui.lexicon import facts_text
from core.ui.model_version import load_stored_version, stored_version
from core.ui.revealed import show_revealed
from core.ui.wording import class_name, confidence_choice, origin_name, state_name, urgency_name


def urgency_badge(urgency: Urgency) -> str:
    """Return an urgency with a colour and its word."""
    colour = {Urgency.URGENT: "red", Urgency.SOON: "orange", Urgency.ROUTINE: "gray"}[urgency]
    return f":{colour}-badge[{urgency_name(urgency)}]"


def review_case(case_number: str, person: Person) -> None:
    """Show one case to a reviewer, as far as they may see it."""
    if st.button(_("Back to the queue"), icon=":material/arrow_back:", key="review-back"):
        leave()
    try:
        case = open_case(service.store(), person, case_number)
    except OverreadError as error:
        st.error(str(error), icon=":material/error:")
        return
    st.title(_("Case {case}").format(case=case.case_number), anchor=False)
    st.markdown(
        f"{urgency_badge(case.urgency)} · {state_name(case.state)} · "
        + case.received_at.astimezone().strftime("%Y-%m-%d %H:%M")
        + (" · " + _("synthetic phantom") if case.image.synthetic else "")
    )
    if facts := facts_text(case.facts):
        st.caption(facts)
    revealed = None
    if case.own_read is not None:
        try:
            revealed = reveal(service.store(), person, case.case_number)
        except OverreadError as error:
            st.error(str(error), icon=":material/error:")
            return
    if revealed is not None:
        _unsaved_elsewhere(case)
    left, right = st.columns([3, 2], gap="medium")
    with left:
        if revealed is None:
            picture.show_picture(case.png, case.image)
        else:
            drawn = [polygon for entry in revealed.feedback for polygon in entry.regions]
            _revealed_picture(case, revealed, drawn)
    with right:
        if revealed is None:
            _blind(case, person)
        else:
            _after(case, revealed, person)


def leave() -> None:
    """Go back to the list."""
    del st.query_params["case"]
    st.rerun()


def forget() -> None:
    """Forget which state of a case was looked at: whoever opens it again looks again."""
    for key in [str(k) for k in st.session_state]:
        if key.startswith("review-seen-"):
            del st.session_state[key]


def _revealed_picture(case: CaseView, revealed: Revealed, drawn: list[Polygon]) -> None:
    """Show the image with the AI's outline as it was sent, made again, and what clinicians drew."""
    result = predictor = None
    if revealed.reads:
        read = revealed.reads[-1]
        predictor = stored_version(read.bundle_digest)
        try:
            result = None if predictor is None else outline_again(case, read, predictor)
        except OverreadError as error:
            st.caption(str(error))
    picture.show_picture(case.png, case.image, drawn, _("Clinician"), result)
    if result is not None:
        st.caption(_("AI outline, unconfirmed: made again with the same model and controls."))
    elif revealed.reads:
        st.caption(_("The AI's outline cannot be made again here: that model is not loaded."))
        if predictor is None:
            load_stored_version(read.task, read.version, read.bundle_digest)


def outline_again(
    case: CaseView, read: AIResult, predictor: Predictor
) -> LesionResult | HeatRegionResult | None:
    """Make a stored result's outline again, or return None where the model is another one."""
    if predictor.bundle.digest != read.bundle_digest or read.controls is None:
        return None
    scan = stored_scan(case.image, case.png)
    if scan.digest != read.image_digest:
        return None
    prediction = predictor.read(scan)
    controls = LesionControls.from_dict(read.controls)
    surface = prediction.lesion_map()
    if surface is None:
        return find_heat_regions(prediction.heat(), controls)
    return find_lesions(surface, scan.grey, controls, spacing=scan.spacing_at)


def _unsaved_elsewhere(case: CaseView) -> None:
    """Say so when a read was to be saved here, but another window had saved one before."""
    if not st.session_state.get("review-save-blind"):
        return
    entered = {
        name: st.session_state.get(f"review-blind-{name}-{case.case_number}")
        for name in ("label", "comment")
    }
    st.error(
        _("Not saved: your own read of this case had been saved already, in another window."),
        icon=":material/sync_problem:",
    )
    st.text(
        _("What you entered here: {label}. {comment}").format(
            label=class_name(entered["label"]) if entered["label"] else "–",
            comment=entered["comment"] or "",
        )
    )


def _blind(case: CaseView, person: Person) -> None:
    st.subheader(_("Your own read"), anchor=False)
    if case.state is CaseState.CLOSED:
        st.info(_("This case is settled. It opens again when new feedback on it comes in."))
        return
    st.caption(_("The AI's answer and the clinician's are shown after your read is saved."))
    draft = _draft(case, "blind", None)
    if st.button(_("Save my read"), type="primary", key="review-save-blind", width="stretch"):
        _step(
            lambda: record_blind_read(
                service.store(),
                person,
                case.case_number,
                LabelDraft(**draft),
                _key(person, case.case_number, "blind", case.version, draft),
            )
        )


def _after(case: CaseView, revealed: Revealed, person: Person) -> None:
    # The version the person acts on is the one they have looked at, not the newest: what came in
    # since must be seen before it can be settled.
    seen = f"review-seen-{case.case_number}"
    version = st.session_state.setdefault(seen, revealed.version)
    if version != revealed.version:
        st.warning(_("Something new came in on this case. Look again before you decide."))

        def looked() -> None:
            st.session_state[seen] = revealed.version

        st.button(_("I have looked at what is new"), on_click=looked, key="review-looked")
    show_revealed(
        revealed, case.image.digest, lambda entry: kept_explanations_of(entry, case, person)
    )
    if revealed.settled is None:
        _decide(case, revealed, version, person)
    _comment(case, revealed, person)


def _decide(case: CaseView, revealed: Revealed, version: int, person: Person) -> None:
    st.subheader(_("Decide"), anchor=False)
    own = [entry for entry in revealed.entries if entry.person_id == person.id]
    last = own[-1] if own else revealed.own_read
    draft = _draft(
        case,
        "final",
        {"label": last.label, "origin": last.origin, "confidence": last.confidence, "comment": ""},
    )
    left, right = st.columns(2)
    if left.button(_("Revise my label"), key="review-revise", width="stretch"):
        _step(
            lambda: revise_label(
                service.store(),
                person,
                case.case_number,
                LabelDraft(**draft),
                _key(person, case.case_number, "revised", version, draft),
                version=version,
            )
        )
    if right.button(
        _("Settle with this label"), key="review-close", type="primary", width="stretch"
    ):
        _step(
            lambda: close_case(
                service.store(),
                person,
                case.case_number,
                LabelDraft(**draft),
                _key(person, case.case_number, "final", version, draft),
                version=version,
            )
        )


def _comment(case: CaseView, revealed: Revealed, person: Person) -> None:
    if st.session_state.pop("review-comment-sent", False):
        # Set and not deleted: a browser keeps what was typed unless it is told otherwise.
        st.session_state["review-comment"] = ""
    text = st.text_area(
        _("Add a comment (no patient names)"), max_chars=4000, key="review-comment", height=80
    )
    if st.button(_("Add comment"), key="review-add-comment", disabled=not text.strip()):
        key = _key(person, case.case_number, "comment", revealed.version, {"comment": text})
        _step(
            lambda: add_comment(service.store(), person, case.case_number, text, key),
            then="review-comment-sent",
        )


def _draft(case: CaseView, stage: str, start: dict[str, Any] | None) -> dict[str, Any]:
    """Show the fields of a label and return what they hold."""
    first = start or {"label": None, "origin": Origin.OPINION, "confidence": None, "comment": ""}
    draft: dict[str, Any] = {}
    choices: list[tuple[str, str, list[Any], Callable[[Any], str]]] = [
        ("label", _("Your label"), list(case.labels), class_name),
        ("origin", _("What your label rests on"), list(Origin), origin_name),
        ("confidence", _("How sure you are"), [1, 2, 3, 4, 5], confidence_choice),
    ]
    for name, title, options, names in choices:
        draft[name] = st.segmented_control(
            title,
            options,
            default=first[name],
            format_func=names,
            wrap=True,
            key=f"review-{stage}-{name}-{case.case_number}",
            # Looking at the list in between loses nothing.
            persist_state="session",
        )
    draft["comment"] = st.text_area(
        _("Reasons (no patient names)"),
        value=first["comment"],
        max_chars=4000,
        height=80,
        key=f"review-{stage}-comment-{case.case_number}",
        persist_state="session",
    )
    return draft


def _step(action: Callable[[], object], then: str | None = None) -> None:
    """Do one step of the review; show the case as it is afterwards, with ``then`` noted."""
    try:
        action()
    except StateConflict as error:
        st.error(str(error), icon=":material/sync_problem:")
        return
    except OverreadError as error:
        st.error(str(error), icon=":material/error:")
        st.caption(_("Nothing was saved. What you entered is still here."))
        return
    for key in [str(k) for k in st.session_state]:
        if key.startswith("review-seen-"):
            del st.session_state[key]
    if then is not None:
        st.session_state[then] = True
    st.toast(_("Saved."), icon=":material/check_circle:")
    st.rerun()


def _key(person: Person, case_number: str, stage: str, version: int, said: dict[str, Any]) -> str:
    """Name a step by what it says, so that a double click saves it once."""
    content = json.dumps([person.id, case_number, stage, version, said], sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()
