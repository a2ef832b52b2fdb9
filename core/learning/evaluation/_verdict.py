"""Whether the model stands by its answer: the one place where evaluation asks for it."""

from __future__ import annotations

from core.model import Prediction


def verdict(prediction: Prediction) -> tuple[bool, bool]:
    """Return whether a scan is refused as none the model knows, and whether the model is sure.

    A bundle that cannot say either refuses nothing and is always sure.
    """
    return prediction.refused, prediction.sure is not False
