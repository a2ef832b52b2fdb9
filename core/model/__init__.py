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
from core.model._evaluations import attach_evaluation, evaluation_name, evaluations
from core.model._exploration import AtThreshold, Predictive, Share, at_threshold
from core.model._frames import FrameCurve, FramePoint, iter_frames, read_frames
from core.model._gate import Gate
from core.model._network import Network, NetworkOutput, import_tensorflow, load_network
from core.model._prediction import Prediction
from core.model._predictor import Predictor, Reader
from core.model._preprocess import Geometry, InputSpec, Intensity, fit, intensity, preprocess
from core.model._registry import BundleEntry, list_bundles, resolve
from core.model._site import (
    SITE_PREVALENCE_RANGE,
    SitePrevalence,
    prevalence_history,
    set_site_prevalence,
    site_prevalence,
)
from core.model._statistics import Interval, score_interval, shift_prior, wilson_interval
from core.model._warm_up import WarmUp, WarmUpStatus, warm_up
from core.model._words import (
    ELSEWHERE,
    Restated,
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
    prevalence_words,
    restate,
    restated,
)

__all__ = [
    "ELSEWHERE",
    "SITE_PREVALENCE_RANGE",
    "AtThreshold",
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
    "Predictive",
    "Predictor",
    "Prevalence",
    "Reader",
    "Reference",
    "Restated",
    "Share",
    "SitePrevalence",
    "Source",
    "WarmUp",
    "WarmUpStatus",
    "answer_title",
    "at_threshold",
    "attach_evaluation",
    "class_name",
    "evaluation_name",
    "evaluations",
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
    "prevalence_history",
    "prevalence_words",
    "read_bundle",
    "read_frames",
    "resolve",
    "restate",
    "restated",
    "score_interval",
    "set_site_prevalence",
    "shift_prior",
    "site_prevalence",
    "warm_up",
    "wilson_interval",
    "write_bundle",
]
