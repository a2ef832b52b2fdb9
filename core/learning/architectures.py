"""Networks by name.

``lesion-net`` is the network that ships: a residual U-Net (Ronneberger et al., MICCAI 2015) whose
class head pools the deepest features twice, over the whole picture and weighted by the network's
own lesion map, so that the answer is tied to what it outlines. The weight is held constant
(``stop_gradient``): the gradient of a class score therefore never runs through the decoder, which
keeps Grad-CAM within a few percent of the bare forward pass, and the classification loss cannot
bend the outline.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

#: Names of the outputs of ``lesion-net``, as its card names them.
CLASS_LOGITS = "class_logits"
LESION = "lesion"
CAM_FEATURES = "cam_features"


def lesion_net(
    size: int,
    labels: int,
    *,
    widths: Sequence[int] = (24, 48, 80, 128, 160),
    dropout: float = 0.3,
) -> Any:
    """Build ``lesion-net``.

    Parameters
    ----------
    size
        Side of the square input in pixels; a multiple of 16.
    labels
        Number of classes.
    widths
        Channels at 1/2, 1/4, 1/8 and 1/16 of the input's resolution (the first is the stem's).
    dropout
        Dropped share of the pooled features while training.

    Returns
    -------
    keras.Model
        Input (N, size, size, 1) float32. Outputs, as a dictionary: ``class_logits`` (N, labels),
        ``lesion`` (N, size, size, 1) probability 0..1, ``cam_features`` (N, size/16, size/16, C).
    """
    import keras
    from keras import layers, ops

    if size % 16:
        raise ValueError("The input size must be a multiple of 16.")

    def convolve(x: Any, channels: int, kernel: int = 3, stride: int = 1) -> Any:
        x = layers.Conv2D(
            channels, kernel, stride, "same", use_bias=False, kernel_initializer="he_normal"
        )(x)
        return layers.BatchNormalization(momentum=0.95)(x)

    def residual(x: Any, channels: int, stride: int = 1) -> Any:
        y = layers.ReLU()(convolve(x, channels, 3, stride))
        y = convolve(y, channels)
        if stride > 1 or x.shape[-1] != channels:
            x = layers.AveragePooling2D(stride)(x) if stride > 1 else x
            x = convolve(x, channels, 1)
        return layers.ReLU()(layers.Add()([x, y]))

    image = keras.Input((size, size, 1), name="image")
    # The stem halves the picture at once: at full resolution a convolution costs four times as
    # much and an outline gains less than a pixel of the input from it.
    x = layers.ReLU()(convolve(image, widths[0], 5, 2))
    x = residual(x, widths[0])
    skips = [x]
    for channels in widths[1:4]:
        x = residual(x, channels, 2)
        x = residual(x, channels)
        skips.append(x)
    x = residual(x, widths[4])
    features = layers.Activation("linear", name=CAM_FEATURES)(x)

    y = features
    for skip, channels in zip(skips[-2::-1], widths[2::-1], strict=True):
        y = layers.UpSampling2D(2, interpolation="bilinear")(convolve(y, channels, 1))
        y = layers.Concatenate()([y, skip])
        y = layers.ReLU()(convolve(y, channels))
        y = layers.ReLU()(convolve(y, channels))
    y = layers.Conv2D(1, 1, name="lesion_half")(y)
    y = layers.UpSampling2D(2, interpolation="bilinear")(y)
    lesion = layers.Activation("sigmoid", name=LESION, dtype="float32")(y)

    # Only layers and operations of Keras itself, so that the saved file loads in safe mode.
    weight = ops.stop_gradient(layers.AveragePooling2D(16)(lesion))
    inside = ops.sum(features * weight, axis=(1, 2)) / (ops.sum(weight, axis=(1, 2)) + 1e-3)
    everywhere = layers.GlobalAveragePooling2D()(features)
    extent = ops.concatenate([ops.max(weight, axis=(1, 2)), ops.mean(weight, axis=(1, 2))], axis=-1)
    pooled = layers.Dropout(dropout)(layers.Concatenate()([inside, everywhere]))
    logits = layers.Dense(labels, name=CLASS_LOGITS, dtype="float32")(
        layers.Concatenate()([pooled, extent])
    )
    return keras.Model(
        image, {CLASS_LOGITS: logits, LESION: lesion, CAM_FEATURES: features}, name="lesion_net"
    )
