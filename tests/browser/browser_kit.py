"""A server of the test's own and a page that is listened to; see conftest.py for fixtures."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
#: Notes for every key press how long it took until the outline was drawn anew, in milliseconds,
#: and whether it is another one: ``window.moves``.
WATCH_OUTLINE = """() => {
  const roots = [...document.querySelectorAll("*")].map((e) => e.shadowRoot).filter(Boolean);
  const outline = ".overlay path.outline";
  const path = [document, ...roots].map((r) => r.querySelector(outline)).find(Boolean);
  window.moves = [];
  let start = null;
  let before = path.getAttribute("d");
  window.addEventListener("keydown", () => { start = performance.now(); }, true);
  new MutationObserver(() => {
    if (start === null) return;
    const now = path.getAttribute("d");
    window.moves.push([performance.now() - start, now !== before]);
    [before, start] = [now, null];
  }).observe(path, { attributes: true, attributeFilter: ["d"] });
}"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Server:
    """A server of the test's own: its address, its process and its log."""

    address: str
    process: subprocess.Popen[bytes]
    log: Path

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(20)


def start_server(
    script: str,
    var: Path,
    *,
    wait: float = 60.0,
    options: tuple[str, ...] = (),
    port: int | None = None,
) -> Server:
    """Run ``streamlit run script`` until it answers, on a free port if none is given."""
    port = free_port() if port is None else port
    var.mkdir(parents=True, exist_ok=True)
    env = {name: value for name, value in os.environ.items() if not name.startswith("OVERREAD_")}
    env |= {"OVERREAD_VAR": str(var), "PYTHONPATH": str(ROOT)}
    env |= {name: os.environ[name] for name in ("OVERREAD_TASK",) if name in os.environ}
    command = [sys.executable, "-m", "streamlit", "run", script, "--server.port", str(port)]
    command += ["--server.headless", "true", "--server.address", "127.0.0.1", *options]
    log = var / "server.log"
    with log.open("wb") as sink:
        process = subprocess.Popen(command, cwd=ROOT, env=env, stdout=sink, stderr=sink)
    server = Server(f"http://127.0.0.1:{port}", process, log)
    try:
        _wait_until_healthy(process, server.address, log, wait, options)
    except BaseException:
        server.stop()
        raise
    return server


@contextmanager
def serving(
    script: str, var: Path, *, wait: float = 60.0, options: tuple[str, ...] = ()
) -> Iterator[str]:
    """Run ``streamlit run script`` for a while; give its address once it answers."""
    server = start_server(script, var, wait=wait, options=options)
    try:
        yield server.address
    finally:
        server.stop()


def _wait_until_healthy(
    server: subprocess.Popen[bytes], address: str, log: Path, wait: float, options: tuple[str, ...]
) -> None:
    base = ""
    if "--server.baseUrlPath" in options:
        base = "/" + options[options.index("--server.baseUrlPath") + 1].strip("/")
    deadline = time.monotonic() + wait
    while time.monotonic() < deadline:
        if server.poll() is not None:
            break
        try:
            with urllib.request.urlopen(f"{address}{base}/_stcore/health", timeout=5) as answer:
                if answer.status == 200:
                    return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    pytest.fail(f"The server did not come up:\n{log.read_text(errors='replace')[-4000:]}")


@dataclass
class Watched:
    """A page with what it complained about and what it fetched."""

    page: Any
    errors: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    received: int = 0

    def pictures(self) -> list[str]:
        return [url for url in self.requests if "/overread/media/" in url]


def watch(page: Any) -> Watched:
    """Collect console errors, page errors, requests and bytes over the websocket of a page."""
    watched = Watched(page)

    def said(message: Any) -> None:
        if message.type == "error":
            watched.errors.append(f"{message.text} [{message.location.get('url', '')}]")

    def count(frame: bytes | str) -> None:
        watched.received += len(frame)

    page.on("console", said)
    page.on("pageerror", lambda error: watched.errors.append(str(error)))
    page.on("request", lambda request: watched.requests.append(request.url))
    page.on("websocket", lambda websocket: websocket.on("framereceived", count))
    return watched


def no_browser(reason: str) -> None:
    if os.environ.get("REQUIRE_BROWSER") == "1":
        pytest.fail(reason)
    pytest.skip(reason)
