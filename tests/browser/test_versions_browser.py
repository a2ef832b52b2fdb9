"""Another version of the model takes over while people read: seen from two browsers."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from browser_kit import ROOT, Server, Watched, start_server
from first_line_kit import (
    idle,
    phantom,
    picture,
    sign_in,
    upload,
    wait_for_answer,
)

pytestmark = [pytest.mark.browser, pytest.mark.slow]

TASK = "breast-ultrasound"


@pytest.fixture
def site(chromium: Any, tmp_path: Path) -> Iterator[Server]:
    """A server whose site has versions 901.0, promoted, and 902.0."""
    import bundle_factory

    for seed, version in enumerate(("901.0", "902.0"), start=1):
        card = bundle_factory.lesion_card(version=version)
        bundle_factory.write(tmp_path / "models", bundle_factory.lesion_net(seed=seed), card)
    core(tmp_path, "promote", TASK, "901.0")
    started = start_server("app.py", tmp_path)
    yield started
    started.stop()


def core(var: Path, *words: str) -> str:
    """Run a command in a process of its own, as an administrator at the machine does."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("OVERREAD_")}
    done = subprocess.run(
        [sys.executable, "-m", "core", *words],
        cwd=ROOT, env=env | {"OVERREAD_VAR": str(var)}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout


def test_people_go_on_reading_while_another_version_takes_over(
    site: Server, open_page: Callable[..., Watched], tmp_path: Path
) -> None:
    watched = open_page(site.address)
    page = watched.page
    sign_in(page, "clinician")
    upload(page, picture(phantom(1)))
    case = wait_for_answer(page)
    pid = site.process.pid
    # From another process: the server hears of it by itself.
    assert "902.0" in core(tmp_path, "promote", TASK, "902.0", "--reason", "better")
    again = page.get_by_role("button", name="Read again with version 902.0")
    for _attempt in range(60):
        # Any click shows it; nothing on screen changes by itself.
        page.get_by_text("Fill holes").click()
        idle(page)
        if again.count():
            break
        page.wait_for_timeout(1000)
    page.get_by_text("Version 901.0 of the model made this result").wait_for()
    assert site.process.poll() is None
    assert site.process.pid == pid
    # The session is the one it was: the scan is there, and its answer.
    assert wait_for_answer(page) == case
    again.click()
    page.get_by_text("Version 901.0 of the model made this result").wait_for(state="detached")
    assert wait_for_answer(page) == case
    assert watched.errors == []


def test_an_administrator_switches_in_the_browser_and_a_double_click_switches_once(
    site: Server, open_page: Callable[..., Watched], tmp_path: Path
) -> None:
    watched = open_page(site.address)
    page = watched.page
    sign_in(page, "administrator")
    page.get_by_role("link", name=re.compile("Versions")).click()
    page.get_by_role("heading", name="Model versions").wait_for()
    row = page.locator(f".st-key-version-{TASK}-902-0-site")
    row.get_by_role("button", name="Make active").click()
    field = page.get_by_role("textbox", name="Reason")
    field.fill("better on our scanner")
    page.get_by_role("button", name="Make version 902.0 active").dblclick()
    page.get_by_text("This server answers with version 902.0").wait_for()
    record = (tmp_path / "models" / TASK / "active.jsonl").read_text().splitlines()
    assert len(record) == 2
    assert "better on our scanner" in record[1]
    page.get_by_role("button", name="Go back to version 901.0").click()
    field.fill("it was not")
    page.get_by_role("button", name="Go back to version 901.0").last.click()
    page.get_by_text("This server answers with version 901.0").wait_for()
    assert watched.errors == []
