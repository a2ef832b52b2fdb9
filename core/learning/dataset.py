"""Decoded datasets at a network's size, from a cache on disk that is read as it is needed."""

from __future__ import annotations

import hashlib
import math
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from core.errors import DatasetError
from core.learning.rows import Row, fingerprint, load_grey, place, suspicion
from core.model import NO_LESION, InputSpec, fit
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
    outlined
        (N,) bool, whether the outline is known: there is a mask, or the label has no lesion.
    suspicion
        (N,) float32, what BI-RADS category a reader gave, evenly from 0 (category 1) to 1
        (category 5); -1 where none is given.
    """

    images: NDArray[np.uint8]
    masks: NDArray[np.uint8]
    inside: NDArray[np.int32]
    labels: NDArray[np.int64]
    outlined: NDArray[np.bool_]
    suspicion: NDArray[np.float32]


def load_arrays(
    rows: Sequence[Row],
    labels: Sequence[str],
    size: int,
    cache: Path | None = None,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
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
    progress
        Called with the number of rows decoded and the number of all; never where the cache has
        them.

    Raises
    ------
    DatasetError
        An image or mask cannot be read, a label is none of ``labels``, or the cache cannot be
        written.
    """
    ordered = sorted(rows, key=place)
    unknown = next((row for row in ordered if row.label not in labels), None)
    if unknown is not None:
        raise DatasetError(
            _("Entry {n} of the dataset has a label this model does not know.").format(
                n=unknown.entry
            )
        )
    decoded = _decoded(ordered, labels, size, progress)
    if cache is None or not ordered:
        arrays = {name: np.zeros(*of) for name, of in _shapes(len(ordered), size).items()}
        for i, values in enumerate(decoded):
            for name, value in values.items():
                arrays[name][i] = value
        return Arrays(**arrays)
    key = hashlib.sha256(f"6/{size}/{list(labels)}/{fingerprint(ordered)}".encode()).hexdigest()
    folder = cache / key[:32]
    stored = _mapped(folder, len(ordered), size)
    if stored is not None:
        return stored
    try:
        stored = _make(folder, decoded, len(ordered), size)
    except OSError as error:
        raise _not_kept() from error
    if stored is None:
        raise _not_kept()
    return stored


def _not_kept() -> DatasetError:
    return DatasetError(
        _("The decoded images cannot be kept: the disk is full or may not be written to.")
    )


def _shapes(n: int, size: int) -> dict[str, tuple[tuple[int, ...], type[np.generic]]]:
    return {
        "images": ((n, size, size), np.uint8),
        "masks": ((n, size, size), np.uint8),
        "inside": ((n, 4), np.int32),
        "labels": ((n,), np.int64),
        "outlined": ((n,), np.bool_),
        "suspicion": ((n,), np.float32),
    }


def _decoded(
    rows: Sequence[Row], labels: Sequence[str], size: int, progress: Callable[[int, int], None]
) -> Iterator[Mapping[str, Any]]:
    """Yield one row after the other of every array."""
    index = {label: i for i, label in enumerate(labels)}
    spec = InputSpec(size)
    for done, row in enumerate(rows, 1):
        image, mask = load_grey(row)
        geometry = fit(image.shape[0], image.shape[1], spec)
        right = geometry.left + geometry.content_width
        bottom = geometry.top + geometry.content_height
        yield {
            "images": np.rint(geometry.to_input(image)),
            "masks": np.rint(geometry.to_input(mask)),
            "inside": (geometry.left, geometry.top, right, bottom),
            "labels": index[row.label],
            # Without a mask a lesion may lie anywhere: black would teach that there is none.
            "outlined": row.mask is not None or row.label == NO_LESION,
            "suspicion": suspicion(row),
        }
        progress(done, len(rows))


def _make(folder: Path, decoded: Iterator[Mapping[str, Any]], n: int, size: int) -> Arrays | None:
    """Write the arrays beside their place, move them there whole, and return them mapped."""
    shapes = _shapes(n, size)
    folder.parent.mkdir(parents=True, exist_ok=True)
    _sweep(folder.parent)
    needed = sum(math.prod(shape) * np.dtype(kind).itemsize for shape, kind in shapes.values())
    if shutil.disk_usage(folder.parent).free < needed:
        raise _not_kept()  # and not after an hour of decoding
    partial = folder.with_name(f"{folder.name}.part-{uuid4().hex}")
    partial.mkdir()
    try:
        with ExitStack() as stack:
            # Written and not mapped: a disk that fills under a mapping kills the process.
            files = {
                name: stack.enter_context((partial / f"{name}.npy").open("xb")) for name in shapes
            }
            for name, (shape, kind) in shapes.items():
                about = {
                    "descr": np.lib.format.dtype_to_descr(np.dtype(kind)),
                    "fortran_order": False,
                    "shape": shape,
                }
                np.lib.format.write_array_header_1_0(files[name], about)
            for values in decoded:
                for name, value in values.items():
                    files[name].write(np.asarray(value, shapes[name][1]).tobytes())
            for file in files.values():
                file.flush()
                os.fsync(file.fileno())
        with _alone(folder.parent):
            # Another process may have been quicker, and may be reading: what is whole stays.
            if (stored := _mapped(folder, n, size)) is not None:
                return stored
            shutil.rmtree(folder, ignore_errors=True)
            os.replace(partial, folder)
            return _mapped(folder, n, size)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _sweep(cache: Path) -> None:
    """Remove what killed runs left half-written."""
    for old in cache.glob("*.part-*"):
        with suppress(OSError):  # another process does the same
            if time.time() - old.stat().st_mtime > _STALE:
                shutil.rmtree(old, ignore_errors=True)


@contextmanager
def _alone(cache: Path) -> Iterator[None]:
    """Keep other processes from moving arrays into the cache meanwhile."""
    try:
        import fcntl
    except ImportError:  # only where there is no such lock
        yield
        return
    opened = os.open(cache, os.O_RDONLY)
    try:
        # The system lets go of it when the process ends, however it ends.
        fcntl.flock(opened, fcntl.LOCK_EX)
        yield
    finally:
        os.close(opened)


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
