"""Deep images in a browser: every window shows the pixels the model would read through it."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from browser_kit import ROOT, Watched, serving
from viewer_kit import PAGE, Open, canvas, drag, notes, pane, said, seen, show, state, until

from core.scan import Window

sys.path.insert(0, str(ROOT / "tests" / "benchmarks"))
import viewer_scans as scans

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def server(chromium: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serving(PAGE, tmp_path_factory.mktemp("windows")) as address:
        yield address


def opened(open_page: Open, server: str, name: str, **options: Any) -> Watched:
    watched = show(open_page, server, name, **options)
    until(watched.page, lambda: canvas(watched.page) is not None)
    return watched


def agrees(page: Any, pixels: np.ndarray) -> bool:
    found = canvas(page)
    assert found is not None
    grey, left, top, scale = found
    return bool(np.array_equal(grey, seen(pixels, grey.shape, left, top, scale)))


def at_one_to_one(page: Any) -> None:
    pane(page).press("1")
    until(page, lambda: state(page).startswith("100%"))


@pytest.mark.parametrize("name", ["deep", "inverted"])
def test_every_window_shows_the_very_pixels_the_model_would_read(
    open_page: Open, server: str, name: str
) -> None:
    watched = opened(open_page, server, name)
    page = watched.page
    depth = scans.deep_scan(inverted=name == "inverted").depth
    assert depth is not None
    at_one_to_one(page)
    for number, window in enumerate(depth.presets):
        page.get_by_role("combobox", name="Window").select_option(str(number))
        until(page, lambda w=window: agrees(page, depth.apply(w)))
    assert watched.errors == []


def test_a_deep_image_after_a_grey_one_is_shown_with_its_window(
    open_page: Open, server: str
) -> None:
    watched = show(open_page, server, "beside", "&then=deep&compare=overlay")
    page = watched.page
    page.get_by_text("Other scan").click()
    page.get_by_role("combobox", name="Window").wait_for()
    until(page, lambda: canvas(page) is not None)
    at_one_to_one(page)
    until(page, lambda: agrees(page, scans.deep_scan().pixels))
    assert watched.errors == []


def test_pixels_stay_exact_when_zoomed_in(open_page: Open, server: str) -> None:
    page = opened(open_page, server, "deep").page
    pixels = scans.deep_scan().pixels
    at_one_to_one(page)
    for _ in range(8):
        pane(page).press("+")
    until(page, lambda: int(state(page).split("%")[0]) > 400)
    pane(page).press("ArrowRight")
    assert "each pixel as a square" in state(page)
    page.wait_for_timeout(200)
    grey, left, top, scale = canvas(page) or pytest.fail("no canvas")
    expected = seen(pixels, grey.shape, left, top, scale)
    # Where a square ends inside a screen pixel the browser may choose either neighbour.
    assert np.mean(grey == expected) > 0.99
    across = [x for n in range(600) if 0 <= (x := int(left + (n + 0.5) * scale)) < grey.shape[1]]
    down = [y for n in range(600) if 0 <= (y := int(top + (n + 0.5) * scale)) < grey.shape[0]]
    assert np.array_equal(grey[np.ix_(down, across)], expected[np.ix_(down, across)])


def test_a_screen_of_two_pixels_to_one_shows_each_value_too(open_page: Open, server: str) -> None:
    page = opened(open_page, server, "deep", device_scale_factor=2).page
    at_one_to_one(page)
    until(page, lambda: agrees(page, scans.deep_scan().pixels))


def test_a_table_of_the_files_own_is_shown_as_the_model_reads_it(
    open_page: Open, server: str
) -> None:
    page = opened(open_page, server, "table").page
    at_one_to_one(page)
    until(page, lambda: agrees(page, scans.deep_scan(table=True).pixels))
    assert "the file's own table" in state(page)
    assert notes(page) == ""
    page.get_by_role("combobox", name="Window").select_option("Full range")
    depth = scans.deep_scan(table=True).depth
    assert depth is not None
    until(page, lambda: agrees(page, depth.apply(depth.presets[-1])))
    assert "the model reads this scan at the file's own table" in notes(page)
    page.get_by_role("button", name="Back to the window").click()
    until(page, lambda: agrees(page, scans.deep_scan(table=True).pixels))
    until(page, lambda: said(page, "Window") == "None")


def test_a_dragged_window_is_stated_compared_with_the_models_and_reported(
    open_page: Open, server: str
) -> None:
    page = opened(open_page, server, "deep").page
    assert "W 400 L 40 HU" in state(page)
    assert notes(page) == ""
    at_one_to_one(page)
    drag(page, (0.4, 0.4), (0.5, 0.6), button="right")
    until(page, lambda: said(page, "Window").startswith("Window("))
    window = eval(said(page, "Window"), {"Window": Window})
    assert window.width > 400
    assert window.centre > 40
    assert window.function == "linear"
    assert f"W {window.width:g} L {window.centre:g} HU" in state(page)
    assert "the model reads this scan at W 400 L 40 HU" in notes(page)
    depth = scans.deep_scan().depth
    assert depth is not None
    assert agrees(page, depth.apply(window))
    # A run of the page keeps the window that is looked through.
    page.get_by_role("button", name="Run again").click()
    page.wait_for_timeout(1000)
    assert agrees(page, depth.apply(window))
    pane(page).press("r")
    until(page, lambda: agrees(page, scans.deep_scan().pixels))
    until(page, lambda: said(page, "Window") == "None")
    assert notes(page) == ""


def test_a_window_can_be_typed_and_the_tool_drags_with_the_left_button(
    open_page: Open, server: str
) -> None:
    page = opened(open_page, server, "deep").page
    width = page.get_by_role("spinbutton", name="Window width")
    width.fill("1000")
    width.press("Enter")
    until(page, lambda: "W 1000 L 40 HU" in state(page))
    width.fill("0")
    width.press("Enter")
    assert "W 1000 L 40 HU" in state(page)
    page.get_by_role("button", name="Window and level by dragging").click()
    drag(page, (0.5, 0.5), (0.5, 0.3))
    until(page, lambda: re.search(r"W 1000 L -\d", state(page)) is not None)
    assert "whole image" in state(page)


def test_a_deep_image_never_travels_as_a_picture_of_its_size(open_page: Open, server: str) -> None:
    watched = opened(open_page, server, "deep", **{})
    kinds = [url.rsplit(".", 1)[1] for url in watched.pictures()]
    assert kinds == ["bin"]
    pane(watched.page).press("+")
    watched.page.get_by_role("button", name="Run again").click()
    watched.page.wait_for_timeout(1000)
    assert len(watched.pictures()) == 1


def test_inversion_turns_dark_to_bright_and_says_so(open_page: Open, server: str) -> None:
    page = opened(open_page, server, "deep").page
    before = np.asarray(screenshot(page), int)
    assert "inverted" not in state(page)
    page.get_by_role("button", name="Invert").click()
    assert "inverted" in state(page)
    page.mouse.move(5, 5)
    after = np.asarray(screenshot(page), int)
    assert np.abs(before + after - 255).max() <= 1


def screenshot(page: Any) -> np.ndarray:
    """The middle of the pane, away from the scale bar and from its edges."""
    import io

    from PIL import Image

    page.evaluate("document.activeElement?.blur()")
    box = pane(page).bounding_box()
    middle = {
        "x": box["x"] + box["width"] / 2 - 100,
        "y": box["y"] + box["height"] / 2 - 100,
        "width": 200,
        "height": 200,
    }
    return np.asarray(Image.open(io.BytesIO(page.screenshot(clip=middle))).convert("L"))


def test_values_that_are_gone_are_said_to_be_gone(open_page: Open, server: str) -> None:
    watched = open_page(server)
    watched.page.route("**/*.bin", lambda route: route.fulfill(status=404))
    watched.page.goto(f"{server}/?show=deep")
    until(
        watched.page, lambda: "could not be loaded" in watched.page.locator(".loading").inner_text()
    )
    assert canvas(watched.page) is None
