"""An audit from listing to verdict."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from core.errors import DatasetError
from core.learning.audit._align import SAME
from core.learning.audit._check import Check, Verdict
from core.learning.audit._check_balance import balance_checks
from core.learning.audit._check_files import file_checks
from core.learning.audit._check_leaks import leak_checks
from core.learning.audit._embed import embedding_check, embeddings
from core.learning.audit._facts import Facts, measure_rows
from core.learning.audit._listing import Listing, list_sources, table_of_counts
from core.learning.audit._pairs import Pairs, Search
from core.learning.forms import VAL_SHARE
from core.text import _

#: Pairs that are named one by one, the worst first; all are counted.
MOST_PAIRS = 1000
_FORMAT = 1

#: Called with what is being done, how much of it, and of how much.
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True, eq=False)
class Audit:
    """What an audit found.

    Attributes
    ----------
    listing
        The images.
    facts
        What was measured on them.
    pairs
        Duplicates.
    checks
        Every check, in the order they are shown.
    search
        What looked for the pairs; asked again where the split is made anew.
    """

    listing: Listing
    facts: Facts
    pairs: Pairs
    checks: tuple[Check, ...]
    search: Search = field(repr=False)

    @property
    def verdict(self) -> Verdict:
        """The worst of all checks."""
        return max(check.verdict for check in self.checks)

    def worst_pairs(self, most: int = MOST_PAIRS) -> list[int]:
        """Return indices of pairs: across splits first, then labels, then cases, then the rest."""
        pairs, listing = self.pairs, self.listing
        order = np.lexsort(
            (
                -pairs.correlation,
                ~pairs.across(listing.groups),
                ~pairs.across(listing.labels),
                ~pairs.across(listing.splits),
            )
        )
        return [int(i) for i in order[:most]]

    def name_of(self, index: int) -> str:
        """Return what an image is called here: its dataset and its entry, never its file."""
        row = self.listing.rows[index]
        source = self.listing.sources[int(self.listing.of[index])].name
        return _("{source}, entry {n}").format(source=source, n=row.entry)

    def problems(self) -> list[tuple[str, int, str]]:
        """Return source, entry and what is wrong, in order."""
        found = [
            (source.name, problem.entry, str(problem.error))
            for source in self.listing.sources
            for problem in source.problems
        ]
        for index, text in self.facts.problems:
            source = self.listing.sources[int(self.listing.of[index])].name
            found.append((source, self.listing.rows[index].entry, text))
        return sorted(found)

    def to_dict(self, *, files: bool = False) -> dict[str, Any]:
        """Return it ready for JSON: without file names unless ``files`` asks for them."""
        pairs = self.pairs
        return {
            "format": _FORMAT,
            "verdict": self.verdict.code,
            "images": len(self.listing.rows),
            "counts": table_of_counts(self.listing),
            "checks": [check.to_dict() for check in self.checks],
            "problems": [
                {"source": source, "entry": entry, "problem": text}
                for source, entry, text in self.problems()
            ],
            "misnamed_masks": [
                {"source": source.name, "entry": entry}
                for source in self.listing.sources
                for entry in source.masks.misnamed
            ],
            "pairs_named": min(len(pairs), MOST_PAIRS),
            "pairs": [
                {
                    "first": self._side(int(pairs.first[i]), files),
                    "second": self._side(int(pairs.second[i]), files),
                    "correlation": round(float(pairs.correlation[i]), 4),
                    "exact": bool(pairs.exact[i]),
                    "mirrored": bool(pairs.mirrored[i]),
                }
                for i in self.worst_pairs()
            ],
            "same_from_correlation": SAME,
        }

    def _side(self, index: int, files: bool) -> dict[str, Any]:
        row = self.listing.rows[index]
        about: dict[str, Any] = {
            "source": self.listing.sources[int(self.listing.of[index])].name,
            "entry": row.entry,
            "split": row.split,
            "label": row.label,
        }
        if files and row.index is None:
            about["file"] = row.image.name
        return about


def audit_datasets(
    paths: Sequence[Path],
    *,
    names: Sequence[str] | None = None,
    val_share: float = VAL_SHARE,
    progress: Progress = lambda _what, _done, _total: None,
) -> Audit:
    """Audit datasets together, as they would be trained on together.

    Parameters
    ----------
    paths
        Folders or ``.npz`` files.
    names, val_share
        As :func:`core.learning.read_dataset` takes them.
    progress
        Called with what is being done, done and all.

    Raises
    ------
    DatasetError
        A dataset is none, or no image of all can be decoded.
    LearningError
        The disk for temporary files is full.
    """
    return audit_listing(list_sources(paths, names, val_share), progress)


def audit_listing(
    listing: Listing,
    progress: Progress = lambda _what, _done, _total: None,
    model: tuple[str, str | None] | None = None,
) -> Audit:
    """Audit what was listed; see :func:`audit_datasets`.

    ``model`` is the task and the version of a bundle to compare by, too.
    """
    reading, looking, checking = (
        _("decoding images"),
        _("looking for duplicates"),
        _("checking candidates"),
    )
    facts = measure_rows(listing.rows, lambda done, n: progress(reading, done, n))
    if not facts.readable.any():
        raise DatasetError(_("No image of the datasets can be decoded; see what they are."))
    search = Search(facts)
    if model is not None:
        seeing = _("asking the model")
        search.embeddings = embeddings(
            listing, facts, *model, lambda done, n: progress(seeing, done, n)
        )
    pairs = search.pairs(
        listing.splits,
        listing.labels,
        lambda done, n: progress(looking, done, n),
        lambda done, n: progress(checking, done, n),
    )
    checks = (
        *leak_checks(listing, pairs),
        *([] if model is None else [embedding_check(listing, search, pairs)]),
        *balance_checks(listing, facts),
        *file_checks(listing, facts, search),
    )
    return Audit(listing, facts, pairs, checks, search)
