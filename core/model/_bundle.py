"""A model bundle on disk: three files that stand or fall together."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from core.errors import BundleInvalid
from core.model._card import Card
from core.text import _

MODEL, CARD, REFERENCE = "model.keras", "card.json", "reference.npz"
#: Fixed order in which the digest takes the files.
FILES = (MODEL, CARD, REFERENCE)


@dataclass(frozen=True, slots=True, eq=False)
class Reference:
    """What a bundle knows about its validation scans: scores, never images.

    Attributes
    ----------
    validation_scores
        ``(n,)`` float32 calibrated probability of the positive label, 0..1; n may be 0.
    validation_positive
        ``(n,)`` bool, whether the scan was positive.
    extra
        Further arrays by name, for rooms that need them; never of dtype object.
    """

    validation_scores: NDArray[np.float32]
    validation_positive: NDArray[np.bool_]
    extra: Mapping[str, NDArray[Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check shapes, kinds and ranges."""
        scores, positive = self.validation_scores, self.validation_positive
        fits = scores.ndim == 1 and scores.shape == positive.shape
        if not fits or scores.dtype != np.float32 or positive.dtype != np.bool_:
            raise BundleInvalid(
                _("The model's validation scores cannot be used: their shape or kind is wrong.")
            )
        if not np.all((scores >= 0) & (scores <= 1)):
            raise BundleInvalid(
                _("The model's validation scores cannot be used: one is not from 0 to 1.")
            )
        if any(values.dtype.hasobject for values in self.extra.values()):
            raise BundleInvalid(_("The model's reference may hold plain arrays only."))


@dataclass(frozen=True, slots=True, eq=False)
class Bundle:
    """A bundle whose files are there and whose card and reference are sound.

    ``digest`` is the SHA-256 (hex) of the bytes of its three files in a fixed order.
    """

    folder: Path
    card: Card
    reference: Reference
    digest: str

    @property
    def model_path(self) -> Path:
        """The Keras file."""
        return self.folder / MODEL


def read_bundle(folder: Path) -> Bundle:
    """Read a bundle's card and reference, and take its digest; the network stays unread.

    Raises
    ------
    BundleInvalid
        A file is missing or cannot be used; one line says which and why.
    """
    for name in FILES:
        if not (folder / name).is_file():
            raise BundleInvalid(
                _("The model bundle is incomplete: {part} is missing.").format(part=name)
            )
    try:
        card = Card.from_json((folder / CARD).read_bytes())
        return Bundle(folder, card, _read_reference(folder / REFERENCE), bundle_digest(folder))
    except OSError as error:
        raise BundleInvalid(_("The model bundle cannot be read from disk.")) from error


def _read_reference(path: Path) -> Reference:
    try:
        with np.load(path, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
        scores = arrays.pop("validation_scores")
        positive = arrays.pop("validation_positive")
    except KeyError as error:
        raise BundleInvalid(_("The model's validation scores are missing.")) from error
    except (ValueError, EOFError, zipfile.BadZipFile) as error:
        raise BundleInvalid(_("The model's validation scores cannot be read.")) from error
    return Reference(scores, positive, arrays)


#: What tells whether the files of a bundle are still the ones that were read: of each its place
#: on disk, size and times; None for one that is not there.
FileState: TypeAlias = tuple[tuple[int, int, int, int] | None, ...]

_digests: dict[Path, tuple[FileState, str]] = {}
_digests_lock = Lock()


def file_state(folder: Path) -> FileState:
    """Return the state of a bundle's three files, without reading any."""
    return tuple(_state(folder / name) for name in FILES)


def _state(path: Path) -> tuple[int, int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    # The time of change too: a copy may bring the time of modification along.
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def bundle_digest(folder: Path) -> str:
    """Return the SHA-256 (hex) over the bytes of the three files in fixed order.

    Reading it again is free as long as the files stay the same ones.
    """
    state = file_state(folder)
    with _digests_lock:
        known = _digests.get(folder)
    if known is not None and known[0] == state:
        return known[1]
    total = hashlib.sha256()
    for name in FILES:
        with (folder / name).open("rb") as stream:
            while chunk := stream.read(2**20):
                total.update(chunk)
    found = total.hexdigest()
    with _digests_lock:
        _digests[folder] = (state, found)
    return found
