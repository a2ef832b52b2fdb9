"""A site for the tests that bring a model of their own, and the audit as a shell runs it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bundle_factory
import pytest

from core.__main__ import main
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


@pytest.fixture
def audit(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, dict[str, Any]]]:
    """Run the command with ``--json``; return its exit code and what it printed."""

    def run(*arguments: str | Path) -> tuple[int, dict[str, Any]]:
        code = main(["audit-data", *map(str, arguments), "--json"])
        found = json.loads(capsys.readouterr().out)
        found["by"] = {check["name"]: check for check in found["checks"]}
        return code, found

    return run
