"""Tiny dataset folders of phantoms, and arrays, for the tests of the learning room."""

from __future__ import annotations

import csv
import resource
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from core.errors import DatasetError
from core.learning.dataset import Arrays
from core.scan.phantom import LesionSpec, PhantomSpec, make_phantom

LABELS = ("normal", "benign", "malignant")
_LESIONS: Mapping[str, LesionSpec | None] = {
    "normal": None,
    "benign": LesionSpec(width_mm=14, height_mm=9, echo_db=-25, posterior_db=4),
    "malignant": LesionSpec(shape="irregular", width_mm=11, height_mm=14, posterior_db=-12),
}


GREY = np.array(make_phantom(PhantomSpec(64, 48), seed=3).scan.grey)


def says(error: pytest.ExceptionInfo[DatasetError], *words: str) -> None:
    """Hold an error against its words, and against what no error may say."""
    text = str(error.value)
    assert all(word in text for word in words), text
    assert "\n" not in text
    for private in ("secret-ward", "benign00", "malignant0", ".png", str(Path.cwd())):
        assert private not in text


def write_png(path: Path, pixels: NDArray[np.uint8]) -> Path:
    """Write a grey PNG."""
    path.parent.mkdir(parents=True, exist_ok=True)
    done, data = cv2.imencode(".png", pixels)
    assert done
    path.write_bytes(data.tobytes())
    return path


def write_manifest(folder: Path, rows: Sequence[Mapping[str, str]]) -> Path:
    """Write ``manifest.csv`` with the columns of the first row."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "manifest.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, list(rows[0]))
        table.writeheader()
        table.writerows(rows)
    return path


def phantom_folder(
    folder: Path, train: int = 6, val: int = 2, labels: Sequence[str] = LABELS
) -> Path:
    """Write ``train`` and ``val`` phantoms of every label, 64 x 48, two of a case."""
    rows = []
    for label in labels:
        for number in range(train + val):
            spec = PhantomSpec(width=64, height=48, lesion=_LESIONS[label])
            made = make_phantom(spec, seed=100 * LABELS.index(label) + number)
            name = f"{label}{number:02d}"
            write_png(folder / "images" / label / f"{name}.png", np.array(made.scan.grey))
            if made.mask.any():
                write_png(folder / "masks" / label / f"{name}.png", made.mask)
            side = "train" if number < train else "val"
            case = f"{label}-{side}-{number // 2}"
            rows.append({"file": f"{name}.png", "label": label, "split": side, "case": case})
    write_manifest(folder, rows)
    return folder


def toy_arrays(n: int = 12, size: int = 32) -> Arrays:
    """Make pictures that are easy to tell apart: nothing, a bright square, a dark square."""
    rng = np.random.default_rng(7)
    images = rng.normal(110, 12, (n, size, size))
    masks = np.zeros((n, size, size), np.uint8)
    labels = np.arange(n, dtype=np.int64) % len(LABELS)
    for i, label in enumerate(labels):
        if label:
            left, top = rng.integers(size // 8, size // 2, 2)
            square = (slice(top, top + size // 3), slice(left, left + size // 3))
            images[i][square] += 100 if label == 1 else -90
            masks[i][square] = 255
    inside = np.tile(np.array([0, 0, size, size], np.int32), (n, 1))
    outlined = np.ones(n, np.bool_)
    suspicion = np.where(labels > 0, labels / 2, -1).astype(np.float32)
    images = np.clip(images, 0, 255).astype(np.uint8)
    return Arrays(images, masks, inside, labels, outlined, suspicion)


@contextmanager
def largest_file(limit: int) -> Iterator[None]:
    """Let no file grow beyond ``limit`` bytes, as a disk that fills."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
