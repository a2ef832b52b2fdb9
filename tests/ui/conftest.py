"""Widgets that ask the server for its settings find a site of the test's own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import streamlit as st


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty folder of a site, and a server that has not looked at anything yet."""
    monkeypatch.setenv("OVERREAD_VAR", str(tmp_path))
    for name in ("DATABASE_URL", "LANGUAGE", "TASK", "DEMO_ON_NETWORK"):
        monkeypatch.delenv(f"OVERREAD_{name}", raising=False)
    st.cache_resource.clear()
    yield tmp_path
    st.cache_resource.clear()
