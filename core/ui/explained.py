"""The explanations of the image on screen, for whoever stores or exports them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from core.explain import (
    Evidence,
    Explanation,
    agreement,
    asks_about_a_class,
    evidence_figures,
    heat_inside,
)
from core.lesion import LesionResult
from core.ui.explain_kept import Found, Question, kept_explanations
from core.ui.explain_work import turned
from core.ui.open_scan import OpenScan
from core.ui.shaping import outline_of


@dataclass(frozen=True, slots=True, eq=False)
class Explained:
    """One explanation with what speaks for or against it.

    Attributes
    ----------
    explanation
        The map.
    evidence
        None until it was measured.
    shown
        Whether it was on screen.
    against
        Whether only what speaks against the class was, when it was drawn last; the evidence is of
        that side.
    beside
        The method whose map its agreement is with; empty where there is none.
    """

    explanation: Explanation
    evidence: Evidence | None
    shown: bool = True
    against: bool = False
    beside: str = ""


def explained(item: OpenScan) -> tuple[Explained, ...]:
    """Return the finished explanations of an image, in the order they were asked for.

    Only those of the very pixels on screen and of the bundle that read them; nothing is computed
    that asks a model.
    """
    prediction = item.prediction
    if prediction is None or prediction.image_digest != item.digest:
        return ()
    kept = kept_explanations()
    made: list[tuple[Question, Found, Explanation]] = []
    for question in item.asked:
        found = kept.get(question)
        if (question.image, question.bundle) != (item.digest, prediction.bundle_digest):
            continue
        if found is not None and found.explanation is not None:
            made.append((question, found, found.explanation))
    whole: list[Explained] = []
    for question, found, map_ in made:
        against = item.maps_shown.get(question, False)
        beside = _beside(map_, [other for _question, _found, other in made], against=against)
        whole.append(
            Explained(
                map_,
                _evidence(item, found, map_, beside, against=against),
                shown=question in item.maps_shown,
                against=against,
                beside="" if beside is None else beside.method,
            )
        )
    return tuple(whole)


def figures_of(one: Explained, item: OpenScan) -> dict[str, Any] | None:
    """Return the figures beside a map as JSON values, with what they depend on.

    ``against`` is there where they are of what speaks against the class, but for the curves, which
    are of the whole map; with ``inside`` go the controls of the outline.
    """
    figures = evidence_figures(one.evidence)
    if figures is not None and figures["inside"] is not None:
        figures["inside"]["controls"] = item.controls.to_dict()
    if figures is not None and figures["agreement"] is not None:
        figures["agreement"]["with"] = one.beside
    return (figures or {}) | {"against": True} if one.against else figures


def _beside(map_: Explanation, others: list[Explanation], *, against: bool) -> Explanation | None:
    """Return the map that was asked for last of those by other methods that answer the same."""
    same = [
        one
        for one in others
        if one.target == map_.target
        and one.method != map_.method
        and asks_about_a_class(one.method)
        and asks_about_a_class(map_.method)
        # What speaks for a class says nothing of what speaks against it.
        and (one.signed or not against)
    ]
    return same[-1] if same else None


def _evidence(
    item: OpenScan,
    found: Found,
    map_: Explanation,
    beside: Explanation | None,
    *,
    against: bool,
) -> Evidence | None:
    if found.curves is None:
        return None
    result = outline_of(item)
    # A heat region is made from heat: held against it, heat would always be right.
    lesions = isinstance(result, LesionResult) and result.mask.any()
    outline = result.mask if result is not None and lesions else None
    seen, other = map_, beside
    if against:
        seen, other = turned(map_), None if beside is None else turned(beside)
    return Evidence(
        curves=found.curves,
        inside=None if outline is None else heat_inside(seen, outline),
        agreement=None if other is None else agreement(seen, other),
        stability=found.stability,
    )
