"""What becomes of a model's figures when scans get worse: graded changes of known strength.

After Hendrycks and Dietterich, *Benchmarking neural network robustness to common corruptions and
perturbations*, ICLR 2019, with the changes that ultrasound meets: another gain, another dynamic
range, more speckle, defocus, JPEG, a smaller export, and a picture cut at its edges.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from core.errors import LearningError
from core.learning.evaluation import HEADLINE, BatchReader, figures, score
from core.learning.rows import Row
from core.scan import Scan
from core.text import _

Pixels = NDArray[np.uint8]

#: Each change and its grades, from mild to strong; the unit stands with the function below.
GRADES: Mapping[str, tuple[float, ...]] = MappingProxyType(
    {
        "brightness": (-60, -30, 30, 60),
        "contrast": (0.5, 0.75, 1.5),
        "speckle": (0.1, 0.2, 0.4),
        "blur": (1.0, 2.0, 3.0),
        "jpeg": (50, 25, 10),
        "downsampling": (0.5, 0.33, 0.25),
        "cropping": (0.05, 0.1, 0.2),
    }
)
#: Where a scan as it is stands among the grades of each change; no JPEG leaves it quite so.
UNCHANGED: Mapping[str, float] = MappingProxyType(
    {
        "brightness": 0.0,
        "contrast": 1.0,
        "speckle": 0.0,
        "blur": 0.0,
        "jpeg": 100.0,
        "downsampling": 1.0,
        "cropping": 0.0,
    }
)
#: Headline figures that are followed; those of the heat would double the time it takes.
_FOLLOWED = tuple(
    name
    for name in HEADLINE
    if name not in ("calibration_slope", "calibration_intercept", "dice_median", "cam_pointing")
)
_COUNTS = ("n", "refused", "unread", "abstained")


def _brightness(pixels: Pixels, grade: float, _rng: np.random.Generator) -> Pixels:
    """Add so many grey levels."""
    return _whole(pixels.astype(np.float32) + grade)


def _contrast(pixels: Pixels, grade: float, _rng: np.random.Generator) -> Pixels:
    """Stretch the grey levels around their mean by this factor."""
    values = pixels.astype(np.float32)
    mean = float(values.mean())
    return _whole(mean + grade * (values - mean))


def _speckle(pixels: Pixels, grade: float, rng: np.random.Generator) -> Pixels:
    """Multiply with noise of mean 1 and this deviation, correlated over about a pixel."""
    noise = cv2.GaussianBlur(rng.normal(0, 1, pixels.shape[:2]).astype(np.float32), (0, 0), 0.8)
    factor = 1 + grade * noise / max(float(noise.std()), 1e-6)
    return _whole(pixels * (factor if pixels.ndim == 2 else factor[..., None]))


def _blur(pixels: Pixels, grade: float, _rng: np.random.Generator) -> Pixels:
    """Blur with a Gaussian of this standard deviation in pixels."""
    return np.asarray(cv2.GaussianBlur(pixels, (0, 0), grade), np.uint8)


def _jpeg(pixels: Pixels, grade: float, _rng: np.random.Generator) -> Pixels:
    """Compress as JPEG of this quality, 1 to 100."""
    turned = pixels if pixels.ndim == 2 else np.ascontiguousarray(pixels[..., ::-1])
    done, data = cv2.imencode(".jpg", turned, [cv2.IMWRITE_JPEG_QUALITY, round(grade)])
    if not done:
        raise LearningError(_("A changed scan could not be made; the disk or memory may be full."))
    flag = cv2.IMREAD_GRAYSCALE if pixels.ndim == 2 else cv2.IMREAD_COLOR
    found = np.asarray(cv2.imdecode(data, flag), np.uint8)
    return found if pixels.ndim == 2 else np.array(found[..., ::-1], np.uint8)


def _downsampling(pixels: Pixels, grade: float, _rng: np.random.Generator) -> Pixels:
    """Reduce to this share of the sides and enlarge to the size before."""
    height, width = pixels.shape[:2]
    small = max(1, round(width * grade)), max(1, round(height * grade))
    reduced = cv2.resize(pixels, small, interpolation=cv2.INTER_AREA)
    return np.asarray(
        cv2.resize(reduced, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8
    )


def _whole(values: NDArray[np.floating[Any]]) -> Pixels:
    return np.asarray(np.clip(np.rint(values), 0, 255), np.uint8)


_CHANGES: Mapping[str, Callable[[Pixels, float, np.random.Generator], Pixels]] = MappingProxyType(
    {
        "brightness": _brightness,
        "contrast": _contrast,
        "speckle": _speckle,
        "blur": _blur,
        "jpeg": _jpeg,
        "downsampling": _downsampling,
    }
)


@dataclass(frozen=True, slots=True)
class Change:
    """One change at one grade, the same for the same scan and seed.

    Attributes
    ----------
    name, grade
        Of :data:`GRADES`. ``cropping`` cuts this share off each of the four sides.
    seed
        Decides the noise.
    """

    name: str
    grade: float
    seed: int = 0

    def __call__(self, scan: Scan, lesion: NDArray[np.bool_]) -> tuple[Scan, NDArray[np.bool_]]:
        """Return the scan changed, and its lesion mask, (H, W), cut as the scan is."""
        pixels = scan.pixels
        if self.name == "cropping":
            height, width = pixels.shape[:2]
            down, across = int(height * self.grade), int(width * self.grade)
            inside = np.s_[down : height - down, across : width - across]
            pixels, lesion = pixels[inside], lesion[inside]
        else:
            # Its own noise for each scan, whatever their order.
            rng = np.random.default_rng((self.seed, zlib.crc32(scan.digest.encode())))
            pixels = _CHANGES[self.name](pixels, self.grade, rng)
        return Scan.from_pixels(np.ascontiguousarray(pixels), modality=scan.modality), lesion


def robustness(
    rows: Sequence[Row],
    reader: BatchReader,
    labels: Sequence[str],
    positive: str,
    progress: Callable[[str, float, int], None] = lambda _name, _grade, _done: None,
) -> Iterator[dict[str, Any]]:
    """Evaluate again under every change and grade.

    Parameters
    ----------
    rows, reader, labels, positive
        As of :func:`core.learning.evaluation.score`.
    progress
        Called with the change, its grade, and how many scans are done under it.

    Yields
    ------
    dict
        ``change``, ``grade``, ``n``, ``refused``, ``unread``, ``abstained``, and headline figures
        with their intervals.
    """
    for name, grades in GRADES.items():
        for grade in grades:
            found = score(
                rows,
                reader,
                labels,
                positive,
                partial(progress, name, grade),
                Change(name, grade),
                heat=False,
            )
            report = figures(found, only=_FOLLOWED)
            yield {"change": name, "grade": grade} | {
                key: report[key] for key in (*_COUNTS, *_FOLLOWED) if key in report
            }
