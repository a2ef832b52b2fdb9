"""Dataset folders: ``images/<label>/<file>``, ``masks/<label>/<stem>.png``, ``manifest.csv``."""

from __future__ import annotations

import csv
import hashlib
import os
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.errors import DatasetError, ScanError
from core.model import InputSpec, fit
from core.scan import read_scan
from core.text import _


@dataclass(frozen=True, slots=True)
class Row:
    """One labelled image of a dataset folder.

    Attributes
    ----------
    source
        Name of the dataset folder.
    group
        What must stay on one side of a split: the patient or the set of near-duplicates.
    """

    image: Path
    mask: Path | None
    label: str
    split: str
    source: str
    group: str
    device: str


@dataclass(frozen=True, slots=True, eq=False)
class Arrays:
    """Decoded rows at the network's size.

    Attributes
    ----------
    images
        (N, S, S) uint8, letterboxed with zeros.
    masks
        (N, S, S) uint8, 255 inside a lesion.
    inside
        (N, 4) int32: left, top, right, bottom of the picture within the square.
    labels
        (N,) int64 index into the label list.
    """

    images: NDArray[np.uint8]
    masks: NDArray[np.uint8]
    inside: NDArray[np.int32]
    labels: NDArray[np.int64]


def read_folder(folder: Path, labels: Sequence[str]) -> list[Row]:
    """List the labelled images of a dataset folder.

    Parameters
    ----------
    folder
        Folder with ``manifest.csv`` beside ``images`` and, where there are any, ``masks``.
    labels
        The labels the network knows.

    Raises
    ------
    DatasetError
        The manifest is missing or cannot be read, or names a label or a file that is not there.
    """
    manifest = folder / "manifest.csv"
    if not manifest.is_file():
        raise DatasetError(
            _("The dataset folder has no manifest.csv; add one with file and label.")
        )
    # Spreadsheets write a byte order mark, which is no part of the first column's name.
    try:
        with manifest.open(newline="", encoding="utf-8-sig") as file:
            table = csv.DictReader(file)
            entries = [(table.line_num, entry) for entry in table]
            columns = table.fieldnames or []
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(
            _("The dataset folder's manifest.csv is not a table in UTF-8.")
        ) from error
    if not {"file", "label"} <= set(columns):
        raise DatasetError(_("The manifest needs the columns file and label in its first line."))
    # The folder's own name also where it is given as `.`.
    source = Path(os.path.abspath(folder)).name
    rows = [_row(folder, source, line, entry, labels) for line, entry in entries]
    if not rows:
        raise DatasetError(_("The dataset folder's manifest has no rows; list its images there."))
    return rows


def _row(
    folder: Path, source: str, line: int, entry: dict[str, str | None], labels: Sequence[str]
) -> Row:
    label, file = entry.get("label") or "", entry.get("file") or ""
    if label not in labels:
        raise DatasetError(
            _("Line {line} of the manifest has a label this model does not know.").format(line=line)
        )
    image = folder / "images" / label / file
    if not _is_file(image):
        raise DatasetError(
            _("Line {line} of the manifest names an image that is not there.").format(line=line)
        )
    mask = folder / "masks" / label / f"{image.stem}.png"
    return Row(
        image=image,
        mask=mask if _is_file(mask) else None,
        label=label,
        split=entry.get("split") or "train",
        source=source,
        group=entry.get("case") or entry.get("group") or image.stem,
        device=entry.get("device") or source,
    )


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name too long to be one
        return False


def hold_out(rows: Iterable[Row], share: float, seed: int) -> tuple[list[Row], list[Row]]:
    """Split rows in two without parting a group.

    A group's side follows from a hash of its name and the seed, so it does not change when rows
    are added or reordered.

    Returns
    -------
    tuple
        The kept rows, and about ``share`` of them held out.
    """
    kept: list[Row] = []
    held: list[Row] = []
    for row in rows:
        key = f"{seed}/{row.source}/{row.group}".encode()
        fraction = int.from_bytes(hashlib.sha256(key).digest()[:8]) / 2**64
        (held if fraction < share else kept).append(row)
    return kept, held


def fingerprint(rows: Iterable[Row]) -> str:
    """Return the SHA-256 of the image files, the masks and the labels, in a fixed order.

    Raises
    ------
    DatasetError
        A file cannot be read.
    """
    digest = hashlib.sha256()
    for row in sorted(rows, key=_place):
        digest.update(f"{row.source}/{row.label}\n".encode())
        for path in (row.image, row.mask):
            # 32 bytes each, so that a missing mask cannot be taken for the next image.
            digest.update(hashlib.sha256(_bytes(path)).digest() if path else bytes(32))
    return digest.hexdigest()


def _place(row: Row) -> tuple[str, str, str, str]:
    return row.source, row.label, row.image.name, str(row.image)


def image_bytes(row: Row) -> bytes:
    """Return the bytes of the row's image file.

    Raises
    ------
    DatasetError
        The file cannot be read from disk.
    """
    return _bytes(row.image)


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DatasetError(
            _("A file of the dataset cannot be read from disk; check its permissions.")
        ) from error


def load_grey(row: Row) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Decode one row: image (H, W) uint8 and mask (H, W) uint8 0/255.

    Raises
    ------
    DatasetError
        The image or mask cannot be read, or their sizes differ.
    """
    try:
        image = read_scan(_bytes(row.image)).grey
        mask = np.zeros(image.shape, np.uint8)
        if row.mask is not None:
            mask = np.where(read_scan(_bytes(row.mask)).grey > 127, 255, 0).astype(np.uint8)
    except ScanError as error:
        raise DatasetError(
            _("An image of the dataset cannot be read: {reason}").format(reason=error)
        ) from error
    if mask.shape != image.shape:
        raise DatasetError(_("A mask of the dataset has another size than its image."))
    return image, mask


def load_arrays(
    rows: Sequence[Row], labels: Sequence[str], size: int, cache: Path | None = None
) -> Arrays:
    """Decode rows to squares of ``size`` pixels, from a cache file where it matches.

    Parameters
    ----------
    cache
        Folder of cache files, named by what is in them; None for no cache.
    """
    key = hashlib.sha256(f"3/{size}/{list(labels)}/{fingerprint(rows)}".encode()).hexdigest()
    path = cache / f"{key[:32]}.npz" if cache is not None else None
    if path is not None and (stored := _cached(path)) is not None:
        return stored
    ordered = sorted(rows, key=_place)
    images = np.zeros((len(ordered), size, size), np.uint8)
    masks = np.zeros_like(images)
    spec = InputSpec(size)
    inside = np.zeros((len(ordered), 4), np.int32)
    for i, row in enumerate(ordered):
        image, mask = load_grey(row)
        height, width = image.shape
        geometry = fit(height, width, spec)
        images[i] = np.rint(geometry.to_input(image))
        masks[i] = np.rint(geometry.to_input(mask))
        inside[i] = (
            geometry.left,
            geometry.top,
            geometry.left + geometry.content_width,
            geometry.top + geometry.content_height,
        )
    index = {label: i for i, label in enumerate(labels)}
    arrays = Arrays(
        images, masks, inside, np.array([index[row.label] for row in ordered], np.int64)
    )
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".part.npz")
        np.savez(
            partial,
            images=arrays.images,
            masks=arrays.masks,
            inside=arrays.inside,
            labels=arrays.labels,
        )
        partial.replace(path)
    return arrays


def _cached(path: Path) -> Arrays | None:
    if not path.is_file():
        return None
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            return Arrays(*(stored[name] for name in ("images", "masks", "inside", "labels")))
    except (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile):
        # Cut short by a full disk or a crash: it is only a cache, so it is made again.
        return None
