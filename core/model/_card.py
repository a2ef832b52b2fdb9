"""The card of a model bundle: what its weights are, for what, and at which operating point."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from core.model._abstention import (
    Abstention,
    abstention_entry,
    check_abstention,
    read_abstention,
)
from core.model._preprocess import InputSpec
from core.model._reading import Fields, invalid
from core.text import _

FORMAT = 1
TASK = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
LABEL = re.compile(r"\w(?:[\w ./()+-]{0,38}[\w)+])?")
#: Entries of ``outputs``, in the order of :class:`Outputs`.
_OUTPUTS = ("logits", "probabilities", "lesion", "cam_features", "embedding")
#: The label of pictures without a lesion, which need no mask.
NO_LESION = "normal"
VERSION = re.compile(r"\d{1,6}(\.\d{1,6}){0,3}")


@dataclass(frozen=True, slots=True)
class Outputs:
    """Names of the model's outputs; None where it has none, or where it is found by itself.

    Attributes
    ----------
    logits
        ``(labels,)`` scores before softmax and before calibration.
    probabilities
        ``(labels,)`` softmax or sigmoid output, or one sigmoid unit for the second of two labels.
    lesion
        ``(S, S, 1)`` lesion probability, 0..1.
    cam_features
        ``(h, w, C)`` feature map that Grad-CAM explains; where it is no output of the model, the
        name of a layer.
    embedding
        ``(D,)`` what tells a scan from other pictures; where it is None and the bundle has
        statistics of known scans, the averages of the feature map over rows and columns.
    """

    logits: str | None = None
    probabilities: str | None = None
    lesion: str | None = None
    cam_features: str | None = None
    embedding: str | None = None


@dataclass(frozen=True, slots=True)
class Calibration:
    """How logits become calibrated probabilities: ``softmax(logits / temperature + bias)``.

    Temperature scaling is Guo et al., *On calibration of modern neural networks*, ICML 2017; the
    bias per label, in label order, is its bias-corrected form (Alexandari et al., ICML 2020).
    Method ``none`` is a plain softmax.
    """

    method: Literal["vector-temperature", "none"] = "none"
    temperature: float = 1.0
    bias: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """A threshold on the calibrated probability of the positive label, and what it achieved.

    ``threshold`` and the figures are 0..1; intervals are 95 %; ``n`` counts the scans they were
    measured on. The figures are None where nothing was measured.
    """

    name: str
    threshold: float
    sensitivity: float | None = None
    specificity: float | None = None
    sensitivity_interval: tuple[float, float] | None = None
    specificity_interval: tuple[float, float] | None = None
    n: int | None = None


@dataclass(frozen=True, slots=True)
class Prevalence:
    """Share of the positive label, 0..1, among the ``n`` scans that calibrated the model."""

    positive: float
    n: int | None = None
    source: str = ""


@dataclass(frozen=True, slots=True)
class DataSource:
    """A data set the weights were learned from; ``digest`` is the SHA-256 of its rows.

    Over images, masks and labels in a fixed order: see ``core.learning.dataset.fingerprint``.
    """

    name: str
    digest: str
    licence: str
    citation: str


@dataclass(frozen=True, slots=True)
class Card:
    """What ``card.json`` says, checked as a whole when it is made.

    Attributes
    ----------
    task, version
        Name of the task (lower case, digits, hyphens) and numeric dotted version; the folder of
        the bundle is ``<task>/<version>``.
    labels, positive
        Classes in the order of the outputs, and the one that is looked for.
    operating_points, approved_operating_point
        Thresholds by name, and the name of the one answers are given at.
    training, metrics
        Free: the configuration, and figures by name as ``{"value", "low", "high", "n"}``.
    created
        ISO 8601 date or time.
    abstention
        When the model says "not sure"; None for one that always answers.

    Raises
    ------
    BundleInvalid
        An entry is missing, contradicts another or is out of its range; one line names it.
    """

    task: str
    version: str
    title: str
    labels: tuple[str, ...]
    positive: str
    input: InputSpec
    outputs: Outputs
    operating_points: tuple[OperatingPoint, ...]
    approved_operating_point: str
    calibration: Calibration = Calibration()
    prevalence: Prevalence | None = None
    data: tuple[DataSource, ...] = ()
    training: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, Any] = field(default_factory=dict)
    intended_use: str = ""
    limits: tuple[str, ...] = ()
    created: str = ""
    abstention: Abstention | None = None

    def __post_init__(self) -> None:
        """Check the whole card."""
        _check(self)

    @property
    def approved(self) -> OperatingPoint:
        """The operating point answers are given at."""
        return next(p for p in self.operating_points if p.name == self.approved_operating_point)

    @property
    def positive_index(self) -> int:
        """Place of the positive label in ``labels``."""
        return self.labels.index(self.positive)

    @classmethod
    def from_json(cls, text: str | bytes) -> Card:
        """Read a card; strict: every entry is known and in its range, no NaN anywhere.

        Raises
        ------
        BundleInvalid
            One line that names what is wrong.
        """
        try:
            value = json.loads(text, parse_constant=_refuse_constant)
        except (ValueError, RecursionError) as error:
            raise invalid(_("it is not JSON text")) from error
        root = Fields(value, "")
        if root.take("format", int) != FORMAT:
            raise invalid(_("format must be {format}").format(format=FORMAT))
        size = root.child("input")
        how = root.child("preprocessing")
        spec = InputSpec(
            size=size.take("size", int),
            channels=size.take("channels", int),
            resize=how.take("resize", str),  # type: ignore[arg-type]  # checked by InputSpec
            intensity=how.take("intensity", str),  # type: ignore[arg-type]
            pad=how.number("pad", 0.0),
        )
        names = root.child("outputs")
        outputs = Outputs(*(names.optional(n, str) for n in _OUTPUTS))
        points = root.child("operating_points")
        card = cls(
            task=root.take("task", str),
            version=root.take("version", str),
            title=root.take("title", str),
            labels=root.texts("labels"),
            positive=root.take("positive", str),
            input=spec,
            outputs=outputs,
            operating_points=tuple(_read_point(n, points.child(n)) for n in points.names()),
            approved_operating_point=root.take("approved_operating_point", str),
            calibration=_read_calibration(root.child("calibration")),
            prevalence=_read_prevalence(root.optional_child("prevalence")),
            data=tuple(_read_source(entry) for entry in root.children("data")),
            training=root.take("training", dict),
            metrics=root.take("metrics", dict),
            intended_use=root.take("intended_use", str),
            limits=root.texts("limits"),
            created=root.take("created", str),
            abstention=read_abstention(root.optional_child("abstention")),
        )
        for part in (root, size, how, names):
            part.nothing_left()
        return card

    def to_json(self) -> str:
        """Write the card as ``card.json``: indented, in a fixed order, readable again."""
        points = {
            p.name: {
                "threshold": p.threshold,
                "sensitivity": p.sensitivity,
                "sensitivity_interval": p.sensitivity_interval,
                "specificity": p.specificity,
                "specificity_interval": p.specificity_interval,
                "n": p.n,
            }
            for p in self.operating_points
        }
        calibration: dict[str, Any] = {"method": self.calibration.method}
        if self.calibration.method != "none":
            calibration["temperature"] = self.calibration.temperature
            calibration["bias"] = self.calibration.bias
        study = self.prevalence
        value = {
            "format": FORMAT,
            "task": self.task,
            "version": self.version,
            "title": self.title,
            "labels": self.labels,
            "positive": self.positive,
            "input": {"size": self.input.size, "channels": self.input.channels},
            "preprocessing": {
                "resize": self.input.resize,
                "intensity": self.input.intensity,
                "pad": self.input.pad,
            },
            "outputs": {
                "logits": self.outputs.logits,
                "probabilities": self.outputs.probabilities,
                "lesion": self.outputs.lesion,
                "cam_features": self.outputs.cam_features,
                **_unless_none("embedding", self.outputs.embedding),
            },
            "calibration": calibration,
            "operating_points": points,
            "approved_operating_point": self.approved_operating_point,
            "prevalence": None
            if study is None
            else {"positive": study.positive, "n": study.n, "source": study.source},
            "data": [
                {"name": d.name, "digest": d.digest, "licence": d.licence, "citation": d.citation}
                for d in self.data
            ],
            "training": dict(self.training),
            "metrics": dict(self.metrics),
            "intended_use": self.intended_use,
            "limits": self.limits,
            "created": self.created,
            **_unless_none("abstention", abstention_entry(self.abstention)),
        }
        return json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _unless_none(name: str, value: object) -> dict[str, Any]:
    """Return an entry that older readers, which refuse what they do not know, need not see."""
    return {} if value is None else {name: value}


def _refuse_constant(name: str) -> float:
    raise invalid(_("it holds a number that is not finite"))


def _read_point(name: str, entry: Fields) -> OperatingPoint:
    point = OperatingPoint(
        name=name,
        threshold=entry.number("threshold"),
        sensitivity=entry.optional_number("sensitivity"),
        specificity=entry.optional_number("specificity"),
        sensitivity_interval=entry.interval("sensitivity_interval"),
        specificity_interval=entry.interval("specificity_interval"),
        n=entry.optional("n", int),
    )
    entry.nothing_left()
    return point


def _read_calibration(entry: Fields) -> Calibration:
    method = entry.take("method", str)
    if method == "none":
        entry.nothing_left()
        return Calibration()
    bias = entry.take("bias", list)
    if any(isinstance(b, bool) or not isinstance(b, int | float) for b in bias):
        raise invalid(_("calibration bias must be a list of numbers"))
    found = Calibration(
        method=method,  # type: ignore[arg-type]  # checked with the card
        temperature=entry.number("temperature"),
        bias=tuple(float(b) for b in bias),
    )
    entry.nothing_left()
    return found


def _read_prevalence(entry: Fields | None) -> Prevalence | None:
    if entry is None:
        return None
    found = Prevalence(
        entry.number("positive"), entry.optional("n", int), entry.optional("source", str) or ""
    )
    entry.nothing_left()
    return found


def _read_source(entry: Fields) -> DataSource:
    source = DataSource(*(entry.take(n, str) for n in ("name", "digest", "licence", "citation")))
    entry.nothing_left()
    return source


def _check(card: Card) -> None:
    if not TASK.fullmatch(card.task):
        raise invalid(_("task must be lower-case letters, digits and hyphens"))
    if not VERSION.fullmatch(card.version):
        raise invalid(_("version must be numbers with dots between them"))
    if len(card.labels) < 2 or not all(card.labels) or len(set(card.labels)) != len(card.labels):
        raise invalid(_("labels must be two or more different names"))
    if not all(LABEL.fullmatch(label) for label in card.labels):
        # Labels stand on every page, where other characters would be taken for markup.
        raise invalid(_("labels must be plain names of at most 40 letters, digits and spaces"))
    if card.positive not in card.labels:
        raise invalid(_("positive is not one of the labels"))
    if card.outputs.logits and card.outputs.probabilities:
        raise invalid(_("outputs may name logits or probabilities, not both"))
    _check_calibration(card)
    for point in card.operating_points:
        _check_point(point)
    names = [point.name for point in card.operating_points]
    if len(set(names)) != len(names) or not all(names):
        raise invalid(_("operating_points must have different names"))
    if card.approved_operating_point not in names:
        raise invalid(_("approved_operating_point is not among the operating_points"))
    if card.prevalence and not 0 < card.prevalence.positive < 1:
        raise invalid(_("prevalence positive must lie between 0 and 1"))
    if card.abstention is not None:
        check_abstention(card.abstention)
    try:
        json.dumps([dict(card.training), dict(card.metrics)], allow_nan=False)
    except (TypeError, ValueError) as error:
        problem = _("training and metrics must be plain JSON values with finite numbers")
        raise invalid(problem) from error


def _check_calibration(card: Card) -> None:
    calibration = card.calibration
    if calibration.method == "none":
        return
    if calibration.method != "vector-temperature":
        raise invalid(_("calibration method must be vector-temperature or none"))
    if not (math.isfinite(calibration.temperature) and calibration.temperature > 0):
        raise invalid(_("calibration temperature must be above 0"))
    if len(calibration.bias) != len(card.labels):
        raise invalid(_("calibration bias must hold one number per label"))
    if not all(map(math.isfinite, calibration.bias)):
        raise invalid(_("calibration bias must be finite"))


def _check_point(point: OperatingPoint) -> None:
    if not 0 < point.threshold < 1:
        raise invalid(_("the threshold of an operating point must lie between 0 and 1"))
    for figure in (point.sensitivity, point.specificity):
        if figure is not None and not 0 <= figure <= 1:
            raise invalid(_("sensitivity and specificity must lie from 0 to 1"))
    for pair in (point.sensitivity_interval, point.specificity_interval):
        if pair is not None and not 0 <= pair[0] <= pair[1] <= 1:
            raise invalid(_("the interval of an operating point must be low, high from 0 to 1"))
    if point.n is not None and point.n < 0:
        raise invalid(_("the n of an operating point must not be negative"))
