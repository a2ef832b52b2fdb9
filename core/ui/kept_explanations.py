"""The explanations that were on a clinician's screen, shown to a reviewer after the own read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import streamlit as st

from core.errors import OverreadError
from core.explain import (
    UNKNOWN_SCAN,
    Drawing,
    asked_name,
    caveat_words,
    explanation_npz,
    explanation_png,
    file_stem,
)
from core.review import (
    AIResult,
    CaseView,
    FeedbackEntry,
    KeptExplanation,
    open_explanation,
    stored_scan,
)
from core.scan import failed_checks
from core.text import _, language, ngettext
from core.trust import Person
from core.ui import media, service
from core.ui.explain_words import hiding_words, whole_map_words
from core.ui.report_panel import in_language
from core.ui.wording import percent


def kept_explanations_of(entry: FeedbackEntry, case: CaseView, person: Person) -> None:
    """Show what was kept with a feedback; a map is opened only when it is looked at.

    Parameters
    ----------
    entry
        Feedback of a case that was revealed; the room checks that again for every map.
    case, person
        The case with its pixels, and who looks.
    """
    if not entry.explanations or entry.ai is None:
        return
    n = len(entry.explanations)
    panel = st.expander(
        ngettext(
            "{n} explanation was on the sender's screen", "{n} explanations were on the sender's "
            "screen", n,
        ).format(n=n),
        icon=":material/visibility:",
        key=f"kept-explanations-{entry.id}",
        on_change="rerun",
    )  # fmt: skip
    if not panel.open:
        return
    despite = failed_checks(entry.quality)
    if entry.ai.refused:
        despite += (UNKNOWN_SCAN,)
    with panel:
        st.caption(
            _(
                "A check to challenge, not proof. Values are kept rounded, and drawn here as "
                "strongly as always, however the sender had set it."
            )
        )
        if despite:
            st.warning(caveat_words(despite), icon=":material/help:")
        for kept in entry.explanations:
            _one(kept, entry.ai, case, person, despite)


def _one(
    kept: KeptExplanation,
    ai: AIResult,
    case: CaseView,
    person: Person,
    despite: tuple[str, ...],
) -> None:
    against = bool((kept.evidence or {}).get("against"))
    name = asked_name(kept.method, kept.target, against=against)
    st.markdown(f"**{name}**")
    for line in figures_words(kept):
        st.caption(line)
    try:
        sent = open_explanation(service.store(), person, case.case_number, kept.id)
    except OverreadError as error:
        st.error(str(error), icon=":material/error:")
        return
    code = language()
    picture = in_language(
        code,
        lambda: explanation_png(
            stored_scan(case.image, case.png),
            sent.explanation,
            ai.task,
            ai.version,
            Drawing(against=against),
            despite,
        ),
    )
    address = media.publish(f"kept:{case.image.digest}:{kept.id}:{code}", picture)
    alt = _("Map by {method} over case {case}, with its colour bar").format(
        method=name, case=case.case_number
    )
    # Markdown, because st.image would take the address for a file of the server.
    st.markdown(f"![{alt}]({address})")
    st.caption(_("Shown to fit; the file has the scan 1:1."))
    stem = f"{file_stem(case.case_number, kept.method, kept.target)}-{kept.id}"
    values = partial(
        explanation_npz,
        sent.explanation,
        case.case_number,
        ai.task,
        ai.version,
        sent.evidence,
        despite,
    )
    offers: list[tuple[str, str, str, Callable[[], bytes]]] = [
        (_("Picture PNG"), f"{stem}.png", "image/png", picture),
        (_("Values NPZ"), f"{stem}.npz", "application/octet-stream", values),
    ]
    with st.container(horizontal=True, gap="small"):
        for title, name, mime, make in offers:
            st.download_button(
                title,
                make,
                name,
                mime,
                on_click="ignore",
                icon=":material/download:",
                key=f"download-{name}",
            )


def figures_words(kept: KeptExplanation) -> list[str]:
    """Return the figures that stood beside a map, as far as they were measured."""
    found: Mapping[str, Any] = kept.evidence or {}
    lines = []
    if kept.method == "occlusion":
        said = kept.parameters.get("found")
        if said:
            words = hiding_words(kept.target, said["before"], said["after"], said["elsewhere"])
            lines.append(words)
        return lines
    if kept.gap is not None:
        lines.append(
            _("Base value {base}, output {output}, gap {gap}").format(
                base=f"{kept.base_value:.3f}", output=f"{kept.output:.3f}", gap=f"{kept.gap:.3f}"
            )
        )
    if "faithfulness" in found:
        text = (
            _("Faithfulness {figure} (0 by chance): better than every random order")
            if found.get("beats_random")
            else _("Faithfulness {figure} (0 by chance): **not better than chance**")
        )
        lines.append(text.format(figure=f"{found['faithfulness']:+.2f}"))
        if found.get("against"):
            lines.append(whole_map_words(kept.target))
    else:
        lines.append(_("How faithful it is to the model has not been measured."))
    inside = found.get("inside")
    if inside and inside.get("share") is not None:
        lines.append(
            _("{share} of its heat inside the outline, which covers {area} of the picture").format(
                share=percent(inside["share"]), area=percent(inside["area"])
            )
        )
    return lines
