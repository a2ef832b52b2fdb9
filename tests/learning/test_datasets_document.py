"""docs/datasets.md: what it shows works, and it names every form there is."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

import numpy as np
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
