"""The controls a person moves, their ranges, and the presets."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from types import MappingProxyType
from typing import Any, Final, Literal, get_args

from core.errors import InvalidControls
from core.text import _

Method = Literal["fixed", "otsu", "hysteresis"]
Operation = Literal["none", "open", "close", "erode", "dilate"]
Kernel = Literal["ellipse", "rectangle", "cross"]

#: Inclusive range of each control that is a number; a kernel's size is odd besides.
RANGES: Final[Mapping[str, tuple[float, float]]] = MappingProxyType(
    {
        "threshold": (0.0, 1.0),
        "low": (0.0, 1.0),
        "size": (1, 31),
        "iterations": (1, 10),
        "minimum_area": (0, 1_000_000),
        "keep_largest": (1, 20),
    }
)
#: What each control that is a choice can be.
CHOICES: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {"method": get_args(Method), "operation": get_args(Operation), "kernel": get_args(Kernel)}
)


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


@dataclass(frozen=True, slots=True)
class LesionControls:
    """How a probability map becomes a mask; an instance that exists is within every range.

    The steps run in this order: threshold, morphology, holes, smallest area, keep the largest.

    Attributes
    ----------
    method
        ``fixed``: the map is cut at `threshold`. ``otsu``: at the level that separates its values
        best (Otsu 1979; 256 levels); `threshold` serves only where the map has a single level.
        ``hysteresis``: what reaches `low` and hangs together with something that reaches
        `threshold` (Canny 1986). A pixel on the threshold is inside. Otsu always finds two
        classes, also in a map without a lesion: it is for exploring, not for deciding.
    threshold, low
        Probability, 0 to 1. `low` counts for hysteresis only and must not exceed `threshold`.
    operation
        Morphology: ``none``, ``open``, ``close``, ``erode`` or ``dilate``. What lies beyond the
        picture neither erodes nor dilates.
    kernel
        Shape of the structuring element, as OpenCV draws it.
    size
        Its width and height in pixels, odd from 1 to 31: an odd kernel is centred on its pixel,
        an even one would shift the outline by half a pixel.
    iterations
        1 to 10. Open is that many erosions, then as many dilations; close the reverse.
    fill_holes
        Whether background that no path of 4-neighbours joins to the picture's edge is filled.
    minimum_area
        Smallest region that counts, in pixels, 0 to 1 000 000.
    keep_largest
        How many regions are kept and measured, 1 to 20, by area; of equal ones that whose
        first pixel comes first, row by row from the left.

    Raises
    ------
    InvalidControls
        A control is out of its range; the message names it and the range.
    """

    method: Method = "fixed"
    threshold: float = 0.5
    low: float = 0.3
    operation: Operation = "none"
    kernel: Kernel = "ellipse"
    size: int = 5
    iterations: int = 1
    fill_holes: bool = True
    minimum_area: int = 0
    keep_largest: int = 5

    def __post_init__(self) -> None:
        for name, choices in CHOICES.items():
            if getattr(self, name) not in choices:
                raise InvalidControls(
                    _("{control} must be one of: {choices}.").format(
                        control=control_name(name), choices=", ".join(choices)
                    )
                )
        for name in ("threshold", "low"):
            value = getattr(self, name)
            if not _is_number(value) or not 0 <= value <= 1:
                raise InvalidControls(
                    _("{control} must be a number from 0 to 1.").format(control=control_name(name))
                )
            object.__setattr__(self, name, float(value))
        for name in ("size", "iterations", "minimum_area", "keep_largest"):
            self._check_whole(name)
        if self.size % 2 == 0:
            raise InvalidControls(_("Kernel size must be an odd whole number from 1 to 31."))
        if not isinstance(self.fill_holes, bool):
            raise InvalidControls(
                _("{control} must be on or off.").format(control=control_name("fill_holes"))
            )
        if self.method == "hysteresis" and self.low > self.threshold:
            raise InvalidControls(
                _("Lower threshold must not be above the threshold: choose 0 to {limit}.").format(
                    limit=self.threshold
                )
            )

    def _check_whole(self, name: str) -> None:
        low, high = RANGES[name]
        value = getattr(self, name)
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise InvalidControls(
                _("{control} must be a whole number from {low} to {high}.").format(
                    control=control_name(name), low=low, high=high
                )
            )

    def to_dict(self) -> dict[str, str | float | int | bool]:
        """Return the controls by name, ready for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> LesionControls:
        """Make controls from `values`; what is not named keeps its default.

        Raises
        ------
        InvalidControls
            There is a name that is no control, or a value out of its range.
        """
        if not isinstance(values, Mapping) or values.keys() - {f.name for f in fields(cls)}:
            raise InvalidControls(
                _("These lesion controls hold a name that is no control: use {names}.").format(
                    names=", ".join(f.name for f in fields(cls))
                )
            )
        return cls(**values)


#: Starting points a person can choose; :func:`preset_name` says them in words.
PRESETS: Final[Mapping[str, LesionControls]] = MappingProxyType(
    {
        "balanced": LesionControls(minimum_area=25),
        "sensitive": LesionControls(method="hysteresis", threshold=0.35, low=0.2),
        "strict": LesionControls(threshold=0.7, operation="open", minimum_area=100, keep_largest=3),
        "smooth": LesionControls(operation="close", size=9, iterations=2, minimum_area=100),
    }
)


def preset_name(key: str) -> str:
    """Return the name of the preset `key` (of :data:`PRESETS`) in the language in force."""
    return {
        "balanced": _("Balanced"),
        "sensitive": _("Sensitive"),
        "strict": _("Strict"),
        "smooth": _("Smooth"),
    }[key]


def control_name(key: str) -> str:
    """Return the name of the control `key` (its field) in the language in force."""
    return {
        "method": _("Threshold method"),
        "threshold": _("Threshold"),
        "low": _("Lower threshold"),
        "operation": _("Morphology"),
        "kernel": _("Kernel shape"),
        "size": _("Kernel size"),
        "iterations": _("Iterations"),
        "fill_holes": _("Fill holes"),
        "minimum_area": _("Smallest area"),
        "keep_largest": _("Keep the largest"),
    }[key]
