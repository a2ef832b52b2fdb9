"""Gradients along the way from a background to a scan, by `shap`'s own gradient explainer."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.explain._draws import EvenDraws, drawing_from
from core.explain._watch import Watch
from core.model import import_tensorflow

#: ``(N, S, S, C)`` inputs to the ``(N, S, S, C)`` gradients of what is explained.
Gradients = Callable[[NDArray[np.float32]], NDArray[np.float32]]


def integrate(
    gradients: Gradients,
    pixels: NDArray[np.float32],
    backgrounds: NDArray[np.float32],
    *,
    samples: int,
    seed: int,
    batch_size: int,
    watch: Watch,
    draws: Any = None,
) -> NDArray[np.float64]:
    """Return the expected gradients of one input, ``(S, S)`` with the channels added up.

    The loop is ``shap.GradientExplainer``'s: each sample lies somewhere on the straight way from
    a background picture to the scan, its gradient is multiplied by the difference of the two, and
    the samples are averaged. Two things in it are ours: the gradients are those of the compiled
    network of the predictor (shap would compile the model once more for each explainer, and run
    the whole model first), and the draws come from a stream of their own (:mod:`._draws`).

    Parameters
    ----------
    gradients
        Called with at most ``batch_size`` inputs.
    pixels, backgrounds
        ``(S, S, C)`` and ``(B, S, S, C)``.
    samples, seed
        How many gradients, and what chooses their places.
    watch
        Told after each batch.
    draws
        In the place of :class:`EvenDraws`.
    """
    total = -(-samples // batch_size)
    done = 0

    def gradient(inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        nonlocal done
        found = gradients(inputs)
        done += 1
        watch(done, total)
        return found

    explainer = _explainer()(gradient, backgrounds, batch_size)
    chosen = EvenDraws(samples, len(backgrounds)) if draws is None else draws
    run = drawing_from(type(explainer).shap_values, chosen)
    found = run(explainer, pixels[None], nsamples=samples, rseed=seed)
    # (1, S, S, C, 1): one input, one output.
    return np.asarray(found[0, ..., 0].sum(axis=-1), np.float64)


@cache
def _explainer() -> Any:
    """Return shap's explainer with the gradients of whoever makes one; imported when asked for."""
    import_tensorflow()
    # The class behind shap.GradientExplainer for TensorFlow, the one private name of shap used
    # here: the public one insists on a Keras model and would compile it again.
    from shap.explainers._gradient import _TFGradient

    class CompiledGradients(_TFGradient):  # type: ignore[misc]
        """shap's loop over gradients that are compiled already."""

        def __init__(self, gradient: Gradients, data: NDArray[np.float32], batch: int) -> None:
            # Not the parent's: it looks for the tensors of a Keras model.
            self._gradient = gradient
            self.model = self.model_inputs = [None]
            self.multi_input = self.multi_output = False
            self.gradients = [None]
            self.data = [data]
            self.batch_size = batch
            self.local_smoothing = 0

        def gradient(self, i: int) -> Any:
            return self._gradient

        def run(self, out: Any, model_inputs: Any, X: list[NDArray[np.float32]]) -> Any:
            # The model's own output is asked for first and then not used for a single class.
            return None if out is self.model else [out(X[0])]

    return CompiledGradients
