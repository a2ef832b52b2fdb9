"""Datasets of phantoms with something wrong in them, for the tests of the audit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from learning_factory import write_manifest, write_png
from numpy.typing import NDArray

from core.scan import LesionSpec, PhantomSpec, make_phantom

Grey = NDArray[np.uint8]
LABELS = ("benign", "malignant")
_LESIONS = {
    "benign": LesionSpec(width_mm=14, height_mm=9, echo_db=-25, posterior_db=4),
    "malignant": LesionSpec(shape="irregular", width_mm=11, height_mm=14, posterior_db=-12),
}


@cache
def phantom(seed: int, label: str = "benign") -> Grey:
    """Make a phantom of 96 x 96 pixels; another seed is another breast."""
    return np.array(make_phantom(PhantomSpec(96, 96, lesion=_LESIONS[label]), seed=seed).scan.grey)


@cache
def lesion_mask(seed: int, label: str = "benign") -> Grey:
    """The mask of the same."""
    return make_phantom(PhantomSpec(96, 96, lesion=_LESIONS[label]), seed=seed).mask


def cropped(grey: Grey) -> Grey:
    """Without a tenth at the left and the top."""
    cut = grey.shape[0] // 10
    return np.ascontiguousarray(grey[cut:, cut:])


def compressed(grey: Grey, quality: int = 40) -> Grey:
    done, data = cv2.imencode(".jpg", grey, [cv2.IMWRITE_JPEG_QUALITY, quality])
    assert done
    return cv2.imdecode(data, cv2.IMREAD_GRAYSCALE)


def brightened(grey: Grey) -> Grey:
    return np.rint(255 * (grey / 255.0) ** 0.7).astype(np.uint8)


def marked(grey: Grey) -> Grey:
    """With two caliper marks and a word."""
    out = np.array(grey)
    for x, y in ((24, 40), (70, 44)):
        cv2.drawMarker(out, (x, y), 255, cv2.MARKER_CROSS, 9, 1)
    cv2.putText(out, "RT 10:00", (4, 90), cv2.FONT_HERSHEY_PLAIN, 0.7, 255, 1)
    return out


class Builder:
    """Writes a dataset folder entry by entry; the entry's number is that of its line."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.rows: list[dict[str, str]] = []
        folder.mkdir(parents=True, exist_ok=True)

    def add(
        self, pixels: Grey | bytes, label: str, split: str, mask: Grey | None = None, **more: str
    ) -> int:
        """Add an image under a name of its own; return its entry."""
        name = more.pop("name", f"secret-name-{len(self.rows):03d}.png")
        path = self.folder / "images" / label / name
        if isinstance(pixels, bytes):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(pixels)
        else:
            write_png(path, pixels)
        if mask is not None:
            write_png(self.folder / "masks" / label / f"{path.stem}.png", mask)
        self.rows.append({"file": name, "label": label, "split": split} | more)
        return len(self.rows) + 1

    def write(self) -> Path:
        """Write the manifest and return the folder."""
        columns = {key: "" for row in self.rows for key in row}
        write_manifest(self.folder, [columns | row for row in self.rows])
        return self.folder


def clean(
    folder: Path,
    each: int = 6,
    *,
    labels: Mapping[str, int] | None = None,
    change: Callable[[Grey, str, str], Grey] = lambda grey, _label, _split: grey,
    first_seed: int = 0,
) -> Builder:
    """Phantoms without any fault: ``each`` of every label, a third of them ``val``, a case each."""
    builder = Builder(folder)
    for label in labels or LABELS:
        for number in range((labels or {}).get(label, each)):
            seed = first_seed + 100 * LABELS.index(label) + number
            split = "val" if number % 3 == 0 else "train"
            builder.add(
                change(phantom(seed, label), label, split),
                label,
                split,
                case=f"patient-{label}-{number}",
            )
    return builder
