"""docs/formats.md says what reading does, and nothing else."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

from core.scan import Note, readable_formats

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "formats.md"


@pytest.fixture(scope="module")
def maker() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_formats", ROOT / "docs" / "make_formats.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_what_a_run_makes_of_the_samples(maker: ModuleType) -> None:
    assert PAGE.read_text(encoding="utf-8") == maker.document(), "run: python docs/make_formats.py"


def test_every_format_that_is_read_stands_on_the_page() -> None:
    groups = re.findall(r"^## (.+)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(groups) == len(set(groups))
    for name in readable_formats():
        assert any(group.startswith(name) for group in groups), name


def test_every_note_has_words(maker: ModuleType) -> None:
    assert set(maker.NOTES) == set(Note)


def test_no_sample_stands_there_twice(maker: ModuleType) -> None:
    names = [(sample.group, sample.name) for sample in maker.samples()]
    assert len(names) == len(set(names))
