"""A network of one's own over a bundle's weights, to be changed: the shared one never is."""

from __future__ import annotations

from typing import Any

import numpy as np

from core.errors import BundleInvalid
from core.model._bundle import Bundle
from core.model._gate import Gate
from core.model._graph import Forward
from core.model._keras_probe import KerasProbe
from core.model._network import import_tensorflow, load_keras
from core.model._probe import Probe
from core.model._unroll import Unrolled
from core.text import _


class OwnCopy:
    """A bundle's network, loaded once more, whose weights may be shuffled.

    A compiled call reads the weights as they are when it runs, so that no call is compiled again
    after a change.

    Parameters
    ----------
    bundle
        Whose network it is; its files stay as they are.

    Raises
    ------
    BundleInvalid
        The network cannot be used.
    """

    def __init__(self, bundle: Bundle) -> None:
        import_tensorflow()
        model = load_keras(bundle.model_path)
        # A gate of its own: nobody waits for a read of this one.
        self._probe = KerasProbe(Forward(model, bundle.card), Gate(1))
        self._weights = _by_layer(model, bundle)

    @property
    def probe(self) -> Probe:
        """What answers questions about the copy as it is now."""
        return self._probe

    @property
    def layers(self) -> tuple[str, ...]:
        """The layers with weights that are more than one number each, the last one first.

        In the reverse of the order in which they are run, inside nested models too; a layer that
        is run more than once counts where it is run last.
        """
        return tuple(self._weights)

    def shuffle(self, layer: str, seed: int) -> None:
        """Put every weight of a layer in the place of another one of the same tensor.

        The layer keeps the weights it was trained to have, and so their scale; what it has
        learnt, which of them stands where, is gone.

        Raises
        ------
        KeyError
            There is no such layer.
        """
        rng = np.random.default_rng(seed)
        for weight in self._weights[layer]:
            values = np.array(weight.value.numpy())
            weight.assign(rng.permutation(values.ravel()).reshape(values.shape))


def _by_layer(model: Any, bundle: Bundle) -> dict[str, list[Any]]:
    tf = import_tensorflow()
    unrolled = Unrolled()
    size, channels = bundle.card.input.size, bundle.card.input.channels

    def run(inputs: Any) -> Any:
        unrolled.run(model, inputs)
        return inputs

    # Traced only, to see which layers are run and in which order.
    spec = tf.TensorSpec((None, size, size, channels), tf.float32)
    try:
        tf.function(run, input_signature=(spec,), autograph=False).get_concrete_function()
    except (ValueError, TypeError, KeyError, AttributeError, tf.errors.OpError) as error:
        raise BundleInvalid(_("The model cannot be used: it does not run.")) from error
    found: dict[str, list[Any]] = {}
    for step in reversed(unrolled.steps):
        # A nested model's weights are those of the layers inside it, which are steps of their own.
        if hasattr(step.layer, "layers") or step.path in found:
            continue
        weights = [w for w in getattr(step.layer, "weights", ()) if np.prod(w.shape) > 1]
        if weights:
            found[step.path] = weights
    return found
