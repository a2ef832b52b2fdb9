"""From a probability map and controls to lesions, measured and ready to draw or export.

The controls shape the map (threshold, morphology, holes, smallest area, keep the largest); what
is left is outlined at the picture's resolution and measured, in pixels where no calibration is
known. A heatmap can be shaped the same way, but gives heat regions: nothing of them is measured.

Public surface: :func:`find_lesions`, :func:`find_heat_regions`, :func:`lesion_from_mask` and
:func:`mask_from_polygon` for what a doctor draws, :func:`measure_by_hand` for calipers and
ellipses, and the exports.
"""

from core.lesion._by_hand import (
    HandKind,
    HandMeasure,
    NoMillimetres,
    measure_by_hand,
    measure_within,
)
from core.lesion._controls import (
    CHOICES,
    PRESETS,
    RANGES,
    LesionControls,
    control_name,
    preset_name,
)
from core.lesion._drawn import mask_from_polygon
from core.lesion._export import measurements_csv, measurements_frame, measurements_json, safe_cell
from core.lesion._lesions import (
    HeatRegion,
    HeatRegionResult,
    Lesion,
    LesionResult,
    find_heat_regions,
    find_lesions,
    lesion_from_mask,
)
from core.lesion._measure import Measurements
from core.lesion._names import measure_name, measure_text, no_millimetres

__all__ = [
    "CHOICES",
    "PRESETS",
    "RANGES",
    "HandKind",
    "HandMeasure",
    "HeatRegion",
    "HeatRegionResult",
    "Lesion",
    "LesionControls",
    "LesionResult",
    "Measurements",
    "NoMillimetres",
    "control_name",
    "find_heat_regions",
    "find_lesions",
    "lesion_from_mask",
    "mask_from_polygon",
    "measure_by_hand",
    "measure_name",
    "measure_text",
    "measure_within",
    "measurements_csv",
    "measurements_frame",
    "measurements_json",
    "no_millimetres",
    "preset_name",
    "safe_cell",
]
