"""Making explanations and measuring them: what runs in the background, without a page.

What comes of it goes straight to the shelf (:mod:`core.ui.explain_kept`), so that it is found by
whoever comes back, even if the page that asked looks at another scan by then.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from threading import Lock

import numpy as np

from core.errors import EmptyMap, InvalidQuestion
from core.explain import (
    CAMS,
    STEADY_SAMPLES,
    CamRead,
    Explanation,
    Step,
    Watch,
    evidence,
    expected_gradients,
    lesion_drivers,
    occlude,
    partition_shap,
    read_features,
)
from core.jobs import Job
from core.lesion import mask_from_polygon
from core.model import Card, Prediction, Predictor
from core.scan import Scan
from core.text import _
from core.ui.explain_choice import hidden_region
from core.ui.explain_kept import Found, Question, kept_explanations

#: Feature maps of one run kept, each some hundred kilobytes: every class activation map of that
#: scan and class is made from it without asking the model.
_READS = 16
#: Evaluations of the coarse partition that stability is measured with.
_STEADY_EVALUATIONS = 60
#: Noisy copies of a scan where a map of one takes no longer than a read.
_COPIES = 4

_reads: OrderedDict[tuple[str, str, str], CamRead] = OrderedDict()
_reads_lock = Lock()


def features(model: Predictor, scan: Scan, target: str) -> CamRead:
    """Return the feature map of a scan for a class, from one run of the model however often.

    Raises
    ------
    ExplanationError, ModelError
        As for :func:`core.explain.read_features`.
    """
    key = scan.digest, model.bundle.digest, target
    with _reads_lock:
        found = _reads.get(key)
    if found is None:
        found = read_features(model, scan, target)
    with _reads_lock:
        _reads[key] = found
        _reads.move_to_end(key)
        while len(_reads) > _READS:
            _reads.popitem(last=False)
    return found


def has_features(question: Question) -> bool:
    """Tell whether a class activation map of this scan and class costs no run of the model."""
    with _reads_lock:
        return (question.image, question.bundle, question.target) in _reads


def of_the_read(prediction: Prediction, scan: Scan, card: Card | None) -> Explanation:
    """Return the heat of a read as the Grad-CAM that it is; asks the model nothing.

    Raises
    ------
    EmptyMap
        Nothing in the scan spoke for the answer.
    NotFinite
        The heat came out without usable numbers.
    """
    values = np.maximum(prediction.heat(), np.float32(0))
    peak = values.max()
    return Explanation(
        method="grad-cam",
        target=prediction.heat_class,
        values=values / peak if peak > 0 else values,
        signed=False,
        layer=None if card is None else card.outputs.cam_features,
        parameters={"class_specific": True},
        unit="relative",
        base_value=None,
        output=None,
        bundle_digest=prediction.bundle_digest,
        image_digest=scan.digest,
    )


def explain(model: Predictor, scan: Scan, question: Question, watch: Watch) -> None:
    """Answer a question and keep what comes of it.

    Raises
    ------
    ExplanationError, ModelError
        There is no such map.
    JobCancelled
        ``watch`` stopped it.
    """
    kept = kept_explanations()
    # Whoever asked the same a moment earlier has had it made meanwhile.
    if kept.get(question) is None:
        kept.put(question, _made(model, scan, question, watch))


def _made(model: Predictor, scan: Scan, question: Question, watch: Watch) -> Found:
    target = question.target
    cam = CAMS.get(question.method)
    if cam is not None:
        return Found(features(model, scan, target).explain(cam))
    if question.method == "expected-gradients":
        return Found(expected_gradients(model, scan, target, watch=watch))
    if question.method == "partition-shap":
        return Found(partition_shap(model, scan, target, watch=watch))
    if question.method == "lesion-drivers":
        return Found(lesion_drivers(model, scan, watch=watch))
    if question.method != "occlusion":
        raise InvalidQuestion(_("There is no such method. Choose one that is listed."))
    how, points = hidden_region(question)
    region = mask_from_polygon(points, (scan.height, scan.width))
    hidden = occlude(model, scan, region, target, how=how, watch=watch)
    try:
        return Found(hidden.explanation(), occlusion=hidden)
    except EmptyMap:
        return Found(occlusion=hidden)


def measure(model: Predictor, scan: Scan, question: Question, watch: Watch) -> None:
    """Measure how far a map holds, and keep it beside the map.

    Raises
    ------
    InvalidQuestion
        There is no map to measure.
    ExplanationError, ModelError, JobCancelled
        As for :func:`explain`.
    """
    found = kept_explanations().get(question)
    if found is None or found.explanation is None:
        raise InvalidQuestion(_("The map is not kept any more: ask for it again."))
    if found.curves is not None:
        return
    again, copies = _again(model, question)
    measured = evidence(
        model,
        scan,
        found.explanation,
        explain=again,
        same=question.method in CAMS,
        watch=watch,
        copies=copies,
    )
    kept_explanations().add(question, measured.curves, measured.stability)


def _again(
    model: Predictor, question: Question
) -> tuple[Callable[[Scan], Explanation] | None, int]:
    """Return what makes the map of a noisy copy, coarser where it takes long; and how many."""
    target, cam = question.target, CAMS.get(question.method)
    if cam is not None:
        return lambda scan: read_features(model, scan, target).explain(cam), _COPIES
    made: Callable[..., Explanation]
    if question.method == "expected-gradients":
        made = partial(expected_gradients, target=target, samples=STEADY_SAMPLES)
    elif question.method == "partition-shap":
        made = partial(partition_shap, target=target, evaluations=_STEADY_EVALUATIONS)
    elif question.method == "lesion-drivers":
        made = partial(lesion_drivers, samples=STEADY_SAMPLES)
    else:
        return None, 1
    return partial(made, model), 1


def turned(explanation: Explanation) -> Explanation:
    """Return a signed map with its sign turned: what speaks against is then above 0."""
    return replace(explanation, values=-explanation.values)


def share_and_left(job: Job[object]) -> tuple[float, float | None]:
    """Return what share of a job is done, 0..1, and how many seconds it takes at this pace."""
    status = job.status()
    last = job.items(max(status.done - 1, 0))
    step = next((each for each in reversed(last) if isinstance(each, Step)), None)
    if step is None or not step.total:
        return 0.0, None
    left = status.seconds / step.done * (step.total - step.done) if step.done else None
    return min(step.done / step.total, 1.0), left
