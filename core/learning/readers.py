"""The model beside the readers whose BI-RADS categories the data hold."""

from __future__ import annotations

from typing import Any

import numpy as np

from core.learning.evaluation import Scored, intervals, resample
from core.learning.evaluation._measures import Values, ranking
from core.learning.rows import birads_category, suspicion_of

#: Given when the biopsy was known.
_KNOWN_CANCER = "6"
#: Fewer scans of either kind say nothing that the interval would not swallow.
_FEWEST = 10


def beside_reader(scored: Scored) -> dict[str, Any]:
    """Return how a reader's BI-RADS categories rank the scans, and how the model ranks the same.

    The difference is paired: each resample holds the same scans for both. Scans without a category
    are in neither figure, nor are those of category 6, given when the biopsy was known. A scan
    that the model could not read counts against the model.

    Returns
    -------
    dict
        ``n``, ``positives``, ``not_understood`` (scans with a word that is no category), and as
        ``{"value", "low", "high"}`` (95 %, whole groups resampled) ``reader`` and ``model``, the
        ROC-AUC of each, and ``difference``, model less reader. Empty where fewer than
        ten positives or ten others have a category, or all are of one group.
    """
    words = scored.attributes.get("birads")
    if words is None:
        return {}
    given = [birads_category(word) for word in words]
    category = np.array([-1.0 if each == _KNOWN_CANCER else suspicion_of(each) for each in given])
    rated = scored[category >= 0]
    category, positive = category[category >= 0], rated.is_positive
    if min(int(positive.sum()), int((~positive).sum())) < _FEWEST:
        return {}

    def areas(weights: Values) -> dict[str, Values]:
        reader = ranking(weights, category, positive)[0]
        model = ranking(weights, rated.score, positive)[0]
        return {"reader": reader, "model": model, "difference": model - reader}

    both = (positive, ~positive)
    found = intervals(resample(rated, areas), {"reader": both, "model": both})
    if "difference" not in found:
        # Of one group nothing is known of how sure a difference is.
        return {}
    odd = sum(bool(word.strip()) and not each for word, each in zip(words, given, strict=True))
    counts = {"n": len(positive), "positives": int(positive.sum()), "not_understood": int(odd)}
    return counts | found
