"""Eigen-CAM: what the feature maps have most in common, whatever the class.

Muhammad and Yeasin, *Eigen-CAM: class activation map using principal components*, IJCNN 2020,
equation 4: the feature maps, one row for each place, projected on their first right singular
vector. No gradient is used and the map is the same for every class: it says where the network
looks, not why it decides.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh

from core.explain._cam import Cam


def _combine(maps: NDArray[np.float64], gradients: NDArray[np.float64]) -> NDArray[np.float64]:
    rows = maps.reshape(-1, maps.shape[-1])
    largest = np.abs(rows).max()
    if largest == 0:
        return np.zeros(maps.shape[:2])
    rows = rows / largest
    # The smaller of the two products has the same singular values.
    wide = rows.shape[1] > rows.shape[0]
    product = rows @ rows.T if wide else rows.T @ rows
    last = len(product) - 1
    vector = eigh(product, subset_by_index=(last, last))[1][:, 0]
    heat = vector if wide else rows @ vector
    # A singular vector has no sign of its own: that of what is more, so that no run differs.
    if heat.sum() < 0:
        heat = -heat
    return np.asarray(heat.reshape(maps.shape[:2]), np.float64)


eigen_cam = Cam("eigen-cam", _combine, class_specific=False)
