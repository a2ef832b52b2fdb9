"""One slider move in a real browser: bytes over the websocket, time until the picture changed.

A 1024 × 1024 image with five lesions. Time runs from the key press inside the browser to the
change of the contour's SVG path there, so the driver's own delays do not count.

    python tests/benchmarks/bench_viewer.py [--moves 20] [--json out.json]
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

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "browser"))
from browser_kit import ARGUMENTS, CHROMIUM, serving, watch

PAGE = "tests/benchmarks/viewer_app.py"
LIMITS = {"kilobytes": 40.0, "milliseconds": 200.0}

_WATCH = """() => {
  const roots = [...document.querySelectorAll("*")].map((e) => e.shadowRoot).filter(Boolean);
  const path = [document, ...roots].map((r) => r.querySelector("path.outline")).find(Boolean);
  window.moves = [];
  let start = null;
  window.addEventListener("keydown", () => { start = performance.now(); }, true);
  new MutationObserver(() => {
    if (start === null) return;
    window.moves.push(performance.now() - start);
    start = null;
  }).observe(path, { attributes: true, attributeFilter: ["d"] });
}"""


def measure(moves: int) -> dict[str, Any]:
    """Move the slider ``moves`` times and return what each move cost."""
    with (
        tempfile.TemporaryDirectory() as folder,
        serving(PAGE, Path(folder)) as address,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        watched = watch(browser.new_page(viewport={"width": 1280, "height": 900}))
        page = watched.page
        page.goto(address)
        page.wait_for_selector("path.outline[d^=M]", state="attached", timeout=60_000)
        page.wait_for_timeout(2000)
        page.evaluate(_WATCH)
        slider = page.get_by_role("slider", name="Radius")
        slider.focus()
        received = []
        for move in range(moves + 2):
            before = watched.received
            slider.press("ArrowRight")
            page.wait_for_function(f"window.moves.length > {move}", timeout=60_000)
            page.wait_for_timeout(500)
            received.append((watched.received - before) / 1024)
        took = page.evaluate("window.moves")
        pictures = watched.pictures()
        version = browser.version
        browser.close()
    # The first two moves warm the server up.
    took, received = took[2:], received[2:]
    return {
        "moves": moves,
        "milliseconds": {
            "min": round(min(took), 1),
            "median": round(statistics.median(took), 1),
            "max": round(max(took), 1),
        },
        "kilobytes": {
            "median": round(statistics.median(received), 2),
            "max": round(max(received), 2),
        },
        "picture_fetches": len(pictures),
        "load_average": round(os.getloadavg()[0], 2),
        "browser": f"Chromium {version}",
        "limits": LIMITS,
    }


def main() -> int:
    """Measure, print, and end with 1 if a limit is not kept."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--moves", type=int, default=20, help="slider moves that count")
    parser.add_argument("--json", type=Path, help="write the figures here too")
    chosen = parser.parse_args()
    result = measure(chosen.moves)
    kept = (
        result["milliseconds"]["median"] <= LIMITS["milliseconds"]
        and result["kilobytes"]["max"] <= LIMITS["kilobytes"]
        and result["picture_fetches"] == 1
    )
    result["kept"] = kept
    text = json.dumps(result, indent=2)
    print(text)
    if chosen.json:
        chosen.json.write_text(text + "\n", encoding="utf-8")
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
