"""What a doctor knows of the case beside the image, and how they describe the lesion."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


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
        The site's pseudonym of the patient, never a name: letters, digits, ``.``, ``_``, ``-``.
    age
        Years, 0 to 120.
    laterality, clock, distance_mm
        Which breast, position on the clock face (1 to 12), and millimetres from the nipple.
    indication, history
        In brief; no names.
    birads, shape, orientation, margins, echo_pattern, posterior
        The doctor's assessment and lexicon terms (ACR BI-RADS Atlas, 5th edition, ultrasound).
    """

    pseudonym: str = ""
    age: int | None = None
    laterality: Laterality | None = None
    clock: int | None = None
    distance_mm: float | None = None
    indication: str = ""
    history: str = ""
    birads: BiRads | None = None
    shape: LesionShape | None = None
    orientation: LesionOrientation | None = None
    margins: tuple[LesionMargin, ...] = ()
    echo_pattern: EchoPattern | None = None
    posterior: PosteriorFeatures | None = None

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
        kinds: dict[str, type[StrEnum]] = {
            "laterality": Laterality,
            "birads": BiRads,
            "shape": LesionShape,
            "orientation": LesionOrientation,
            "echo_pattern": EchoPattern,
            "posterior": PosteriorFeatures,
        }
        values = dict(stored)
        for name, kind in kinds.items():
            if values.get(name) is not None:
                values[name] = kind(values[name])
        values["margins"] = tuple(LesionMargin(each) for each in values.get("margins", ()))
        return cls(pseudonym=pseudonym, **values)
