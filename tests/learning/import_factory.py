"""Keras files as people bring them, sound and not, for the tests of import-model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bundle_factory
import numpy as np

from core.model import import_tensorflow


def keras_layers() -> Any:
    """Return ``keras.layers`` on the backend that the room chooses."""
    import_tensorflow()
    from keras import layers

    return layers


def vgg() -> Any:
    """Two blocks of two convolutions, a hidden layer, one sigmoid: as tutorials make it."""
    layers = keras_layers()
    import keras

    parts = [keras.Input((32, 32, 1))]
    for count in (4, 8):
        parts += [layers.Conv2D(count, 3, padding="same", activation="relu") for _ in range(2)]
        parts.append(layers.MaxPooling2D())
    parts += [layers.Flatten(), layers.Dense(8, activation="relu")]
    return bundle_factory.seeded(keras.Sequential([*parts, layers.Dense(1, "sigmoid")]), 3)


def resnet(ending: str | None = "softmax") -> Any:
    """Residual blocks in a nested model, and a head on it: as transfer learning makes it."""
    layers = keras_layers()
    import keras

    image = keras.Input((None, None, 3))
    tensor = layers.Conv2D(8, 3, strides=2, padding="same")(image)
    for _block in range(2):
        inner = layers.BatchNormalization()(layers.Conv2D(8, 3, padding="same")(tensor))
        tensor = layers.Add()([tensor, layers.ReLU()(inner)])
    body = keras.Model(image, tensor, name="resnet-small")
    top = keras.Input((32, 32, 3))
    pooled = layers.GlobalAveragePooling2D()(body(top))
    return bundle_factory.seeded(keras.Model(top, layers.Dense(3, ending)(pooled)), 4)


def with_input(*shape: int | None) -> Any:
    layers = keras_layers()
    import keras

    image = keras.Input(shape)
    flat = image if len(shape) == 1 else layers.GlobalAveragePooling2D()(image)
    return keras.Model(image, layers.Dense(2, "softmax")(flat))


def two_heads() -> Any:
    layers = keras_layers()
    import keras

    image = keras.Input((32, 32, 1))
    flat = layers.Flatten()(image)
    heads = {"kind": layers.Dense(2)(flat), "side": layers.Dense(2)(flat)}
    return bundle_factory.seeded(keras.Model(image, heads))


def with_lambda() -> Any:
    layers = keras_layers()
    import keras

    image = keras.Input((32, 32, 1))
    doubled = layers.Lambda(lambda x: x * 2, output_shape=(32, 32, 1))(image)
    return keras.Model(image, layers.Dense(2)(layers.Flatten()(doubled)))


def with_own_layer() -> Any:
    layers = keras_layers()
    import keras

    class AttentionGate(layers.Layer):
        def call(self, inputs: Any) -> Any:
            return inputs

    image = keras.Input((32, 32, 1))
    return keras.Model(image, layers.Dense(2)(layers.Flatten()(AttentionGate()(image))))


def with_nan() -> Any:
    model = vgg()
    kernel = model.weights[0]
    values = kernel.value.numpy().copy()
    values.flat[0] = np.nan
    kernel.assign(values)
    return model


def unbounded_map() -> Any:
    layers = keras_layers()
    import keras

    image = keras.Input((32, 32, 1))
    features = layers.Conv2D(4, 3, padding="same", name="last")(image)
    pooled = layers.Dense(2, name="kind")(layers.GlobalAveragePooling2D()(features))
    lesion = layers.Conv2D(1, 1, name="where")(features)
    return bundle_factory.seeded(keras.Model(image, [pooled, lesion]))


def unit_softmax() -> Any:
    layers = keras_layers()
    import keras

    image = keras.Input((32, 32, 1))
    return keras.Model(image, layers.Dense(1, "softmax")(layers.Flatten()(image)))


_NETWORKS = {
    "vgg": vgg,
    "resnet": resnet,
    "scores": lambda: resnet(None),
    "lesion": bundle_factory.lesion_net,
    "heads": two_heads,
    "table": lambda: with_input(20),
    "oblong": lambda: with_input(32, 48, 1),
    "first": lambda: with_input(3, 32, 32),
    "open": lambda: with_input(None, None, 1),
    "lambda": with_lambda,
    "layer": with_own_layer,
    "nan": with_nan,
    "map": unbounded_map,
    "unit": unit_softmax,
}


def network_files(folder: Path, *kinds: str) -> dict[str, Path]:
    """Write these kinds of networks, by default all there are; return where each lies."""
    found = {kind: folder / f"{kind}.keras" for kind in kinds or _NETWORKS}
    for kind, path in found.items():
        _NETWORKS[kind]().save(path)
    return found
