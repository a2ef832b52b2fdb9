"""What a doctor enters about a case is kept with that case, and nothing is filled in for them."""

from __future__ import annotations

from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

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
    Suggestions,
    suggest_terms,
)
from core.scan import Correction
from core.ui.context_form import CONTEXT_FIELDS, context_of, has_context

#: A lesion taller than wide with an irregular margin, as measured.
MEASURED = {
    "unit": "px",
    "depth_to_width": 1.004,
    "margin_irregularity": 0.12,
    "solidity": 0.81,
    "echogenicity_grey_levels": -41.6,
    "touches_border": False,
}


def _page(cases, suggestions):
    # Streamlit takes this apart and runs its body as a script.
    import streamlit as st

    from core.ui.context_form import context_form, keep_context

    for name, drafts in cases.items():
        keep_context(drafts, key=name)
    shown = st.session_state.get("shown", "a")
    if shown != "nothing":
        context_form(cases[shown], key=shown, suggestions=suggestions)


def opened(
    suggestions: Suggestions | None = None, **drafts: Any
) -> tuple[AppTest, dict[str, dict[str, Any]]]:
    """Show the form of case ``a`` and return what it keeps."""
    cases: dict[str, dict[str, Any]] = {"a": dict(drafts), "b": {}}
    kwargs = {"cases": cases, "suggestions": suggestions}
    app = AppTest.from_function(_page, kwargs=kwargs, default_timeout=30)
    app.run()
    assert not app.exception
    return app, cases


def enter(app: AppTest, name: str, value: Any, case: str = "a") -> None:
    """Enter a value as a doctor would."""
    app.get_by_key(f"context-{name}-{case}").set_value(value).run()
    assert not app.exception


def words(app: AppTest) -> str:
    """Return everything the form says."""
    kinds = ("markdown", "caption", "warning", "text")
    return "\n".join(str(each.value) for kind in kinds for each in app.get(kind))


ENTERED = {
    "pseudonym": "P-17",
    "age": 47,
    "laterality": Laterality.LEFT,
    "clock": 10,
    "distance_mm": 35.5,
    "indication": "lump",
    "history": "none",
    "birads": BiRads.MODERATE_SUSPICION,
    "shape": LesionShape.IRREGULAR,
    "orientation": LesionOrientation.NOT_PARALLEL,
    "margins": [LesionMargin.ANGULAR, LesionMargin.SPICULATED],
    "echo_pattern": EchoPattern.HYPOECHOIC,
    "posterior": PosteriorFeatures.SHADOWING,
}


def test_everything_that_is_entered_is_in_the_context() -> None:
    app, cases = opened()
    for name, value in ENTERED.items():
        enter(app, name, value)
    made = context_of(cases["a"])
    assert made == CaseContext(**ENTERED | {"margins": tuple(ENTERED["margins"])})
    assert set(ENTERED) == set(CONTEXT_FIELDS)
    assert "BI-RADS 4B: moderate suspicion" in words(app)


def test_an_untouched_form_says_nothing_and_an_emptied_one_takes_back() -> None:
    app, cases = opened(build_suggestions())
    assert cases["a"] == {}
    assert not has_context(cases["a"])
    assert context_of(cases["a"]).is_empty
    enter(app, "pseudonym", "P-17")
    enter(app, "pseudonym", "")
    assert has_context(cases["a"])
    assert context_of(cases["a"]).is_empty


def test_another_case_shows_nothing_of_the_one_before_and_coming_back_loses_nothing() -> None:
    app, cases = opened()
    for name, value in ENTERED.items():
        enter(app, name, value)
    app.session_state["shown"] = "b"
    app.run()
    for name in CONTEXT_FIELDS:
        assert app.get_by_key(f"context-{name}-b").value in (None, "", [])
    enter(app, "pseudonym", "P-18", "b")
    app.session_state["shown"] = "nothing"
    app.run()
    app.session_state["shown"] = "a"
    app.run()
    for name, value in ENTERED.items():
        assert app.get_by_key(f"context-{name}-a").value == value
    assert cases["b"] == {"pseudonym": "P-18"}


def test_what_is_typed_and_left_for_another_case_in_the_same_click_is_kept() -> None:
    app, cases = opened()
    app.get_by_key("context-history-a").set_value("typed last")
    app.session_state["shown"] = "b"
    app.run()
    assert cases["a"]["history"] == "typed last"


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [("pseudonym", "Jane Roe", "never a name"), ("pseudonym", "王芳", "never a name")],
)
def test_a_name_is_refused_while_it_is_typed(name: str, value: str, says: str) -> None:
    app, cases = opened()
    enter(app, name, value)
    (warning,) = app.warning
    assert says in warning.value
    assert value not in warning.value
    with pytest.raises(InvalidFeedback, match=says):
        context_of(cases["a"])


def test_blanks_around_a_pasted_pseudonym_are_no_part_of_it() -> None:
    app, cases = opened()
    enter(app, "pseudonym", "  P-17 ")
    assert not app.warning
    assert context_of(cases["a"]).pseudonym == "P-17"


def test_circumscribed_with_another_margin_is_pointed_out() -> None:
    app, _cases = opened()
    enter(app, "margins", [LesionMargin.CIRCUMSCRIBED, LesionMargin.ANGULAR])
    (warning,) = app.warning
    assert "circumscribed" in warning.value


def build_suggestions(outline: Any = "drawn", **changed: Any) -> Suggestions:
    """Return what the measured lesion suggests."""
    return suggest_terms(MEASURED, outline=outline, **changed)


def test_a_suggestion_stands_beside_with_its_figure_and_fills_nothing_in() -> None:
    app, cases = opened(build_suggestions())
    said = words(app)
    # 1.00 against 1.00 would say nothing.
    assert "taller than wide: depth to width 1.004 (cut-off 1.000)" in said
    assert "irregularity 0.12 (cut-off 0.05)" in said
    assert "solidity 0.81 (cut-off 0.90)" in said
    assert "Measured -42 grey levels against what is around it (cut-off -20)" in said
    assert "on the outline you drew" in said
    assert "pixels are taken as square" in said
    assert cases["a"] == {}
    for name in CONTEXT_FIELDS:
        assert app.get_by_key(f"context-{name}-a").value in (None, "", [])


def test_a_suggestion_goes_into_its_field_by_its_own_click_and_only_there() -> None:
    app, cases = opened(build_suggestions())
    app.button(key="context-use-orientation-not_parallel-a").click().run()
    assert not app.exception
    assert cases["a"] == {"orientation": LesionOrientation.NOT_PARALLEL}
    assert app.get_by_key("context-orientation-a").value == LesionOrientation.NOT_PARALLEL
    assert app.button(key="context-use-orientation-not_parallel-a").disabled
    assert not app.button(key="context-use-shape-irregular-a").disabled


def test_a_margin_that_is_taken_joins_the_doctors_own() -> None:
    app, cases = opened(build_suggestions())
    enter(app, "margins", [LesionMargin.INDISTINCT])
    app.button(key="context-use-margins-spiculated-a").click().run()
    assert context_of(cases["a"]).margins == (LesionMargin.INDISTINCT, LesionMargin.SPICULATED)
    assert not app.warning


def test_a_term_the_doctor_took_back_is_not_put_in_again() -> None:
    app, cases = opened(build_suggestions())
    app.button(key="context-use-orientation-not_parallel-a").click().run()
    enter(app, "orientation", LesionOrientation.PARALLEL)
    app.run()
    assert cases["a"]["orientation"] == LesionOrientation.PARALLEL


def test_what_is_measured_on_an_outline_of_the_ai_says_so_and_how_often_it_held() -> None:
    turned = [Correction.make("rotate", degrees=90)]
    app, _cases = opened(build_suggestions("ai", corrections=turned))
    said = words(app)
    assert "AI outline, unconfirmed" in said
    assert "Of 36 such outlines of the shipped model, 17 said so when drawn by hand" in said
    assert "no shape is suggested" in said
    assert "rotated, so no orientation is suggested" in said
    assert "depth to width" not in said
    accepted, _cases = opened(build_suggestions("accepted"))
    assert "AI outline you accepted" in words(accepted)
    assert "unconfirmed" not in words(accepted)
