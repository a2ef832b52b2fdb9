"""Whether a picture is like the scans a model learned from, judged by the network's embedding.

Two figures are held against a limit each, and the larger counts:

* how far the embedding lies from those of known scans: their Gaussian with a few axes of its own
  and one variance for all others (probabilistic PCA: Tipping and Bishop, Journal of the Royal
  Statistical Society B 61:611-622, 1999), as Lee et al. (*A simple unified framework for detecting
  out-of-distribution samples*, NeurIPS 2018) use a full one, which a thousand scans cannot fill;
* which side of a plane it lies on that parts known scans from pictures that are none (Hendrycks,
  Mazeika and Dietterich, *Deep anomaly detection with outlier exposure*, ICLR 2019).

Pooled activations are long-tailed and not negative, so their roots are taken first. The bundle
keeps these statistics alone: no scan's own embedding. They are fitted in ``core.learning.refusal``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from core.errors import BundleInvalid
from core.text import _

Floats: TypeAlias = NDArray[np.floating[Any]]

#: Names of the statistics in ``Reference.extra`` begin like this.
PREFIX = "familiarity_"
#: Arrays and their number of axes.
_ARRAYS = {
    "mean": 1,
    "scale": 1,
    "axes": 2,
    "variances": 1,
    "rest": 0,
    "weights": 1,
    "limits": 1,
    "zero": 1,
}
#: Standardised values are cut here, so that one wild activation does not speak for all.
_MOST = 20.0


@dataclass(frozen=True, slots=True)
class Familiarity:
    """Whether a picture is like the scans a model learned from.

    Attributes
    ----------
    known
        Whether ``distance`` is at most ``limit``. No proof that it is such a scan.
    distance, limit
        From 0, where known scans lie on average; the limit is 1.
    reason
        Why it is not known: ``unlike`` (far from every known scan) or ``no_scan`` (more like
        pictures that are no such scan); empty where it is known.
    """

    known: bool
    distance: float
    limit: float
    reason: Literal["", "unlike", "no_scan"] = ""


@dataclass(frozen=True, slots=True, eq=False)
class FamiliarityCheck:
    """The statistics of known scans, for embeddings of D values and K axes.

    Attributes
    ----------
    mean, scale
        (D,) of the roots of the embeddings of known scans; the scale is positive.
    axes, variances, rest
        (K, D) orthonormal axes, (K,) variances along them, and the one in every other direction.
    weights
        (D + 1,) normal of the plane, and its offset.
    zero, limits
        (2,) what distance from known scans and side of the plane are on average for known scans,
        and from where on each refuses.
    """

    mean: Floats
    scale: Floats
    axes: Floats
    variances: Floats
    rest: float
    weights: Floats
    zero: Floats
    limits: Floats

    @classmethod
    def from_arrays(cls, extra: Mapping[str, NDArray[Any]]) -> FamiliarityCheck | None:
        """Take the statistics out of ``Reference.extra``; None where there are none.

        Raises
        ------
        BundleInvalid
            They are incomplete, contradict each other or are not finite.
        """
        found = {name: extra[PREFIX + name] for name in _ARRAYS if PREFIX + name in extra}
        if not found:
            return None
        problem = BundleInvalid(
            _("The model's statistics of known scans cannot be used: write the bundle again.")
        )
        if found.keys() != _ARRAYS.keys():
            raise problem
        for name, values in found.items():
            if values.ndim != _ARRAYS[name] or values.dtype.kind != "f":
                raise problem
            if not np.isfinite(values).all():
                raise problem
        size = len(found["mean"])
        fits = (
            size > 0
            and len(found["scale"]) == size
            and found["axes"].shape == (len(found["variances"]), size)
            and len(found["weights"]) == size + 1
            and len(found["zero"]) == len(found["limits"]) == 2
        )
        if not fits:
            raise problem
        positive = (found["scale"], found["variances"], found["rest"])
        if not all((values > 0).all() for values in positive):
            raise problem
        if not (found["limits"] > found["zero"]).all():
            raise problem
        exact = {name: np.asarray(values, np.float64) for name, values in found.items()}
        rest = float(exact.pop("rest"))
        return cls(**exact, rest=rest)

    def to_arrays(self) -> dict[str, NDArray[np.float32]]:
        """Return what goes into ``Reference.extra``, float32."""
        return {PREFIX + name: np.asarray(getattr(self, name), np.float32) for name in _ARRAYS}

    @property
    def size(self) -> int:
        """Values of an embedding."""
        return len(self.mean)

    def figures(self, embeddings: Floats) -> NDArray[np.float64]:
        """Return (N, 2) of (N, D): distance from known scans, and side of the plane, unscaled."""
        values = standardised(embeddings, self.mean, self.scale)
        along = values @ self.axes.T
        across = np.maximum((values**2).sum(1) - (along**2).sum(1), 0)
        far = np.sqrt(((along**2 / self.variances).sum(1) + across / self.rest) / self.size)
        side = values @ self.weights[:-1] + self.weights[-1]
        return np.stack([far, side], axis=1)

    def judge(self, embedding: Floats) -> Familiarity:
        """Judge one embedding, (D,)."""
        with np.errstate(invalid="ignore", over="ignore"):
            found = (self.figures(embedding[None])[0] - self.zero) / (self.limits - self.zero)
        worst = int(np.argmax(found))
        distance = float(found[worst])
        if not math.isfinite(distance):
            # As unlike any scan as can be.
            return Familiarity(False, float(_MOST**2), 1.0, "unlike")
        distance = max(distance, 0.0)
        if distance <= 1:
            return Familiarity(True, distance, 1.0)
        return Familiarity(False, distance, 1.0, "unlike" if worst == 0 else "no_scan")


def rooted(embeddings: Floats) -> NDArray[np.float64]:
    """Return signed roots of activations."""
    values = np.asarray(embeddings, np.float64)
    return np.asarray(np.sign(values) * np.sqrt(np.abs(values)))


def standardised(embeddings: Floats, mean: Floats, scale: Floats) -> NDArray[np.float64]:
    """Return the roots of embeddings, (N, D), less their mean and in units of their scale."""
    return np.asarray(np.clip((rooted(embeddings) - mean) / scale, -_MOST, _MOST))
