"""Grad-CAM: each feature map by its mean gradient.

Selvaraju, Cogswell, Das, Vedantam, Parikh and Batra, *Grad-CAM: visual explanations from deep
networks via gradient-based localization*, ICCV 2017, equations 1 and 2.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.explain._cam import Cam


def _combine(maps: NDArray[np.float64], gradients: NDArray[np.float64]) -> NDArray[np.float64]:
    # einsum: NumPy's threads would go on spinning and take the cores from the network's.
    return np.asarray(np.einsum("ijk,k->ij", maps, gradients.mean(axis=(0, 1))), np.float64)


grad_cam = Cam("grad-cam", _combine)
