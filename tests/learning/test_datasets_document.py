"""docs/datasets.md: what it shows works, and it names every form there is."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

import numpy as np
import pytest
from learning_factory import write_png

from core.__main__ import make_parser
from core.learning.forms import VAL_SHARE, read_dataset
from core.settings import ROOT

PAGE = (ROOT / "docs" / "datasets.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```text\n(.*?)```", PAGE, re.DOTALL)


def test_the_folder_and_the_manifest_of_the_document_are_read(tmp_path: Path) -> None:
    tree, manifest = BLOCKS[0], BLOCKS[1]
    files = re.findall(r"^  ((?:images|masks)/\S+)", tree, re.MULTILINE)
    assert len(files) == 3
    for file in files:
        write_png(tmp_path / file, np.full((40, 40), 99, np.uint8))
    (tmp_path / "manifest.csv").write_text(manifest, encoding="utf-8")
    rows = read_dataset(tmp_path, ("benign", "malignant"))
    told = list(csv.DictReader(io.StringIO(manifest)))
    assert [(r.image.name, r.split, r.group, r.device) for r in rows] == [
        (each["file"], each["split"], each["case"], each["device"]) for each in told
    ]
    assert [row.mask is not None for row in rows] == [False, True]


def test_the_command_of_the_document_is_one() -> None:
    (command,) = (block for block in BLOCKS if "python -m core" in block)
    words = command.split()
    assert words[:3] == ["python", "-m", "core"]
    options = make_parser().parse_args(words[3:])
    assert options.label_names == ["malignant", "benign"]
    assert f"{VAL_SHARE:.0%}".replace("%", " %") in PAGE


def test_every_name_of_a_split_in_the_document_is_one(tmp_path: Path) -> None:
    tree = PAGE[PAGE.index("## A folder tree") : PAGE.index("## An archive")]
    names = re.findall(r"`(train|val|test|training|valid|validation|testing)(?:/[^`]*)?`", tree)
    assert len(set(names)) == 7
    for name in names:
        write_png(tmp_path / name / name / "benign" / "a.png", np.full((40, 40), 99, np.uint8))
        (row,) = read_dataset(tmp_path / name)
        assert row.split == next(
            split for split in ("train", "val", "test") if name[:2] == split[:2]
        )


def test_the_archive_of_the_document_is_read(tmp_path: Path) -> None:
    names = re.findall(r"`(train_[a-z]+)`", PAGE)
    assert set(names) == {"train_images", "train_labels", "train_masks", "train_groups"}
    shapes = {"labels": (4, 1), "groups": (4,), "masks": (4, 28, 28), "images": (4, 28, 28, 3)}
    arrays = {
        name.replace("train", split): np.zeros(shapes[name[6:]], np.uint8)
        for name in set(names)
        for split in ("train", "val", "test")
    }
    np.savez(tmp_path / "breastmnist.npz", **arrays)
    rows = read_dataset(tmp_path / "breastmnist.npz", names=("malignant", "benign"))
    assert len(rows) == 12
    assert {(row.label, row.group, row.mask is not None) for row in rows} == {
        ("malignant", "0", True)
    }


def test_the_image_that_an_error_names_is_found_as_the_document_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for split in ("test", "train", "val"):
        for label in ("benign", "malignant"):
            for name in ("B.png", "a.png"):
                write_png(tmp_path / "ward" / split / label / name, np.full((40, 40), 9, np.uint8))
    monkeypatch.chdir(tmp_path)
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    exec(code, {})
    # train has four; the third of val is its first malignant one, and capitals come first.
    assert capsys.readouterr().out.strip() == str(Path("ward/val/malignant/B.png"))
