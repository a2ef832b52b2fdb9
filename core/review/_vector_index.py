"""Settled cases by where their embeddings lie: exact neighbours, kept in memory.

The search is scikit-learn's (``NearestNeighbors``, brute force): exact, and a requirement already.
Over 100,000 cases in the shipped model's 40 dimensions it takes 12 ms of one core, so nothing
approximate is needed (``tests/benchmarks/bench_similar.py``). It is kept to one thread: several
wait for each other, and beside a network that computes on all cores they wait for seconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from sklearn.neighbors import NearestNeighbors
    from threadpoolctl import ThreadpoolController

#: Pairs of cases whose distances make the scale, and how many cases it takes.
_PAIRS = 4096
LEAST_FOR_A_SCALE = 20
#: The scale is made anew when there are this many times as many cases, or so many fewer.
_GROWN = 1.1


@cache
def _threads() -> ThreadpoolController:
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


class VectorIndex:
    """Vectors by digest; safe from any thread.

    Memory is 4 bytes per value, up to half as much again for the room that is still free, and some
    300 bytes per case for its digest and place: 70 MB were measured for 100,000 cases of 40 values.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._digests: list[str] = []
        self._places: dict[str, int] = {}
        self._vectors: NDArray[np.float32] = np.zeros((0, 0), np.float32)
        self._search: NearestNeighbors | None = None
        self._scale: NDArray[np.float64] = np.zeros(0)
        self._scaled_at = 0

    def __len__(self) -> int:
        """Cases that are in it."""
        return len(self._digests)

    def __contains__(self, digest: str) -> bool:
        """Tell whether the case of an image is in it."""
        return digest in self._places

    def add(self, digests: Sequence[str], vectors: NDArray[np.float32]) -> None:
        """Add ``(N, K)`` vectors; a digest that is there already keeps its place."""
        with self._lock:
            new = [at for at, digest in enumerate(digests) if digest not in self._places]
            if not new:
                return
            end = len(self._digests) + len(new)
            self._make_room(end, vectors.shape[1])
            self._vectors[len(self._digests) : end] = vectors[new]
            for at in new:
                self._places[digests[at]] = len(self._digests)
                self._digests.append(digests[at])
            self._search = None

    def remove(self, digests: Iterable[str]) -> None:
        """Take cases out; the last one takes the place of each."""
        with self._lock:
            for digest in digests:
                place = self._places.pop(digest, None)
                if place is None:
                    continue
                last = self._digests.pop()
                if last != digest:
                    self._digests[place] = last
                    self._places[last] = place
                    self._vectors[place] = self._vectors[len(self._digests)]
                self._search = None

    def nearest(self, vector: NDArray[np.float32], count: int) -> list[tuple[str, float]]:
        """Return the nearest cases, nearest first: digest and Euclidean distance.

        Parameters
        ----------
        vector
            ``(K,)``.
        count
            How many at the most.
        """
        with self._lock:
            count = min(count, len(self._digests))
            if count == 0:
                return []
            if self._search is None:
                from sklearn.neighbors import NearestNeighbors

                whole = self._vectors[: len(self._digests)]
                # It looks at the array and makes no copy of it.
                self._search = NearestNeighbors(algorithm="brute").fit(whole)
            # Of OpenMP's threads only those of the thread that asks here are limited.
            with _threads().limit(limits=1, user_api="openmp"):
                distances, places = self._search.kneighbors(vector[None], count)
            return [
                (self._digests[place], float(distance))
                for place, distance in zip(places[0], distances[0], strict=True)
            ]

    def share_farther(self, distance: float) -> float | None:
        """Return the share of pairs of cases that lie farther apart than ``distance``, 0..1.

        Of 4,096 pairs drawn with a fixed seed; None below ``LEAST_FOR_A_SCALE`` cases.
        """
        with self._lock:
            size = len(self._digests)
            if size < LEAST_FOR_A_SCALE:
                return None
            if not self._scaled_at / _GROWN <= size <= self._scaled_at * _GROWN:
                self._measure(size)
            below = np.searchsorted(self._scale, distance, side="right")
            return 1.0 - float(below) / len(self._scale)

    def _measure(self, size: int) -> None:
        first, second = np.random.default_rng(0).integers(0, size, (2, _PAIRS))
        pairs = first != second
        apart = self._vectors[first[pairs]] - self._vectors[second[pairs]]
        self._scale = np.sort(np.linalg.norm(apart.astype(np.float64), axis=1))
        self._scaled_at = size

    def _make_room(self, rows: int, columns: int) -> None:
        if self._vectors.shape[1] == columns and len(self._vectors) >= rows:
            return
        larger = np.zeros((max(rows, len(self._vectors) * 3 // 2, 64), columns), np.float32)
        if self._digests:
            larger[: len(self._digests)] = self._vectors[: len(self._digests)]
        self._vectors = larger
