"""The clinician's page, every control of it, through ``app.py``."""

from __future__ import annotations

import pytest
from page_tools import key, reading, scan_bytes, set_, shown, upload, viewer, words
from streamlit.testing.v1 import AppTest

from core.lesion import PRESETS, LesionControls, LesionResult


@pytest.fixture
def read(clinician: AppTest) -> AppTest:
    """A clinician with one scan on screen, read by the model."""
    return upload(clinician, ("a.png", scan_bytes(1)))


def test_the_answer_stands_with_interval_n_and_prevalence_beside_the_case_number(
    read: AppTest,
) -> None:
    said, item = words(read), shown(read)
    assert item.prediction is not None
    interval = item.prediction.interval
    assert interval is not None
    assert item.scan.case_number in said
    assert f"Of {interval.n} validation scans" in said
    assert "30%" in said
    assert "where 5%" in said
    for label in item.prediction.labels:
        assert any(label in bar.proto.text for bar in read.get("progress")), label


def test_an_answer_that_is_not_flagged_says_that_it_does_not_exclude_cancer(
    read: AppTest,
) -> None:
    item = shown(read)
    assert item.prediction is not None
    assert ("does not exclude cancer" in words(read)) is (not item.prediction.flagged)


def test_one_bad_file_never_stops_the_others_and_its_name_is_shown_as_plain_text(
    clinician: AppTest,
) -> None:
    upload(
        clinician,
        ("good.png", scan_bytes(1)),
        ("<b>bad</b>.png", b"not an image"),
        ("also good.png", scan_bytes(2)),
    )
    assert len(reading(clinician).entries) == 2
    assert all(item.prediction is not None for item in reading(clinician).items)
    assert "1 file could not be opened" in words(clinician)
    assert any(str(text.value).startswith("<b>bad</b>.png: ") for text in clinician.text)
    clinician.button(key="refused-seen").click().run()
    assert "could not be opened" not in words(clinician)


def test_the_same_scan_twice_is_one_case(clinician: AppTest) -> None:
    upload(clinician, ("a.png", scan_bytes(1)), ("b.png", scan_bytes(1)))
    assert len(reading(clinician).entries) == 1
    assert "on the list already" in words(clinician)


def test_uploaded_bytes_leave_the_uploader_once_they_are_read(read: AppTest) -> None:
    assert all(not uploader.value for uploader in read.file_uploader)


def test_moving_between_scans_shows_each_with_its_own_result(clinician: AppTest) -> None:
    upload(clinician, ("a.png", scan_bytes(1)), ("b.png", scan_bytes(2)))
    first = shown(clinician)
    clinician.button(key="next").click().run()
    second = shown(clinician)
    assert first.digest != second.digest
    said = words(clinician)
    assert f"AI result · case {second.scan.case_number}" in said
    assert f"AI result · case {first.scan.case_number}" not in said
    clinician.button(key="previous").click().run()
    assert shown(clinician) is first
    clinician.button(key=f"show-{second.digest[:16]}").click().run()
    assert shown(clinician) is second
    clinician.button(key="close-scan").click().run()
    assert list(reading(clinician).entries) == [first.digest]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("method", "otsu"),
        ("method", "hysteresis"),
        ("threshold", 0.3),
        ("operation", "close"),
        ("fill_holes", False),
        ("minimum_area", 400),
        ("keep_largest", 1),
    ],
)
def test_a_lesion_control_changes_what_is_outlined_and_nothing_else(
    read: AppTest, name: str, value: object
) -> None:
    item = shown(read)
    before = item.prediction
    set_(read, "shape", name, value)
    assert getattr(item.controls, name) == value
    assert item.shaped is not None
    assert item.shaped.controls == item.controls
    assert item.prediction is before, "moving a control asked the model again"


@pytest.mark.parametrize(("name", "value"), [("kernel", "cross"), ("size", 9), ("iterations", 3)])
def test_a_kernel_control_changes_the_morphology(read: AppTest, name: str, value: object) -> None:
    set_(read, "shape", "operation", "open")
    set_(read, "shape", name, value)
    assert getattr(shown(read).controls, name) == value


def test_lowering_the_threshold_takes_the_lower_one_along(read: AppTest) -> None:
    set_(read, "shape", "method", "hysteresis")
    set_(read, "shape", "threshold", 0.1)
    assert shown(read).controls.low == 0.1
    set_(read, "shape", "low", 0.9)
    assert shown(read).controls.low == 0.1


def test_presets_reset_and_undo_give_back_what_was_there(read: AppTest) -> None:
    item = shown(read)
    read.button(key=key(read, "preset", "strict")).click().run()
    assert item.controls == PRESETS["strict"]
    set_(read, "shape", "keep_largest", 2)
    read.button(key=key(read, "shape", "undo")).click().run()
    assert item.controls == PRESETS["strict"]
    read.button(key=key(read, "shape", "reset")).click().run()
    assert item.controls == LesionControls()
    read.button(key=key(read, "shape", "undo")).click().run()
    assert item.controls == PRESETS["strict"]


def test_controls_of_one_scan_do_not_leak_into_the_next(clinician: AppTest) -> None:
    upload(clinician, ("a.png", scan_bytes(1)), ("b.png", scan_bytes(2)))
    set_(clinician, "shape", "threshold", 0.8)
    first = shown(clinician)
    clinician.button(key="next").click().run()
    assert shown(clinician).controls == LesionControls()
    clinician.button(key="previous").click().run()
    assert shown(clinician) is first
    assert first.controls.threshold == 0.8
    assert clinician.get_by_key(key(clinician, "shape", "threshold")).value == 0.8


@pytest.mark.parametrize(
    ("name", "value", "drawn"),
    [
        ("compare", "overlay", {"compare": "overlay"}),
        ("compare", "original", {"compare": "original"}),
        ("over", ["contour"], {"heat": False}),
        ("over", ["heat"], {"contour": False}),
        ("over", ["heat", "contour", "mask"], {"maskOpacity": 0.3}),
        ("over", ["heat", "contour", "chords"], {"chords": True}),
        ("over", [], {"heat": False, "contour": False}),
        ("heat_opacity", 0.8, {"heatOpacity": 0.8}),
    ],
)
def test_a_layer_control_changes_what_lies_over_the_image_and_nothing_else(
    read: AppTest, name: str, value: object, drawn: dict[str, object]
) -> None:
    before = {"compare": "both", "heat": True, "heatOpacity": 0.4, "maskOpacity": 0,
              "contour": True, "chords": False}  # fmt: skip
    assert over_the_image(read) == before
    read.get_by_key(f"layer-{name}").set_value(value).run()
    assert not read.exception
    assert over_the_image(read) == before | drawn


def test_the_mask_is_as_opaque_as_it_was_set(read: AppTest) -> None:
    read.get_by_key("layer-mask_opacity").set_value(0.7).run()
    assert over_the_image(read)["maskOpacity"] == 0, "a mask that is off was drawn"
    read.get_by_key("layer-over").set_value(["mask"]).run()
    assert over_the_image(read)["maskOpacity"] == 0.7


def over_the_image(app: AppTest) -> dict[str, object]:
    """Return what the viewer is told to lay over the image."""
    told = viewer(app)
    assert told["rings"], "there is nothing to switch on and off"
    names = ("compare", "heatOpacity", "maskOpacity", "contour")
    return {name: told[name] for name in names} | {
        "heat": bool(told["heat"]),
        "chords": bool(told["chords"]),
    }


def test_the_viewer_draws_the_outlines_of_the_controls_in_force(read: AppTest) -> None:
    set_(read, "shape", "threshold", 0.05)
    wide = viewer(read)
    result = shown(read).shaped
    assert isinstance(result, LesionResult)
    assert len([label for label in wide["labels"] if label]) == len(result.lesions)
    assert (wide["width"], wide["height"]) == (shown(read).scan.width, shown(read).scan.height)
    set_(read, "shape", "minimum_area", 1_000_000)
    narrow = viewer(read)
    assert narrow["rings"] == []
    assert narrow["image"] == wide["image"], "the picture would be fetched again"
    assert narrow["heat"] == wide["heat"], "the heat would be fetched again"


def test_heat_is_shown_with_how_far_it_lies_in_the_outline(read: AppTest) -> None:
    set_(read, "shape", "threshold", 0.05)
    assert "A check to challenge, not proof." in words(read)
    assert "lies inside the outline" in words(read)
    read.get_by_key("layer-over").set_value(["contour"]).run()
    assert "A check to challenge, not proof." not in words(read)


def test_the_table_lists_every_outlined_lesion_in_pixels_where_nothing_is_calibrated(
    read: AppTest,
) -> None:
    set_(read, "shape", "threshold", 0.05)
    result = shown(read).shaped
    assert isinstance(result, LesionResult)
    assert result.lesions
    table = read.dataframe[0].value
    assert len(table) == len(result.lesions)
    assert "Area px²" in table.columns
    assert "no calibration is known" in words(read)
    assert "AI outline, unconfirmed" in words(read)


def test_controls_that_leave_nothing_say_what_to_do(read: AppTest) -> None:
    set_(read, "shape", "minimum_area", 1_000_000)
    assert "No region is left at these controls" in words(read)


def test_an_administrator_may_read_but_is_offered_no_feedback_form(app: AppTest) -> None:
    from page_tools import sign_in

    from core.ui import service

    service.model().get_predictor(timeout=120)
    upload(sign_in(app, "administrator"), ("a.png", scan_bytes(1)))
    assert "may read scans, but not send feedback" in words(app)
    assert not [b for b in app.button if str(b.label).startswith("Send feedback")]
