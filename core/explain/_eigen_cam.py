"""Eigen-CAM: what the feature maps have most in common, whatever the class.

Muhammad and Yeasin, *Eigen-CAM: class activation map using principal components*, IJCNN 2020,
equation 4: the feature maps, one row for each place, projected on their first right singular
vector. No gradient is used and the map is the same for every class: it says where the network
looks, not why it decides.
"""

from __future__ import annotations

from contextlib import suppress

import numpy as np
from numpy.typing import NDArray
from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigsh

from core.explain._cam import Cam

#: Below so many feature maps all vectors cost nothing.
_FEW = 16
#: Vectors that are kept while it is looked for: few, as it is found after few products.
_SPAN = 6


def _combine(maps: NDArray[np.float64], gradients: NDArray[np.float64]) -> NDArray[np.float64]:
    rows = maps.reshape(-1, maps.shape[-1])
    largest = np.abs(rows).max()
    if largest == 0:
        return np.zeros(maps.shape[:2])
    heat = rows @ _first_vector(rows / largest)
    # A singular vector has no sign of its own: that of what is more, so that no run differs.
    if heat.sum() < 0:
        heat = -heat
    return np.asarray(heat.reshape(maps.shape[:2]), np.float64)


def _first_vector(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the first right singular vector; by a few products, as all of them cost far more."""
    count = rows.shape[1]
    if count >= _FEW:
        # einsum: NumPy's threads would go on spinning and take the cores from the network's.
        product = LinearOperator(
            (count, count),
            matvec=lambda v: np.einsum("ik,i->k", rows, np.einsum("ik,k->i", rows, v.ravel())),
            dtype=np.float64,
        )
        # From what all places have on average, which is near it: most features are never below 0.
        # Something of everything beside, so that no average of 0 is where it stays.
        start = rows.mean(axis=0)
        start += 1e-3 * np.random.default_rng(0).normal(0, 1, count)
        with suppress(ArpackNoConvergence):
            found = eigsh(product, 1, v0=start, ncv=_SPAN, tol=1e-7)
            return np.asarray(found[1][:, 0], np.float64)
    return np.asarray(np.linalg.svd(rows, full_matrices=False)[2][0], np.float64)


eigen_cam = Cam("eigen-cam", _combine, class_specific=False)
