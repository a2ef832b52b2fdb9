"""From a scan and a predictor to explanations that can be challenged.

Each method is one short file; all give an :class:`Explanation`. None of them needs Streamlit, and
none stores anything on the shared model: they ask a :class:`core.model.Probe`.
"""

from core.explain._background import BACKGROUND, Background, background_of, phantoms
from core.explain._cam import Cam, CamRead, read_features
from core.explain._caveat import UNKNOWN_SCAN, caveat_words
from core.explain._colours import colour_table, colours
from core.explain._compare import (
    Agreement,
    Inside,
    Stability,
    agreement,
    heat_inside,
    hottest_place,
    stability,
)
from core.explain._curves import Curves, curves, curves_of
from core.explain._eigen_cam import eigen_cam
from core.explain._evidence import Evidence, evidence
from core.explain._expected_gradients import STEADY_SAMPLES, expected_gradients
from core.explain._explanation import THE_LESION, Explanation, Unit
from core.explain._export import ReadBack, explanation_npz, read_explanation
from core.explain._figures import evidence_figures, inside_figures
from core.explain._grad_cam import grad_cam
from core.explain._grad_cam_plus_plus import grad_cam_plus_plus
from core.explain._hires_cam import hires_cam
from core.explain._layer_cam import layer_cam
from core.explain._lesion_drivers import lesion_drivers
from core.explain._methods import (
    CAMS,
    METHODS,
    STEADY_EVALUATIONS,
    asks_about_a_class,
    asks_for,
    by_method,
    made_again,
)
from core.explain._occlusion import How, Occlusion, hide, occlude, stands_out
from core.explain._outline import outline_of_answer
from core.explain._packed import pack, unpack
from core.explain._partition import partition_shap
from core.explain._picture import (
    PER,
    Drawing,
    asked_name,
    blend,
    drawn_limit,
    drawn_values,
    explanation_png,
    method_name,
    unit_words,
)
from core.explain._randomised import Depth, Likeness, Method, Randomised, randomised
from core.explain._table import Row, figures_csv, file_stem
from core.explain._watch import Finished, Step, Watch, in_steps

__all__ = [
    "BACKGROUND",
    "CAMS",
    "METHODS",
    "PER",
    "STEADY_EVALUATIONS",
    "STEADY_SAMPLES",
    "THE_LESION",
    "UNKNOWN_SCAN",
    "Agreement",
    "Background",
    "Cam",
    "CamRead",
    "Curves",
    "Depth",
    "Drawing",
    "Evidence",
    "Explanation",
    "Finished",
    "How",
    "Inside",
    "Likeness",
    "Method",
    "Occlusion",
    "Randomised",
    "ReadBack",
    "Row",
    "Stability",
    "Step",
    "Unit",
    "Watch",
    "agreement",
    "asked_name",
    "asks_about_a_class",
    "asks_for",
    "background_of",
    "blend",
    "by_method",
    "caveat_words",
    "colour_table",
    "colours",
    "curves",
    "curves_of",
    "drawn_limit",
    "drawn_values",
    "eigen_cam",
    "evidence",
    "evidence_figures",
    "expected_gradients",
    "explanation_npz",
    "explanation_png",
    "figures_csv",
    "file_stem",
    "grad_cam",
    "grad_cam_plus_plus",
    "heat_inside",
    "hide",
    "hires_cam",
    "hottest_place",
    "in_steps",
    "inside_figures",
    "layer_cam",
    "lesion_drivers",
    "made_again",
    "method_name",
    "occlude",
    "outline_of_answer",
    "pack",
    "partition_shap",
    "phantoms",
    "randomised",
    "read_explanation",
    "read_features",
    "stability",
    "stands_out",
    "unit_words",
    "unpack",
]
