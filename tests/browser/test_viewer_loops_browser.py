"""Loops in a browser: the right frame at the right time, and outlines only on their own frame."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from browser_kit import ROOT, serving
from viewer_kit import PAGE, Open, canvas, drag, notes, pane, said, show, until

sys.path.insert(0, str(ROOT / "tests" / "benchmarks"))
import viewer_scans as scans

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def server(chromium: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serving(PAGE, tmp_path_factory.mktemp("loops")) as address:
        yield address


def at(page: Any) -> str:
    return str(page.locator(".at").inner_text())


def number_shown(page: Any) -> int | None:
    """Which frame the canvas shows, by its grey bar."""
    found = canvas(page)
    if found is None:
        return None
    grey, left, top, scale = found
    middle = grey[int(top + 240 * scale), int(left + 320 * scale)]
    return round((int(middle) - scans.grey_of(0)) / 3)


def rate_said(page: Any) -> float:
    found = re.search(r"reaches ([\d.]+)", page.locator(".rate").inner_text())
    return float(found.group(1)) if found else 0.0


def pause_elsewhere(page: Any, begun_at: str) -> None:
    """Stop playing at another frame than it began at: stopped there, there is nothing to tell."""
    page.get_by_role("button", name="Pause").click()
    page.wait_for_timeout(100)
    if at(page) == begun_at:
        pane(page).press(".")


def test_a_loop_plays_at_its_recorded_rate_and_the_frame_it_stops_at_is_read(
    open_page: Open, server: str
) -> None:
    watched = show(open_page, server, "loop")
    page = watched.page
    assert at(page) == "frame 4 / 64 · 0.15 s"
    assert "recorded at 20.0 frames per second" in page.locator(".rate").inner_text()
    page.get_by_role("button", name="Play").click()
    until(page, lambda: rate_said(page) > 0)
    assert rate_said(page) < 25
    assert "belong to frame 4" in notes(page)
    page.get_by_role("button", name="Pause").click()
    until(page, lambda: len(said(page, "Frames")) == 1)
    (frame,) = said(page, "Frames")
    assert at(page) == f"frame {frame + 1} / 64 · {frame / 20:.2f} s"
    until(page, lambda: notes(page) == "")
    assert watched.errors == []


def test_the_picture_is_the_frame_that_is_named(open_page: Open, server: str) -> None:
    page = show(open_page, server, "loop").page
    for key, frame in ((".", 4), (".", 5), ("Shift+ArrowRight", 6), (",", 5)):
        pane(page).press(key)
        until(page, lambda f=frame: at(page).startswith(f"frame {f + 1} /"))
        until(page, lambda f=frame: number_shown(page) in (f, None))
    # The frame that was rested at was read, and its own picture stands there again.
    until(page, lambda: said(page, "Frames")[-1:] == [5])
    until(page, lambda: notes(page) == "")
    address = pane(page).locator("image.picture").get_attribute("href")
    assert address.endswith("/5.png")


def test_only_the_frame_a_slider_rests_at_is_read(open_page: Open, server: str) -> None:
    page = show(open_page, server, "loop").page
    slider = page.get_by_role("slider", name="Frame")
    # In one go, so that a busy machine makes no rest between two of them.
    slider.evaluate(
        "(slider) => { for (let value = 5; value <= 16; value++) { slider.value = value;"
        " slider.dispatchEvent(new Event('input')); } }"
    )
    until(page, lambda: said(page, "Frames") == [15])
    page.wait_for_timeout(800)
    assert said(page, "Frames") == [15]
    assert at(page).startswith("frame 16 / 64")


def test_the_zoom_stays_from_frame_to_frame(open_page: Open, server: str) -> None:
    page = show(open_page, server, "loop").page
    pane(page).press("+")
    before = page.locator(".state").inner_text()
    pane(page).press(".")
    until(page, lambda: said(page, "Frames") == [4])
    until(page, lambda: notes(page) == "")
    assert page.locator(".state").inner_text() == before


def test_what_was_measured_on_a_frame_is_never_seen_on_another(
    open_page: Open, server: str
) -> None:
    page = show(open_page, server, "loop").page
    page.get_by_role("button", name="Measure a distance").click()
    drag(page, (0.3, 0.5), (0.6, 0.5))
    until(page, lambda: len(said(page, "Measures")) == 1)
    assert pane(page).locator(".measure").count() == 1
    begun_at = at(page)
    page.get_by_role("button", name="Play").click()
    until(page, lambda: pane(page).locator(".measure").count() == 0)
    assert page.locator(".measures li").count() == 0
    assert page.get_by_role("button", name="Measure a distance").is_disabled()
    pause_elsewhere(page, begun_at)
    until(page, lambda: len(said(page, "Frames")) == 1)
    until(page, lambda: said(page, "Measures") == [])
    slider = page.get_by_role("slider", name="Frame")
    slider.focus()
    slider.press("Home")
    for _ in range(3):
        slider.press("ArrowRight")
    until(page, lambda: said(page, "Frames")[-1] == 3)
    until(page, lambda: pane(page).locator(".measure").count() == 1)


def test_a_rate_that_is_not_recorded_is_said_to_be_none(open_page: Open, server: str) -> None:
    page = show(open_page, server, "unknown-rate").page
    assert at(page) == "frame 4 / 64"
    assert "rate not recorded: plays at 15" in page.locator(".rate").inner_text()


def test_frames_that_come_late_are_dropped_and_the_clock_goes_on(
    open_page: Open, server: str
) -> None:
    watched = show(open_page, server, "loop")
    page = watched.page

    page.evaluate(
        "() => { const now = window.fetch; window.fetch = async (...all) => {"
        " await new Promise((done) => setTimeout(done, 400)); return now(...all); }; }"
    )
    page.get_by_role("button", name="Play").click()
    until(page, lambda: rate_said(page) > 0)
    begun = page.evaluate("performance.now()")
    first = int(at(page).split()[1])
    page.wait_for_timeout(1500)
    took = (page.evaluate("performance.now()") - begun) / 1000
    moved = (int(at(page).split()[1]) - first) % 64
    # Fewer frames came than were due, yet time did not stand still.
    assert rate_said(page) < 17
    assert moved / 20 == pytest.approx(took % 3.2, abs=0.9)
    page.get_by_role("button", name="Pause").click()


def test_a_frame_that_cannot_be_decoded_says_so_and_the_others_play(
    open_page: Open, server: str
) -> None:
    page = show(open_page, server, "broken").page
    pane(page).press(".")
    pane(page).press(".")
    loading = pane(page).locator(".loading")
    until(page, lambda: "cannot be shown" in loading.inner_text())
    pane(page).press(".")
    until(page, lambda: at(page).startswith("frame 7 ") and not loading.is_visible())


def test_a_deep_loop_plays_in_8_bits_and_says_so(open_page: Open, server: str) -> None:
    watched = show(open_page, server, "deep-loop")
    page = watched.page
    until(page, lambda: "W 4096 L 2048" in page.locator(".state").inner_text())
    begun_at = at(page)
    page.get_by_role("button", name="Play").click()
    until(page, lambda: "Frames play in 8 bits at W 4096 L 2048" in notes(page))
    assert page.get_by_role("button", name="Window and level by dragging").is_disabled()
    pause_elsewhere(page, begun_at)
    until(page, lambda: len(said(page, "Frames")) == 1)
    (frame,) = said(page, "Frames")
    until(page, lambda: notes(page) == "")
    pane(page).press("1")
    pixels = scans.frame_scan(frame, deep=True).pixels
    page.wait_for_timeout(300)
    found = canvas(page)
    assert found is not None
    grey, left, top, _ = found
    x, y = int(left), int(top)
    part = grey[max(0, y) : y + 480, max(0, x) : x + 640]
    rows, columns = part.shape
    assert np.array_equal(part, pixels[max(0, -y) :, max(0, -x) :][:rows, :columns])
