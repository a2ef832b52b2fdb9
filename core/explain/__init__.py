"""From a scan and a predictor to explanations that can be challenged.

Each method is one short file; all give an :class:`Explanation`. None of them needs Streamlit, and
none stores anything on the shared model: they ask a :class:`core.model.Probe`.
"""

from core.explain._background import BACKGROUND, Background, background_of, phantoms
from core.explain._compare import (
    Agreement,
    Inside,
    Stability,
    agreement,
    heat_inside,
    stability,
)
from core.explain._curves import Curves, curves
from core.explain._evidence import Evidence, evidence
from core.explain._expected_gradients import expected_gradients
from core.explain._explanation import THE_LESION, Explanation, Unit
from core.explain._lesion_drivers import lesion_drivers
from core.explain._occlusion import How, Occlusion, hide, occlude
from core.explain._partition import partition_shap
from core.explain._watch import Finished, Step, Watch, in_steps

__all__ = [
    "BACKGROUND",
    "THE_LESION",
    "Agreement",
    "Background",
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
    "curves",
    "evidence",
    "expected_gradients",
    "heat_inside",
    "hide",
    "in_steps",
    "lesion_drivers",
    "occlude",
    "partition_shap",
    "phantoms",
    "stability",
]
