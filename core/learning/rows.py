"""One labelled image of a dataset: what is known of it, its pixels, and on which side it stands."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.errors import DatasetError, ScanError
from core.learning.archive import npz_arrays
from core.scan import Scan, read_scan
from core.text import _

#: A category as manifests write it; ``4.0`` is what pandas makes of a column with gaps.
_BIRADS = re.compile(
    r"\s*(?:bi-?rads|category|cat\.?)?\s*[:=]?\s*(?:([0-6])(?:\.0)?|(4)\s*([abc]))\s*",
    re.IGNORECASE,
)


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
    grouped
        Whether the data say what it must stay with; else ``group`` is made of its name.
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
    about: Mapping[str, str] = field(default_factory=dict, hash=False)
    grouped: bool = False


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with one entry of a dataset; ``entry`` as :attr:`Row.entry`."""

    entry: int
    error: DatasetError


def not_positive(positive: str) -> str:
    """Return what a model that tells only ``positive`` from the rest calls the rest."""
    return f"not {positive}"


def known_labels(labels: Sequence[str], positive: str) -> Sequence[str] | None:
    """Return the labels a dataset may have for a model with ``labels``; None for any."""
    return None if not_positive(positive) in labels else labels


def as_known(row: Row, labels: Sequence[str], positive: str) -> Row:
    """Return the row with a label of the model: with ``not <positive>`` where that is the rest."""
    rest = not_positive(positive)
    return row if row.label == positive or rest not in labels else replace(row, label=rest)


def with_own_masks(rows: Sequence[Row], problems: list[Problem] | None) -> list[Row]:
    """Refuse two images that would share one mask; or leave the second without, and say so."""
    owner: dict[Path, Row] = {}
    kept: list[Row] = []
    for row in rows:
        if row.mask is not None and owner.setdefault(row.mask, row) is not row:
            error = DatasetError(
                _("Two images of one label differ only in their ending and have one mask.")
            )
            if problems is None:
                raise error
            problems.append(Problem(row.entry, error))
            kept.append(replace(row, mask=None))
        else:
            kept.append(row)
    return kept


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
        for content in (_content(row, row.image, "images"), _content(row, row.mask, "masks")):
            # 32 bytes each, so that a missing mask cannot be taken for the next image.
            digest.update(bytes(32) if content is None else hashlib.sha256(content).digest())
    return digest.hexdigest()


def place(row: Row) -> tuple[str, str, str, str, int]:
    """Return what rows are put in a fixed order by."""
    # An archive holds many rows: there the number tells them apart.
    number = 0 if row.index is None else row.entry
    return row.source, row.label, row.image.name, str(row.image), number


def _content(row: Row, path: Path | None, kind: str) -> bytes | None:
    """Return what an image or a mask is told apart by."""
    if path is None:
        return None
    if row.index is None:
        return _bytes(row, path)
    # The same bytes are another picture where they stand in rows of another length.
    pixels = _pixels(row, kind)
    return f"{pixels.shape}\n".encode() + pixels.tobytes()


def _bytes(row: Row, path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DatasetError(
            _(
                "Entry {n} of the dataset cannot be read from disk; check that it is there and "
                "its permissions."
            ).format(n=row.entry)
        ) from error


def suspicion(row: Row) -> float:
    """Return the BI-RADS category that a reader gave (column ``birads``), evenly from 0 to 1.

    As :func:`suspicion_of`; -1 where there is none.
    """
    return suspicion_of(birads_category(row.about.get("birads", "")))


def birads_category(word: str) -> str:
    """Return a BI-RADS category as everybody writes it: ``0`` to ``6``, or ``4A`` to ``4C``.

    Parameters
    ----------
    word
        As a manifest has it, such as ``BI-RADS 4a`` or ``4.0``. Empty is returned for what is no
        category, and for several.
    """
    found = _BIRADS.fullmatch(unicodedata.normalize("NFKC", word))
    if found is None:
        return ""
    return found[1] or f"{found[2]}{found[3].upper()}"


def suspicion_of(category: str) -> float:
    """Return a category as :func:`birads_category` gives it, evenly from 0 to 1.

    Category 1 is 0 and category 5 is 1; 4A, 4B and 4C lie around 4, and 6, known cancer, is 1.
    -1 for none, and for 0, incomplete.
    """
    if category in ("", "0"):
        return -1.0
    part = {"A": -0.08, "C": 0.08}.get(category[1:], 0.0)
    return min(int(category[0]) - 1, 4) / 4 + part


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
        return read_scan(_bytes(row, row.image))
    pixels = _pixels(row, "images")
    return Scan.from_pixels(np.array(pixels[..., 0] if pixels.shape[2:] == (1,) else pixels))


def load_mask(row: Row, height: int, width: int) -> NDArray[np.uint8]:
    """Decode the row's mask for an image of a size: (H, W) uint8, 255 in a lesion and 0 elsewhere.

    A mask of 0 and 1 is taken as one of 0 and 255.

    Raises
    ------
    DatasetError
        The mask cannot be read, has another size, or has nothing white in it though it is not
        black.
    """
    if row.mask is None:
        return np.zeros((height, width), np.uint8)
    found = _mask(row)
    if found.shape != (height, width):
        raise DatasetError(
            _("The mask of entry {n} of the dataset has another size than its image.").format(
                n=row.entry
            )
        )
    return found


def lesion_share(row: Row) -> float:
    """Return the share of the row's mask that is lesion, 0..1; 0 without a mask.

    Raises
    ------
    DatasetError
        As for :func:`load_mask`, whatever size the mask has.
    """
    return 0.0 if row.mask is None else float((_mask(row) > 127).mean())


def _mask(row: Row) -> NDArray[np.uint8]:
    """Decode the row's mask, which it has, in its own size."""
    if row.index is not None:
        found = _pixels(row, "masks")
    else:
        try:
            found = read_scan(_bytes(row, row.mask or row.image)).grey
        except ScanError as error:
            raise DatasetError(
                _("The mask of entry {n} of the dataset cannot be read: {reason}").format(
                    n=row.entry, reason=error
                )
            ) from error
    brightest = int(found.max(initial=0))
    if 1 < brightest <= 127:
        # An indexed mask, or one of several kinds: read as it is, its lesion would be lost.
        raise DatasetError(
            _(
                "The mask of entry {n} of the dataset is not black and white; save it as 0 and 255."
            ).format(n=row.entry)
        )
    return np.where(found > (0 if brightest == 1 else 127), 255, 0).astype(np.uint8)


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
        raise DatasetError(
            _("Entry {n} of the dataset cannot be read: {reason}").format(n=row.entry, reason=error)
        ) from error
    return image, load_mask(row, *image.shape)


def _pixels(row: Row, kind: str) -> NDArray[np.uint8]:
    try:
        return np.asarray(npz_arrays(row.image)[f"{row.split}_{kind}"][row.index], np.uint8)
    except (KeyError, IndexError) as error:
        raise DatasetError(
            _("The archive of arrays was changed while it was in use; start again.")
        ) from error
