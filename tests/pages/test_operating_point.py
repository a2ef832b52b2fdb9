"""Exploring the operating point: the answer stays, the model rests, and it is told apart."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
import streamlit as st
from page_tools import open_panel, press, scan_bytes, send, shown, sign_in, stored, upload, words
from streamlit.testing.v1 import AppTest

from core.model import Predictor, Reference, set_site_prevalence
from core.trust import demo_people
from core.ui import service

TASK = "breast-ultrasound"
ADMINISTRATOR = demo_people()[2]


def slider(app: AppTest) -> Any:
    return app.get_by_key(f"explore-{shown(app).widget}")


def move(app: AppTest, value: float) -> AppTest:
    slider(app).set_value(value).run()
    assert not app.exception
    return app


def explore(app: AppTest, *files: tuple[str, bytes]) -> AppTest:
    upload(app, *(files or (("a.png", scan_bytes(1)),)))
    return open_panel(app, "explore-open")


def reference() -> Reference:
    return service.model().get_predictor().bundle.reference


def sentence(app: AppTest) -> str:
    (found,) = [m.value for m in app.markdown if " this model found " in m.value]
    return str(found)


def expected(threshold: float) -> tuple[int, int, int, int]:
    known = reference()
    flagged = known.validation_scores >= threshold
    sick = known.validation_positive
    return (
        int((flagged & sick).sum()), int(sick.sum()),
        int((flagged & ~sick).sum()), int((~sick).sum()),
    )  # fmt: skip


def told(app: AppTest) -> tuple[int, ...]:
    return tuple(map(int, re.findall(r"; (\d+) of (\d+)\)", sentence(app))[0])) + tuple(
        map(int, re.findall(r"; (\d+) of (\d+)\)", sentence(app))[1])
    )


def test_it_starts_at_the_approved_point_and_says_that_the_answer_is_given_there(
    clinician: AppTest,
) -> None:
    app = explore(clinician)
    assert slider(app).value == 0.35
    assert "given at the approved point, 35%" in words(app)
    assert told(app) == expected(0.35)
    assert "recorded with your feedback" not in words(app)


@pytest.mark.parametrize("threshold", [0.0, 0.12, 0.5, 0.9, 1.0])
def test_what_it_says_of_a_threshold_is_what_counting_says(
    clinician: AppTest, threshold: float
) -> None:
    app = move(explore(clinician), threshold)
    assert told(app) == expected(threshold)
    assert f"At {threshold:.0%} this model found" in sentence(app)


def test_moving_it_neither_calls_the_model_nor_changes_the_answer(
    clinician: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = explore(clinician)
    answer = [app.subheader[0].value, app.metric[0].value]

    def refuse(*_args: Any, **_more: Any) -> Any:
        raise AssertionError("the model was called")

    monkeypatch.setattr(Predictor, "read", refuse)
    monkeypatch.setattr(Predictor, "read_many", refuse)
    before = shown(app).prediction
    for value in (0.01, 0.99):
        move(app, value)
        assert shown(app).prediction is before
        assert [app.subheader[0].value, app.metric[0].value] == answer


def test_it_says_whether_this_scan_would_be_flagged_there(clinician: AppTest) -> None:
    app = explore(clinician)
    move(app, 0.01)
    said = words(app)
    assert ("flagged** at" in said) or ("flagged at" in said and "too." in said)
    move(app, 0.99)
    said = words(app)
    assert "not be flagged" in said
    # What is not flagged never reads as all clear, in exploration neither.
    assert said.count("does not exclude cancer") >= 1


def test_a_scan_the_model_is_not_sure_of_is_not_decided_by_a_slider(clinician: AppTest) -> None:
    app = explore(clinician)
    item = shown(app)
    assert item.prediction is not None
    unsure = "On this scan the model is not sure, wherever it flags."
    assert unsure not in words(app)
    item.prediction = replace(item.prediction, sure=False)
    move(app, 0.6)
    assert unsure in words(app)


def test_a_named_point_is_that_point_exactly(clinician: AppTest) -> None:
    app = explore(clinician)
    item = shown(app)
    press(app, f"explore-sensitive-{item.widget}")
    assert item.explored == 0.15
    assert told(app) == expected(0.15)
    press(app, f"explore-balanced-{item.widget}")
    assert item.explored is None
    assert slider(app).value == 0.35


def test_the_next_scan_begins_at_the_approved_point_and_so_does_coming_back(
    clinician: AppTest,
) -> None:
    app = explore(clinician, ("a.png", scan_bytes(1)), ("b.png", scan_bytes(2)))
    first = shown(app)
    move(app, 0.8)
    reading = app.session_state["reading-list"]
    reading.step(1)
    app.run()
    assert shown(app) is not first
    assert slider(app).value == 0.35
    assert "recorded with your feedback" not in words(app)
    reading.step(-1)
    app.run()
    assert shown(app) is first
    assert slider(app).value == 0.35
    # Where it stood last stays told: it was looked at.
    assert "last at 80%, is recorded with your feedback" in words(app)


def test_exploration_is_stored_as_such_and_the_answer_as_it_was_given(clinician: AppTest) -> None:
    app = move(explore(clinician), 0.8)
    send(app)
    ((explored, threshold, point),) = stored(
        "explored_threshold, threshold, operating_point", "reads"
    )
    assert (explored, threshold, point) == (0.8, 0.35, "balanced")


def test_without_exploration_none_is_stored(clinician: AppTest) -> None:
    app = explore(clinician)
    # A move to where it stands already is none.
    press(app, f"explore-balanced-{shown(app).widget}")
    send(app)
    assert stored("explored_threshold, site_prevalence", "reads") == [(None, None)]


def test_nobody_is_told_that_it_is_recorded_who_cannot_send_feedback(clinician: AppTest) -> None:
    press(clinician, "sign-out")
    app = move(explore(sign_in(clinician, "administrator")), 0.8)
    assert "At 80% this model found" in sentence(app)
    assert "recorded with your feedback" not in words(app)


def test_feedback_keeps_the_prevalence_it_was_shown_with(clinician: AppTest) -> None:
    set_site_prevalence(service.store(), ADMINISTRATOR, TASK, 0.02, "Audit", after=None)
    st.cache_data.clear()
    app = explore(clinician)
    assert "this site, 2%" in words(app)
    send(app)
    newest = stored("id", "site_prevalences")[-1][0]
    set_site_prevalence(service.store(), ADMINISTRATOR, TASK, 0.4, "New", after=newest)
    st.cache_data.clear()
    assert stored("site_prevalence", "reads") == [(0.02,)]
    case = shown(app).scan.case_number
    app.button(key="sign-out").click().run()
    sign_in(app, "reviewer")
    assert case in words(app)


def test_without_the_database_the_example_stands_in_and_is_called_one(
    app: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OVERREAD_DATABASE_URL", "postgresql://nobody:x@127.0.0.1:9/none")
    st.cache_resource.clear()
    st.cache_data.clear()
    service.model().get_predictor(timeout=120)
    explore(sign_in(app, "clinician"))
    said = words(app)
    assert "Site prevalence cannot be looked up now: 5% is an example." in said
    assert "example, 5%" in said
