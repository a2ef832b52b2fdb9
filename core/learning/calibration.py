"""From a network's scores to calibrated probabilities and named operating points."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.model import Calibration

#: Scores that part the classes without an error would be fitted with a temperature of 0, and
#: every scan answered with certainty.
_TEMPERATURES = (0.05, 20.0)
#: Distance a threshold keeps from 0 and from 1.
_SMALLEST = 1e-6


def calibrated(logits: NDArray[np.float32], calibration: Calibration) -> NDArray[np.float64]:
    """Return ``softmax(logits / temperature + bias)``, (N, labels)."""
    scaled = logits.astype(np.float64) / calibration.temperature + np.array(calibration.bias)
    scaled -= scaled.max(axis=1, keepdims=True)
    exponential = np.exp(scaled)
    return np.asarray(exponential / exponential.sum(axis=1, keepdims=True))


def fit_calibration(logits: NDArray[np.float32], truth: NDArray[np.int64]) -> Calibration:
    """Fit temperature and bias on scans the network was not trained on.

    Bias-corrected temperature scaling (Alexandari et al., ICML 2020) by maximum likelihood, with
    a weak pull of the biases towards 0 so that a rare class is not fitted to a handful of scans.

    Parameters
    ----------
    logits
        (N, labels) scores.
    truth
        (N,) index of the right label.
    """
    from scipy.optimize import minimize

    labels = logits.shape[1]
    low, high = np.log(_TEMPERATURES)

    def unpack(vector: NDArray[np.float64]) -> Calibration:
        bias = np.concatenate([vector[1:], [0.0]])
        temperature = float(np.exp(np.clip(vector[0], low, high)))
        return Calibration("vector-temperature", temperature, tuple(float(b) for b in bias))

    def cost(vector: NDArray[np.float64]) -> float:
        chosen = calibrated(logits, unpack(vector))[np.arange(len(truth)), truth]
        likelihood = float(-np.log(np.maximum(chosen, 1e-12)).mean())
        return likelihood + 0.5 * float((vector[1:] ** 2).sum()) / len(truth)

    return unpack(minimize(cost, np.zeros(labels), method="BFGS").x)


def operating_points(
    probability: NDArray[np.float64], positive: NDArray[np.bool_]
) -> dict[str, float]:
    """Choose thresholds by name.

    Parameters
    ----------
    probability
        (N,) calibrated probability of the positive label, of scans not trained on.
    positive
        (N,) whether they were positive.

    Returns
    -------
    dict
        ``sensitivity-95``, ``balanced`` (largest sensitivity plus specificity: Youden, Cancer
        1950) and ``specificity-95``, never one below the other, strictly between 0 and 1. Each
        lies halfway between the two scores it separates.
    """
    scores = np.unique(probability)
    # Below the lowest score everything is flagged, above the highest nothing is.
    edges = np.convolve([0.0, *scores, 1.0], [0.5, 0.5], mode="valid")
    edges = np.clip(edges, _SMALLEST, 1 - _SMALLEST)
    flagged = probability[None, :] >= edges[:, None]
    sensitivity = (flagged & positive).sum(1) / max(1, positive.sum())
    specificity = (~flagged & ~positive).sum(1) / max(1, (~positive).sum())
    balanced = int(np.argmax(sensitivity + specificity))
    sensitive, specific = np.flatnonzero(sensitivity >= 0.95), np.flatnonzero(specificity >= 0.95)
    # Classes that part well leave a stretch where both hold; the three must still be in order,
    # and moving towards the balanced point only raises what each promises. Without a positive or
    # a negative scan there is nothing to promise, and the balanced point stands for all.
    return {
        "sensitivity-95": float(edges[min([balanced, *sensitive[-1:]])]),
        "balanced": float(edges[balanced]),
        "specificity-95": float(edges[max([balanced, *specific[:1]])]),
    }
