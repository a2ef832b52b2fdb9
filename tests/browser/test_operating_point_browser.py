"""The operating-point slider in a browser: only its own part of the page moves."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from functools import partial
from typing import Any

import pytest
from browser_kit import Server, Watched
from first_line_kit import choose, idle, phantom, read_a_scan, receipt, sign_in, until

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture
def visit(server: Server, visit: Callable[..., Watched]) -> Callable[..., Watched]:
    """Open the app."""
    return partial(visit, server)


def explore(page: Any) -> Any:
    page.locator("summary").filter(has_text="Explore the operating point").click()
    slider = page.get_by_role("slider", name="Flag from this probability on")
    slider.wait_for()
    idle(page)
    return slider


def sentence(page: Any) -> str:
    return str(page.get_by_text(re.compile("this model found")).inner_text())


def stored(server: Server, query: str) -> list[Any]:
    """Ask the database, past the app."""
    where = f"file:{server.log.parent / 'overread.db'}?mode=ro"
    with closing(sqlite3.connect(where, uri=True)) as database:
        return list(database.execute(query))


def test_a_move_changes_the_sentence_and_neither_the_answer_nor_the_picture(
    visit: Callable[..., Watched],
) -> None:
    watched = visit()
    page = watched.page
    read_a_scan(page, phantom(51))
    slider = explore(page)
    answer = page.locator(".st-key-answer").inner_text()
    # Whatever is drawn anew by Streamlit or by the viewer loses this mark.
    page.evaluate("() => { document.querySelector('.st-key-answer').dataset.mark = 'same'; }")
    pictures, before, received = len(watched.pictures()), sentence(page), watched.received
    assert before.startswith("At 35%")
    slider.press("ArrowLeft")
    until(page, lambda: sentence(page).startswith("At 34%"), "the new sentence")
    idle(page)
    assert page.locator(".st-key-answer").inner_text() == answer
    assert page.locator(".st-key-answer[data-mark=same]").count() == 1
    assert len(watched.pictures()) == pictures
    # A run of the whole page sends the masks and the tables again: far more than these few lines.
    assert watched.received - received < 20_000
    page.get_by_text("last at 34%, is recorded with your feedback").wait_for()
    page.get_by_role("button", name="balanced, 35%").click()
    until(page, lambda: sentence(page) == before, "being back at the approved point")


def test_what_was_explored_is_stored_with_the_feedback_and_reset_for_the_next_scan(
    visit: Callable[..., Watched], server: Server
) -> None:
    page = visit(viewport={"width": 390, "height": 844}).page
    read_a_scan(page, phantom(52))
    slider = explore(page)
    for _press in range(5):
        slider.press("ArrowRight")
    until(page, lambda: sentence(page).startswith("At 40%"), "five steps")
    idle(page)
    assert page.evaluate("() => document.documentElement.scrollWidth <= window.innerWidth")
    choose(page, "The AI's result", "Accept")
    page.get_by_role("button", name="Send feedback").click()
    receipt(page).wait_for()
    rows = stored(server, "SELECT explored_threshold, threshold FROM reads")
    assert rows == [(0.4, 0.35)]


def test_an_administrator_sets_the_prevalence_and_a_double_click_sets_it_once(
    visit: Callable[..., Watched], server: Server
) -> None:
    page = visit().page
    sign_in(page, "Administrator")
    page.get_by_role("link", name="Model performance").click()
    page.get_by_text("Site prevalence not set").wait_for()
    idle(page)
    page.get_by_role("spinbutton").fill("2.5")
    page.get_by_role("textbox", name="Where the number comes from").fill("Audit <b>2025</b>")
    page.get_by_role("button", name="Set for everybody").dblclick()
    page.get_by_text("Site prevalence 2.5%").wait_for()
    idle(page)
    page.get_by_text("Saved: 2.5%.").wait_for()
    rows = stored(server, "SELECT share, reason FROM site_prevalences")
    assert rows == [(0.025, "Audit <b>2025</b>")]
