"""A site for the tests that bring a model of their own."""

from __future__ import annotations

from pathlib import Path

import bundle_factory
import pytest

from core.settings import Settings


@pytest.fixture
def own_site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A site that no model has come to yet, which commands of this test find too."""
    monkeypatch.setenv("OVERREAD_VAR", str(tmp_path / "var"))
    return bundle_factory.settings_for(tmp_path / "var", task="own")
