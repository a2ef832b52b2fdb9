"""From ``streamlit run app.py`` to the health endpoint, and to the first page in a browser.

Each run has a folder of its own, so migrations are included. The browser is already open and
navigates as soon as the server is healthy; the page counts as painted in the first frame after
the welcome's title is in it. When TensorFlow has finished importing is told by a watcher thread
inside the server, put there through ``sitecustomize``. A script of two lines stands beside it.

    python tests/benchmarks/bench_start.py [--runs 3] [--json out.json]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / "browser"), str(ROOT / "tests" / "model")]
from browser_kit import ARGUMENTS, CHROMIUM, free_port  # noqa: E402

LIMIT_SECONDS = 4.0
TITLE = "A second reading of your scan"
_TRIVIAL = 'import streamlit as st\nst.title("{title}")\n'

_WATCHER = """
import json, os, sys, threading, time

def _watch(path):
    seen = {}
    while "ready" not in seen:
        module = sys.modules.get("tensorflow")
        spec = getattr(module, "__spec__", None)
        if module is not None and "began" not in seen:
            seen["began"] = time.time()
        if spec is not None and not getattr(spec, "_initializing", False):
            seen.setdefault("imported", time.time())
        names = [thread.name for thread in threading.enumerate()]
        if "model-warm-up" in names:
            seen.setdefault("warming", time.time())
        elif "warming" in seen:
            seen["ready"] = time.time()
        with open(path + ".new", "w") as file:
            json.dump(seen, file)
        os.replace(path + ".new", path)
        time.sleep(0.02)

if os.environ.get("BENCH_START_FILE"):
    threading.Thread(
        target=_watch, args=(os.environ["BENCH_START_FILE"],), daemon=True
    ).start()
"""

#: Runs in the page before anything of ours: notes the first frame that holds the title.
_PAINT = """
  window.painted = null;
  const look = () => {
    const title = [...document.querySelectorAll("h1")].find((e) => e.innerText.includes(TITLE));
    if (title && title.getBoundingClientRect().height) {
      requestAnimationFrame(() => setTimeout(() => {
        window.painted = performance.timeOrigin + performance.now();
      }));
    } else requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
"""


def start_once(script: str, var: Path, browser: Any, *, model: bool) -> dict[str, float]:
    """Start one server and open its first page; return seconds since the command."""
    port = free_port()
    hook = var / "hook"
    hook.mkdir(parents=True)
    (hook / "sitecustomize.py").write_text(_WATCHER, encoding="utf-8")
    told = var / "told.json"
    env = {name: value for name, value in os.environ.items() if not name.startswith("OVERREAD_")}
    env["OVERREAD_VAR"] = str(var)
    if model:
        env |= {"PYTHONPATH": str(hook), "BENCH_START_FILE": str(told)}
    command = [sys.executable, "-m", "streamlit", "run", script, "--server.port", str(port)]
    command += ["--server.headless", "true", "--server.address", "127.0.0.1"]
    address = f"http://127.0.0.1:{port}"
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.add_init_script(f"const TITLE = {json.dumps(TITLE)};{_PAINT}")
    began = time.time()
    with (var / "log").open("wb") as log:
        server = subprocess.Popen(command, cwd=ROOT, env=env, stdout=log, stderr=log)
    try:
        _wait_for_health(server, address)
        times = {"health": time.time() - began}
        page.goto(address, wait_until="commit")
        page.wait_for_function("window.painted !== null", timeout=120_000)
        times["painted"] = page.evaluate("window.painted") / 1000 - began
        while model:
            seen = json.loads(told.read_text(encoding="utf-8"))
            if "ready" in seen:
                times["tensorflow_imported"] = seen["imported"] - began
                times["model_ready"] = seen["ready"] - began
                break
            if server.poll() is not None or time.time() - began > 180:
                raise RuntimeError((var / "log").read_text(errors="replace")[-2000:])
            time.sleep(0.05)
    finally:
        context.close()
        server.terminate()
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait(20)
    return times


def _wait_for_health(server: subprocess.Popen[bytes], address: str) -> None:
    while server.poll() is None:
        try:
            with urllib.request.urlopen(f"{address}/_stcore/health", timeout=60) as answer:
                if answer.status == 200:
                    return
        except (urllib.error.URLError, OSError):
            time.sleep(0.01)
    raise RuntimeError("The server ended.")


def measure(runs: int) -> dict[str, Any]:
    """Start the app and the script of two lines ``runs`` times each, in turn."""
    shipped = any((ROOT / "assets" / "models").glob("*/*/model.keras"))
    ours: list[dict[str, float]] = []
    theirs: list[dict[str, float]] = []
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        folder = Path(name)
        if not shipped:
            from bundle_factory import ready

            ready(folder / "model")
        trivial = folder / "trivial.py"
        trivial.write_text(_TRIVIAL.format(title=TITLE), encoding="utf-8")
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        for run in range(runs):
            var = folder / f"app-{run}"
            var.mkdir()
            if not shipped:
                (var / "models").symlink_to(folder / "model" / "models")
            ours.append(start_once("app.py", var, browser, model=True))
            peer = folder / f"trivial-{run}"
            theirs.append(start_once(str(trivial), peer, browser, model=False))
        version = browser.version
        browser.close()
    return {
        "runs": runs,
        "model": "shipped" if shipped else "small random weights",
        "seconds": _summary(ours),
        "script_of_two_lines_seconds": _summary(theirs),
        "health_ratio": round(
            statistics.median(t["health"] for t in ours)
            / statistics.median(t["health"] for t in theirs),
            2,
        ),
        "painted_before_tensorflow_was_imported": [
            t["painted"] < t["tensorflow_imported"] for t in ours
        ],
        "load_average": round(os.getloadavg()[0], 2),
        "browser": f"Chromium {version}",
        "limit_seconds": LIMIT_SECONDS,
    }


def _summary(times: list[dict[str, float]]) -> dict[str, dict[str, float]]:
    return {
        name: {
            "median": round(statistics.median(t[name] for t in times), 2),
            "max": round(max(t[name] for t in times), 2),
        }
        for name in times[0]
    }


def main() -> int:
    """Measure, print, and end with 1 if a limit is not kept."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=3, help="starts of each")
    parser.add_argument("--json", type=Path, help="write the figures here too")
    chosen = parser.parse_args()
    result = measure(chosen.runs)
    kept = result["seconds"]["health"]["max"] <= LIMIT_SECONDS and all(
        result["painted_before_tensorflow_was_imported"]
    )
    result["kept"] = kept
    text = json.dumps(result, indent=2)
    print(text)
    if chosen.json:
        chosen.json.write_text(text + "\n", encoding="utf-8")
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
