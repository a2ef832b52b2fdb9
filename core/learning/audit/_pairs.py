"""Exact and near duplicates among images, and what they tie together."""

from __future__ import annotations

import itertools
import os
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from core.learning.audit._align import SAME, correlation
from core.learning.audit._candidates import (
    NO_CANDIDATES,
    Candidates,
    alike_by,
    find_candidates,
    together,
)
from core.learning.audit._facts import Facts
from core.learning.audit._views import VIEWS
from core.learning.groups import joined

#: Standard deviation in grey levels below which a picture is blank, as the quality check has it:
#: blank pictures are all alike and no duplicates.
BLANK = 6.0
_CHUNK = 256

Progress = Callable[[int, int], None]
Indices = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """Pairs of images that are the same scan.

    Of images that are the same to the pixel each is paired with the next one, in the order of
    split, label and entry, and one of them stands for all in what is nearly the same.

    Attributes
    ----------
    first, second
        (M,) int64 indices of images, the smaller first.
    correlation
        (M,) float32: of the detail after alignment, 1 where they are the same to the pixel.
    exact, mirrored
        (M,) bool: the same to the pixel; the one is the mirror image of the other.
    """

    first: Indices
    second: Indices
    correlation: NDArray[np.float32]
    exact: NDArray[np.bool_]
    mirrored: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.first)

    def across(self, codes: Indices) -> NDArray[np.bool_]:
        """Return (M,) whether the two have another code: (N,), a number of split or label."""
        return np.asarray(codes[self.first] != codes[self.second], np.bool_)

    def tied(self, n: int) -> Indices:
        """Return (n,) for each image the first one of those it is tied to by pairs."""
        keys: list[list[int]] = [[i] for i in range(n)]
        keys += [[int(a), int(b)] for a, b in zip(self.first, self.second, strict=True)]
        return np.array([key for key in joined(keys)[:n] if key is not None], np.int64)


@dataclass(slots=True, eq=False)
class Search:
    """Looks for pairs; asked again with other splits, it checks only what it has not seen.

    Attributes
    ----------
    facts
        What was measured.
    embeddings
        (N, D) float32 of length 1: what a model sees, where it was asked.
    seen
        What was looked at the last time, duplicates or not.
    """

    facts: Facts
    embeddings: NDArray[np.float32] | None = None
    seen: Candidates = NO_CANDIDATES
    _keys: Indices = field(default_factory=lambda: np.zeros(0, np.int64))
    _values: NDArray[np.float32] = field(default_factory=lambda: np.zeros(0, np.float32))

    def blank(self) -> Indices:
        """Return the readable images that show nothing."""
        contrast = self.facts.figure("contrast")
        return np.flatnonzero(self.facts.readable & (contrast < BLANK)).astype(np.int64)

    def pairs(
        self,
        splits: Indices,
        labels: Indices,
        progress: Progress = lambda _done, _total: None,
        checking: Progress = lambda _done, _total: None,
    ) -> Pairs:
        """Find all pairs.

        Parameters
        ----------
        splits, labels
            (N,) numbers of the split and the label of every image.
        progress, checking
            Called with done and all while looking for candidates, and while checking them.
        """
        blank = set(self.blank().tolist())
        shown = [None if i in blank else each for i, each in enumerate(self.facts.digests)]
        same = _same_pixels(shown, splits, labels)
        chosen = np.array([group[0] for group in same], np.int64)
        found = find_candidates(self.facts.thumbs, chosen, splits[chosen], progress)
        if self.embeddings is not None:
            more = alike_by(self.embeddings, chosen, splits[chosen], progress)
            found = together(found, more)
        self.seen = found
        values = self._checked(found.first, found.second, found.view, checking)
        near = values >= SAME
        turned = np.array([view.mirrored or view.upturned for view in VIEWS])
        chains = [pair for group in same for pair in itertools.pairwise(group)]
        exact = np.array(chains, np.int64).reshape(-1, 2)
        both = np.concatenate([exact, np.column_stack([found.first[near], found.second[near]])])
        both = np.sort(both, axis=1)
        alike = np.concatenate([np.ones(len(exact)), values[near]]).astype(np.float32)
        mirrored = np.concatenate([np.zeros(len(exact), np.bool_), turned[found.view[near]]])
        order = np.lexsort((both[:, 1], both[:, 0]))
        return Pairs(
            first=both[order, 0],
            second=both[order, 1],
            correlation=alike[order],
            exact=(np.arange(len(both)) < len(exact))[order],
            mirrored=mirrored[order].astype(np.bool_),
        )

    def likeness(self, first: Indices, second: Indices) -> NDArray[np.float32]:
        """Return (M,) how alike pairs are to the model, -1 to 1; none where it was not asked."""
        if self.embeddings is None or not len(first):
            return np.zeros(0, np.float32)
        alike = [
            (self.embeddings[first[i : i + _CHUNK]] * self.embeddings[second[i : i + _CHUNK]]).sum(
                1
            )
            for i in range(0, len(first), _CHUNK)
        ]
        return np.concatenate(alike)

    def _checked(
        self, first: Indices, second: Indices, view: NDArray[np.int8], progress: Progress
    ) -> NDArray[np.float32]:
        # Arrays and no dictionary: there are a million pairs in 100,000 images. A pair is the same
        # in both directions: either may be asked for with other splits.
        keys = np.minimum(first, second) * len(self.facts.readable) + np.maximum(first, second)
        todo = np.flatnonzero(~np.isin(keys, self._keys))
        values = np.empty(len(todo), np.float32)
        starts = range(0, len(todo), _CHUNK)

        def check(start: int) -> None:
            for place, pair in enumerate(todo[start : start + _CHUNK].tolist(), start):
                one, two = self.facts.thumbs.at(first[pair]), self.facts.thumbs.at(second[pair])
                values[place] = correlation(one, two, VIEWS[view[pair]])

        with ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="audit") as pool:
            try:
                for start, _done in zip(starts, pool.map(check, starts), strict=True):
                    progress(min(start + _CHUNK, len(todo)), len(todo))
            finally:
                pool.shutdown(wait=True, cancel_futures=True)
        every = np.concatenate([self._keys, keys[todo]])
        known = np.concatenate([self._values, values])
        order = np.argsort(every)
        self._keys, self._values = every[order], known[order]
        return np.asarray(self._values[np.searchsorted(self._keys, keys)], np.float32)


def _same_pixels(digests: Sequence[str | None], splits: Indices, labels: Indices) -> list[Indices]:
    """Return the images of each digest, in the order of split, label and index."""
    groups: dict[str, list[int]] = defaultdict(list)
    for i, digest in enumerate(digests):
        if digest is not None:
            groups[digest].append(i)
    return [
        np.array(sorted(group, key=lambda i: (splits[i], labels[i], i)), np.int64)
        for group in groups.values()
    ]
