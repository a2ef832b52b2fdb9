"""What an audit measures on every image: decoded once, in parallel, and let go at once."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass
from enum import IntEnum
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from core.errors import DatasetError, OverreadError
from core.learning.audit._thumbs import SIDE, Thumbs
from core.learning.rows import Row, load_mask, load_scan
from core.scan import bare_picture

#: Figures of every image, in the order of the columns of :attr:`Facts.figures`.
FIGURES = ("width", "height", "brightness", "contrast", "lettering")
#: Pixels that brightness and contrast are taken from, at the most: a grid, never an average.
_SAMPLED = 2**16
#: Images that are decoded at a time, for each thread one more that waits.
_MOST_THREADS = 8


class MaskState(IntEnum):
    """What the mask of an image is."""

    NONE = 0
    BLACK = 1
    LESION = 2
    BROKEN = 3


@dataclass(frozen=True, slots=True, eq=False)
class Facts:
    """What was measured on N images.

    Attributes
    ----------
    readable
        (N,) bool: whether the image could be decoded. Where not, its other values are 0.
    digests
        For each image the SHA-256 of its decoded pixels, None where it could not be decoded.
    figures
        (N, 5) float32, columns as :data:`FIGURES`: pixels, pixels, mean grey level, standard
        deviation in grey levels, share of the picture on or beside burned-in strokes.
    masks
        (N,) uint8, values of :class:`MaskState`.
    written
        (N,) bool: whether letters or caliper marks are burned in.
    thumbs
        (N, 48, 48) uint8 on disk: the picture without frame and strokes.
    problems
        Index of the image and what is wrong with it or its mask, in order.
    """

    readable: NDArray[np.bool_]
    digests: list[str | None]
    figures: NDArray[np.float32]
    masks: NDArray[np.uint8]
    written: NDArray[np.bool_]
    thumbs: Thumbs
    problems: list[tuple[int, str]]

    def figure(self, name: str) -> NDArray[np.float32]:
        """Return a column of the figures, (N,) float32."""
        return self.figures[:, FIGURES.index(name)]


@dataclass(frozen=True, slots=True, eq=False)
class _Fact:
    digest: str | None
    figures: tuple[float, ...]
    mask: MaskState
    written: bool
    thumb: NDArray[np.uint8]
    problem: str


_NO_THUMB = np.zeros((SIDE, SIDE), np.uint8)


def measure_rows(
    rows: Sequence[Row], progress: Callable[[int, int], None] = lambda _done, _total: None
) -> Facts:
    """Decode every image and mask once; what cannot be decoded is listed, and the rest goes on.

    Parameters
    ----------
    rows
        What is measured.
    progress
        Called with the number of images done and of all.

    Raises
    ------
    LearningError
        The disk for temporary files is full.
    """
    n = len(rows)
    facts = Facts(
        readable=np.zeros(n, np.bool_),
        digests=[None] * n,
        figures=np.zeros((n, len(FIGURES)), np.float32),
        masks=np.zeros(n, np.uint8),
        written=np.zeros(n, np.bool_),
        thumbs=Thumbs(),
        problems=[],
    )
    for i, fact in enumerate(_in_order(rows)):
        facts.readable[i] = fact.digest is not None
        facts.digests[i] = fact.digest
        facts.figures[i] = fact.figures
        facts.masks[i] = fact.mask
        facts.written[i] = fact.written
        facts.thumbs.append(fact.thumb)
        if fact.problem:
            facts.problems.append((i, fact.problem))
        progress(i + 1, n)
    facts.thumbs.flush()
    return facts


def _in_order(rows: Sequence[Row]) -> Iterator[_Fact]:
    """Measure in threads, a bounded number at a time: decoders let go of the interpreter."""
    threads = min(_MOST_THREADS, os.cpu_count() or 1)
    waiting: deque[Future[_Fact]] = deque()
    rest = iter(rows)
    with ThreadPoolExecutor(threads, thread_name_prefix="audit") as pool:
        try:
            for row in islice(rest, 2 * threads):
                # In a copy of the context, so that errors are worded in the language of the run.
                waiting.append(pool.submit(copy_context().run, _measure, row))
            while waiting:
                fact = waiting.popleft().result()
                for row in islice(rest, 1):
                    waiting.append(pool.submit(copy_context().run, _measure, row))
                yield fact
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _measure(row: Row) -> _Fact:
    try:
        scan = load_scan(row)
    except OverreadError as error:
        return _Fact(None, (0.0,) * len(FIGURES), MaskState.NONE, False, _NO_THUMB, str(error))
    grey = scan.grey
    step = max(1, int((grey.size / _SAMPLED) ** 0.5))
    sample = grey[::step, ::step]
    bare = bare_picture(grey, SIDE)
    mask, problem = MaskState.NONE, ""
    if row.mask is not None:
        try:
            lesion = load_mask(row, scan.height, scan.width).any()
            mask = MaskState.LESION if lesion else MaskState.BLACK
        except DatasetError as error:
            mask, problem = MaskState.BROKEN, str(error)
    figures = (
        float(scan.width),
        float(scan.height),
        float(sample.mean()),
        float(sample.std()),
        bare.lettering,
    )
    return _Fact(scan.digest, figures, mask, bare.written, bare.pixels, problem)
