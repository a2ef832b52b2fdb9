"""What a network in training says of rows it is not trained on."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.learning.architectures import Network
from core.learning.batches import as_read
from core.learning.dataset import Arrays

Figures = dict[str, float]


def scores_of(network: Network, arrays: Arrays) -> tuple[NDArray[np.float32], Any]:
    """Return what a network says about pictures.

    Returns
    -------
    tuple
        (N, labels) float32 scores before softmax, of one unit those of both labels; and
        (N, S, S) float32 outline probability 0..1, or None.
    """
    logits, lesions = [], []
    for part in as_read(arrays, network.spec):
        found = network.model.predict_on_batch(part)
        if network.one_unit:
            p = np.clip(
                np.asarray(found[network.outputs.probabilities], np.float64), 1e-7, 1 - 1e-7
            )
            half = np.log(p / (1 - p)) / 2
            logits.append(np.concatenate([-half, half], axis=1))
        else:
            logits.append(found[network.outputs.logits])
        if network.has_lesion_map:
            lesions.append(found[network.outputs.lesion][..., 0])
    outlines = np.concatenate(lesions).astype(np.float32) if lesions else None
    return np.concatenate(logits).astype(np.float32), outlines


def watch_figures(network: Network, arrays: Arrays) -> Figures:
    """Return loss, accuracy, ROC-AUC of the last label and mean Dice on watched rows.

    ``watch_loss`` is the cross-entropy without smoothing or weights, plus one less the Dice where
    there is an outline.
    """
    from sklearn.metrics import roc_auc_score

    logits, outlines = scores_of(network, arrays)
    last = logits.shape[1] - 1
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    score, truth = np.exp(log_p[:, last]), arrays.labels == last
    found = {
        "watch_loss": float(-log_p[np.arange(len(truth)), arrays.labels].mean()),
        "watch_accuracy": float(((score >= 0.5) == truth).mean()),
    }
    if 0 < truth.sum() < len(truth):
        found["watch_auc"] = float(roc_auc_score(truth, score))
    if outlines is not None:
        real, marked = arrays.masks > 127, outlines >= 0.5
        sized = real.any(axis=(1, 2))
        both = (real & marked).sum(axis=(1, 2))[sized]
        total = (real.sum(axis=(1, 2)) + marked.sum(axis=(1, 2)))[sized]
        if len(both):
            found["watch_dice"] = float(np.mean(2 * both / total))
            found["watch_loss"] += 1 - found["watch_dice"]
    return found
