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

#: Below so many places or feature maps all vectors cost nothing.
_FEW = 16
#: Vectors that are kept while it is looked for: few, as it is found after few products.
_SPAN = 4


def _combine(maps: NDArray[np.float64], gradients: NDArray[np.float64]) -> NDArray[np.float64]:
    rows = maps.reshape(-1, maps.shape[-1])
    largest = np.abs(rows).max()
    if largest == 0:
        return np.zeros(maps.shape[:2])
    heat = _projected(rows / largest) * largest
    # A singular vector has no sign of its own: that of what is more, so that no run differs.
    if heat.sum() < 0:
        heat = -heat
    return np.asarray(heat.reshape(maps.shape[:2]), np.float64)


def _projected(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the rows projected on their first right singular vector, ``(places,)``.

    Found by a few products, as all vectors cost far more, and on the shorter side: projected on
    the right vector is the left one times the singular value.
    """
    if min(rows.shape) >= _FEW:
        count = min(rows.shape)
        letters = "ik" if count == rows.shape[0] else "ki"

        def product(vector: NDArray[np.float64]) -> NDArray[np.float64]:
            # einsum: NumPy's threads would go on spinning and take the cores from the network's.
            across = np.einsum(f"{letters},i->k", rows, vector.ravel())
            return np.asarray(np.einsum(f"{letters},k->i", rows, across))

        # From what all places, or features, have on average, which is near it: most features are
        # never below 0. Something of everything beside, so that no average of 0 is where it stays.
        start = rows.mean(axis=int(count == rows.shape[0]))
        start += 1e-3 * np.random.default_rng(0).normal(0, 1, count)
        operator = LinearOperator((count, count), matvec=product, dtype=np.float64)
        with suppress(ArpackNoConvergence):
            values, vectors = eigsh(operator, 1, v0=start, ncv=_SPAN, tol=1e-7)
            vector = vectors[:, 0]
            if count == rows.shape[0]:
                return np.asarray(vector * np.sqrt(max(float(values[0]), 0.0)))
            return np.asarray(np.einsum("ik,k->i", rows, vector))
    return np.asarray(rows @ np.linalg.svd(rows, full_matrices=False)[2][0], np.float64)


eigen_cam = Cam("eigen-cam", _combine, class_specific=False)
