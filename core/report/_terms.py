"""What was done to an image, what its file says and what its checks found, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from core.model import percent
from core.scan import Correction, Note
from core.text import _


def correction_words(correction: Correction) -> str:
    """Say what one correction did."""
    values = dict(correction.values)
    templates = {
        "crop": _("Cropped to {width} × {height} px from ({left}, {top})."),
        "panel": _("One panel of several: {width} × {height} px from ({left}, {top})."),
        "rotate": _("Turned by {degrees}° clockwise."),
        "contrast": _("Contrast changed: grey levels {low} to {high} spread, gamma {gamma}."),
        "window": _("Another window: centre {centre}, width {width}."),
    }
    if correction.kind == "flip":
        if values.get("axis") == "horizontal":
            return _("Mirrored left to right.")
        return _("Mirrored top to bottom.")
    numbers = {
        name: f"{value:g}" if isinstance(value, float) else value for name, value in values.items()
    }
    return templates[correction.kind].format(**numbers)


def note_words(note: Note) -> str:
    """Say what reading the file had to decide, or what the file says of itself."""
    return {
        Note.TRANSPARENCY_ON_BLACK: _("Transparent parts were laid on black."),
        Note.PRINT_COLOURS: _("Print colours (CMYK) were converted without a colour profile."),
        Note.COLOUR_DEPTH_CUT: _("Colours of more than 8 bits were cut to the upper 8."),
        Note.BURNED_IN: _("The file says that text is burned into the picture."),
        Note.LOSSY: _("The file says that it was compressed with loss."),
    }[note]


def check_name(name: str) -> str:
    """Return the name of a quality check; one we do not know keeps its own."""
    return {
        "blank": _("blank picture"),
        "resolution": _("resolution"),
        "blur": _("sharpness"),
        "contrast": _("contrast"),
        "exposure": _("exposure"),
        "clipped_black": _("clipped to black"),
        "clipped_white": _("clipped to white"),
        "colour": _("colour"),
        "annotation": _("annotation"),
        "borders": _("empty borders"),
        "panels": _("pictures in one image"),
    }.get(name, name.replace("_", " "))


def checks(quality: Mapping[str, Any] | None, outcome: str) -> list[str]:
    """Return the checks with this outcome, each with its figure and threshold."""
    found = (quality or {}).get("checks", ())
    return [_check(check) for check in found if check.get("outcome") == outcome]


def _check(check: Mapping[str, Any]) -> str:
    name, value, threshold = (
        check_name(str(check["name"])),
        check.get("value"),
        check.get("threshold"),
    )
    if value is None or threshold is None:
        return name
    unit = str(check.get("unit") or "")
    if unit == "share":
        return f"{name} ({_beside(percent(value, 1), percent(threshold, 1))})"
    suffix = {"px": " px", "grey levels": " " + _("grey levels")}.get(unit, "")
    return f"{name} ({_beside(f'{value:.3g}{suffix}', f'{threshold:.3g}{suffix}')})"


def _beside(value: str, threshold: str) -> str:
    return _("{value}, threshold {threshold}").format(value=value, threshold=threshold)
