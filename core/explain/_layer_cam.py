"""Layer-CAM: each place of each feature map by its gradient there, where that is positive.

Jiang, Zhang, Hou, Cheng and Wei, *LayerCAM: exploring hierarchical class activation maps for
localization*, IEEE Transactions on Image Processing 30, 5875-5888, 2021, equations 5 to 7. Made for
earlier layers too, whose maps are finer.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.explain._cam import Cam


def _combine(maps: NDArray[np.float64], gradients: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.einsum("ijk,ijk->ij", maps, np.maximum(gradients, 0)), np.float64)


layer_cam = Cam("layer-cam", _combine)
