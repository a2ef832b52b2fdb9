"""A Keras model unrolled into the calls of its layers, nested models too, with no hook on any."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from core.errors import BundleInvalid
from core.text import _

#: What ends a classifier and hides its scores.
_ENDINGS = ("softmax", "sigmoid")


@dataclass(frozen=True, slots=True)
class Step:
    """One layer's call inside the model; ``path`` names it with the nested models around it."""

    layer: Any
    path: str
    args: tuple[Any, ...]
    out: Any


class Unrolled:
    """A functional or sequential model, run layer by layer; notes each call as a step.

    The model cannot be asked for the inner tensors of a nested model, and a hook on its layers
    would be shared by all threads. ``_run_through_graph`` is what ``keras.models.clone_model``
    runs on; it is the one private name of Keras used here.

    Parameters
    ----------
    hold
        Whether ``stop_gradient`` stops gradients; if not, it is stepped over.
    decided
        What outermost ones, in their order, give for one input, or for each of several that stand
        for as many inputs as they go into; in the place of what they would give for each.

    Attributes
    ----------
    steps
        Each call, in order.
    decisions
        What went into the outermost ``stop_gradient``, in their order.
    """

    def __init__(self, *, hold: bool = True, decided: Sequence[Any] = ()) -> None:
        self._hold = hold
        self._decided = list(decided)
        self.steps: list[Step] = []
        self.decisions: list[Any] = []
        #: Tensors that were split and their parts, by identity and number of parts. The tensor is
        #: kept with them: the identity of one that is gone may become another's.
        self._split: dict[tuple[int, int], tuple[Any, Any]] = {}

    def run(self, model: Any, tensors: Any, path: str = "") -> Any:
        """Run a model on tensors and return what it returns."""
        import keras

        if isinstance(model, keras.Sequential):
            for layer in model.layers:
                tensors = self._step(layer, (tensors,), {}, path)
            return tensors
        if not hasattr(model, "_run_through_graph"):
            raise BundleInvalid(_("The model must be a functional or sequential Keras model."))
        return model._run_through_graph(
            tensors,
            operation_fn=lambda layer: layer,
            call_fn=lambda layer, *args, **options: self._step(layer, args, options, path),
        )

    def _step(self, layer: Any, args: tuple[Any, ...], options: dict[str, Any], path: str) -> Any:
        import keras

        here = f"{path}{layer.name}"
        if isinstance(layer, keras.Sequential) or hasattr(layer, "_run_through_graph"):
            out = self.run(layer, args[0] if len(args) == 1 else list(args), f"{here}/")
        elif type(layer).__name__ == "StopGradient":
            out = args[0] if path else self._decision(args[0])
            out = layer(out) if self._hold else out
        elif type(layer).__name__ == "GetItem" and (part := _equal_part(*args)) is not None:
            out = self._parts(args[0], part[1])[part[0]]
        else:
            out = layer(*args, **options)
        self.steps.append(Step(layer, here, args, out))
        return out

    def _parts(self, tensor: Any, count: int) -> Any:
        """Return equal parts of the last axis.

        The same numbers as of a slice each, but the gradient puts those of the parts together. That
        of a slice is as large as the whole tensor and nearly all 0: where heads read a map of a
        thousand channels by parts, filling and adding those took a tenth of the forward pass.
        """
        import tensorflow as tf

        key = id(tensor), count
        if key not in self._split:
            self._split[key] = tensor, tf.split(tensor, count, axis=-1)
        return self._split[key][1]

    def _decision(self, given: Any) -> Any:
        import tensorflow as tf

        self.decisions.append(given)
        if not self._decided:
            return given
        decided = self._decided.pop(0)
        return tf.repeat(decided, tf.shape(given)[0] // tf.shape(decided)[0], axis=0)


def _equal_part(tensor: Any, key: Any) -> tuple[int, int] | None:
    """Return which of how many equal parts of the last axis a slice is; None if it is none."""
    keys = list(key) if isinstance(key, list | tuple) else [key]
    if not keys or not all(each is Ellipsis or isinstance(each, slice) for each in keys):
        return None
    *others, last = keys
    cuts = [each for each in others if each is not Ellipsis]
    reaches = len(keys) == len(tensor.shape) or len(cuts) < len(others)
    numbers = [number for cut in cuts for number in (cut.start, cut.stop, cut.step)]
    if last is Ellipsis or not reaches or any(number is not None for number in numbers):
        return None
    channels, ends = tensor.shape[-1], (last.start, last.stop, last.step)
    if channels is None or not all(each is None or isinstance(each, int) for each in ends):
        return None
    start, stop, step = last.indices(channels)
    size = stop - start
    if step != 1 or not 0 < size < channels or channels % size or start % size:
        return None
    return start // size, channels // size


def before_ending(out: Any, steps: list[Step]) -> tuple[str | None, Any]:
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
    # The second call is linear; whoever traces the model meanwhile waits (see Forward).
    kept, last.layer.activation = last.layer.activation, keras.activations.linear
    try:
        return activation, last.layer(*last.args)
    finally:
        last.layer.activation = kept


def feature_maps(steps: list[Step]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the maps made by convolutions by name: before one, a map is the image.

    Returns
    -------
    Each map once, in the order of the network; and all names that one may be asked for by. A
    layer inside nested models is called by its own name where no other has that name, else by its
    path; of a layer that is called more than once it is the last call.
    """
    kernels = [any(len(w.shape) == 4 for w in _weights(step.layer)) for step in steps]
    first = kernels.index(True) if True in kernels else len(steps)
    by_path: dict[str, Any] = {}
    names: dict[str, str] = {}
    for step in steps[first:]:
        if _is_feature_map(step.out):
            by_path.pop(step.path, None)
            by_path[step.path] = step.out
            names[step.path] = step.layer.name
    shared = Counter(names.values())
    short = {path: name if shared[name] == 1 else path for path, name in names.items()}
    # A nested model, or a dropout that does nothing, hands on the map of the layer inside it.
    distinct: dict[int, str] = {}
    for path, out in by_path.items():
        distinct.setdefault(id(out), path)
    each = {short[path]: by_path[path] for path in distinct.values()}
    return each, by_path | {short[path]: out for path, out in by_path.items()}


def _weights(layer: Any) -> list[Any]:
    return list(getattr(layer, "weights", ()))


def _is_feature_map(out: Any) -> bool:
    shape = getattr(out, "shape", ())
    # One pixel is a pooled vector, not a map.
    return len(shape) == 4 and tuple(shape[1:3]) != (1, 1)
