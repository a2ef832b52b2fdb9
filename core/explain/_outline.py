"""The outline that a map is held against where nobody has shaped it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from core.lesion import LesionControls, find_lesions
from core.scan import Scan

if TYPE_CHECKING:
    from core.model import Prediction


def outline_of_answer(scan: Scan, prediction: Prediction) -> NDArray[np.uint8] | None:
    """Return the mask of the AI's outline by the standard controls; None where there is none.

    A model without a lesion map has none: a region made of heat would always hold the heat.
    """
    surface = prediction.lesion_map()
    if surface is None:
        return None
    mask = find_lesions(surface, scan.grey, LesionControls(), spacing=scan.spacing_at).mask
    return mask if mask.any() else None
