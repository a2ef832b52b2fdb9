"""What was done to an image, what its file says and what its checks found, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

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
        "resolution": _("resolution"),
        "blur": _("sharpness"),
        "sharpness": _("sharpness"),
        "contrast": _("contrast"),
        "exposure": _("exposure"),
        "saturation": _("saturation"),
        "colour_doppler": _("colour Doppler"),
        "doppler": _("colour Doppler"),
        "annotation": _("annotation"),
        "borders": _("black borders"),
        "black_borders": _("black borders"),
        "panels": _("side-by-side panels"),
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
    unit = f" {check['unit']}" if check.get("unit") else ""
    return _("{name} ({value}{unit}, threshold {threshold}{unit})").format(
        name=name, value=f"{value:.3g}", threshold=f"{threshold:.3g}", unit=unit
    )
