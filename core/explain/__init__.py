"""From a scan and a predictor to explanations that can be challenged.

Each method is one short file; all give an :class:`Explanation`. None of them needs Streamlit, and
none stores anything on the shared model: they ask a :class:`core.model.Probe`.
"""

from core.explain._explanation import THE_LESION, Explanation, Unit

__all__ = ["THE_LESION", "Explanation", "Unit"]
