"""The first line in a real browser: upload, answer, outline, feedback, blind read, settled."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from browser_kit import Watched
from first_line_kit import (
    COMMENT,
    choose,
    draw_region,
    entries,
    fill_in,
    idle,
    listen,
    move_threshold,
    phantom,
    read_a_scan,
    receipt,
    sign_in,
    start_app,
    until,
    uploaded,
    whole_dom,
)

pytestmark = [pytest.mark.browser, pytest.mark.slow]

Visit = Callable[..., Watched]


def test_a_scan_goes_from_upload_to_a_settled_label(
    visit: Visit, models: Path, tmp_path: Path
) -> None:
    server = start_app(tmp_path / "var", models)
    try:
        page = visit(server).page
        case = read_a_scan(page, phantom(1))
        assert case == uploaded(phantom(1)).case_number

        page.get_by_role("button", name="Zoom in").click()
        zoomed = page.locator(".state").inner_text()
        assert "whole image" not in zoomed
        for _ in range(3):
            move_threshold(page)
        assert page.locator(".state").inner_text() == zoomed
        page.get_by_role("button", name="Show the whole image").click()
        draw_region(page)

        fill_in(page)
        send = page.get_by_role("button", name=f"Send feedback on case {case}")
        send.dblclick()
        receipt(page).wait_for()
        assert case in receipt(page).inner_text()
        send.click()
        page.get_by_text("Already saved").wait_for()
        assert entries(tmp_path / "var") == 1

        frames = listen(page)
        page.reload()
        sign_in(page, "Clinician")
        page.get_by_role("heading", name="Read a scan").wait_for()
        idle(page)
        page.wait_for_function("[...document.images].every((image) => image.complete)")
        page.get_by_role("button", name="Change role").click()
        page.get_by_role("button", name="Go on as Reviewer").wait_for()
        frames.clear()
        sign_in(page, "Reviewer")
        _review(page, case, frames)
        page.get_by_role("button", name="Back to the queue").click()
        page.get_by_text("Nothing waits here").wait_for()
    finally:
        server.stop()


def _review(page: Any, case: str, frames: list[bytes]) -> None:
    page.get_by_role("button", name=f"Open {case}").click()
    page.get_by_role("heading", name="Your own read").wait_for()
    page.locator("figure image").first.wait_for(state="attached")
    secrets = [COMMENT, "Reject", "Wrong class", "900.0", "flags from", "corrected region"]
    seen, sent = whole_dom(page), b"".join(frames)
    assert case in seen, "looking in the wrong place"
    assert case.encode() in sent, "looking in the wrong place"
    for secret in secrets:
        assert secret not in seen, secret
        assert secret.encode() not in sent, secret
    assert page.locator("path.region[d^=M]").count() == 0

    choose(page, "Your label", "malignant")
    choose(page, "How sure you are", re.compile("^4"))
    page.get_by_role("button", name="Save my read").click()
    page.get_by_text(COMMENT).wait_for()
    seen = whole_dom(page)
    for secret in secrets:
        assert secret in seen, secret
    page.locator("path.region[d^=M]").wait_for(state="attached")

    note = page.get_by_role("textbox", name="Add a comment")
    note.fill("Ask for the elastography")
    note.press("Control+Enter")
    page.get_by_role("button", name="Add comment").click()
    until(page, lambda: note.input_value() == "", "emptying the comment")

    page.get_by_role("button", name="Settle with this label").click()
    page.get_by_text("Settled: malignant").wait_for()


def test_a_server_killed_right_after_saved_has_lost_nothing(
    open_page: Callable[..., Watched], visit: Visit, models: Path, tmp_path: Path
) -> None:
    server = start_app(tmp_path / "var", models)
    try:
        # Not watched for errors: the page complains, rightly, that its server is gone.
        page = open_page(server.address).page
        case = read_a_scan(page, phantom(2))
        fill_in(page)
        page.get_by_role("button", name="Send feedback").click()
        receipt(page).wait_for()
    finally:
        server.process.kill()
        server.process.wait(20)
    again = start_app(tmp_path / "var", models)
    try:
        page = visit(again).page
        sign_in(page, "Reviewer")
        page.get_by_role("button", name=f"Open {case}").click()
        page.get_by_role("heading", name="Your own read").wait_for()
        page.locator("figure image").first.wait_for(state="attached")
        until(page, lambda: _drawn(page), "showing the stored picture")
    finally:
        again.stop()


def _drawn(page: Any) -> bool:
    """Tell whether the address in the viewer gives a picture."""
    address = page.locator("figure image").first.get_attribute("href")
    return bool(page.evaluate("async (address) => (await fetch(address)).ok", address))
