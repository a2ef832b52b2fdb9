"""The viewer as a doctor uses it: zoom, sliders, drawing with a mouse and a finger."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from browser_kit import Watched, serving

pytestmark = pytest.mark.browser

PAGE = "tests/benchmarks/viewer_app.py"
Open = Callable[..., Watched]


@pytest.fixture(scope="module")
def server(chromium: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serving(PAGE, tmp_path_factory.mktemp("viewer")) as address:
        yield address


@pytest.fixture
def viewer(open_page: Open, server: str) -> Iterator[Watched]:
    watched = open_page(server)
    ready(watched)
    yield watched
    assert watched.errors == []


def ready(watched: Watched) -> None:
    watched.page.wait_for_selector(".overlay path.outline[d^=M]", state="attached")


def path_of(page: Any) -> str:
    return str(page.locator(".overlay path.outline").get_attribute("d"))


def move_slider(page: Any) -> None:
    before = path_of(page)
    page.get_by_role("slider", name="Radius").press("ArrowRight")
    until(page, lambda: path_of(page) != before)


def until(page: Any, true: Callable[[], bool]) -> None:
    for _ in range(450):
        if true():
            return
        page.wait_for_timeout(100)
    pytest.fail("it did not happen")


def regions(page: Any) -> list[list[list[int]]]:
    text = page.get_by_text(re.compile("^Regions: ")).inner_text()
    found: list[list[list[int]]] = json.loads(text.removeprefix("Regions: "))
    return found


def draw_circle(page: Any, radius: float = 80) -> None:
    pane = page.locator(".pane").last
    pane.scroll_into_view_if_needed()
    box = pane.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x + radius, y)
    page.mouse.down()
    for step in range(1, 33):
        page.mouse.move(x + radius * math.cos(step / 5), y + radius * math.sin(step / 5))
    page.mouse.up()


def test_a_slider_move_keeps_the_zoom_and_fetches_no_picture_again(viewer: Watched) -> None:
    page = viewer.page
    page.get_by_role("button", name="Zoom in").click()
    zoomed = page.locator(".state").inner_text()
    assert "whole image" not in zoomed
    for _ in range(3):
        move_slider(page)
    assert page.locator(".state").inner_text() == zoomed
    assert len(viewer.pictures()) == 1


def test_a_slider_move_costs_little_over_the_network(viewer: Watched) -> None:
    viewer.page.wait_for_timeout(500)
    before = viewer.received
    move_slider(viewer.page)
    viewer.page.wait_for_timeout(500)
    assert 500 < viewer.received - before <= 40 * 1024


def test_another_scan_starts_whole_and_without_the_other_ones_regions(viewer: Watched) -> None:
    page = viewer.page
    page.get_by_role("button", name="Draw a region").click()
    draw_circle(page)
    until(page, lambda: len(regions(page)) == 1)
    page.get_by_role("button", name="Zoom in").click()
    page.get_by_role("radio", name="two").click()
    until(page, lambda: len(set(viewer.pictures())) == 2)
    until(page, lambda: "whole image" in page.locator(".state").inner_text())
    until(page, lambda: regions(page) == [])
    assert not page.locator("path.region").get_attribute("d")


def test_a_drawn_region_comes_back_in_image_pixels_and_survives_a_slider_move(
    viewer: Watched,
) -> None:
    page = viewer.page
    page.get_by_role("button", name="Draw a region").click()
    draw_circle(page)
    until(page, lambda: len(regions(page)) == 1)
    width = page.locator(".pane").last.bounding_box()["width"]
    xs = [x for x, _ in regions(page)[0]]
    assert max(xs) - min(xs) == pytest.approx(160 * 1024 / width, rel=0.05)
    assert (max(xs) + min(xs)) / 2 == pytest.approx(511.5, abs=6)
    move_slider(page)
    assert len(regions(page)) == 1
    assert page.locator("path.region").get_attribute("d")


def test_regions_can_be_added_and_removed(viewer: Watched) -> None:
    page = viewer.page
    page.get_by_role("button", name="Draw a region").click()
    draw_circle(page)
    until(page, lambda: len(regions(page)) == 1)
    page.get_by_role("button", name="Draw another region").click()
    draw_circle(page, 30)
    until(page, lambda: len(regions(page)) == 2)
    page.get_by_role("button", name="Remove the last region").click()
    until(page, lambda: len(regions(page)) == 1)
    page.get_by_role("button", name="Remove the last region").click()
    until(page, lambda: regions(page) == [])


def test_the_untouched_image_stands_beside_outlines_that_say_whose_they_are(
    viewer: Watched,
) -> None:
    page = viewer.page
    captions = page.locator("figcaption").all_inner_texts()
    assert captions == ["Untouched", "AI outline, unconfirmed"]
    untouched = page.locator("figure").first
    assert untouched.locator("image[href]").count() == 1
    assert untouched.locator("path[d^=M]").count() == 0


def test_the_page_scrolls_past_an_image_nobody_clicked(viewer: Watched) -> None:
    page = viewer.page
    state = page.locator(".state")
    before = state.inner_text()
    page.locator(".pane").last.hover()
    page.mouse.wheel(0, -300)
    page.wait_for_timeout(200)
    assert state.inner_text() == before
    page.locator(".pane").last.click()
    page.mouse.wheel(0, -300)
    until(page, lambda: state.inner_text() != before)


def test_the_keyboard_zooms_and_the_image_has_a_name(viewer: Watched) -> None:
    page = viewer.page
    image = page.get_by_role("img", name=re.compile("^Scan TEST1-CASE2, 1024 × 1024 pixels"))
    assert image.count() == 1
    page.locator(".pane").last.press("+")
    until(page, lambda: "whole image" not in page.locator(".state").inner_text())
    page.locator(".pane").last.press("0")
    until(page, lambda: "whole image" in page.locator(".state").inner_text())


def test_a_finger_draws_and_nothing_sticks_out_on_a_phone(open_page: Open, server: str) -> None:
    phone = open_page(
        server, viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True
    )
    ready(phone)
    page = phone.page
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.get_by_role("button", name="Draw a region").tap()
    pane = page.locator(".pane").last
    pane.scroll_into_view_if_needed()
    box = pane.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    touch = page.context.new_cdp_session(page)

    def send(kind: str, *points: dict[str, float]) -> None:
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": list(points)})

    send("touchStart", {"x": x + 50, "y": y})
    for step in range(1, 33):
        spot = {"x": x + 50 * math.cos(step / 5), "y": y + 50 * math.sin(step / 5)}
        send("touchMove", spot)
    send("touchEnd")
    until(page, lambda: len(regions(page)) == 1)
    assert phone.errors == []


def test_the_viewer_works_under_a_base_path(open_page: Open, tmp_path: Path) -> None:
    with serving(PAGE, tmp_path / "var", options=("--server.baseUrlPath", "site/a")) as address:
        watched = open_page(f"{address}/site/a/")
        ready(watched)
        until(watched.page, lambda: len(watched.pictures()) == 1)
        assert watched.pictures()[0].startswith(f"{address}/site/a/overread/media/")
        assert watched.errors == []
