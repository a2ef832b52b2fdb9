"""A closer look: what a network sees of the lesion when it is shown nothing else, and larger.

A network that reads the whole picture at 128 pixels has few pixels left for a lesion, and what
tells a benign one from a malignant one is its margin and its texture. So the class is read a second
time off a square cut around the lesion out of a finer picture, as a reader would zoom in (a coarse
network that says where a fine one looks: Shen et al., Medical Image Analysis 68, 2021).
"""

from __future__ import annotations

import math
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from core.learning.blocks import convolve, locally_normalised, residual

#: Middle, down and across, and half the side of squares, (N,) each, as shares of a picture's side.
Squares: TypeAlias = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]

#: Side of what is cut out, in pixels.
SIDE = 96
#: Channels at 1/2, 1/4, 1/8 and 1/16 of that.
CHANNELS = (32, 48, 72, 104)
#: Half the square, in standard deviations of the lesion: an ellipse ends after two.
_MARGIN = 3.0
#: The smallest half of a square, as a share of the picture's side.
_SMALLEST = 10 / 128
#: What is less than this is no lesion, and the whole of a map that holds less than a few pixels'
#: worth of more is looked at.
_LEAST, _WHOLE = 0.3, 8 / 128**2


def closer_look(labels: int, *, side: int = SIDE, dropout: float = 0.3, name: str) -> Any:
    """Build the network that reads what was cut out.

    Parameters
    ----------
    labels
        Number of classes.
    side
        Side of its input in pixels; a multiple of 16.
    dropout
        Dropped share of the pooled features while training.
    name
        Of the model; its two parts are called after it.

    Returns
    -------
    keras.Model
        Input (N, side, side, 1) float32, standardised. Outputs: ``class_logits`` (N, labels) and
        ``suspicion`` (N, 1), as those of :func:`core.learning.lesion_net.lesion_net`. Its part
        ``<name>_features`` gives the map (N, side/16, side/16, C) whose means its part
        ``<name>_head`` reads.
    """
    import keras
    from keras import layers

    picture = keras.Input((side, side, 1), name="image")
    x = layers.Concatenate()([picture, locally_normalised(picture)])
    x = layers.ReLU()(convolve(x, CHANNELS[0], 5, 2))
    x = residual(x, CHANNELS[0])
    for channels in CHANNELS[1:]:
        x = residual(x, channels, 2)
        x = residual(x, channels)
    x = layers.Activation("linear", dtype="float32")(x)
    features = keras.Model(picture, x, name=f"{name}_features")

    pooled = keras.Input((CHANNELS[-1],), dtype="float32")
    y = layers.Dropout(dropout, dtype="float32")(pooled)
    logits = layers.Dense(labels, dtype="float32")(y)
    suspicion = layers.Dense(1, dtype="float32")(y)
    head = keras.Model(pooled, [logits, suspicion], name=f"{name}_head")

    image = keras.Input((side, side, 1), name="image")
    found = layers.GlobalAveragePooling2D(dtype="float32")(features(image))
    scores, suspicious = head(found)
    return keras.Model(image, {"class_logits": scores, "suspicion": suspicious}, name=name)


def where(lesion: Any, ops: Any = np) -> tuple[Any, Any, Any]:
    """Return the square around a lesion: its middle, down and across, and half its side.

    All as shares of the picture's side. Where there is no lesion it is the whole picture; between
    the two it changes without a jump, so that gradients can follow it.

    Parameters
    ----------
    lesion
        (N, h, h) of 0..1.
    ops
        ``numpy``, or ``keras.ops`` for tensors.
    """
    side = lesion.shape[1]
    place = (np.arange(side, dtype=np.float32) + np.float32(0.5)) / np.float32(side)
    weight = ops.maximum(lesion - _LEAST, 0.0)
    area = ops.sum(weight, axis=(1, 2)) / side**2
    rows, columns = ops.sum(weight, axis=2), ops.sum(weight, axis=1)
    total = ops.sum(rows, axis=1) + 1e-6

    def of(line: Any) -> tuple[Any, Any]:
        middle = ops.sum(line * place[None], axis=1) / total
        variance = ops.sum(line * place[None] ** 2, axis=1) / total - middle * middle
        return middle, variance

    (down, high), (across, wide) = of(rows), of(columns)
    spread = ops.sqrt(ops.maximum(ops.maximum(high, wide), 1e-6))
    there = ops.minimum(area / _WHOLE, 1.0)
    half = ops.minimum(ops.maximum(_MARGIN * spread, _SMALLEST), 0.5)
    return (
        there * down + (1 - there) * 0.5,
        there * across + (1 - there) * 0.5,
        there * half + (1 - there) * 0.5,
    )


def cut_out(
    picture: Any, down: Any, across: Any, half: Any, *, side: int = SIDE, ops: Any = np
) -> Any:
    """Cut squares out of pictures and bring them to one size.

    Each pixel of the result is a mean over its neighbours, as wide as it has to be where the
    picture shrinks; what lies outside the picture is 0. Two products of matrices, so that it needs
    no operation of its own in a saved model and has gradients in the square too.

    Parameters
    ----------
    picture
        (N, S, S) float32.
    down, across, half
        (N,) as :func:`where` returns them.

    Returns
    -------
    (N, side, side) float32.
    """
    size = picture.shape[1]
    by_row = sampled(size, down, half, side, ops)
    by_column = sampled(size, across, half, side, ops)
    return ops.matmul(ops.matmul(by_row, picture), ops.swapaxes(by_column, 1, 2))


def sampled(size: int, middle: Any, half: Any, side: int, ops: Any = np) -> Any:
    """Return (N, side, size): what each of ``side`` places along a square takes of each pixel."""
    step = (2 * (np.arange(side, dtype=np.float32) + np.float32(0.5)) / np.float32(side) - 1)[None]
    place = (middle[:, None] + half[:, None] * step) * size - 0.5
    reach = ops.maximum(2 * half * size / side, 1.0)[:, None, None]

    def weight(distance: Any) -> Any:
        return ops.maximum(1 - ops.abs(distance) / reach, 0.0)

    # What the weights would add up to on a picture without edges: without it, a pattern shows.
    near = math.ceil(1.1 * size / side) + 1
    offsets = np.arange(-near, near + 2, dtype=np.float32)[None, None]
    total = ops.sum(weight((place - ops.floor(place))[:, :, None] - offsets), axis=2, keepdims=True)
    pixel = np.arange(size, dtype=np.float32)[None, None]
    return weight(place[:, :, None] - pixel) / total


def put_back(features: Any, down: Any, across: Any, half: Any, size: int, ops: Any) -> Any:
    """Bring the map of what was cut out to where it lies in the picture.

    Shared out, not interpolated: the mean over the picture is the mean over the square, so that a
    score that is read off means is still a sum over the places of the picture.

    Parameters
    ----------
    features
        (N, h, h, C).
    size
        Side of the map that covers the picture, in places.

    Returns
    -------
    (N, size, size, C); where the square reaches over the picture's edge, that part is at the edge.
    """
    side = features.shape[1]
    rows, columns = (_shares(size, middle, half, side, ops) for middle in (down, across))
    spread = ops.einsum("nij,njkc->nikc", rows, features)
    return ops.einsum("nlk,nikc->nilc", columns, spread) * (size / side) ** 2


def _shares(size: int, middle: Any, half: Any, side: int, ops: Any) -> Any:
    """Return (N, size, side): how much of each part of a square lies on each place of the map."""
    edges = np.arange(side + 1, dtype=np.float32) / np.float32(side) * 2 - 1
    at = ops.clip(middle[:, None] + half[:, None] * edges[None], 1e-4, 1 - 1e-4) * size
    low, high = at[:, None, :-1], at[:, None, 1:]
    # A part that lies outside has no length left: it goes to the place at the edge.
    middle_of = (low + high) / 2
    low, high = ops.minimum(low, middle_of - 1e-4), ops.maximum(high, middle_of + 1e-4)
    place = np.arange(size, dtype=np.float32)[None, :, None]
    overlap = ops.maximum(ops.minimum(high, place + 1) - ops.maximum(low, place), 0.0)
    return overlap / ops.sum(overlap, axis=1, keepdims=True)


def standardised(picture: Any, ops: Any = np) -> Any:
    """Return (N, S, S) pictures less their mean, over their deviation."""
    mean = ops.mean(picture, axis=(1, 2), keepdims=True)
    variance = ops.mean((picture - mean) ** 2, axis=(1, 2), keepdims=True)
    return (picture - mean) / ops.sqrt(variance + 1e-4)


def jittered(squares: Squares, rng: np.random.Generator) -> Squares:
    """Return squares that are a little off."""
    down, across, half = squares
    n = len(half)

    def shifted(middle: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.asarray(middle + rng.normal(0.0, 0.1, n) * half, np.float32)

    scale = np.exp(rng.normal(0.0, 0.12, n))
    return shifted(down), shifted(across), np.minimum(half * scale, 0.55).astype(np.float32)
