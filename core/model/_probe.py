"""What explanations may ask of a model: scores, gradients and feature maps, from any thread."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray


class Features(NamedTuple):
    """A feature map, its class's gradient in it, and the prediction of the same run."""

    layer: str  # the name that was asked for, or found
    maps: NDArray[np.float32]  # (N, h, w, K)
    gradients: NDArray[np.float32]  # (N, h, w, K), of each input's class score
    scores: NDArray[np.float32]  # (N,) of the class explained, before softmax
    targets: NDArray[np.int32]  # (N,) label explained
    probabilities: NDArray[np.float64]  # (N, L) calibrated
    lesion: NDArray[np.float32] | None  # (N, h', w') lesion probability, 0..1


class Probe(Protocol):
    """A model that answers questions about its answers; made by ``Predictor.probe()``.

    Every call may come from any thread, computes behind whoever waits for a read, and stores
    nothing on the model. Inputs are ``(N, S, S, C)`` float32, as :func:`core.model.preprocess`
    makes them; more than a few are computed in several parts, between which readers go first.
    Targets are ``(N,)`` int32 indices into ``labels``, or -1 for the answer.

    A call raises NotFinite where a value is not a number, PredictionFailed where the model
    stopped, and ModelBusy where no place came free in time.
    """

    @property
    def labels(self) -> tuple[str, ...]:
        """Classes in the order of the model."""
        ...

    def scores(
        self, inputs: NDArray[np.float32], *, at: NDArray[np.float32] | None = None
    ) -> NDArray[np.float32]:
        """Return the ``(N, L)`` class scores before softmax and calibration.

        Parameters
        ----------
        at
            ``(S, S, C)``, an input. What the model decides by a ``stop_gradient`` outside of nested
            models, such as where it looks closer, is then decided as for it, whatever the inputs
            are: all are seen in the same way, so that gradients between them add up. A decision
            that jumps from one input to the next has none. None decides for each input anew.
        """
        ...

    def probabilities(self, inputs: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the ``(N, L)`` calibrated probabilities."""
        ...

    def lesion(
        self, inputs: NDArray[np.float32], *, at: NDArray[np.float32] | None = None
    ) -> NDArray[np.float32] | None:
        """Return the ``(N, h, w)`` lesion maps, 0..1; None where the model has none.

        Parameters
        ----------
        at
            As for :meth:`scores`.
        """
        ...

    def input_gradients(
        self,
        inputs: NDArray[np.float32],
        targets: NDArray[np.int32],
        *,
        through_mask: bool = True,
        at: NDArray[np.float32] | None = None,
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return the ``(N,)`` scores of the targets and their ``(N, S, S, C)`` gradients.

        Parameters
        ----------
        through_mask
            Whether what the model holds constant in training (``stop_gradient``: the lesion map
            under which it pools its features) is differentiated too. With it the gradient is
            that of the score as it changes with the input, which anything that integrates it
            needs in order to add up; without it, that of the features with the mask held.
        at
            As for :meth:`scores`.
        """
        ...

    def lesion_area_gradients(
        self, inputs: NDArray[np.float32], *, at: NDArray[np.float32] | None = None
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return the ``(N,)`` sums of the lesion maps and their ``(N, S, S, C)`` gradients.

        Parameters
        ----------
        at
            As for :meth:`scores`.

        Raises
        ------
        InvalidQuestion
            The model has no lesion map.
        """
        ...

    def features(
        self,
        inputs: NDArray[np.float32],
        targets: NDArray[np.int32],
        layer: str | None = None,
    ) -> Features:
        """Return a feature map and the gradient of the targets' scores in it.

        What the model holds constant in training stays constant here: as in every read, Grad-CAM
        says which features speak for the class where the mask lies.

        Parameters
        ----------
        layer
            One of :meth:`layers`; None for the one the model's card names, else the last of them.

        Raises
        ------
        InvalidQuestion
            There is no such layer, or it cannot explain a class.
        NoFeatureMap
            The model has no convolution, or its classes depend on none.
        """
        ...

    def layers(self) -> tuple[str, ...]:
        """Return the names of the layers whose feature map can explain a class.

        In the order of the network; a layer inside a nested model goes by its own name where no
        other has that name, else by its path (``model/layer``). Left out are maps before the
        first convolution, those no class depends on, and those that do not lie on the image:
        inside a model that also reads the mirrored picture, half of the maps are mirrored.
        """
        ...
