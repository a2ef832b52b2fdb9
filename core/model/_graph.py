"""The graph of a read: a Keras model's forward pass, its calibration and its Grad-CAM."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from threading import RLock
from typing import Any

import numpy as np

from core.errors import BundleInvalid
from core.model._card import Card
from core.model._unroll import Step, Unrolled, before_ending, feature_maps
from core.text import _


@dataclass(slots=True)
class Parts:
    """What one run of a model gives; tensors."""

    logits: Any  # (N, L), what the calibration takes
    scores: Any  # (N, L), what Grad-CAM derives: never behind a softmax or sigmoid
    lesion: Any | None  # (N, h, w)
    features: dict[str, Any]  # (N, h, w, C) by name, the likeliest feature map first
    layers: dict[str, Any]  # each feature map once by its name, in the network's order
    named: dict[str, Any]  # every name of a feature map
    embedding: Any | None  # (N, D)


class Forward:
    """The model's forward pass, split into what a read needs; made while a graph is traced.

    Traces of one model wait for each other, from whatever thread: for a moment a trace takes the
    last layer's activation away, which no other may see.

    Attributes
    ----------
    embeds
        Whether it gives an embedding.
    has_lesion_map
        Whether the card names a lesion output.
    heat_available
        Whether a feature map was found that the scores depend on; known after the trace.

    Parameters
    ----------
    embed
        Whether an embedding is needed.
    held
        Whether ``stop_gradient`` in the model stops gradients.
    """

    def __init__(self, model: Any, card: Card, *, embed: bool = False, held: bool = True) -> None:
        self._model = model
        self.embeds = embed
        self._held = held
        self._tracing = RLock()
        self.card = card
        self.has_lesion_map = card.outputs.lesion is not None
        self.heat_available = False

    def unheld(self) -> Forward:
        """Return the pass of the same model in which ``stop_gradient`` does nothing."""
        other = Forward(self._model, self.card, embed=self.embeds, held=False)
        other._tracing = self._tracing
        return other

    def __call__(self, inputs: Any, at: Any = None) -> Parts:
        """Run the model on ``(N, S, S, C)`` tensors.

        Parameters
        ----------
        at
            ``(M, S, S, C)``: what the model decides in an outermost ``stop_gradient``, such as
            where it looks closer, is decided as for these, for N / M inputs as for the first of
            them, for as many as for the second, and so on.
        """
        with self._tracing:
            return self._run(inputs, () if at is None else self._decisions(at))

    def _decisions(self, at: Any) -> list[Any]:
        unrolled = Unrolled()
        unrolled.run(self._model, at)
        return unrolled.decisions

    def _run(self, inputs: Any, decided: Sequence[Any]) -> Parts:
        unrolled = Unrolled(hold=self._held, decided=decided)
        result, steps = unrolled.run(self._model, inputs), unrolled.steps
        names = self.card.outputs
        by_name = _by_name(result, steps)
        lesion = None if names.lesion is None else _lesion(_pick(by_name, names.lesion))
        layers, named = feature_maps(steps)
        features = dict(reversed(layers.items()))
        if names.cam_features is not None:
            chosen = _pick(by_name, names.cam_features)
            if len(chosen.shape) != 4:
                raise BundleInvalid(_("The model's feature map is not one of rows and columns."))
            features = {names.cam_features: chosen}
            named |= features
            # It goes by the card's name, even where that is one of an output and not of a layer.
            layers = {
                names.cam_features if out is chosen else name: out for name, out in layers.items()
            }
        embedding = self._embedding(by_name, features) if self.embeds else None
        logits, scores = self._classes(result, by_name, steps)
        if logits.shape[1:] != (len(self.card.labels),):
            raise BundleInvalid(_("The model has another number of classes than its card."))
        return Parts(logits, scores, lesion, features, layers, named, embedding)

    def _embedding(self, by_name: dict[str, Any], features: dict[str, Any]) -> Any:
        import tensorflow as tf

        name = self.card.outputs.embedding
        if name is not None:
            found = _pick(by_name, name)
            if len(found.shape) != 2:
                raise BundleInvalid(_("The model's embedding must be one row of numbers."))
            return tf.cast(found, tf.float32)
        if not features:
            raise BundleInvalid(_("The model has no embedding to tell a scan by."))
        likeliest = next(iter(features.values()))
        return tf.reduce_mean(tf.cast(likeliest, tf.float32), axis=(1, 2))

    def _classes(self, result: Any, by_name: dict[str, Any], steps: list[Step]) -> tuple[Any, Any]:
        import tensorflow as tf

        names = self.card.outputs
        if names.logits is not None:
            logits = tf.cast(_pick(by_name, names.logits), tf.float32)
            return logits, logits
        if names.probabilities is not None:
            out = _pick(by_name, names.probabilities)
        else:
            others = names.lesion, names.cam_features, names.embedding
            out = _only_classes(result, by_name, *others)
        ending, scores = before_ending(out, steps)
        if ending is None and names.probabilities is not None:
            # An ending that is not known: the logarithm of the probabilities is what is left.
            scores = tf.math.log(tf.maximum(tf.cast(out, tf.float32), 1e-30))
            ending = "softmax" if out.shape[-1] != 1 else None
        scores = tf.cast(scores, tf.float32)
        if scores.shape[1:] == (1,) and len(self.card.labels) == 2 and ending != "softmax":
            # One unit scores the second label: softmax of (-z/2, z/2) is (1 - sigmoid(z),
            # sigmoid(z)), and both labels have a gradient.
            if ending is None and names.probabilities is not None:
                scores = scores - tf.math.log(tf.maximum(1 - tf.cast(out, tf.float32), 1e-30))
            scores = tf.concat([-scores, scores], axis=-1) / 2
            return scores, scores
        if ending == "sigmoid":
            # One sigmoid per label is no distribution; its shares are.
            return tf.math.log_sigmoid(scores), scores
        return scores, scores


def trace(forward: Forward, inputs: Any, targets: Any) -> dict[str, Any]:
    """Build the read: probabilities, the answer, and Grad-CAM of the class asked for.

    Grad-CAM is ``ReLU(sum_k a_k A_k)`` with ``a_k`` the mean over rows and columns of the class
    score's gradient in feature map ``A_k`` (Selvaraju et al., *Grad-CAM: visual explanations from
    deep networks via gradient-based localization*, ICCV 2017, eq. 1-2), divided by its maximum.
    The score is the one before softmax or sigmoid and before calibration, whose positive scale
    and constant bias leave the normalised map as it is.

    The gradient runs from the class score to the feature map and nowhere else. A model with a
    lesion output pools its features under its own lesion map behind a ``stop_gradient``: **the
    mask path is held constant**, the map says which features speak for the class where the mask
    lies, not how the class would change if the mask moved, and the decoder is never
    differentiated.

    Parameters
    ----------
    inputs, targets
        ``(N, S, S, C)`` float32 and ``(N,)`` int32: index of a label, or -1 for the answer.
    """
    import tensorflow as tf

    card = forward.card
    with tf.GradientTape(persistent=True, watch_accessed_variables=False) as tape:
        tape.watch(inputs)
        parts = forward(inputs)
        probabilities, answer = answered(parts, card)
        explained = tf.where(targets < 0, answer, targets)
        score = tf.gather(parts.scores, explained, axis=1, batch_dims=1)
    heat = None
    for features in parts.features.values():
        gradient = tape.gradient(score, features)
        if gradient is not None:
            heat = _grad_cam(features, gradient)
            break
    del tape
    if heat is None and card.outputs.cam_features is not None:
        raise BundleInvalid(_("The model's classes do not depend on its feature map."))
    forward.heat_available = heat is not None
    found = {
        "probabilities": probabilities,
        "answer": answer,
        "explained": explained,
        "heat": tf.zeros_like(inputs[..., 0]) if heat is None else heat,
    }
    if parts.lesion is not None:
        found["lesion"] = parts.lesion
    if parts.embedding is not None:
        found["embedding"] = parts.embedding
    return found


def trace_answer(forward: Forward, inputs: Any) -> dict[str, Any]:
    """Build the read without Grad-CAM, for many scans of which nobody looks at the heat.

    Parameters
    ----------
    inputs
        ``(N, S, S, C)`` float32.
    """
    parts = forward(inputs)
    probabilities, answer = answered(parts, forward.card)
    found = {"probabilities": probabilities, "answer": answer}
    if parts.lesion is not None:
        found["lesion"] = parts.lesion
    if parts.embedding is not None:
        found["embedding"] = parts.embedding
    return found


def answered(parts: Parts, card: Card) -> tuple[Any, Any]:
    """Return the calibrated probabilities, (N, L) float64, and the answer they give, (N,)."""
    probabilities = _calibrated(parts.logits, card)
    return probabilities, _answer(probabilities, card)


def _grad_cam(features: Any, gradient: Any) -> Any:
    import tensorflow as tf

    weights = tf.reduce_mean(tf.cast(gradient, tf.float32), axis=(1, 2), keepdims=True)
    # A saturated model has gradients near the smallest number; their scale is of no interest.
    weights = tf.math.divide_no_nan(weights, tf.reduce_max(tf.abs(weights), axis=3, keepdims=True))
    cam = tf.nn.relu(tf.reduce_sum(tf.cast(features, tf.float32) * weights, axis=3))
    return tf.math.divide_no_nan(cam, tf.reduce_max(cam, axis=(1, 2), keepdims=True))


def _calibrated(logits: Any, card: Card) -> Any:
    import tensorflow as tf

    # In 64 bits, so that the answer decided here and the probability shown cannot disagree.
    values = tf.cast(logits, tf.float64)
    if card.calibration.method != "none":
        bias = tf.constant(card.calibration.bias, tf.float64)
        values = values / card.calibration.temperature + bias
    return tf.nn.softmax(values, axis=-1)


def _answer(probabilities: Any, card: Card) -> Any:
    import tensorflow as tf

    positive = card.positive_index
    others = np.zeros(len(card.labels))
    others[positive] = -np.inf
    likeliest = tf.argmax(probabilities + others, axis=-1, output_type=tf.int32)
    flagged = probabilities[:, positive] >= card.approved.threshold
    return tf.where(flagged, positive, likeliest)


def _by_name(result: Any, steps: list[Step]) -> dict[str, Any]:
    found = {step.layer.name: step.out for step in steps}
    if isinstance(result, dict):
        found.update(result)
    return found


def _pick(by_name: dict[str, Any], name: str) -> Any:
    if name not in by_name or not hasattr(by_name[name], "shape"):
        raise BundleInvalid(_("The model has no output of a name on its card."))
    return by_name[name]


def _only_classes(result: Any, by_name: dict[str, Any], *others: str | None) -> Any:
    import tensorflow as tf

    named = [by_name[name] for name in others if name is not None]
    outputs = [
        out
        for out in tf.nest.flatten(result)
        if len(out.shape) == 2 and not any(out is known for known in named)
    ]
    if len(outputs) != 1:
        raise BundleInvalid(_("The model's card must name the output that holds the classes."))
    return outputs[0]


def _lesion(out: Any) -> Any:
    import tensorflow as tf

    if len(out.shape) != 4 or out.shape[-1] != 1:
        raise BundleInvalid(_("The model's lesion map must have one channel."))
    return tf.cast(out[..., 0], tf.float32)
