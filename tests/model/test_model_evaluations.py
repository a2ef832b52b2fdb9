"""Evaluations beside a bundle: whole or not at all, of this bundle, and never in its digest."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import bundle_factory
import pytest

from core.errors import ModelError
from core.model import (
    Bundle,
    attach_evaluation,
    evaluation_name,
    evaluations,
    read_bundle,
    resolve,
)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    settings = bundle_factory.ready(tmp_path_factory.mktemp("made"))
    return resolve("breast-ultrasound", settings=settings)


@pytest.fixture
def bundle(made: Bundle, tmp_path: Path) -> Bundle:
    return read_bundle(Path(shutil.copytree(made.folder, tmp_path / made.folder.name)))


def report(bundle: Bundle, **others: Any) -> dict[str, Any]:
    card = bundle.card
    return {
        "n": 3,
        "labels": list(card.labels),
        "positive": card.positive,
        "accuracy": {"value": 0.5, "low": 0.1, "high": 0.9},
        "model": {"bundle_digest": bundle.digest},
    } | others


def attach(bundle: Bundle, name: str, **others: Any) -> None:
    content = json.dumps(report(bundle, **others)).encode()
    attach_evaluation(bundle, name, {"report.json": content, "report.html": b"<p>page</p>"})


def test_what_was_attached_is_found_and_the_bundle_is_the_same(bundle: Bundle) -> None:
    assert evaluations(bundle) == {}
    attach(bundle, "ward-val")
    attach(bundle, "clinic-all", n=9)
    again = read_bundle(bundle.folder)
    assert again.digest == bundle.digest
    assert evaluations(again) == {"clinic-all": report(bundle, n=9), "ward-val": report(bundle)}
    assert (bundle.folder / "evaluation/ward-val/report.html").read_bytes() == b"<p>page</p>"


def test_a_newer_evaluation_takes_the_place_of_the_older_one(bundle: Bundle) -> None:
    attach_evaluation(bundle, "ward-val", {"report.json": b"{}", "old.txt": b"old"})
    attach(bundle, "ward-val", n=5)
    assert evaluations(bundle)["ward-val"]["n"] == 5
    assert sorted(os.listdir(bundle.folder / "evaluation/ward-val")) == [
        "report.html",
        "report.json",
    ]
    assert os.listdir(bundle.folder / "evaluation") == ["ward-val"]


@pytest.mark.parametrize(
    "damage",
    [
        b"",
        b"{",
        b"[]",
        b"\xff\xfe",
        b'{"n": 3}',
        b'{"n": NaN}',
        b"[" * 100_000,
        b" " * (16 * 2**20 + 1),
    ],
)
def test_a_damaged_evaluation_is_left_out_and_takes_no_other_with_it(
    bundle: Bundle, damage: bytes
) -> None:
    attach(bundle, "ward-val")
    attach_evaluation(bundle, "broken", {"report.json": damage})
    (bundle.folder / "evaluation/empty").mkdir()
    (bundle.folder / "evaluation/stray.txt").write_text("stray")
    assert set(evaluations(bundle)) == {"ward-val"}


@pytest.mark.parametrize(
    "other",
    [
        {"model": {"bundle_digest": "0" * 64}},
        {"model": None},
        {"labels": ["benign", "malignant"]},
        {"positive": "benign"},
        {"n": "3"},
    ],
)
def test_figures_of_another_model_are_never_shown_as_those_of_this_one(
    bundle: Bundle, other: dict[str, Any]
) -> None:
    attach(bundle, "ward-val", **other)
    assert evaluations(bundle) == {}


def test_a_write_that_is_cut_off_leaves_what_was_there(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    attach(bundle, "ward-val")
    before = evaluations(bundle)

    def full(_file: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("core.model._evaluations.os.fsync", full)
    with pytest.raises(ModelError, match="beside the model") as error:
        attach(bundle, "ward-val", n=7)
    assert str(bundle.folder) not in str(error.value)
    assert evaluations(bundle) == before
    assert os.listdir(bundle.folder / "evaluation") == ["ward-val"]


def test_an_evaluation_that_cannot_be_put_in_place_gives_way_to_the_one_before(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    attach(bundle, "ward-val")
    before, rename = evaluations(bundle), Path.rename

    def fails(self: Path, target: Path) -> Path:
        if self.name == "fresh":
            raise OSError("in the way")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", fails)
    with pytest.raises(ModelError):
        attach(bundle, "ward-val", n=7)
    assert evaluations(bundle) == before


def test_what_a_killed_run_left_is_no_evaluation(bundle: Bundle) -> None:
    attach(bundle, "ward-val")
    (bundle.folder / "evaluation/ward-val").rename(bundle.folder / "evaluation/.writing-abc")
    assert evaluations(bundle) == {}


@pytest.mark.skipif(sys.platform == "win32", reason="names folders by other rules")
@pytest.mark.parametrize(
    ("data", "split", "name"),
    [
        ("busi", "val", "busi-val"),
        ("busbra+busi", "all", "busbra-busi-all"),
        ("../../etc/passwd", "val", "etc-passwd-val"),
        ("Ward 3, left", "Test", "ward-3-left-test"),
        ("乳腺数据", "val", "乳腺数据-val"),
        ("...", "///", "data"),
        ("x" * 300, "val", "x" * 60),
    ],
)
def test_a_name_is_one_folder_whatever_the_data_are_called(
    bundle: Bundle, data: str, split: str, name: str
) -> None:
    assert evaluation_name(data, split) == name
    attach(bundle, name)
    assert list(evaluations(bundle)) == [name]
