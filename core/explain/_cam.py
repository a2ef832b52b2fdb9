"""The family of class activation maps: one run of the model, from which each member is made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from core.errors import EmptyMap, NotFinite
from core.explain._asked import Asked, Model, ask
from core.explain._explanation import Explanation
from core.model import Features
from core.scan import Scan
from core.text import _

#: Asks for the class the model answers with.
_THE_ANSWER = -1

#: Feature maps and the class score's gradients in them, ``(h, w, K)`` float64 each, to one map
#: ``(h, w)`` in which what speaks for the class is above 0.
Combine: TypeAlias = Callable[[NDArray[np.float64], NDArray[np.float64]], NDArray[np.float64]]


@dataclass(frozen=True, slots=True, eq=False)
class CamRead:
    """A model's prediction and its feature map from one run: every member of the family is in it.

    Going from one method to another asks the model nothing.

    Attributes
    ----------
    asked
        The scan and the model.
    features
        What the run gave, for one input; its probabilities and its lesion map are those of a read.
    """

    asked: Asked
    features: Features = field(repr=False)

    @property
    def target(self) -> str:
        """The class that is explained."""
        return self.asked.probe.labels[int(self.features.targets[0])]

    def explain(self, cam: Cam) -> Explanation:
        """Return the map of one member.

        Raises
        ------
        EmptyMap
            Nothing in the scan speaks for the class by this method.
        NotFinite
            The map came out without usable numbers.
        """
        found = self.features.maps[0], self.features.gradients[0]
        heat = np.array(np.nan)
        if all(np.isfinite(each).all() for each in found):
            # In 64 bits: the gradients of a saturated model are near the smallest number of 32.
            heat = np.maximum(cam.combine(*(each.astype(np.float64) for each in found)), 0)
        peak = heat.max()
        if not np.isfinite(peak):
            raise NotFinite(
                _("This explanation came out without usable numbers. Try another method.")
            )
        if peak > 0:
            heat = heat / peak
        values = np.maximum(self.asked.geometry.to_image(heat), 0)
        peak = values.max()
        if peak == 0:
            raise EmptyMap(
                _("By this method nothing in the scan speaks for this class. Try another method.")
            )
        return Explanation(
            method=cam.method,
            target=self.target,
            values=values / peak,
            signed=False,
            layer=self.features.layer,
            parameters={"class_specific": cam.class_specific},
            unit="relative",
            base_value=None,
            output=None,
            bundle_digest=self.asked.bundle.digest,
            image_digest=self.asked.image_digest,
        )


@dataclass(frozen=True, slots=True, eq=False)
class Cam:
    """One member of the family; call it to explain a scan.

    Attributes
    ----------
    method
        Its name.
    combine
        What makes its map.
    class_specific
        Whether the map depends on the class.
    """

    method: str
    combine: Combine
    class_specific: bool = True

    def __call__(
        self, model: Model, scan: Scan, target: str | None = None, *, layer: str | None = None
    ) -> Explanation:
        """Explain a class of a scan.

        Parameters
        ----------
        model, scan
            What is explained.
        target
            The class; None for the model's answer.
        layer
            Name of a layer with a feature map (see :meth:`core.model.Probe.layers`); None for the
            last one the class depends on, or the one the model's card names.

        Returns
        -------
        Explanation
            Not signed, relative to its own maximum.

        Raises
        ------
        InvalidQuestion
            The model has no such class, or no such layer.
        NoFeatureMap
            The model has no convolution.
        EmptyMap
            Nothing in the scan speaks for the class by this method.
        NotFinite
            The gradients are not numbers.
        """
        return read_features(model, scan, target, layer=layer).explain(self)


def read_features(
    model: Model, scan: Scan, target: str | None = None, *, layer: str | None = None
) -> CamRead:
    """Run the model once for every member of the family; see :class:`Cam` for what may fail.

    The score derived is the one before softmax or sigmoid and before calibration. What a model
    holds constant in training (``stop_gradient``) is held constant: a model that pools its
    features under its own lesion map is explained with that map as it is.
    """
    asked = ask(model, scan)
    index = _THE_ANSWER if target is None else asked.index(target)
    features = asked.probe.features(asked.pixels[None], np.full(1, index, np.int32), layer)
    return CamRead(asked, features)
