"""Small networks with random weights whose explanations are known by other means."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bundle_factory
import numpy as np

from core.model import Gate, InputSpec, Outputs, Predictor, import_tensorflow, load_network

SIZE = 32
SPEC = InputSpec(SIZE, 1, "stretch", "signed")


def vgg() -> Any:
    """Build blocks of convolutions, flattened into two dense layers, as VGG is."""
    import_tensorflow()
    import keras
    from keras import layers

    image = tensor = keras.Input((SIZE, SIZE, 1))
    for block, count in enumerate((6, 10)):
        for turn in range(2):
            tensor = layers.Conv2D(
                count, 3, padding="same", activation="relu", name=f"block{block}_conv{turn}"
            )(tensor)
        tensor = layers.MaxPooling2D(name=f"block{block}_pool")(tensor)
    tensor = layers.Dense(16, activation="relu", name="hidden")(layers.Flatten()(tensor))
    out = layers.Dense(2, activation="softmax", name="classes")(tensor)
    return bundle_factory.seeded(keras.Model(image, out), 1)


def resnet() -> Any:
    """Build residual blocks with normalisation, pooled into one dense layer, as ResNet is."""
    import_tensorflow()
    import keras
    from keras import layers

    image = keras.Input((SIZE, SIZE, 1))
    tensor = layers.Conv2D(8, 3, strides=2, padding="same", name="stem")(image)
    for block in range(2):
        inner = layers.BatchNormalization()(tensor)
        inner = layers.Conv2D(8, 3, padding="same")(layers.ReLU()(inner))
        inner = layers.Conv2D(8, 3, padding="same", activation="relu")(inner)
        tensor = layers.Add(name=f"block{block}_add")([tensor, inner])
    tensor = layers.ReLU(name="last")(tensor)
    out = layers.Dense(2, activation="softmax", name="classes")(
        layers.GlobalAveragePooling2D()(tensor)
    )
    return bundle_factory.seeded(keras.Model(image, out), 2)


def looks_closer() -> Any:
    """Build a network that sees only a window, which lies where the picture is brightest."""
    import_tensorflow()
    import keras
    from keras import layers, ops

    image = keras.Input((SIZE, SIZE, 1))
    rows = np.arange(SIZE, dtype=np.float32)
    weight = ops.softmax(200 * ops.mean(image[..., 0], axis=2), axis=1)
    place = ops.stop_gradient(ops.sum(weight * rows, axis=1))
    window = ops.exp(-(((place[:, None] - rows[None]) / 6) ** 2))
    tensor = layers.Conv2D(6, 3, padding="same", name="last")(image * window[:, :, None, None])
    out = layers.Dense(2, activation="softmax", name="classes")(
        layers.GlobalAveragePooling2D()(tensor)
    )
    return bundle_factory.seeded(keras.Model(image, out), 4)


def pooled() -> Any:
    """Build a convolution, global average pooling and one dense layer: CAM's own architecture."""
    import_tensorflow()
    import keras
    from keras import layers

    image = keras.Input((SIZE, SIZE, 1))
    tensor = layers.Conv2D(6, 5, strides=2, activation="relu", name="last")(image)
    out = layers.Dense(2, activation="softmax", name="classes")(
        layers.GlobalAveragePooling2D()(tensor)
    )
    return bundle_factory.seeded(keras.Model(image, out), 3)


def mirroring() -> Any:
    """Build a model that reads the picture and its mirror image with one trunk."""
    import_tensorflow()
    import keras
    from keras import layers, ops

    image = keras.Input((SIZE, SIZE, 1))
    inner = keras.Input((SIZE, SIZE, 1))
    seen = layers.Conv2D(6, 3, strides=2, activation="relu", name="inside")(inner)
    trunk = keras.Model(inner, seen, name="trunk")
    straight = trunk(image)
    mirrored = trunk(ops.flip(image, axis=2))
    back = layers.Activation("linear", name="turned_back")(ops.flip(mirrored, axis=2))
    kept = layers.Activation("linear", name="straight")(straight)
    both = layers.Concatenate(name="both")([kept, back])
    wrong = layers.Concatenate(name="wrong")([straight, mirrored])
    scores = layers.Dense(2, name="classes")(
        layers.Concatenate()(
            [layers.GlobalAveragePooling2D()(both), layers.GlobalAveragePooling2D()(wrong)]
        )
    )
    return bundle_factory.seeded(keras.Model(image, scores), 4)


def in_parts() -> Any:
    """Build a model whose heads read a feature map of 12 channels by parts, equal ones and not."""
    import_tensorflow()
    import keras
    from keras import layers

    image = keras.Input((SIZE, SIZE, 1))
    maps = layers.Conv2D(12, 5, strides=2, activation="relu", name="last")(image)
    flat = layers.Reshape((14 * 14, 12))(maps)
    read = [
        *(maps[..., at : at + 4] for at in (0, 4, 8)),
        maps[:, :, :, -6:],
        maps[..., ::2],
        maps[..., 2:5],
        maps[:, 3:9, :, :6],
        layers.Reshape((14, 14, 3))(flat[:, :, 9:]),
        maps[..., 7][..., None],
        maps[:, 4:8],
    ]
    means = layers.Concatenate()([layers.GlobalAveragePooling2D()(part**2) for part in read])
    out = layers.Dense(2, activation="softmax", name="classes")(means)
    return bundle_factory.seeded(keras.Model(image, out), 5)


def logits_of(model: Any) -> Any:
    """Return a model of the same weights that ends before the softmax of its last layer."""
    import keras

    last = model.layers[-1]
    linear = keras.layers.Dense(last.units, name="linear_classes")
    found = keras.Model(model.input, linear(last.input))
    linear.set_weights(last.get_weights())
    return found


def predictor(
    folder: Path, model: Any, *, reads: int = 2, outputs: Outputs | None = None, **changes: Any
) -> Predictor:
    """Write a model as a bundle of two classes and load it, past the cache of predictors."""
    card = bundle_factory.classifier_card(
        input=SPEC, outputs=Outputs() if outputs is None else outputs, **changes
    )
    bundle = bundle_factory.write(folder, model, card)
    return Predictor(bundle, load_network(bundle), Gate(reads))


def noise(count: int, seed: int = 0, size: int = SIZE, channels: int = 1) -> np.ndarray:
    """Make inputs in which no two pixels are alike, so that no maximum is shared."""
    rng = np.random.default_rng(seed)
    return rng.normal(0, 1, (count, size, size, channels)).astype(np.float32)
