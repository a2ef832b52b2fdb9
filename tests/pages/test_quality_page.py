"""A poor scan on the page: no answer without a reason, and every correction is another image."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest
from page_tools import (
    Hand,
    deep_bytes,
    open_panel,
    press,
    reading,
    send,
    set_,
    shown,
    stored,
    upload,
    viewer,
    words,
)
from streamlit.testing.v1 import AppTest

from core.review import Verdict
from core.scan import LesionSpec, PhantomSpec, Scan, encode_png, make_phantom
from core.ui.open_scan import Entry


def picture(seed: int = 0) -> np.ndarray:
    return make_phantom(PhantomSpec(400, 300, lesion=LesionSpec()), seed).scan.grey


def png(pixels: np.ndarray) -> bytes:
    return encode_png(Scan.from_pixels(np.ascontiguousarray(pixels)))


def blurred() -> bytes:
    return png(cv2.GaussianBlur(picture(), (0, 0), 8))


@pytest.fixture
def poor(clinician: AppTest) -> AppTest:
    """A clinician with a blurred scan on screen."""
    return upload(clinician, ("a.png", blurred()))


@pytest.fixture
def good(clinician: AppTest) -> AppTest:
    """A clinician with a scan on screen that qualifies."""
    return upload(clinician, ("a.png", png(picture())))


def entry(app: AppTest) -> Entry:
    found = reading(app).entry
    assert found is not None
    return found


def correct(app: AppTest, what: str) -> AppTest:
    item = shown(app)
    return press(app, f"correct-{item.widget}-{item.digest[:16]}-{what}")


def give_reason(app: AppTest, choice: str = "What matters can be seen", own: str = "") -> AppTest:
    form = f"reason-{shown(app).widget}"
    app.get_by_key(f"{form}-choice").set_value(choice)
    app.get_by_key(f"{form}-words").set_value(own)
    return press_and_read(app, f"{form}-confirm")


def press_and_read(app: AppTest, name: str) -> AppTest:
    press(app, name)
    app.run()
    assert not app.exception
    return app


def test_a_blurred_scan_is_not_read_until_somebody_says_why(poor: AppTest) -> None:
    item = shown(poor)
    assert item.prediction is None
    said = words(poor)
    assert "Fails · Sharpness" in said
    assert "AI result · case" not in said
    assert "not there yet" not in said, "nobody reads it while nobody asks for it"
    assert any("check quality" in str(button.label) for button in poor.button)
    give_reason(poor)
    assert item.prediction is not None
    assert f"AI result · case {item.scan.case_number}" in words(poor)
    assert any("read despite quality" in str(button.label) for button in poor.button)


def test_no_reason_no_answer(poor: AppTest) -> None:
    press_and_read(poor, f"reason-{shown(poor).widget}-confirm")
    assert shown(poor).prediction is None
    give_reason(poor, "Another reason")
    assert shown(poor).prediction is None


def test_the_reason_stands_on_the_answer_and_goes_with_the_feedback(poor: AppTest) -> None:
    give_reason(poor, own="the probe slipped")
    assert "What matters can be seen: the probe slipped" in words(poor)
    send(poor)
    (row,) = stored("override_reason, quality")
    assert row[0] == "What matters can be seen: the probe slipped"
    checks = {check["name"]: check["outcome"] for check in json.loads(row[1])["checks"]}
    assert checks["blur"] == "fail"


def test_a_map_of_a_scan_that_fails_says_that_such_maps_were_never_tested(
    clinician: AppTest,
) -> None:
    app = upload(clinician, ("a.png", blurred()), ("b.png", png(picture(1))))
    said = "What a map shows of it was never tested either."
    assert said not in words(app)
    give_reason(app)
    assert said in words(app)
    assert shown(app).read_despite == ("blur",)
    case = shown(app).scan.case_number
    open_panel(app, "summary")
    press(app, "explain-list-start")
    app.session_state["explain-list"].job.wait(120)
    app.run()
    assert not app.exception
    (line,) = [one for one in words(app).splitlines() if f"Case {case}: Read although" in one]
    assert said in line
    others = [one for one in words(app).splitlines() if said in one]
    assert len(others) == 2, "the scan that passes is said to fail"


def test_a_reason_is_for_one_image_alone(poor: AppTest) -> None:
    give_reason(poor)
    correct(poor, "mirror")
    assert shown(poor).prediction is None
    assert shown(poor).reason == ""


def test_a_scan_that_fails_can_be_sent_as_the_own_read_without_the_model(poor: AppTest) -> None:
    for name, value in (("label", "benign"), ("confidence", 2)):
        set_(poor, "feedback", name, value)
    press(poor, f"send-{shown(poor).widget}")
    assert "Saved: your feedback" in words(poor)
    ((read_id, reason, label),) = stored("read_id, override_reason, label")
    assert read_id is None
    assert not reason
    assert label == "benign"


@pytest.mark.parametrize(
    ("tool", "kind"),
    [("left", "rotate"), ("right", "rotate"), ("mirror", "flip"), ("upside-down", "flip")],
)
def test_a_turned_copy_is_another_image_that_is_checked_and_read_anew(
    good: AppTest, tool: str, kind: str
) -> None:
    first = shown(good)
    correct(good, tool)
    copy = shown(good)
    assert copy.digest != first.digest
    assert [each.kind for each in copy.scan.corrections] == [kind]
    assert copy.scan.origin == first.digest
    assert copy.prediction is not None
    assert copy.prediction.image_digest == copy.digest
    said = words(good)
    assert f"AI result · case {copy.scan.case_number}" in said
    assert first.scan.case_number not in said
    assert len(reading(good).entries) == 1, "a copy is no file of its own"


def test_the_untouched_image_comes_back_with_its_own_answer(good: AppTest) -> None:
    first = shown(good)
    correct(good, "left")
    correct(good, "mirror")
    assert len(shown(good).scan.corrections) == 2
    correct(good, "undo")
    assert [each.kind for each in shown(good).scan.corrections] == ["rotate"]
    correct(good, "untouched")
    assert shown(good) is first
    assert viewer(good)["width"] == 400


def test_turning_all_the_way_round_is_the_untouched_image_again(good: AppTest) -> None:
    first = shown(good)
    for _ in range(4):
        correct(good, "left")
    assert shown(good) is first
    assert first.scan.corrections == ()
    assert first.scan.origin is None


def test_feedback_on_a_corrected_copy_says_what_was_done_and_to_which_image(
    good: AppTest,
) -> None:
    first = shown(good)
    correct(good, "mirror")
    send(good)
    rows = stored("digest, origin, corrections", "images")
    copy = next(row for row in rows if row[0] == shown(good).digest)
    assert copy[1] == first.digest
    assert [each["kind"] for each in json.loads(copy[2])] == ["flip"]


def test_the_untouched_image_of_a_copy_that_was_sent_is_recognised(good: AppTest) -> None:
    correct(good, "mirror")
    send(good)
    case = shown(good).scan.case_number
    correct(good, "untouched")
    assert f"A corrected copy was seen before: you sent feedback on case {case}" in words(good)


def test_crop_by_numbers_keeps_the_pixels(good: AppTest) -> None:
    first = shown(good)
    stem = f"correct-{first.widget}-{first.digest[:16]}"
    for name, value in (("left", 20), ("top", 10), ("width", 300), ("height", 260)):
        good.get_by_key(f"{stem}-crop-{name}").set_value(value)
    correct(good, "crop")
    copy = shown(good).scan
    assert (copy.width, copy.height) == (300, 260)
    assert np.array_equal(copy.pixels, first.scan.pixels[10:270, 20:320])


def test_a_crop_that_cannot_be_is_one_line_and_nothing_changes(good: AppTest) -> None:
    first = shown(good)
    stem = f"correct-{first.widget}-{first.digest[:16]}"
    good.get_by_key(f"{stem}-crop-left").set_value(399)
    correct(good, "crop")
    assert shown(good) is first
    assert len(good.error) == 1


def test_two_pictures_in_one_become_one_that_is_read(clinician: AppTest) -> None:
    gap = np.zeros((300, 40), np.uint8)
    upload(clinician, ("two.png", png(np.hstack([picture(0), gap, picture(1)]))))
    assert "Several pictures" in words(clinician)
    whole = shown(clinician)
    correct(clinician, "keep-1")
    kept = shown(clinician)
    assert kept.scan.corrections[-1].kind == "panel"
    assert kept.scan.width < whole.scan.width
    assert kept.prediction is not None
    assert "Several pictures" not in words(clinician)


def test_contrast_is_stored_with_its_figures(good: AppTest) -> None:
    stem = f"correct-{shown(good).widget}-{shown(good).digest[:16]}"
    good.get_by_key(f"{stem}-levels").set_value((10, 200))
    correct(good, "contrast")
    (done,) = shown(good).scan.corrections
    assert done.kind == "contrast"
    assert dict(done.values) == {"low": 10, "high": 200, "gamma": 1.0}
    assert "black at 10, white at 200" in words(good)


def test_a_copy_keeps_the_doctors_words_and_asks_anew_about_the_ai(good: AppTest) -> None:
    set_(good, "feedback", "comment", "about this lesion")
    set_(good, "feedback", "verdict", Verdict.ACCEPT)
    first = shown(good)
    correct(good, "right")
    assert shown(good).drafts["comment"] == "about this lesion"
    assert shown(good).drafts.get("verdict") is None
    correct(good, "untouched")
    assert shown(good) is first
    assert first.drafts["verdict"] is Verdict.ACCEPT


@pytest.fixture
def deep(clinician: AppTest) -> AppTest:
    """A clinician with an image of 12 bits on screen."""
    return upload(clinician, ("deep.dcm", deep_bytes(windows=[(2048, 4096)])))


def test_a_window_looked_through_is_offered_to_the_model_and_read_as_a_copy(
    deep: AppTest, hand: Hand
) -> None:
    first = shown(deep)
    window = {"centre": 1900, "width": 3600, "function": "linear"}
    hand.does(deep, window=window)
    assert shown(deep) is first, "looking asked the model"
    press(deep, "read-window")
    copy = shown(deep)
    assert copy.digest != first.digest
    assert [each.kind for each in copy.scan.corrections] == ["window"]
    assert copy.scan.origin == first.digest
    assert copy.prediction is not None
    assert copy.prediction.image_digest == copy.digest
    assert "window: level 1900, width 3600" in words(deep)
    assert not [button for button in deep.button if button.key == "read-window"]


def test_the_window_the_model_read_with_is_not_offered_again(deep: AppTest, hand: Hand) -> None:
    hand.does(deep, window={"centre": 1500, "width": 2000, "function": "linear"})
    assert [button for button in deep.button if button.key == "read-window"]
    hand.does(deep, window={"asRead": True})
    assert not [button for button in deep.button if button.key == "read-window"]


def test_a_window_that_is_none_changes_nothing(deep: AppTest, hand: Hand) -> None:
    for window in (
        {"centre": "a", "width": 3, "function": "linear"},
        {"centre": 10, "width": 0, "function": "linear"},
        {"centre": 10, "width": 100, "function": "cubic"},
    ):
        hand.does(deep, window=window)
        assert entry(deep).viewing is None
