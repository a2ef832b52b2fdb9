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
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from core.errors import DatasetError
from core.learning.archive import SPLITS, check_arrays, named, npz_arrays
from core.learning.groups import joined
from core.learning.rows import Problem, Row, held_out, with_own_masks
from core.text import _

#: Names of splits, and what else they are called, in whatever case.
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
#: What Windows leaves in folders of pictures.
_LITTER = frozenset({"thumbs.db", "desktop.ini"})
#: Columns of a manifest with a meaning of their own; the others are kept as they are.
_KNOWN = frozenset({"file", "label", "split", "case", "group", "device"})


def read_dataset(
    path: Path,
    labels: Sequence[str] | None = None,
    *,
    names: Sequence[str] | None = None,
    val_share: float = VAL_SHARE,
    problems: list[Problem] | None = None,
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
    val_share
        For a folder without a manifest: about how much of it becomes ``val``, 0..1.
    problems
        Where to put what is wrong with single entries, which are then left out. The first one is
        raised if left out, as it is where rows are wanted to work with and not to look at.

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
    if not os.path.exists(path):  # false too where it may not be looked at
        raise DatasetError(_("There is no dataset at this path; check how it is written."))
    if path.is_file():
        rows = _from_arrays(path, names)
    elif (path / "manifest.csv").is_file():
        rows = _from_manifest(path, labels, problems)
    elif (path / "images").is_dir():
        rows = _from_folder(path, val_share, problems)
    elif splits := _split_folders(path):
        rows = _from_tree(path, splits)
    else:
        raise DatasetError(
            _(
                "This is no dataset: it needs images/<label>/ with or without manifest.csv, or "
                "train/<label>/, or to be an .npz with train_images and train_labels."
            )
        )
    unknown = next((row for row in rows if labels is not None and row.label not in labels), None)
    if unknown is None:
        return rows
    if unknown.index is not None and names is None and unknown.label.isdecimal():
        raise DatasetError(
            _(
                "The labels of the archive are numbers: say with --label-names what each of them "
                "stands for, from 0."
            )
        )
    raise DatasetError(
        _("Entry {n} of the dataset has a label this model does not know.").format(n=unknown.entry)
    )


def rows_of_split(rows: Sequence[Row], split: str | None) -> list[Row]:
    """Return the rows of a split, under any of its names; all of them for None.

    Raises
    ------
    DatasetError
        There are none.
    """
    chosen = [row for row in rows if split is None or row.split == _split(split)]
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
    for label in labels:
        if not counts[label]:
            raise no_image_of(label)


def no_image_of(label: str) -> DatasetError:
    """Return the error that a label has no image to learn from."""
    return DatasetError(
        _("The label {label} has no training image; add some or leave the label out.").format(
            label=label
        )
    )


def _from_manifest(
    folder: Path, labels: Sequence[str] | None, problems: list[Problem] | None
) -> list[Row]:
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
    groups = _groups([entry for _line, entry in entries])
    for (line, entry), group in zip(entries, groups, strict=True):
        try:
            row = _row(folder, line, entry, group, labels)
            if row.image in seen:
                raise DatasetError(
                    _("Line {line} of the manifest names an image a second time.").format(line=line)
                )
        except DatasetError as error:
            if problems is None:
                raise
            problems.append(Problem(line, error))
            continue
        seen.add(row.image)
        rows.append(row)
    return with_own_masks(rows, problems)


def _row(
    folder: Path,
    line: int,
    entry: Mapping[str, str | None],
    group: str,
    labels: Sequence[str] | None,
) -> Row:
    label, file = entry.get("label") or "", entry.get("file") or ""
    if not _is_name(label) or (labels is not None and label not in labels):
        raise DatasetError(
            _("Line {line} of the manifest has a label this model does not know.").format(line=line)
        )
    # A space that nobody sees would make another split, or another patient, of it.
    split, device = (entry.get("split") or "").strip(), (entry.get("device") or "").strip()
    # A manifest that came with data must not make files outside of it be read.
    if _leads_outside(file):
        raise DatasetError(
            _(
                "Line {line} of the manifest names a file outside the folder of its label; only "
                "files inside are read."
            ).format(line=line)
        )
    image = folder / "images" / label / PurePosixPath(file)
    if not _is_file(image):
        raise DatasetError(
            _("Line {line} of the manifest names an image that is not there.").format(line=line)
        )
    source = _source(folder)
    return Row(
        image=image,
        mask=_mask(folder, label, image),
        label=label,
        split=_split(split or "train"),
        source=source,
        group=group or image.stem,
        grouped=bool(group),
        device=device or source,
        entry=line,
        about={
            name: value
            for name, value in entry.items()
            if isinstance(name, str) and isinstance(value, str) and name not in _KNOWN and value
        },
    )


def _leads_outside(file: str) -> bool:
    # With the separators of Windows too: a folder may be read there.
    parts = re.split(r"[/\\]", file)
    return PurePosixPath(file).is_absolute() or ".." in parts or bool(re.match("[A-Za-z]:", file))


def _groups(entries: Sequence[Mapping[str, str | None]]) -> list[str]:
    """Return what must stay together with each row: its case, or its group where it has none.

    A group that holds images of several cases makes them one: parted, its near-duplicates would
    be on both sides. Empty where a row has neither.
    """
    keys = [
        [(kind, value) for kind in ("case", "group") if (value := (entry.get(kind) or "").strip())]
        for entry in entries
    ]
    # A case before a group, and of two the first in order: the name hangs on no order.
    return ["" if key is None else key[1] for key in joined(keys)]


def _split(name: str) -> str:
    return _SPLITS.get(name.lower(), name)


def _from_folder(folder: Path, val_share: float, problems: list[Problem] | None) -> list[Row]:
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
    rows = with_own_masks(rows, problems)
    # Nothing says what belongs where: the same images are always on the same side.
    return held_out(rows, val_share, _SPLIT_SEED, "val")


def _split_folders(folder: Path) -> list[tuple[str, Path]]:
    """Return the splits of a folder tree with their folders, in the order of the splits."""
    found = [
        (_SPLITS[each.name.lower()], each)
        for each in _listed(folder)
        if each.name.lower() in _SPLITS and each.is_dir()
    ]
    return sorted(found, key=lambda pair: (SPLITS.index(pair[0]), pair[1].name))


def _from_tree(folder: Path, splits: Sequence[tuple[str, Path]]) -> list[Row]:
    source = _source(folder)
    rows: list[Row] = []
    for split, parent in splits:
        for label, image in _images(parent):
            # Where no case is told, the same name under two splits is the same image.
            group = f"{label}/{image.stem}"
            rows.append(Row(image, None, label, split, source, group, source, len(rows) + 1))
    return rows


def _images(parent: Path) -> Iterator[tuple[str, Path]]:
    """Yield label and file of every image in ``<parent>/<label>/``, in order."""
    folders = [each for each in _listed(parent) if each.is_dir()]
    if not folders:
        raise DatasetError(_("The folders of the dataset have no images in them."))
    for number, folder in enumerate(folders, 1):
        files = _listed(folder)
        if any(file.is_dir() for file in files):
            raise DatasetError(
                _(
                    "A label's folder, number {n} in the order of the alphabet, has folders in it: "
                    "move their images up, or list them in a manifest.csv."
                ).format(n=number)
            )
        # A link that leads nowhere is an image that cannot be read, which is said at its turn.
        images = [file for file in files if file.is_file() or file.is_symlink()]
        if not images:
            raise DatasetError(
                _(
                    "A label's folder, number {n} in the order of the alphabet, is empty; fill or "
                    "remove it."
                ).format(n=number)
            )
        for image in images:
            yield folder.name, image


def _listed(folder: Path) -> list[Path]:
    """Return what is in a folder, in order, without what systems leave there."""
    try:
        return sorted(
            each
            for each in folder.iterdir()
            if not each.name.startswith(".") and each.name.lower() not in _LITTER
        )
    except OSError as error:
        raise DatasetError(
            _("A folder of the dataset cannot be listed; check its permissions.")
        ) from error


def _group_of(value: Any) -> str:
    """Return a group's name; "" for what is no name: a table of numbers holds a gap as NaN."""
    # Nothing but NaN is other than itself.
    return "" if value != value else str(value).strip()  # noqa: PLR0124


def _from_arrays(path: Path, names: Sequence[str] | None) -> list[Row]:
    arrays = npz_arrays(path)
    rows: list[Row] = []
    for split in SPLITS:
        if f"{split}_images" not in arrays and f"{split}_labels" not in arrays:
            continue
        images, truth = arrays.get(f"{split}_images"), arrays.get(f"{split}_labels")
        masks = arrays.get(f"{split}_masks")
        groups = arrays.get(f"{split}_groups")
        if images is None or truth is None:
            raise DatasetError(
                _("The archive of arrays has images without labels, or the reverse.")
            )
        check_arrays(images, truth, masks, groups)
        for index, label in enumerate(named(truth.reshape(-1), names)):
            group = "" if groups is None else _group_of(groups.reshape(-1)[index])
            rows.append(
                Row(
                    image=path,
                    mask=None if masks is None else path,
                    label=label,
                    split=split,
                    source=path.stem,
                    group=group or f"{split}-{index}",
                    device=path.stem,
                    entry=len(rows) + 1,
                    index=index,
                    grouped=bool(group),
                )
            )
    if not rows:
        raise DatasetError(_("The archive of arrays needs train_images and train_labels."))
    return rows


def _mask(folder: Path, label: str, image: Path) -> Path | None:
    mask = folder / "masks" / label / f"{image.stem}.png"
    return mask if _is_file(mask) else None


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
