"""The real app through AppTest: a private store, a small model, and nobody signed in."""

from __future__ import annotations

import gc
import shutil
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from page_tools import Hand, sign_in
from streamlit.testing.v1 import AppTest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "model"))


@pytest.fixture(scope="session")
def small_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose ``models`` hold a tiny lesion network that outranks what ships."""
    from bundle_factory import ready

    folder = tmp_path_factory.mktemp("small-model")
    ready(folder)
    return folder


@pytest.fixture(scope="session", autouse=True)
def looked_through_once() -> Iterator[None]:
    """Streamlit looks through all that is installed for each AppTest: here once for all of them."""
    from streamlit.components.v2 import manifest_scanner

    whole = manifest_scanner.scan_component_manifests
    manifest_scanner.scan_component_manifests = cache(whole)
    yield
    manifest_scanner.scan_component_manifests = whole


@pytest.fixture(autouse=True)
def fresh_server(
    tmp_path: Path, small_model: Path, sqlite_template: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """Every test has a server of its own: settings, store and caches."""
    from core.ui import service

    shutil.copy(sqlite_template, tmp_path / "overread.db")
    (tmp_path / "models").symlink_to(small_model / "models")
    monkeypatch.setenv("OVERREAD_VAR", str(tmp_path))
    for name in ("DATABASE_URL", "LANGUAGE", "TASK"):
        monkeypatch.delenv(f"OVERREAD_{name}", raising=False)
    _forget()
    # Streamlit collects garbage after every script run, which takes seconds once the other tests
    # have filled the process with networks: what is there already is left out of it, here and not
    # by every server anew.
    gc.freeze()
    monkeypatch.setattr(service, "set_aside_what_stays", lambda: None)
    yield
    gc.unfreeze()
    _forget()


def _forget() -> None:
    from core.ui.explain_kept import kept_explanations

    st.cache_resource.clear()
    st.cache_data.clear()
    kept_explanations.cache_clear()


@pytest.fixture
def app() -> AppTest:
    """The app as a visitor finds it."""
    return AppTest.from_file(str(ROOT / "app.py"), default_timeout=60).run()


@pytest.fixture
def clinician(app: AppTest) -> AppTest:
    """The app with a clinician signed in and the model ready."""
    from core.ui import service

    service.model().get_predictor(timeout=120)
    return sign_in(app, "clinician")


@pytest.fixture
def hand(monkeypatch: pytest.MonkeyPatch) -> Hand:
    """Somebody who draws, plays and windows in the viewer."""
    from core.ui import viewer

    made = Hand(viewer._COMPONENT)
    monkeypatch.setattr(viewer, "_COMPONENT", made)
    return made


@pytest.fixture
def offered(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the download buttons on the page would give, by the name of the file."""
    found: dict[str, Any] = {}
    whole = st.download_button

    def button(title: str, make: Any, name: str, *rest: Any, **more: Any) -> Any:
        found[name] = make
        return whole(title, make, name, *rest, **more)

    monkeypatch.setattr(st, "download_button", button)
    return found
