"""The first line in a real browser: upload, answer, outline, feedback, blind read, settled."""

from __future__ import annotations

import csv
import io
import json
import re
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from browser_kit import Server, Watched, start_server
from first_line_kit import (
    CASE,
    COMMENT,
    TEXT_COLOURS,
    choose,
    contrast,
    draw_region,
    entries,
    fill_in,
    idle,
    listen,
    move_threshold,
    outline,
    phantom,
    picture,
    read_a_scan,
    receipt,
    sign_in,
    strangers,
    until,
    upload,
    uploaded,
    wait_for_answer,
    whole_dom,
)
from PIL import Image

pytestmark = [pytest.mark.browser, pytest.mark.slow]

Visit = Callable[..., Watched]


@pytest.fixture(scope="module")
def models(chromium: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a tiny model that outranks what ships, so that it is quick and known."""
    from bundle_factory import ready

    folder = tmp_path_factory.mktemp("browser-model")
    ready(folder)
    return folder / "models"


def start(var: Path, models: Path) -> Server:
    var.mkdir(exist_ok=True)
    if not (var / "models").exists():
        (var / "models").symlink_to(models)
    return start_server("app.py", var)


@pytest.fixture(scope="module")
def shared(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for every test that leaves nothing in the queue."""
    server = start(tmp_path_factory.mktemp("first-line"), models)
    yield server
    server.stop()


@pytest.fixture
def visit(open_page: Callable[..., Watched]) -> Iterator[Visit]:
    """Open the app; at the end nothing was complained about, and no request left this machine."""
    opened: list[tuple[Watched, str]] = []

    def open_one(server: Server, **options: Any) -> Watched:
        watched = open_page(server.address, **options)
        opened.append((watched, server.address))
        return watched

    yield open_one
    for watched, address in opened:
        assert watched.errors == []
        assert strangers(watched, address) == []


def test_a_scan_goes_from_upload_to_a_settled_label(
    visit: Visit, models: Path, tmp_path: Path
) -> None:
    server = start(tmp_path / "var", models)
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
    server = start(tmp_path / "var", models)
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
    again = start(tmp_path / "var", models)
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


def test_no_move_is_lost_and_another_outline_takes_the_acceptance_back(
    visit: Visit, shared: Server
) -> None:
    page = visit(shared).page
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


def test_the_address_of_a_picture_is_a_secret_of_its_session(visit: Visit, shared: Server) -> None:
    first, second = visit(shared), visit(shared)
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


def test_the_back_button_brings_the_scan_back(visit: Visit, shared: Server) -> None:
    page = visit(shared).page
    case = read_a_scan(page, phantom(5))
    page.get_by_role("link", name="Sent feedback").click()
    page.get_by_role("heading", name="Sent feedback").wait_for()
    page.go_back()
    assert wait_for_answer(page) == case


def test_closing_asks_about_what_was_entered_a_moment_ago(visit: Visit, shared: Server) -> None:
    page = visit(shared).page
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
    visit: Visit, shared: Server
) -> None:
    grounds = {}
    for scheme in ("dark", "light"):
        page = visit(shared, color_scheme=scheme).page
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
    visit: Visit, shared: Server, models: Path
) -> None:
    from core.model import read_bundle

    page = visit(shared).page
    scan = uploaded(phantom(6))
    case = read_a_scan(page, scan)
    page.get_by_role("button", name="Heat", exact=True).click()
    page.locator("image.heatmap:not([href])").wait_for(state="attached")
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
    visit: Visit, shared: Server
) -> None:
    page = visit(shared).page
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


def test_the_whole_line_fits_a_phone(visit: Visit, shared: Server) -> None:
    phone = visit(shared, viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
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
