"""Grad-CAM++: each feature map by its rising gradients, weighed so that small regions count.

Chattopadhay, Sarkar, Howlader and Balasubramanian, *Grad-CAM++: generalized gradient-based visual
explanations for deep convolutional networks*, WACV 2018, equations 10 and 13 to 19.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.explain._cam import Cam


def _combine(maps: NDArray[np.float64], gradients: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weigh with ``a = g^2 / (2 g^2 + g^3 sum(A))``, per map brought to a sum of 1.

    The paper takes the exponential of the score, whose first three derivatives are its gradient's
    powers times the exponential: that factor cancels in ``a`` and scales the whole map, so it is
    left out and cannot run over. The sum of 1 is that of the authors' own program.
    """
    rise = 2 + gradients * maps.sum(axis=(0, 1))
    usable = (gradients != 0) & (rise != 0)
    shares = np.divide(1, rise, out=np.zeros_like(rise), where=usable)
    total = shares.sum(axis=(0, 1))
    shares = np.divide(shares, total, out=shares, where=total != 0)
    weights = (shares * np.maximum(gradients, 0)).sum(axis=(0, 1))
    # einsum: see Grad-CAM.
    return np.asarray(np.einsum("ijk,k->ij", maps, weights), np.float64)


grad_cam_plus_plus = Cam("grad-cam++", _combine)
