"""What a doctor chooses: the method, the question, a second method, a region to hide."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import streamlit as st

from core.explain import How
from core.model import Prediction
from core.text import _
from core.ui.explain_choice import METHODS, SIGNED, SLOW, Choice
from core.ui.explain_jobs import ask, asking
from core.ui.explain_screen import Asked, question_of
from core.ui.explain_words import grain, method_name, what_it_asks, why
from core.ui.kept import kept
from core.ui.layers import stand_side_by_side
from core.ui.open_scan import OpenScan

#: Methods with a map whose two sides can be asked for apart.
_TWO_SIDED = SIGNED - {"occlusion", "lesion-drivers"}


def choices(item: OpenScan, prediction: Prediction) -> None:
    """Choose method, question and a second method; below them what the method asks."""
    why_ = item.why
    with st.container(horizontal=True, gap="small", vertical_alignment="bottom"):
        st.selectbox(
            _("Explained by"),
            METHODS,
            format_func={name: method_name(name) for name in METHODS}.__getitem__,
            width=210,
            **_kept(item, "method", why_.method, _take_method),
        )
        if why_.method != "lesion-drivers":
            signs = (False, True) if why_.method in _TWO_SIDED else (False,)
            answer = prediction.heat_class
            labels = sorted(prediction.labels, key=lambda label: label != answer)
            # Words of the language that this run is in, whoever asks for them.
            questions = {
                (label, against): why(label, against=against)
                for label in labels
                for against in signs
            }
            st.selectbox(
                _("Question"),
                list(questions),
                format_func=questions.__getitem__,
                width=210,
                **_kept(item, "target", (why_.target or answer, why_.against), _take_target),
            )
        others = [name for name in METHODS if name not in (why_.method, "occlusion")]
        beside = {"": _("No second map")} | {name: method_name(name) for name in others}
        st.selectbox(
            _("Beside it"),
            list(beside),
            format_func=beside.__getitem__,
            width=210,
            **_kept(item, "second", why_.second, _take_second),
        )
    cells = prediction.network_heat.shape if prediction.heat_available else None
    shape = None if cells is None else (int(cells[0]), int(cells[1]))
    st.caption(f"{what_it_asks(why_.method)} {grain(why_.method, shape)}".strip())


def _kept(item: OpenScan, name: str, value: Any, take: Callable[..., None]) -> dict[str, Any]:
    key = f"why-{name}-{item.widget}"

    def changed() -> None:
        take(item, st.session_state[key])

    return kept(key, value, changed)


def _take_method(item: OpenScan, method: str) -> None:
    new = replace(item.why, method=method)
    if new.against and method not in _TWO_SIDED:
        # A map without a sign has no "why not".
        new = replace(new, target="", against=False)
    if new.second == method:
        new = replace(new, second="")
    _choose(item, new, method)


def _take_target(item: OpenScan, pair: tuple[str, bool]) -> None:
    _choose(item, replace(item.why, target=pair[0], against=pair[1]), item.why.method)
    if item.why.second:
        _ask_for(item, item.why.second)


def _take_second(item: OpenScan, method: str) -> None:
    _choose(item, replace(item.why, second=method), method)
    if method:
        stand_side_by_side()


def _choose(item: OpenScan, new: Choice, method: str) -> None:
    item.why = new
    if method:
        _ask_for(item, method)


def _ask_for(item: OpenScan, method: str) -> None:
    """Start what takes long because a person chose it; a region is hidden by a button only."""
    question = question_of(item, method)
    if question is not None and method in SLOW and method != "occlusion":
        ask(item, question)


def occluding(item: OpenScan, asked: Asked) -> None:
    """Choose a region and how it is hidden."""
    if item.why.method != "occlusion":
        return
    if not item.regions:
        st.info(
            _("Draw a region on the picture first, with “Draw a region” or “Region by numbers”."),
            icon=":material/gesture:",
        )
        return
    count = len(item.regions)
    place = item.why.region if 0 <= item.why.region < count else count - 1
    ways: dict[How, str] = {"fill": _("Fill from around"), "blur": _("Blur")}
    with st.container(horizontal=True, gap="small", vertical_alignment="bottom"):
        st.selectbox(
            _("Region"),
            list(range(count)),
            format_func=[_("Your region {n}").format(n=n + 1) for n in range(count)].__getitem__,
            width=160,
            **_kept(item, "region", place, _take_region),
        )
        st.segmented_control(
            _("How it is hidden"),
            list(ways),
            format_func=ways.__getitem__,
            required=True,
            **_kept(item, "how", item.why.how, _take_how),
        )
        question = asked.question
        if question is not None and asked.found is None:
            st.button(
                _("Hide it and ask the model"),
                icon=":material/visibility_off:",
                key=f"why-hide-{item.widget}",
                disabled=("map", question) in asking().jobs,
                on_click=ask,
                args=(item, question),
            )
    st.caption(
        _("A region drawn only to be hidden counts as yours in the feedback until you remove it.")
    )


def _take_region(item: OpenScan, place: int) -> None:
    item.why = replace(item.why, region=place)


def _take_how(item: OpenScan, how: How) -> None:
    item.why = replace(item.why, how=how)
