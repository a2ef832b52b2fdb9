"""The cut-offs lie where their description says they do, on the outlines they were taken from."""

import csv
from pathlib import Path

import cv2
import numpy as np
import pytest

from core.lesion import lesion_from_mask
from core.review import (
    EchoPattern,
    LesionOrientation,
    LesionShape,
    Withheld,
    suggest_terms,
)

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not DATA.is_dir(), reason="no real scans beside the repository"),
]

#: (benign, malignant) of the training rows, as the table in core/review/_suggest.py has it.
SAID = {
    "taller": (15, 74),
    "margin": (58, 326),
    "irregular": (51, 221),
    "darker": (925, 407),
    "brighter": (2, 3),
}
WHOLE = (981, 442)


def training_lesions():
    """Yield label and measurements of every outlined training lesion."""
    for manifest in sorted(DATA.glob("*/manifest.csv")):
        with manifest.open(newline="") as rows:
            for row in csv.DictReader(rows):
                if row["split"] != "train" or row["label"] == "normal":
                    continue
                folder, stem = manifest.parent, Path(row["file"]).stem
                mask = cv2.imread(str(folder / "masks" / row["label"] / f"{stem}.png"), 0)
                grey = cv2.imread(str(folder / "images" / row["label"] / row["file"]), 0)
                lesion = lesion_from_mask((mask > 127).astype(np.uint8), grey)
                yield row["label"], lesion.measurements


def test_the_table_of_the_cut_offs_is_what_comes_out_of_the_data():
    found = {name: [0, 0] for name in SAID}
    whole, smooth = [0, 0], [0, 0]
    for label, measured in training_lesions():
        suggestions = suggest_terms(measured, outline="drawn")
        if Withheld.CUT_OFF in suggestions.withheld:
            continue
        column = int(label == "malignant")
        whole[column] += 1
        terms = {term for item in suggestions.items for term in item.terms}
        found["taller"][column] += LesionOrientation.NOT_PARALLEL in terms
        found["margin"][column] += bool(suggestions.about("margins"))
        found["irregular"][column] += LesionShape.IRREGULAR in terms
        found["darker"][column] += EchoPattern.HYPOECHOIC in terms
        found["brighter"][column] += EchoPattern.HYPERECHOIC in terms
        smooth[column] += bool(terms & {LesionShape.OVAL, LesionShape.ROUND})
    assert tuple(whole) == WHOLE
    assert {name: tuple(counts) for name, counts in found.items()} == SAID
    assert tuple(smooth) == (713, 38)
