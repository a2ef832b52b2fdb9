"""The read page in a browser: what stands on screen is what counts, what is typed above all."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from browser_kit import Server, Watched
from first_line_kit import (
    choose,
    idle,
    outline,
    phantom,
    picture,
    read_a_scan,
    receipt,
    sign_in,
    until,
    upload,
    wait_for_answer,
)

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PSEUDONYM = "Patient's pseudonym"


@pytest.fixture
def visit(server: Server, visit: Callable[..., Watched]) -> Callable[[], Any]:
    """Open the app's page."""
    return lambda: visit(server).page


def open_panel(page: Any, title: str) -> None:
    page.locator("summary").filter(has_text=title).click()
    page.wait_for_timeout(200)
    idle(page)


def field(page: Any, name: str) -> Any:
    return page.get_by_role("textbox", name=name)


def report(page: Any) -> str:
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Report HTML").click()
    return Path(waiting.value.path()).read_text("utf-8")


def close(page: Any) -> None:
    """Take the only scan off the list, whatever was entered on it."""
    page.get_by_role("button", name="Close scan").click()
    empty = page.get_by_role("heading", name="Read a scan")
    discard = page.get_by_role("button", name="Close and discard it")
    until(page, lambda: empty.count() + discard.count() > 0, "closing")
    if discard.count():
        discard.click()
    empty.wait_for()
    idle(page)


def chosen(page: Any) -> list[str]:
    """Return what is chosen on the page, but for the language."""
    held = page.locator("[aria-checked=true], [aria-pressed=true]").all_inner_texts()
    return [text for text in held if text not in ("English", "")]


def test_the_report_says_what_stands_in_the_fields_when_it_is_clicked(
    visit: Callable[[], Any],
) -> None:
    page = visit()
    case = read_a_scan(page, phantom(31))
    open_panel(page, "Case: patient")
    open_panel(page, "Report")
    page.get_by_role("button", name="Report HTML").wait_for()
    field(page, "Comment").fill("FIRST-WORDS")
    made = report(page)
    assert case in made
    assert "FIRST-WORDS" in made
    idle(page)
    # One after the other without a pause: the first letters of a case draw the panel anew.
    field(page, PSEUDONYM).fill("P-77")
    field(page, "History").fill("OPERATED-ON")
    made = report(page)
    assert "P-77" in made
    assert "OPERATED-ON" in made
    # Corrected and left with another field; then clicked at once.
    idle(page)
    field(page, PSEUDONYM).fill("P-78")
    field(page, "Comment").fill("SECOND-WORDS")
    made = report(page)
    assert "P-78" in made
    assert "SECOND-WORDS" in made
    assert "P-77" not in made
    assert "FIRST-WORDS" not in made


def test_the_earlier_scans_are_those_of_the_pseudonym_in_the_field(
    visit: Callable[[], Any],
) -> None:
    page = visit()
    earlier = read_a_scan(page, phantom(32))
    open_panel(page, "Case: patient")
    field(page, PSEUDONYM).fill("PAT-1")
    choose(page, "The AI's result", "Accept")
    page.get_by_role("button", name="Send feedback").click()
    receipt(page).wait_for()
    close(page)

    upload(page, picture(phantom(33)))
    wait_for_answer(page)
    open_panel(page, "Case: patient")
    asked = page.get_by_text("Enter the patient's pseudonym")
    asked.wait_for()
    listed = page.get_by_role("button", name=earlier, exact=True)
    # Typed and no more: nothing else on the page is touched.
    field(page, PSEUDONYM).press_sequentially("PAT-1")
    listed.wait_for()
    assert asked.count() == 0
    listed.click()
    page.get_by_text(f"Earlier scan · case {earlier}").first.wait_for()
    field(page, PSEUDONYM).press("End")
    field(page, PSEUDONYM).press_sequentially("9")
    page.get_by_text("There are no earlier scans under this pseudonym.").wait_for()
    # The picture stands in another part of the page, which is drawn a moment later.
    page.get_by_text(f"Earlier scan · case {earlier}").first.wait_for(state="detached")
    named = page.get_by_role("button", name=re.compile(earlier))
    until(page, lambda: named.count() == 0, "taking away what names the other patient's scan")
    assert field(page, PSEUDONYM).input_value() == "PAT-19"


def test_a_scan_opened_on_an_emptied_list_shows_every_control_as_it_counts(
    visit: Callable[[], Any],
) -> None:
    page = visit()
    read_a_scan(page, phantom(34))
    first = chosen(page)
    assert {"Side by side", "Heat", "Outline", "Fixed", "Opinion", "Routine"} <= set(first)
    choose(page, "Threshold method", "Otsu")
    choose(page, "How soon somebody should look", "Urgent")
    field(page, "Comment").fill("WORDS-OF-BEFORE")
    for seed in (35, 34):
        # Another scan, then the very one that was discarded: it starts anew.
        close(page)
        upload(page, picture(phantom(seed)))
        wait_for_answer(page)
        assert chosen(page) == first
        assert field(page, "Comment").input_value() == ""
        # What the browser shows is what it sends with the next click.
        choose(page, "Threshold method", "Otsu")
        idle(page)
        choose(page, "How soon somebody should look", "Urgent")
        page.wait_for_timeout(500)
        idle(page)
        assert {"Side by side", "Heat", "Outline", "Otsu", "Urgent"} <= set(chosen(page))
        assert outline(page)
        assert page.locator("figcaption").last.inner_text() == "AI outline, unconfirmed"
    page.get_by_role("button", name="Outline", exact=True).click()
    page.locator(".overlay path.outline[d^=M]").wait_for(state="detached")
    until(
        page, lambda: "unconfirmed" not in page.locator("figcaption").last.inner_text(), "saying so"
    )


def test_the_viewer_is_in_the_browser_before_a_scan_is(visit: Callable[[], Any]) -> None:
    page = visit()
    fetched: list[str] = []
    page.on("requestfinished", lambda request: fetched.append(request.url))
    sign_in(page, "Clinician")
    for script in ("/viewer_pane.js", "/static/js/Slider."):
        until(page, lambda part=script: any(part in url for url in fetched), f"fetching {script}")
