"""What a doctor knows of the case beside the image, and how they describe the lesion."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from core.errors import InvalidFeedback
from core.review import _check
from core.text import _

MAX_AGE = 120
MAX_DISTANCE_MM = 200
#: Characters of the indication and of the history.
MAX_BRIEF = 500
# ASCII letters only: a name in another script, or of two words, is refused where it is typed.
_PSEUDONYM = re.compile(r"[A-Za-z0-9._-]{1,32}")


class Laterality(StrEnum):
    """Which breast."""

    LEFT = "left"
    RIGHT = "right"


class BiRads(StrEnum):
    """Assessment category (ACR BI-RADS Atlas, 5th edition, ultrasound)."""

    INCOMPLETE = "0"
    NEGATIVE = "1"
    BENIGN = "2"
    PROBABLY_BENIGN = "3"
    LOW_SUSPICION = "4A"
    MODERATE_SUSPICION = "4B"
    HIGH_SUSPICION = "4C"
    HIGHLY_SUGGESTIVE = "5"
    PROVEN = "6"


class LesionShape(StrEnum):
    """Shape of a mass."""

    OVAL = "oval"
    ROUND = "round"
    IRREGULAR = "irregular"


class LesionOrientation(StrEnum):
    """Orientation of a mass to the skin."""

    PARALLEL = "parallel"
    NOT_PARALLEL = "not_parallel"


class LesionMargin(StrEnum):
    """Margin of a mass: circumscribed, or one or more of the others."""

    CIRCUMSCRIBED = "circumscribed"
    INDISTINCT = "indistinct"
    ANGULAR = "angular"
    MICROLOBULATED = "microlobulated"
    SPICULATED = "spiculated"


class EchoPattern(StrEnum):
    """Echo pattern of a mass, against fat."""

    ANECHOIC = "anechoic"
    HYPERECHOIC = "hyperechoic"
    COMPLEX = "complex_cystic_and_solid"
    HYPOECHOIC = "hypoechoic"
    ISOECHOIC = "isoechoic"
    HETEROGENEOUS = "heterogeneous"


class PosteriorFeatures(StrEnum):
    """What lies behind a mass."""

    NONE = "none"
    ENHANCEMENT = "enhancement"
    SHADOWING = "shadowing"
    COMBINED = "combined"


@dataclass(frozen=True, slots=True)
class CaseContext:
    """The case beside the image; everything is the doctor's own and may be left out.

    Attributes
    ----------
    pseudonym
        The site's pseudonym of the patient, never a name: 1 to 32 letters (A to Z), digits,
        ``.``, ``_``, ``-``; empty for none.
    age
        Years, 0 to 120.
    laterality, clock, distance_mm
        Which breast, position on the clock face (1 to 12), and millimetres from the nipple
        (0 to 200).
    indication, history
        In brief, at most 500 characters each; no names.
    birads, shape, orientation, margins, echo_pattern, posterior
        The doctor's assessment and lexicon terms (ACR BI-RADS Atlas, 5th edition, ultrasound).
        Margins are kept in the lexicon's order, each once; circumscribed excludes the others.

    Raises
    ------
    InvalidFeedback
        An entry is out of range or cannot be stored; the line names the field and the remedy.
    """

    # Not in the representation: that ends in logs and tracebacks.
    pseudonym: str = field(default="", repr=False)
    age: int | None = field(default=None, repr=False)
    laterality: Laterality | None = None
    clock: int | None = None
    distance_mm: float | None = None
    indication: str = field(default="", repr=False)
    history: str = field(default="", repr=False)
    birads: BiRads | None = None
    shape: LesionShape | None = None
    orientation: LesionOrientation | None = None
    margins: tuple[LesionMargin, ...] = ()
    echo_pattern: EchoPattern | None = None
    posterior: PosteriorFeatures | None = None

    def __post_init__(self) -> None:
        check_pseudonym(self.pseudonym)
        _check_numbers(self)
        _check_brief(self.indication, self.history)
        for name, kind in _CHOICES.items():
            _check.chosen(getattr(self, name), kind)
        for margin in self.margins:
            _check.chosen(margin, LesionMargin)
        kept = tuple(margin for margin in LesionMargin if margin in self.margins)
        if LesionMargin.CIRCUMSCRIBED in kept and len(kept) > 1:
            raise InvalidFeedback(
                _("A circumscribed margin has none of the other margin terms. Choose one or them.")
            )
        object.__setattr__(self, "margins", kept)

    @property
    def is_empty(self) -> bool:
        """Whether nothing was entered."""
        return self == CaseContext()

    def to_dict(self) -> dict[str, Any]:
        """Return what was entered, without the pseudonym, ready for JSON."""
        values: dict[str, Any] = {
            "age": self.age,
            "laterality": self.laterality,
            "clock": self.clock,
            "distance_mm": self.distance_mm,
            "indication": self.indication,
            "history": self.history,
            "birads": self.birads,
            "shape": self.shape,
            "orientation": self.orientation,
            "margins": [str(margin) for margin in self.margins],
            "echo_pattern": self.echo_pattern,
            "posterior": self.posterior,
        }
        return {name: value for name, value in values.items() if value not in (None, "", [])}

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any], pseudonym: str = "") -> CaseContext:
        """Make it again from what :meth:`to_dict` gave."""
        values = dict(stored)
        for name, kind in _CHOICES.items():
            if values.get(name) is not None:
                values[name] = kind(values[name])
        values["margins"] = tuple(LesionMargin(each) for each in values.get("margins", ()))
        return cls(pseudonym=pseudonym, **values)


_CHOICES: dict[str, type[StrEnum]] = {
    "laterality": Laterality,
    "birads": BiRads,
    "shape": LesionShape,
    "orientation": LesionOrientation,
    "echo_pattern": EchoPattern,
    "posterior": PosteriorFeatures,
}


def check_pseudonym(pseudonym: str) -> None:
    """Refuse what is no pseudonym, without repeating it; empty stands for none.

    Raises
    ------
    InvalidFeedback
        It may be a name, or is too long.
    """
    if pseudonym and not _PSEUDONYM.fullmatch(pseudonym):
        raise InvalidFeedback(
            _(
                "The patient needs a pseudonym, never a name: use 1 to 32 letters A–Z, digits, "
                "dots, hyphens or underscores."
            )
        )


def _check_numbers(context: CaseContext) -> None:
    if not _whole(context.age, 0, MAX_AGE):
        raise InvalidFeedback(_("Give the age in whole years, from 0 to 120, or leave it out."))
    if not _whole(context.clock, 1, 12):
        raise InvalidFeedback(
            _("Give the clock position as a whole hour, from 1 to 12, or leave it out.")
        )
    distance = context.distance_mm
    if distance is None:
        return
    number = isinstance(distance, int | float) and not isinstance(distance, bool)
    if not (number and math.isfinite(distance) and 0 <= distance <= MAX_DISTANCE_MM):
        raise InvalidFeedback(
            _("Give the distance from the nipple in millimetres, from 0 to 200, or leave it out.")
        )
    object.__setattr__(context, "distance_mm", float(distance))


def _whole(value: object, low: int, high: int) -> bool:
    return value is None or (type(value) is int and low <= value <= high)


def _check_brief(indication: str, history: str) -> None:
    if len(indication) > MAX_BRIEF:
        raise InvalidFeedback(
            _("The indication has {n} characters; shorten it to {limit}.").format(
                n=len(indication), limit=MAX_BRIEF
            )
        )
    if len(history) > MAX_BRIEF:
        raise InvalidFeedback(
            _("The history has {n} characters; shorten it to {limit}.").format(
                n=len(history), limit=MAX_BRIEF
            )
        )
    if not _check.can_be_stored(indication):
        raise InvalidFeedback(
            _("The indication holds a character that cannot be stored. Type it again without it.")
        )
    if not _check.can_be_stored(history):
        raise InvalidFeedback(
            _("The history holds a character that cannot be stored. Type it again without it.")
        )
