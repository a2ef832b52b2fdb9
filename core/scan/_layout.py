"""Where the picture lies in an image: the empty frame around it, and pictures side by side.

A recursive X-Y cut (Nagy G., Seth S. *Hierarchical representation of optically scanned
documents.* ICPR 1984): a box is trimmed of its empty edge, then split at every empty band, and
so on for each part. A part that is large and filled is a picture; a caption, a scale or a logo
that stands alone in the frame is not.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from core.scan._parts import Box

#: Grey levels by which a pixel may differ from the tone of the frame: what JPEG leaves of it.
_TOLERANCE = 3
#: A row or column with a smaller lit share is empty: a tick or a dot does not fill it.
_LIT_SHARE = 0.01
#: A line whose brightest and darkest pixel lie closer is a band of one tone, whatever its tone.
_ONE_TONE = 8
#: Share of the outer edge that one tone must hold to be the frame's.
_FRAME_SHARE = 0.5
#: Narrowest band between two pictures, in pixels.
_BAND = 2
#: Splits below one another: frame, columns, rows, caption. Enough for a grid of four.
_DEEPEST = 6
#: A part is a picture where it is at least so large, measured against the largest part.
_PICTURE_SHARE = 0.25
_PICTURE_SIDE = 32
#: Lit share of a picture: dark ones lie far above, lines of text mostly below.
_PICTURE_LIT = 0.15
#: Lit share where a picture faces a band: a picture ends there, while echo fades into a cyst.
_EDGE_LIT = 0.15
#: Grey levels over which the last two lines of a picture spread at the least.
_EDGE_SPREAD = 24


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the picture lies.

    Attributes
    ----------
    content
        The smallest box around the pictures; the whole image where none is found.
    panels
        The boxes of two or more pictures, row by row; else empty.
    """

    content: Box
    panels: tuple[Box, ...] = ()


def find_layout(grey: NDArray[np.uint8]) -> Layout:
    """Find the picture or pictures in an image.

    Parameters
    ----------
    grey
        uint8 ``(H, W)``.
    """
    height, width = grey.shape
    lit = _lit(grey)
    leaves: list[Box] = []
    _cut(grey, lit, (0, 0, width, height), 0, leaves)
    pictures = _pictures(lit, leaves)
    if not pictures:
        return Layout((0, 0, width, height))
    left = min(box[0] for box in pictures)
    top = min(box[1] for box in pictures)
    right = max(box[0] + box[2] for box in pictures)
    bottom = max(box[1] + box[3] for box in pictures)
    content = (left, top, right - left, bottom - top)
    if len(pictures) == 1 or not all(_ends_sharply(grey, lit, box, content) for box in pictures):
        return Layout(content)
    return Layout(content, tuple(sorted(pictures, key=lambda box: (box[1], box[0]))))


def _ends_sharply(grey: NDArray[np.uint8], lit: NDArray[np.uint8], box: Box, content: Box) -> bool:
    """Tell whether a picture is lit up to every edge that does not lie on that of the content."""
    left, top, width, height = box
    right, bottom = left + width, top + height
    edges = []
    if left > content[0]:
        edges.append(np.s_[top:bottom, left : left + 2])
    if top > content[1]:
        edges.append(np.s_[top : top + 2, left:right])
    if right < content[0] + content[2]:
        edges.append(np.s_[top:bottom, right - 2 : right])
    if bottom < content[1] + content[3]:
        edges.append(np.s_[bottom - 2 : bottom, left:right])
    return all(
        float(lit[edge].mean()) >= _EDGE_LIT and int(np.ptp(grey[edge])) >= _EDGE_SPREAD
        for edge in edges
    )


def _lit(grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return 1 where a pixel differs from the tone of the frame, else 0."""
    edge = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    counts = np.bincount(edge, minlength=256)
    near = np.convolve(counts, np.ones(2 * _TOLERANCE + 1, np.int64), "same")
    tone = int(near.argmax()) if near.max() >= _FRAME_SHARE * edge.size else 0
    # Black is a frame whatever else is: a light window often holds a black screen. (NumPy and not
    # OpenCV, which takes the smallest images for scalars.)
    lit = grey > _TOLERANCE
    if tone > _TOLERANCE:
        lit &= (grey < tone - _TOLERANCE) | (grey > min(tone + _TOLERANCE, 255))
    return lit.view(np.uint8)


def _empty(grey: NDArray[np.uint8], lit: NDArray[np.uint8], axis: int) -> NDArray[np.bool_]:
    """Tell for each column (axis 0) or row (axis 1) whether there is nothing in it."""
    length = grey.shape[axis]
    share = cv2.reduce(lit, axis, cv2.REDUCE_SUM, dtype=cv2.CV_32S).ravel() / length
    # NumPy's extremes are many times faster than those of OpenCV's reduce.
    spread = grey.max(axis=axis) - grey.min(axis=axis)
    return np.asarray((share < _LIT_SHARE) | (spread <= _ONE_TONE), np.bool_)


def _runs(empty: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Return start and end of what lies between empty bands, bands too narrow left aside."""
    edges = np.flatnonzero(np.diff(np.concatenate([[True], empty, [True]]).astype(np.int8)))
    runs: list[tuple[int, int]] = []
    for start, end in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        if runs and start - runs[-1][1] < _BAND:
            runs[-1] = (runs[-1][0], end)
        else:
            runs.append((start, end))
    return runs


def _cut(
    grey: NDArray[np.uint8],
    lit: NDArray[np.uint8],
    box: Box,
    depth: int,
    leaves: list[Box],
) -> None:
    left, top, width, height = box
    window = (slice(top, top + height), slice(left, left + width))
    columns = _runs(_empty(grey[window], lit[window], 0))
    rows = _runs(_empty(grey[window], lit[window], 1))
    if not columns or not rows:
        return
    if len(columns) > 1:
        parts = [(left + a, top, b - a, height) for a, b in columns]
    else:
        ((a, b),) = columns
        parts = [(left + a, top + c, b - a, d - c) for c, d in rows]
    if parts == [box] or depth == _DEEPEST:
        leaves.append(box)
        return
    for part in parts:
        if min(part[2], part[3]) >= 2:
            _cut(grey, lit, part, depth + 1, leaves)


def _pictures(lit: NDArray[np.uint8], leaves: list[Box]) -> list[Box]:
    filled = []
    for box in leaves:
        left, top, width, height = box
        share = float(lit[top : top + height, left : left + width].mean())
        if min(width, height) >= _PICTURE_SIDE and share >= _PICTURE_LIT:
            filled.append(box)
    largest = max((width * height for _left, _top, width, height in filled), default=0)
    return [box for box in filled if box[2] * box[3] >= _PICTURE_SHARE * largest]
