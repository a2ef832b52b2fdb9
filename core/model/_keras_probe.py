"""The probe of a Keras model: one compiled call per kind of question, made when first asked."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from core.errors import InvalidQuestion, NoFeatureMap, NotFinite, PredictionFailed
from core.model._gate import Gate
from core.model._graph import Forward, Parts, answered
from core.model._probe import Features
from core.model._survey import usable_maps
from core.text import _

if TYPE_CHECKING:
    from typing import TypeAlias

    #: What a call needs of the model, by name.
    _Found: TypeAlias = dict[str, NDArray[Any]]

#: Inputs computed at a time; between two such parts whoever waits for a read goes first.
_MOST = 32
#: Compiled calls kept; a model may have hundreds of layers, each with a call of its own.
_KEPT = 12


class KerasProbe:
    """Answers questions about a loaded model: see :class:`core.model.Probe`.

    Parameters
    ----------
    forward
        The model's forward pass. Nothing is stored on the model: every call is a graph of its
        own over the same weights.
    gate
        Bounds what computes at once.
    """

    def __init__(self, forward: Forward, gate: Gate) -> None:
        self._forward = forward
        self._gate = gate
        size, channels = forward.card.input.size, forward.card.input.channels
        self._shape = (size, size, channels)
        self._compiling = Lock()
        self._calls: OrderedDict[tuple[str, str | None], Any] = OrderedDict()
        self._layers: tuple[str, ...] | None = None

    @property
    def labels(self) -> tuple[str, ...]:
        """Classes in the order of the model."""
        return self._forward.card.labels

    def scores(
        self, inputs: NDArray[np.float32], *, at: NDArray[np.float32] | None = None
    ) -> NDArray[np.float32]:
        """Return the ``(N, L)`` class scores before softmax and calibration."""
        return self._answers(inputs, "scores", at)["scores"]

    def probabilities(self, inputs: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the ``(N, L)`` calibrated probabilities."""
        return self._answers(inputs, "probabilities")["probabilities"]

    def lesion(
        self, inputs: NDArray[np.float32], *, at: NDArray[np.float32] | None = None
    ) -> NDArray[np.float32] | None:
        """Return the ``(N, h, w)`` lesion maps, 0..1; None where the model has none."""
        if not self._forward.has_lesion_map:
            return None
        return np.clip(self._answers(inputs, "lesion", at)["lesion"], 0, 1)

    def input_gradients(
        self,
        inputs: NDArray[np.float32],
        targets: NDArray[np.int32],
        *,
        through_mask: bool = True,
        at: NDArray[np.float32] | None = None,
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return the targets' scores and their gradients: see :class:`core.model.Probe`."""
        forward = self._forward.unheld() if through_mask else self._forward
        kind = "inputs through the mask" if through_mask else "inputs"

        def run(inputs: Any, targets: Any, at: Any = None) -> dict[str, Any]:
            return _input_gradients(forward, inputs, targets, at)

        call = self._call(kind, None, run, targets=True, at=at is not None)
        found = self._run(call, inputs, targets, at=at)
        return found["score"], found["gradient"]

    def lesion_area_gradients(
        self, inputs: NDArray[np.float32], *, at: NDArray[np.float32] | None = None
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return the sums of the lesion maps and their gradients.

        Raises
        ------
        InvalidQuestion
            The model has no lesion map.
        """
        if not self._forward.has_lesion_map:
            raise InvalidQuestion(_("This model draws no lesion map: ask about a class instead."))

        def run(inputs: Any, at: Any = None) -> dict[str, Any]:
            return _area_gradients(self._forward, inputs, at)

        found = self._run(self._call("area", None, run, at=at is not None), inputs, at=at)
        return found["area"], found["gradient"]

    def features(
        self,
        inputs: NDArray[np.float32],
        targets: NDArray[np.int32],
        layer: str | None = None,
    ) -> Features:
        """Return a feature map and the gradients in it: see :class:`core.model.Probe`."""
        names: list[str] = []
        # What the card names is taken at its word, and needs no survey.
        trusted = layer is None and self._forward.card.outputs.cam_features is not None
        usable = None if trusted else self.layers()

        def run(inputs: Any, targets: Any) -> dict[str, Any]:
            name, found = _features(self._forward, inputs, targets, layer, usable)
            names.append(name)
            return found

        # The name was found while the call was traced, and is kept with it.
        call, kept = self._call("features", layer, run, targets=True, beside=names)
        found = self._run((call, kept), inputs, targets)
        lesion = found.get("lesion")
        return Features(
            kept[0],
            found["maps"],
            found["gradients"],
            found["scores"],
            found["explained"],
            found["probabilities"],
            None if lesion is None else np.clip(lesion, 0, 1),
        )

    def layers(self) -> tuple[str, ...]:
        """Return the names that ``layer`` takes: see :class:`core.model.Probe`."""
        # Whoever comes meanwhile does it again, with the same result.
        if self._layers is None:
            with self._gate.enter(background=True), _stopped():
                self._layers = usable_maps(self._forward)
        return self._layers

    def _answers(
        self, inputs: NDArray[np.float32], wanted: str, at: NDArray[np.float32] | None = None
    ) -> _Found:
        def run(inputs: Any, at: Any = None) -> dict[str, Any]:
            parts = self._forward(inputs, at)
            found = {
                "scores": parts.scores,
                "probabilities": answered(parts, self._forward.card)[0],
            }
            return found if parts.lesion is None else found | {"lesion": parts.lesion}

        call = self._call("answers", None, run, at=at is not None)
        return self._run(call, inputs, at=at, only=wanted)

    def _call(
        self,
        kind: str,
        layer: str | None,
        run: Callable[..., dict[str, Any]],
        *,
        targets: bool = False,
        at: bool = False,
        beside: list[str] | None = None,
    ) -> tuple[Any, list[str]]:
        """Return the compiled call of a question, and what its trace left beside it."""
        kind = f"{kind} at one" if at else kind
        with self._compiling:
            call = self._calls.get((kind, layer))
            if call is None:
                compiled = self._compile(run, targets=targets, at=at)
                call = compiled, [] if beside is None else beside
                self._calls[kind, layer] = call
                while len(self._calls) > _KEPT:
                    self._calls.popitem(last=False)
            self._calls.move_to_end((kind, layer))
            return call

    def _compile(self, run: Callable[..., dict[str, Any]], *, targets: bool, at: bool) -> Any:
        import tensorflow as tf

        signature = [tf.TensorSpec((None, *self._shape), tf.float32)]
        if targets:
            signature.append(tf.TensorSpec((None,), tf.int32))
        if at:
            signature.append(tf.TensorSpec((1, *self._shape), tf.float32))
        compiled = tf.function(run, input_signature=signature, autograph=False)
        return compiled.get_concrete_function()

    def _run(
        self,
        call: tuple[Any, list[str]],
        inputs: NDArray[np.float32],
        targets: NDArray[np.int32] | None = None,
        *,
        at: NDArray[np.float32] | None = None,
        only: str | None = None,
    ) -> _Found:
        """Run a call on all inputs, part by part, each behind whoever waits for a read."""
        if inputs.ndim != 4 or inputs.shape[1:] != self._shape or not len(inputs):
            raise ValueError("inputs must be (N, S, S, C) of the model's input, at least one")
        if targets is not None and targets.shape != inputs.shape[:1]:
            raise ValueError("there must be one target for each input")
        if targets is not None and not np.all((targets >= -1) & (targets < len(self.labels))):
            raise InvalidQuestion(_("The model does not know this class. Choose one it lists."))
        parts: list[_Found] = []
        for start in range(0, len(inputs), _MOST):
            part = slice(start, start + _MOST)
            given = [inputs[part]] if targets is None else [inputs[part], targets[part]]
            if at is not None:
                given.append(at[None])
            with self._gate.enter(background=True):
                parts.append(_computed(call[0], given, only))
        if len(parts) == 1:
            return parts[0]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


@contextmanager
def _stopped() -> Iterator[None]:
    import tensorflow as tf

    try:
        yield
    except tf.errors.OpError as error:
        raise PredictionFailed(
            _("The model stopped before it had an answer. Please try this scan again.")
        ) from error


def _computed(call: Any, given: list[NDArray[Any]], only: str | None) -> _Found:
    import tensorflow as tf

    with _stopped():
        raw = call(*(tf.constant(each) for each in given))
        # Copies: what TensorFlow hands out is its own memory.
        found = {n: np.array(v.numpy()) for n, v in raw.items() if only is None or n == only}
    if not all(np.isfinite(values).all() for values in found.values()):
        raise NotFinite(_("The model gave values that are not numbers: it cannot be explained."))
    return found


def _input_gradients(forward: Forward, inputs: Any, targets: Any, at: Any) -> dict[str, Any]:
    import tensorflow as tf

    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(inputs)
        score = _score(forward(inputs, at), forward, targets)[0]
    return {"score": score, "gradient": _gradient(tape, score, inputs)}


def _area_gradients(forward: Forward, inputs: Any, at: Any) -> dict[str, Any]:
    import tensorflow as tf

    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(inputs)
        area = tf.reduce_sum(forward(inputs, at).lesion, axis=(1, 2))
    return {"area": area, "gradient": _gradient(tape, area, inputs)}


def _features(
    forward: Forward,
    inputs: Any,
    targets: Any,
    layer: str | None,
    usable: tuple[str, ...] | None,
) -> tuple[str, dict[str, Any]]:
    """Build the run whose feature map is of ``layer``; return its name with it."""
    import tensorflow as tf

    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(inputs)
        parts = forward(inputs)
        score, explained, probabilities = _score(parts, forward, targets)
    name, maps = _chosen(parts, layer, usable)
    gradients = tape.gradient(score, maps)
    if gradients is None:
        raise NoFeatureMap(_("The model's classes depend on none of its feature maps."))
    found = {
        "maps": tf.cast(maps, tf.float32),
        "gradients": tf.cast(gradients, tf.float32),
        "scores": score,
        "explained": explained,
        "probabilities": probabilities,
    }
    return name, found if parts.lesion is None else found | {"lesion": parts.lesion}


def _chosen(parts: Parts, layer: str | None, usable: tuple[str, ...] | None) -> tuple[str, Any]:
    """Return the feature map that is asked for; ``usable`` None trusts the first one."""
    if layer is not None:
        wanted = parts.named.get(layer)
        if wanted is None:
            raise InvalidQuestion(
                _("The model has no feature map of this name: choose one of those listed.")
            )
        for name, out in parts.layers.items():
            if out is wanted and usable is not None and name in usable:
                return name, out
        raise InvalidQuestion(_("This layer cannot explain a class: choose one of those listed."))
    if not parts.features:
        raise NoFeatureMap(
            _("The model has no convolution, so there is no map to explain. Try SHAP or occlusion.")
        )
    for name, out in parts.features.items():
        if usable is None or name in usable:
            return name, out
    raise NoFeatureMap(_("The model's classes depend on none of its feature maps."))


def _score(parts: Parts, forward: Forward, targets: Any) -> tuple[Any, Any, Any]:
    """Return the score of each target, the targets with the answers filled in, probabilities."""
    import tensorflow as tf

    probabilities, answer = answered(parts, forward.card)
    explained = tf.where(targets < 0, answer, targets)
    return tf.gather(parts.scores, explained, axis=1, batch_dims=1), explained, probabilities


def _gradient(tape: Any, of: Any, inputs: Any) -> Any:
    import tensorflow as tf

    return tape.gradient(of, inputs, unconnected_gradients=tf.UnconnectedGradients.ZERO)
