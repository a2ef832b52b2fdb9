"""A split that does not leak: what belongs together stays together, labels and sources are even.

Units are the connected images: of one case or group, exact and near duplicates. They are given to
the splits one after the other, the largest first, each to the split that still lacks most of what
it holds: iterative stratification (Sechidis K., Tsoumakas G., Vlahavas I., *On the stratification
of multi-label data*, ECML PKDD 2011) over label and source.
"""

from __future__ import annotations

import csv
import hashlib
import io
import os
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.errors import DatasetError, LearningError
from core.learning.audit._listing import Listing
from core.learning.audit._run import Audit, Progress
from core.learning.groups import joined
from core.learning.whole_file import write_whole
from core.text import _, percent

#: How often near-duplicates that only a new split brought to light may be joined.
_MOST_ROUNDS = 8
#: Columns that are written anew.
_OURS = ("split", "group")
_FORMER = "former_group"


@dataclass(frozen=True, slots=True, eq=False)
class NewSplit:
    """A split of the images of an audit.

    Attributes
    ----------
    splits
        For each row its split; None where it cannot be decoded and so has none.
    units
        (N,) int64: the first row of those that must stay together with each row.
    uneven
        What could not be balanced, a line each.
    """

    splits: list[str | None]
    units: NDArray[np.int64]
    uneven: list[str]


def make_split(
    audit: Audit,
    *,
    val_share: float = 0.15,
    test_share: float = 0.0,
    seed: int = 0,
    progress: Progress = lambda _what, _done, _total: None,
) -> NewSplit:
    """Split the images of an audit so that the result passes the checks for leaks.

    The same images, shares and seed give the same split.

    Parameters
    ----------
    audit
        What was found out about the images.
    val_share, test_share
        About how much of each label of each source goes there, 0 to 1.
    seed
        Another one gives another split.
    progress
        Called while duplicates are looked for again.

    Raises
    ------
    LearningError
        No split could be found that parts no near-duplicates.
    """
    shares = {"train": 1 - val_share - test_share, "val": val_share, "test": test_share}
    shares = {split: share for split, share in shares.items() if share > 0}
    listing, n = audit.listing, len(audit.listing.rows)
    pairs = audit.pairs
    units = _units(listing.groups, pairs.tied(n))
    for _round in range(_MOST_ROUNDS):
        splits = _assigned(audit, units, shares, seed)
        # The nearest in other splits are kept apart from those of the own: other splits, other
        # pairs. Only what is found under the new split itself shows that it parts none.
        pairs = audit.search.pairs(
            listing.codes(splits),
            listing.labels,
            lambda done, all_: progress(_("looking for duplicates"), done, all_),
            lambda done, all_: progress(_("checking candidates"), done, all_),
        )
        wider = _units(units, pairs.tied(n))
        if not pairs.across(listing.codes(splits)).any():
            return NewSplit(splits, units, _uneven(audit, splits, shares))
        units = wider
    raise LearningError(
        _(
            "No split was found that parts no near-duplicates: too many images are alike. Look at "
            "the pairs first."
        )
    )


def _units(groups: NDArray[np.int64], tied: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return for each row the first row of all that hang together by either."""
    n = len(groups)
    keys = [(("g", int(groups[i])), ("t", int(tied[i]))) for i in range(n)]
    names = joined(keys)
    first: dict[object, int] = {}
    return np.array([first.setdefault(name, i) for i, name in enumerate(names)], np.int64)


def _assigned(
    audit: Audit, units: NDArray[np.int64], shares: Mapping[str, float], seed: int
) -> list[str | None]:
    """Give every unit to the split that still lacks most of what it holds."""
    readable = audit.facts.readable
    strata: dict[int, Counter[tuple[int, str]]] = defaultdict(Counter)
    for i, row in enumerate(audit.listing.rows):
        if readable[i]:
            strata[int(units[i])][int(audit.listing.of[i]), row.label] += 1
    totals: Counter[tuple[int, str]] = Counter()
    for held in strata.values():
        totals.update(held)
    lacking = {
        split: {stratum: share * total for stratum, total in totals.items()}
        for split, share in shares.items()
    }
    names = {unit: _key(audit, unit) for unit in strata}

    def rank(unit: int) -> tuple[int, bytes]:
        digest = hashlib.sha256(f"{seed}/{names[unit]}".encode()).digest()
        return -strata[unit].total(), digest

    sides: dict[int, str] = {}
    for unit in sorted(strata, key=rank):
        held = strata[unit]

        def need(split: str, held: Counter[tuple[int, str]] = held) -> float:
            return sum(
                n * lacking[split][stratum] / (shares[split] * totals[stratum])
                for stratum, n in held.items()
            )

        # Of equals the largest split, then in the order of the splits.
        side = max(shares, key=lambda split: (round(need(split), 9), shares[split]))
        sides[unit] = side
        for stratum, n in held.items():
            lacking[side][stratum] -= n
    return [sides[int(unit)] if readable[i] else None for i, unit in enumerate(units.tolist())]


def _key(audit: Audit, unit: int) -> str:
    row = audit.listing.rows[unit]
    name = audit.listing.sources[int(audit.listing.of[unit])].name
    place = row.image.name if row.index is None else str(row.index)
    return f"{name}/{row.label}/{place}"


def _uneven(audit: Audit, splits: Sequence[str | None], shares: Mapping[str, float]) -> list[str]:
    counts: Counter[tuple[str, str, str]] = Counter()
    totals: Counter[tuple[str, str]] = Counter()
    for i, (row, split) in enumerate(zip(audit.listing.rows, splits, strict=True)):
        if split is not None:
            source = audit.listing.sources[int(audit.listing.of[i])].name
            counts[source, row.label, split] += 1
            totals[source, row.label] += 1
    lines = []
    for (source, label), total in sorted(totals.items()):
        for split, share in shares.items():
            n = counts[source, label, split]
            # Within one image, or a fiftieth of the label: rounding, and units of several images.
            # None at all is said even so: nothing can be measured there.
            if n == 0 or abs(n - share * total) > max(1.0, 0.02 * total):
                lines.append(
                    _("{label} of {source}: {got} in {split} instead of {wanted}").format(
                        label=label,
                        source=source,
                        got=percent(n / total, 1),
                        split=split,
                        wanted=percent(share, 1),
                    )
                )
    return lines


def manifest_paths(listing: Listing, out: Path | None) -> list[Path]:
    """Return where the manifests of a new split would be written.

    Parameters
    ----------
    listing
        The datasets.
    out
        Folder for ``<name>.manifest.csv``; without one ``manifest.split.csv`` lies in each dataset.

    Raises
    ------
    LearningError
        A file is there already: none is ever written over.
    DatasetError
        A dataset is no folder with ``images/``: only those have manifests.
    """
    for source in listing.sources:
        if not (source.path / "images").is_dir():
            raise DatasetError(
                _(
                    "Only a dataset folder with images/<label>/ can be given a manifest; bring the "
                    "others into that form first."
                )
            )
    paths = [
        source.path / "manifest.split.csv" if out is None else out / f"{source.name}.manifest.csv"
        for source in listing.sources
    ]
    if any(os.path.lexists(path) for path in paths):
        raise LearningError(
            _("There is a file of this name already; move it, or write elsewhere with --out.")
        )
    return paths


def write_manifests(audit: Audit, new: NewSplit, out: Path | None) -> list[Path]:
    """Write a manifest with the new split for each dataset; never over a file that is there.

    Columns that the dataset's own manifest has are kept. ``group`` is what must stay together; a
    group that was there before is kept as ``former_group``.

    Parameters
    ----------
    audit, new
        The images and their split.
    out
        As :func:`manifest_paths` takes it.

    Returns
    -------
    list of pathlib.Path
        What was written.

    Raises
    ------
    LearningError
        As :func:`manifest_paths`, or nothing can be written.
    DatasetError
        As :func:`manifest_paths`, or a name cannot be written in UTF-8.
    """
    # Before the first is written, so that none is where not all can be.
    paths = manifest_paths(audit.listing, out)
    try:
        texts = [_manifest(audit, new, number).encode() for number in range(len(paths))]
    except UnicodeEncodeError as error:
        raise DatasetError(
            _("A file's name is not in UTF-8, as a manifest is; rename the file.")
        ) from error
    for path, text in zip(paths, texts, strict=True):
        write_whole(path, text, replace=False)
    return paths


def _manifest(audit: Audit, new: NewSplit, number: int) -> str:
    source = audit.listing.sources[number]
    former = _former_lines(source.path / "manifest.csv")
    columns = ["file", "label", *_OURS]
    extra = [
        column
        for column in next(iter(former.values()), {})
        if column not in columns and column != _FORMER
    ]
    has_group = any(line.get("group") for line in former.values())
    out = io.StringIO(newline="")
    table = csv.DictWriter(
        out, [*columns, *extra, *([_FORMER] if has_group else [])], lineterminator="\n"
    )
    table.writeheader()
    for i, (row, split) in enumerate(zip(audit.listing.rows, new.splits, strict=True)):
        if audit.listing.of[i] != number or split is None:
            continue
        line = former.get(row.entry, {})
        written = {column: line.get(column, "") for column in extra}
        if has_group:
            written[_FORMER] = line.get("group", "")
        written |= {
            "file": row.image.relative_to(source.path / "images" / row.label).as_posix(),
            "label": row.label,
            "split": split,
            "group": f"unit-{int(new.units[i]) + 1:06d}",
        }
        table.writerow(written)
    return out.getvalue()


def _former_lines(path: Path) -> dict[int, dict[str, str]]:
    """Return the lines of a manifest that was read before, by number; none where there is none."""
    if not path.is_file():
        return {}
    with path.open(newline="", encoding="utf-8-sig") as file:
        table = csv.DictReader(file)
        entries = [(table.line_num, entry) for entry in table]
    return {
        number: {
            name: value
            for name, value in entry.items()
            if isinstance(name, str) and isinstance(value, str)
        }
        for number, entry in entries
    }
