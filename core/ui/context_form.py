"""The case beside the image, as the doctor fills it in; what was measured only stands beside it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Any

import streamlit as st

from core.errors import InvalidFeedback
from core.review import (
    BiRads,
    CaseContext,
    EchoPattern,
    Laterality,
    LesionMargin,
    LesionOrientation,
    LesionShape,
    PosteriorFeatures,
    Suggestion,
    Suggestions,
    birads_name,
    clock_name,
    field_name,
    term_name,
)
from core.text import _
from core.ui.kept import kept, show
from core.ui.lexicon import record_text, suggestion_text, withheld_text

_START: dict[str, Any] = {
    "pseudonym": "",
    "age": None,
    "laterality": None,
    "clock": None,
    "distance_mm": None,
    "indication": "",
    "history": "",
    "birads": None,
    "shape": None,
    "orientation": None,
    "margins": [],
    "echo_pattern": None,
    "posterior": None,
}
#: The entries of a draft that belong to the context.
CONTEXT_FIELDS = tuple(_START)
#: Lexicon fields in the lexicon's order, each with its terms.
_TERMS: dict[str, type[StrEnum]] = {
    "shape": LesionShape,
    "orientation": LesionOrientation,
    "margins": LesionMargin,
    "echo_pattern": EchoPattern,
    "posterior": PosteriorFeatures,
}


def context_form(
    drafts: dict[str, Any], *, key: str, suggestions: Suggestions | None = None
) -> None:
    """Show the fields of the case context; call :func:`keep_context` before.

    Parameters
    ----------
    drafts
        Where what is entered is kept, under :data:`CONTEXT_FIELDS`; a field that nobody has
        touched has no entry.
    key
        Different for every case, so that no entry of one appears in another.
    suggestions
        What the measured lesion suggests. It stands beside the fields, and goes into one only by
        a click of its own.
    """
    _patient(drafts, key)
    _assessment(drafts, key, suggestions)
    try:
        context_of(drafts)
    except InvalidFeedback as error:
        st.warning(str(error), icon=":material/edit_note:")


def keep_context(drafts: dict[str, Any], *, key: str) -> None:
    """Take over what was typed, before anything is drawn that might not show the form again.

    Typed fields make no rerun of their own: it would swallow the very click that left them.
    """
    for name, start in _START.items():
        widget = _key(name, key)
        if widget in st.session_state:
            value = st.session_state[widget]
            if value != drafts.get(name, start):
                drafts[name] = value


def has_context(drafts: dict[str, Any]) -> bool:
    """Tell whether any field was ever touched, also where it has been emptied again.

    If so, send ``context_of(drafts)``, if not, None: an empty context takes back the pseudonym
    that was sent with this image before.
    """
    return any(name in drafts for name in _START)


def context_of(drafts: dict[str, Any]) -> CaseContext:
    """Return what was entered.

    Raises
    ------
    InvalidFeedback
        An entry cannot be taken; the line names the field.
    """
    values = {name: drafts.get(name, start) for name, start in _START.items()}
    # Blanks around what was pasted are no part of it; inside they would be a name's.
    values["pseudonym"] = (values["pseudonym"] or "").strip()
    for name in ("indication", "history"):
        values[name] = values[name] or ""
    values["margins"] = tuple(values["margins"] or ())
    return CaseContext(**values)


def _patient(drafts: dict[str, Any], key: str) -> None:
    left, right = st.columns([3, 2], gap="small")
    left.text_input(
        _("Patient's pseudonym (never a name)"),
        max_chars=32,
        autocomplete="off",
        help=_("1 to 32 letters A–Z, digits, dots, hyphens or underscores."),
        # Told with every letter: what is looked up under it must never be another patient's.
        # After a pause it would be told by leaving the field, together with the click that left
        # it, and the browser lets one part of the page run for both: the click would be lost.
        live="0ms",
        **_state(drafts, "pseudonym", key),
    )
    right.number_input(
        _("Age in years"),
        min_value=0,
        max_value=120,
        value=None,
        step=1,
        **_typed(drafts, "age", key),
    )
    side, clock, distance = st.columns(3, gap="small")
    with side:
        _choice(drafts, key, "laterality", _("Side"), list(Laterality), term_name)
    clock.selectbox(
        _("Clock position"),
        list(range(1, 13)),
        index=None,
        format_func=clock_name,
        placeholder="–",
        **_state(drafts, "clock", key),
    )
    distance.number_input(
        _("Distance from the nipple (mm)"),
        min_value=0.0,
        max_value=200.0,
        value=None,
        step=1.0,
        format="%.1f",
        **_typed(drafts, "distance_mm", key),
    )
    left, right = st.columns(2, gap="small")
    for column, name, title in (
        (left, "indication", _("Indication (no patient names)")),
        (right, "history", _("History in brief (no patient names)")),
    ):
        column.text_area(
            title,
            max_chars=500,
            height=68,
            **_typed(drafts, name, key),
        )


def _assessment(drafts: dict[str, Any], key: str, suggestions: Suggestions | None) -> None:
    _choice(drafts, key, "birads", _("Your BI-RADS category"), list(BiRads), str)
    if drafts.get("birads") is not None:
        st.caption(birads_name(drafts["birads"]))
    if suggestions is not None:
        _about(suggestions)
    for name, terms in _TERMS.items():
        title, options = field_name(name), list(terms)
        if name == "margins":
            st.pills(
                title,
                options,
                format_func=term_name,
                selection_mode="multi",
                wrap=True,
                **_state(drafts, name, key),
            )
        else:
            _choice(drafts, key, name, title, options, term_name)
        if suggestions is not None:
            for item in suggestions.about(name):
                _suggested(drafts, key, item)


def _about(suggestions: Suggestions) -> None:
    whose = {
        "ai": _("What is measured below is measured on the AI outline, unconfirmed."),
        "accepted": _("What is measured below is measured on the AI outline you accepted."),
        "drawn": _("What is measured below is measured on the outline you drew."),
    }
    lines = [whose[suggestions.outline], _("Nothing is filled in unless you take it.")]
    if suggestions.square_pixels:
        lines.append(_("No calibration is known: pixels are taken as square."))
    lines += [withheld_text(reason) for reason in suggestions.withheld]
    st.caption(" ".join(lines))


def _suggested(drafts: dict[str, Any], key: str, item: Suggestion) -> None:
    with st.container(horizontal=True, gap="small", vertical_alignment="center"):
        lines = [suggestion_text(item)]
        if item.held is not None:
            lines.append(record_text(item.held))
        st.caption(" ".join(lines))
        for term in item.terms:
            taken = drafts.get(item.field)
            st.button(
                _("Use “{term}”").format(term=term_name(term)),
                key=f"context-use-{item.field}-{term}-{key}",
                type="tertiary",
                icon=":material/add:",
                disabled=term == taken or (isinstance(taken, list) and term in taken),
                on_click=_use,
                args=(drafts, key, item.field, term),
            )


def _use(drafts: dict[str, Any], key: str, name: str, term: StrEnum) -> None:
    value: Any = term
    if name == "margins":
        # As the doctor's own click would: beside the others, which circumscribed excludes.
        others = [each for each in drafts.get(name, []) if each != LesionMargin.CIRCUMSCRIBED]
        value = [*others, term]
    drafts[name] = value
    st.session_state[_key(name, key)] = value


def _choice(
    drafts: dict[str, Any],
    key: str,
    name: str,
    title: str,
    options: Sequence[Any],
    names: Callable[[Any], str],
) -> None:
    st.segmented_control(title, options, format_func=names, wrap=True, **_state(drafts, name, key))


def _key(name: str, key: str) -> str:
    return f"context-{name}-{key}"


def _typed(drafts: dict[str, Any], name: str, key: str) -> dict[str, Any]:
    """Return the options of a field that makes no rerun of its own; see :func:`keep_context`."""
    return show(_key(name, key), drafts.get(name, _START[name])) | {"on_change": "ignore"}


def _state(drafts: dict[str, Any], name: str, key: str) -> dict[str, Any]:
    """Return key and callback that keep a choice with the case, not with the page."""
    widget = _key(name, key)

    def keep() -> None:
        drafts[name] = st.session_state[widget]

    return kept(widget, drafts.get(name, _START[name]), keep)
