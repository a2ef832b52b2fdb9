"""A Keras model as one compiled call: calibrated probabilities, lesion map and Grad-CAM."""

from __future__ import annotations

import json
import os
import sys
import zipfile
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from core.errors import BundleInvalid, PredictionFailed
from core.model._bundle import Bundle
from core.model._familiarity import FamiliarityCheck
from core.model._gate import Gate
from core.model._graph import Forward, trace, trace_answer
from core.model._keras_probe import KerasProbe
from core.model._probe import Probe
from core.text import _

if TYPE_CHECKING:
    from core.scan import Scan

#: Asks a network to explain the class it answers with.
THE_ANSWER = -1


class NetworkOutput(NamedTuple):
    """What a network gives for N inputs of L labels; every array belongs to the caller."""

    probabilities: NDArray[np.float64]  # (N, L) calibrated, each row sums to 1
    lesion: NDArray[np.float32] | None  # (N, h, w) lesion probability, 0..1
    heat: NDArray[np.float32] | None  # (N, h, w) Grad-CAM, its own max = 1, or all 0
    answer: NDArray[np.int32]  # (N,) label answered at the approved operating point
    explained: NDArray[np.int32]  # (N,) label the heat explains
    embedding: NDArray[np.float32] | None = None  # (N, D), where something is judged by it


class Network(Protocol):
    """What the predictor needs of a model; tests hand in their own."""

    has_lesion_map: bool
    heat_available: bool

    def __call__(
        self, inputs: NDArray[np.float32], targets: NDArray[np.int32] | None
    ) -> NetworkOutput:
        """Run ``(N, S, S, C)`` float32 inputs; targets are label indices or THE_ANSWER.

        Without targets there is no heat, and ``explained`` is the answer.
        """
        ...


class KerasNetwork:
    """The compiled calls of a loaded bundle, with heat and without: safe from any thread."""

    def __init__(
        self,
        compiled: Any,
        compile_answer: Callable[[], Any],
        forward: Forward,
    ) -> None:
        self._compiled = compiled
        self._compile_answer = compile_answer
        self._answer: Any = None
        self._embedding: Any = None
        self._compiling = Lock()
        self._forward = forward
        self.has_lesion_map = forward.has_lesion_map
        self.heat_available = forward.heat_available

    def __call__(
        self, inputs: NDArray[np.float32], targets: NDArray[np.int32] | None
    ) -> NetworkOutput:
        """Run the model; see :class:`Network`.

        Raises
        ------
        PredictionFailed
            The model stopped, or gave a value that is not finite.
        """
        tf = import_tensorflow()
        try:
            if targets is None:
                raw = self._answers()(tf.constant(inputs))
            else:
                raw = self._compiled(tf.constant(inputs), tf.constant(targets))
        except tf.errors.OpError as error:
            raise _stopped() from error
        found = {name: np.array(value.numpy()) for name, value in raw.items()}
        if not all(np.isfinite(values).all() for values in found.values()):
            raise _no_answer()
        return NetworkOutput(
            found["probabilities"],
            np.clip(found["lesion"], 0, 1) if self.has_lesion_map else None,
            found.get("heat"),
            found["answer"],
            found.get("explained", found["answer"]),
            found.get("embedding"),
        )

    def probe(self, gate: Gate) -> Probe:
        """Return what answers questions about this network; nothing is compiled yet."""
        return KerasProbe(self._forward, gate)

    def embeddings(self, inputs: NDArray[np.float32]) -> NDArray[np.float32] | None:
        """Return the embeddings (N, D) alone; None where the network was loaded without.

        A call of its own: of a network that reads a picture several times, an embedding needs but
        a small part.

        Raises
        ------
        PredictionFailed
            As for a read.
        """
        if not self._forward.embeds:
            return None
        tf = import_tensorflow()
        with self._compiling:
            if self._embedding is None:
                signature = [tf.TensorSpec((None, *inputs.shape[1:]), tf.float32)]
                self._embedding = tf.function(
                    lambda values: self._forward(values).embedding,
                    input_signature=signature,
                    autograph=False,
                ).get_concrete_function()
        try:
            found = np.array(self._embedding(tf.constant(inputs)).numpy())
        except tf.errors.OpError as error:
            raise _stopped() from error
        if not np.isfinite(found).all():
            raise _no_answer()
        return found

    def _answers(self) -> Any:
        """Return the call without heat; made when it is first asked for, as pages never do."""
        with self._compiling:
            if self._answer is None:
                self._answer = self._compile_answer()
            return self._answer


def _stopped() -> PredictionFailed:
    return PredictionFailed(
        _("The model stopped before it had an answer. Please try this scan again.")
    )


def _no_answer() -> PredictionFailed:
    return PredictionFailed(
        _("The model gave no usable answer for this scan. Read it without the model.")
    )


def import_tensorflow() -> Any:
    """Import TensorFlow, quiet, with Keras on it; slow the first time, so never at import."""
    if "tensorflow" not in sys.modules:
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
        os.environ.setdefault("TF_CPP_MAX_VLOG_LEVEL", "0")
        os.environ["KERAS_BACKEND"] = "tensorflow"
    import tensorflow

    return tensorflow


def load_network(bundle: Bundle, *, embed: bool = False) -> KerasNetwork:
    """Load a bundle's weights, hold them against its card, compile and run the call once.

    Parameters
    ----------
    bundle
        What is loaded. Its network gives embeddings where the card names an output for them, or
        the reference has statistics of known scans.
    embed
        Whether it gives them in any case.

    Raises
    ------
    BundleInvalid
        The weights cannot be loaded safely, are not finite, or contradict the card or the
        reference.
    """
    tf = import_tensorflow()
    model = load_keras(bundle.model_path)
    _check_model(model, bundle)
    card = bundle.card
    familiar = FamiliarityCheck.from_arrays(bundle.reference.extra)
    named = card.outputs.embedding is not None
    forward = Forward(model, card, embed=embed or named or familiar is not None)
    shape = (None, card.input.size, card.input.size, card.input.channels)
    unusable = _("The model cannot be used: it does not run.")
    try:
        compiled = tf.function(
            lambda inputs, targets: trace(forward, inputs, targets),
            input_signature=(tf.TensorSpec(shape, tf.float32), tf.TensorSpec((None,), tf.int32)),
            autograph=False,
        ).get_concrete_function()
    except (ValueError, TypeError, KeyError, AttributeError, tf.errors.OpError) as error:
        raise BundleInvalid(unusable) from error

    def compile_answer() -> Any:
        return tf.function(
            lambda inputs: trace_answer(forward, inputs),
            input_signature=(tf.TensorSpec(shape, tf.float32),),
            autograph=False,
        ).get_concrete_function()

    network = KerasNetwork(compiled, compile_answer, forward)
    try:
        first = network(np.zeros((1, *shape[1:]), np.float32), np.full(1, THE_ANSWER, np.int32))
    except PredictionFailed as error:
        raise BundleInvalid(unusable) from error
    if familiar is not None:
        found = first.embedding
        if found is None or found.shape != (1, familiar.size):
            raise BundleInvalid(
                _("The model's statistics of known scans are those of another network.")
            )
    return network


def embeddings_of(
    bundle: Bundle, scans: Iterable[Scan], *, batch_size: int = 32
) -> NDArray[np.float32]:
    """Return the embeddings of scans, (N, D), as a read of the bundle takes them.

    Raises
    ------
    BundleInvalid
        The network cannot be used, or has no embedding.
    PredictionFailed
        It gave a value that is not finite.
    """
    from core.model._batch import prepare

    network, spec = load_network(bundle, embed=True), bundle.card.input
    found: list[NDArray[np.float32]] = []
    for batch in batched(scans, batch_size):
        inputs = np.stack([prepare(scan, spec).pixels for scan in batch])
        embedding = network.embeddings(inputs)
        if embedding is None:
            raise BundleInvalid(_("The model has no embedding to tell a scan by."))
        found.append(embedding)
    return np.concatenate(found) if found else np.zeros((0, 0), np.float32)


def batched(items: Iterable[Scan], size: int) -> Iterator[list[Scan]]:
    """Yield so many items at a time; the last time what is left."""
    left = iter(items)
    while batch := list(islice(left, size)):
        yield batch


def read_architecture(path: Path) -> Any:
    """Return the architecture of a ``.keras`` file, plain JSON, without building any of it.

    Raises
    ------
    BundleInvalid
        It is no such file.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return json.loads(archive.read("config.json"))
    except (OSError, KeyError, ValueError, RecursionError, zipfile.BadZipFile) as error:
        raise _unreadable() from error


def parts_of(architecture: Any) -> Iterator[dict[str, Any]]:
    """Yield every object of an architecture: layers, and what they are made of."""
    stack = [architecture]
    while stack:
        node = stack.pop()
        if isinstance(node, dict):
            yield node
            stack.extend(node.values())
        elif isinstance(node, list):
            stack.extend(node)


def has_lambda(architecture: Any) -> bool:
    """Tell whether a layer of an architecture carries code."""
    return any(
        part.get("class_name") in ("Lambda", "__lambda__", "function_lambda")
        for part in parts_of(architecture)
    )


def load_keras(path: Path) -> Any:
    """Build the model of a ``.keras`` file; nothing in it is run as code.

    Raises
    ------
    BundleInvalid
        It has a Lambda layer, is damaged, or has layers that Keras does not know.
    """
    # A Lambda layer carries code, so the architecture is looked at before anything is built.
    if has_lambda(read_architecture(path)):
        raise BundleInvalid(
            _("The model has a Lambda layer, which carries code: rebuild it without one.")
        )
    tf = import_tensorflow()
    import keras

    try:
        return keras.saving.load_model(path, compile=False, safe_mode=True)
    except (
        ValueError,
        TypeError,
        KeyError,
        AttributeError,
        IndexError,
        ImportError,
        OSError,
        RuntimeError,
        zipfile.BadZipFile,
        tf.errors.OpError,
    ) as error:
        raise _unreadable() from error


def _unreadable() -> BundleInvalid:
    return BundleInvalid(_("The model's weights cannot be read."))


def all_finite(model: Any) -> bool:
    """Tell whether every weight of a Keras model is a number."""
    values = (weight.value.numpy() for weight in model.weights)
    return all(np.isfinite(each).all() for each in values if np.issubdtype(each.dtype, np.floating))


def _check_model(model: Any, bundle: Bundle) -> None:
    spec = bundle.card.input
    inputs = getattr(model, "inputs", None) or []
    wanted = (spec.size, spec.size, spec.channels)
    if len(inputs) != 1 or len(inputs[0].shape) != 4:
        raise BundleInvalid(_("The model must take one image of rows, columns and channels."))
    if any(
        have not in (None, want) for have, want in zip(inputs[0].shape[1:], wanted, strict=True)
    ):
        raise BundleInvalid(_("The model's input size is not the one on its card."))
    if not all_finite(model):
        raise BundleInvalid(_("The model has weights that are not finite: train it again."))
