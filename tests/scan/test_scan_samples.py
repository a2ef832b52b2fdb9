"""The samples that ship: marked, complete, and what their generator gives."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.errors import CorruptFile, ScanError
from core.scan import PhantomSpec, list_samples, open_sample, samples
from core.scan.make_samples import MARK, RECIPES, STRIP, draw_sample, sample_spec, write_samples
from core.scan.samples import FOLDER, INDEX, sample_title

KEYS = [recipe.key for recipe in RECIPES]


def test_the_samples_cover_what_a_clinician_meets() -> None:
    listed = list_samples()
    assert [sample.key for sample in listed] == KEYS
    assert {sample.kind for sample in listed} == {"normal", "benign", "malignant"}
    assert all("synthetic" in sample.title for sample in listed)


@pytest.mark.parametrize("recipe", RECIPES, ids=KEYS)
def test_what_ships_is_what_the_generator_gives(recipe: object) -> None:
    made = draw_sample(recipe).astype(int)  # type: ignore[arg-type]
    shipped = open_sample(recipe.key).pixels.astype(int)  # type: ignore[attr-defined]
    assert made.shape == shipped.shape
    # Another processor or another OpenCV may round differently: a few pixels by a few levels.
    assert np.mean(np.abs(made - shipped) > 1) < 0.001


@pytest.mark.parametrize("key", KEYS)
def test_a_sample_says_that_it_is_synthetic(key: str) -> None:
    scan = open_sample(key)
    assert scan.synthetic
    assert scan.modality == "US"
    assert scan.spacing is not None
    assert (scan.width, scan.height) == (600, 500)
    strip = scan.pixels[-STRIP:]
    assert set(np.unique(strip)) == {0, 200}  # words in the picture, off the anatomy
    path = FOLDER / f"{key}.png"
    assert path.stat().st_size < 300_000
    with Image.open(path) as image:
        assert MARK in image.info["Description"]


def test_the_index_tells_how_each_sample_was_made() -> None:
    entries = json.loads((FOLDER / INDEX).read_text(encoding="utf-8"))["samples"]
    assert {entry["file"] for entry in entries} == {path.name for path in FOLDER.glob("*.png")}
    for entry, recipe in zip(entries, RECIPES, strict=True):
        png = (FOLDER / entry["file"]).read_bytes()
        assert entry["sha256"] == hashlib.sha256(png).hexdigest()
        assert entry["synthetic"] is True
        assert (entry["key"], entry["kind"], entry["seed"]) == (
            recipe.key,
            recipe.kind,
            recipe.seed,
        )
        assert PhantomSpec.from_dict(entry["spec"]) == sample_spec(recipe)
        assert entry["title"] == sample_title(recipe.key) != recipe.key


def test_an_unknown_sample_is_one_line_without_what_was_typed() -> None:
    with pytest.raises(ScanError) as caught:
        open_sample("../../etc/passwd")
    assert "passwd" not in str(caught.value)


def test_a_sample_that_was_replaced_is_not_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_samples(tmp_path)
    monkeypatch.setattr(samples, "FOLDER", tmp_path)
    assert open_sample("normal").synthetic
    (tmp_path / "normal.png").write_bytes((tmp_path / "cyst.png").read_bytes())
    with pytest.raises(CorruptFile):
        open_sample("normal")
    (tmp_path / "normal.png").unlink()
    with pytest.raises(CorruptFile):
        open_sample("normal")


def test_without_the_folder_there_are_simply_no_samples(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(samples, "FOLDER", tmp_path)
    assert list_samples() == ()
