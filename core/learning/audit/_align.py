"""Whether two small pictures show the same scan: laid over each other, then correlated.

The second is moved onto the first by an affine map that is found by enhanced correlation
coefficient maximisation (Evangelidis G. D., Psarakis E. Z., *Parametric image alignment using
enhanced correlation coefficient maximization*, IEEE PAMI 30:1858-1865, 2008), which does not mind
brightness and contrast. What is then compared is the detail alone, by normalised correlation:
unrelated scans share their shading, never their speckle and edges.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from core.learning.audit._thumbs import SIDE
from core.learning.audit._views import WHOLE, View, evened

#: Correlation of the detail from which two pictures are the same scan. Measured (docs/audit.md):
#: unrelated real scans lie below 0.5 and unrelated phantoms below 0.6; of the same scan, cropped,
#: written on, compressed or brightened, nineteen in twenty lie above 0.85.
SAME = 0.65
#: Correlation below which it is not worth aligning, and the cells one may be moved by for it.
_ROUGHLY, _MOVED = 0.56, 4
_STEPS = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 6, 1e-3)
#: Standard deviation, in cells, of the Gaussian above which all is shading.
_SHADING = 2.0
#: How much of the first picture the second must cover.
_COVERED = 0.5
_LEAST_AREA, _MOST_AREA = 0.4, 2.5


def correlation(first: NDArray[np.uint8], second: NDArray[np.uint8], view: View = WHOLE) -> float:
    """Return how far the detail of two pictures is the same, -1 to 1; 0 where they do not fit.

    Parameters
    ----------
    first, second
        (48, 48) uint8, without frame and strokes.
    view
        The view of the second picture that looked like the first: where the fit begins.
    """
    if _roughly(first, view.of(second)) < _ROUGHLY:
        return 0.0
    second = view.turned(second)
    try:
        _value, map_ = cv2.findTransformECC(
            first, second, view.matrix(), cv2.MOTION_AFFINE, _STEPS, None, 3
        )
    except cv2.error:  # it does not converge: they have nothing in common, or are flat
        return 0.0
    area = abs(float(map_[0, 0] * map_[1, 1] - map_[0, 1] * map_[1, 0]))
    if not _LEAST_AREA < area < _MOST_AREA:
        return 0.0
    size = (SIDE, SIDE)
    moved = cv2.warpAffine(
        second.astype(np.float32),
        map_,
        size,
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    whole = np.ones((SIDE, SIDE), np.uint8)
    covered = cv2.warpAffine(
        whole, map_, size, flags=cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP
    ).astype(np.bool_)
    if covered.mean() < _COVERED:
        return 0.0
    one, two = _detail(first.astype(np.float32))[covered], _detail(moved)[covered]
    one, two = one - one.mean(), two - two.mean()
    scale = float(np.sqrt((one @ one) * (two @ two)))
    return float(one @ two) / scale if scale > 1e-6 else 0.0


def _roughly(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> float:
    """Return how alike two pictures are where one is moved a little: a tenth of the time to align.

    The same scan, cropped from anywhere by up to a fifth, is nearly always above; nine in ten of
    the unrelated real scans that get here are below.
    """
    inner = np.ascontiguousarray(evened(second)[_MOVED:-_MOVED, _MOVED:-_MOVED])
    found = cv2.matchTemplate(evened(first), inner, cv2.TM_CCOEFF_NORMED)
    return float(found.max())


def _detail(plane: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(plane - cv2.GaussianBlur(plane, (0, 0), _SHADING), np.float32)
