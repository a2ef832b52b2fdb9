"""From decoded pictures to what a network is trained on, batch by batch."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from core.learning import closer_look as looking
from core.learning.architectures import Network
from core.learning.augment import augment, moved, relit, unchanged
from core.learning.dataset import Arrays
from core.learning.lesion_net import CLASS_LOGITS, LESION, LESION_COARSE, SUSPICION
from core.learning.losses import UNKNOWN
from core.model import InputSpec, intensity

if TYPE_CHECKING:
    from core.learning.training import TrainingConfig

FloatImage = NDArray[np.float32]
#: Pictures that are read at once where all are needed: a bound on memory.
_AT_ONCE = 64


def network_input(picture: FloatImage, within: NDArray[np.bool_], spec: InputSpec) -> FloatImage:
    """Bring an augmented picture into a network's units, as :func:`core.model.preprocess` does.

    Parameters
    ----------
    picture
        (S, S) float32, 0..255.
    within
        (S, S) bool, where the picture lies in the square.
    spec
        What the network takes.

    Returns
    -------
    (S, S, channels) float32, ``spec.pad`` around the picture.
    """
    content = np.repeat(picture[within][:, None, None], spec.channels, axis=2)
    result = np.full((*picture.shape, spec.channels), spec.pad, np.float32)
    if content.size:
        result[within] = intensity(content, spec.intensity)[:, 0]
    return result


def batches(arrays: Arrays, config: TrainingConfig, network: Network) -> Any:
    """Return a ``keras.utils.PyDataset`` of augmented batches, the same for the same seed."""
    import keras

    change = unchanged if config.augmentation == "none" else augment

    class Batches(keras.utils.PyDataset):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__(workers=1, max_queue_size=4)
            self.epoch = 0

        def __len__(self) -> int:
            return math.ceil(len(arrays.labels) / config.batch)

        def __getitem__(self, number: int) -> tuple[Any, Any]:
            epoch = self.epoch
            order = np.random.default_rng((config.seed, epoch)).permutation(len(arrays.labels))
            chosen = order[number * config.batch : (number + 1) * config.batch]
            rng = np.random.default_rng((config.seed, epoch, number))
            if network.whole is not None:
                truth = {CLASS_LOGITS: arrays.labels[chosen], SUSPICION: arrays.suspicion[chosen]}
                return _looks(arrays, chosen, network.spec.size, rng, config.augmentation), truth
            images, lesions = [], []
            for i in chosen:
                picture, lesion, within = change(
                    arrays.images[i], arrays.masks[i], arrays.inside[i], rng
                )
                images.append(network_input(picture, within, network.spec))
                lesions.append(lesion if arrays.outlined[i] else np.full_like(lesion, UNKNOWN))
            labels = arrays.labels[chosen]
            if not network.has_lesion_map:
                return np.stack(images), labels
            side = config.size // 8
            coarse = [
                cv2.resize(each, (side, side), interpolation=cv2.INTER_AREA) for each in lesions
            ]
            return np.stack(images), {
                CLASS_LOGITS: labels,
                LESION: np.stack(lesions)[..., None],
                LESION_COARSE: np.stack(coarse)[..., None],
                SUSPICION: arrays.suspicion[chosen],
            }

        def on_epoch_end(self) -> None:
            self.epoch += 1

    return Batches()


def as_read(
    arrays: Arrays, spec: InputSpec, whole: InputSpec | None = None
) -> Iterator[FloatImage]:
    """Yield the pictures as a network reads them, (n, S, S, channels), some at a time.

    Parameters
    ----------
    spec, whole
        As of :class:`core.learning.architectures.Network`. A closer look is taken at the lesion as
        it is marked.
    """
    for start in range(0, len(arrays.labels), _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        given = zip(arrays.images[part], arrays.masks[part], arrays.inside[part], strict=True)
        if whole is not None:
            plain = [_centred(*unchanged(*each)) for each in given]
            pictures, lesions, _means = (np.stack(values) for values in zip(*plain, strict=True))
            cut = looking.cut_out(pictures, *looking.where(lesions), side=spec.size)
            yield np.asarray(looking.standardised(cut), np.float32)[..., None]
            continue
        found = []
        for each in given:
            picture, _mask, within = unchanged(*each)
            found.append(network_input(picture, within, spec))
        yield np.stack(found)


def _looks(
    arrays: Arrays, chosen: NDArray[np.int64], side: int, rng: np.random.Generator, how: str
) -> FloatImage:
    """Return what a closer look sees of pictures, changed at random: (n, side, side, 1)."""
    change = unchanged if how == "none" else moved
    each = [
        _centred(*change(arrays.images[i], arrays.masks[i], arrays.inside[i], rng)) for i in chosen
    ]
    pictures, lesions, means = (np.stack(values) for values in zip(*each, strict=True))
    squares = _off_by_a_little(lesions, arrays.outlined[chosen], rng)
    cut = looking.cut_out(pictures, *squares, side=side) + means[:, None, None]
    if how != "none":
        # Of what was cut out only: the rest is not seen.
        cut = np.stack([relit(np.asarray(one, np.float32), rng) for one in cut])
    return np.asarray(looking.standardised(cut), np.float32)[..., None]


def _centred(
    picture: FloatImage, lesion: FloatImage, within: NDArray[np.bool_]
) -> tuple[FloatImage, FloatImage, np.float32]:
    """Return the picture less its mean, 0 around it as the network reads it, and the mean."""
    mean = picture[within].mean(dtype=np.float32)
    return np.where(within, picture - mean, np.float32(0)), lesion, mean


def _off_by_a_little(
    lesions: FloatImage, outlined: NDArray[np.bool_], rng: np.random.Generator
) -> looking.Squares:
    """Return the squares a closer look is taken at, as an outline that nobody corrected has them.

    What has no lesion gets a square all the same: on the whole picture only, that alone would tell
    it from the others. And now and then a lesion is overlooked.
    """
    down, across, half = looking.jittered(looking.where(lesions), rng)
    empty = ~(lesions > 0.5).any(axis=(1, 2))
    n = int(empty.sum())
    down[empty] = rng.uniform(0.25, 0.75, n)
    across[empty] = rng.uniform(0.25, 0.75, n)
    half[empty] = rng.uniform(0.1, 0.5, n)
    overlooked = (rng.random(len(lesions)) < 0.05) | ~outlined
    for values in (down, across, half):
        values[overlooked] = 0.5
    return down, across, half
