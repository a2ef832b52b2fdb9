"""From a scan and a predictor to explanations that can be challenged.

Each method is one short file; all give an :class:`Explanation`. None of them needs Streamlit, and
none stores anything on the shared model: they ask a :class:`core.model.Probe`.
"""

from core.explain._cam import Cam, CamRead, read_features
from core.explain._eigen_cam import eigen_cam
from core.explain._explanation import THE_LESION, Explanation, Unit
from core.explain._grad_cam import grad_cam
from core.explain._grad_cam_plus_plus import grad_cam_plus_plus
from core.explain._hires_cam import hires_cam
from core.explain._layer_cam import layer_cam

#: The family of class activation maps by name.
CAMS = {cam.method: cam for cam in (grad_cam, grad_cam_plus_plus, hires_cam, layer_cam, eigen_cam)}

__all__ = [
    "CAMS",
    "THE_LESION",
    "Cam",
    "CamRead",
    "Explanation",
    "Unit",
    "eigen_cam",
    "grad_cam",
    "grad_cam_plus_plus",
    "hires_cam",
    "layer_cam",
    "read_features",
]
