"""HiResCAM: each place of each feature map by the gradient of that very place.

Draelos and Carin, *Use HiResCAM instead of Grad-CAM for faithful explanations of convolutional
neural networks*, arXiv:2011.08891, 2020, equation 4. Where nothing but one dense layer follows the
feature map, the map (before negative values are left out) sums to the score less its bias.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.explain._cam import Cam


def _combine(maps: NDArray[np.float64], gradients: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.einsum("ijk,ijk->ij", maps, gradients), np.float64)


hires_cam = Cam("hires-cam", _combine)
