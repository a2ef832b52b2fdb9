"""From a scan to a prediction: bundles, registry, and the cached predictor with its Grad-CAM."""

from core.model._bundle import Bundle, Reference, read_bundle, write_bundle
from core.model._card import (
    Calibration,
    Card,
    DataSource,
    OperatingPoint,
    Outputs,
    Prevalence,
)
from core.model._preprocess import Geometry, InputSpec, fit, preprocess
from core.model._statistics import Interval, score_interval, shift_prior, wilson_interval

__all__ = [
    "Bundle",
    "Calibration",
    "Card",
    "DataSource",
    "Geometry",
    "InputSpec",
    "Interval",
    "OperatingPoint",
    "Outputs",
    "Prevalence",
    "Reference",
    "fit",
    "preprocess",
    "read_bundle",
    "score_interval",
    "shift_prior",
    "wilson_interval",
    "write_bundle",
]
