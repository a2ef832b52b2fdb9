"""The synthetic scans that ship, for trying the app without a patient's image.

They are phantoms: made by ``python -m core.scan.make_samples`` from the seeds and specs in
``assets/samples/samples.json``, and marked as synthetic in the picture itself.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from core.errors import CorruptFile, ScanError
from core.scan._encode import restore_scan
from core.scan._scan import Scan
from core.settings import ROOT
from core.text import _

FOLDER = ROOT / "assets" / "samples"
INDEX = "samples.json"
Kind = Literal["normal", "benign", "malignant"]


@dataclass(frozen=True, slots=True)
class Sample:
    """A sample.

    Attributes
    ----------
    key
        Its name in addresses and calls.
    kind
        What it is made to look like; nothing about it is proven by a biopsy.
    title
        What people see, in the language in force when it was listed.
    """

    key: str
    kind: Kind
    title: str


def sample_title(key: str) -> str:
    """Return the title of a sample in the language in force, or its key where it has none."""
    titles = {
        "normal": _("Normal breast (synthetic)"),
        "cyst": _("Cyst-like, benign-looking (synthetic)"),
        "fibroadenoma": _("Fibroadenoma-like, benign-looking (synthetic)"),
        "spiculated": _("Spiculated mass, malignant-looking (synthetic)"),
        "irregular": _("Irregular mass, malignant-looking (synthetic)"),
    }
    return titles.get(key, key)


def list_samples() -> tuple[Sample, ...]:
    """Return the samples in the order they are shown; none where the folder was left out."""
    return tuple(
        Sample(key=entry["key"], kind=entry["kind"], title=sample_title(entry["key"]))
        for entry in _entries(FOLDER)
    )


def open_sample(key: str) -> Scan:
    """Open a sample.

    Parameters
    ----------
    key
        As :attr:`Sample.key`.

    Returns
    -------
    Scan
        Grey, modality ``"US"``, synthetic, with the spacing of its phantom.

    Raises
    ------
    ScanError
        There is no such sample.
    CorruptFile
        The file is gone, or is not the one that shipped.
    """
    entry = next((entry for entry in _entries(FOLDER) if entry["key"] == key), None)
    if entry is None:
        raise ScanError(_("There is no such sample. Choose one from the list."))
    try:
        png = (FOLDER / entry["file"]).read_bytes()
    except OSError as error:
        raise _damaged() from error
    if hashlib.sha256(png).hexdigest() != entry["sha256"]:
        raise _damaged()
    spacing = entry["spec"]["depth_mm"] / entry["spec"]["height"]
    return restore_scan(png, modality="US", spacing=(spacing, spacing), synthetic=True)


def _damaged() -> CorruptFile:
    return CorruptFile(_("This sample is missing or damaged. Install the application again."))


def _entries(folder: Path) -> list[dict[str, Any]]:
    try:
        index = json.loads((folder / INDEX).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return []
    entries: list[dict[str, Any]] = index["samples"]
    return entries
