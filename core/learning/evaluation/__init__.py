"""Held-out figures with bootstrap intervals: what a model says of labelled scans, measured."""

from core.learning.evaluation._bootstrap import intervals, resample
from core.learning.evaluation._figures import (
    HEADLINE,
    calibration_line,
    expected_calibration_error,
    figures,
    ranking_figures,
)
from core.learning.evaluation._reading import Alter, BatchReader, score
from core.learning.evaluation._scored import Scored
from core.learning.evaluation._table import scans_csv
from core.learning.evaluation._verdict import verdict

__all__ = [
    "HEADLINE",
    "Alter",
    "BatchReader",
    "Scored",
    "calibration_line",
    "expected_calibration_error",
    "figures",
    "intervals",
    "ranking_figures",
    "resample",
    "scans_csv",
    "score",
    "verdict",
]
