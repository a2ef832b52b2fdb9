"""One labelled image of a dataset: what is known of it, its pixels, and on which side it stands."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from core.errors import DatasetError, ScanError
from core.scan import Scan, read_scan
from core.text import _

#: Arrays an archive may hold, for each of its splits.
_ARRAYS = ("images", "labels", "masks", "groups")
_NOTHING: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Row:
    """One labelled image of a dataset.

    Attributes
    ----------
    image, mask
        Files; of an archive of arrays the archive itself. ``mask`` is None where there is none.
    label
        What it shows.
    split
        ``train``, ``val``, ``test``, or what the manifest calls it.
    source
        Name of the dataset.
    group
        What must stay on one side of a split: the patient or the set of near-duplicates.
    device
        What made it; the source where that is not known.
    entry
        Line of the manifest, or number in order from 1: what an error names it by.
    index
        Its place in the split's arrays; None for a file.
    about
        What else the manifest says of it, by column.
    """

    image: Path
    mask: Path | None
    label: str
    split: str
    source: str
    group: str
    device: str
    entry: int = 0
    index: int | None = None
    about: Mapping[str, str] = field(default_factory=lambda: _NOTHING, hash=False)


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
        (held if _is_held(row, share, seed) else kept).append(row)
    return kept, held


def held_out(rows: Iterable[Row], share: float, seed: int, split: str) -> list[Row]:
    """Return the rows in their order, those that :func:`hold_out` holds out under ``split``."""
    return [replace(row, split=split) if _is_held(row, share, seed) else row for row in rows]


def _is_held(row: Row, share: float, seed: int) -> bool:
    key = f"{seed}/{row.source}/{row.group}".encode()
    return int.from_bytes(hashlib.sha256(key).digest()[:8]) / 2**64 < share


def fingerprint(rows: Iterable[Row]) -> str:
    """Return the SHA-256 of the images, the masks and the labels, in a fixed order.

    Raises
    ------
    DatasetError
        A file cannot be read.
    """
    digest = hashlib.sha256()
    for row in sorted(rows, key=place):
        digest.update(f"{row.source}/{row.label}\n".encode())
        for content in (image_bytes(row), _mask_bytes(row)):
            # 32 bytes each, so that a missing mask cannot be taken for the next image.
            digest.update(bytes(32) if content is None else hashlib.sha256(content).digest())
    return digest.hexdigest()


def place(row: Row) -> tuple[str, str, str, str, int]:
    """Return what rows are put in a fixed order by."""
    # An archive holds many rows: there the number tells them apart.
    number = 0 if row.index is None else row.entry
    return row.source, row.label, row.image.name, str(row.image), number


def image_bytes(row: Row) -> bytes:
    """Return the bytes of the row's image: of its file, or of its pixels in an archive.

    Raises
    ------
    DatasetError
        The file cannot be read from disk.
    """
    return _bytes(row.image) if row.index is None else _pixels(row, "images").tobytes()


def _mask_bytes(row: Row) -> bytes | None:
    if row.mask is None:
        return None
    return _bytes(row.mask) if row.index is None else _pixels(row, "masks").tobytes()


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DatasetError(
            _("A file of the dataset cannot be read from disk; check its permissions.")
        ) from error


def load_scan(row: Row) -> Scan:
    """Decode the row's image as the app would.

    Raises
    ------
    ScanError
        It cannot be decoded.
    DatasetError
        The file cannot be read from disk.
    """
    if row.index is None:
        return read_scan(_bytes(row.image))
    pixels = _pixels(row, "images")
    return Scan.from_pixels(np.array(pixels[..., 0] if pixels.shape[2:] == (1,) else pixels))


def load_mask(row: Row, height: int, width: int) -> NDArray[np.uint8]:
    """Decode the row's mask for an image of a size: (H, W) uint8, 255 in a lesion and 0 elsewhere.

    Raises
    ------
    DatasetError
        The mask cannot be read, or has another size.
    """
    if row.mask is None:
        return np.zeros((height, width), np.uint8)
    try:
        found = _pixels(row, "masks") if row.index is not None else read_scan(_bytes(row.mask)).grey
    except ScanError as error:
        raise _unreadable(row, error) from error
    if found.shape != (height, width):
        raise DatasetError(_("A mask of the dataset has another size than its image."))
    # Masks in archives are often 0 and 1.
    limit = 127 if row.index is None or found.max(initial=0) > 1 else 0
    return np.where(found > limit, 255, 0).astype(np.uint8)


def load_grey(row: Row) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Decode one row: image (H, W) uint8 and mask (H, W) uint8 0/255.

    Raises
    ------
    DatasetError
        The image or mask cannot be read, or their sizes differ.
    """
    try:
        image = load_scan(row).grey
    except ScanError as error:
        raise _unreadable(row, error) from error
    return image, load_mask(row, *image.shape)


def _unreadable(row: Row, error: ScanError) -> DatasetError:
    return DatasetError(
        _("Entry {n} of the dataset cannot be read: {reason}").format(n=row.entry, reason=error)
    )


def npz_arrays(path: Path) -> Mapping[str, NDArray[np.generic]]:
    """Return the arrays of an ``.npz`` that make a dataset, by name.

    They are held in memory as they are; the last two archives stay there.

    Raises
    ------
    DatasetError
        It is none, is damaged, or holds Python objects, which are never loaded.
    """
    try:
        facts = path.stat()
        return _loaded(path, facts.st_mtime_ns, facts.st_size)
    except ValueError as error:
        # What NumPy says of pickled objects, which could run anything.
        raise DatasetError(
            _("The archive of arrays holds something else than numbers and words.")
        ) from error
    except (OSError, EOFError, KeyError, zipfile.BadZipFile, zipfile.LargeZipFile) as error:
        raise DatasetError(_("The archive of arrays cannot be read: it is damaged.")) from error


@lru_cache(maxsize=2)
def _loaded(path: Path, _changed: int, _size: int) -> Mapping[str, NDArray[np.generic]]:
    if not zipfile.is_zipfile(path):
        raise zipfile.BadZipFile
    with np.load(path, allow_pickle=False) as stored:
        wanted = {f"{split}_{kind}" for split in ("train", "val", "test") for kind in _ARRAYS}
        arrays = {name: stored[name] for name in stored.files if name in wanted}
    for array in arrays.values():
        array.flags.writeable = False
    return MappingProxyType(arrays)


def _pixels(row: Row, kind: str) -> NDArray[np.uint8]:
    return np.asarray(npz_arrays(row.image)[f"{row.split}_{kind}"][row.index], np.uint8)
