"""A site for the tests that bring a model of their own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bundle_factory
import pytest

from core.model import import_tensorflow
from core.settings import Settings


@pytest.fixture
def own_site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A site that no model has come to yet, which commands of this test find too."""
    monkeypatch.setenv("OVERREAD_VAR", str(tmp_path / "var"))
    return bundle_factory.settings_for(tmp_path / "var", task="own")


@pytest.fixture
def uncompiled(monkeypatch: pytest.MonkeyPatch) -> None:
    """A handful of training steps take longer to compile than to be done one by one."""
    import_tensorflow()
    import keras

    whole = keras.Model.compile

    def compile_(self: Any, *positional: Any, **named: Any) -> None:
        whole(self, *positional, **named, run_eagerly=True)

    monkeypatch.setattr(keras.Model, "compile", compile_)
