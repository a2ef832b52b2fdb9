"""What is wrong with an image is said in words and figures, and nothing is done to it unasked."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from core.scan import (
    Check,
    CheckName,
    Depth,
    Outcome,
    PhantomSpec,
    QualityReport,
    Scan,
    Window,
    check_quality,
    contrast,
    crop,
    flip,
    make_phantom,
    open_sample,
    rewindow,
    rotate,
    split_panels,
)

pytestmark = pytest.mark.usefixtures("site")


def _quality_page(report):
    # Streamlit takes this apart and runs its body as a script.
    from core.ui.quality_panel import show_quality

    show_quality(report, key="here")


def _reason_page(report):
    import streamlit as st

    from core.ui.quality_panel import ask_reason

    reason = ask_reason(report, key="here")
    if reason is not None:
        st.session_state["reasons"] = [*st.session_state.get("reasons", []), reason]


def _tools_page(scan, untouched, report):
    import streamlit as st

    from core.ui.correction_tools import correction_tools

    made = correction_tools(scan, untouched, report, key="here")
    st.session_state["made"] = made


def page(script: Any, **kwargs: Any) -> AppTest:
    app = AppTest.from_function(script, kwargs=kwargs, default_timeout=30).run()
    assert not app.exception
    return app


def words(app: AppTest) -> str:
    kinds = ("markdown", "caption", "error", "warning")
    return "\n".join(str(element.value) for kind in kinds for element in app.get(kind))


def press(app: AppTest, key: str) -> AppTest:
    (button,) = [b for b in app.button if str(b.key).endswith(key)]
    button.click().run()
    assert not app.exception
    return app


def tools(scan: Scan, untouched: Scan | None = None) -> AppTest:
    report = check_quality(scan)
    return page(_tools_page, scan=scan, untouched=untouched or scan, report=report)


def made(app: AppTest) -> Scan:
    result = app.session_state["made"]
    assert isinstance(result, Scan)
    return result


def failing() -> QualityReport:
    return QualityReport(
        (
            Check(CheckName.RESOLUTION, Outcome.WARN, 240, 268, "px"),
            Check(CheckName.BLUR, Outcome.FAIL, 0.1102, 0.1674, "ratio"),
            Check(CheckName.EXPOSURE, Outcome.WARN, 30, 35.8, "grey levels"),
            Check(CheckName.PANELS, Outcome.PASS, 1, 1, "pictures"),
        )
    )


def two_pictures() -> Scan:
    left, right = (make_phantom(PhantomSpec(240, 200), seed).scan.pixels for seed in (1, 2))
    return Scan.from_pixels(np.hstack([left, np.zeros((200, 9), np.uint8), right]))


def deep() -> Scan:
    values = np.random.default_rng(2).integers(0, 4096, (60, 90), dtype=np.uint16)
    values.flags.writeable = False
    depth = Depth(values, window=Window(2000, 3000))
    return Scan.from_pixels(depth.apply(Window(2000, 3000)), depth=depth)


def test_where_all_is_well_one_line_says_so() -> None:
    app = page(_quality_page, report=check_quality(open_sample("cyst")))
    assert [c.value for c in app.caption] == [
        ":material/check_circle: Image quality: all 11 checks pass."
    ]
    assert not app.markdown


def test_what_is_wrong_comes_with_its_figure_its_limit_and_what_to_do() -> None:
    said = words(page(_quality_page, report=failing()))
    fails, unusual = said.index("**Fails · Sharpness**"), said.index("**Unusual · Resolution**")
    assert fails < unusual
    assert "0.11, below 0.17. Blurred, or enlarged" in said
    assert "240 px, below 268 px. Few pixels" in said
    assert "30 grey levels, below 36 grey levels. Darker than nearly all" in said
    assert "The other check passes." in said


def test_a_picture_that_is_too_bright_is_not_called_dark() -> None:
    check = Check(CheckName.EXPOSURE, Outcome.FAIL, 220, 211, "grey levels")
    said = words(page(_quality_page, report=QualityReport((check,))))
    assert "above 211" in said
    assert "Brighter than nearly all" in said


def test_every_check_has_words_for_what_to_do() -> None:
    for name in CheckName:
        check = Check(name, Outcome.FAIL, 1.0, 2.0, "px")
        said = words(page(_quality_page, report=QualityReport((check,))))
        assert len(said.split("2 px. ")[1]) > 20


def test_nothing_is_asked_where_nothing_fails() -> None:
    app = page(_reason_page, report=check_quality(open_sample("cyst")))
    assert not app.button


def test_a_scan_that_fails_is_not_read_without_a_reason() -> None:
    app = page(_reason_page, report=failing())
    assert "fails: Sharpness" in words(app)
    press(app, "confirm")
    assert app.error
    assert "reasons" not in app.session_state


def test_another_reason_must_be_said() -> None:
    app = page(_reason_page, report=failing())
    app.get("button_group")[0].set_value("Another reason")
    app.text_area[0].set_value("   ")
    press(app, "confirm")
    assert "reasons" not in app.session_state
    app.text_area[0].set_value("  only   the axilla\nis asked for ")
    press(app, "confirm")
    assert app.session_state["reasons"] == ["only the axilla is asked for"]


def test_a_reason_that_was_chosen_is_handed_on_once() -> None:
    app = page(_reason_page, report=failing())
    app.get("button_group")[0].set_value("no better")
    press(app, "confirm")
    assert app.session_state["reasons"] == ["No better image can be had"]
    app.run()
    assert len(app.session_state["reasons"]) == 1


def test_no_correction_happens_by_itself() -> None:
    assert tools(two_pictures()).session_state["made"] is None


@pytest.mark.parametrize(
    ("key", "correct"),
    [
        ("-left", lambda scan: rotate(scan, 270)),
        ("-right", lambda scan: rotate(scan, 90)),
        ("-mirror", lambda scan: flip(scan, "horizontal")),
        ("-upside-down", lambda scan: flip(scan, "vertical")),
        ("-trim", lambda scan: crop(scan, (0, 0, 600, 480))),
    ],
)
def test_a_button_does_what_it_says_once(key: str, correct: Any) -> None:
    scan = open_sample("cyst")
    app = press(tools(scan), key)
    assert made(app).digest == correct(scan).digest
    assert made(app).origin == scan.digest
    app.run()
    assert app.session_state["made"] is None


def test_one_of_several_pictures_can_be_kept() -> None:
    scan = two_pictures()
    app = tools(scan)
    labels = [button.label for button in app.button]
    assert "Left picture" in labels
    assert "Right picture" in labels
    press(app, "-keep-1")
    assert made(app).digest == split_panels(scan)[1].digest


def test_a_crop_by_numbers_that_does_not_fit_is_refused_and_said() -> None:
    scan = open_sample("cyst")
    app = tools(scan)
    fields = {str(field.key).rsplit("-", 1)[1]: field for field in app.number_input}
    fields["left"].set_value(500)
    press(app, "-crop")
    assert app.session_state["made"] is None
    assert "600 × 500" in app.error[0].value
    fields = {str(field.key).rsplit("-", 1)[1]: field for field in app.number_input}
    fields["width"].set_value(90)
    fields["height"].set_value(400)
    press(app, "-crop")
    assert made(app).digest == crop(scan, (500, 0, 90, 400)).digest


def test_contrast_is_applied_when_asked_for() -> None:
    scan = open_sample("cyst")
    app = tools(scan)
    app.slider[0].set_value((20, 180)).run()
    assert app.session_state["made"] is None
    press(app, "-contrast")
    assert made(app).digest == contrast(scan, 20, 180).digest


def test_a_deep_scan_gets_a_window_instead_of_contrast() -> None:
    scan = deep()
    app = tools(scan)
    assert not app.slider
    fields = {str(field.key).rsplit("-", 1)[1]: field for field in app.number_input}
    assert fields["centre"].value == 2000
    fields["width"].set_value(500.0)
    press(app, "-window")
    assert made(app).digest == rewindow(scan, Window(2000, 500)).digest


def test_what_was_done_is_said_and_can_be_taken_back() -> None:
    scan = open_sample("cyst")
    corrected = flip(rotate(scan, 90), "vertical")
    app = tools(corrected, scan)
    assert "1. turned right by 90°\n1. mirrored top to bottom" in words(app)
    assert made(press(app, "-undo")).digest == rotate(scan, 90).digest
    assert made(press(app, "-untouched")) is not None
    assert made(app).digest == scan.digest
    assert made(app).corrections == ()
