"""What lies in the datasets of an audit, with everything that is wrong about it."""

from __future__ import annotations

import os
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.errors import DatasetError
from core.learning.forms import VAL_SHARE, read_dataset
from core.learning.rows import Problem, Row
from core.text import _

#: What people call a mask beside its image, as BUSI does: ``benign (1)_mask_1.png``.
_MASK_NAME = re.compile(
    r"[ _.\-]*(mask|seg|segmentation|gt|label|lesion|annotation)s?[ _.\-]*\d*$", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class MaskNotes:
    """Masks that training would not read.

    Attributes
    ----------
    misnamed
        Entries of images whose mask is there under a name or in a format that is not read.
    without_image
        Files in ``masks/`` that belong to no image at all.
    among_images
        Entries that look like masks of another image of their label.
    """

    misnamed: tuple[int, ...] = ()
    without_image: int = 0
    among_images: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Source:
    """One dataset of an audit.

    Attributes
    ----------
    name
        That of its folder, with a number where two have the same.
    path
        Where it lies.
    own_split
        Whether the split was made here, by a hash of the names, because the data have none.
    problems
        What is wrong with single entries.
    masks
        Masks that training would not read.
    unlisted
        Images in the folder that the manifest does not name.
    """

    name: str
    path: Path
    own_split: bool
    problems: tuple[Problem, ...] = ()
    masks: MaskNotes = MaskNotes()
    unlisted: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Listing:
    """All rows of an audit.

    Attributes
    ----------
    rows
        Of all sources, one after the other.
    sources
        The datasets, each once.
    of
        (N,) int64: the source of each row.
    repeated
        Names of sources that were given again, once for each time.
    same_name
        Names that two sources share, which training takes for one.
    """

    rows: list[Row]
    sources: list[Source]
    of: NDArray[np.int64]
    repeated: list[str] = field(default_factory=list)
    same_name: list[str] = field(default_factory=list)

    def codes(self, values: Sequence[object]) -> NDArray[np.int64]:
        """Return (N,) the number of each value, equal ones alike."""
        numbers: dict[object, int] = {}
        return np.array([numbers.setdefault(value, len(numbers)) for value in values], np.int64)

    @property
    def splits(self) -> NDArray[np.int64]:
        """(N,) number of the split."""
        return self.codes([row.split for row in self.rows])

    @property
    def labels(self) -> NDArray[np.int64]:
        """(N,) number of the label."""
        return self.codes([row.label for row in self.rows])

    @property
    def groups(self) -> NDArray[np.int64]:
        """(N,) number of what the data say must stay together; an own one where they do not."""
        return self.codes(
            [
                (int(of), row.group) if row.grouped else i
                for i, (of, row) in enumerate(zip(self.of, self.rows, strict=True))
            ]
        )


def list_sources(
    paths: Sequence[Path], names: Sequence[str] | None = None, val_share: float = VAL_SHARE
) -> Listing:
    """List every dataset once, going on over entries that are wrong.

    Parameters
    ----------
    paths, names, val_share
        As :func:`core.learning.read_dataset` takes them, for each dataset.

    Raises
    ------
    DatasetError
        A dataset is none of the three forms, or none of all has an image.
    """
    listing = Listing([], [], np.zeros(0, np.int64))
    seen: dict[str, str] = {}
    taken: Counter[str] = Counter()
    of: list[int] = []
    for path in paths:
        real = os.path.realpath(path)
        if real in seen:
            listing.repeated.append(seen[real])
            continue
        problems: list[Problem] = []
        rows = read_dataset(path, names=names, val_share=val_share, problems=problems)
        plain = Path(os.path.abspath(path))
        called = plain.stem if plain.is_file() else plain.name
        taken[called] += 1
        if taken[called] == 2:
            listing.same_name.append(called)
        name = called if taken[called] == 1 else f"{called} ({taken[called]})"
        seen[real] = name
        has_manifest = (path / "manifest.csv").is_file()
        listing.sources.append(
            Source(
                name=name,
                path=path,
                own_split=(path / "images").is_dir() and not has_manifest,
                problems=tuple(problems),
                masks=_mask_notes(path, rows),
                unlisted=_unlisted(path, rows) if has_manifest else 0,
            )
        )
        listing.rows.extend(rows)
        of += [len(listing.sources) - 1] * len(rows)
    if not listing.rows:
        raise DatasetError(_("No image of the datasets can be used; see to their manifests."))
    return Listing(
        listing.rows,
        listing.sources,
        np.array(of, np.int64),
        listing.repeated,
        listing.same_name,
    )


def _mask_notes(path: Path, rows: Sequence[Row]) -> MaskNotes:
    entries = {(row.label, row.image.stem): row for row in rows if row.index is None}
    among = [
        row.entry
        for (label, stem), row in entries.items()
        if (bare := _MASK_NAME.sub("", stem)) != stem and (label, bare) in entries
    ]
    used = {row.mask for row in rows}
    misnamed: set[int] = set()
    without = 0
    folder = path / "masks"
    for file in _files(folder):
        if file in used:
            continue
        label = file.relative_to(folder).parts[0]
        owner = entries.get((label, file.stem)) or entries.get(
            (label, _MASK_NAME.sub("", file.stem))
        )
        if owner is None:
            without += 1
        elif owner.mask is None:
            misnamed.add(owner.entry)
        # Else one more mask of an image that has one: nobody misses it.
    return MaskNotes(tuple(sorted(misnamed)), without, tuple(sorted(among)))


def _unlisted(path: Path, rows: Sequence[Row]) -> int:
    listed = {os.path.normpath(row.image) for row in rows}
    return sum(os.path.normpath(file) not in listed for file in _files(path / "images"))


def _files(folder: Path) -> Iterator[Path]:
    """Yield the files below a folder in order, without hidden ones; what cannot be seen is not."""
    for parent, folders, files in os.walk(folder):
        folders[:] = sorted(each for each in folders if not each.startswith("."))
        for name in sorted(files):
            if not name.startswith(".") and name.lower() not in {"thumbs.db", "desktop.ini"}:
                yield Path(parent) / name


def table_of_counts(listing: Listing) -> dict[str, dict[str, dict[str, int]]]:
    """Return images by source, split and label."""
    counts: dict[str, dict[str, dict[str, int]]] = defaultdict(lambda: defaultdict(dict))
    tally = Counter(
        (listing.sources[int(of)].name, row.split, row.label)
        for of, row in zip(listing.of, listing.rows, strict=True)
    )
    for (source, split, label), n in sorted(tally.items()):
        counts[source][split][label] = n
    return {source: dict(splits) for source, splits in counts.items()}
