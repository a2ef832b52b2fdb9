"""The steps of the first line as a person takes them, for the browser tests."""

from __future__ import annotations

import math
import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from browser_kit import Server, Watched, start_server

from core.scan import LesionSpec, PhantomSpec, Scan, encode_png, make_phantom, read_scan

CASE = re.compile(r"[0-9A-Z]{5}-[0-9A-Z]{5}")
#: Something no page says by itself, to look for where it must not be.
COMMENT = "Xylophone shadow at nine o'clock"


def start_app(var: Path, models: Path, *, port: int | None = None) -> Server:
    """Run the app on a folder of its own with these models; on a free port if none is given."""
    var.mkdir(exist_ok=True)
    if not (var / "models").exists():
        (var / "models").symlink_to(models)
    return start_server("app.py", var, port=port)


def uploaded(scan: Scan) -> Scan:
    """Return the scan as the app sees it: a PNG carries no scale."""
    return read_scan(encode_png(scan))


def phantom(seed: int, width: int = 360, height: int = 320) -> Scan:
    return make_phantom(PhantomSpec(width, height, lesion=LesionSpec()), seed).scan


def picture(scan: Scan, name: str = "scan.png") -> dict[str, Any]:
    return {"name": name, "mimeType": "image/png", "buffer": encode_png(scan)}


def until(page: Any, true: Callable[[], bool], what: str = "it") -> None:
    for _ in range(450):
        if true():
            return
        page.wait_for_timeout(50)
    pytest.fail(f"{what} did not happen")


def idle(page: Any) -> None:
    """Wait until no script runs: a button of the run before is about to be replaced."""
    page.locator("[data-testid=stApp][data-test-script-state=notRunning]").wait_for()


def sign_in(page: Any, role: str) -> None:
    page.get_by_role("button", name=f"Go on as {role}").click()
    page.get_by_role("button", name="Change role").wait_for(state="attached")


def upload(page: Any, *files: dict[str, Any]) -> None:
    page.locator("input[type=file]").set_input_files(list(files))


def wait_for_answer(page: Any) -> str:
    """Wait for the model's answer with everything around it; return the case number."""
    answer = page.get_by_text("AI result · case")
    answer.wait_for()
    page.locator(".overlay path.outline[d^=M]").wait_for(state="attached")
    page.get_by_role("button", name="Send feedback").wait_for()
    idle(page)
    found = CASE.search(answer.inner_text())
    assert found
    return found.group()


def read_a_scan(page: Any, scan: Scan) -> str:
    sign_in(page, "Clinician")
    upload(page, picture(scan))
    return wait_for_answer(page)


def outline(page: Any) -> str:
    return str(page.locator(".overlay path.outline").get_attribute("d"))


def move_threshold(page: Any, key: str = "ArrowLeft") -> None:
    before = outline(page)
    page.get_by_role("slider", name="Threshold").press(key)
    until(page, lambda: outline(page) != before, "a change of the outline")


def draw_region(page: Any, radius: float = 40) -> None:
    page.get_by_role("button", name="Draw a region").click()
    pane = page.locator(".pane").last
    pane.scroll_into_view_if_needed()
    box = pane.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x + radius, y)
    page.mouse.down()
    for step in range(1, 33):
        page.mouse.move(x + radius * math.cos(step / 5), y + radius * math.sin(step / 5))
    page.mouse.up()
    page.get_by_text("1 corrected region drawn").wait_for()


def choose(page: Any, group: str, name: str | re.Pattern[str]) -> None:
    option = page.get_by_role("radiogroup", name=group).get_by_role("radio", name=name)
    option.click()
    until(page, option.is_checked, f"choosing “{name}”")


def fill_in(page: Any) -> None:
    choose(page, "The AI's result", "Reject")
    choose(page, "Your own label", "benign")
    choose(page, "What your label rests on", "Biopsy")
    choose(page, "How sure you are", re.compile("^4"))
    page.get_by_role("button", name="Wrong class").click()
    choose(page, "How soon somebody should look", "Urgent")
    page.get_by_role("textbox", name="Comment").fill(COMMENT)


def receipt(page: Any) -> Any:
    return page.get_by_text(re.compile("aved: (your|this very) feedback"))


def entries(var: Path) -> int:
    """Count what was stored, past the app."""
    with closing(sqlite3.connect(f"file:{var / 'overread.db'}?mode=ro", uri=True)) as database:
        return int(database.execute("SELECT count(*) FROM feedback").fetchone()[0])


def whole_dom(page: Any) -> str:
    """Return the document with everything in shadow roots."""
    inside = page.evaluate(
        """() => [...document.querySelectorAll("*")].map((e) => e.shadowRoot)
          .filter(Boolean).map((root) => root.innerHTML).join("\\n")"""
    )
    return str(page.content()) + str(inside)


def listen(page: Any) -> list[bytes]:
    """Collect what the server sends from the next connection on."""
    frames: list[bytes] = []

    def keep(frame: bytes | str) -> None:
        frames.append(frame.encode() if isinstance(frame, str) else frame)

    page.on("websocket", lambda socket: socket.on("framereceived", keep))
    return frames


def strangers(watched: Watched, address: str) -> list[str]:
    """Return requests that went anywhere but to our own server."""
    own = (address, address.replace("http", "ws"), "data:", "blob:")
    return [url for url in watched.requests if not url.startswith(own)]


#: Every text on screen with the colour of its letters and of what lies behind them, as 0..255.
TEXT_COLOURS = """() => {
  const parse = (text) => {
    const found = text.match(/[\\d.]+/g).map(Number);
    // color(srgb r g b / a) counts from 0 to 1.
    const unit = text.startsWith("color(") ? 255 : 1;
    return [...found.slice(0, 3).map((n) => n * unit), found.length > 3 ? found[3] : 1];
  };
  const over = (top, below) => [0, 1, 2]
    .map((i) => top[i] * top[3] + below[i] * (1 - top[3])).concat(1);
  const ground = (element) => {
    const layers = [];
    // A slider's number stands above its thumb, not on it.
    const slider = element.closest("[data-testid=stSlider]");
    for (let e = slider || element; e; e = e.parentElement) {
      const colour = parse(getComputedStyle(e).backgroundColor);
      if (colour[3] > 0) layers.push(colour);
      if (colour[3] === 1) break;
    }
    return layers.reverse().reduce((below, top) => over(top, below), [255, 255, 255, 1]);
  };
  const faded = (element) => {
    let share = 1;
    for (let e = element; e; e = e.parentElement) share *= getComputedStyle(e).opacity;
    return share;
  };
  const walker = document.createTreeWalker(
    document.querySelector("[data-testid=stApp]"), NodeFilter.SHOW_TEXT);
  const found = [];
  while (walker.nextNode()) {
    const text = walker.currentNode.textContent.trim();
    const element = walker.currentNode.parentElement;
    const style = getComputedStyle(element);
    if (!text || element.closest("style, script, svg, [data-testid=stPlotlyChart]")) continue;
    if (!element.checkVisibility({ visibilityProperty: true, opacityProperty: true })) continue;
    if (element.getClientRects().length === 0 || style.clipPath !== "none") continue;
    // What cannot be used may be faint (WCAG 2.2, 1.4.3).
    if (element.closest("[disabled], [aria-disabled=true]")) continue;
    const below = ground(element);
    const ink = parse(style.color);
    ink[3] *= faded(element);
    found.push({ text: text.slice(0, 60), ink: over(ink, below), ground: below });
  }
  return found;
}"""


def contrast(ink: list[float], ground: list[float]) -> float:
    """Return the contrast of two colours (WCAG 2.2, relative luminance), from 1 to 21."""
    light = []
    for colour in (ink, ground):
        parts = [n / 255 for n in colour[:3]]
        r, g, b = (n / 12.92 if n <= 0.04045 else ((n + 0.055) / 1.055) ** 2.4 for n in parts)
        light.append(0.2126 * r + 0.7152 * g + 0.0722 * b)
    return (max(light) + 0.05) / (min(light) + 0.05)
