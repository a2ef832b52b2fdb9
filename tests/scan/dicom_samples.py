"""DICOM for the table of formats: what the factory makes, and pydicom's own test files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pydicom
from dicom_factory import SYNTAXES, deep_pixels, loop_pixels, make_dicom
from format_sample import FormatSample

from core.scan.phantom import PhantomSpec, make_phantom

#: The files that come with pydicom, DICOM and not.
PYDICOM_FILES = Path(pydicom.__file__).parent / "data" / "test_files"


def pydicom_files() -> list[Path]:
    """Return them all, sorted."""
    return sorted(path for path in PYDICOM_FILES.rglob("*") if path.is_file())


def colour_pixels(height: int = 96, width: int = 128) -> np.ndarray:
    """Return uint8 ``(height, width, 3)``: a phantom with a colour in it."""
    grey = make_phantom(PhantomSpec(width, height), 0).scan.pixels
    rgb = np.stack([grey, grey, grey], axis=2)
    rgb[20:60, 30:80, 0] = 220
    rgb[40:70, 50:100, 2] = 180
    return rgb


def samples() -> Iterator[FormatSample]:
    """Yield what the factory makes, then pydicom's files."""
    colour = colour_pixels()
    for syntax in SYNTAXES:
        group = f"DICOM, {SYNTAXES[syntax].name}"
        yield FormatSample(group, "grey, 8 bits", make_dicom(syntax=syntax))
        yield FormatSample(group, "RGB", make_dicom(colour, syntax=syntax))
        loop = make_dicom(loop_pixels(3), syntax=syntax, frame_time=40)
        yield FormatSample(group, "loop of 3 frames", loop)
        if syntax == "jpeg":
            continue
        deep = deep_pixels()
        yield FormatSample(
            group, "grey, 12 bits, window", make_dicom(deep, syntax=syntax, bits=12,
            windows=[(1000, 2000)], modality="MG"),
        )  # fmt: skip
        signed = (deep.astype(np.int32) - 2048).astype(np.int16)
        yield FormatSample(
            group, "grey, 16 bits signed", make_dicom(signed, syntax=syntax, modality="CT")
        )
    group = "DICOM, attributes"
    first = make_dicom(photometric="MONOCHROME1")
    yield FormatSample(group, "MONOCHROME1", first)
    yield FormatSample(group, "no preamble", make_dicom(preamble=False))
    yield FormatSample(
        group,
        "ultrasound regions",
        make_dicom(regions=[(8, 8, 119, 60, 0.2), (8, 64, 119, 90, None)]),
    )
    yield FormatSample(
        group, "no pixels", make_dicom(tags={"PixelData": None, "Rows": None, "Columns": None})
    )
    for path in pydicom_files():
        name = path.relative_to(PYDICOM_FILES).as_posix()
        if "TINY_ALPHA/PT" not in name or name.endswith("IM000000"):  # fifty that are alike
            yield FormatSample("pydicom's test files", name, path.read_bytes())
