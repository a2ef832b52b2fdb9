"""The explanations of the image on screen, for whoever stores or exports them."""

from __future__ import annotations

from dataclasses import dataclass

from core.explain import Evidence, Explanation, agreement, asks_about_a_class, heat_inside
from core.lesion import LesionResult
from core.ui.explain_kept import Found, Question, kept_explanations
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
        Whether only what speaks against the class was, when it was drawn last.
    """

    explanation: Explanation
    evidence: Evidence | None
    shown: bool = True
    against: bool = False


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
    return tuple(
        Explained(
            map_,
            _evidence(item, found, map_, [other for _q, _f, other in made]),
            shown=question in item.maps_shown,
            against=item.maps_shown.get(question, False),
        )
        for question, found, map_ in made
    )


def _evidence(
    item: OpenScan, found: Found, map_: Explanation, others: list[Explanation]
) -> Evidence | None:
    if found.curves is None:
        return None
    result = outline_of(item)
    # A heat region is made from heat: held against it, heat would always be right.
    lesions = isinstance(result, LesionResult) and result.mask.any()
    outline = result.mask if result is not None and lesions else None
    same = [
        one
        for one in others
        if one.target == map_.target
        and one.method != map_.method
        and asks_about_a_class(one.method)
        and asks_about_a_class(map_.method)
    ]
    return Evidence(
        curves=found.curves,
        inside=None if outline is None else heat_inside(map_, outline),
        agreement=agreement(map_, same[-1]) if same else None,
        stability=found.stability,
    )
