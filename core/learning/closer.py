"""Where a network looks a second time: a square around the lesion, as a reader would zoom in.

A network that reads the whole picture at 128 pixels has few pixels left for a small lesion. Shown a
square around what it outlined, out of a finer picture, it sees the lesion about as large in every
scan. (A coarse reading that says where a fine one looks: Shen et al., Medical Image Analysis 68,
2021.) Two products of matrices cut a square out and two put a map back, so that a saved model needs
no operation of its own and gradients run through the square too.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np


class Look(NamedTuple):
    """How much of a lesion's surroundings a closer look takes in.

    Attributes
    ----------
    margin
        Half the square, in standard deviations of the lesion along its longer axis (an ellipse
        ends after two).
    least
        Half the square at least, as a share of the picture's side.
    counts
        What an outline seen there counts, 0..1, against what was outlined before.
    """

    margin: float
    least: float
    counts: float


#: A lesion with as much again around it, and one with its rim.
LOOKS = WIDE, TIGHT = Look(4.0, 0.3, 0.6), Look(2.8, 0.2, 0.3)
#: How far into a square, as a share of its side, its outline comes to count that much.
_RIM = 1 / 16
#: A place below this is no lesion, and so is a map with less than a few pixels' worth above it.
_FAINT, _ENOUGH = 0.3, 8 / 128**2


def where(lesion: Any, ops: Any = np, look: Look = WIDE) -> tuple[Any, Any, Any]:
    """Return the square around a lesion: its middle, down and across, and half its side.

    All as shares of the picture's side; the square lies within the picture. Where there is no
    lesion it is the whole picture, and between the two it changes without a jump.

    Parameters
    ----------
    lesion
        (N, h, h) of 0..1.
    ops
        ``numpy``, or ``keras.ops`` for tensors.
    look
        How much of what lies around the lesion is wanted.

    Returns
    -------
    tuple
        Three of (N,).
    """
    side = lesion.shape[1]
    place = (np.arange(side, dtype=np.float32) + np.float32(0.5)) / np.float32(side)
    weight = ops.maximum(lesion - _FAINT, 0.0)
    rows, columns = ops.sum(weight, axis=2), ops.sum(weight, axis=1)
    total = ops.sum(rows, axis=1)

    def of(line: Any) -> tuple[Any, Any]:
        middle = ops.sum(line * place[None], axis=1) / (total + 1e-6)
        variance = ops.sum(line * place[None] ** 2, axis=1) / (total + 1e-6) - middle * middle
        return middle, variance

    (down, high), (across, wide) = of(rows), of(columns)
    spread = ops.sqrt(ops.maximum(ops.maximum(high, wide), 1e-6))
    there = ops.minimum(total / side**2 / _ENOUGH, 1.0)
    half = ops.minimum(ops.maximum(look.margin * spread, look.least), 0.5)
    half = there * half + (1 - there) * 0.5

    def within(middle: Any) -> Any:
        middle = there * middle + (1 - there) * 0.5
        return ops.minimum(ops.maximum(middle, half), 1 - half)

    return within(down), within(across), half


def cut_out(picture: Any, down: Any, across: Any, half: Any, side: int, ops: Any = np) -> Any:
    """Cut squares out of pictures and bring them to one size.

    Each pixel of the result is a mean over its neighbours, as wide as it has to be where the
    picture shrinks.

    Parameters
    ----------
    picture
        (N, S, S) float32.
    down, across, half
        As :func:`where` returns them.
    side
        Of the result, in pixels.

    Returns
    -------
    (N, side, side) float32.
    """
    size = picture.shape[1]
    by_row = _sampled(size, down, half, side, ops)
    by_column = _sampled(size, across, half, side, ops)
    return ops.matmul(ops.matmul(by_row, picture), ops.swapaxes(by_column, 1, 2))


def _sampled(size: int, middle: Any, half: Any, side: int, ops: Any) -> Any:
    """Return (N, side, size): what each of ``side`` places along a square takes of each pixel."""
    step = (2 * (np.arange(side, dtype=np.float32) + np.float32(0.5)) / np.float32(side) - 1)[None]
    place = (middle[:, None] + half[:, None] * step) * size - 0.5
    reach = ops.maximum(2 * half * size / side, 1.0)[:, None, None]

    def weight(distance: Any) -> Any:
        return ops.maximum(1 - ops.abs(distance) / reach, 0.0)

    # What the weights would add up to on a picture without edges: without it, a pattern shows.
    near = math.ceil(size / side) + 1
    offsets = np.arange(-near, near + 2, dtype=np.float32)[None, None]
    total = ops.sum(weight((place - ops.floor(place))[:, :, None] - offsets), axis=2, keepdims=True)
    pixel = np.arange(size, dtype=np.float32)[None, None]
    return weight(place[:, :, None] - pixel) / total


def put_back(features: Any, down: Any, across: Any, half: Any, ops: Any = np) -> Any:
    """Bring the map of a square to where it lies in the picture.

    Shared out by area and not interpolated: the mean over the picture is the mean over the square,
    so that a score that is read off means is still a sum over the places of the picture.

    Parameters
    ----------
    features
        (N, h, h, C) over the square.

    Returns
    -------
    (N, h, h, C) over the picture, 0 outside the square.
    """
    side = features.shape[1]
    rows, columns = (_shares(side, middle, half, ops) for middle in (down, across))
    down_first = ops.einsum("nij,njkc->nikc", rows, features)
    return ops.einsum("nlk,nikc->nilc", columns, down_first)


def _shares(side: int, middle: Any, half: Any, ops: Any) -> Any:
    """Return (N, side, side): how much of each part of a square lies on each place of the map."""
    edges = np.arange(side + 1, dtype=np.float32) / np.float32(side) * 2 - 1
    at = (middle[:, None] + half[:, None] * edges[None]) * side
    place = np.arange(side, dtype=np.float32)[None, :, None]
    low = ops.maximum(at[:, None, :-1], place)
    overlap = ops.maximum(ops.minimum(at[:, None, 1:], place + 1) - low, 0.0)
    return overlap / ops.sum(overlap, axis=1, keepdims=True)


def laid_over(
    whole: Any,
    closer: Any,
    down: Any,
    across: Any,
    half: Any,
    ops: Any = np,
    look: Look = WIDE,
) -> Any:
    """Return a weighted mean of a map of the picture and one of the square, where the square lies.

    Parameters
    ----------
    whole, closer
        (N, h, h), of the picture and of the square.
    look
        Says what the closer one counts.

    Returns
    -------
    (N, h, h); outside the square what ``whole`` says.
    """
    side = whole.shape[1]
    covered, parts = [], []
    for middle in (down, across):
        place = (np.arange(side, dtype=np.float32) + np.float32(0.5))[None] / np.float32(side)
        # Where the places of the picture lie in the square, as places of it.
        at = (1 - (middle[:, None] - place) / half[:, None]) / 2 * side - 0.5
        own = np.arange(side, dtype=np.float32)[None, None]
        inside = ops.minimum(ops.maximum(at, 0.0), side - 1.0)
        parts.append(ops.maximum(1 - ops.abs(inside[:, :, None] - own), 0.0))
        # From nothing at the rim, so that an outline that reaches over it does not break there.
        reach = ops.minimum(at + 0.5, side - 0.5 - at) / (_RIM * side)
        covered.append(ops.minimum(ops.maximum(reach, 0.0), 1.0))
    there = ops.matmul(ops.matmul(parts[0], closer), ops.swapaxes(parts[1], 1, 2))
    share = covered[0][:, :, None] * covered[1][:, None, :] * look.counts
    return (1 - share) * whole + share * there
