"""Synthetic B-mode breast ultrasound with the exact lesion mask.

For tests, demonstrations and backgrounds that may be shipped: no patient is behind it, and the
truth is known to the pixel. It looks like a scan and obeys the statistics of speckle; it is no
substitute for scans in training or in judging a model.

Method: a map of echogenicity (:mod:`core.scan._tissue`), the lesion in it, attenuation summed
along the beam, scatterers convolved with a point-spread function (:mod:`core.scan._speckle`),
electronic noise, logarithmic compression to eight bits.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from core.scan._outline import Outline, draw_outline
from core.scan._scan import Scan
from core.scan._speckle import envelope
from core.scan._tissue import FAT_DB, Layers, breast, smooth_noise

Plane = NDArray[np.float32]
Shape = Literal["ellipse", "oval", "lobulated", "irregular", "spiculated"]

#: Uncompensated loss behind the gain curve, in dB per mm: scans darken a little with depth.
_RESIDUAL_LOSS = 0.30


@dataclass(frozen=True, slots=True)
class LesionSpec:
    """A lesion.

    Attributes
    ----------
    shape
        ``ellipse`` is exact; ``oval`` is an ellipse as nature draws it; ``lobulated``,
        ``irregular`` and ``spiculated`` go on from there.
    centre
        Column and row of the middle, as fractions of width and height.
    width_mm, height_mm
        Full lengths of the two axes of the underlying ellipse, in mm.
    angle
        Degrees by which the width axis is turned, clockwise on the screen.
    margin_mm
        Width of the edge: near 0 is sharp, from about 1 it is indistinct.
    echo_db
        Echogenicity relative to fat, in dB: about -30 is anechoic, -8 hypoechoic,
        0 isoechoic, 10 hyperechoic.
    texture_db
        Standard deviation of the echogenicity inside, in dB.
    posterior_db
        Change behind the thickest part, in dB: negative is shadow, positive enhancement.
    capsule_db
        Brightness of a thin capsule where it lies across the beam, in dB.
    halo_db, halo_mm
        Brightness and width of an echogenic rim outside, in dB and mm.
    """

    shape: Shape = "ellipse"
    centre: tuple[float, float] = (0.5, 0.42)
    width_mm: float = 12.0
    height_mm: float = 8.0
    angle: float = 0.0
    margin_mm: float = 0.2
    echo_db: float = -8.0
    texture_db: float = 1.0
    posterior_db: float = 0.0
    capsule_db: float = 0.0
    halo_db: float = 0.0
    halo_mm: float = 1.5


@dataclass(frozen=True, slots=True)
class PhantomSpec:
    """A phantom.

    Attributes
    ----------
    width, height
        Size in pixels, each at least 32. Pixels are square.
    depth_mm
        Depth the height covers, in mm; gives the spacing.
    lesion
        What to find, or None for a normal breast.
    skin_mm, fat_mm, gland_mm
        Mean thickness of the layers; pectoral muscle takes the rest.
    homogeneous
        Leave the anatomy out: even scatterers everywhere, for checks of statistics.
    looks
        Views that are compounded; 1 gives fully developed speckle.
    dynamic_range_db
        Range that is compressed to 0..255.
    gain_db
        Overall gain.
    """

    width: int = 512
    height: int = 512
    depth_mm: float = 40.0
    lesion: LesionSpec | None = None
    skin_mm: float = 1.7
    fat_mm: float = 8.0
    gland_mm: float = 14.0
    homogeneous: bool = False
    looks: int = 3
    dynamic_range_db: float = 55.0
    gain_db: float = 0.0

    @property
    def spacing_mm(self) -> float:
        """Millimetres per pixel, the same both ways."""
        return self.depth_mm / self.height

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> PhantomSpec:
        """Make a spec of what :meth:`to_dict` gave, also after a round trip through JSON."""
        lesion = values["lesion"]
        if lesion is not None:
            lesion = LesionSpec(**{**lesion, "centre": tuple(lesion["centre"])})
        return cls(**{**values, "lesion": lesion})


@dataclass(frozen=True, slots=True, eq=False)
class Phantom:
    """A synthetic scan and the truth about it.

    Attributes
    ----------
    scan
        Grey, modality ``"US"``, with spacing, marked synthetic.
    mask
        uint8 ``(H, W)``, 255 where the centre of the pixel lies inside the lesion's outline.
    spec, seed
        What made it: the same two give the same phantom.
    """

    scan: Scan
    mask: NDArray[np.uint8]
    spec: PhantomSpec
    seed: int


def make_phantom(spec: PhantomSpec | None = None, seed: int = 0) -> Phantom:
    """Make a synthetic breast scan.

    Parameters
    ----------
    spec
        What to make; a normal breast of 512 x 512 pixels by default.
    seed
        Chooses anatomy, outline and speckle. The anatomy of a seed does not depend on the
        lesion, so the same breast can be made with and without one.

    Returns
    -------
    Phantom
        The same for the same arguments on one machine; between machines floating-point
        rounding may change single pixels by a grey level.

    Raises
    ------
    ValueError
        A size below 32 pixels, or a length that is not positive.
    """
    spec = spec or PhantomSpec()
    _check(spec)
    # Streams of their own, so that a change of one part leaves the others as they were.
    anatomy, outline_rng, inside, speckle, noise = (
        np.random.default_rng(child) for child in np.random.SeedSequence(seed).spawn(5)
    )
    shape = (spec.height, spec.width)
    if spec.homogeneous:
        echo, loss = np.full(shape, -10.0, np.float32), np.zeros(shape, np.float32)
    else:
        layers = Layers(spec.skin_mm, spec.fat_mm, spec.gland_mm)
        echo = breast(anatomy, shape, spec.spacing_mm, layers)
        loss = _loss(anatomy, spec)
    mask = np.zeros(shape, np.uint8)
    if spec.lesion is not None:
        outline = draw_outline(
            shape,
            kind=spec.lesion.shape,
            centre=(spec.lesion.centre[0] * spec.width, spec.lesion.centre[1] * spec.height),
            axes=(spec.lesion.width_mm / spec.spacing_mm, spec.lesion.height_mm / spec.spacing_mm),
            angle=spec.lesion.angle,
            rng=outline_rng,
        )
        mask = outline.mask
        echo = _with_lesion(echo, outline, spec, spec.lesion, inside)
        loss = loss - _behind(outline, spec, spec.lesion)
    pixels = _b_mode(echo - loss, spec, speckle, noise)
    scan = Scan.from_pixels(
        pixels, modality="US", spacing=(spec.spacing_mm, spec.spacing_mm), synthetic=True
    )
    return Phantom(scan=scan, mask=mask, spec=spec, seed=seed)


def _loss(rng: np.random.Generator, spec: PhantomSpec) -> Plane:
    """Return what the gain curve leaves uncompensated, in dB."""
    shape = (spec.height, spec.width)
    depth = (np.arange(spec.height, dtype=np.float32) * spec.spacing_mm)[:, None]
    # Ligaments and poor contact cast faint stripes that deepen on the way down.
    stripes = smooth_noise(rng, (2, spec.width), 2.0, 2.6 / spec.spacing_mm)[:1]
    broad = smooth_noise(rng, (2, spec.width), 2.0, 9.0 / spec.spacing_mm)[:1]
    share = np.clip(depth / 28.0, 0.0, 1.0)
    loss = _RESIDUAL_LOSS * np.maximum(depth - 8.0, 0.0) + share * (1.1 * stripes + 1.8 * broad)
    return np.asarray(np.broadcast_to(loss, shape), dtype=np.float32)


def _with_lesion(
    echo: Plane,
    outline: Outline,
    spec: PhantomSpec,
    lesion: LesionSpec,
    rng: np.random.Generator,
) -> Plane:
    """Put the lesion into the tissue: edge, texture, capsule and halo."""
    step = spec.spacing_mm
    outside_mm = outline.distance * np.float32(step)
    texture = smooth_noise(rng, echo.shape, 0.9 / step, 1.8 / step)
    coarse = smooth_noise(rng, echo.shape, 2.6 / step, 3.4 / step)
    base = -10.0 if spec.homogeneous else FAT_DB
    inside = base + lesion.echo_db + lesion.texture_db * (0.75 * texture + 0.65 * coarse)
    # An indistinct edge wanders as well as fades: it is not a blurred line.
    wander = lesion.margin_mm * 0.45 * coarse if lesion.margin_mm > 0.5 else 0.0
    steep = np.clip((outside_mm + wander) / max(lesion.margin_mm, 0.05), -12.0, 12.0)
    share = 1.0 / (1.0 + np.exp(3.0 * steep))
    out = echo + (inside - echo) * share
    if lesion.halo_db:
        rim = np.exp(-0.5 * ((outside_mm - 0.6 * lesion.halo_mm) / (0.6 * lesion.halo_mm)) ** 2)
        patchy = np.clip(0.75 + 0.4 * coarse, 0.1, 1.4)
        out = out + lesion.halo_db * rim * patchy * (1.0 - share)
    if lesion.capsule_db:
        line = np.exp(-0.5 * ((outside_mm - 0.1) / 0.16) ** 2)
        patchy = np.clip(0.8 + 0.3 * coarse, 0.2, 1.2)
        out = out + lesion.capsule_db * line * outline.facing**1.5 * patchy
    return np.asarray(out, dtype=np.float32)


def _behind(outline: Outline, spec: PhantomSpec, lesion: LesionSpec) -> Plane:
    """Return the gain behind the lesion in dB: summed along the beam, blurred across it."""
    step = spec.spacing_mm
    inside = (outline.mask > 0).astype(np.float32)
    passed = np.cumsum(inside, axis=0, dtype=np.float32)
    thickest = max(float(passed.max()), 1.0)
    gain = lesion.posterior_db * passed / np.float32(thickest)
    if lesion.posterior_db >= 0 and lesion.margin_mm < 0.5:
        gain = gain + _edge_shadows(outline, step)
    gain = cv2.GaussianBlur(gain, (0, 0), 0.5 / step, sigmaY=0.01)
    # What reaches around the lesion fills in again with distance.
    below = np.cumsum(passed > 0, axis=0, dtype=np.float32) * np.float32(step)
    return np.asarray(gain * np.exp(-np.maximum(below - lesion.height_mm, 0.0) / 45.0), np.float32)


def _edge_shadows(outline: Outline, step: float) -> Plane:
    """Refraction at the flanks of a smooth lesion: two thin faint shadows, in dB."""
    rows, columns = np.nonzero(outline.mask)
    shadows = np.zeros(outline.mask.shape, np.float32)
    if columns.size == 0:
        return shadows
    every = np.arange(outline.mask.shape[1], dtype=np.float32)
    for flank in (int(columns.min()), int(columns.max())):
        start = int(np.median(rows[columns == flank]))
        shadows[start:] -= 3.0 * np.exp(-0.5 * ((every - flank) * step / 0.45) ** 2)
    soft = cv2.GaussianBlur(shadows, (0, 0), 0.01, sigmaY=1.0 / step)
    return np.asarray(soft, dtype=np.float32)


def _b_mode(
    level_db: Plane, spec: PhantomSpec, rng: np.random.Generator, noise_rng: np.random.Generator
) -> NDArray[np.uint8]:
    """Turn echo levels into a log-compressed image."""
    step = spec.spacing_mm
    amplitude = (10.0 ** (level_db / 20.0)).astype(np.float32)
    if not spec.homogeneous:
        # Side lobes and the thickness of the slice carry a little of the neighbours' echoes.
        clutter = cv2.GaussianBlur(amplitude, (0, 0), 2.2 / step, sigmaY=0.5 / step)
        amplitude = np.hypot(amplitude, np.float32(0.035) * clutter)
    received = envelope(amplitude, step, rng, looks=spec.looks)
    # Time-gain compensation lifts the receiver's noise with depth.
    depth = (np.arange(spec.height, dtype=np.float32) * step)[:, None]
    floor = 10.0 ** ((-57.0 + 0.22 * depth) / 20.0)
    even = np.ones((spec.height, spec.width), np.float32)
    noise = envelope(even, step * 1.3, noise_rng) * floor
    level = 20.0 * np.log10(np.hypot(received, noise) + 1e-9) + spec.gain_db
    white_db = 17.0
    grey = 1.0 + (level - white_db) / spec.dynamic_range_db
    return np.asarray(np.clip(np.rint(grey * 255.0), 0, 255), dtype=np.uint8)


def _check(spec: PhantomSpec) -> None:
    if min(spec.width, spec.height) < 32 or spec.looks < 1:
        raise ValueError("A phantom has at least 32 pixels each way and one look.")
    lengths = [spec.depth_mm, spec.dynamic_range_db, spec.skin_mm, spec.fat_mm, spec.gland_mm]
    if spec.lesion is not None:
        lengths += [spec.lesion.width_mm, spec.lesion.height_mm, spec.lesion.halo_mm]
    if min(lengths) <= 0:
        raise ValueError("The lengths of a phantom are positive.")
