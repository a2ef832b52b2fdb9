"""What a scan is compared with where an explanation needs the absence of a finding."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from core.errors import BundleInvalid
from core.model import Bundle, Geometry, InputSpec, preprocess
from core.scan import PhantomSpec, make_phantom
from core.text import _

#: Name of the pictures in a bundle's ``reference.npz``: (B, h, w) or (B, h, w, 3) uint8.
BACKGROUND = "explain_background"
#: Phantoms where the bundle has no pictures of its own, chosen by measurement; see
#: docs/explanations.md.
PHANTOMS = 4
_SEED = 20260101
_SIDE = 256


@dataclass(frozen=True, slots=True, eq=False)
class Background:
    """Pictures without a finding; none of them is of a patient.

    Attributes
    ----------
    pictures
        ``(B, h, w)`` grey or ``(B, h, w, 3)`` RGB, uint8.
    origin
        ``bundle``: the model's own, phantoms or averages over its training scans. ``phantoms``:
        synthetic normal breasts, made here because the bundle has none.
    digest
        SHA-256 (hex) of shape and pixels, for the parameters of an explanation: between machines
        rounding may change a phantom by a grey level.
    """

    pictures: NDArray[np.uint8] = field(repr=False)
    origin: Literal["bundle", "phantoms"]
    digest: str

    @property
    def parameters(self) -> dict[str, Any]:
        """What the parameters of an explanation say of it."""
        return {
            "background": self.origin,
            "background_pictures": len(self.pictures),
            "background_digest": self.digest,
        }

    def inputs(self, geometry: Geometry, spec: InputSpec) -> NDArray[np.float32]:
        """Return the pictures as inputs of a network, ``(B, S, S, C)``.

        They lie exactly where a scan of this geometry lies: the padding around it is the same, so
        that nothing of the difference falls outside the scan. A picture of another aspect is cut
        at its longer side, the same at both ends.
        """
        size = geometry.content_width, geometry.content_height
        found = []
        for picture in self.pictures:
            cut = cv2.resize(_cut(picture, *size), size, interpolation=cv2.INTER_AREA)
            if spec.channels == 1 and cut.ndim == 3:
                cut = cv2.cvtColor(cut, cv2.COLOR_RGB2GRAY)
            pixels, place = preprocess(np.asarray(cut, np.uint8), spec)
            if (place.top, place.left) != (geometry.top, geometry.left):
                raise ValueError("the geometry is not one of this input")
            found.append(pixels)
        return np.stack(found)


def background_of(bundle: Bundle) -> Background:
    """Return what explanations of a bundle compare with: its own pictures, else phantoms.

    Raises
    ------
    BundleInvalid
        The bundle has pictures that cannot be used.
    """
    own = bundle.reference.extra.get(BACKGROUND)
    if own is None:
        return phantoms()
    grey_or_rgb = own.ndim == 3 or (own.ndim == 4 and own.shape[3] == 3)
    if own.dtype != np.uint8 or not grey_or_rgb or min(own.shape) < 1:
        raise BundleInvalid(_("The model's background for explanations cannot be used."))
    return Background(own, "bundle", _digest(own))


@cache
def phantoms(count: int = PHANTOMS) -> Background:
    """Return synthetic normal breasts, always the same ones; made once in a process."""
    spec = PhantomSpec(width=_SIDE, height=_SIDE)
    pictures = np.stack([make_phantom(spec, _SEED + n).scan.pixels for n in range(count)])
    pictures.flags.writeable = False
    return Background(pictures, "phantoms", _digest(pictures))


def _cut(picture: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    """Return the middle of a picture that has the aspect ``width`` to ``height``."""
    high, wide = picture.shape[:2]
    rows = max(1, min(high, round(wide * height / width)))
    columns = max(1, min(wide, round(high * width / height)))
    top, left = (high - rows) // 2, (wide - columns) // 2
    return picture[top : top + rows, left : left + columns]


def _digest(pictures: NDArray[np.uint8]) -> str:
    total = hashlib.sha256(repr(pictures.shape).encode())
    total.update(pictures.tobytes())
    return total.hexdigest()
