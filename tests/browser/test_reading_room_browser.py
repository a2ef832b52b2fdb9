"""The whole reading room in a real browser: loops, deep images, measures, folders, the report."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browser_kit import Server, Watched
from dicom_factory import make_dicom
from first_line_kit import CASE, idle, phantom, sign_in, until
from viewer_kit import canvas, drag, pane, state

from core.scan import encode_png

pytestmark = [pytest.mark.browser, pytest.mark.slow]

Visit = Callable[..., Watched]
#: Half a millimetre each way, over the whole picture.
CALIBRATED = [(0, 0, 399, 299, 0.5)]


def grey(seed: int) -> np.ndarray:
    return phantom(seed, 400, 300).grey


def loop(frames: int = 5) -> bytes:
    stack = np.stack([grey(seed) for seed in range(40, 40 + frames)])
    return make_dicom(stack, frame_time=200.0, regions=CALIBRATED)


def deep() -> bytes:
    fine = np.random.default_rng(0).integers(0, 16, (300, 400)).astype(np.uint16)
    return make_dicom((grey(50).astype(np.uint16) << 4) + fine, bits=12, windows=[(2048, 4096)])


def dicom(data: bytes, name: str = "IM_0001") -> dict[str, Any]:
    return {"name": name, "mimeType": "application/dicom", "buffer": data}


@pytest.fixture
def visit(server: Server, visit: Visit) -> Visit:
    """Open the app as a clinician."""

    def open_one(**options: Any) -> Watched:
        watched = visit(server, **options)
        sign_in(watched.page, "Clinician")
        return watched

    return open_one


def answered(page: Any, other_than: str = "") -> str:
    """Wait for the answer on another case than one; return its number."""

    def case() -> str:
        title = page.get_by_text("AI result · case")
        found = CASE.search(title.first.inner_text()) if title.count() else None
        return found.group() if found else ""

    # The first one waits for the model to start.
    page.get_by_text("AI result · case").first.wait_for(timeout=120_000)
    until(page, lambda: case() not in ("", other_than), "an answer")
    page.get_by_role("button", name="Send feedback on case").wait_for()
    idle(page)
    return case()


def put(page: Any, *files: Any) -> None:
    page.locator("input[type=file]").first.set_input_files(list(files))


def test_a_loop_plays_and_the_frame_it_stops_at_is_answered(visit: Visit) -> None:
    page = visit().page
    put(page, dicom(loop()))
    first = answered(page)
    at = page.locator(".at")
    assert at.inner_text().startswith("frame 1 / 5")
    # It goes round, so it may stop at the frame it began with: then it plays on.
    for _ in range(20):
        page.get_by_role("button", name="Play").click()
        until(page, lambda: not at.inner_text().startswith("frame 1 /"), "playing")
        page.get_by_role("button", name="Pause").click()
        page.get_by_role("button", name="Play").wait_for()
        if not at.inner_text().startswith("frame 1 /"):
            break
    second = answered(page, first)
    frame = re.match(r"frame (\d)", at.inner_text())
    assert frame
    page.get_by_role("button", name=f"{second} · {frame.group(1)}/5").wait_for()
    assert page.get_by_role("button", name=f"Send feedback on case {second}").count() == 1
    assert page.get_by_text(first).count() == 0

    page.get_by_role("button", name="Hold this frame").click()
    page.get_by_text(f"Frame {frame.group(1)} · case {second}").first.wait_for()
    pane(page).press(",")
    third = answered(page, second)
    page.get_by_text(f"Frame {frame.group(1)} · case {second}").first.wait_for()
    assert third != second


def test_a_deep_image_is_windowed_by_drag_and_the_model_may_read_what_is_seen(
    visit: Visit,
) -> None:
    page = visit().page
    put(page, dicom(deep()))
    case = answered(page)
    until(page, lambda: canvas(page) is not None, "the values")
    before, said = canvas(page), state(page)
    assert before is not None
    page.get_by_role("button", name="Window and level by dragging").click()
    drag(page, (0.5, 0.5), (0.42, 0.5))
    until(page, lambda: state(page) != said, "a new window in the line of state")
    now = canvas(page)
    assert now is not None
    assert not np.array_equal(now[0], before[0])
    read = page.get_by_role("button", name="Let the model read with this window")
    read.wait_for()
    assert case in page.get_by_text("AI result · case").first.inner_text(), "looking asked it"
    read.click()
    until(page, lambda: page.get_by_text(case).count() == 0, "another image")
    idle(page)
    page.get_by_role("button", name="Correct the image").click()
    page.get_by_text("window: level").first.wait_for()


def test_millimetres_are_measured_by_hand_and_go_with_the_feedback(
    visit: Visit, server: Server
) -> None:
    page = visit().page
    put(page, dicom(make_dicom(grey(60), regions=CALIBRATED)))
    answered(page)
    page.get_by_role("button", name="Measure a distance").click()
    drag(page, (0.4, 0.4), (0.6, 0.4))
    row = page.locator(".measures li > span")
    until(page, lambda: row.count() == 1, "a measurement")
    found = re.fullmatch(r"1 · Distance: ([\d.]+) mm", row.inner_text())
    assert found
    scale = float(state(page).split("%")[0]) / 100
    wide = pane(page).bounding_box()["width"] * 0.2 / scale * 0.5
    assert float(found.group(1)) == pytest.approx(wide, rel=0.03)
    idle(page)


def test_a_stored_scan_of_the_patient_opens_beside_and_the_picture_fills_the_screen(
    visit: Visit,
) -> None:
    page = visit().page
    put(page, dicom(make_dicom(grey(61))))
    case = answered(page)
    describe(page, "P-61")
    page.get_by_role("radiogroup", name="The AI's result").get_by_role(
        "radio", name="Accept"
    ).click()
    page.get_by_role("button", name=f"Send feedback on case {case}").click()
    page.get_by_text("Saved: your feedback").wait_for()
    page.get_by_role("button", name="Close scan").click()
    page.get_by_role("heading", name="Read a scan").wait_for()
    idle(page)
    put(page, dicom(make_dicom(grey(62))))
    answered(page, case)
    describe(page, "P-61")
    page.get_by_role("button", name=case, exact=False).click()
    page.get_by_text(f"Earlier scan · case {case}").first.wait_for()
    idle(page)

    page.get_by_role("button", name="Full screen").click()
    until(page, lambda: bool(page.evaluate("document.fullscreenElement !== null")), "full screen")
    page.keyboard.press("Escape")


def describe(page: Any, pseudonym: str) -> None:
    field = page.get_by_role("textbox", name="Patient's pseudonym")
    if not field.is_visible():
        page.get_by_text("Case: patient, place, history, BI-RADS").click()
    field.fill(pseudonym)
    page.get_by_role("button", name="Look for earlier scans").click()
    page.get_by_text(re.compile("under this pseudonym")).wait_for()
    idle(page)


def test_a_phone_shows_it_all_without_scrolling_sideways(visit: Visit) -> None:
    watched = visit(viewport={"width": 390, "height": 844}, has_touch=True)
    page = watched.page
    put(page, dicom(loop(3)))
    answered(page)
    wide = page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
    assert wide[0] <= wide[1]
    main = page.evaluate(
        "(() => { const m = document.querySelector('[data-testid=stMain]');"
        " return [m.scrollWidth, m.clientWidth]; })()"
    )
    assert main[0] <= main[1]
    bar = page.get_by_role("toolbar", name="Image tools")
    for button in bar.get_by_role("button").all():
        if not button.is_visible():
            continue
        box = button.bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 390
        assert min(box["width"], box["height"]) >= 24, "too small for a finger"
    zoomed = state(page)
    bar.get_by_role("button", name="Zoom in").tap()
    until(page, lambda: state(page) != zoomed, "zooming")


def test_a_folder_and_an_archive_come_in_whole(visit: Visit, tmp_path: Path) -> None:
    page = visit().page
    folder = tmp_path / "exam" / "series"
    folder.mkdir(parents=True)
    (folder / "1.png").write_bytes(encode_png(phantom(70)))
    (folder / "IM2").write_bytes(make_dicom(grey(71)))
    (tmp_path / "exam" / "notes.txt").write_text("nothing to see")
    page.get_by_text("A whole folder").click()
    page.locator("input[type=file][webkitdirectory]").first.wait_for(state="attached")
    idle(page)
    put(page, tmp_path / "exam")
    answered(page)
    cards = page.get_by_role("button", name=re.compile(f"^{CASE.pattern} · (read|flagged)"))
    until(page, lambda: cards.count() == 2, "reading both")
    page.get_by_text("1 file could not be opened").wait_for()

    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for seed in (72, 73):
            archive.writestr(f"exam/{seed}.png", encode_png(phantom(seed)))
    page.get_by_role("button", name="Add scans").click()
    put(page, {"name": "exam.zip", "mimeType": "application/zip", "buffer": made.getvalue()})
    until(page, lambda: cards.count() == 4, "reading all four")
    page.get_by_text("1 of 4").wait_for()


def test_the_report_says_what_is_missing_follows_the_form_and_is_a_pdf(visit: Visit) -> None:
    page = visit().page
    put(page, {"name": "a.png", "mimeType": "image/png", "buffer": encode_png(phantom(80))})
    case = answered(page)
    page.get_by_text("Report", exact=True).click()
    lacks = page.get_by_text("Your own label is not given.")
    lacks.wait_for()
    page.get_by_role("radiogroup", name="Your own label").get_by_role(
        "radio", name="benign"
    ).click()
    until(page, lambda: lacks.count() == 0, "following the form")
    with page.expect_download() as begun:
        page.get_by_role("button", name="Report PDF").click()
    download = begun.value
    assert download.suggested_filename == f"{case}-report.pdf"
    data = Path(download.path()).read_bytes()
    assert data.startswith(b"%PDF")
    assert data.rstrip().endswith(b"%%EOF")


def test_a_suggestion_follows_the_outline_while_it_is_looked_at(visit: Visit) -> None:
    page = visit().page
    put(page, {"name": "a.png", "mimeType": "image/png", "buffer": encode_png(phantom(81))})
    answered(page)
    page.get_by_text("Case: patient, place, history, BI-RADS").click()
    page.get_by_text("on the AI outline, unconfirmed").wait_for()
    page.get_by_text("I accept the AI outline").click()
    page.get_by_text("on the AI outline you accepted").wait_for()
    page.get_by_role("slider", name="Threshold").press("ArrowLeft")
    page.get_by_text("on the AI outline, unconfirmed").wait_for()
