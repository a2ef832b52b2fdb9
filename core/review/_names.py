"""Verdicts, origins, places and lexicon terms in words: the same on the page and in a report."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from core.review._choices import Origin, Problem, Verdict
from core.review._context import (
    BiRads,
    CaseContext,
    EchoPattern,
    Laterality,
    LesionMargin,
    LesionOrientation,
    LesionShape,
    PosteriorFeatures,
)
from core.text import _


def verdict_name(verdict: Verdict) -> str:
    """Return a verdict's name."""
    return {
        Verdict.ACCEPT: _("Accept"),
        Verdict.REJECT: _("Reject"),
        Verdict.SUPPLEMENT: _("Supplement"),
    }[verdict]


def origin_name(origin: Origin) -> str:
    """Return the name of what a label rests on."""
    return {
        Origin.BIOPSY: _("Biopsy"),
        Origin.FOLLOW_UP: _("Follow-up"),
        Origin.CONSENSUS: _("Consensus"),
        Origin.OPINION: _("Opinion"),
    }[origin]


def problem_name(problem: Problem) -> str:
    """Return the name of something that was wrong."""
    return {
        Problem.MISSED_LESION: _("Missed lesion"),
        Problem.FALSE_ALARM: _("False alarm"),
        Problem.WRONG_CLASS: _("Wrong class"),
        Problem.WRONG_OUTLINE: _("Wrong outline"),
        Problem.POOR_IMAGE: _("Poor image"),
        Problem.OTHER: _("Other"),
    }[problem]


def confidence_name(step: int) -> str:
    """Return what a confidence of 1 to 5 means."""
    return {
        1: _("1 · guess"),
        2: _("2 · unsure"),
        3: _("3 · fairly sure"),
        4: _("4 · sure"),
        5: _("5 · certain"),
    }[step]


def term_name(term: StrEnum) -> str:
    """Return the name of a side or of a lexicon term (ACR BI-RADS Atlas, 5th edition)."""
    names: dict[StrEnum, str] = {
        Laterality.LEFT: _("Left"),
        Laterality.RIGHT: _("Right"),
        LesionShape.OVAL: _("Oval"),
        LesionShape.ROUND: _("Round"),
        LesionShape.IRREGULAR: _("Irregular"),
        LesionOrientation.PARALLEL: _("Parallel"),
        LesionOrientation.NOT_PARALLEL: _("Not parallel"),
        LesionMargin.CIRCUMSCRIBED: _("Circumscribed"),
        LesionMargin.INDISTINCT: _("Indistinct"),
        LesionMargin.ANGULAR: _("Angular"),
        LesionMargin.MICROLOBULATED: _("Microlobulated"),
        LesionMargin.SPICULATED: _("Spiculated"),
        EchoPattern.ANECHOIC: _("Anechoic"),
        EchoPattern.HYPERECHOIC: _("Hyperechoic"),
        EchoPattern.COMPLEX: _("Complex cystic and solid"),
        EchoPattern.HYPOECHOIC: _("Hypoechoic"),
        EchoPattern.ISOECHOIC: _("Isoechoic"),
        EchoPattern.HETEROGENEOUS: _("Heterogeneous"),
        PosteriorFeatures.NONE: _("No posterior features"),
        PosteriorFeatures.ENHANCEMENT: _("Enhancement"),
        PosteriorFeatures.SHADOWING: _("Shadowing"),
        PosteriorFeatures.COMBINED: _("Combined pattern"),
    }
    return names[term]


def birads_name(category: BiRads) -> str:
    """Return a BI-RADS category with what it means (ACR BI-RADS Atlas, 5th edition)."""
    return {
        BiRads.INCOMPLETE: _("BI-RADS 0: incomplete, need additional imaging evaluation"),
        BiRads.NEGATIVE: _("BI-RADS 1: negative"),
        BiRads.BENIGN: _("BI-RADS 2: benign"),
        BiRads.PROBABLY_BENIGN: _("BI-RADS 3: probably benign"),
        BiRads.LOW_SUSPICION: _("BI-RADS 4A: low suspicion of malignancy"),
        BiRads.MODERATE_SUSPICION: _("BI-RADS 4B: moderate suspicion of malignancy"),
        BiRads.HIGH_SUSPICION: _("BI-RADS 4C: high suspicion of malignancy"),
        BiRads.HIGHLY_SUGGESTIVE: _("BI-RADS 5: highly suggestive of malignancy"),
        BiRads.PROVEN: _("BI-RADS 6: known biopsy-proven malignancy"),
    }[category]


def field_name(name: str) -> str:
    """Return what a lexicon field of :class:`CaseContext` is called."""
    return {
        "shape": _("Shape"),
        "orientation": _("Orientation"),
        "margins": _("Margin"),
        "echo_pattern": _("Echo pattern"),
        "posterior": _("Posterior features"),
    }[name]


def lexicon_terms(context: CaseContext) -> list[tuple[str, str]]:
    """Return the lexicon fields that were filled in and their terms, in the lexicon's order."""
    found: dict[str, Sequence[StrEnum | None]] = {
        "shape": [context.shape],
        "orientation": [context.orientation],
        "margins": context.margins,
        "echo_pattern": [context.echo_pattern],
        "posterior": [context.posterior],
    }
    named = {
        field: [term_name(term) for term in terms if term is not None]
        for field, terms in found.items()
    }
    return [(field_name(field), ", ".join(names)) for field, names in named.items() if names]


def clock_name(hour: int) -> str:
    """Return a position on the clock face."""
    return _("{n} o'clock").format(n=hour)


def place_name(
    laterality: Laterality | None, clock: int | None, distance: float | None = None
) -> str:
    """Return where a lesion lies, as far as it was given; ``distance`` is in mm."""
    parts = []
    if laterality is not None:
        parts.append(term_name(laterality))
    if clock is not None:
        parts.append(clock_name(clock))
    if distance is not None:
        parts.append(_("{n} mm from the nipple").format(n=f"{distance:g}"))
    return ", ".join(parts)
