"""Which images might be near-duplicates: the nearest of every image, block by block.

For each image the most similar ones are kept, of its own split and of the others apart, so that a
cluster of frames in one split cannot crowd out its copy in another. The search is exact: blocks of
descriptors are multiplied, n * n * 99 * 9 multiplications for n images, and a block of 512 x 8,192
products is all that is in memory beside the descriptors (40 MB for 100,000). An index that answers
from a sample would be faster and would miss some without saying which.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.learning.audit._thumbs import Thumbs
from core.learning.audit._views import DESCRIBED, VIEWS, describe

#: Descriptors less alike than this are no candidates. The same scan, cropped by a tenth, was always
#: above, and 99 in 100 cropped by a fifth.
_CUTOFF = 0.45
#: Embeddings less alike than this are no candidates.
_LEAST_COSINE = 0.3
#: Neighbours kept of an image's own split, and as many of the other splits.
NEAREST = 6
_ROWS, _COLUMNS = 512, 8192

Indices = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """Pairs that look alike.

    Attributes
    ----------
    first, second
        (M,) int64 indices of images; no pair occurs twice, in either order.
    view
        (M,) int8: the view of ``second`` that looked like ``first``, an index into ``VIEWS``.
    """

    first: Indices
    second: Indices
    view: NDArray[np.int8]


NO_CANDIDATES = Candidates(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.int8))


def find_candidates(
    thumbs: Thumbs,
    chosen: Indices,
    splits: Indices,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> Candidates:
    """Return for every chosen image those it is most like.

    Parameters
    ----------
    thumbs
        The small pictures of all images.
    chosen
        (n,) which of them are compared.
    splits
        (n,) the number of the split of each.
    progress
        Called with the number of images done and of all.
    """
    order = np.argsort(splits, kind="stable")
    chosen, splits = chosen[order], splits[order]
    whole = np.empty((len(chosen), DESCRIBED), np.float32)
    for start, stop in _blocks(splits, _ROWS):
        whole[start:stop] = describe(_pictures(thumbs, chosen[start:stop]))

    def asked(start: int, stop: int) -> list[NDArray[np.float32]]:
        pictures = _pictures(thumbs, chosen[start:stop])
        return [describe(np.stack([view.of(each) for each in pictures])) for view in VIEWS]

    return _nearest(whole, asked, chosen, splits, _CUTOFF, progress)


def alike_by(
    embeddings: NDArray[np.float32],
    chosen: Indices,
    splits: Indices,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> Candidates:
    """Return for every chosen image those whose embedding is nearest; see :func:`find_candidates`.

    ``embeddings`` is (N, D) float32, each of length 1.
    """
    order = np.argsort(splits, kind="stable")
    chosen, splits = chosen[order], splits[order]
    whole = embeddings[chosen]
    return _nearest(
        whole, lambda start, stop: [whole[start:stop]], chosen, splits, _LEAST_COSINE, progress
    )


def together(one: Candidates, other: Candidates) -> Candidates:
    """Return the pairs of both; of those in both, as the first one has them."""
    first = np.concatenate([one.first, other.first])
    second = np.concatenate([one.second, other.second])
    view = np.concatenate([one.view, other.view])
    pairs = np.sort(np.column_stack([first, second]), axis=1)
    _each, kept = np.unique(pairs, axis=0, return_index=True)
    return Candidates(first[kept], second[kept], view[kept])


def _nearest(
    whole: NDArray[np.float32],
    asked_of: Callable[[int, int], Sequence[NDArray[np.float32]]],
    chosen: Indices,
    splits: Indices,
    cutoff: float,
    progress: Callable[[int, int], None],
) -> Candidates:
    """Find the nearest of all rows; ``splits`` is sorted."""
    columns = list(_blocks(splits, _COLUMNS))
    found: list[NDArray[np.float64]] = []
    for start, stop in _blocks(splits, _ROWS):
        asked = asked_of(start, stop)
        for own in (True, False):
            best = _Best(stop - start, cutoff)
            for left, right in columns:
                if bool(splits[left] == splits[start]) is own:
                    best.take(_most_alike(asked, whole[left:right], start - left), left)
            found.append(best.listed(start, asked, whole))
        progress(stop, len(whole))
    return _without_repeats(chosen, np.concatenate(found) if found else np.zeros((0, 4)))


def _most_alike(
    asked: Sequence[NDArray[np.float32]], others: NDArray[np.float32], itself: int
) -> NDArray[np.float32]:
    """Return (rows, columns): how alike they are in the view in which they are most so.

    ``itself`` is the column of the first row's own picture, which may lie outside.
    """
    most = asked[0] @ others.T
    product = np.empty_like(most)
    for query in asked[1:]:
        np.matmul(query, others.T, out=product)
        np.maximum(most, product, out=most)
    rows = np.arange(len(most))
    inside = (rows + itself >= 0) & (rows + itself < len(others))
    most[rows[inside], rows[inside] + itself] = -1.0
    return np.asarray(most, np.float32)


class _Best:
    """The best partners so far of each row of a block."""

    def __init__(self, rows: int, cutoff: float) -> None:
        self._alike = np.full((rows, NEAREST), cutoff, np.float32)
        self._partner = np.full((rows, NEAREST), -1, np.int64)

    def take(self, alike: NDArray[np.float32], left: int) -> None:
        """Take what is better out of (rows, columns), the columns counted from ``left``."""
        rows = np.flatnonzero(alike.max(axis=1) > self._alike.min(axis=1))
        alike = alike[rows]
        if alike.shape[1] > NEAREST:
            columns = np.argpartition(alike, -NEAREST, axis=1)[:, -NEAREST:]
        else:
            columns = np.broadcast_to(np.arange(alike.shape[1]), alike.shape)
        values = np.hstack([self._alike[rows], np.take_along_axis(alike, columns, axis=1)])
        partners = np.hstack([self._partner[rows], columns + left])
        # Stable, so that an empty place at the cutoff is not taken by what is not above it.
        order = np.argsort(-values, axis=1, kind="stable")[:, :NEAREST]
        self._alike[rows] = np.take_along_axis(values, order, axis=1)
        self._partner[rows] = np.take_along_axis(partners, order, axis=1)

    def listed(
        self, start: int, asked: Sequence[NDArray[np.float32]], whole: NDArray[np.float32]
    ) -> NDArray[np.float64]:
        """Return (m, 4): partner, row, view, likeness; rows counted from ``start``."""
        rows, places = np.nonzero(self._partner >= 0)
        partners = self._partner[rows, places]
        alike = np.stack([(query[rows] * whole[partners]).sum(axis=1) for query in asked])
        return (
            np.column_stack([partners, rows + start, alike.argmax(axis=0), alike.max(axis=0)])
            .astype(np.float64)
            .reshape(-1, 4)
        )


def _without_repeats(chosen: Indices, found: NDArray[np.float64]) -> Candidates:
    """Keep of two directions the one that is more alike."""
    pairs = np.sort(found[:, :2].astype(np.int64), axis=1)
    order = np.lexsort((-found[:, 3], pairs[:, 1], pairs[:, 0]))
    pairs, found = pairs[order], found[order]
    new = np.ones(len(pairs), np.bool_)
    new[1:] = (pairs[1:] != pairs[:-1]).any(axis=1)
    kept = found[new]
    return Candidates(
        first=chosen[kept[:, 0].astype(np.int64)],
        second=chosen[kept[:, 1].astype(np.int64)],
        view=kept[:, 2].astype(np.int8),
    )


def _blocks(splits: Indices, size: int) -> Iterator[tuple[int, int]]:
    """Yield start and stop of blocks that hold one split each; ``splits`` is sorted."""
    edges = [0, *(np.flatnonzero(np.diff(splits)) + 1).tolist(), len(splits)]
    for begin, end in itertools.pairwise(edges):
        for start in range(begin, end, size):
            yield start, min(start + size, end)


def _pictures(thumbs: Thumbs, indices: Indices) -> NDArray[np.uint8]:
    return np.stack([thumbs.at(int(index)) for index in indices])
