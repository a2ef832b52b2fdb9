"""Augmentation that imitates what differs between ultrasound scanners, sonographers and exports."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from core.learning import closer

FloatImage = NDArray[np.float32]


def augment(
    image: NDArray[np.uint8],
    mask: NDArray[np.uint8],
    inside: NDArray[np.int32],
    rng: np.random.Generator,
) -> tuple[FloatImage, FloatImage, NDArray[np.bool_]]:
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
        The picture 0..255 and its mask 0..1, both (S, S) float32, and (S, S) bool: where the
        picture lies in the square.
    """
    return _warped(image, mask, inside, _affine(image.shape[0], rng), rng)


def augment_closer(
    image: NDArray[np.uint8],
    mask: NDArray[np.uint8],
    inside: NDArray[np.int32],
    rng: np.random.Generator,
) -> tuple[FloatImage, FloatImage, NDArray[np.bool_]]:
    """Change one training picture at random, and cut a square around its lesion out of it.

    The square is where a finished model would look once more, widely or tightly
    (:func:`core.learning.closer.where`), a little beside it and of a little other size, as an
    outline is that was found and not drawn; without a lesion it is anywhere.

    Parameters
    ----------
    image, mask, inside
        As for :func:`augment`, of twice the side of the result.

    Returns
    -------
    tuple
        As :func:`augment`, of half the side.
    """
    size = image.shape[0]
    look = closer.LOOKS[rng.integers(len(closer.LOOKS))]
    if mask.max() > 127:
        found = closer.where(_halved(mask).astype(np.float32)[None] / 255.0, look=look)
        down, across, half = (float(value[0]) for value in found)
    else:
        down, across, half = (
            rng.uniform(0.35, 0.65),
            rng.uniform(0.35, 0.65),
            rng.uniform(look.least, 0.5),
        )
    half = float(np.clip(half * np.exp(rng.normal(0.0, 0.15)), 0.73 * look.least, 0.5))
    down, across = (
        float(np.clip(middle + rng.normal(0.0, 0.12) * half, half, 1 - half))
        for middle in (down, across)
    )
    stretch = float(np.exp(rng.normal(0.0, 0.05)))
    middle = np.array([across * size, down * size], np.float32)
    matrix = cv2.getRotationMatrix2D(middle.tolist(), rng.normal(0.0, 6.0), 0.5 / half * stretch)
    matrix[:, 2] += size / 2 - middle
    if rng.random() < 0.5:
        matrix[0] = -matrix[0]
        matrix[0, 2] += size - 1
    return _warped(image, mask, inside, matrix, rng, halve=True)


def _warped(
    image: NDArray[np.uint8],
    mask: NDArray[np.uint8],
    inside: NDArray[np.int32],
    matrix: NDArray[Any],
    rng: np.random.Generator,
    *,
    halve: bool = False,
) -> tuple[FloatImage, FloatImage, NDArray[np.bool_]]:
    left, top, right, bottom = (int(v) for v in inside)
    valid = np.zeros_like(image)
    valid[top:bottom, left:right] = 255

    def moved(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        found = cv2.warpAffine(pixels, matrix, dsize=pixels.shape, flags=cv2.INTER_LINEAR)
        return _halved(found) if halve else np.asarray(found, np.uint8)

    picture = moved(image).astype(np.float32)
    lesion = moved(mask).astype(np.float32) / 255.0
    within = moved(valid) > 200
    if not within.any():
        within[:] = True
    return _appearance(picture, rng), lesion, within


def _halved(pixels: Any) -> NDArray[np.uint8]:
    side = pixels.shape[0] // 2
    return np.asarray(cv2.resize(pixels, (side, side), interpolation=cv2.INTER_AREA), np.uint8)


def unchanged(
    image: NDArray[np.uint8],
    mask: NDArray[np.uint8],
    inside: NDArray[np.int32],
    _rng: np.random.Generator | None = None,
) -> tuple[FloatImage, FloatImage, NDArray[np.bool_]]:
    """Return what :func:`augment` returns, of the picture as it is."""
    left, top, right, bottom = (int(v) for v in inside)
    within = np.zeros(image.shape, np.bool_)
    within[top:bottom, left:right] = True
    return image.astype(np.float32), mask.astype(np.float32) / np.float32(255), within


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
    """Make it look as another scanner, sonographer or export would have shown it."""
    if rng.random() < 0.7:
        picture = _grey_map(picture, rng)
    if rng.random() < 0.3:
        picture = _processing(picture, rng)
    if rng.random() < 0.4:
        picture = _gain(picture, rng)
    if rng.random() < 0.25:
        picture = _shadow(picture, rng)
    if rng.random() < 0.35:
        picture = _resolution(picture, rng)
    if rng.random() < 0.3:
        picture = _speckle(picture, rng)
    if rng.random() < 0.25:  # contrast stretch with clipping, as an export does
        low, high = rng.uniform(0, 25), rng.uniform(180, 255)
        picture = (picture - low) * np.float32(255.0 / (high - low))
    if rng.random() < 0.25:  # darker or brighter than anything seen, clipped at both ends
        picture = picture * np.float32(np.exp(rng.normal(0.0, 0.35)))
    picture = np.clip(picture, 0.0, 255.0)
    if rng.random() < 0.25:
        _marks(picture, rng)
    if rng.random() < 0.2:
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(25, 90))]
        _made, code = cv2.imencode(".jpg", picture.astype(np.uint8), quality)
        picture = np.asarray(cv2.imdecode(code, cv2.IMREAD_GRAYSCALE), np.float32)
    return picture


def _grey_map(picture: FloatImage, rng: np.random.Generator) -> FloatImage:
    # The post-processing curve of a scanner: any monotone one, most of them near a power.
    levels = np.linspace(0.0, 1.0, 256, dtype=np.float32)
    curve = levels ** np.float32(np.exp(rng.normal(0.0, 0.35)))
    if rng.random() < 0.5:
        knots = np.concatenate([[0.0], np.cumsum(rng.uniform(0.25, 1.75, 6))])
        bent = np.interp(levels, np.linspace(0, 1, 7), knots / knots[-1])
        curve = curve * 0.5 + bent.astype(np.float32) * 0.5
    table = np.clip(curve * 255.0, 0, 255).astype(np.float32)
    return np.asarray(table[np.clip(picture, 0, 255).astype(np.uint8)])


def _processing(picture: FloatImage, rng: np.random.Generator) -> FloatImage:
    kind = rng.integers(4)
    if kind == 0:  # edge enhancement
        soft = cv2.GaussianBlur(picture, (0, 0), float(rng.uniform(0.8, 2.0)))
        return np.asarray(picture + np.float32(rng.uniform(0.3, 1.5)) * (picture - soft))
    bytes_ = np.clip(picture, 0, 255).astype(np.uint8)
    if kind == 1:  # speckle reduction that keeps edges
        tone = float(rng.uniform(15, 50))
        bytes_ = np.asarray(cv2.bilateralFilter(bytes_, 5, tone, 2.0), np.uint8)
    elif kind == 2:
        bytes_ = np.asarray(cv2.medianBlur(bytes_, 3), np.uint8)
    else:  # local contrast
        tiles = int(rng.integers(2, 7))
        local = cv2.createCLAHE(float(rng.uniform(1.0, 4.0)), (tiles, tiles))
        bytes_ = np.asarray(local.apply(bytes_), np.uint8)
    return bytes_.astype(np.float32)


def _gain(picture: FloatImage, rng: np.random.Generator) -> FloatImage:
    # Time-gain compensation down the picture, and a beam that is weaker to one side.
    size = picture.shape[0]
    stops = rng.uniform(0.6, 1.4, 4)
    down = np.interp(np.linspace(0, 3, size), np.arange(4), stops).astype(np.float32)
    across = np.linspace(rng.uniform(0.8, 1.2), rng.uniform(0.8, 1.2), size, dtype=np.float32)
    return np.asarray(picture * down[:, None] * across[None, :])


def _shadow(picture: FloatImage, rng: np.random.Generator) -> FloatImage:
    size = picture.shape[0]
    column = rng.uniform(0, size)
    width = rng.uniform(0.03, 0.15) * size
    profile = np.exp(-(((np.arange(size) - column) / width) ** 2) / 2).astype(np.float32)
    return np.asarray(picture * (1.0 - np.float32(rng.uniform(0.2, 0.7)) * profile[None, :]))


def _resolution(picture: FloatImage, rng: np.random.Generator) -> FloatImage:
    size = picture.shape[0]
    if rng.random() < 0.5:
        sigmas = [float(rng.uniform(0.3, 1.8)), float(rng.uniform(0.3, 1.4))]
        return np.asarray(cv2.GaussianBlur(picture, (0, 0), sigmas[0], sigmaY=sigmas[1]))
    small = round(size * rng.uniform(0.35, 0.9))
    picture = cv2.resize(picture, (small, small), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(picture, (size, size), interpolation=cv2.INTER_LINEAR))


def _speckle(picture: FloatImage, rng: np.random.Generator) -> FloatImage:
    # Multiplicative, and correlated over about a pixel.
    noise = rng.standard_normal(picture.shape, np.float32)
    noise = cv2.GaussianBlur(noise, (0, 0), float(rng.uniform(0.4, 1.5)))
    noise /= max(float(noise.std()), 1e-6)
    return np.asarray(picture * (1.0 + np.float32(rng.uniform(0.05, 0.35)) * noise))


def _marks(picture: FloatImage, rng: np.random.Generator) -> None:
    # Crosshair calipers, a dotted line between two of them, a label: so that marks are no shortcut.
    size = picture.shape[0]
    tone = float(rng.uniform(170, 255))
    places = [tuple(int(v) for v in rng.uniform(0.1, 0.9, 2) * size) for _ in range(4)]
    for x, y in places[: int(rng.integers(1, 5))]:
        arm = int(rng.integers(2, 5))
        cv2.line(picture, (x - arm, y), (x + arm, y), tone, 1)
        cv2.line(picture, (x, y - arm), (x, y + arm), tone, 1)
    if rng.random() < 0.5:
        for step in np.linspace(0, 1, 16):
            x, y = (round(a + step * (b - a)) for a, b in zip(*places[:2], strict=True))
            picture[min(y, size - 1), min(x, size - 1)] = tone
    if rng.random() < 0.3:
        text = "".join(chr(int(c)) for c in rng.integers(65, 91, 4))
        place = (int(rng.uniform(0, 0.7) * size), int(rng.uniform(0.08, 0.98) * size))
        label = np.zeros(picture.shape, np.uint8)
        cv2.putText(label, text, place, cv2.FONT_HERSHEY_PLAIN, 0.6, 255, 1)
        picture[label > 127] = tone
