"""The explanations on the read page, through ``app.py`` with a small model."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from page_tools import Hand, press, reading, scan_bytes, set_, shown, upload, viewer, words
from streamlit.testing.v1 import AppTest

from core.errors import NotFinite
from core.explain import heat_inside
from core.model import Predictor
from core.ui import explain_work
from core.ui.explain_work import turned
from core.ui.explained import explained, figures_of
from core.ui.layers import _LAYERS

BOX = [[40, 40], [120, 40], [120, 110], [40, 110]]


@pytest.fixture
def read(clinician: AppTest) -> AppTest:
    """A clinician with one scan on screen, read by the model."""
    return upload(clinician, ("a.png", scan_bytes(1)))


def jobs(app: AppTest) -> dict[Any, Any]:
    """Return what is under way in the session."""
    held: dict[Any, Any] = app.session_state["explain-jobs"].jobs
    return held


def finish(app: AppTest) -> AppTest:
    """Wait for what is under way, as the page's own polling does."""
    for job in list(jobs(app).values()):
        job.wait(240)
    app.run()
    assert not app.exception
    return app


def choose(app: AppTest, name: str, value: object) -> AppTest:
    return finish(set_(app, "why", name, value))


def count_questions(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Collect every explanation that is made from here on."""
    made: list[str] = []
    whole = explain_work._made

    def counting(model: Any, scan: Any, question: Any, watch: Any) -> Any:
        made.append(question.method)
        return whole(model, scan, question, watch)

    monkeypatch.setattr(explain_work, "_made", counting)
    return made


def test_the_heat_of_the_read_stands_there_without_asking_the_model(
    clinician: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = count_questions(monkeypatch)
    read = upload(clinician, ("a.png", scan_bytes(1)))
    (first,) = explained(shown(read))
    assert first.explanation.method == "grad-cam"
    assert first.explanation.image_digest == shown(read).digest
    assert first.evidence is None
    assert viewer(read)["heat"]
    assert "has not been measured" in words(read)
    assert made == []


def test_methods_are_compared_side_by_side_and_a_slider_asks_nothing(
    read: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = viewer(read)["heat"]
    choose(read, "method", "expected-gradients")
    assert viewer(read)["heat"] not in (None, before)
    assert explained(shown(read))[-1].explanation.signed
    choose(read, "second", "grad-cam")
    told = viewer(read)
    assert told["compare"] == "both"
    assert told["second"]["heat"] == before, "beside it stands another map than was chosen"
    assert told["second"]["caption"].startswith("Grad-CAM: Why")
    said = words(read)
    one, two = [each.explanation for each in explained(shown(read))]
    from core.explain import agreement

    if not agreement(one, two).agree:
        assert "disagree" in said
    made = count_questions(monkeypatch)
    monkeypatch.setattr(Predictor, "read", None)
    for name, value, drawn in (("heat_cut", 0.5, "heatCut"), ("heat_opacity", 0.8, "heatOpacity")):
        read.get_by_key(f"layer-{name}").set_value(value).run()
        assert not read.exception
        assert viewer(read)[drawn] == value
    assert viewer(read)["heat"] == told["heat"], "the heat would be fetched again"
    assert made == []


def test_why_not_draws_only_what_speaks_against(read: AppTest) -> None:
    item = shown(read)
    assert item.prediction is not None
    answer = item.prediction.heat_class
    choose(read, "method", "expected-gradients")
    both = viewer(read)["heat"]
    choose(read, "second", "partition-shap")
    read.session_state["evidence-open"] = True
    for_it = [line for line in words(finish(read)).splitlines() if "rank correlation" in line]
    choose(read, "target", (answer, True))
    finish(read)
    against = [line for line in words(read).splitlines() if "rank correlation" in line]
    # What speaks for it is no measure of how far two maps agree on what speaks against it.
    assert for_it
    assert against
    assert for_it != against
    assert not any("Grad-CAM" in line for line in against if "SHAP by" in line)
    choose(read, "second", "")
    assert viewer(read)["heat"] not in (None, both)
    assert f"speaks against {answer}" in words(read)
    # A map without a sign cannot say why not: it goes back to the answer.
    choose(read, "method", "grad-cam")
    assert not item.why.against
    assert f"speaks for {answer}" in words(read)


def test_evidence_is_measured_in_the_background_once_somebody_looks(read: AppTest) -> None:
    assert not jobs(read)
    read.session_state["evidence-open"] = True
    read.run()
    assert not read.exception
    assert jobs(read)
    finish(read)
    (made,) = explained(shown(read))
    assert made.evidence is not None
    assert made.evidence.stability is not None
    said = words(read)
    assert "Faithfulness:" in said
    assert "Under noise nobody sees" in said
    assert read.get("plotly_chart")


def test_what_goes_along_with_why_not_is_of_what_speaks_against(read: AppTest) -> None:
    item = shown(read)
    assert item.prediction is not None
    choose(read, "method", "expected-gradients")
    choose(read, "target", (item.prediction.heat_class, True))
    read.session_state["evidence-open"] = True
    finish(finish(read))
    one = explained(item)[-1]
    assert one.against
    assert one.evidence is not None
    assert one.evidence.inside is not None
    mask = item.shaped.mask
    assert one.evidence.inside == heat_inside(turned(one.explanation), mask)
    assert one.evidence.inside != heat_inside(one.explanation, mask)
    said = figures_of(one, item)
    assert said is not None
    assert said["against"] is True
    assert said["inside"]["controls"] == item.controls.to_dict()
    # The curves are of the whole map, and the sentence says so.
    assert "What was measured is the whole map, from what speaks most for" in words(read)
    # What drives the lesion map has no box to ask "why" again: it never asks "why not".
    choose(read, "method", "lesion-drivers")
    assert not item.why.against
    assert not explained(item)[-1].against


def test_a_map_that_was_not_drawn_is_not_said_to_have_been_on_screen(clinician: AppTest) -> None:
    clinician.session_state["layers"] = dict(_LAYERS) | {"over": ["contour"]}
    read = upload(clinician, ("a.png", scan_bytes(1)))
    assert not [one for one in explained(shown(read)) if one.shown]
    read.session_state["layers"]["over"] = ["heat"]
    read.session_state["layers"]["compare"] = "original"
    assert not [one for one in explained(shown(read.run())) if one.shown]
    read.session_state["layers"]["compare"] = "overlay"
    choose(read, "second", "hires-cam")
    # To choose a second one puts them side by side.
    assert len([one for one in explained(shown(read)) if one.shown]) == 2


def test_a_region_drawn_by_the_doctor_is_hidden_and_the_model_asked_again(
    read: AppTest, hand: Hand
) -> None:
    choose(read, "method", "occlusion")
    assert "Draw a region on the picture first" in words(read)
    hand.does(read, regions={"regions": [BOX]})
    press(read, f"why-hide-{shown(read).widget}")
    finish(read)
    assert "Without the region the model says" in words(read)
    assert read.warning or "stand" in words(read)
    assert any("remove it unless it is one" in str(w.value) for w in read.warning)
    choose(read, "how", "blur")
    assert "Without the region the model says" not in words(read), "that of another question"


def test_work_in_the_background_can_be_stopped_and_is_found_again_after_leaving(
    clinician: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    go, whole = threading.Event(), explain_work._made

    def slow(model: Any, scan: Any, question: Any, watch: Any) -> Any:
        while not go.wait(0.02):
            watch(1, 4)
        return whole(model, scan, question, watch)

    monkeypatch.setattr(explain_work, "_made", slow)
    read = upload(clinician, ("a.png", scan_bytes(11)), ("b.png", scan_bytes(12)))
    first = shown(read)
    set_(read, "why", "method", "expected-gradients")
    assert viewer(read)["heat"] is None, "a map that is not there yet was drawn"
    press(read, f"why-stop-map-expected-gradients-{first.widget}")
    # At once, however long the step under way still takes.
    assert "This was stopped before it was done." in words(read)
    press(read, f"why-again-map-expected-gradients-{first.widget}")
    read.button(key="next").click().run()
    assert shown(read) is not first
    assert viewer(read)["heat"], "the other scan shows its own heat"
    go.set()
    finish(read)
    assert {each.explanation.image_digest for each in explained(shown(read))} == {
        shown(read).digest
    }
    read.button(key="previous").click().run()
    assert shown(read) is first
    assert viewer(read)["heat"]
    assert explained(first)[-1].explanation.method == "expected-gradients"
    assert all(each.explanation.image_digest == first.digest for each in explained(first))
    assert len(reading(read).entries) == 2


def test_a_map_that_cannot_be_made_is_one_line_and_the_page_goes_on(
    read: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_args: Any) -> Any:
        raise NotFinite("This explanation came out without usable numbers. Try another method.")

    monkeypatch.setattr(explain_work, "_made", broken)
    choose(read, "method", "partition-shap")
    assert any("SHAP by regions: This explanation came out" in str(w.value) for w in read.warning)
    assert viewer(read)["heat"] is None
    assert "AI result · case" in words(read)
    monkeypatch.undo()
