"""What every explanation is, whatever made it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from core.errors import EmptyMap, NotFinite
from core.text import _

#: ``relative``: its own maximum is 1; ``score``: of the class before softmax (logit units);
#: ``probability``: calibrated; ``area``: of the lesion map, as a share of
#: the network's input.
Unit = Literal["relative", "score", "probability", "area"]

#: Target of a map that is about the lesion map rather than a class.
THE_LESION = "lesion"


@dataclass(frozen=True, slots=True, eq=False)
class Explanation:
    """A map over one scan that says what a model's output came from, by one method.

    Attributes
    ----------
    method
        Name of the method, such as ``grad-cam`` or ``expected-gradients``.
    target
        The class that is explained, or ``lesion`` for the lesion map. A map of Eigen-CAM is the
        same for every class; see ``parameters["class_specific"]``.
    values
        ``(H, W)`` float32 at the scan's own size, read-only and finite; never below 0 where not
        signed. Those of an additive method (one with a ``base_value``) were shared out by area
        (:meth:`core.model.Geometry.shared_out`), so that their sum over the scan is what it was
        over the network's input; all others were interpolated.
    signed
        Whether values below 0 speak against the target.
    layer
        Name of the layer whose feature map was used; None where none was.
    parameters
        JSON values: whatever is needed to make the map again, with the bundle and the scan.
    unit
        Of ``values``, ``base_value`` and ``output``.
    base_value
        What the model says of the background, where the method has one.
    output
        What the model says of the scan, in the same unit; None where the unit is relative.
    bundle_digest, image_digest
        The model and the scan, as in :class:`core.model.Prediction`.
    """

    method: str
    target: str
    values: NDArray[np.float32] = field(repr=False)
    signed: bool
    layer: str | None
    parameters: Mapping[str, Any]
    unit: Unit
    base_value: float | None
    output: float | None
    bundle_digest: str
    image_digest: str

    def __post_init__(self) -> None:
        """Refuse a map that cannot be shown honestly, and seal what is kept.

        Raises
        ------
        NotFinite
            A value is not a number.
        EmptyMap
            All values are 0: there is nothing to show.
        """
        values = self.values
        if values.ndim != 2 or values.dtype != np.float32:
            raise ValueError("values must be (H, W) float32")
        if self.unit not in get_args(Unit):
            raise ValueError("the unit is not one that is known")
        figures = [each for each in (self.base_value, self.output) if each is not None]
        if not np.isfinite(values).all() or not np.isfinite(figures).all():
            raise NotFinite(
                _("This explanation came out without usable numbers. Try another method.")
            )
        if not self.signed and values.min() < 0:
            raise ValueError("a map that is not signed has no values below 0")
        if not values.any():
            raise EmptyMap(
                _("By this method nothing in the scan speaks for this class. Try another method.")
            )
        # An own copy: sealing the caller's array would still leave the caller's views writable.
        own = values.copy()
        own.flags.writeable = False
        object.__setattr__(self, "values", own)
        sealed = json.loads(json.dumps(dict(self.parameters), allow_nan=False))
        object.__setattr__(self, "parameters", MappingProxyType(sealed))

    @property
    def gap(self) -> float | None:
        """How far base and values together miss the output; None for a method without a base."""
        if self.base_value is None or self.output is None:
            return None
        return abs(self.base_value + float(self.values.sum(dtype=np.float64)) - self.output)

    @property
    def positive(self) -> NDArray[np.float32]:
        """What speaks for the target, ``(H, W)`` at least 0; made anew on each call."""
        return np.maximum(self.values, np.float32(0))

    @property
    def negative(self) -> NDArray[np.float32]:
        """What speaks against the target, ``(H, W)`` at least 0; made anew on each call."""
        return np.maximum(-self.values, np.float32(0))
