"""The graph of a read: a Keras model's forward pass, its calibration and its Grad-CAM."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from core.errors import BundleInvalid
from core.model._card import Card
from core.text import _

#: What ends a classifier and hides its scores.
_ENDINGS = ("softmax", "sigmoid")


@dataclass(frozen=True, slots=True)
class _Step:
    """One layer's call inside the model, nested models unrolled."""

    layer: Any
    args: tuple[Any, ...]
    out: Any


@dataclass(slots=True)
class _Parts:
    logits: Any  # (N, L), what the calibration takes
    scores: Any  # (N, L), what Grad-CAM derives: never behind a softmax or sigmoid
    lesion: Any | None  # (N, h, w)
    features: list[Any]  # (N, h, w, C), the likeliest feature map first
    embedding: Any | None  # (N, D)


class Forward:
    """The model's forward pass, split into what a read needs; made while a graph is traced.

    Attributes
    ----------
    has_lesion_map
        Whether the card names a lesion output.
    heat_available
        Whether a feature map was found that the scores depend on; known after the trace.

    Parameters
    ----------
    embed
        Whether an embedding is needed.
    """

    def __init__(self, model: Any, card: Card, *, embed: bool = False) -> None:
        self._model = model
        self._embed = embed
        self.card = card
        self.has_lesion_map = card.outputs.lesion is not None
        self.heat_available = False

    def __call__(self, inputs: Any) -> _Parts:
        """Run the model on ``(N, S, S, C)`` tensors."""
        steps: list[_Step] = []
        result = _unroll(self._model, inputs, steps)
        names = self.card.outputs
        by_name = _by_name(result, steps)
        lesion = None if names.lesion is None else _lesion(_pick(by_name, names.lesion))
        if names.cam_features is not None:
            features = [_pick(by_name, names.cam_features)]
            if len(features[0].shape) != 4:
                raise BundleInvalid(_("The model's feature map is not one of rows and columns."))
        else:
            features = _feature_maps(steps)
        embedding = self._embedding(by_name, features) if self._embed else None
        logits, scores = self._classes(result, by_name, steps)
        if logits.shape[1:] != (len(self.card.labels),):
            raise BundleInvalid(_("The model has another number of classes than its card."))
        return _Parts(logits, scores, lesion, features, embedding)

    def _embedding(self, by_name: dict[str, Any], features: list[Any]) -> Any:
        import tensorflow as tf

        name = self.card.outputs.embedding
        if name is not None:
            found = _pick(by_name, name)
            if len(found.shape) != 2:
                raise BundleInvalid(_("The model's embedding must be one row of numbers."))
            return tf.cast(found, tf.float32)
        if not features:
            raise BundleInvalid(_("The model has no embedding to tell a scan by."))
        return tf.reduce_mean(tf.cast(features[0], tf.float32), axis=(1, 2))

    def _classes(self, result: Any, by_name: dict[str, Any], steps: list[_Step]) -> tuple[Any, Any]:
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
        ending, scores = _before_ending(out, steps)
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
        probabilities = _calibrated(parts.logits, card)
        answer = _answer(probabilities, card)
        explained = tf.where(targets < 0, answer, targets)
        score = tf.gather(parts.scores, explained, axis=1, batch_dims=1)
    heat = None
    for features in parts.features:
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
    probabilities = _calibrated(parts.logits, forward.card)
    found = {"probabilities": probabilities, "answer": _answer(probabilities, forward.card)}
    if parts.lesion is not None:
        found["lesion"] = parts.lesion
    if parts.embedding is not None:
        found["embedding"] = parts.embedding
    return found


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


def _unroll(model: Any, tensors: Any, steps: list[_Step]) -> Any:
    """Run a functional or sequential model layer by layer, nested models too, and note each.

    The model cannot be asked for the inner tensors of a nested model, and a hook on its layers
    would be shared by all threads. ``_run_through_graph`` is what ``keras.models.clone_model``
    runs on; it is the one private name of Keras used here.
    """
    import keras

    if isinstance(model, keras.Sequential):
        for layer in model.layers:
            tensors = _step(layer, (tensors,), {}, steps)
        return tensors
    if not hasattr(model, "_run_through_graph"):
        raise BundleInvalid(_("The model must be a functional or sequential Keras model."))
    return model._run_through_graph(
        tensors,
        operation_fn=lambda layer: layer,
        call_fn=lambda layer, *args, **options: _step(layer, args, options, steps),
    )


def _step(layer: Any, args: tuple[Any, ...], options: dict[str, Any], steps: list[_Step]) -> Any:
    import keras

    if isinstance(layer, keras.Sequential) or hasattr(layer, "_run_through_graph"):
        out = _unroll(layer, args[0] if len(args) == 1 else list(args), steps)
    else:
        out = layer(*args, **options)
    steps.append(_Step(layer, args, out))
    return out


def _by_name(result: Any, steps: list[_Step]) -> dict[str, Any]:
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


def _before_ending(out: Any, steps: list[_Step]) -> tuple[str | None, Any]:
    """Return how the classes end (softmax, sigmoid or None) and the scores before that."""
    import keras

    # The innermost layer is noted before the model around it.
    last = next((step for step in steps if step.out is out), None)
    if last is None:
        return None, out
    kind = type(last.layer).__name__.lower()
    if kind in _ENDINGS:
        return kind, last.args[0]
    activation = getattr(getattr(last.layer, "activation", None), "__name__", None)
    if activation not in _ENDINGS:
        return None, out
    if kind == "activation":
        return activation, last.args[0]
    # The layer is this predictor's own copy, and a trace runs once: its second call is linear.
    kept, last.layer.activation = last.layer.activation, keras.activations.linear
    try:
        return activation, last.layer(*last.args)
    finally:
        last.layer.activation = kept


def _feature_maps(steps: list[_Step]) -> list[Any]:
    """Return the maps made by convolutions, the last first: before one, a map is the image."""
    kernels = [any(len(w.shape) == 4 for w in _weights(step.layer)) for step in steps]
    first = kernels.index(True) if True in kernels else len(steps)
    return [step.out for step in reversed(steps[first:]) if _is_feature_map(step.out)]


def _weights(layer: Any) -> list[Any]:
    return list(getattr(layer, "weights", ()))


def _is_feature_map(out: Any) -> bool:
    shape = getattr(out, "shape", ())
    # One pixel is a pooled vector, not a map.
    return len(shape) == 4 and tuple(shape[1:3]) != (1, 1)


def _lesion(out: Any) -> Any:
    import tensorflow as tf

    if len(out.shape) != 4 or out.shape[-1] != 1:
        raise BundleInvalid(_("The model's lesion map must have one channel."))
    return tf.cast(out[..., 0], tf.float32)
