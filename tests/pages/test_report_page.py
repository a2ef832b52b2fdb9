"""The report on the page: what the doctor stands by is in it, what nobody confirmed is not."""

from __future__ import annotations

import base64
import re
from typing import Any

import pytest
from page_tools import (
    Hand,
    deep_bytes,
    key,
    loop_bytes,
    open_panel,
    press,
    reading,
    saved_files,
    scan_bytes,
    set_,
    shown,
    upload,
    words,
)
from streamlit.testing.v1 import AppTest

from core.review import BiRads, Origin
from core.scan import PhantomSpec, Scan, encode_png, make_phantom
from core.ui import service

ACCEPTED = "Numbers: the AI’s outline, accepted by the doctor."
DRAWN = "Numbers: regions drawn by the doctor."
RING = [[150, 60], [190, 70], [200, 150], [185, 230], [150, 240], [120, 225], [110, 150]]


@pytest.fixture
def read(clinician: AppTest) -> AppTest:
    """A clinician with one scan on screen, read by the model."""
    return upload(clinician, ("a.png", scan_bytes(1)))


def context(app: AppTest, name: str) -> Any:
    entry = reading(app).entry
    assert entry is not None
    return app.get_by_key(f"context-{name}-context-{entry.key[:16]}")


def open_report(app: AppTest) -> AppTest:
    return open_panel(app, f"report-panel-{shown(app).widget}")


def html(app: AppTest) -> str:
    return ask(app, "html").decode()


def pdf(app: AppTest) -> bytes:
    return ask(app, "pdf")


def ask(app: AppTest, ending: str) -> bytes:
    """Ask for the report as the page offers it, and return the file the browser saves."""
    item = shown(app)
    name = f"{item.scan.case_number}-report.{ending}"
    press(app, f"report-{item.widget}-{name}")
    (saved,) = [file for file in saved_files(app) if file["name"] == name]
    return base64.b64decode(saved["bytes"])


def offered(app: AppTest) -> list[str]:
    """Return which reports the page offers."""
    return [str(each.key) for each in app.button if "-report." in str(each.key)]


def text(page: str) -> str:
    """Return what a page says, without its markup."""
    body = re.sub(r"(?s)<(style|script)\b.*?</\1>", " ", page)
    return " ".join(re.sub(r"<[^>]+>", " ", body).split())


def test_a_report_is_offered_only_when_it_is_asked_for(read: AppTest) -> None:
    assert not offered(read)
    open_report(read)
    assert len(offered(read)) == 2


def test_an_outline_nobody_confirmed_is_not_printed_and_that_is_said_before(read: AppTest) -> None:
    set_(read, "shape", "threshold", 0.05)
    open_report(read)
    assert "none will be printed" in words(read)
    page = html(read)
    said = text(page)
    assert shown(read).scan.case_number in said
    assert "not a medical device" in said
    assert ACCEPTED not in said
    bare = page.count("data:image")
    set_(read, "feedback", "outline", True)
    assert "none will be printed" not in words(read)
    page = html(read)
    assert ACCEPTED in text(page)
    assert page.count("data:image") == bare
    assert pdf(read).startswith(b"%PDF")


def test_an_acceptance_that_was_taken_back_is_not_printed(read: AppTest) -> None:
    set_(read, "shape", "threshold", 0.05)
    set_(read, "feedback", "outline", True)
    open_report(read)
    assert ACCEPTED in text(html(read))
    set_(read, "shape", "threshold", 0.1)
    assert ACCEPTED not in text(html(read))


def test_a_drawn_outline_takes_the_place_of_the_model_s(read: AppTest, hand: Hand) -> None:
    set_(read, "shape", "threshold", 0.05)
    set_(read, "feedback", "outline", True)
    hand.does(read, regions={"regions": [RING]})
    open_report(read)
    said = text(html(read))
    assert DRAWN in said
    assert ACCEPTED not in said


def test_the_doctor_s_own_words_and_category_are_in_it(read: AppTest) -> None:
    context(read, "birads").set_value(BiRads("4C")).run()
    context(read, "pseudonym").set_value("P-0815").run()
    set_(read, "feedback", "verdict", "reject")
    set_(read, "feedback", "label", "malignant")
    set_(read, "feedback", "origin", Origin.BIOPSY)
    set_(read, "feedback", "comment", "<b>hypoechoic</b> & tall")
    open_report(read)
    page = html(read)
    assert "&lt;b&gt;hypoechoic&lt;/b&gt; &amp; tall" in page
    assert "<b>hypoechoic" not in page
    said = text(page)
    for part in ("4C", "P-0815", "malignant"):
        assert part in said, part
    prediction = shown(read).prediction
    assert prediction is not None
    assert prediction.version in said
    assert f"{prediction.probability * 100:.0f}" in said


def test_what_is_entered_that_cannot_be_taken_is_said_and_no_report_is_made(read: AppTest) -> None:
    context(read, "pseudonym").set_value("Erika Mustermann").run()
    open_report(read)
    assert not offered(read)
    assert read.error
    assert "Mustermann" not in words(read)


def test_a_scan_that_was_read_despite_its_quality_says_why(clinician: AppTest) -> None:
    import cv2

    poor = cv2.GaussianBlur(make_phantom(PhantomSpec(400, 300), 0).scan.grey, (0, 0), 8)
    upload(clinician, ("a.png", encode_png(Scan.from_pixels(poor))))
    open_report(clinician)
    assert "Probability" not in text(html(clinician)).replace("No AI", "")
    form = f"reason-{shown(clinician).widget}"
    clinician.get_by_key(f"{form}-choice").set_value("What matters can be seen")
    press(clinician, f"{form}-confirm")
    clinician.run()
    said = text(html(clinician))
    assert "What matters can be seen" in said
    assert "Sharpness" in said


def test_a_frame_of_a_loop_names_its_frame(clinician: AppTest, hand: Hand) -> None:
    upload(clinician, ("loop.dcm", loop_bytes(3)))
    hand.does(clinician, frame={"frame": 1})
    open_report(clinician)
    said = text(html(clinician))
    assert re.search(r"[Ff]rame 2\b", said)
    assert "MUSTERMANN" not in said


def test_a_deep_scan_has_a_report_with_its_window(clinician: AppTest, hand: Hand) -> None:
    upload(
        clinician, ("deep.dcm", deep_bytes(windows=[(2048, 4096)], regions=[(0, 0, 399, 299, 0.1)]))
    )
    hand.does(clinician, window={"centre": 1900, "width": 3600, "function": "linear"})
    press(clinician, "read-window")
    hand.does(
        clinician,
        regions={"regions": [RING]},
        measures={"measures": [{"kind": "distance", "points": [[50, 50], [150, 50]]}]},
    )
    open_report(clinician)
    said = text(html(clinician))
    assert "window: level 1900, width 3600" in said
    assert DRAWN in said
    assert "Letters: set by hand." in said
    assert "10.0 mm" in said
    assert "px: pixels" not in said
    assert pdf(clinician).startswith(b"%PDF")
    for identity in ("MUSTERMANN", "PID-4711", "Klinikum", "1961"):
        assert identity not in said


def test_the_report_of_a_page_in_chinese_is_in_chinese(app: AppTest) -> None:
    from page_tools import sign_in

    service.model().get_predictor(timeout=120)
    app.get_by_key("language-switch").set_value("zh_CN").run()
    sign_in(app, "clinician")
    upload(app, ("a.png", scan_bytes(1)))
    set_(app, "feedback", "comment", "左乳低回声结节")
    open_report(app)
    page = html(app)
    assert 'lang="zh' in page
    assert "左乳低回声结节" in page
    assert "医疗器械" in page
    made = pdf(app)
    assert made.startswith(b"%PDF")
    assert b"FontFile" in made, "without the characters in it, it prints boxes"


def test_what_stands_in_the_fields_at_the_click_is_what_the_report_says(read: AppTest) -> None:
    context(read, "pseudonym").set_value("P-77").run()
    open_report(read)
    assert "P-77" in text(html(read))
    # No run of the page in between: these are told with the click on the report.
    context(read, "pseudonym").set_value("P-78")
    context(read, "history").set_value("operated on in spring")
    read.get_by_key(key(read, "feedback", "comment")).set_value("tall and dark")
    said = text(html(read))
    for part in ("P-78", "operated on in spring", "tall and dark"):
        assert part in said, part
    assert "P-77" not in said


def test_a_report_asked_for_on_one_scan_is_never_made_of_the_next(clinician: AppTest) -> None:
    upload(clinician, ("a.png", scan_bytes(1)), ("b.png", scan_bytes(2)))
    open_report(clinician)
    first = offered(clinician)
    # The browser still shows the first scan while the list has moved on.
    clinician.button(key=first[0]).click()
    reading(clinician).step(1)
    clinician.run()
    assert not clinician.exception
    assert not saved_files(clinician)
    open_report(clinician)
    assert not set(first) & set(offered(clinician))
    assert shown(clinician).scan.case_number in text(html(clinician))
