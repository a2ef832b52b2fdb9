"""What the networks that ship are built of."""

from __future__ import annotations

from typing import Any


def convolve(x: Any, channels: int, kernel: int = 3, stride: int = 1) -> Any:
    """Return a convolution with batch normalisation, before its activation."""
    from keras import layers

    x = layers.Conv2D(
        channels, kernel, stride, "same", use_bias=False, kernel_initializer="he_normal"
    )(x)
    return layers.BatchNormalization(momentum=0.95)(x)


def residual(x: Any, channels: int, stride: int = 1) -> Any:
    """Return two convolutions and what goes round them (He et al., CVPR 2016)."""
    from keras import layers

    y = layers.ReLU()(convolve(x, channels, 3, stride))
    y = convolve(y, channels)
    if stride > 1 or x.shape[-1] != channels:
        x = layers.AveragePooling2D(stride)(x) if stride > 1 else x
        x = convolve(x, channels, 1)
    return layers.ReLU()(layers.Add()([x, y]))


def locally_normalised(image: Any) -> Any:
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
