"""Making explanations and measuring them: what runs in the background, without a page.

What comes of it goes straight to the shelf (:mod:`core.ui.explain_kept`), so that it is found by
whoever comes back, even if the page that asked looks at another scan by then.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace
from threading import Lock

import numpy as np

from core.errors import EmptyMap, InvalidQuestion
from core.explain import (
    CAMS,
    CamRead,
    Explanation,
    Step,
    Watch,
    by_method,
    evidence,
    made_again,
    occlude,
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

#: Share of the work after which its pace tells how long it will take.
_TELLING = 0.1

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
    if question.method != "occlusion":
        return Found(by_method(model, scan, question.method, target, watch=watch))
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
    again, copies = made_again(model, question.method, question.target)
    measured = evidence(
        model,
        scan,
        found.explanation,
        # A region was hidden in this very scan: there is no map of another to compare.
        explain=None if question.method == "occlusion" else again,
        same=question.method in CAMS,
        watch=watch,
        copies=copies,
    )
    kept_explanations().add(question, measured.curves, measured.stability)


def turned(explanation: Explanation) -> Explanation:
    """Return a signed map with its sign turned: what speaks against is then above 0."""
    return replace(explanation, values=-explanation.values)


def share_and_left(job: Job[object], usual: float | None) -> tuple[float, float | None]:
    """Return what share of a job is done, 0..1, and how many seconds it will still take.

    Parameters
    ----------
    usual
        Seconds that the last one of its kind took. The more is done, the more its own pace counts;
        without a last one, its pace alone, once a tenth is done: the first step is prepared for.
    """
    status = job.status()
    last = job.items(max(status.done - 1, 0))
    step = next((each for each in reversed(last) if isinstance(each, Step)), None)
    share = 0.0 if step is None or not step.total else min(step.done / step.total, 1.0)
    own = status.seconds / share if share >= (_TELLING if usual is None else 1e-6) else None
    if usual is None:
        return share, None if own is None else own * (1 - share)
    total = usual if own is None else (1 - share) * usual + share * own
    return share, total - status.seconds if total > status.seconds else None
