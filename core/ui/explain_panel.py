"""Why the model answered as it did: choose a method and a question, and challenge what it shows.

Drawn inside the reading room's fragment. What is chosen is kept with the image, so the maps are
known before the viewer is drawn, and no slider asks the model.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import streamlit as st

from core.explain import (
    CAMS,
    Agreement,
    Explanation,
    Inside,
    agreement,
    asks_about_a_class,
    caveat_words,
    heat_inside,
)
from core.lesion import HeatRegionResult, LesionResult
from core.text import _
from core.ui.explain_choice import SLOW
from core.ui.explain_controls import choices, occluding
from core.ui.explain_evidence import figures, hidden_table
from core.ui.explain_jobs import Key, Kind, ask, asking, stop, usual_seconds
from core.ui.explain_kept import Found, Question, kept_explanations
from core.ui.explain_layer import colour_bar, scale_of
from core.ui.explain_screen import question_of, what_is_asked
from core.ui.explain_words import (
    agreement_words,
    disagreement_means,
    faithful_words,
    hidden_words,
    method_name,
    no_class_words,
    where_words,
)
from core.ui.explain_work import share_and_left, turned
from core.ui.frame_curve import about
from core.ui.layers import heat_controls
from core.ui.open_scan import OpenScan

Result = LesionResult | HeatRegionResult | None
#: Figures that were worked out from maps in this session, under what they were worked out from.
_FIGURES, _MOST_FIGURES = "explain-figures", 200


def explain_panel(item: OpenScan, result: Result, *, heat: bool) -> None:
    """Show the choices, what the map on screen says, and the evidence for it.

    Parameters
    ----------
    item, result
        The image with its answer, and what was outlined on it.
    heat
        Whether maps are drawn over the image.
    """
    prediction = item.prediction
    if prediction is None or prediction.image_digest != item.digest:
        return
    with st.container(border=True, gap="small", key="explain"):
        choices(item, prediction)
        asked = what_is_asked(item)
        occluding(item, asked)
        _under_way(item)
        for method in dict.fromkeys([item.why.method, item.why.second]):
            if method:
                _why_not(item, question_of(item, method))
        if asked.question is not None and asked.found is not None:
            _says(item, asked.question, asked.found, result, heat=heat)


def _under_way(item: OpenScan) -> None:
    running = asking().of(item)
    if running:
        _follow(item, frozenset(running))


@st.fragment(run_every=0.7)
def _follow(item: OpenScan, expected: frozenset[Key]) -> None:
    """Show how far the work in the background is, and draw the page anew when some has ended."""
    running = asking().of(item)
    if frozenset(running) != expected:
        st.rerun()
    for (kind, question), job in running.items():
        share, left = share_and_left(job, usual_seconds((kind, question)))
        name = method_name(question.method)
        said = _("Evidence for {method}").format(method=name) if kind == "evidence" else name
        if job.status().state == "waiting":
            said += " · " + _("waits for other work to end")
        elif left is not None:
            said += " · " + about(left)
        elif not share:
            said += " · " + _("prepares the model for this question; you can go on meanwhile")
        else:
            said += " · " + _("in the background: you can go on meanwhile")
        with st.container(horizontal=True, gap="small", vertical_alignment="center"):
            st.progress(share, said)
            st.button(
                _("Stop"),
                icon=":material/stop:",
                key=f"why-stop-{kind}-{question.method}-{item.widget}",
                on_click=stop,
                args=(kind, question),
            )


def _why_not(item: OpenScan, question: Question | None, kind: Kind = "map") -> None:
    """Say in one line why there is nothing, and offer to ask again."""
    if question is None:
        return
    held, shelf = asking(), kept_explanations()
    problem = held.problems.get((kind, question))
    found = shelf.get(question)
    there = found is not None and (kind == "map" or found.curves is not None)
    if there or (kind, question) in held.jobs:
        return
    words: tuple[str, str] | None = None
    if problem is not None:
        line = _("{method}: {problem}").format(method=method_name(question.method), problem=problem)
        st.warning(line, icon=":material/error:")
        words = _("Ask again"), ":material/refresh:"
    elif question.method in SLOW and question.method != "occlusion":
        words = (
            _("Explain by {method}").format(method=method_name(question.method)),
            (":material/play_arrow:"),
        )
    if words is not None:
        st.button(
            words[0],
            icon=words[1],
            key=f"why-again-{kind}-{question.method}-{item.widget}",
            on_click=_again,
            args=(item, question, kind),
        )


def _again(item: OpenScan, question: Question, kind: Kind) -> None:
    asking().problems.pop((kind, question), None)
    ask(item, question, kind)


def _says(item: OpenScan, question: Question, found: Found, result: Result, *, heat: bool) -> None:
    """Say what the map on screen says, and how far it may be trusted."""
    map_, hidden = found.explanation, found.occlusion
    against = map_ is not None and map_.signed and item.why.against
    caveat = caveat_words(item.read_despite)
    if caveat:
        st.warning(caveat, icon=":material/help:")
    if hidden is not None:
        st.markdown(hidden_words(hidden))
    if map_ is None:
        st.caption(_("The probability did not change at all: there is no map to draw."))
    elif heat:
        scale = _figure(("scale", question, against), lambda: scale_of(map_, against=against))
        colour_bar(map_, scale, against=against)
        if hidden is None:
            _in_words(item, question, found, map_, result, against=against)
        heat_controls()
    if hidden is not None:
        hidden_table(hidden, f"{question.image}:{question.bundle}:{question.parameters}")
    elif map_ is not None:
        _evidence(item, question, found, map_, result, against=against)


def _in_words(
    item: OpenScan,
    question: Question,
    found: Found,
    map_: Explanation,
    result: Result,
    *,
    against: bool,
) -> None:
    """Say where a map lies, whether it is faithful, and plainly where another says otherwise."""
    inside = _inside(question, map_, item, result, against=against)
    seen = _side(map_, against=against)
    words = [
        where_words(seen, inside, against=against),
        faithful_words(found.curves, against=against),
    ]
    apart: list[str] = []
    for other, agreed in _others(item, question, map_, against=against):
        two_kinds = (question.method in CAMS) != (other in CAMS)
        if two_kinds or other == item.why.second:
            said = agreement_words(question.method, other, agreed)
            (words if agreed.agree else apart).append(said)
    for method in (question.method, item.why.second):
        if item.why.second and not asks_about_a_class(method):
            words.append(no_class_words(method))
    st.markdown(" ".join([*words, _("A check to challenge, not proof.")]))
    if apart:
        st.warning(" ".join([*apart, disagreement_means()]), icon=":material/call_split:")


def _evidence(
    item: OpenScan,
    question: Question,
    found: Found,
    map_: Explanation,
    result: Result,
    *,
    against: bool,
) -> None:
    """Show the figures, and measure those that take long for whoever looks."""
    more = st.expander(
        _("Evidence for or against this map"),
        icon=":material/rule:",
        key="evidence-open",
        on_change="rerun",
    )
    # Some sixty to three hundred runs of the model: not for whoever does not look.
    if not more.open:
        return
    with more:
        inside = _inside(question, map_, item, result, against=against)
        others = _others(item, question, map_, against=against)
        key = f"curves-{item.widget}"
        figures(map_, inside, others, found.curves, found.stability, key=key, against=against)
        _measure(item, question, found)


def _measure(item: OpenScan, question: Question, found: Found) -> None:
    held = asking()
    key: Key = ("evidence", question)
    if found.curves is not None:
        return
    if key not in held.jobs and key not in held.problems:
        ask(item, question, "evidence")
        # Its progress stands above, with all others.
        st.rerun()
    if key in held.jobs:
        st.caption(_("Faithfulness and stability are being measured; the page can be used."))
    _why_not(item, question, "evidence")


def _inside(
    question: Question, map_: Explanation, item: OpenScan, result: Result, *, against: bool
) -> Inside | None:
    if not isinstance(result, LesionResult) or not result.mask.any():
        return None
    mask = result.mask
    found: Inside = _figure(
        ("inside", question, against, item.controls),
        lambda: heat_inside(_side(map_, against=against), mask),
    )
    return found


def _side(map_: Explanation, *, against: bool) -> Explanation:
    """Return a map with the side that is drawn above 0."""
    return turned(map_) if against else map_


def _others(
    item: OpenScan, question: Question, map_: Explanation, *, against: bool
) -> list[tuple[str, Agreement]]:
    """Return the other methods that were asked the same, with how far they agree.

    Of two sides the same one is compared: what speaks for a class says nothing of what speaks
    against it. A method that asks about no class answers no question that another did.
    """
    found: list[tuple[str, Agreement]] = []
    if not asks_about_a_class(question.method):
        return found
    for other in item.asked:
        same = replace(other, method=question.method, parameters=question.parameters) == question
        kept_map = kept_explanations().get(other)
        if not same or other == question or "occlusion" in (other.method, question.method):
            continue
        if not asks_about_a_class(other.method):
            continue
        second = None if kept_map is None else kept_map.explanation
        if second is None or (against and not second.signed):
            continue
        key = ("agreement", question, other, against)
        sides = [_side(each, against=against) for each in (map_, second)]
        found.append((other.method, _figure(key, partial(agreement, *sides))))
    return found


def _figure(key: tuple[Any, ...], make: Callable[[], Any]) -> Any:
    """Return a figure worked out before, or work it out: a slider must not do it again."""
    known: dict[tuple[Any, ...], Any] = st.session_state.setdefault(_FIGURES, {})
    if key not in known:
        while len(known) >= _MOST_FIGURES:
            del known[next(iter(known))]
        known[key] = make()
    return known[key]
