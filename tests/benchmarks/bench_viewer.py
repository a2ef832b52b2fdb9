"""The viewer in a real browser: a slider move, a window over a large deep image, a loop.

A slider move: bytes over the websocket and time until the picture changed, with a 1024 × 1024
image and five lesions. Time runs from the key press inside the browser to the change of the
contour's SVG path there, so the driver's own delays do not count.

A 4096 × 4096 image of 16 bits: from the address to the first picture and to all values, and from
each step of a drag (its pointer event in the browser) to the end of the frame that shows the new
window, at the whole image and at 1:1.

A loop of 640 × 480 at 20 frames per second: frames that were drawn per second.

    python tests/benchmarks/bench_viewer.py [--moves 20] [--steps 60] [--json out.json]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "browser"))
from browser_kit import ARGUMENTS, CHROMIUM, WATCH_OUTLINE, serving, watch

PAGE = "tests/benchmarks/viewer_app.py"
LIMITS = {"kilobytes": 40.0, "milliseconds": 200.0, "window_milliseconds": 200.0}


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
        page.wait_for_selector(".overlay path.outline[d^=M]", state="attached", timeout=60_000)
        page.wait_for_timeout(2000)
        page.evaluate(WATCH_OUTLINE)
        slider = page.get_by_role("slider", name="Radius")
        slider.focus()
        received = []
        for move in range(moves + 2):
            before = watched.received
            slider.press("ArrowRight")
            page.wait_for_function(f"window.moves.length > {move}", timeout=60_000)
            page.wait_for_timeout(500)
            received.append((watched.received - before) / 1024)
        took = [took for took, _changed in page.evaluate("window.moves")]
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


_DRAG = """async (steps) => {
  const roots = [...document.querySelectorAll("*")].map((e) => e.shadowRoot).filter(Boolean);
  const pane = roots.map((r) => [...r.querySelectorAll(".pane")].at(-1)).find(Boolean);
  const canvas = pane.querySelector("canvas");
  const box = pane.getBoundingClientRect();
  const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
  const send = (kind, dx) => pane.dispatchEvent(new PointerEvent(kind, { pointerId: 1, button: 2,
    buttons: 2, clientX: x + dx, clientY: y + dx / 2, bubbles: true, isPrimary: true }));
  const middle = () => canvas.getContext("2d").getImageData(canvas.width >> 1, 0, 1, canvas.height)
    .data.join();
  pane.setPointerCapture = () => {};
  const frame = () => new Promise((done) => requestAnimationFrame(done));
  send("pointerdown", 0);
  const took = [];
  let changed = 0;
  let before = middle();
  for (let step = 1; step <= steps; step++) {
    await frame();
    const begun = performance.now();
    send("pointermove", step * 2);
    await frame(); // the viewer draws in this one, asked for before us
    const channel = new MessageChannel(); // a task of its own: after the frame was painted
    const painted = new Promise((done) => { channel.port1.onmessage = done; });
    channel.port2.postMessage(0);
    await painted;
    took.push(performance.now() - begun);
    const now = middle();
    changed += now !== before;
    before = now;
  }
  send("pointerup", steps * 2);
  return { took, changed };
}"""

_FIRST = """(selector) => [...document.querySelectorAll("*")].some((e) =>
  e.shadowRoot?.querySelector(selector))"""


def measure_windows(steps: int) -> dict[str, Any]:
    """Open the large deep image and drag its window; times in milliseconds."""
    with opened() as (address, browser):
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        # The first visit makes the synthetic scan and its preview; the second one is measured.
        for _ in range(2):
            begun = time.monotonic()
            page.goto(f"{address}/?show=big")
            page.wait_for_function(_FIRST, arg="image.picture[href], canvas[data-scale]")
            first = time.monotonic() - begun
            page.wait_for_function(_FIRST, arg="canvas[data-scale]", timeout=120_000)
            whole = time.monotonic() - begun
            page.wait_for_timeout(1500)
        result: dict[str, Any] = {
            "first_picture_ms": round(1000 * first),
            "all_values_ms": round(1000 * whole),
        }
        for name, key in (("whole", "0"), ("one_to_one", "1"), ("eightfold", "8")):
            pane = page.locator(".pane").last
            if key == "8":
                for _ in range(9):
                    pane.press("+")
            else:
                pane.press(key)
            page.wait_for_timeout(500)
            drag = page.evaluate(_DRAG, steps)
            took = sorted(drag["took"])
            result[name] = {
                "median_ms": round(statistics.median(took), 1),
                "p95_ms": round(took[int(0.95 * (len(took) - 1))], 1),
                "max_ms": round(took[-1], 1),
                "steps": steps,
                "steps_that_changed_the_picture": drag["changed"],
            }
    return result


def measure_loop(seconds: float) -> dict[str, Any]:
    """Play the loop and return the rate it reached after a first round and from the start."""
    with opened() as (address, browser):
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.goto(f"{address}/?show=loop")
        page.wait_for_function(_FIRST, arg="image.picture[href]")
        page.wait_for_timeout(2000)
        page.get_by_role("button", name="Play").click()
        reached = []
        for _ in range(3):
            page.wait_for_timeout(seconds * 1000 / 3)
            text = page.locator(".rate").inner_text()
            reached.append(float(text.rsplit("reaches ", 1)[1].split()[0]))
    return {"recorded_per_second": 20.0, "reached_per_second": reached}


@contextmanager
def opened() -> Iterator[tuple[str, Any]]:
    """Serve the page and start a browser."""
    with (
        tempfile.TemporaryDirectory() as folder,
        serving(PAGE, Path(folder)) as address,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield address, browser
        browser.close()


def main() -> int:
    """Measure, print, and end with 1 if a limit is not kept."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--moves", type=int, default=20, help="slider moves that count")
    parser.add_argument("--steps", type=int, default=60, help="steps of each window drag")
    parser.add_argument("--json", type=Path, help="write the figures here too")
    chosen = parser.parse_args()
    result = measure(chosen.moves)
    result["deep_4096"] = measure_windows(chosen.steps)
    result["loop_640x480"] = measure_loop(9.0)
    windows = [result["deep_4096"][at]["p95_ms"] for at in ("whole", "one_to_one", "eightfold")]
    kept = (
        max(windows) <= LIMITS["window_milliseconds"]
        and result["milliseconds"]["median"] <= LIMITS["milliseconds"]
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
