"""From a scan's pixels to a network's input, and its maps back: training and reading share it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import cv2
import numpy as np
from numpy.typing import NDArray

from core.errors import BundleInvalid
from core.text import _

Resize = Literal["letterbox", "stretch"]
Intensity = Literal["standardise", "unit", "signed", "none", "caffe", "torch"]

#: Means and deviations over ImageNet (RGB, 0..255) that ``caffe`` and ``torch`` networks expect.
_CAFFE_MEAN_BGR = np.array([103.939, 116.779, 123.68], np.float32)
_TORCH_MEAN = np.array([0.485, 0.456, 0.406], np.float32) * 255
_TORCH_DEVIATION = np.array([0.229, 0.224, 0.225], np.float32) * 255
#: A flat image has no deviation; below this (grey levels) it is divided by this instead.
_LEAST_DEVIATION = 1.0


@dataclass(frozen=True, slots=True)
class InputSpec:
    """What a network takes, and how pixels become it.

    Attributes
    ----------
    size
        Side S of the square input, in pixels.
    channels
        1 (grey) or 3 (RGB; a grey scan is repeated).
    resize
        ``letterbox`` keeps the aspect and centres the image; ``stretch`` fills the square.
    intensity
        ``standardise``: ``(x - mean) / max(deviation, 1)`` over the image content, the padding
        left out; ``unit``: 0..1; ``signed``: -1..1; ``none``: 0..255; ``caffe``: BGR less the
        ImageNet mean; ``torch``: RGB standardised with the ImageNet mean and deviation.
    pad
        Value around a letterboxed image, in the network's units after ``intensity`` (0 is the
        image's own mean under ``standardise``).
    """

    size: int
    channels: int = 1
    resize: Resize = "letterbox"
    intensity: Intensity = "standardise"
    pad: float = 0.0

    def __post_init__(self) -> None:
        """Refuse what cannot be computed, naming the entry."""
        wrong = None
        if not _is_whole(self.size) or not 8 <= self.size <= 4096:
            wrong = _("input size must be a whole number from 8 to 4096")
        elif not _is_whole(self.channels) or self.channels not in (1, 3):
            wrong = _("input channels must be 1 or 3")
        elif self.resize not in get_args(Resize):
            wrong = _("preprocessing resize must be letterbox or stretch")
        elif self.intensity not in get_args(Intensity):
            wrong = _("preprocessing intensity is not one that is known")
        elif self.intensity in ("caffe", "torch") and self.channels != 3:
            wrong = _("this preprocessing intensity needs 3 input channels")
        elif isinstance(self.pad, bool) or not isinstance(self.pad, int | float):
            wrong = _("preprocessing pad must be a number")
        elif not np.isfinite(self.pad):
            wrong = _("preprocessing pad must be finite")
        if wrong:
            raise BundleInvalid(
                _("The model card cannot be used: {problem}.").format(problem=wrong)
            )


@dataclass(frozen=True, slots=True)
class Geometry:
    """Where an image of ``height`` x ``width`` lies inside the S x S input.

    The content covers rows ``top`` to ``top + content_height`` and columns ``left`` to
    ``left + content_width`` of the input; pixel centres lie at half-integers on both sides.
    """

    height: int
    width: int
    size: int
    top: int
    left: int
    content_height: int
    content_width: int

    def reduced(self, longest: int) -> Geometry:
        """Return the geometry of the same image at most ``longest`` pixels on its longer side."""
        scale = min(1.0, longest / max(self.height, self.width))
        height, width = (max(1, round(side * scale)) for side in (self.height, self.width))
        return replace(self, height=height, width=width)

    def to_image(self, values: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
        """Bring a map of the network back to the image.

        Parameters
        ----------
        values
            ``(h, w)`` map that covers the whole S x S input, at any resolution.

        Returns
        -------
        ``(height, width)`` float32, linearly interpolated, the padding cropped away.
        """
        full = np.asarray(values, np.float32)
        if full.shape != (self.size, self.size):
            full = cv2.resize(full, (self.size, self.size), interpolation=cv2.INTER_LINEAR)
        rows = slice(self.top, self.top + self.content_height)
        columns = slice(self.left, self.left + self.content_width)
        content = np.ascontiguousarray(full[rows, columns])
        resized = cv2.resize(content, (self.width, self.height), interpolation=cv2.INTER_LINEAR)
        return np.asarray(resized, np.float32)

    def shared_out(self, values: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
        """Bring shares of a sum back to the image, where they have the same sum.

        A map that is read point by point is brought back by :meth:`to_image`. This is for
        contributions that add up: each input pixel's value is shared among the image pixels it
        covers, by area.

        Parameters
        ----------
        values
            ``(S, S)`` shares over the input's pixels. Those of the padding belong to no pixel of
            the image and are left out.

        Returns
        -------
        ``(height, width)`` float32; its sum is that of ``values`` over the content.
        """
        if values.shape != (self.size, self.size):
            raise ValueError("shares lie on the input's own pixels")
        rows = slice(self.top, self.top + self.content_height)
        content = values[rows, self.left : self.left + self.content_width].astype(np.float64)
        down = _covered(self.height, self.content_height)
        across = _covered(self.width, self.content_width)
        return np.asarray(down @ content @ across.T, np.float32)

    def to_input(self, values: NDArray[np.generic], *, pad: float = 0.0) -> NDArray[np.float32]:
        """Bring an image or a mask, ``(height, width)`` or with channels, into the input.

        Returns
        -------
        ``(S, S)`` or ``(S, S, channels)`` float32, ``pad`` around the content; area averaged
        where it shrinks (a binary mask becomes the covered share of each pixel).
        """
        content = self._resize(np.asarray(values))
        shape = (self.size, self.size, *content.shape[2:])
        placed = np.full(shape, pad, np.float32)
        rows = slice(self.top, self.top + self.content_height)
        placed[rows, self.left : self.left + self.content_width] = content
        return placed

    def _resize(self, values: NDArray[np.generic]) -> NDArray[np.float32]:
        # OpenCV averages areas only when neither axis grows, so the axes that shrink go first.
        pixels = values.astype(np.float32)
        smaller = min(self.width, self.content_width), min(self.height, self.content_height)
        if smaller != (self.width, self.height):
            pixels = cv2.resize(pixels, smaller, interpolation=cv2.INTER_AREA)
        if smaller != (self.content_width, self.content_height):
            target = self.content_width, self.content_height
            pixels = cv2.resize(pixels, target, interpolation=cv2.INTER_LINEAR)
        return np.asarray(pixels, np.float32)


def _covered(pixels: int, parts: int) -> NDArray[np.float64]:
    """Return the share of each of ``parts`` equal lengths that lies on each pixel of a line."""
    edges = np.arange(pixels + 1) * (parts / pixels)
    low, high = edges[:-1, None], edges[1:, None]
    part = np.arange(parts)
    overlap = np.minimum(high, part + 1) - np.maximum(low, part)
    return np.asarray(np.maximum(overlap, 0), np.float64)


def fit(height: int, width: int, spec: InputSpec) -> Geometry:
    """Say where an image of ``height`` x ``width`` pixels goes in the input of ``spec``."""
    size = spec.size
    if spec.resize == "stretch":
        return Geometry(height, width, size, 0, 0, size, size)
    scale = size / max(height, width)
    content_height = max(1, min(size, round(height * scale)))
    content_width = max(1, min(size, round(width * scale)))
    top, left = (size - content_height) // 2, (size - content_width) // 2
    return Geometry(height, width, size, top, left, content_height, content_width)


def preprocess(image: NDArray[np.uint8], spec: InputSpec) -> tuple[NDArray[np.float32], Geometry]:
    """Make a network's input of a scan's pixels.

    Parameters
    ----------
    image
        ``(H, W)`` grey or ``(H, W, 3)`` RGB, uint8.
    spec
        What the network takes.

    Returns
    -------
    ``(S, S, channels)`` float32 in the units of ``spec.intensity``, and the geometry that brings
    maps back to ``(H, W)``.
    """
    if image.dtype != np.uint8 or image.ndim not in (2, 3) or image.size == 0:
        raise ValueError("image must be (H, W) or (H, W, 3) uint8")
    geometry = fit(image.shape[0], image.shape[1], spec)
    pixels = image
    if image.ndim == 3 and spec.channels == 1:
        pixels = np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.uint8)
    content = geometry._resize(pixels)
    if spec.channels == 1:
        content = content.reshape(*content.shape[:2], 1)
    elif content.ndim == 2:
        content = np.repeat(content[..., None], 3, axis=2)
    placed = np.full((spec.size, spec.size, spec.channels), spec.pad, np.float32)
    rows = slice(geometry.top, geometry.top + geometry.content_height)
    columns = slice(geometry.left, geometry.left + geometry.content_width)
    placed[rows, columns] = intensity(content, spec.intensity)
    return placed, geometry


def intensity(content: NDArray[np.float32], kind: Intensity) -> NDArray[np.float32]:
    """Bring grey levels into a network's units: see :class:`InputSpec`.

    Parameters
    ----------
    content
        (h, w, channels) float32, 0..255, without any padding.
    """
    if kind == "standardise":
        mean = float(content.mean(dtype=np.float64))
        deviation = float(content.std(dtype=np.float64))
        return np.asarray((content - mean) / max(deviation, _LEAST_DEVIATION), np.float32)
    if kind == "unit":
        return content / np.float32(255)
    if kind == "signed":
        return content / np.float32(127.5) - np.float32(1)
    if kind == "caffe":
        return content[..., ::-1] - _CAFFE_MEAN_BGR
    if kind == "torch":
        return (content - _TORCH_MEAN) / _TORCH_DEVIATION
    return content


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
