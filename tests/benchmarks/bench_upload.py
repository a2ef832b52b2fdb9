"""From choosing a file to its picture: a 512-frame loop, and 4096 × 4096 in 16 bits.

The app itself in Chromium. Two times are given for each file: from the end of the upload (the
server has answered the browser's POST) until the picture is painted, and from choosing the file.
Small random weights read, so that the model's own time, which other benchmarks measure, counts
little.

    python tests/benchmarks/bench_upload.py [--repeats 3] [--json out.json]
"""

from __future__ import annotations

import argparse
import io
import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [
    str(ROOT),
    *(str(ROOT / "tests" / folder) for folder in ("browser", "model", "scan")),
]
from browser_kit import ARGUMENTS, CHROMIUM, serving  # noqa: E402
from bundle_factory import ready  # noqa: E402
from dicom_factory import make_dicom  # noqa: E402

from core.scan import LesionSpec, PhantomSpec, make_phantom  # noqa: E402

LIMITS = {"loop_512_frames": 1.5, "deep_4096": 2.0}

_PAINTED = """() => {
  const roots = [...document.querySelectorAll("*")].map((e) => e.shadowRoot).filter(Boolean);
  const pane = [document, ...roots].map((r) => r.querySelector(".pane")).find(Boolean);
  if (!pane) return false;
  const image = pane.querySelector("image");
  const canvas = pane.querySelector("canvas");
  return Boolean(canvas?.width || image?.getAttribute("href"))
    && performance.getEntriesByType("resource").some((e) => e.name.includes("/overread/media/")
      && e.name !== "" && e.responseEnd > 0);
}"""


def loop_file() -> bytes:
    """Return a DICOM loop of 512 frames of 640 × 480, JPEG baseline."""
    still = make_phantom(PhantomSpec(640, 480, lesion=LesionSpec()), 5).scan.pixels
    frames = np.stack([np.roll(still, index, axis=1) for index in range(512)])
    return make_dicom(frames, syntax="jpeg", frame_time=40.0)


def deep_file() -> bytes:
    """Return a grey PNG of 4096 × 4096 in 16 bits, with noise that does not compress away."""
    still = make_phantom(PhantomSpec(1024, 1024, lesion=LesionSpec()), 6).scan.pixels
    large = np.kron(still.astype(np.uint16) * 200, np.ones((4, 4), np.uint16))
    noise = np.random.default_rng(0).integers(0, 64, large.shape, dtype=np.uint16)
    out = io.BytesIO()
    Image.fromarray(large + noise).save(out, "PNG", compress_level=1)
    return out.getvalue()


def _once(browser: Any, address: str, name: str, data: Path) -> tuple[float, float]:
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    page.set_default_timeout(120_000)
    answered: list[float] = []

    def finished(request: Any) -> None:
        if "upload_file" in request.url and request.method in ("PUT", "POST"):
            answered.append(time.perf_counter())

    page.on("requestfinished", finished)
    page.goto(address)
    page.get_by_role("button", name="Go on as Clinician").click()
    page.locator("input[type=file]").first.wait_for(state="attached")
    page.wait_for_timeout(1500)
    page.evaluate("performance.clearResourceTimings()")
    start = time.perf_counter()
    page.locator("input[type=file]").first.set_input_files(data)
    page.wait_for_function(_PAINTED, polling=20)
    end = time.perf_counter()
    page.close()
    return end - answered[0], end - start


def measure(repeats: int) -> dict[str, Any]:
    """Open each file ``repeats`` times in a session of its own."""
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        ready(Path(folder))
        files = {"loop_512_frames": loop_file(), "deep_4096": deep_file()}
        with serving("app.py", Path(folder) / "var") as address, sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
            for name, data in files.items():
                path = Path(folder) / name
                path.write_bytes(data)
                # The first one imports what the format needs and does not count.
                took = [_once(browser, address, name, path) for _ in range(repeats + 1)][1:]
                figures[name] = {
                    "megabytes": round(len(data) / 2**20, 1),
                    "seconds_after_upload": round(statistics.median(a for a, _ in took), 3),
                    "seconds_from_choosing": round(statistics.median(b for _, b in took), 3),
                    "limit": LIMITS[name],
                }
            browser.close()
    return figures | {"load_average": round(os.getloadavg()[0], 2)}


def main() -> int:
    """Measure, print, and end with 1 if a limit is not kept."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=3, help="times each file is opened")
    parser.add_argument("--json", type=Path, help="write the figures here too")
    chosen = parser.parse_args()
    result = measure(chosen.repeats)
    kept = all(result[name]["seconds_after_upload"] <= limit for name, limit in LIMITS.items())
    text = json.dumps(result | {"kept": kept}, indent=2)
    print(text)
    if chosen.json:
        chosen.json.write_text(text + "\n", encoding="utf-8")
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
