"""A saved network in less room: weights to the precision that a reading needs, and compressed."""

from __future__ import annotations

import io
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import LearningError
from core.text import _

#: Bits kept of a weight's fraction, of the 23 it has: off by at most a 4,096th of the weight.
_KEPT = 11
_WEIGHTS = "model.weights.h5"


@contextmanager
def saved_compact(model: Any, beside: Path) -> Iterator[Path]:
    """Save a network as a ``.keras`` file of about half the size; Keras loads it as any other.

    Parameters
    ----------
    model
        Keeps its own weights as they are; those of the file are rounded.
    beside
        Folder on whose disk the file lies for a while.

    Raises
    ------
    LearningError
        It cannot be written, for example because the disk is full.
    """
    with ExitStack() as stack:
        try:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=beside)))
            model.save(folder / "whole.keras")
            _write_packed(folder / "whole.keras", folder / "model.keras")
        except (OSError, RuntimeError) as error:
            # HDF5 reports a disk that fills as a RuntimeError.
            raise LearningError(
                _(
                    "The finished model cannot be kept: the disk is full or may not be written "
                    "to. Make room and go on with --resume."
                )
            ) from error
        yield folder / "model.keras"


def _write_packed(whole: Path, target: Path) -> None:
    import h5py

    with zipfile.ZipFile(whole) as given, zipfile.ZipFile(target, "w") as made:
        for name in given.namelist():
            content = given.read(name)
            if name == _WEIGHTS:
                packed = io.BytesIO()
                with h5py.File(io.BytesIO(content)) as old, h5py.File(packed, "w") as new:
                    _pack(old, new)
                content = packed.getvalue()
            made.writestr(name, content)


def _pack(old: Any, new: Any) -> None:
    import h5py

    new.attrs.update(old.attrs)
    for name, item in old.items():
        if isinstance(item, h5py.Group):
            _pack(item, new.create_group(name, track_order=True))
            continue
        values = item[()]
        options: dict[str, Any] = {}
        if isinstance(values, np.ndarray) and values.dtype == np.float32:
            values = rounded(values)
            # Byte by byte: exponents lie together, and fractions end in a byte of zeros.
            options = {"compression": "gzip", "compression_opts": 9, "shuffle": True}
        made = new.create_dataset(name, data=values, **(options if np.ndim(values) else {}))
        made.attrs.update(item.attrs)


def rounded(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return values rounded to nearest, to 11 bits of fraction; what is not finite stays."""
    cut = 23 - _KEPT
    bits = values.view(np.uint32)
    # Half of the last bit that stays, less one where that bit is even: to even on a tie.
    even = (bits >> np.uint32(cut)) & np.uint32(1)
    near = ((bits + np.uint32((1 << (cut - 1)) - 1) + even) >> np.uint32(cut)) << np.uint32(cut)
    return np.where(np.isfinite(values), near.view(np.float32), values)
