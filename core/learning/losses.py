"""What training brings down: the class loss and the outline loss."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: In the place of a mask of which nothing is known: such a picture trains no outline.
UNKNOWN = -1.0
#: What a picture without a lesion counts for the outline. Where one source has all of them and
#: faint lesions too, full weight teaches a network to outline nothing that is faint: a sixth of
#: BUSI's lesions, on the very pictures it was trained on. That there is none is for the class.
EMPTY = 0.25


def lesion_loss(truth: Any, probability: Any) -> Any:
    """Binary cross-entropy plus soft Dice loss (Milletari et al., 3DV 2016), per picture.

    A picture without a lesion counts :data:`EMPTY`.

    Parameters
    ----------
    truth, probability
        (N, h, w, 1) float32, 0..1; the truth is -1 throughout where the outline is not known, and
        the loss of that picture 0.
    """
    from keras import ops

    truth = ops.cast(truth, "float32")
    known = ops.cast(ops.min(truth, axis=(1, 2, 3)) >= 0, "float32")
    truth = ops.maximum(truth, 0.0)
    p = ops.clip(probability, 1e-6, 1 - 1e-6)
    entropy = -ops.mean(truth * ops.log(p) + (1 - truth) * ops.log(1 - p), axis=(1, 2, 3))
    # Sums over the picture, taken as if it had 128 pixels a side, so that the constant, which
    # lets a picture without a lesion score by how little is marked in it, means one thing at
    # every size.
    scale = 128.0**2 / (truth.shape[1] * truth.shape[2])
    area = ops.sum(truth, axis=(1, 2, 3))
    overlap = scale * ops.sum(truth * p, axis=(1, 2, 3))
    total = scale * (area + ops.sum(p, axis=(1, 2, 3)))
    weight = ops.where(area > 0, 1.0, EMPTY)
    return known * weight * (entropy + 0.5 * (1 - (2 * overlap + 50.0) / (total + 50.0)))


def suspicion_loss(truth: Any, logit: Any) -> Any:
    """Return the cross-entropy of a suspicion 0..1, (N, 1); 0 where the truth is not known, -1."""
    from keras import ops

    truth = ops.reshape(ops.cast(truth, "float32"), (-1,))
    known = ops.cast(truth >= 0, "float32")
    logit = ops.reshape(logit, (-1,))
    return known * (ops.softplus(logit) - ops.maximum(truth, 0.0) * logit)


def class_loss(weights: NDArray[np.float32], smoothing: float) -> Callable[[Any, Any], Any]:
    """Return cross-entropy on logits with class weights and label smoothing.

    Parameters
    ----------
    weights
        (labels,) what a picture of each label counts.
    smoothing
        Share of the truth that is spread over all labels (Szegedy et al., CVPR 2016), 0..1.
    """

    def loss(truth: Any, logits: Any) -> Any:
        from keras import ops

        index = ops.cast(ops.reshape(truth, (-1,)), "int32")
        hard = ops.one_hot(index, len(weights))
        soft = hard * (1 - smoothing) + smoothing / len(weights)
        entropy = -ops.sum(soft * ops.log_softmax(logits), axis=-1)
        return entropy * ops.take(ops.convert_to_tensor(weights), index)

    return loss


def one_unit_loss(weights: NDArray[np.float32], smoothing: float) -> Callable[[Any, Any], Any]:
    """Return binary cross-entropy on one probability, (N, 1), that of the second label.

    Parameters
    ----------
    weights, smoothing
        As for :func:`class_loss`, with two labels.
    """

    def loss(truth: Any, probability: Any) -> Any:
        from keras import ops

        index = ops.cast(ops.reshape(truth, (-1,)), "int32")
        soft = ops.cast(index, "float32") * (1 - smoothing) + smoothing / 2
        p = ops.clip(ops.reshape(probability, (-1,)), 1e-6, 1 - 1e-6)
        entropy = -(soft * ops.log(p) + (1 - soft) * ops.log(1 - p))
        return entropy * ops.take(ops.convert_to_tensor(weights), index)

    return loss
