"""From a Keras file that somebody brings to the card of a bundle, or to all that is wrong with it.

What a file cannot say of itself (which class each output is, how grey levels became its numbers)
has to be said; everything else is found by looking and by running it.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from core.errors import BundleInvalid, ModelError
from core.learning.import_calibration import UNMEASURED, write_file
from core.learning.keras_file import KerasFile, Output, examine, plain_names
from core.model import (
    Card,
    InputSpec,
    OperatingPoint,
    Outputs,
    check_bundle,
)
from core.scan import LesionSpec, PhantomSpec, make_phantom
from core.text import _

#: Name of the operating point answers are given at.
_APPROVED = "balanced"
#: What stands for an entry that is wrong while the others are looked at.
_SOUND: dict[str, Any] = {
    "task": "task",
    "version": "1.0",
    "labels": ("a", "b"),
    "positive": "b",
    "input": InputSpec(64),
}


@dataclass(frozen=True, slots=True)
class Wishes:
    """What is said about a file; None and empty where nothing is.

    ``size``, ``channels``, ``resize``, ``intensity`` and ``pad`` as in
    :class:`core.model.InputSpec`; ``class_output``, ``lesion_output`` and ``cam_layer`` are names
    in the model.
    """

    task: str = ""
    version: str = ""
    labels: tuple[str, ...] = ()
    positive: str = ""
    size: int | None = None
    channels: int | None = None
    resize: str = "stretch"
    intensity: str = ""
    pad: float = 0.0
    class_output: str | None = None
    lesion_output: str | None = None
    cam_layer: str | None = None
    title: str = ""
    intended_use: str = ""
    limits: tuple[str, ...] = ()


@dataclass(slots=True)
class Findings:
    """What came of looking at a file.

    Attributes
    ----------
    problems
        Everything that is missing or wrong, one line each.
    notes
        What was found by itself, one line each: it is for whoever imports to see that it is right.
    card
        The card it would get, uncalibrated; None while there are problems.
    """

    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    card: Card | None = None


def look_at(path: Path, wishes: Wishes) -> Findings:
    """Say everything that keeps a file from becoming a bundle, or the card it would get."""
    file = examine(path)
    found = Findings(problems=list(file.problems))
    size, channels = _shape(file, wishes, found)
    spec = _input(file, wishes, size, channels, found)
    _entries(wishes, found)
    outputs = Outputs()
    if file.channels is not None and file.finite and size is not None and channels is not None:
        outputs = _outputs(file, size, channels, wishes, found)
    if not found.problems and spec is not None:
        found.card = _card(path, file, wishes, spec, outputs)
        _run(path, file, found)
    return found


def _entries(wishes: Wishes, found: Findings) -> None:
    if not wishes.task:
        found.problems.append(_("--task is missing: what the model is for, like chest-xray."))
    if not wishes.labels:
        found.problems.append(
            _("--labels is missing: the name of each class, in the order of the model's outputs.")
        )
    if not wishes.positive:
        found.problems.append(_("--positive is missing: the label that is looked for."))
    if wishes.labels:
        _try(found, labels=wishes.labels, positive=wishes.labels[0])
    if wishes.positive and wishes.labels and wishes.positive not in wishes.labels:
        found.problems.append(_("--positive is not one of the labels."))
    for name in ("task", "version"):
        if getattr(wishes, name):
            _try(found, **{name: getattr(wishes, name)})


def _try(found: Findings, **entries: Any) -> None:
    """Note what a card says of some entries; the others are sound ones."""
    try:
        _plain_card(**entries)
    except BundleInvalid as error:
        found.problems.append(str(error))


def _plain_card(**entries: Any) -> Card:
    values = _SOUND | {"title": "", "outputs": Outputs()} | entries
    point = OperatingPoint(_APPROVED, 0.5)
    return Card(operating_points=(point,), approved_operating_point=_APPROVED, **values)


def _shape(file: KerasFile, wishes: Wishes, found: Findings) -> tuple[int | None, int | None]:
    """Return side and channels of the input: the model's own, else what is said."""
    if file.channels is not None and file.size is None and wishes.size is None:
        found.problems.append(
            _("--input-size is missing: the model takes any size, so say which one it learned on.")
        )
    if file.size is not None and wishes.size not in (None, file.size):
        found.problems.append(
            _("--input-size is not that of the model, which takes {n} × {n}.").format(n=file.size)
        )
    if file.channels is not None and wishes.channels not in (None, file.channels):
        found.problems.append(
            _("--channels is not that of the model, which takes {n}.").format(n=file.channels)
        )
    return file.size or wishes.size, file.channels or wishes.channels


def _input(
    file: KerasFile, wishes: Wishes, size: int | None, channels: int | None, found: Findings
) -> InputSpec | None:
    intensity = _intensity(file, wishes, found)
    if size is None or channels is None or not intensity:
        return None
    try:
        spec = InputSpec(
            size,
            channels,
            wishes.resize,  # type: ignore[arg-type]  # checked by InputSpec
            intensity,  # type: ignore[arg-type]
            wishes.pad,
        )
    except BundleInvalid as error:
        found.problems.append(str(error))
        return None
    if file.channels is not None:
        found.notes.append(
            _("Input: {n} × {n}, {channels} channels, {resize}, intensity {intensity}.").format(
                n=size, channels=channels, resize=spec.resize, intensity=spec.intensity
            )
        )
    return spec


def _intensity(file: KerasFile, wishes: Wishes, found: Findings) -> str:
    if wishes.intensity:
        if file.rescales and wishes.intensity != "none":
            found.notes.append(
                _(
                    "The model rescales grey levels itself: check that --intensity is what came "
                    "before that, which is mostly none."
                )
            )
        return wishes.intensity
    if file.rescales:
        return "none"
    line = _(
        "--intensity is missing: how grey levels became the model's numbers when it was trained: "
        "unit (0 to 1), signed (-1 to 1), none (0 to 255), standardise, caffe or torch."
    )
    if file.usual_intensity:
        line += " " + _("Networks of this family mostly use {intensity}.").format(
            intensity=file.usual_intensity
        )
    found.problems.append(line)
    return ""


def _outputs(file: KerasFile, size: int, channels: int, wishes: Wishes, found: Findings) -> Outputs:
    try:
        outputs = file.outputs(size, channels)
    except BundleInvalid as error:
        found.problems.append(str(error))
        return Outputs()
    by_name = {output.name: output for output in outputs}
    for option, name, known in (
        ("--class-output", wishes.class_output, by_name),
        ("--lesion-output", wishes.lesion_output, by_name),
        ("--cam-layer", wishes.cam_layer, (*by_name, *file.layers)),
    ):
        if name is not None and name not in known:
            found.problems.append(
                _("{option} names nothing in the model; it has: {names}.").format(
                    option=option, names=plain_names(list(known)[-12:])
                )
            )
    lesion = by_name.get(wishes.lesion_output or "")
    if lesion is not None and not (lesion.is_map and lesion.is_bounded):
        found.problems.append(
            _("The lesion output must be a map of one channel from 0 to 1: end it in a sigmoid.")
        )
    maps = [output.name for output in outputs if output.is_map and output is not lesion]
    if maps and lesion is None:
        found.notes.append(
            _("An output may be a lesion map ({names}): name it with --lesion-output.").format(
                names=plain_names(maps)
            )
        )
    classes = _class_output(outputs, wishes, found)
    if classes is None:
        return Outputs()
    _count(classes, wishes, found)
    alone = sum(output.is_classes for output in outputs) == 1
    named = Outputs(lesion=wishes.lesion_output, cam_features=wishes.cam_layer)
    if classes.is_bounded:
        return replace(named, probabilities=classes.name)
    if alone:
        return named
    if classes.values.shape[-1] == 1:
        found.problems.append(
            _("The class output has one unit: end it in a sigmoid, or leave it the only output.")
        )
    return replace(named, logits=classes.name)


def _class_output(outputs: Sequence[Output], wishes: Wishes, found: Findings) -> Output | None:
    if wishes.class_output is not None:
        chosen = next((each for each in outputs if each.name == wishes.class_output), None)
        if chosen is not None and not chosen.is_classes:
            found.problems.append(_("The class output must be one row of scores for each image."))
            return None
        return chosen
    fitting_ones = [output for output in outputs if output.is_classes]
    if len(fitting_ones) == 1:
        return fitting_ones[0]
    if not fitting_ones:
        found.problems.append(
            _("The model has no output of class scores: it must give one row for each image.")
        )
    else:
        found.problems.append(
            _("--class-output is missing: several outputs may be the classes ({names}).").format(
                names=plain_names([output.name for output in fitting_ones])
            )
        )
    return None


def _count(classes: Output, wishes: Wishes, found: Findings) -> None:
    units, labels = classes.values.shape[-1], wishes.labels
    if not np.isfinite(classes.values).all():
        found.problems.append(_("The model gives scores that are no numbers."))
        return
    if units == 1 and bool((classes.values == 1).all()):
        found.problems.append(
            _("The model ends in a softmax over one unit, which is always 1: use a sigmoid.")
        )
    if not labels:
        found.notes.append(_("The model has {n} class outputs.").format(n=units))
        return
    if units == 1:
        if len(labels) != 2:
            found.problems.append(
                _("The model has one output unit, so it needs two labels; {n} are given.").format(
                    n=len(labels)
                )
            )
            return
        kind = _("Classes: one unit, taken as the score of the second label.")
        if wishes.positive == labels[0]:
            kind += " " + _("The first one is looked for: check the order of the labels.")
    elif units != len(labels):
        found.problems.append(
            _("The model has {units} class outputs, and {n} labels are given.").format(
                units=units, n=len(labels)
            )
        )
        return
    elif classes.sums_to_one:
        kind = _("Classes: probabilities that sum to 1 (a softmax).")
    elif classes.is_bounded:
        kind = _("Classes: one probability for each label; their shares are used.")
    else:
        kind = _("Classes: scores before a softmax (logits).")
    found.notes.append(kind)


def _card(path: Path, file: KerasFile, wishes: Wishes, spec: InputSpec, outputs: Outputs) -> Card:
    return _plain_card(
        task=wishes.task,
        version=wishes.version,
        labels=wishes.labels,
        positive=wishes.positive,
        title=wishes.title or wishes.task,
        input=spec,
        outputs=outputs,
        training={
            "imported": True,
            "architecture": plain_names([str(file.model.name)]),
            "parameters": int(file.model.count_params()),
            "file_sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        },
        intended_use=wishes.intended_use,
        limits=(*wishes.limits, UNMEASURED),
        created=datetime.now(UTC).date().isoformat(),
    )


def _run(path: Path, file: KerasFile, found: Findings) -> None:
    """Let the file read phantoms as a bundle of the card."""
    assert found.card is not None  # noqa: S101  # made just before
    with tempfile.TemporaryDirectory() as folder:
        try:
            predictor = check_bundle(write_file(Path(folder), path, found.card), 1)
        except ModelError as error:
            found.problems.append(str(error))
            found.card = None
            return
        scans = [
            make_phantom(PhantomSpec(320, 256, lesion=lesion), seed).scan
            for seed, lesion in enumerate((None, LesionSpec(), LesionSpec(shape="irregular")))
        ]
        answers = [predictor.read(scan) for scan in scans]
    found.notes.append(
        _("Heatmap (Grad-CAM): yes.")
        if answers[0].heat_available
        else _("Heatmap (Grad-CAM): none, the model has no feature map.")
    )
    if len({round(answer.probability, 6) for answer in answers}) == 1:
        found.notes.append(
            _(
                "It answers three different phantoms with the very same numbers: check "
                "--intensity, and the file."
            )
        )
