"""The case context on screen: place, lexicon terms, and what a measured lesion suggests."""

from __future__ import annotations

from core.review import (
    CaseContext,
    CaseFacts,
    Clue,
    Suggestion,
    Withheld,
    birads_name,
    lexicon_terms,
    place_name,
)
from core.text import _


def facts_text(facts: CaseContext | CaseFacts) -> str:
    """Return what is known of a case before anybody looks, as far as it was given."""
    parts = [] if facts.age is None else [_("Age {n}").format(n=facts.age)]
    place = place_name(facts.laterality, facts.clock, facts.distance_mm)
    return " · ".join([*parts, place] if place else parts)


def lexicon_lines(context: CaseContext) -> list[str]:
    """Return the doctor's assessment and terms, each with what it is about."""
    assessment = [] if context.birads is None else [birads_name(context.birads)]
    lines = [
        _("{name}: {terms}").format(name=name, terms=terms)
        for name, terms in lexicon_terms(context)
    ]
    return [*assessment, *lines]


def suggestion_text(item: Suggestion) -> str:
    """Return what was measured, with its figure and the cut-off it lies beyond."""
    value, limit = item.value, item.cut_off
    text = {
        Clue.DEPTH_TO_WIDTH: _(
            "Measured taller than wide: depth to width {value} (cut-off {limit})."
        ),
        Clue.MARGIN_IRREGULARITY: _(
            "Measured an irregular margin: irregularity {value} (cut-off {limit})."
        ),
        Clue.SOLIDITY: _("Measured an irregular shape: solidity {value} (cut-off {limit})."),
        Clue.CHORDS: _(
            "Measured a smooth outline: short to long axis {value} (round from {limit})."
        ),
        Clue.GREY_LEVELS: _(
            "Measured {value} grey levels against what is around it (cut-off {limit})."
        ),
    }[item.clue]
    if item.clue is Clue.GREY_LEVELS:
        return text.format(value=f"{value:+.0f}", limit=f"{limit:+.0f}")
    decimals = _apart(value, limit)
    return text.format(value=f"{value:.{decimals}f}", limit=f"{limit:.{decimals}f}")


def _apart(value: float, limit: float) -> int:
    """Return how many decimals it takes to see that two numbers are not the same, from two."""
    for decimals in (2, 3, 4):
        if f"{value:.{decimals}f}" != f"{limit:.{decimals}f}":
            return decimals
    return 2


def record_text(held: tuple[int, int]) -> str:
    """Return how often a suggestion from a model's outline held by hand."""
    return _("Of {n} such outlines of the shipped model, {k} said so when drawn by hand.").format(
        n=held[1], k=held[0]
    )


def withheld_text(reason: Withheld) -> str:
    """Return why something is not suggested."""
    return {
        Withheld.ROTATED: _("The image was rotated, so no orientation is suggested."),
        Withheld.CUT_OFF: _(
            "The lesion reaches the edge of the image, so neither shape nor orientation is "
            "suggested."
        ),
        Withheld.TOO_SMALL: _(
            "The outline has too few pixels, so neither shape nor margin is suggested."
        ),
        Withheld.GREY_CHANGED: _(
            "Contrast or window was changed, so no echo pattern is suggested."
        ),
        Withheld.MODEL_OUTLINE: _(
            "The AI's outline is smoother than one drawn by hand, so no shape is suggested and "
            "an irregular margin may be missed. Draw the outline for that."
        ),
    }[reason]
