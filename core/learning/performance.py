"""What is known of how well a bundle does: its card, its evaluations, its validation scores.

Whatever their source, they are read into one checked form here. A part that is damaged is named
and left out, and an evaluation of another model is never shown as this one's.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields, replace
from typing import Any, cast

import numpy as np

from core.learning.evaluated import (
    Evaluation,
    Figure,
    Point,
    read_bins,
    read_confusion,
    read_curve,
    read_evaluation,
    read_figures,
)
from core.learning.evaluation import Scored, ranking_figures
from core.learning.report import confusion, curves, reliability_bins
from core.model import Bundle, at_threshold, evaluations

#: Name of the evaluation that the validation scores of a bundle make.
OF_SCORES = "validation scores"


@dataclass(frozen=True, slots=True)
class Performance:
    """Everything a bundle says of itself.

    Attributes
    ----------
    evaluations
        Attached reports first, then what the card holds, the most scans first, then the validation
        scores if none of those is of them.
    left_out
        Names of attached evaluations that are damaged or of another model, and not shown.
    """

    evaluations: tuple[Evaluation, ...]
    left_out: tuple[str, ...] = ()


def performance(bundle: Bundle) -> Performance:
    """Return what is known of how well a bundle does; never raises for what is damaged."""
    attached = evaluations(bundle)
    found = [read_evaluation(name, "report", report) for name, report in attached.items()]
    of_card = [each for each in _of_card(bundle) if each.name not in attached]
    found += sorted(of_card, key=lambda each: -(each.n or 0))
    lying = sorted(path.parent.name for path in bundle.folder.glob("evaluation/*/report.json"))
    left_out = [name for name in lying if name not in attached and not name.startswith(".")]
    return Performance(tuple(_with_scores(found, bundle)), tuple(left_out))


def _of_card(bundle: Bundle) -> list[Evaluation]:
    """Return the evaluations in a card's free metrics: one flat, or several by name."""
    metrics = bundle.card.metrics
    nested = [
        read_evaluation(str(name), "card", entry)
        for name, entry in metrics.items()
        if isinstance(entry, Mapping) and "value" not in entry and "n" in entry
    ]
    flat = read_figures(metrics, [])
    if flat:
        sizes = {figure.n for figure in flat.values()}
        nested.append(
            Evaluation("card", "card", n=sizes.pop() if len(sizes) == 1 else None, figures=flat)
        )
    return nested


def _with_scores(found: list[Evaluation], bundle: Bundle) -> list[Evaluation]:
    """Add what the validation scores can draw, to the evaluation that is of the same scans."""
    drawn = of_scores(bundle)
    if drawn is None:
        return found
    for place, each in enumerate(found):
        if each.source == "card" and _same(each, drawn):
            found[place] = replace(
                each,
                positives=drawn.positives,
                bins=drawn.bins,
                confusion=drawn.confusion,
                roc=drawn.roc,
                pr=drawn.pr,
                points=drawn.points,
                from_scores=True,
            )
            return found
        if each.source == "report" and each.roc is not None and _same(each, drawn):
            return found
    return [*found, drawn]


def _same(known: Evaluation, drawn: Evaluation) -> bool:
    """Tell whether two evaluations are of the same scans: as many, and ranked alike."""
    mine, other = known.figures.get("roc_auc"), drawn.figures.get("roc_auc")
    return (
        known.n == drawn.n
        and mine is not None
        and other is not None
        and abs(mine.value - other.value) < 1e-3
    )


def of_scores(bundle: Bundle) -> Evaluation | None:
    """Return what a bundle's validation scores say by themselves; None without any.

    No intervals stand at the areas: the scores do not tell which scans are of one patient.
    """
    reference, card = bundle.reference, bundle.card
    n = len(reference.validation_scores)
    if n == 0:
        return None
    scored = _scored(bundle)
    p, truth = scored.probabilities[:, 1], reference.validation_positive
    area, precision = ranking_figures(p, truth)
    lines = curves(scored)
    return Evaluation(
        OF_SCORES,
        "scores",
        n=n,
        positives=int(truth.sum()),
        figures={
            name: Figure(value)
            for name, value in (("roc_auc", area), ("pr_auc", precision))
            if math.isfinite(value)
        },
        bins=read_bins(reliability_bins(scored)),
        confusion=read_confusion(confusion(scored, card.approved.threshold)),
        roc=read_curve(lines["roc"]) if lines else None,
        pr=read_curve(lines["pr"]) if lines else None,
        points=tuple(_at(bundle, point.name, point.threshold) for point in card.operating_points),
        from_scores=True,
    )


def _scored(bundle: Bundle) -> Scored:
    """Return the validation scores as scans of two labels: the positive one, and all others."""
    p = np.asarray(bundle.reference.validation_scores, np.float64)
    known = {
        "labels": ("", bundle.card.positive),
        "positive": bundle.card.positive,
        "truth": bundle.reference.validation_positive.astype(np.int64),
        "probabilities": np.column_stack([1 - p, p]),
        # Which scans are of one patient the scores do not tell.
        "group": np.arange(len(p)).astype(np.str_),
        "refused": np.zeros(len(p), np.bool_),
    }
    # Nothing else is known of these scans, and what is drawn of them asks for nothing else.
    rest = [entry.name for entry in fields(Scored) if entry.default_factory is MISSING]
    values = {name: known.get(name, np.full(len(p), np.nan)) for name in rest}
    return Scored(**cast("dict[str, Any]", values))


def _at(bundle: Bundle, name: str, threshold: float) -> Point:
    found = at_threshold(bundle.reference, threshold)
    n = found.found.n + found.false_alarms.n
    spared = replace(found.false_alarms, hits=found.false_alarms.n - found.false_alarms.hits)
    figures = {
        key: Figure(share.value, *share.interval)
        for key, share in (("sensitivity", found.found), ("specificity", spared))
        if share.value is not None
    }
    study = found.prevalence
    if study is not None and 0 < study < 1:
        for key, value in (
            ("ppv", found.positive_value(study)),
            ("npv", found.negative_value(study)),
        ):
            if value is not None:
                figures[key] = Figure(value.value, value.low, value.high)
    return Point(name, threshold, n, figures)
