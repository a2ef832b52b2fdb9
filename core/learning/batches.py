"""From decoded pictures to what a network is trained on, batch by batch."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from core.learning.architectures import Network
from core.learning.augment import augment, augment_closer, unchanged
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


def batches(
    arrays: Arrays, config: TrainingConfig, network: Network, fine: Arrays | None = None
) -> Any:
    """Return a ``keras.utils.PyDataset`` of augmented batches, the same for the same seed.

    Parameters
    ----------
    arrays
        What is learned.
    config, network
        The run and its network.
    fine
        The same rows at twice the side: of these a share of ``config.closer`` is shown as a square
        around the lesion. None shows whole pictures only.
    """
    import keras

    changes = config.augmentation != "none"
    closer = config.closer if fine is not None and changes and network.has_lesion_map else 0.0

    def shown(i: int, rng: np.random.Generator) -> tuple[FloatImage, FloatImage]:
        if fine is not None and closer and rng.random() < closer:
            picture, lesion, within = augment_closer(
                fine.images[i], fine.masks[i], fine.inside[i], rng
            )
            found = network_input(picture, within, network.spec)
            # As the finished network brings a square that it cut out to its own scale.
            return (found - found.mean()) / np.sqrt(found.var() + np.float32(1e-4)), lesion
        change = augment if changes else unchanged
        picture, lesion, within = change(arrays.images[i], arrays.masks[i], arrays.inside[i], rng)
        return network_input(picture, within, network.spec), lesion

    class Batches(keras.utils.PyDataset):  # type: ignore[misc]
        def __init__(self) -> None:
            # Two at least: with one, Keras hands the batches to tf.data's own prefetching, which
            # at the start of some epochs waits 5 seconds for nothing.
            super().__init__(workers=2, max_queue_size=4)
            self.epoch = 0

        def __len__(self) -> int:
            return math.ceil(len(arrays.labels) / config.batch)

        def __getitem__(self, number: int) -> tuple[Any, Any]:
            epoch = self.epoch
            order = np.random.default_rng((config.seed, epoch)).permutation(len(arrays.labels))
            chosen = order[number * config.batch : (number + 1) * config.batch]
            rng = np.random.default_rng((config.seed, epoch, number))
            images, lesions = [], []
            for i in chosen:
                picture, lesion = shown(i, rng)
                images.append(picture)
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


def as_read(arrays: Arrays, spec: InputSpec) -> Iterator[FloatImage]:
    """Yield the pictures as the network reads them, (n, S, S, channels), some at a time."""
    for start in range(0, len(arrays.labels), _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        found = []
        for image, mask, box in zip(
            arrays.images[part], arrays.masks[part], arrays.inside[part], strict=True
        ):
            picture, _mask, within = unchanged(image, mask, box)
            found.append(network_input(picture, within, spec))
        yield np.stack(found)
