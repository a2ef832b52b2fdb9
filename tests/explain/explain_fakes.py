"""A model whose explanations are known exactly: scores that are formulas of the pixels."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import bundle_factory
import numpy as np

from core.errors import NotFinite
from core.model import Bundle, InputSpec, Outputs, Probe, Reference

LABELS = ("benign", "malignant")


class Formula:
    """Scores ``s + bend * s**2`` with ``s`` the pixels weighted by a map for each class.

    With ``bend`` 0 the model is linear, and what each pixel adds is known without sampling. Its
    lesion is where the picture is dark.
    """

    labels = LABELS

    def __init__(self, size: int = 32, *, bend: float = 0.0, seed: int = 0, channels: int = 1):
        rng = np.random.default_rng(seed)
        self.weights = rng.normal(0, 1 / size, (2, size, size, channels))
        self.bend = bend
        self.inputs = 0
        self.calls = 0
        self.broken = False

    def _sums(self, inputs):
        self.inputs += len(inputs)
        self.calls += 1
        return np.einsum("nijc,lijc->nl", inputs.astype(np.float64), self.weights)

    def scores(self, inputs, *, at=None):
        sums = self._sums(inputs)
        found = (sums + self.bend * sums**2).astype(np.float32)
        if self.broken:
            raise NotFinite("not a number")
        return found

    def probabilities(self, inputs):
        scores = self.scores(inputs).astype(np.float64)
        shares = np.exp(scores - scores.max(axis=1, keepdims=True))
        return shares / shares.sum(axis=1, keepdims=True)

    def lesion(self, inputs, *, at=None):
        self.inputs += len(inputs)
        return (1 / (1 + np.exp(2 * inputs[..., 0]))).astype(np.float32)

    def input_gradients(self, inputs, targets, *, through_mask=True, at=None):
        sums = self._sums(inputs)[np.arange(len(inputs)), targets]
        slopes = 1 + 2 * self.bend * sums
        gradients = slopes[:, None, None, None] * self.weights[targets]
        return self.scores(inputs)[np.arange(len(inputs)), targets], gradients.astype(np.float32)

    def lesion_area_gradients(self, inputs, *, at=None):
        lesion = self.lesion(inputs)
        gradients = np.zeros(inputs.shape, np.float32)
        gradients[..., 0] = -2 * lesion * (1 - lesion)
        return lesion.sum(axis=(1, 2)), gradients

    def features(self, inputs, targets, layer=None):
        raise NotImplementedError

    def layers(self):
        return ()


@dataclass
class FakeModel:
    """What explanations ask of a predictor."""

    bundle: Bundle
    answers: Probe

    def probe(self) -> Probe:
        return self.answers


def formula_model(size=32, *, channels=1, extra=None, digest="b" * 64, **kind) -> FakeModel:
    """Make a model of :class:`Formula` with a card that fits; no file is behind it."""
    card = bundle_factory.lesion_card(
        labels=LABELS,
        input=InputSpec(size=size, channels=channels),
        outputs=Outputs(),
        calibration=bundle_factory.Calibration(),
    )
    known = Reference(np.zeros(0, np.float32), np.zeros(0, bool), extra or {})
    bundle = Bundle(Path("nowhere"), card, known, digest)
    return FakeModel(bundle, Formula(size, channels=channels, **kind))
