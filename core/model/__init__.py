"""From a scan to a prediction: bundles, registry, and the cached predictor with its Grad-CAM."""

from core.model._batch import BatchRead, Source
from core.model._bundle import Bundle, Reference, read_bundle, write_bundle
from core.model._card import (
    Calibration,
    Card,
    DataSource,
    OperatingPoint,
    Outputs,
    Prevalence,
)
from core.model._frames import FrameCurve, FramePoint, iter_frames, read_frames
from core.model._gate import Gate
from core.model._network import Network, NetworkOutput, import_tensorflow, load_network
from core.model._prediction import Prediction
from core.model._predictor import Predictor, Reader
from core.model._preprocess import Geometry, InputSpec, Intensity, fit, intensity, preprocess
from core.model._registry import BundleEntry, list_bundles, resolve
from core.model._statistics import Interval, score_interval, shift_prior, wilson_interval
from core.model._warm_up import WarmUp, WarmUpStatus, warm_up
from core.model._words import (
    answer_title,
    class_name,
    evidence,
    flag_words,
    flags_from,
    no_interval,
    no_scan,
    not_excluded,
    number_title,
    point_figures,
    point_name,
)

__all__ = [
    "BatchRead",
    "Bundle",
    "BundleEntry",
    "Calibration",
    "Card",
    "DataSource",
    "FrameCurve",
    "FramePoint",
    "Gate",
    "Geometry",
    "InputSpec",
    "Intensity",
    "Interval",
    "Network",
    "NetworkOutput",
    "OperatingPoint",
    "Outputs",
    "Prediction",
    "Predictor",
    "Prevalence",
    "Reader",
    "Reference",
    "Source",
    "WarmUp",
    "WarmUpStatus",
    "answer_title",
    "class_name",
    "evidence",
    "fit",
    "flag_words",
    "flags_from",
    "import_tensorflow",
    "intensity",
    "iter_frames",
    "list_bundles",
    "load_network",
    "no_interval",
    "no_scan",
    "not_excluded",
    "number_title",
    "point_figures",
    "point_name",
    "preprocess",
    "read_bundle",
    "read_frames",
    "resolve",
    "score_interval",
    "shift_prior",
    "warm_up",
    "wilson_interval",
    "write_bundle",
]
