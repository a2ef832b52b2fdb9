"""The real app through AppTest: a private store, a small model, and nobody signed in."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from core.scan import PhantomSpec, encode_png, make_phantom

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "model"))

READ = "pages/clinic/read.py"
SENT = "pages/clinic/sent.py"
QUEUE = "pages/review/queue.py"


@pytest.fixture(scope="session")
def small_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose ``models`` hold a tiny lesion network that outranks what ships."""
    from bundle_factory import ready

    folder = tmp_path_factory.mktemp("small-model")
    ready(folder)
    return folder


@pytest.fixture(autouse=True)
def fresh_server(
    tmp_path: Path, small_model: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """Every test has a server of its own: settings, store and caches."""
    (tmp_path / "models").symlink_to(small_model / "models")
    monkeypatch.setenv("OVERREAD_VAR", str(tmp_path))
    for name in ("DATABASE_URL", "LANGUAGE", "TASK"):
        monkeypatch.delenv(f"OVERREAD_{name}", raising=False)
    _forget()
    yield
    _forget()


def _forget() -> None:
    st.cache_resource.clear()
    st.cache_data.clear()


@pytest.fixture
def app() -> AppTest:
    """The app as a visitor finds it."""
    return AppTest.from_file(str(ROOT / "app.py"), default_timeout=60).run()


def sign_in(app: AppTest, role: str) -> AppTest:
    """Choose a part on the welcome page."""
    app.button(key=f"sign-in-{role}").click().run()
    assert not app.exception
    return app


@pytest.fixture
def clinician(app: AppTest) -> AppTest:
    """The app with a clinician signed in and the model ready."""
    from core.ui import service

    service.model().get_predictor(timeout=120)
    return sign_in(app, "clinician")


def scan_bytes(seed: int = 1) -> bytes:
    """Return a synthetic scan as a PNG file."""
    return encode_png(make_phantom(PhantomSpec(), seed).scan)


def words(app: AppTest) -> str:
    """Return everything the page says, for looking whether something is on it."""
    kinds = ("title", "header", "subheader", "markdown", "caption", "text", "error", "warning",
             "info", "success")  # fmt: skip
    parts = [str(element.value) for kind in kinds for element in app.get(kind)]
    parts += [str(metric.label) + " " + str(metric.value) for metric in app.metric]
    return "\n".join(parts)
