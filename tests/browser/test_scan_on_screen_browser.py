"""A scan on screen in a real browser: its outline, its pictures, its downloads, on any screen."""

from __future__ import annotations

import csv
import io
import json
import re
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from browser_kit import Server, Watched
from first_line_kit import (
    CASE,
    COMMENT,
    TEXT_COLOURS,
    choose,
    contrast,
    idle,
    move_threshold,
    outline,
    phantom,
    picture,
    read_a_scan,
    sign_in,
    until,
    upload,
    uploaded,
    wait_for_answer,
)
from PIL import Image

pytestmark = [pytest.mark.browser, pytest.mark.slow]

Visit = Callable[..., Watched]


def test_no_move_is_lost_and_another_outline_takes_the_acceptance_back(
    visit: Visit, server: Server
) -> None:
    page = visit(server).page
    read_a_scan(page, phantom(3))
    tick = page.get_by_role("checkbox", name="I accept the AI outline")
    until(page, lambda: tick.count() == 1, "the tick")
    page.get_by_text("I accept the AI outline").click()
    until(page, tick.is_checked, "ticking")
    move_threshold(page)
    until(page, lambda: not tick.is_checked(), "taking the acceptance back")
    for key in ("ArrowLeft", "ArrowLeft", "ArrowRight", "ArrowRight"):
        move_threshold(page, key)
    assert not tick.is_checked()


def test_the_address_of_a_picture_is_a_secret_of_its_session(visit: Visit, server: Server) -> None:
    first, second = visit(server), visit(server)
    for watched in (first, second):
        read_a_scan(watched.page, phantom(4))
        until(watched.page, lambda w=watched: len(set(w.pictures())) >= 3, "fetching pictures")
    mine, theirs = set(first.pictures()), set(second.pictures())
    assert not mine & theirs, "the same scan has the same address in two sessions"
    names = [{url.rsplit("/", 1)[1] for url in urls} for urls in (mine, theirs)]
    assert not names[0] & names[1], "the name says which picture it is"

    url = sorted(mine)[0]
    status, headers = _get(url)
    assert status == 200
    assert headers["content-type"] == "image/png"
    assert "private" in headers["cache-control"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert "sandbox" in headers["content-security-policy"]
    start, token, name = url.rsplit("/", 2)
    wrong = token[:-1] + ("A" if token[-1] != "A" else "B")
    assert _get(f"{start}/{wrong}/{name}")[0] == 404
    assert _get(f"{start}/{token}/{'0' * 32}.png")[0] == 404
    assert _get(url, {"Sec-Fetch-Site": "cross-site"})[0] == 404

    first.page.get_by_role("button", name="Change role").click()
    first.page.get_by_role("button", name="Go on as Reviewer").wait_for()
    assert _get(url)[0] == 404, "the picture outlived its session"
    assert _get(sorted(theirs)[0])[0] == 200


def _get(url: str, headers: dict[str, str] | None = None) -> tuple[int, dict[str, str]]:
    """Fetch without any cookie, as somebody who was given the address would."""
    request = urllib.request.Request(url, headers=headers or {})
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, {k.lower(): v for k, v in answer.headers.items()}
    except urllib.error.HTTPError as error:
        with error:
            return error.code, {}


def test_the_back_button_brings_the_scan_back(visit: Visit, server: Server) -> None:
    page = visit(server).page
    case = read_a_scan(page, phantom(5))
    page.get_by_role("link", name="Sent feedback").click()
    page.get_by_role("heading", name="Sent feedback").wait_for()
    page.go_back()
    assert wait_for_answer(page) == case


def test_closing_asks_about_what_was_entered_a_moment_ago(visit: Visit, server: Server) -> None:
    page = visit(server).page
    case = read_a_scan(page, phantom(14))
    choose(page, "Your own label", "benign")
    # The form ran by itself: the button above is older than what was entered.
    page.get_by_role("button", name="Close scan").click()
    asked = page.get_by_role("dialog")
    asked.get_by_text("has not been sent").wait_for()
    page.keyboard.press("Escape")
    asked.wait_for(state="detached")
    page.get_by_text(f"AI result · case {case}").wait_for()
    assert page.get_by_role("radio", name="benign").first.is_checked()
    page.get_by_role("textbox", name="Comment").fill(COMMENT)
    page.get_by_role("button", name="Close scan").click()
    asked.get_by_role("button", name="Close and discard it").click()
    page.get_by_role("heading", name="Read a scan").wait_for()
    assert asked.count() == 0


def test_the_page_can_be_read_in_a_dark_room_and_at_a_bright_desk(
    visit: Visit, server: Server
) -> None:
    grounds = {}
    for scheme in ("dark", "light"):
        page = visit(server, color_scheme=scheme).page
        read_a_scan(page, phantom(15))
        page.get_by_role("textbox", name="Comment").wait_for()
        texts = page.evaluate(TEXT_COLOURS)
        said = " ".join(text["text"] for text in texts)
        for words in ("AI result · case", "not a medical device", "Comment", "Send feedback"):
            assert words in said, f"this looks past “{words}”"
        hard = [text for text in texts if contrast(text["ink"], text["ground"]) < 4.5]
        assert hard == [], scheme
        grounds[scheme] = page.evaluate(
            "getComputedStyle(document.querySelector('[data-testid=stApp]')).backgroundColor"
        )
    dark, light = ([int(n) for n in re.findall(r"\d+", grounds[s])[:3]] for s in grounds)
    assert max(dark) < 64
    assert min(light) > 191


def test_downloads_are_whole_and_say_what_they_are(
    visit: Visit, server: Server, models: Path
) -> None:
    from core.model import read_bundle

    page = visit(server).page
    scan = uploaded(phantom(6))
    case = read_a_scan(page, scan)
    page.get_by_role("button", name="Heat", exact=True).click()
    page.locator("figure.overlay image.heatmap:not([href])").wait_for(state="attached")
    idle(page)
    digest = read_bundle(next(models.glob("*/*"))).digest

    mask = np.asarray(Image.open(io.BytesIO(_download(page, case, "Mask PNG"))))
    assert mask.shape == (scan.height, scan.width)
    assert set(np.unique(mask)) == {0, 255}

    overlay = np.asarray(Image.open(io.BytesIO(_download(page, case, "Overlay PNG"))))
    assert overlay.shape[1] >= scan.width
    assert overlay.shape[0] > scan.height, "no band says what this is"
    shown = overlay[: scan.height, : scan.width]
    # An outline runs along the edge of the image where the mask touches it.
    framed = np.pad(mask, 4)
    near = cv2.morphologyEx(framed, cv2.MORPH_GRADIENT, np.ones((7, 7), np.uint8))[4:-4, 4:-4] > 0
    untouched = np.repeat(scan.grey[..., None], 3, axis=2)
    assert (shown[~near] == untouched[~near]).all(), "a pixel under no overlay was changed"
    assert (shown[near] != untouched[near]).any(), "no outline was drawn"

    told = json.loads(_download(page, case, "Measurements JSON"))
    text = json.dumps(told)
    table = _download(page, case, "Measurements CSV").decode("utf-8-sig")
    for words in (case, digest, scan.digest, "not a medical device"):
        assert words in text, words
        assert words in table, words
    assert len(list(csv.reader(io.StringIO(table)))) > 1


def _download(page: Any, case: str, title: str) -> bytes:
    with page.expect_download() as waiting:
        page.get_by_role("button", name=title).click()
    assert waiting.value.suggested_filename.startswith(case)
    return Path(waiting.value.path()).read_bytes()


def test_one_bad_file_among_six_is_named_and_the_others_are_read(
    visit: Visit, server: Server
) -> None:
    page = visit(server).page
    sign_in(page, "Clinician")
    name = "скан <b>№1</b> & *co*.png"
    broken = {"name": name, "mimeType": "image/png"}
    broken["buffer"] = picture(phantom(7))["buffer"][:500]  # type: ignore[assignment]
    good = [picture(phantom(seed, 280, 260), f"{seed}.png") for seed in range(8, 13)]
    upload(page, *good[:2], broken, *good[2:])
    cards = page.get_by_role("button", name=re.compile(rf"{CASE.pattern} · (read|flagged)"))
    until(page, lambda: cards.count() == 5, "reading five scans")
    told = page.get_by_text(re.compile("^1 file "))
    told.wait_for()
    line = page.get_by_text(re.compile("^" + re.escape(f"{name}: "))).inner_text()
    assert len(line) > len(name) + 20, "no reason is given"
    page.get_by_role("button", name="Seen").click()
    told.wait_for(state="detached")


def test_the_whole_line_fits_a_phone(visit: Visit, server: Server) -> None:
    phone = visit(server, viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    page = phone.page
    page.get_by_role("button", name="Go on as Clinician").wait_for()
    _fits(page)
    page.get_by_role("button", name="Go on as Clinician").tap()
    page.get_by_role("heading", name="Read a scan").wait_for()
    _fits(page)
    upload(page, picture(phantom(13)))
    wait_for_answer(page)
    _fits(page)
    for what in (
        page.get_by_text("AI result · case"),
        page.get_by_role("slider", name="Threshold"),
        page.get_by_role("radiogroup", name="Your own label"),
        page.get_by_role("button", name="Send feedback"),
    ):
        what.scroll_into_view_if_needed()
        box = what.bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 390
    assert outline(page)


def _fits(page: Any) -> None:
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    wide = page.evaluate(
        """() => { const main = document.querySelector("[data-testid=stMain]");
          return main.scrollWidth - main.clientWidth; }"""
    )
    assert wide <= 0, "the page can be pushed sideways"
