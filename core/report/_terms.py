"""What was done to an image, what its file says and what its checks found, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from core.model import apart
from core.scan import Correction, Note
from core.text import _


def correction_words(correction: Correction) -> str:
    """Say what one correction did."""
    values = dict(correction.values)
    numbers = {
        name: f"{value:g}" if isinstance(value, float) else value for name, value in values.items()
    }
    if correction.kind == "rotate":
        turns = {90: _("turned right by 90°"), 270: _("turned left by 90°")}
        return turns.get(int(values["degrees"]), _("turned by 180°"))
    if correction.kind == "flip":
        if values["axis"] == "horizontal":
            return _("mirrored left to right")
        return _("mirrored top to bottom")
    return {
        "crop": _("cropped to {width} × {height} px, from {left}, {top}"),
        "panel": _("one picture kept: {width} × {height} px, from {left}, {top}"),
        "contrast": _("contrast: black at {low}, white at {high}, gamma {gamma}"),
        "window": _("window: level {centre}, width {width}"),
    }[correction.kind].format(**numbers)


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
        "blank": _("Blank image"),
        "resolution": _("Resolution"),
        "blur": _("Sharpness"),
        "contrast": _("Contrast"),
        "exposure": _("Brightness"),
        "clipped_black": _("Cut off in black"),
        "clipped_white": _("Cut off in white"),
        "colour": _("Colour"),
        "annotation": _("Text and calipers"),
        "borders": _("Empty frame"),
        "panels": _("Several pictures"),
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
    shown, limit = _told_apart(float(value), float(threshold), unit)
    words = _("{value}, below {limit}") if value < threshold else _("{value}, above {limit}")
    return f"{name} ({words.format(value=shown, limit=limit)})"


def _told_apart(value: float, threshold: float, unit: str) -> tuple[str, str]:
    """Return both with as many decimals as it takes to see that they differ."""
    if unit == "share":
        return apart(value, threshold)
    template = {"px": _("{n} px"), "grey levels": _("{n} grey levels")}.get(unit, "{n}")
    for decimals in range(0 if unit in ("px", "grey levels", "pictures") else 2, 7):
        pair = f"{value:.{decimals}f}", f"{threshold:.{decimals}f}"
        if pair[0] != pair[1] or value == threshold:
            break
    return template.format(n=pair[0]), template.format(n=pair[1])
