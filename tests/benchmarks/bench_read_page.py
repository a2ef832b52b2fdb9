"""One move of the threshold on the real read page: bytes over the websocket, time until it shows.

The app itself in Chromium with a 1024 × 1024 phantom in it. Time runs from the key press inside
the browser to the moment the contour's SVG path is set there, so the driver's delays do not
count. The model is the newest that ships; where none does, small random weights stand in for it,
which outline more than a trained one.

    python tests/benchmarks/bench_read_page.py [--moves 20] [--json out.json]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "browser"), str(ROOT / "tests" / "model")]
from browser_kit import ARGUMENTS, CHROMIUM, WATCH_OUTLINE, serving, watch  # noqa: E402

from core.scan import LesionSpec, PhantomSpec, encode_png, make_phantom  # noqa: E402

LIMITS = {"kilobytes": 40.0, "milliseconds": 200.0}
#: The first moves warm the server up and do not count.
WARM = 3


def has_shipped_model() -> bool:
    """Tell whether the repository holds a trained bundle."""
    return any((ROOT / "assets" / "models").glob("*/*/model.keras"))


def measure(moves: int, *, small: bool) -> dict[str, Any]:
    """Move the threshold ``moves`` times and return what each move cost."""
    spec = PhantomSpec(1024, 1024, lesion=LesionSpec())
    png = encode_png(make_phantom(spec, 3).scan)
    with tempfile.TemporaryDirectory() as folder:
        if small:
            from bundle_factory import ready

            ready(Path(folder))
        with serving("app.py", Path(folder)) as address, sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
            watched = watch(browser.new_page(viewport={"width": 1280, "height": 900}))
            took, changed, received, outlined = _move(watched, address, png, moves)
            pictures = [url for url in watched.pictures() if url.endswith(".png")]
            version = browser.version
            browser.close()
    return {
        "model": "small random weights" if small else "shipped",
        "moves": moves,
        "moves_that_changed_the_outline": changed,
        "outline": outlined,
        "milliseconds": {
            "min": round(min(took), 1),
            "median": round(statistics.median(took), 1),
            "max": round(max(took), 1),
        },
        "kilobytes": {
            "median": round(statistics.median(received), 2),
            "max": round(max(received), 2),
        },
        "fetches_of_one_picture": max(pictures.count(url) for url in pictures),
        "load_average": round(os.getloadavg()[0], 2),
        "browser": f"Chromium {version}",
        "limits": LIMITS,
    }


def _move(
    watched: Any, address: str, png: bytes, moves: int
) -> tuple[list[float], int, list[float], str]:
    page = watched.page
    page.set_default_timeout(120_000)
    page.goto(address)
    page.get_by_role("button", name="Go on as Clinician").click()
    file = {"name": "phantom.png", "mimeType": "image/png", "buffer": png}
    page.locator("input[type=file]").set_input_files(file)
    page.get_by_text("AI result · case").wait_for()
    page.locator(".overlay path.outline[d^=M]").wait_for(state="attached")
    page.get_by_role("button", name="Send feedback").wait_for()
    page.wait_for_timeout(3000)
    page.evaluate(WATCH_OUTLINE)
    slider = page.get_by_role("slider", name="Threshold")
    slider.focus()
    received = []
    for move in range(moves + WARM):
        before = watched.received
        # Back and forth around the middle, so that no end of the slider is reached.
        slider.press("ArrowRight" if move // 5 % 2 == 0 else "ArrowLeft")
        page.wait_for_function(f"window.moves.length > {move}")
        page.wait_for_timeout(700)
        received.append((watched.received - before) / 1024)
    timed = page.evaluate("window.moves")[WARM:]
    outlined = page.locator("figure svg").last.get_attribute("aria-label")
    return [ms for ms, _ in timed], sum(new for _, new in timed), received[WARM:], outlined


def main() -> int:
    """Measure, print, and end with 1 if a limit is not kept."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--moves", type=int, default=20, help="moves that count")
    parser.add_argument("--small", action="store_true", help="random weights in any case")
    parser.add_argument("--json", type=Path, help="write the figures here too")
    chosen = parser.parse_args()
    result = measure(chosen.moves, small=chosen.small or not has_shipped_model())
    kept = (
        result["milliseconds"]["median"] <= LIMITS["milliseconds"]
        and result["kilobytes"]["max"] <= LIMITS["kilobytes"]
        and result["moves_that_changed_the_outline"] > 0
        and result["fetches_of_one_picture"] == 1
    )
    result["kept"] = kept
    text = json.dumps(result, indent=2)
    print(text)
    if chosen.json:
        chosen.json.write_text(text + "\n", encoding="utf-8")
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
