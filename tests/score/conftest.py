"""A small model, loaded once for the room's tests."""

from __future__ import annotations

import bundle_factory
import pytest

from core.model import Predictor
from core.settings import Settings


@pytest.fixture(scope="session")
def model_site(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return bundle_factory.ready(tmp_path_factory.mktemp("score-site"))


@pytest.fixture(scope="session")
def predictor(model_site: Settings) -> Predictor:
    return Predictor.load("breast-ultrasound", settings=model_site)
