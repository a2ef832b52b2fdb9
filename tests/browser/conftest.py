"""A real browser in front of a real server, each test with a server folder of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from browser_kit import ARGUMENTS, CHROMIUM, Server, Watched, no_browser, serving, watch
from first_line_kit import start_app, strangers


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """One browser for all tests; without one they skip, unless REQUIRE_BROWSER is 1."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        no_browser("Playwright for Python is not installed")
    if not Path(CHROMIUM).exists():
        no_browser(f"no Chromium at {CHROMIUM} (set CHROMIUM to where it is)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def open_page(chromium: Any) -> Iterator[Callable[..., Watched]]:
    """Open a page in a context of its own: ``open_page(address, **context options)``."""
    contexts = []

    def open_one(address: str, **options: Any) -> Watched:
        options.setdefault("viewport", {"width": 1280, "height": 900})
        context = chromium.new_context(**options)
        contexts.append(context)
        context.set_default_timeout(45_000)
        watched = watch(context.new_page())
        watched.page.goto(address)
        return watched

    yield open_one
    for context in contexts:
        context.close()


@pytest.fixture
def page(chromium: Any) -> Iterator[Any]:
    """A blank page; a test ends in failure if the page wrote an error to its console."""
    context = chromium.new_context(viewport={"width": 1280, "height": 900})
    context.set_default_timeout(45_000)
    watched = watch(context.new_page())
    yield watched.page
    context.close()
    assert watched.errors == []


@pytest.fixture
def app_server(tmp_path: Path) -> Iterator[str]:
    """The app itself with an empty folder; gives its address."""
    with serving("app.py", tmp_path / "var") as address:
        yield address


@pytest.fixture(scope="session")
def models(chromium: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a tiny model that outranks what ships, so that it is quick and known."""
    from bundle_factory import ready

    folder = tmp_path_factory.mktemp("browser-model")
    ready(folder)
    return folder / "models"


@pytest.fixture(scope="module")
def server(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server of the app for the tests of a file that leave nothing in each other's way."""
    started = start_app(tmp_path_factory.mktemp("server"), models)
    yield started
    started.stop()


@pytest.fixture
def visit(open_page: Callable[..., Watched]) -> Iterator[Callable[..., Watched]]:
    """Open a server's app: ``visit(server, **context options)``.

    At the end nothing was complained about, and no request left this machine.
    """
    opened: list[tuple[Watched, str]] = []

    def open_one(server: Server, **options: Any) -> Watched:
        watched = open_page(server.address, **options)
        opened.append((watched, server.address))
        return watched

    yield open_one
    for watched, address in opened:
        assert watched.errors == []
        assert strangers(watched, address) == []
