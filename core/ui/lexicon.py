"""The names of everything in the case context: lexicon terms, suggestions, corrections, checks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from core.review import (
    BiRads,
    CaseContext,
    CaseFacts,
    Clue,
    EchoPattern,
    Laterality,
    LesionMargin,
    LesionOrientation,
    LesionShape,
    PosteriorFeatures,
    Suggestion,
    Withheld,
)
from core.scan import Correction
from core.text import _


def laterality_name(side: Laterality) -> str:
    """Return the name of a breast's side."""
    return {Laterality.LEFT: _("Left"), Laterality.RIGHT: _("Right")}[side]


def clock_name(hour: int) -> str:
    """Return a position on the clock face."""
    return _("{n} o'clock").format(n=hour)


def birads_name(category: BiRads) -> str:
    """Return a BI-RADS category with what it means."""
    return {
        BiRads.INCOMPLETE: _("BI-RADS 0: incomplete"),
        BiRads.NEGATIVE: _("BI-RADS 1: negative"),
        BiRads.BENIGN: _("BI-RADS 2: benign"),
        BiRads.PROBABLY_BENIGN: _("BI-RADS 3: probably benign"),
        BiRads.LOW_SUSPICION: _("BI-RADS 4A: low suspicion of malignancy"),
        BiRads.MODERATE_SUSPICION: _("BI-RADS 4B: moderate suspicion of malignancy"),
        BiRads.HIGH_SUSPICION: _("BI-RADS 4C: high suspicion of malignancy"),
        BiRads.HIGHLY_SUGGESTIVE: _("BI-RADS 5: highly suggestive of malignancy"),
        BiRads.PROVEN: _("BI-RADS 6: malignancy proven by biopsy"),
    }[category]


def shape_name(shape: LesionShape) -> str:
    """Return the name of a shape."""
    return {
        LesionShape.OVAL: _("Oval"),
        LesionShape.ROUND: _("Round"),
        LesionShape.IRREGULAR: _("Irregular"),
    }[shape]


def orientation_name(orientation: LesionOrientation) -> str:
    """Return the name of an orientation."""
    return {
        LesionOrientation.PARALLEL: _("Parallel"),
        LesionOrientation.NOT_PARALLEL: _("Not parallel"),
    }[orientation]


def margin_name(margin: LesionMargin) -> str:
    """Return the name of a margin."""
    return {
        LesionMargin.CIRCUMSCRIBED: _("Circumscribed"),
        LesionMargin.INDISTINCT: _("Indistinct"),
        LesionMargin.ANGULAR: _("Angular"),
        LesionMargin.MICROLOBULATED: _("Microlobulated"),
        LesionMargin.SPICULATED: _("Spiculated"),
    }[margin]


def echo_name(pattern: EchoPattern) -> str:
    """Return the name of an echo pattern."""
    return {
        EchoPattern.ANECHOIC: _("Anechoic"),
        EchoPattern.HYPERECHOIC: _("Hyperechoic"),
        EchoPattern.COMPLEX: _("Complex cystic and solid"),
        EchoPattern.HYPOECHOIC: _("Hypoechoic"),
        EchoPattern.ISOECHOIC: _("Isoechoic"),
        EchoPattern.HETEROGENEOUS: _("Heterogeneous"),
    }[pattern]


def posterior_name(features: PosteriorFeatures) -> str:
    """Return the name of what lies behind a lesion."""
    return {
        PosteriorFeatures.NONE: _("No posterior features"),
        PosteriorFeatures.ENHANCEMENT: _("Enhancement"),
        PosteriorFeatures.SHADOWING: _("Shadowing"),
        PosteriorFeatures.COMBINED: _("Combined pattern"),
    }[features]


def place_name(laterality: Laterality | None, clock: int | None, distance: float | None) -> str:
    """Return where a lesion lies, as far as it was given."""
    parts = []
    if laterality is not None:
        parts.append(laterality_name(laterality))
    if clock is not None:
        parts.append(clock_name(clock))
    if distance is not None:
        parts.append(_("{n} mm from the nipple").format(n=f"{distance:g}"))
    return ", ".join(parts)


def facts_text(facts: CaseContext | CaseFacts) -> str:
    """Return what is known of a case before anybody looks, as far as it was given."""
    parts = [] if facts.age is None else [_("Age {n}").format(n=facts.age)]
    place = place_name(facts.laterality, facts.clock, facts.distance_mm)
    return " · ".join([*parts, place] if place else parts)


def lexicon_lines(context: CaseContext) -> list[str]:
    """Return the doctor's assessment and terms, each with what it is about."""
    lines = []
    if context.birads is not None:
        lines.append(birads_name(context.birads))
    if context.shape is not None:
        lines.append(_("Shape: {term}").format(term=shape_name(context.shape)))
    if context.orientation is not None:
        lines.append(_("Orientation: {term}").format(term=orientation_name(context.orientation)))
    if context.margins:
        names = ", ".join(map(margin_name, context.margins))
        lines.append(_("Margin: {term}").format(term=names))
    if context.echo_pattern is not None:
        lines.append(_("Echo pattern: {term}").format(term=echo_name(context.echo_pattern)))
    if context.posterior is not None:
        lines.append(_("Behind it: {term}").format(term=posterior_name(context.posterior)))
    return lines


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


def correction_name(made: Correction) -> str:
    """Return what was done to an image, with its numbers."""
    values = dict(made.values)
    texts = {
        "crop": _("Cropped to {width} × {height} pixels at ({left}, {top})"),
        "rotate": _("Rotated by {degrees}° clockwise"),
        "panel": _("One panel taken: {width} × {height} pixels at ({left}, {top})"),
        "contrast": _("Contrast changed: {low} to {high}, gamma {gamma}"),
        "window": _("Window changed: centre {centre}, width {width}"),
    }
    if made.kind == "flip":
        across = values.get("axis") == "horizontal"
        return _("Flipped left to right") if across else _("Flipped top to bottom")
    shown = {
        name: f"{value:g}" if isinstance(value, int | float) else value
        for name, value in values.items()
    }
    try:
        return texts[made.kind].format(**shown)
    except KeyError:
        # Stored by a version that kept other numbers.
        return made.kind


def check_name(name: str) -> str:
    """Return the name of a quality check; one of another version has the name it was stored by."""
    return {
        "blank": _("almost blank"),
        "resolution": _("resolution"),
        "blur": _("blur"),
        "contrast": _("contrast"),
        "exposure": _("exposure"),
        "clipped_black": _("clipped to black"),
        "clipped_white": _("clipped to white"),
        "colour": _("colour"),
        "annotation": _("annotations"),
        "borders": _("black borders"),
        "panels": _("several pictures in one"),
    }.get(name, name)


def measure_text(measure: Mapping[str, Any]) -> str:
    """Return a measurement by hand with its unit."""
    unit = {"mm2": "mm²", "px2": "px²"}.get(measure["unit"], measure["unit"])
    value = f"{measure['value']:.1f} {unit}"
    if measure["kind"] == "distance":
        return _("Distance {value}").format(value=value)
    axes = list(measure.get("axes") or [])
    if len(axes) != 2:
        return _("Ellipse {value}").format(value=value)
    return _("Ellipse {long} × {short} {unit}, {value}").format(
        long=f"{axes[0]:.1f}", short=f"{axes[1]:.1f}", unit=unit[:2], value=value
    )
