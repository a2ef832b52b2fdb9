"""Explanations in a browser: choosing, comparing, stopping, and a page that stays quick."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from browser_kit import Server, Watched
from first_line_kit import idle, phantom, read_a_scan, until

pytestmark = [pytest.mark.browser, pytest.mark.slow]

Visit = Callable[..., Watched]


def panel(page: Any) -> Any:
    return page.locator(".st-key-explain")


def pick(page: Any, label: str, name: str) -> None:
    box = panel(page).get_by_role("combobox", name=re.compile(f"{label}$"))
    box.scroll_into_view_if_needed()
    box.click()
    page.get_by_role("option", name=name, exact=True).click()
    idle(page)


def heat(page: Any, pane: str) -> str | None:
    found = page.locator(f"figure.{pane} image.heatmap").get_attribute("href")
    return None if found is None else str(found)


def wait_until_made(page: Any, pane: str, before: str | None) -> str:
    until(page, lambda: heat(page, pane) not in (None, before), "drawing the map")
    found = heat(page, pane)
    assert found
    return found


def test_methods_are_compared_with_one_zoom_and_sliders_fetch_nothing(
    visit: Visit, server: Server
) -> None:
    watched = visit(server)
    page = watched.page
    # The server has just started: on a busy machine its model takes a while.
    page.set_default_timeout(120_000)
    read_a_scan(page, phantom(41))
    first = wait_until_made(page, "overlay", None)
    pick(page, "Explained by", "HiResCAM")
    second = wait_until_made(page, "overlay", first)
    pick(page, "Beside it", "Grad-CAM")
    assert wait_until_made(page, "untouched", None) == first
    captions = page.locator("figcaption").all_inner_texts()
    assert captions[0].startswith("Grad-CAM: Why")
    assert captions[1].startswith("HiResCAM: Why")
    beside = page.locator("figure.untouched path.outline").get_attribute("d")
    assert beside == page.locator("figure.overlay path.outline").get_attribute("d")
    assert beside.startswith("M")

    page.get_by_role("button", name="Zoom in").click()
    worlds = page.locator(".pane svg > g")
    moved = [worlds.nth(n).get_attribute("transform") for n in range(2)]
    assert moved[0] == moved[1]
    assert "scale(" in moved[0]

    idle(page)
    pictures = len(watched.pictures())
    cut = page.get_by_role("slider", name="Hide heat below this share")
    cut.press("ArrowRight")
    image = page.locator("figure.overlay image.heatmap")
    until(page, lambda: image.get_attribute("filter") == "url(#cut-overlay)", "cutting off")
    page.get_by_role("slider", name="Heat opacity").press("ArrowRight")
    until(page, lambda: "0.45" in str(image.get_attribute("style")), "the opacity")
    assert heat(page, "overlay") == second
    assert len(watched.pictures()) == pictures, "a slider fetched a picture"


def test_a_slider_answers_while_shap_runs_and_it_can_be_stopped(
    visit: Visit, server: Server
) -> None:
    page = visit(server, viewport={"width": 390, "height": 844}).page
    read_a_scan(page, phantom(42))
    wait_until_made(page, "overlay", None)
    pick(page, "Explained by", "SHAP by regions")
    stop = panel(page).get_by_role("button", name="Stop")
    done = page.locator("figure.overlay image.heatmap[href]")
    until(page, lambda: stop.count() + done.count() > 0, "starting")
    page.get_by_role("slider", name="Threshold").press("ArrowLeft")
    page.locator(".overlay path.outline[d^=M]").wait_for(state="attached")
    if stop.count():
        # The small model may be done first.
        stop.first.click(timeout=2_000, force=True)
    again = panel(page).get_by_role("button", name="Ask again")
    until(page, lambda: again.count() + done.count() > 0, "stopping or ending")
    wide = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    assert wide <= 0, "the page is wider than the phone"
