"""What a measured lesion suggests beside the doctor's lexicon terms; nothing is filled in by it.

Where the cut-offs come from
----------------------------
The outlines drawn by hand of the training rows of BUSI (Al-Dhabyani et al., Data in Brief
28:104863, 2020) and BUS-BRA (Gómez-Flores et al., Medical Physics 51:3110-3123, 2024), measured as
:func:`core.lesion.lesion_from_mask` measures; lesions cut off by the picture's edge left out.
Neither set says which lexicon terms apply, so each cut-off is where few benign lesions lie beyond:

====================================  ====================  ======================
beyond the cut-off                    of 981 benign         of 442 malignant
====================================  ====================  ======================
depth / width above 1                 15 (1.5 %)            74 (16.7 %)
margin irregularity above 0.05        58 (5.9 %)            326 (73.8 %)
solidity below 0.90                   51 (5.2 %)            221 (50.0 %)
smooth: solidity 0.95 or more and
margin irregularity 0.03 or less      713 (72.7 %)          38 (8.6 %)
20 grey levels darker than around     925 (94.3 %)          407 (92.1 %)
20 grey levels brighter than around   2 (0.2 %)             3 (0.7 %)
====================================  ====================  ======================

By BI-RADS category of BUS-BRA (2, 3, 4, 5), margin irregularity above 0.05 is found in 0.3, 1.8, 57
and 91.8 %, a lesion taller than wide in 1.2, 0.4, 11.7 and 28.8 %.

A model's outline is smoother than one drawn by hand. Of the 267 validation lesions that the
shipped model (breast-ultrasound 1.0) outlines whole at its standard controls, 36 have an irregular
margin in its outline, 72 in that drawn by hand, 17 in both; 25 have a solidity below 0.90 in its
outline, 9 of them also by hand; 34 of the 163 it draws smooth are malignant. So a model's outline
suggests no shape, and what else it suggests is shown with how often that held.

What is never suggested
-----------------------
A parallel orientation and a circumscribed margin: an outline is a line, however blurred the margin
it follows, and both would reassure. Anechoic, complex, isoechoic and heterogeneous patterns and
posterior features: one mean grey level does not tell them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Literal

from core.review._context import (
    EchoPattern,
    LesionMargin,
    LesionOrientation,
    LesionShape,
)

if TYPE_CHECKING:
    from core.lesion import Measurements
    from core.scan import Correction

#: Taller than wide (Stavros et al., Radiology 196:123-134, 1995).
TALLER_THAN_WIDE = 1.0
#: See the module; margin irregularity is that of :class:`core.lesion.Measurements`.
IRREGULAR_MARGIN = 0.05
IRREGULAR_SOLIDITY = 0.90
SMOOTH_MARGIN = 0.03
SMOOTH_SOLIDITY = 0.95
#: Perpendicular over longest chord from which a smooth outline is round rather than oval.
ROUND = 0.9
#: Grey levels (0 to 255) of the display between the lesion and the tissue around it.
CLEARLY_DIFFERENT = 20.0
#: Pixels of the longest chord under which margin and shape say nothing: the perimeter of smaller
#: outlines is several per cent off.
LEAST_CHORD = 20.0
#: (held by hand, of so many) of the outlines of the shipped model on validation scans.
_HELD = {"orientation": (10, 19), "margins": (17, 36), "echo_pattern": (243, 257)}

Outliner = Literal["ai", "accepted", "drawn"]
LexiconField = Literal["shape", "orientation", "margins", "echo_pattern"]


class Clue(StrEnum):
    """What was measured."""

    DEPTH_TO_WIDTH = "depth_to_width"
    MARGIN_IRREGULARITY = "margin_irregularity"
    SOLIDITY = "solidity"
    CHORDS = "perpendicular_to_longest_chord"
    GREY_LEVELS = "echogenicity_grey_levels"


class Withheld(StrEnum):
    """Why something is not suggested."""

    #: The image was rotated: where the skin lies is not known.
    ROTATED = "rotated"
    #: The lesion reaches the edge of the picture, so it is not seen whole.
    CUT_OFF = "cut_off"
    #: Too few pixels for margin and shape.
    TOO_SMALL = "too_small"
    #: Grey levels were changed before they were measured.
    GREY_CHANGED = "grey_changed"
    #: A model's outline is too smooth to tell a shape.
    MODEL_OUTLINE = "model_outline"


@dataclass(frozen=True, slots=True)
class Suggestion:
    """One suggestion, with the figure that makes it.

    Attributes
    ----------
    field
        The field of :class:`CaseContext` it is about.
    terms
        The term, or several between which the figure cannot decide: the doctor takes one.
    clue, value, cut_off, above
        What was measured, its figure, the cut-off, and whether the figure lies above it (or
        below).
    held
        For a model's outline: in how many of how many validation lesions an outline drawn by
        hand suggested the same. None for one drawn by hand.
    """

    field: LexiconField
    terms: tuple[StrEnum, ...]
    clue: Clue
    value: float
    cut_off: float
    above: bool
    held: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Suggestions:
    """What one measured lesion suggests.

    Attributes
    ----------
    items
        In the order of the form.
    withheld
        Why there are not more.
    square_pixels
        Whether pixels were taken as square because no calibration is known: depth to width is
        then that of the picture.
    outline
        Whose outline was measured: a model's (``ai``), one of a model that the doctor
        ``accepted``, or one ``drawn`` by hand.
    """

    items: tuple[Suggestion, ...]
    withheld: tuple[Withheld, ...]
    square_pixels: bool
    outline: Outliner

    def about(self, field: str) -> tuple[Suggestion, ...]:
        """Return what is suggested for one field."""
        return tuple(item for item in self.items if item.field == field)


def suggest_terms(
    measurements: Measurements | Mapping[str, Any],
    *,
    corrections: Iterable[Correction] = (),
    outline: Outliner = "ai",
) -> Suggestions:
    """Return the lexicon terms that a measured lesion suggests.

    Parameters
    ----------
    measurements
        Of one lesion, or what its ``to_dict`` gave. A figure that is missing suggests nothing.
    corrections
        What was done to the image (``Scan.corrections``): after a rotation no orientation is
        suggested, after a change of contrast or window no echo pattern.
    outline
        Whose outline was measured. Accepting one of a model makes it no less smooth.
    """
    values = measurements if isinstance(measurements, Mapping) else measurements.to_dict()
    figures = _Figures(values)
    kinds = {correction.kind for correction in corrections}
    items: list[Suggestion] = []
    withheld: list[Withheld] = []
    by_model = outline != "drawn"
    cut_off = bool(values.get("touches_border"))
    small = figures.chord_pixels is not None and figures.chord_pixels < LEAST_CHORD
    for reason, holds in (
        (Withheld.CUT_OFF, cut_off),
        (Withheld.TOO_SMALL, small),
        (Withheld.ROTATED, "rotate" in kinds),
        (Withheld.GREY_CHANGED, bool(kinds & {"contrast", "window"})),
        (Withheld.MODEL_OUTLINE, by_model),
    ):
        if holds:
            withheld.append(reason)
    if not (cut_off or small or by_model):
        items += _shape(figures)
    if not (cut_off or "rotate" in kinds):
        items += _orientation(figures)
    if not small:
        # Being cut off adds no dent, so an irregular rest is irregular.
        items += _margin(figures)
    if not kinds & {"contrast", "window"}:
        items += _echo(figures)
    if by_model:
        items = [_with_record(item) for item in items]
    return Suggestions(
        items=tuple(items),
        withheld=tuple(withheld),
        square_pixels=values.get("unit") != "mm",
        outline=outline,
    )


class _Figures:
    """The figures that are looked at; None where one is missing or no number."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        unit = values.get("unit")
        self.depth_to_width = _number(values.get("depth_to_width"))
        self.irregularity = _number(values.get("margin_irregularity"))
        self.solidity = _number(values.get("solidity"))
        self.grey = _number(values.get("echogenicity_grey_levels"))
        longest = _number(values.get(f"longest_chord_{unit}"))
        across = _number(values.get(f"perpendicular_chord_{unit}"))
        self.roundness = across / longest if across is not None and longest else None
        self.chord_pixels = _length(values.get("longest_chord_ends_px"))


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) else None


def _length(ends: Any) -> float | None:
    try:
        (x0, y0), (x1, y1) = ends
        return math.hypot(x1 - x0, y1 - y0)
    except (TypeError, ValueError):
        return None


def _shape(figures: _Figures) -> list[Suggestion]:
    solidity, irregularity = figures.solidity, figures.irregularity
    if solidity is None:
        return []
    if solidity < IRREGULAR_SOLIDITY:
        term = (LesionShape.IRREGULAR,)
        return [Suggestion("shape", term, Clue.SOLIDITY, solidity, IRREGULAR_SOLIDITY, False)]
    smooth = solidity >= SMOOTH_SOLIDITY and irregularity is not None
    if figures.roundness is None or not smooth or (irregularity or 0) > SMOOTH_MARGIN:
        return []
    round_ = figures.roundness >= ROUND
    terms = (LesionShape.ROUND if round_ else LesionShape.OVAL,)
    return [Suggestion("shape", terms, Clue.CHORDS, figures.roundness, ROUND, round_)]


def _orientation(figures: _Figures) -> list[Suggestion]:
    ratio = figures.depth_to_width
    if ratio is None or ratio <= TALLER_THAN_WIDE:
        return []
    terms = (LesionOrientation.NOT_PARALLEL,)
    return [Suggestion("orientation", terms, Clue.DEPTH_TO_WIDTH, ratio, TALLER_THAN_WIDE, True)]


def _margin(figures: _Figures) -> list[Suggestion]:
    figure = figures.irregularity
    if figure is None or figure <= IRREGULAR_MARGIN:
        return []
    # Dents and spikes; an indistinct margin is no matter of the outline.
    terms = (LesionMargin.ANGULAR, LesionMargin.MICROLOBULATED, LesionMargin.SPICULATED)
    clue = Clue.MARGIN_IRREGULARITY
    return [Suggestion("margins", terms, clue, figure, IRREGULAR_MARGIN, True)]


def _echo(figures: _Figures) -> list[Suggestion]:
    grey = figures.grey
    if grey is None or abs(grey) < CLEARLY_DIFFERENT:
        return []
    bright = grey > 0
    term = EchoPattern.HYPERECHOIC if bright else EchoPattern.HYPOECHOIC
    limit = CLEARLY_DIFFERENT if bright else -CLEARLY_DIFFERENT
    return [Suggestion("echo_pattern", (term,), Clue.GREY_LEVELS, grey, limit, bright)]


def _with_record(item: Suggestion) -> Suggestion:
    # No outline of the model was brighter than its surroundings, so nothing is known of that.
    known = item.terms != (EchoPattern.HYPERECHOIC,)
    return replace(item, held=_HELD.get(item.field) if known else None)
