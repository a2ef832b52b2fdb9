"""Make README's screenshot: ``python docs/make_screenshot.py [file]``.

Starts the real app on a free port with a folder of its own, takes the part of the clinician in a
real browser, opens a synthetic sample, waits for the model's answer, and takes the picture. Needs
Chromium and what ``tests/requirements.txt`` installs. No patient's image can get in.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path

from PIL import Image
from playwright.sync_api import Error, Page, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
DEFAULT = ROOT / "docs" / "screenshot.png"
#: The page is laid out for this window: answer and image without scrolling.
WIDTH, HEIGHT = 1440, 900


def main(arguments: Sequence[str] | None = None) -> int:
    """Take the picture, and return the exit code."""
    parser = argparse.ArgumentParser(description="Make README's screenshot.")
    parser.add_argument("file", nargs="?", type=Path, default=DEFAULT, help="PNG to write")
    parser.add_argument("--sample", default="spiculated", help="key of the synthetic sample")
    parser.add_argument("--theme", choices=("dark", "light"), default="dark")
    parser.add_argument("--locale", default="en-US", help="language of the browser (zh-CN)")
    parser.add_argument("--patience", type=float, default=180, help="seconds to wait for a step")
    options = parser.parse_args(arguments)
    try:
        with running_app(options.patience) as address, browser_page(options) as page:
            open_sample(page, address, options.sample)
            page.screenshot(path=options.file)
    except (Error, TimeoutError) as error:
        sys.stderr.write(f"No picture was made: {error}\n")
        return 1
    # Smaller, with every pixel as it was.
    with Image.open(options.file) as picture:
        picture.convert("RGB").save(options.file, optimize=True)
    sys.stdout.write(f"{options.file.name}: {options.file.stat().st_size // 1024} KB\n")
    return 0


def open_sample(page: Page, address: str, sample: str) -> None:
    """Go from the first page to the answer on a sample, with the heatmap over it."""
    page.goto(address)
    page.locator(".st-key-sign-in-clinician button").click()
    page.locator(f".st-key-sample-{sample} button").click()
    # The model may still be starting; the number is there once it has answered.
    page.locator(".st-key-answer [data-testid=stMetric]").wait_for()
    settle(page)


def settle(page: Page) -> None:
    """Wait until nothing runs any more and every picture has been painted."""
    page.locator("[data-testid=stApp][data-test-script-state=notRunning]").wait_for()
    page.wait_for_load_state("networkidle")
    page.evaluate("() => document.fonts.ready")
    page.mouse.move(WIDTH - 5, HEIGHT - 5)
    page.wait_for_timeout(1500)


@contextlib.contextmanager
def browser_page(options: argparse.Namespace) -> Iterator[Page]:
    """Give a page of a fresh browser profile."""
    found = next(
        filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
    )
    with sync_playwright() as play:
        # Chromium has no sandbox for root, and the only page it opens is our own.
        sandbox = [] if hasattr(os, "geteuid") and os.geteuid() else ["--no-sandbox"]
        browser = play.chromium.launch(executable_path=found, args=sandbox)
        try:
            context = browser.new_context(
                viewport={"width": WIDTH, "height": HEIGHT},
                locale=options.locale,
                color_scheme=options.theme,
            )
            context.set_default_timeout(options.patience * 1000)
            yield context.new_page()
        finally:
            browser.close()


@contextlib.contextmanager
def running_app(patience: float) -> Iterator[str]:
    """Run the app with nothing set and a store of its own; give its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    clean = {name: value for name, value in os.environ.items() if not name.startswith("OVERREAD_")}
    with tempfile.TemporaryDirectory() as var, tempfile.TemporaryFile() as log:
        server = subprocess.Popen(  # noqa: S603
            [sys.executable, "-m", "streamlit", "run", "app.py", f"--server.port={port}"],
            cwd=ROOT,
            env=clean | {"OVERREAD_VAR": var},
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            wait_for(address, server, patience)
            yield address
        finally:
            server.terminate()
            try:
                server.wait(20)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()
            log.seek(0)
            said = log.read().decode(errors="replace")
            if "Traceback" in said:
                sys.stderr.write(said)


def wait_for(address: str, server: subprocess.Popen[bytes], patience: float) -> None:
    """Return once the app says that it is healthy.

    Raises
    ------
    TimeoutError
        It stopped, or did not answer in time.
    """
    end = time.monotonic() + patience
    while time.monotonic() < end and server.poll() is None:
        try:
            with urllib.request.urlopen(f"{address}/_stcore/health", timeout=5):  # noqa: S310
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    raise TimeoutError("the app did not start.")


if __name__ == "__main__":
    sys.exit(main())
