"""Make the samples again: ``python -m core.scan.make_samples [folder]``.

The files only change when the generator or the specs below do. Floating-point rounding may
differ between machines, so a file made elsewhere can differ in single pixels by a grey level.
"""

from __future__ import annotations

import hashlib
import io
import json
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont, PngImagePlugin

from core.scan.phantom import LesionSpec, PhantomSpec, make_phantom
from core.scan.samples import FOLDER, INDEX, Kind, sample_title
from core.text import use_language

#: Burned in below the anatomy, so that a screenshot still says it.
MARK = "SYNTHETIC PHANTOM - NOT A PATIENT"
STRIP = 20
_WIDTH, _HEIGHT = 600, 480


@dataclass(frozen=True, slots=True)
class _Recipe:
    key: str
    kind: Kind
    seed: int
    lesion: LesionSpec | None
    depth_mm: float = 38.0


RECIPES = (
    _Recipe("normal", "normal", 1, None),
    _Recipe(
        "cyst",
        "benign",
        2,
        LesionSpec(
            "oval", (0.46, 0.42), 14.0, 9.5, 6.0, margin_mm=0.2, echo_db=-26.0, texture_db=1.0,
            posterior_db=10.0, capsule_db=7.0,
        ),
    ),
    _Recipe(
        "fibroadenoma",
        "benign",
        8,
        LesionSpec(
            "oval", (0.55, 0.43), 15.0, 8.0, -6.0, margin_mm=0.4, echo_db=-6.0, texture_db=2.0,
            posterior_db=2.5, capsule_db=8.0,
        ),
    ),
    _Recipe(
        "spiculated",
        "malignant",
        4,
        LesionSpec(
            "spiculated", (0.5, 0.44), 15.0, 14.0, 10.0, margin_mm=0.55, echo_db=-11.0,
            texture_db=2.4, posterior_db=-22.0, halo_db=6.0, halo_mm=2.2,
        ),
    ),
    _Recipe(
        "irregular",
        "malignant",
        5,
        LesionSpec(
            "irregular", (0.45, 0.44), 10.5, 14.0, 15.0, margin_mm=0.9, echo_db=-9.0,
            texture_db=2.4, posterior_db=-13.0, halo_db=4.0, halo_mm=1.8,
        ),
    ),
)  # fmt: skip


def sample_spec(recipe: _Recipe) -> PhantomSpec:
    """Return the phantom of a recipe."""
    return PhantomSpec(_WIDTH, _HEIGHT, depth_mm=recipe.depth_mm, lesion=recipe.lesion)


def draw_sample(recipe: _Recipe) -> NDArray[np.uint8]:
    """Return the pixels of a sample: the phantom over a black strip with the mark.

    Returns
    -------
    numpy.ndarray
        uint8 ``(500, 600)``.
    """
    anatomy = make_phantom(sample_spec(recipe), recipe.seed).scan.pixels
    canvas = Image.new("L", (_WIDTH, _HEIGHT + STRIP), 0)
    canvas.paste(Image.fromarray(anatomy), (0, 0))
    # The bitmap font inside Pillow: the same pixels whatever fonts a machine has.
    ImageDraw.Draw(canvas).text(
        (8, _HEIGHT + 4), MARK, fill=200, font=ImageFont.load_default_imagefont()
    )
    return np.asarray(canvas, dtype=np.uint8)


def write_samples(folder: Path = FOLDER) -> None:
    """Write every sample and the index of them into ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    entries = []
    for recipe in RECIPES:
        text = PngImagePlugin.PngInfo()
        text.add_text("Description", f"{MARK}. Made by core.scan.make_samples.")
        out = io.BytesIO()
        Image.fromarray(draw_sample(recipe)).save(out, format="PNG", compress_level=9, pnginfo=text)
        png = out.getvalue()
        (folder / f"{recipe.key}.png").write_bytes(png)
        with use_language("en"):
            title = sample_title(recipe.key)
        entries.append(
            {
                "key": recipe.key,
                "file": f"{recipe.key}.png",
                "title": title,
                "kind": recipe.kind,
                "synthetic": True,
                "seed": recipe.seed,
                "spec": sample_spec(recipe).to_dict(),
                "sha256": hashlib.sha256(png).hexdigest(),
            }
        )
    index = {
        "about": f"{MARK}. Make them again: python -m core.scan.make_samples",
        "samples": entries,
    }
    (folder / INDEX).write_text(json.dumps(index, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    write_samples(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER)
