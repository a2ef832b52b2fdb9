"""The three forms in which labelled images come, each read into the same rows.

A dataset folder: ``images/<label>/<file>``, optional ``masks/<label>/<stem>.png`` (white is
lesion) and optional ``manifest.csv`` beside them, with the columns ``file`` and ``label`` and any
of ``split``, ``case``, ``group``, ``device`` and others. A folder tree: ``train/<label>/<file>``
with ``val`` and ``test`` beside it. An archive of arrays as MedMNIST has them (Yang J. et al.,
*MedMNIST v2*, Scientific Data 10:41, 2023): ``train_images``, ``train_labels`` and so on in one
``.npz``. Listing reads no pixels of files: a wrong label or a missing file is found at once, and
an image that cannot be decoded when it is its turn.
"""

from __future__ import annotations

import csv
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from core.errors import DatasetError
from core.learning.rows import Row, held_out, npz_arrays
from core.text import _

#: Names of splits, and what else they are called in folder trees.
_SPLITS = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
    "testing": "test",
}
#: Share of the groups that becomes ``val`` where nothing says what belongs where.
VAL_SHARE = 0.15
_SPLIT_SEED = 0
#: Columns of a manifest with a meaning of their own; the others are kept as they are.
_KNOWN = frozenset({"file", "label", "split", "case", "group", "device"})


def read_dataset(
    path: Path, labels: Sequence[str] | None = None, *, names: Sequence[str] | None = None
) -> list[Row]:
    """List the labelled images of a dataset in any of the three forms.

    Parameters
    ----------
    path
        A folder, or an ``.npz`` file.
    labels
        The labels the model knows; any label is taken if left out.
    names
        For an archive of arrays whose labels are numbers: what each number stands for, from 0.

    Returns
    -------
    list of Row
        In the order of the manifest, else sorted by split, label and file.

    Raises
    ------
    DatasetError
        It is none of the three forms, cannot be read, names a label the model does not know or a
        file that is not there, or lists an image twice.
    """
    if path.suffix.lower() == ".npz" or path.is_file():
        rows = _from_arrays(path, names)
    elif (path / "manifest.csv").is_file():
        rows = _from_manifest(path, labels)
    elif (path / "images").is_dir():
        rows = _from_folder(path)
    elif any((path / name).is_dir() for name in _SPLITS):
        rows = _from_tree(path)
    else:
        raise DatasetError(
            _(
                "This is no dataset: it needs images/<label>/ with or without manifest.csv, or "
                "train/<label>/, or to be an .npz with train_images and train_labels."
            )
        )
    if labels is not None and (unknown := next((r for r in rows if r.label not in labels), None)):
        raise DatasetError(
            _("Entry {n} of the dataset has a label this model does not know.").format(
                n=unknown.entry
            )
        )
    return rows


def rows_of_split(rows: Sequence[Row], split: str | None) -> list[Row]:
    """Return the rows of a split; all of them for None.

    Raises
    ------
    DatasetError
        There are none.
    """
    chosen = [row for row in rows if split is None or row.split == split]
    if not chosen:
        raise DatasetError(_("The dataset has no rows of this split."))
    return chosen


def check_classes(rows: Sequence[Row], labels: Sequence[str]) -> None:
    """Hold rows to be trained on against the labels.

    Raises
    ------
    DatasetError
        A label has no image.
    """
    counts = Counter(row.label for row in rows)
    if any(not counts[label] for label in labels):
        raise no_image_of_a_label()


def no_image_of_a_label() -> DatasetError:
    """Return the error that a label has no image to learn from."""
    return DatasetError(_("A label has no training image; add some or leave the label out."))


def _from_manifest(folder: Path, labels: Sequence[str] | None) -> list[Row]:
    manifest = folder / "manifest.csv"
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
    if not entries:
        raise DatasetError(_("The dataset folder's manifest has no rows; list its images there."))
    rows: list[Row] = []
    seen: set[Path] = set()
    for line, entry in entries:
        row = _row(folder, line, entry, labels)
        if row.image in seen:
            raise DatasetError(
                _("Line {line} of the manifest names an image a second time.").format(line=line)
            )
        seen.add(row.image)
        rows.append(row)
    _check_masks(rows)
    return rows


def _row(
    folder: Path, line: int, entry: Mapping[str, str | None], labels: Sequence[str] | None
) -> Row:
    label, file = entry.get("label") or "", entry.get("file") or ""
    if not _is_name(label) or (labels is not None and label not in labels):
        raise DatasetError(
            _("Line {line} of the manifest has a label this model does not know.").format(line=line)
        )
    # A manifest that came with data must not make files outside of it be read.
    inside = PurePosixPath(file)
    image = folder / "images" / label / inside
    if inside.is_absolute() or ".." in inside.parts or not _is_file(image):
        raise DatasetError(
            _("Line {line} of the manifest names an image that is not there.").format(line=line)
        )
    source = _source(folder)
    return Row(
        image=image,
        mask=_mask(folder, label, image),
        label=label,
        split=entry.get("split") or "train",
        source=source,
        group=entry.get("case") or entry.get("group") or image.stem,
        device=entry.get("device") or source,
        entry=line,
        about={
            name: value
            for name, value in entry.items()
            if isinstance(name, str) and isinstance(value, str) and name not in _KNOWN and value
        },
    )


def _from_folder(folder: Path) -> list[Row]:
    source = _source(folder)
    rows = [
        Row(
            image=image,
            mask=_mask(folder, label, image),
            label=label,
            split="train",
            source=source,
            group=image.stem,
            device=source,
            entry=number,
        )
        for number, (label, image) in enumerate(_images(folder / "images"), 1)
    ]
    _check_masks(rows)
    # Nothing says what belongs where: the same images are always on the same side.
    return held_out(rows, VAL_SHARE, _SPLIT_SEED, "val")


def _from_tree(folder: Path) -> list[Row]:
    source = _source(folder)
    rows: list[Row] = []
    for name, split in _SPLITS.items():
        for label, image in _images(folder / name) if (folder / name).is_dir() else ():
            # Where no case is told, the same name under two splits is the same image.
            group = f"{label}/{image.stem}"
            rows.append(Row(image, None, label, split, source, group, source, len(rows) + 1))
    if not rows:
        raise DatasetError(_("The folders of the dataset have no images in them."))
    return rows


def _images(parent: Path) -> Iterator[tuple[str, Path]]:
    """Yield label and file of every image below ``<parent>/<label>/``, in order."""
    try:
        folders = sorted(each for each in parent.iterdir() if each.is_dir())
        found = [
            (folder.name, sorted(f for f in folder.iterdir() if f.is_file()))
            for folder in folders
            if not folder.name.startswith(".")
        ]
    except OSError as error:
        raise DatasetError(
            _("A file of the dataset cannot be read from disk; check its permissions.")
        ) from error
    if not found:
        raise DatasetError(_("The folders of the dataset have no images in them."))
    for label, files in found:
        images = [file for file in files if not file.name.startswith(".")]
        if not images:
            raise DatasetError(_("A label's folder in the dataset is empty; fill or remove it."))
        for image in images:
            yield label, image


def _from_arrays(path: Path, names: Sequence[str] | None) -> list[Row]:
    arrays = npz_arrays(path)
    rows: list[Row] = []
    for split in ("train", "val", "test"):
        if f"{split}_images" not in arrays and f"{split}_labels" not in arrays:
            continue
        images, truth = arrays.get(f"{split}_images"), arrays.get(f"{split}_labels")
        masks = arrays.get(f"{split}_masks")
        groups = arrays.get(f"{split}_groups")
        if images is None or truth is None:
            raise DatasetError(
                _("The archive of arrays has images without labels, or the reverse.")
            )
        _check_arrays(images, truth, masks, groups)
        for index, label in enumerate(_named(truth.reshape(-1), names)):
            group = f"{split}-{index}" if groups is None else str(groups.reshape(-1)[index])
            rows.append(
                Row(
                    image=path,
                    mask=None if masks is None else path,
                    label=label,
                    split=split,
                    source=path.stem,
                    group=group,
                    device=path.stem,
                    entry=len(rows) + 1,
                    index=index,
                )
            )
    if not rows:
        raise DatasetError(_("The archive of arrays needs train_images and train_labels."))
    return rows


def _check_arrays(
    images: NDArray[np.generic],
    truth: NDArray[np.generic],
    masks: NDArray[np.generic] | None,
    groups: NDArray[np.generic] | None,
) -> None:
    grey = images.ndim == 3 or (images.ndim == 4 and images.shape[3] in (1, 3))
    if images.dtype != np.uint8 or not grey:
        raise DatasetError(
            _("The images of the archive must be N x H x W or N x H x W x 3, in 8 bits.")
        )
    n = len(images)
    if truth.size != n or any(each is not None and len(each) != n for each in (masks, groups)):
        raise DatasetError(_("The arrays of the archive have different lengths."))
    if masks is not None and masks.shape != images.shape[:3]:
        raise DatasetError(_("A mask of the dataset has another size than its image."))


def _named(truth: NDArray[np.generic], names: Sequence[str] | None) -> list[str]:
    if truth.dtype.kind in "US":
        return [str(label) for label in truth]
    if truth.dtype.kind not in "iu":
        raise DatasetError(_("The labels of the archive must be whole numbers or words."))
    if names is None:
        return [str(int(number)) for number in truth]
    if truth.min(initial=0) < 0 or truth.max(initial=0) >= len(names):
        raise DatasetError(
            _("The archive has more labels than names were given; name every number from 0.")
        )
    return [names[int(number)] for number in truth]


def _mask(folder: Path, label: str, image: Path) -> Path | None:
    mask = folder / "masks" / label / f"{image.stem}.png"
    return mask if _is_file(mask) else None


def _check_masks(rows: Sequence[Row]) -> None:
    """Refuse two images that would share one mask."""
    owner: dict[Path, Row] = {}
    for row in rows:
        if row.mask is not None and owner.setdefault(row.mask, row) is not row:
            raise DatasetError(
                _("Two images of one label differ only in their ending and have one mask.")
            )


def _source(folder: Path) -> str:
    # The folder's own name also where it is given as `.`.
    return Path(os.path.abspath(folder)).name


def _is_name(label: str) -> bool:
    return bool(label) and PurePosixPath(label).name == label and label != ".."


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a name too long to be one, or with a null in it
        return False
