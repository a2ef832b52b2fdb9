"""A site with three versions of a model, for the tests of which one answers."""

from __future__ import annotations

import shutil
from pathlib import Path

import bundle_factory
import pytest

from core.settings import Settings


@pytest.fixture(scope="session")
def three(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Model folders of three versions with other weights each."""
    root = tmp_path_factory.mktemp("three") / "models"
    for seed, version in enumerate(("1.0", "2.0", "3.0")):
        card = bundle_factory.lesion_card("tiny", version)
        bundle_factory.write(root, bundle_factory.lesion_net(seed=seed), card)
    return root


@pytest.fixture
def own(three: Path, tmp_path: Path) -> Settings:
    """A site of the test's own with all three, of which nobody has chosen one."""
    settings = bundle_factory.settings_for(tmp_path, task="tiny")
    shutil.copytree(three, settings.model_roots[0])
    return settings
