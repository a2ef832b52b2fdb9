"""``lesion-net``: the multi-task network that ships, and several of it averaged into one.

A residual U-Net (Ronneberger et al., MICCAI 2015), in two parts. The *trunk* outlines the lesion
and makes a feature map, weighed three times: under the outline, around it, and over the whole
picture. The *head* reads the class off the means of that map and off the outline's shape. But for
the shape a class score is thus a sum over places, and Grad-CAM shows what each of them adds to it
(global average pooling and one dense layer: Zhou et al., CVPR 2016). The outline is held constant
for the head (``stop_gradient``): the gradient of a class score ends at the feature map, so that
Grad-CAM costs next to nothing, and the classification loss cannot bend the outline.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from core.learning import closer

#: Names of the outputs, as a card names them.
CLASS_LOGITS = "class_logits"
LESION = "lesion"
LESION_COARSE = "lesion_coarse"
CAM_FEATURES = "cam_features"
EMBEDDING = "embedding"
SUSPICION = "suspicion"
#: How much finer a picture is read than a member of an average reads it.
FINER = 2

#: Channels that let four of them, averaged, fit into a bundle.
WIDTHS = (24, 48, 72, 104, 112)
#: How loud the head hears what lies far from the lesion.
_AWAY = 0.1
#: How far a feature is spread over the map it is shown on, in places to each side.
_SPREAD = 2
#: What the map of a lesion is at least where several are joined.
_LEAST = 1e-4
_SHAPE = "shape"


def lesion_net(
    size: int,
    labels: int,
    *,
    widths: Sequence[int] = WIDTHS,
    dropout: float = 0.3,
    name: str = "lesion_net",
) -> Any:
    """Build one ``lesion-net``.

    Parameters
    ----------
    size
        Side of the square input in pixels; a multiple of 16.
    labels
        Number of classes.
    widths
        Channels at 1/2, 1/4, 1/8 and 1/16 of the input's resolution, and of the deepest features.
    dropout
        Dropped share of the pooled features while training.
    name
        Of the model; its two parts are called after it.

    Returns
    -------
    keras.Model
        Input (N, size, size, 1) float32, standardised. Outputs, as a dictionary: ``class_logits``
        (N, labels); ``lesion`` (N, size, size, 1) probability 0..1; ``lesion_coarse``
        (N, size/8, size/8, 1), the same for deep supervision (Lee et al., AISTATS 2015);
        ``cam_features`` (N, size/8, size/8, 3 C), weighed under the outline, around it, and not at
        all; ``embedding`` (N, D), means of the encoder's maps;
        ``suspicion`` (N, 1), a logit: the BI-RADS category a reader would give, learned beside
        the class because it says more of a lesion than whether it was malignant (multi-task
        learning: Caruana, Machine Learning 28, 1997).
    """
    import keras

    if size % 16:
        raise ValueError("The input size must be a multiple of 16.")
    image = keras.Input((size, size, 1), name="image")
    trunk = _trunk(size, widths, name)
    head = _head(trunk, labels, dropout, name)
    found = trunk(image)
    logits, suspicion = head([found[CAM_FEATURES], found[_SHAPE]])
    kept = (LESION, LESION_COARSE, CAM_FEATURES, EMBEDDING)
    outputs = {CLASS_LOGITS: logits, SUSPICION: suspicion} | {each: found[each] for each in kept}
    return keras.Model(image, outputs, name=name)


def average_of(members: Sequence[Any]) -> Any:
    """Join trained networks to one that reads a picture twice with each.

    First the whole picture; then, out of a picture twice as fine, a square around what they
    outlined in it (:mod:`core.learning.closer`), from the other side: every second network reads
    the mirror image first, and the others the mirror image of the square. The first two networks
    look widely, the next two tightly, and so on. Scores are averaged (deep
    ensembles: Lakshminarayanan et al., NeurIPS 2017), and of outlines the cubic mean is taken, in
    which the surer network counts more; the feature maps stand side by side, each where it lies in
    the picture, and each head reads its own, so that one Grad-CAM explains the average. The
    embedding is the first network's of the whole picture: features of different networks have
    nothing in common that could be averaged.

    Parameters
    ----------
    members
        One or more of :func:`lesion_net`, of the same size and number of labels, with different
        names.

    Returns
    -------
    keras.Model
        Input of twice the members' side. Outputs as of :func:`lesion_net`, at the members' side,
        without ``lesion_coarse`` and ``suspicion``.
    """
    import keras
    from keras import layers, ops

    size = members[0].inputs[0].shape[1]
    image = keras.Input((FINER * size, FINER * size, 1), name="image")
    whole = _read(members, [layers.AveragePooling2D(FINER)(image)] * len(members), turn=0)
    # Held constant as for the heads: see above.
    lesion = ops.stop_gradient(_mean_of(whole, LESION)[..., 0])
    looks = [closer.LOOKS[at // 2 % len(closer.LOOKS)] for at in range(len(members))]
    squares = {look: closer.where(lesion, ops, look) for look in looks}
    cuts = {
        look: _standardised(closer.cut_out(image[..., 0], *square, size, ops))[..., None]
        for look, square in squares.items()
    }
    near = _read(members, [cuts[look] for look in looks], turn=1)
    lesion = _outlined(whole)
    for look, square in squares.items():
        alike = [found for found, own in zip(near, looks, strict=True) if own is look]
        lesion = closer.laid_over(lesion, _outlined(alike), *square, ops, look)
    maps = [found[CAM_FEATURES] for found in whole]
    for found, look in zip(near, looks, strict=True):
        maps.append(closer.put_back(found[CAM_FEATURES], *squares[look], ops))
    features = layers.Concatenate(name=CAM_FEATURES)(maps)
    channels = maps[0].shape[-1]
    scores = []
    for at, found in enumerate([*whole, *near]):
        member = members[at % len(members)]
        own = features[..., at * channels : (at + 1) * channels]
        score, _suspicion = member.get_layer(f"{member.name}_head")([own, found[_SHAPE]])
        scores.append(score)
    outputs = {
        CLASS_LOGITS: layers.Identity(name=CLASS_LOGITS)(ops.mean(ops.stack(scores), axis=0)),
        LESION: layers.Identity(name=LESION)(lesion[..., None]),
        CAM_FEATURES: features,
        EMBEDDING: layers.Identity(name=EMBEDDING)(whole[0][EMBEDDING]),
    }
    return keras.Model(image, outputs, name="lesion_net_average")


def _read(members: Sequence[Any], images: Sequence[Any], turn: int) -> list[dict[str, Any]]:
    """Return what each network makes of its picture, every second one of the mirror image.

    Maps are mirrored back. ``turn`` 0 begins with the picture as it is, 1 with the mirror image.
    """
    from keras import ops

    found = []
    for at, (member, image) in enumerate(zip(members, images, strict=True)):
        trunk = member.get_layer(f"{member.name}_trunk")
        if (at + turn) % 2 == 0:
            found.append(dict(trunk(image)))
            continue
        made = dict(trunk(ops.flip(image, axis=2)))
        maps = {name: ops.flip(made[name], axis=2) for name in (LESION, CAM_FEATURES)}
        found.append(made | maps)
    return found


def _mean_of(found: Sequence[dict[str, Any]], name: str) -> Any:
    from keras import ops

    return ops.mean(ops.stack([each[name] for each in found]), axis=0)


def _outlined(found: Sequence[dict[str, Any]]) -> Any:
    """Return what networks outline together, (N, S, S): the cubic mean of their maps.

    A faint lesion that one network of four outlines and the others hardly do has no outline by the
    plain mean. See the card of the bundle that ships for what either gave.
    """
    from keras import ops

    # Away from 0, where the root has no derivative.
    maps = ops.maximum(ops.stack([each[LESION][..., 0] for each in found]), _LEAST)
    return ops.mean(maps**3, axis=0) ** (1 / 3)


def _standardised(picture: Any) -> Any:
    """Return (N, S, S) pictures less their mean, over their deviation, as a member takes them."""
    from keras import ops

    mean = ops.mean(picture, axis=(1, 2), keepdims=True)
    variance = ops.mean((picture - mean) ** 2, axis=(1, 2), keepdims=True)
    return (picture - mean) / ops.sqrt(variance + 1e-4)


def _trunk(size: int, widths: Sequence[int], name: str) -> Any:
    import keras
    from keras import layers, ops

    image = keras.Input((size, size, 1))
    # The stem halves the picture at once: at full resolution a convolution costs four times as
    # much and an outline gains less than a pixel of the input from it.
    x = layers.Concatenate()([image, _locally_normalised(image)])
    x = layers.ReLU()(_convolve(x, widths[0], 5, 2))
    x = _residual(x, widths[0])
    skips = [x]
    for channels in widths[1:4]:
        x = _residual(x, channels, 2)
        x = _residual(x, channels)
        skips.append(x)
    deepest = _residual(x, widths[4])

    y = deepest
    decoded = []
    for skip, channels in zip(skips[-2::-1], widths[2::-1], strict=True):
        y = layers.UpSampling2D(2, interpolation="bilinear")(_convolve(y, channels, 1))
        y = layers.Concatenate()([y, skip])
        y = layers.ReLU()(_convolve(y, channels))
        y = layers.ReLU()(_convolve(y, channels))
        decoded.append(y)
    coarse = layers.Conv2D(1, 1, name="lesion_eighth")(decoded[0])
    coarse = layers.Activation("sigmoid", dtype="float32")(coarse)
    y = layers.Conv2D(1, 1, name="lesion_half")(y)
    y = layers.UpSampling2D(2, interpolation="bilinear")(y)
    lesion = layers.Activation("sigmoid", dtype="float32")(y)

    # Only layers and operations of Keras itself, so that the saved file loads in safe mode.
    inside = ops.stop_gradient(layers.AveragePooling2D(8, dtype="float32")(lesion))
    around = layers.MaxPooling2D(3, 1, "same", dtype="float32")(inside)
    deep = layers.UpSampling2D(2, interpolation="bilinear")(deepest)
    x = _residual(layers.Concatenate()([decoded[0], deep]), widths[3])
    # What lies far from the lesion speaks softly, so that the class is read off the lesion and
    # its margin; and it is read off this map alone, so that Grad-CAM sees all of it.
    x = layers.Multiply(dtype="float32", name="gated")([x, _AWAY + (1.0 - _AWAY) * around])

    def weighed(weight: Any) -> Any:
        # So that the mean over the picture is the mean under the weight.
        places = weight.shape[1] * weight.shape[2]
        return x * (weight * (places / (ops.sum(weight, axis=(1, 2), keepdims=True) + 1e-3)))

    features = layers.Concatenate(dtype="float32")([weighed(inside), weighed(around - inside), x])
    # A feature sees far more than its place, so it is shown as wide as a part of what it sees. A
    # mirrored rim keeps the mean over the picture, and with it every score, as it was.
    features = ops.pad(
        features, [[0, 0], [_SPREAD, _SPREAD], [_SPREAD, _SPREAD], [0, 0]], "symmetric"
    )
    features = layers.AveragePooling2D(2 * _SPREAD + 1, 1, dtype="float32")(features)
    embedding = layers.Concatenate(dtype="float32")(
        [layers.GlobalAveragePooling2D(dtype="float32")(each) for each in (*skips[1:], deepest)]
    )
    outputs = {
        LESION: lesion,
        LESION_COARSE: coarse,
        CAM_FEATURES: features,
        EMBEDDING: embedding,
        _SHAPE: _shape_of(lesion),
    }
    return keras.Model(image, outputs, name=f"{name}_trunk")


def _head(trunk: Any, labels: int, dropout: float, name: str) -> Any:
    import keras
    from keras import layers

    read = (CAM_FEATURES, _SHAPE)
    inputs = [keras.Input(trunk.output[each].shape[1:], dtype="float32") for each in read]
    features, shape = inputs
    x = layers.GlobalAveragePooling2D(dtype="float32")(features)
    x = layers.Concatenate(dtype="float32")([layers.Dropout(dropout, dtype="float32")(x), shape])
    logits = layers.Dense(labels, dtype="float32")(x)
    suspicion = layers.Dense(1, dtype="float32")(x)
    return keras.Model(inputs, [logits, suspicion], name=f"{name}_head")


def _convolve(x: Any, channels: int, kernel: int = 3, stride: int = 1) -> Any:
    from keras import layers

    x = layers.Conv2D(
        channels, kernel, stride, "same", use_bias=False, kernel_initializer="he_normal"
    )(x)
    return layers.BatchNormalization(momentum=0.95)(x)


def _residual(x: Any, channels: int, stride: int = 1) -> Any:
    from keras import layers

    y = layers.ReLU()(_convolve(x, channels, 3, stride))
    y = _convolve(y, channels)
    if stride > 1 or x.shape[-1] != channels:
        x = layers.AveragePooling2D(stride)(x) if stride > 1 else x
        x = _convolve(x, channels, 1)
    return layers.ReLU()(layers.Add()([x, y]))


def _locally_normalised(image: Any) -> Any:
    """Return the picture less its surroundings' mean, over their deviation.

    Scanners differ in gain, time-gain compensation and grey map, which all change a neighbourhood
    as a whole (local contrast normalisation: Jarrett et al., ICCV 2009).
    """
    from keras import layers, ops

    def blurred(x: Any) -> Any:
        x = layers.AveragePooling2D(8, dtype="float32")(x)
        x = layers.AveragePooling2D(5, 1, "same", dtype="float32")(x)
        return layers.UpSampling2D(8, interpolation="bilinear", dtype="float32")(x)

    mean = blurred(image)
    variance = ops.maximum(blurred(image * image) - mean * mean, 0.0)
    return (image - mean) / ops.sqrt(variance + 0.05)


def _shape_of(lesion: Any) -> Any:
    """Return what the outline says by its shape, (N, 5) float32: see the comments.

    A lesion that is taller than wide or irregular is suspicious (BI-RADS, ACR 2013). The map is
    held constant: the class loss cannot bend the outline.
    """
    from keras import layers, ops

    p = ops.stop_gradient(layers.AveragePooling2D(2, dtype="float32")(lesion))
    side = p.shape[1]
    area = ops.sum(p, axis=(1, 2, 3)) + 1e-3
    place = (np.arange(side, dtype=np.float32) + 0.5) / side - 0.5
    down, across = place[None, :, None, None], place[None, None, :, None]

    def spread(axis: Any) -> Any:
        mean = ops.sum(p * axis, axis=(1, 2, 3)) / area
        width = ops.sum(p * axis * axis, axis=(1, 2, 3)) / area - mean * mean
        return ops.log(ops.maximum(width, 1e-5))

    edges = ops.sum(ops.abs(p[:, 1:] - p[:, :-1]), axis=(1, 2, 3)) + ops.sum(
        ops.abs(p[:, :, 1:] - p[:, :, :-1]), axis=(1, 2, 3)
    )
    return ops.stack(
        [
            ops.max(p, axis=(1, 2, 3)),  # is there a lesion at all
            ops.log(area / side**2 + 1e-3) / 2.0,  # how large
            (spread(down) - spread(across)) / 2.0,  # taller than wide
            ops.log(edges * edges / area + 1.0) / 4.0,  # how irregular
            ops.sum(p * (1.0 - p), axis=(1, 2, 3)) / area,  # how blurred its margin
        ],
        axis=-1,
    )
