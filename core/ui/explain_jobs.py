"""Who asked for which explanation in this session, and how far each is.

Two lanes, each one after the other: class activation maps take a tenth of a second and must not
wait behind SHAP values, nor either of them behind a list of hundred scans. All compute in the
predictor's gate behind whoever waits for a read.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Generator
from dataclasses import dataclass, field
from functools import cache, partial
from typing import Literal

import streamlit as st

from core.errors import ExplanationError, ModelError, OverreadError
from core.explain import Finished, Step, in_steps
from core.jobs import Job, JobRunner
from core.model import Prediction, Predictor, kept
from core.scan import Scan
from core.text import _
from core.ui import service
from core.ui.explain_choice import SLOW
from core.ui.explain_kept import Question, kept_explanations
from core.ui.explain_work import explain, features, measure
from core.ui.open_scan import OpenScan

Kind = Literal["map", "evidence"]
Key = tuple[Kind, Question]

_KEY = "explain-jobs"
#: Seconds a page waits for a quick one, so that it is there without a second run.
_PATIENCE = 1.2
#: Seconds after a read before the model is prepared for questions: the answer is drawn first.
_HEAD_START = 1.5
_WARMED = 8

_warming: OrderedDict[str, Job[object]] = OrderedDict()


@cache
def _lane(slow: bool) -> JobRunner:
    return JobRunner(1)


#: Seconds that the last job of each kind took in this process.
_usual: dict[tuple[str, str, str], float] = {}


def _kind_of(key: Key) -> tuple[str, str, str]:
    kind, question = key
    return question.bundle, question.method, kind


def usual_seconds(key: Key) -> float | None:
    """Return how long the last job like this took; None where there was none."""
    return _usual.get(_kind_of(key))


@dataclass(slots=True, eq=False)
class Asking:
    """What one session has asked for; its jobs stop when the session goes.

    Attributes
    ----------
    jobs
        Under way, or waiting.
    problems
        One line for each that gave nothing.
    """

    jobs: dict[Key, Job[object]] = field(default_factory=dict)
    problems: dict[Key, str] = field(default_factory=dict)

    def settle(self) -> None:
        """Let go of jobs that have ended, and note why those failed that did."""
        for key, job in list(self.jobs.items()):
            status = job.status()
            if not status.ended:
                continue
            del self.jobs[key]
            if status.state == "done" and status.seconds > 1:
                _usual[_kind_of(key)] = status.seconds
            if status.state == "cancelled":
                self.problems[key] = _("This was stopped before it was done.")
            elif status.error is not None:
                self.problems[key] = status.error

    def of(self, item: OpenScan) -> dict[Key, Job[object]]:
        """Return the jobs about one image."""
        return {key: job for key, job in self.jobs.items() if key[1].image == item.digest}


def asking() -> Asking:
    """Return what this session asks; those that have ended are settled."""
    found = st.session_state.get(_KEY)
    if not isinstance(found, Asking):
        found = st.session_state[_KEY] = Asking()
    found.settle()
    return found


def model_of(prediction: Prediction) -> Predictor | None:
    """Return the very model that made an answer, if it is in memory: no other is asked why."""
    warm = service.model()
    if warm.status().state == "ready":
        active = warm.get_predictor()
        if active.bundle.digest == prediction.bundle_digest:
            return active
    return kept(prediction.bundle_digest, service.settings().concurrent_reads)


def remember(item: OpenScan, question: Question) -> None:
    """Note that a question was asked of an image; in the order of asking, each once."""
    if question not in item.asked:
        item.asked.append(question)


def ask(item: OpenScan, question: Question, kind: Kind = "map") -> None:
    """Start what answers a question, unless it is answered or under way.

    A quick one is waited for a moment.
    """
    held = asking()
    key: Key = (kind, question)
    remember(item, question)
    found = kept_explanations().get(question)
    done = found is not None and (kind == "map" or found.curves is not None)
    if done or key in held.jobs or item.prediction is None:
        return
    held.problems.pop(key, None)
    model = model_of(item.prediction)
    if model is None:
        held.problems[key] = _(
            "The version that made this answer is not in memory. Read the scan again to explain it."
        )
        return
    work = partial(explain if kind == "map" else measure, model, item.scan, question)
    slow = kind == "evidence" or question.method in SLOW
    try:
        job: Job[object] = _lane(slow).start(lambda: in_steps(work), name=f"explain-{kind}")
    except OverreadError as error:
        held.problems[key] = str(error)
        return
    held.jobs[key] = job
    if not slow:
        job.wait(_PATIENCE)
        held.settle()


def stop(kind: Kind, question: Question) -> None:
    """Stop what is under way; what was found before stays.

    Said at once: a step of the network, or what is compiled before the first one, ends by itself
    some seconds later, and until then what is asked next waits.
    """
    held = asking()
    job = held.jobs.pop((kind, question), None)
    if job is not None:
        job.cancel()
        held.problems[kind, question] = _("This was stopped before it was done.")


def warm(item: OpenScan) -> None:
    """Prepare the model for questions in the background, once for each model.

    The first class activation map compiles a call of the network, some seconds; that of this scan
    is then there when it is asked for.
    """
    prediction = item.prediction
    if prediction is None or prediction.bundle_digest in _warming:
        return
    model = model_of(prediction)
    if model is None or not prediction.heat_available:
        return
    work = partial(_warm, model, item.scan, prediction.heat_class)
    try:
        _warming[prediction.bundle_digest] = _lane(False).start(work, name="explain-warm")
    except OverreadError:
        return
    while len(_warming) > _WARMED:
        _warming.popitem(last=False)


def _warm(
    model: Predictor, scan: Scan, target: str
) -> Generator[Step | Finished[object], None, None]:
    time.sleep(_HEAD_START)
    try:
        features(model, scan, target)
    except (ExplanationError, ModelError):
        # Whoever asks is told why.
        return
    yield Step(1, 1)
