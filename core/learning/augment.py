"""Augmentation that imitates what differs between ultrasound scanners, sonographers and exports."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

FloatImage = NDArray[np.float32]


def standardise(image: FloatImage, valid: NDArray[np.bool_]) -> FloatImage:
    """Bring the picture to mean 0 and deviation 1, and what lies around it to 0."""
    values = image[valid]
    if values.size == 0:
        return np.zeros_like(image)
    result = (image - values.mean()) / max(float(values.std()), 1.0)
    result[~valid] = 0.0
    return np.asarray(result, np.float32)


def augment(
    image: NDArray[np.uint8],
    mask: NDArray[np.uint8],
    inside: NDArray[np.int32],
    rng: np.random.Generator,
) -> tuple[FloatImage, FloatImage]:
    """Change one training picture at random.

    Never upside down: skin lies on top in every B-mode picture, and shadow below a lesion.

    Parameters
    ----------
    image, mask
        (S, S) uint8.
    inside
        Left, top, right, bottom of the picture within the square.

    Returns
    -------
    tuple
        Standardised image and mask 0..1, both (S, S) float32.
    """
    size = image.shape[0]
    left, top, right, bottom = (int(v) for v in inside)
    valid = np.zeros_like(image)
    valid[top:bottom, left:right] = 255
    matrix = _affine(size, rng)
    warp: dict[str, Any] = {"dsize": (size, size), "flags": cv2.INTER_LINEAR}
    picture = cv2.warpAffine(image, matrix, **warp).astype(np.float32)
    lesion = cv2.warpAffine(mask, matrix, **warp).astype(np.float32) / 255.0
    within = cv2.warpAffine(valid, matrix, **warp) > 200
    if not within.any():
        within[:] = True
    return standardise(_appearance(picture, rng), within), lesion


def _affine(size: int, rng: np.random.Generator) -> NDArray[np.float32]:
    angle = rng.normal(0.0, 6.0)
    scale = float(np.exp(rng.normal(0.0, 0.15)))
    stretch = float(np.exp(rng.normal(0.0, 0.05)))
    half = size / 2.0
    matrix = cv2.getRotationMatrix2D((half, half), angle, scale).astype(np.float32)
    matrix[0] *= stretch
    if rng.random() < 0.5:
        matrix[0] = -matrix[0]
    # Keep the centre of the square in its middle, then shift it a little.
    centre = matrix[:, :2] @ np.array([half, half], np.float32)
    matrix[:, 2] = half - centre + rng.normal(0.0, 0.05 * size, 2)
    return np.asarray(matrix, np.float32)


def _appearance(picture: FloatImage, rng: np.random.Generator) -> FloatImage:
    size = picture.shape[0]
    if rng.random() < 0.6:  # dynamic range and grey map of another scanner
        picture = 255.0 * (picture / 255.0) ** float(np.exp(rng.normal(0.0, 0.3)))
    if rng.random() < 0.4:  # time-gain compensation
        gain = np.linspace(rng.uniform(0.7, 1.3), rng.uniform(0.7, 1.3), size, dtype=np.float32)
        picture = picture * gain[:, None]
    if rng.random() < 0.3:  # a shadow from above
        column = rng.uniform(0, size)
        profile = np.exp(-(((np.arange(size) - column) / rng.uniform(4, 20)) ** 2) / 2)
        picture = picture * (1.0 - rng.uniform(0.2, 0.7) * profile[None, :].astype(np.float32))
    if rng.random() < 0.4:  # another resolution or smoothing
        if rng.random() < 0.5:
            picture = cv2.GaussianBlur(picture, (0, 0), float(rng.uniform(0.4, 1.4)))
        else:
            small = round(size * rng.uniform(0.45, 0.9))
            picture = cv2.resize(picture, (small, small), interpolation=cv2.INTER_AREA)
            picture = cv2.resize(picture, (size, size), interpolation=cv2.INTER_LINEAR)
    if rng.random() < 0.4:  # speckle: multiplicative, correlated over about a pixel
        noise = rng.normal(0.0, 1.0, picture.shape).astype(np.float32)
        noise = cv2.GaussianBlur(noise, (0, 0), float(rng.uniform(0.4, 1.2)))
        noise /= max(float(noise.std()), 1e-6)
        picture = picture * (1.0 + rng.uniform(0.05, 0.3) * noise)
    if rng.random() < 0.3:  # contrast stretch with clipping, as an export does
        low, high = rng.uniform(0, 25), rng.uniform(190, 255)
        picture = (picture - low) * (255.0 / (high - low))
    if rng.random() < 0.25:  # crosshair calipers and a label, so that marks are no shortcut
        for _ in range(int(rng.integers(1, 5))):
            x, y = (int(v) for v in rng.uniform(0.1, 0.9, 2) * size)
            arm = int(rng.integers(2, 5))
            tone = float(rng.uniform(170, 255))
            cv2.line(picture, (x - arm, y), (x + arm, y), tone, 1)
            cv2.line(picture, (x, y - arm), (x, y + arm), tone, 1)
    return np.clip(picture, 0.0, 255.0).astype(np.float32)
