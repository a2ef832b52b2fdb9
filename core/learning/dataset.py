"""Decoded datasets at a network's size, from a cache on disk that is read as it is needed."""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from core.errors import DatasetError
from core.learning.rows import Row, fingerprint, load_grey, place
from core.model import InputSpec, fit
from core.text import _

#: Folders of a cache that a killed run left half-written are removed after so many seconds.
_STALE = 24 * 3600


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


def load_arrays(
    rows: Sequence[Row], labels: Sequence[str], size: int, cache: Path | None = None
) -> Arrays:
    """Decode rows to squares of ``size`` pixels, one after the other.

    Parameters
    ----------
    rows, labels
        What is decoded, and the labels in the order of their indices.
    size
        Side of the squares, in pixels.
    cache
        Folder for what was decoded, under a name made of its content; the arrays are then mapped
        from disk and take no memory until they are read. Several processes may share it. None
        keeps them in memory.

    Raises
    ------
    DatasetError
        An image or mask cannot be read, or the cache cannot be written.
    """
    ordered = sorted(rows, key=place)
    if cache is None:
        arrays = _empty(len(ordered), size)
        _fill(arrays, ordered, labels)
        return arrays
    key = hashlib.sha256(f"4/{size}/{list(labels)}/{fingerprint(ordered)}".encode()).hexdigest()
    folder = cache / key[:32]
    stored = _mapped(folder, len(ordered), size)
    if stored is not None:
        return stored
    try:
        _make(folder, ordered, labels, size)
    except OSError as error:
        raise DatasetError(
            _("The decoded images cannot be kept: the disk is full or may not be written to.")
        ) from error
    stored = _mapped(folder, len(ordered), size)
    if stored is None:
        raise DatasetError(
            _("The decoded images cannot be kept: the disk is full or may not be written to.")
        )
    return stored


def _shapes(n: int, size: int) -> dict[str, tuple[tuple[int, ...], type[np.generic]]]:
    return {
        "images": ((n, size, size), np.uint8),
        "masks": ((n, size, size), np.uint8),
        "inside": ((n, 4), np.int32),
        "labels": ((n,), np.int64),
    }


def _empty(n: int, size: int) -> Arrays:
    return Arrays(**{name: np.zeros(*of) for name, of in _shapes(n, size).items()})


def _fill(arrays: Arrays, rows: Sequence[Row], labels: Sequence[str]) -> None:
    index = {label: i for i, label in enumerate(labels)}
    spec = InputSpec(arrays.images.shape[1])
    for i, row in enumerate(rows):
        image, mask = load_grey(row)
        geometry = fit(image.shape[0], image.shape[1], spec)
        arrays.images[i] = np.rint(geometry.to_input(image))
        arrays.masks[i] = np.rint(geometry.to_input(mask))
        arrays.inside[i] = (
            geometry.left,
            geometry.top,
            geometry.left + geometry.content_width,
            geometry.top + geometry.content_height,
        )
        arrays.labels[i] = index[row.label]


def _make(folder: Path, rows: Sequence[Row], labels: Sequence[str], size: int) -> None:
    """Write the arrays beside their place and move them there whole."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    for old in folder.parent.glob("*.part-*"):
        if time.time() - old.stat().st_mtime > _STALE:
            shutil.rmtree(old, ignore_errors=True)
    partial = folder.with_name(f"{folder.name}.part-{uuid4().hex}")
    partial.mkdir()
    try:
        mapped = {
            name: np.lib.format.open_memmap(partial / f"{name}.npy", "w+", kind, shape)
            for name, (shape, kind) in _shapes(len(rows), size).items()
        }
        _fill(Arrays(**mapped), rows, labels)
        for array in mapped.values():
            array.flush()
        # What was there could not be read, or another process was quicker: either may go.
        shutil.rmtree(folder, ignore_errors=True)
        os.replace(partial, folder)
    except OSError:
        if not folder.is_dir():
            raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _mapped(folder: Path, n: int, size: int) -> Arrays | None:
    """Return the arrays of a cache; None where there is none, or none that is whole."""
    found: dict[str, Any] = {}
    for name, (shape, kind) in _shapes(n, size).items():
        try:
            array = np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False)
        except (OSError, EOFError, ValueError):
            # Cut short by a crash: it is only a cache, so it is made again.
            return None
        if array.shape != shape or array.dtype != kind:
            return None
        found[name] = array
    return Arrays(**found)
