"""Calipers, ellipses and linked panes in a browser: the millimetres are the scan's own."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any

import pytest
from browser_kit import serving
from viewer_kit import PAGE, Open, drag, notes, pane, said, show, state, until

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def server(chromium: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serving(PAGE, tmp_path_factory.mktemp("measures")) as address:
        yield address


def tool(page: Any, name: str) -> None:
    button = page.get_by_role("button", name=f"Measure {name}")
    if button.get_attribute("aria-pressed") != "true":
        button.click()


def rows(page: Any) -> list[str]:
    return [str(text) for text in page.locator(".measures li > span").all_inner_texts()]


def test_a_distance_counts_both_directions_with_their_own_spacing(
    open_page: Open, server: str
) -> None:
    page = show(open_page, server, "uneven").page
    tool(page, "a distance")
    drag(page, (0.5, 0.2), (0.5, 0.7))
    until(page, lambda: len(said(page, "Measures")) == 1)
    (one,) = said(page, "Measures")
    (x0, y0), (x1, y1) = one["points"]
    assert abs(y1 - y0) > 200
    assert (one["unit"], one["no_mm"]) == ("mm", None)
    assert one["value"] == pytest.approx(math.hypot((x1 - x0) * 0.1, (y1 - y0) * 0.3))
    assert rows(page) == [f"1 · Distance: {one['value']:.1f} mm"]
    drag(page, (0.3, 0.5), (0.6, 0.5))
    until(page, lambda: len(said(page, "Measures")) == 2)
    (x0, y0), (x1, y1) = said(page, "Measures")[1]["points"]
    assert said(page, "Measures")[1]["value"] == pytest.approx((x1 - x0) * 0.1, rel=1e-3)


def test_what_is_said_while_drawing_is_what_counts_in_the_end(open_page: Open, server: str) -> None:
    page = show(open_page, server, "uneven").page
    for name in ("a distance", "an ellipse"):
        # What was drawn before is with the server by now.
        page.wait_for_timeout(1000)
        tool(page, name)
        pane(page).scroll_into_view_if_needed()
        box = pane(page).bounding_box()
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        shift = 0 if name == "a distance" else 30
        page.mouse.move(x - 80 - shift, y - 60)
        page.mouse.down()
        page.mouse.move(x + 70, y + 40 + shift, steps=4)
        # A busy browser says it a moment after the pointer has moved.
        page.wait_for_timeout(500)
        drawn = rows(page)[-1]
        page.mouse.up()
        count = 1 if name == "a distance" else 2
        until(page, lambda n=count: len(said(page, "Measures")) == n)
        page.wait_for_timeout(300)
        assert rows(page)[-1] == drawn
        assert re.search(r"\d mm", drawn)


def test_what_is_being_drawn_stays_when_the_page_is_laid_out_anew(
    open_page: Open, server: str
) -> None:
    page = show(open_page, server, "uneven").page
    tool(page, "a distance")

    def laid_out_anew() -> None:
        until(page, lambda: len(rows(page)) == 1)
        before = rows(page)
        page.set_viewport_size({"width": 1280, "height": 880})
        page.wait_for_timeout(500)
        assert rows(page) == before

    drag(page, (0.3, 0.3), (0.6, 0.6), laid_out_anew)
    until(page, lambda: len(said(page, "Measures")) == 1)


def test_a_handle_moves_one_end_and_a_measurement_can_be_removed(
    open_page: Open, server: str
) -> None:
    page = show(open_page, server, "uneven").page
    tool(page, "a distance")
    drag(page, (0.3, 0.5), (0.6, 0.5))
    until(page, lambda: len(said(page, "Measures")) == 1)
    before = said(page, "Measures")[0]
    tool_button = page.get_by_role("button", name="Measure a distance")
    tool_button.click()
    assert tool_button.get_attribute("aria-pressed") == "false"
    drag(page, (0.6, 0.5), (0.6, 0.8))
    until(page, lambda: said(page, "Measures")[0]["value"] != before["value"])
    after = said(page, "Measures")[0]
    assert after["points"][0] == before["points"][0]
    assert after["points"][1][1] > before["points"][1][1] + 50
    page.get_by_role("button", name="Remove measurement 1").click()
    until(page, lambda: said(page, "Measures") == [])
    assert pane(page).locator(".measure").count() == 0


def test_an_ellipse_has_the_area_of_its_axes_in_millimetres(open_page: Open, server: str) -> None:
    page = show(open_page, server, "uneven").page
    tool(page, "an ellipse")
    drag(page, (0.4, 0.5), (0.6, 0.5))
    until(page, lambda: len(said(page, "Measures")) == 1)
    (one,) = said(page, "Measures")
    (x0, _), (x1, _), (_, tip) = one["points"]
    across = x1 - x0
    down = 2 * abs(tip - one["points"][0][1])
    assert one["unit"] == "mm2"
    assert one["value"] == pytest.approx(math.pi / 4 * across * 0.1 * down * 0.3, rel=2e-3)
    assert sorted(one["axes"]) == pytest.approx(sorted([across * 0.1, down * 0.3]), rel=2e-3)


def test_a_measurement_across_areas_has_no_millimetres_and_says_why(
    open_page: Open, server: str
) -> None:
    page = show(open_page, server, "areas").page
    tool(page, "a distance")
    pane(page).scroll_into_view_if_needed()
    box = pane(page).bounding_box()
    side = box["height"] / 600
    left = (box["width"] - 800 * side) / 2

    def share(x: float, y: float) -> tuple[float, float]:
        return (left + x * side) / box["width"], y * side / box["height"]

    expected = [
        ((100, 100), (300, 100), "mm", None),
        ((300, 180), (500, 180), "px", "crosses"),
        ((450, 400), (600, 500), "px", "no lengths"),
        ((10, 10), (40, 30), "px", "outside"),
        ((450, 80), (600, 180), "mm", None),
    ]
    drawn: list[str] = []
    for number, (start, end, unit, why) in enumerate(expected, 1):

        def look(n: int = number) -> None:
            # A busy browser says it a moment after the pointer has moved.
            until(page, lambda: len(rows(page)) == n)
            drawn.append(rows(page)[-1])

        drag(page, share(*start), share(*end), look)
        until(page, lambda n=number: len(said(page, "Measures")) == n)
        measured = said(page, "Measures")[-1]
        assert (measured["unit"], measured["no_mm"]) == (unit, why)
    page.wait_for_timeout(500)
    # The browser said so already while it was drawn.
    assert drawn == rows(page)
    first, last = said(page, "Measures")[0], said(page, "Measures")[-1]
    assert first["value"] == pytest.approx(200 * 0.1, rel=0.03)
    assert last["value"] == pytest.approx(math.hypot(150, 100) * 0.5, rel=0.03)
    assert "px (no mm: crosses regions)" in rows(page)[1]
    assert page.locator(".scale:visible").count() == 0


def test_a_finger_measures_on_a_phone(open_page: Open, server: str) -> None:
    phone = show(
        open_page,
        server,
        "uneven",
        viewport={"width": 390, "height": 844},
        has_touch=True,
        is_mobile=True,
    )
    page = phone.page
    page.get_by_role("button", name="Measure a distance").tap()
    box = pane(page).bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    touch = page.context.new_cdp_session(page)
    for kind, at in (("Start", -60), ("Move", 0), ("Move", 60)):
        points = [{"x": x + at, "y": y}]
        touch.send("Input.dispatchTouchEvent", {"type": f"touch{kind}", "touchPoints": points})
    touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    until(page, lambda: len(said(page, "Measures")) == 1)
    scale = box["width"] / 800
    assert said(page, "Measures")[0]["value"] == pytest.approx(120 / scale * 0.1, rel=0.05)
    assert phone.errors == []


def test_the_toolbar_of_a_phone_has_two_rows_of_large_buttons(open_page: Open, server: str) -> None:
    page = show(
        open_page,
        server,
        "deep",
        viewport={"width": 390, "height": 844},
        has_touch=True,
        is_mobile=True,
    ).page
    boxes = [button.bounding_box() for button in page.locator(".bar button:visible").all()]
    assert len({round(box["y"]) for box in boxes}) <= 2
    assert min(min(box["width"], box["height"]) for box in boxes) >= 40
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    names = [b.get_attribute("aria-label") for b in page.locator(".bar button:visible").all()]
    assert all(names)
    assert len(set(names)) == len(names)


_SCALES = """(root) => [...root.querySelectorAll(".pane > svg > g")].map((g) =>
  [...g.getAttribute("transform").matchAll(/-?[\\d.]+/g)].map((m) => Number(m[0])))"""


def test_an_earlier_scan_zooms_by_the_same_millimetres(open_page: Open, server: str) -> None:
    page = show(open_page, server, "beside").page
    captions = page.locator("figcaption").all_inner_texts()
    assert captions[0] == "Earlier scan <b>2024</b> · zoom linked by millimetres"
    root = page.locator(".overread-viewer")
    pane(page).press("+")
    pane(page).press("+")
    page.locator(".pane").first.press("ArrowRight")
    (x0, y0, beside), (x1, y1, main) = root.evaluate(_SCALES)
    # Half as many pixels to the millimetre: each is drawn twice as large.
    assert beside == pytest.approx(2 * main)
    box = pane(page).bounding_box()
    middle = box["width"] / 2, box["height"] / 2
    # The same place in millimetres from the centre of each is in the middle of its pane.
    here = ((middle[0] - x1) / main - 400) * 0.1, ((middle[1] - y1) / main - 300) * 0.1
    there = ((middle[0] - x0) / beside - 200) * 0.2, ((middle[1] - y0) / beside - 200) * 0.2
    assert here == pytest.approx(there, abs=0.3)
    assert abs(here[0]) > 0.5


def test_an_earlier_scan_without_calibration_zooms_by_its_share(
    open_page: Open, server: str
) -> None:
    page = show(open_page, server, "beside-uncalibrated").page
    caption = page.locator("figcaption").first.inner_text()
    assert caption.endswith("zoom linked by the share of the image")
    root = page.locator(".overread-viewer")
    (_, _, before), (_, _, main_before) = root.evaluate(_SCALES)
    pane(page).press("+")
    (_, _, after), (_, _, main_after) = root.evaluate(_SCALES)
    assert after / before == pytest.approx(main_after / main_before) == pytest.approx(1.25)


def test_the_scale_bar_is_as_long_as_it_says(open_page: Open, server: str) -> None:
    page = show(open_page, server, "beside").page
    for press in ("0", "+", "+"):
        pane(page).press(press)
        (_, _, _), (_, _, scale) = page.locator(".overread-viewer").evaluate(_SCALES)
        bar = pane(page).locator(".scale")
        length = float(bar.inner_text().removesuffix(" mm"))
        assert bar.bounding_box()["width"] == pytest.approx(length / 0.1 * scale, abs=0.6)
        assert f"bar {length:g} mm" in state(page)


def test_full_screen_shows_the_viewer_and_escape_leaves_it(open_page: Open, server: str) -> None:
    page = show(open_page, server, "uneven").page
    full = "[...document.querySelectorAll('*')].some((e) => e.shadowRoot?.fullscreenElement)"
    page.get_by_role("button", name="Full screen").click()
    until(page, lambda: page.evaluate(full))
    page.wait_for_timeout(300)
    box = pane(page).bounding_box()
    assert box["width"] > 1200
    assert box["y"] + box["height"] <= page.evaluate("window.innerHeight")
    page.evaluate("document.exitFullscreen()")
    until(page, lambda: not page.evaluate(full))


def test_the_keys_are_listed_and_each_listed_tool_has_its_key(open_page: Open, server: str) -> None:
    page = show(open_page, server, "uneven").page
    pane(page).press("?")
    help_box = page.get_by_role("region", name="Keys")
    assert "measure a distance" in help_box.inner_text()
    assert "play" not in help_box.inner_text()
    help_box.press("Escape")
    assert not help_box.is_visible()
    pane(page).press("d")
    button = page.get_by_role("button", name="Measure a distance")
    assert button.get_attribute("aria-pressed") == "true"
    pane(page).press("Escape")
    assert button.get_attribute("aria-pressed") == "false"


def test_measuring_faster_than_the_server_answers_loses_nothing(
    open_page: Open, server: str
) -> None:
    page = show(open_page, server, "uneven", "&slow=1").page
    tool(page, "a distance")
    for row in range(5):
        drag(page, (0.3, 0.2 + row * 0.12), (0.6, 0.2 + row * 0.12))
        page.wait_for_timeout(250)
    until(page, lambda: len(said(page, "Measures")) == 5)
    assert page.locator(".measures li").count() == 5
    heights = [one["points"][0][1] for one in said(page, "Measures")]
    assert heights == sorted(heights)


def test_the_state_is_said_with_a_tool_in_hand_too(open_page: Open, server: str) -> None:
    page = show(open_page, server, "deep").page
    until(page, lambda: "W 400 L 40 HU" in state(page))
    for name in ("Measure a distance", "Measure an ellipse", "Draw a region"):
        page.get_by_role("button", name=name).click()
        assert "W 400 L 40 HU" in state(page)
        assert "Escape stops" in notes(page)
