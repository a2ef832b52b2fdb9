"""From a scan and a predictor to explanations that can be challenged.

Each method is one short file; all give an :class:`Explanation`. None of them needs Streamlit, and
none stores anything on the shared model: they ask a :class:`core.model.Probe`.
"""

from core.explain._background import BACKGROUND, Background, background_of, phantoms
from core.explain._cam import Cam, CamRead, read_features
from core.explain._colours import colour_table, colours
from core.explain._compare import (
    Agreement,
    Inside,
    Stability,
    agreement,
    heat_inside,
    stability,
)
from core.explain._curves import Curves, curves
from core.explain._eigen_cam import eigen_cam
from core.explain._evidence import Evidence, evidence
from core.explain._expected_gradients import STEADY_SAMPLES, expected_gradients
from core.explain._explanation import THE_LESION, Explanation, Unit
from core.explain._grad_cam import grad_cam
from core.explain._grad_cam_plus_plus import grad_cam_plus_plus
from core.explain._hires_cam import hires_cam
from core.explain._layer_cam import layer_cam
from core.explain._lesion_drivers import lesion_drivers
from core.explain._occlusion import How, Occlusion, hide, occlude
from core.explain._packed import pack, unpack
from core.explain._partition import partition_shap
from core.explain._watch import Finished, Step, Watch, in_steps

#: The family of class activation maps by name.
CAMS = {cam.method: cam for cam in (grad_cam, grad_cam_plus_plus, hires_cam, layer_cam, eigen_cam)}

__all__ = [
    "BACKGROUND",
    "CAMS",
    "STEADY_SAMPLES",
    "THE_LESION",
    "Agreement",
    "Background",
    "Cam",
    "CamRead",
    "Curves",
    "Evidence",
    "Explanation",
    "Finished",
    "How",
    "Inside",
    "Occlusion",
    "Stability",
    "Step",
    "Unit",
    "Watch",
    "agreement",
    "background_of",
    "colour_table",
    "colours",
    "curves",
    "eigen_cam",
    "evidence",
    "expected_gradients",
    "grad_cam",
    "grad_cam_plus_plus",
    "heat_inside",
    "hide",
    "hires_cam",
    "in_steps",
    "layer_cam",
    "lesion_drivers",
    "occlude",
    "pack",
    "partition_shap",
    "phantoms",
    "read_features",
    "stability",
    "unpack",
]
