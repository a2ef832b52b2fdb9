"""Settled cases that look alike to the model, so that the doctor compares with real outcomes."""

from __future__ import annotations

from collections import Counter

import streamlit as st

from core.errors import OverreadError
from core.model import EmbeddingSpace, Prediction, find_bundle
from core.review import Origin, Similar, SimilarCase, SimilarState, open_earlier, stored_scan
from core.scan import Scan
from core.text import _, ngettext
from core.trust import Permission, Person, permissions_of
from core.ui import picture, service
from core.ui.feedback_form import keep_case
from core.ui.model_version import stored_version
from core.ui.open_scan import Entry, OpenScan
from core.ui.wording import class_name, origin_name, percent

#: Longest side of a thumbnail as it is sent, and the width of its tile, in pixels.
_SENT, _TILE = 320, 156


@st.fragment
def similar_panel(entry: Entry, person: Person) -> None:
    """Offer the settled cases nearest to the scan on screen; nothing is looked up until opened.

    Parameters
    ----------
    entry
        The file on screen.
    person
        Who reads; whether they may see settled cases is checked again where they are looked up.
    """
    if Permission.SEE_SETTLED not in permissions_of(person.role):
        return
    # The click that opens it brings along the pseudonym that was typed before.
    keep_case(entry)
    item = entry.shown
    panel = st.expander(
        _("Similar settled cases"),
        icon=":material/image_search:",
        key=f"similar-{item.widget}",
        on_change="rerun",
    )
    if not panel.open:
        return
    with panel:
        prediction = item.prediction
        if prediction is None or prediction.image_digest != item.digest:
            st.caption(_why_not_yet(item))
            return
        found = _find(entry, person, prediction)
        if found is None:
            return
        if found.state is SimilarState.PREPARING:
            _wait(entry, person, prediction)
            return
        if found.state is SimilarState.FOUND:
            _show(found, person)
        else:
            st.info(_why_none(found), icon=":material/image_search:")
        _what_was_left_out(found, has_pseudonym=bool(_pseudonym(entry)))
        st.button(_("Look again"), icon=":material/refresh:", key=f"similar-again-{item.widget}")


def _pseudonym(entry: Entry) -> str:
    return str(entry.context.get("pseudonym") or "").strip()


def _find(entry: Entry, person: Person, prediction: Prediction) -> Similar | None:
    """Look for similar cases; None where that cannot be done, which is then said."""
    space = _space(prediction)
    if space is None:
        st.caption(_("The version that made this answer is not here any more."))
        return None
    try:
        return service.similar_cases().find(
            person, entry.shown.scan, prediction, space, pseudonym=_pseudonym(entry)
        )
    except OverreadError as error:
        st.warning(str(error), icon=":material/cloud_off:")
        st.caption(_("Similar cases cannot be looked up now. Everything else here goes on."))
        return None


def _space(prediction: Prediction) -> EmbeddingSpace | None:
    """Return in what the embeddings of the bundle that answered are compared."""
    bundle = find_bundle(
        service.settings(), prediction.task, prediction.version, prediction.bundle_digest
    )
    if bundle is None:
        loaded = stored_version(prediction.bundle_digest)
        bundle = None if loaded is None else loaded.bundle
    return None if bundle is None else EmbeddingSpace.of(bundle.reference.extra)


@st.fragment(run_every=1.0)
def _wait(entry: Entry, person: Person, prediction: Prediction) -> None:
    """Look again until the settled cases are in memory; each look takes in some more."""
    found = _find(entry, person, prediction)
    if found is not None and found.state is not SimilarState.PREPARING:
        st.rerun()
    if found is not None:
        st.caption(
            ":material/hourglass_top: "
            + ngettext(
                "Settled cases are being made ready: {n} so far.",
                "Settled cases are being made ready: {n} so far.",
                found.settled,
            ).format(n=found.settled)
        )


def _why_not_yet(item: OpenScan) -> str:
    if item.withheld is not None:
        return _("The model does not know this picture, so no similar cases are shown.")
    if item.problem or not item.qualifies:
        return _("Without an AI result there is nothing to compare settled cases by.")
    return _("Similar cases are looked for once the model has read this scan.")


def _why_none(found: Similar) -> str:
    if found.state is SimilarState.NO_EMBEDDING:
        return _("This version of the model gives nothing by which scans could be compared.")
    if found.state is SimilarState.UNKNOWN_SCAN:
        return _(
            "The model does not know this picture: what lies near it would mean nothing, so no "
            "similar cases are shown."
        )
    return _(
        "There is no settled case to compare with yet. Cases come here once reviewers have settled "
        "them."
    )


def _show(found: Similar, person: Person) -> None:
    st.markdown("**" + counts(found.cases) + "**")
    st.warning(
        _(
            "Similar is what the model takes for similar, which may be the scanner or the depth as "
            "well as the lesion. How other cases ended is no proof of how this one will."
        ),
        icon=":material/help:",
    )
    nearest = found.cases[0].nearer_than
    if nearest is not None and nearest < 0.5:
        st.markdown(
            ":material/social_distance: "
            + _("None of them is near: most settled cases are as alike to each other.")
        )
    with st.container(horizontal=True, gap="small", key="similar-cases"):
        for place, case in enumerate(found.cases, 1):
            with st.container(width=_TILE, gap="xsmall", key=f"similar-case-{place}"):
                _tile(case, place, person)


def _tile(case: SimilarCase, place: int, person: Person) -> None:
    said = f"{class_name(case.label)} · {origin_name(case.origin)}"
    alt = _("Settled case {case}: {said}").format(case=case.case_number, said=said)

    def scan() -> Scan:
        return stored_scan(*open_earlier(service.store(), person, case.case_number))

    try:
        picture.small_picture(f"stored:{case.digest}", scan, alt, _SENT)
    except OverreadError as error:
        st.caption(str(error))
    st.markdown(f"**{class_name(case.label)}** · {origin_name(case.origin)}")
    if case.origin is Origin.OPINION:
        st.caption(":material/warning: " + _("an opinion only, no outcome"))
    st.caption(distance_words(case, place))
    st.caption(
        _("Case {case}").format(case=case.case_number)
        + (" · " + _("synthetic phantom") if case.synthetic else "")
    )


def counts(cases: tuple[SimilarCase, ...]) -> str:
    """Say how the nearest settled cases ended, most frequent first, with what that rests on."""
    by_label = Counter(case.label for case in cases)
    parts = []
    for label, n in by_label.most_common():
        origins = Counter(case.origin for case in cases if case.label == label)
        rests = ", ".join(f"{origin_name(o)} {origins[o]}" for o in Origin if origins[o])
        parts.append(_("{n} {label} ({rests})").format(n=n, label=class_name(label), rests=rests))
    return ngettext(
        "The nearest settled case: {counts}",
        "Of the {n} nearest settled cases: {counts}",
        len(cases),
    ).format(n=len(cases), counts=" · ".join(parts))


def distance_words(case: SimilarCase, place: int) -> str:
    """Say how near a case lies, by how near settled cases lie to each other."""
    share = case.nearer_than
    if share is None:
        return _("No. {n} by distance; too few settled cases to say how near.").format(n=place)
    if share >= 0.995:
        return _("Nearer than over 99 % of pairs of settled cases.")
    return _("Nearer than {share} of pairs of settled cases.").format(share=percent(share))


def _what_was_left_out(found: Similar, *, has_pseudonym: bool) -> None:
    lines = []
    if found.settled:
        lines.append(
            ngettext(
                "{n} settled case was looked through.",
                "{n} settled cases were looked through.",
                found.settled,
            ).format(n=found.settled)
        )
    if found.left_out:
        lines.append(
            ngettext(
                "{n} image of this scan or patient was left out: that would be looking up the "
                "answer.",
                "{n} images of this scan or patient were left out: that would be looking up the "
                "answer.",
                found.left_out,
            ).format(n=found.left_out)
        )
    if found.same_patient:
        lines.append(
            ngettext(
                "{n} further image of a patient among them is not counted twice.",
                "{n} further images of patients among them are not counted twice.",
                found.same_patient,
            ).format(n=found.same_patient)
        )
    if found.waiting:
        lines.append(
            ngettext(
                "{n} settled case has yet to be read by this version, in the background.",
                "{n} settled cases have yet to be read by this version, in the background.",
                found.waiting,
            ).format(n=found.waiting)
        )
    if found.settled and not has_pseudonym:
        lines.append(
            _("Without a pseudonym below, other images of this patient cannot be left out.")
        )
    if lines:
        st.caption(" ".join(lines))
