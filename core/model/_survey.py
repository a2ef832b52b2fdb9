"""Which feature maps of a model can explain a class: those it depends on, that lie on the image.

A map can have rows and columns and yet not lie on the image: inside a model that also reads the
mirrored picture, half of the maps are mirrored, and some hold both pictures as two of a batch; a
model that looks at the lesion once more, closer, has maps of that part of the picture alone. Heat
drawn from one of them would point at the wrong place. So a model is shown pictures in which one
corner changes, noise and synthetic scans with a lesion far from those corners, and a map counts
only if it changes at that corner in all of them. Where a model looks closer is held as in the
picture before the change, wherever it says what it decides (``stop_gradient``): a corner that moved
the closer look by a little would change all of such a map, and that falls on the right side at
times. Another model might not say, so there is more than one scan, with the lesion elsewhere.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.model._graph import Forward
from core.model._preprocess import InputSpec, preprocess
from core.scan import LesionSpec, PhantomSpec, make_phantom

#: Centres of the corners that change, as shares of rows and columns less a half. Two that are not
#: opposite tell all ways apart in which a square can be mirrored or turned.
_CORNERS = ((-0.25, -0.25), (-0.25, 0.25))
#: Half the side of a corner, as a share of the picture's. It ends before a closer look at the
#: lesions begins.
_HALF = 0.12
#: How far a map's change must lie from the middle, on the right side: a quarter where it follows
#: the corner exactly, less where each of its points sees much of the picture, and nothing where it
#: holds a picture and its mirror image.
_LEAST = 0.03
#: Where the lesion of each scan lies, as shares of its width and height. Small ones: what lies
#: around them, closer, must not reach the corners.
_LESIONS = ((0.72, 0.7), (0.3, 0.72))


def usable_maps(forward: Forward) -> tuple[str, ...]:
    """Return the names of the feature maps that can explain a class, in the network's order.

    Runs the model twice, uncompiled: that is far quicker than a graph that gives out every map of
    the model.
    """
    import tensorflow as tf

    named = forward.card.outputs.cam_features
    inputs = tf.constant(_pictures(forward.card.input))
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(inputs)
        parts = forward(inputs, at=inputs[:: 1 + len(_CORNERS)])
    maps = list(parts.layers.values())
    gradients = tape.gradient(parts.scores, maps) if maps else []
    return tuple(
        name
        for name, found, gradient in zip(parts.layers, maps, gradients, strict=True)
        if gradient is not None
        # What the card names is taken at its word.
        and (name == named or _lies_on_the_image(tf.cast(found, tf.float32).numpy()))
    )


def _lies_on_the_image(maps: NDArray[np.float32]) -> bool:
    """Tell whether a map's batch is the pictures, and its places are theirs."""
    each = 1 + len(_CORNERS)
    if len(maps) != (1 + len(_LESIONS)) * each:
        return False
    starts = range(0, len(maps), each)
    return all(_follows_the_corners(maps[start : start + each]) for start in starts)


def _follows_the_corners(maps: NDArray[np.float32]) -> bool:
    change = np.square(maps[1:].astype(np.float64) - maps[:1]).sum(axis=3)
    for corner, where in zip(_CORNERS, change, strict=True):
        total = where.sum()
        if not 0 < total < np.inf:
            return False
        for axis, side in enumerate(corner):
            length = where.shape[axis]
            # A map of one row or column has no side to be on.
            if length == 1:
                continue
            places = (np.arange(length) + 0.5) / length - 0.5
            centre = (where.sum(axis=1 - axis) * places).sum() / total
            if centre * np.sign(side) < _LEAST:
                return False
    return True


def _pictures(spec: InputSpec) -> NDArray[np.float32]:
    """Make the inputs: noise, the same with other noise in each corner in turn; so each scan."""
    rng = np.random.default_rng(0)
    # Coarse grain, which pooling does not average away.
    grain = max(1, spec.size // 24)
    side = -(-spec.size // grain)
    both = []
    for _turn in range(2):
        noise = rng.integers(0, 256, (side, side), dtype=np.uint8)
        noise = np.repeat(np.repeat(noise, grain, axis=0), grain, axis=1)
        both.append(preprocess(noise[: spec.size, : spec.size].copy(), spec)[0])
    plain, other = both
    turns = [(plain, other)]
    for seed, centre in enumerate(_LESIONS):
        lesion = LesionSpec(centre=centre, width_mm=8.0, height_mm=6.0, echo_db=-30.0)
        phantom = make_phantom(PhantomSpec(lesion=lesion), seed=4 + seed).scan
        scan = preprocess(phantom.pixels, spec)[0]
        # In a scan a corner gets but more contrast: noise there might pass for a lesion.
        turns.append((scan, scan * np.float32(1.3)))
    found = []
    for picture, instead in turns:
        found.append(picture)
        for centre in _CORNERS:
            rows, columns = (
                slice(round((0.5 + at - _HALF) * spec.size), round((0.5 + at + _HALF) * spec.size))
                for at in centre
            )
            changed = picture.copy()
            changed[rows, columns] = instead[rows, columns]
            found.append(changed)
    return np.stack(found)
