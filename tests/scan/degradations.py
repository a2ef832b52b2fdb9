"""What goes wrong with a picture before it is uploaded, in grades from mild to gross."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from core.scan import CheckName

WORDS = ("RIGHT BREAST", "UPPER OUTER", "10:00", "DIST 4.2 MM", "GAIN 55", "MI 0.9", "L12-5", "FR")


def clipped(values: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def blurred(grey: np.ndarray, sigma: float) -> np.ndarray:
    return cv2.GaussianBlur(grey, (0, 0), sigma)


def enlarged(grey: np.ndarray, factor: float) -> np.ndarray:
    """Reduced by ``factor`` and enlarged to the old size again."""
    height, width = grey.shape
    small = (max(1, round(width / factor)), max(1, round(height / factor)))
    reduced = cv2.resize(grey, small, interpolation=cv2.INTER_AREA)
    return cv2.resize(reduced, (width, height), interpolation=cv2.INTER_CUBIC)


def reduced(grey: np.ndarray, side: float) -> np.ndarray:
    """Reduced to a short side of ``side`` pixels."""
    factor = side / min(grey.shape)
    return cv2.resize(grey, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)


def darkened(grey: np.ndarray, factor: float) -> np.ndarray:
    return clipped(grey * np.float32(factor))


def lifted(grey: np.ndarray, levels: float) -> np.ndarray:
    return clipped(grey + np.float32(levels))


def flattened(grey: np.ndarray, factor: float) -> np.ndarray:
    return clipped(110 + (grey.astype(np.float32) - 110) * factor)


def crushed(grey: np.ndarray, levels: float) -> np.ndarray:
    return clipped(grey - np.float32(levels))


def lettered(grey: np.ndarray, lines: float) -> np.ndarray:
    """Captions in white over the picture."""
    out = grey.copy()
    height, width = grey.shape
    size = max(0.35, height / 1100)
    for line in range(int(lines)):
        text = "  ".join(WORDS[(line + i) % len(WORDS)] for i in range(3))
        at = (int(width * (0.03 + 0.1 * (line % 3))), int((line + 0.7) / lines * height))
        cv2.putText(out, text, at, cv2.FONT_HERSHEY_SIMPLEX, size, 240, 1, cv2.LINE_AA)
    return out


def framed(grey: np.ndarray, share: float) -> np.ndarray:
    """A black frame that takes ``share`` of the image, with a caption in it."""
    height, width = grey.shape
    grown = 1 / np.sqrt(1 - share) - 1
    top, left = round(height * grown / 2), round(width * grown / 2)
    out = cv2.copyMakeBorder(grey, top, top, left, left, cv2.BORDER_CONSTANT, value=0)
    if top >= 14:
        cv2.putText(out, WORDS[0], (4, 11), cv2.FONT_HERSHEY_SIMPLEX, 0.35, 220, 1, cv2.LINE_AA)
    return out


def doubled(grey: np.ndarray, band: float, tone: int = 0) -> np.ndarray:
    """The picture and its mirror image side by side, ``band`` pixels apart."""
    gap = np.full((grey.shape[0], int(band)), tone, np.uint8)
    return np.hstack([grey, gap, grey[:, ::-1]])


def with_flow(grey: np.ndarray, share: float) -> np.ndarray:
    """A Doppler window over ``share`` of the picture, a third of it with flow, in its outline."""
    height, width = grey.shape
    rgb = cv2.cvtColor(grey, cv2.COLOR_GRAY2RGB)
    h, w = round(height * np.sqrt(share)), round(width * np.sqrt(share))
    top, left = (height - h) // 2, (width - w) // 2
    noise = np.random.default_rng(5).standard_normal((h, w)).astype(np.float32)
    flow = cv2.GaussianBlur(noise, (0, 0), max(h, w) / 12)
    window = rgb[top : top + h, left : left + w]
    strong = np.abs(flow) >= np.quantile(np.abs(flow), 2 / 3)
    window[strong & (flow > 0)] = (220, 40, 20)
    window[strong & (flow < 0)] = (20, 60, 220)
    cv2.rectangle(rgb, (left, top), (left + w, top + h), (0, 220, 0), 1)
    return rgb


@dataclass(frozen=True)
class Degradation:
    """One way to spoil a picture, its grades, and the checks that should see it."""

    make: Callable[[np.ndarray, float], np.ndarray]
    grades: tuple[float, ...]
    checks: tuple[CheckName, ...]


N = CheckName
DEGRADATIONS = {
    "blur, sigma in px": Degradation(blurred, (0.7, 1, 1.5, 2, 3, 4), (N.BLUR,)),
    "reduced and enlarged, times": Degradation(enlarged, (1.5, 2, 3, 4, 6, 8), (N.BLUR,)),
    "reduced, short side in px": Degradation(reduced, (240, 200, 160, 120), (N.RESOLUTION,)),
    "darkened, times": Degradation(darkened, (0.7, 0.5, 0.35, 0.2, 0.1), (N.EXPOSURE, N.CONTRAST)),
    "lifted, grey levels": Degradation(
        lifted, (40, 80, 110, 140), (N.EXPOSURE, N.CLIPPED_WHITE, N.CONTRAST)
    ),
    "gain, times": Degradation(darkened, (1.5, 2, 3, 5), (N.EXPOSURE, N.CLIPPED_WHITE)),
    "contrast, times": Degradation(flattened, (0.7, 0.5, 0.35, 0.2, 0.1), (N.CONTRAST,)),
    "black crushed, grey levels": Degradation(
        crushed, (30, 60, 100), (N.CLIPPED_BLACK, N.EXPOSURE)
    ),
    "lines of text": Degradation(lettered, (1, 2, 4, 8, 16, 24), (N.ANNOTATION,)),
    "black frame, share": Degradation(framed, (0.1, 0.2, 0.4, 0.6, 0.75), (N.BORDERS,)),
    "side by side, band in px": Degradation(doubled, (0, 1, 2, 4, 10, 30), (N.PANELS,)),
    "Doppler window, share": Degradation(with_flow, (0.02, 0.05, 0.1, 0.3, 0.9), (N.COLOUR,)),
}
