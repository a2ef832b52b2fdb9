"""Quality checks, corrections and notes in words: the same on the page, in a report, in the review.

What was stored by another version is named as it was stored rather than refused.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from core.scan._parts import Correction, Note
from core.scan._quality import CheckName, Outcome
from core.text import _, apart, percent

#: Checks that fail on what is no B-mode ultrasound at all. Their passing proves nothing.
_NO_SCAN = frozenset({CheckName.BLANK, CheckName.COLOUR})
#: Units counted in whole numbers.
_WHOLE = frozenset({"px", "grey levels", "pictures"})


def check_name(name: str) -> str:
    """Return the name of a quality check."""
    names: dict[str, str] = {
        CheckName.BLANK: _("Blank image"),
        CheckName.RESOLUTION: _("Resolution"),
        CheckName.BLUR: _("Sharpness"),
        CheckName.CONTRAST: _("Contrast"),
        CheckName.EXPOSURE: _("Brightness"),
        CheckName.CLIPPED_BLACK: _("Clipped to black"),
        CheckName.CLIPPED_WHITE: _("Clipped to white"),
        CheckName.COLOUR: _("Colour"),
        CheckName.ANNOTATION: _("Text and calipers"),
        CheckName.BORDERS: _("Empty frame"),
        CheckName.PANELS: _("Several pictures"),
    }
    return names.get(name, name.replace("_", " "))


def check_figure(value: float, threshold: float | None, unit: str) -> str:
    """Return the figure of a check and its limit, with as many decimals as tell them apart."""
    if threshold is None:
        return _amount(value, unit, 2)
    if unit == "share":
        figure, limit = apart(value, threshold)
    else:
        for decimals in range(0 if unit in _WHOLE else 2, 7):
            figure, limit = (_amount(each, unit, decimals) for each in (value, threshold))
            if figure != limit or value == threshold:
                break
    words = _("{value}, below {limit}") if value < threshold else _("{value}, above {limit}")
    return words.format(value=figure, limit=limit)


def _amount(value: float, unit: str, decimals: int) -> str:
    if unit == "share":
        return percent(value)
    number = f"{value:.{decimals}f}"
    return {
        "px": _("{n} px"),
        "grey levels": _("{n} grey levels"),
    }.get(unit, "{n}").format(n=number)


def findings(quality: Mapping[str, Any] | None, outcome: Outcome) -> list[str]:
    """Return the checks that came out as ``outcome``, each with its figure.

    Parameters
    ----------
    quality
        ``QualityReport.to_dict()``, or None where nothing was checked.
    """
    return [_finding(check) for check in _with(quality, outcome)]


def failed_checks(quality: Mapping[str, Any] | None) -> tuple[str, ...]:
    """Return what the checks that fail are stored as (see :class:`CheckName`)."""
    return tuple(str(check["name"]) for check in _with(quality, Outcome.FAIL))


def hardly_a_scan(failed: Collection[str]) -> bool:
    """Tell whether the checks that fail are signs that a picture is no B-mode ultrasound."""
    return not _NO_SCAN.isdisjoint(failed)


def untested_words(failed: Collection[str]) -> str:
    """Say what it means that an image was read although these checks fail."""
    return _("Read although the image fails: {names}. Such images were never tested.").format(
        names=", ".join(map(check_name, failed))
    )


def _with(quality: Mapping[str, Any] | None, outcome: Outcome) -> list[Mapping[str, Any]]:
    checks = () if quality is None else quality.get("checks", ())
    return [check for check in checks if check.get("outcome") == outcome]


def _finding(check: Mapping[str, Any]) -> str:
    name, value, threshold = (check.get(key) for key in ("name", "value", "threshold"))
    if not isinstance(value, int | float):
        return check_name(str(name))
    limit = float(threshold) if isinstance(threshold, int | float) else None
    return f"{check_name(str(name))} ({check_figure(value, limit, str(check.get('unit') or ''))})"


def correction_words(correction: Correction) -> str:
    """Return in a few words what was done to an image."""
    values = dict(correction.values)
    numbers = {
        name: f"{value:g}" if isinstance(value, float) else value for name, value in values.items()
    }
    turns = {
        90: _("turned right by 90°"),
        180: _("turned by 180°"),
        270: _("turned left by 90°"),
    }
    mirrors = {
        "horizontal": _("mirrored left to right"),
        "vertical": _("mirrored top to bottom"),
    }
    texts = {
        "crop": _("cropped to {width} × {height} px, from {left}, {top}"),
        "panel": _("one picture kept: {width} × {height} px, from {left}, {top}"),
        "contrast": _("contrast: black at {low}, white at {high}, gamma {gamma}"),
        "window": _("window: level {centre}, width {width}"),
    }
    try:
        if correction.kind == "rotate":
            return turns[int(values["degrees"])]
        if correction.kind == "flip":
            return mirrors[str(values["axis"])]
        return texts[correction.kind].format(**numbers)
    except (KeyError, ValueError):
        # Stored by a version that kept other numbers.
        return correction.kind


def note_line(note: Note) -> str:
    """Say what reading the file had to decide, or what the file says of itself."""
    return {
        Note.TRANSPARENCY_ON_BLACK: _("Transparent parts were laid on black."),
        Note.PRINT_COLOURS: _("Print colours (CMYK) were converted without a colour profile."),
        Note.COLOUR_DEPTH_CUT: _("Colours of more than 8 bits were cut to the upper 8."),
        Note.BURNED_IN: _("The file says that text is burned into the picture."),
        Note.LOSSY: _("The file says that it was compressed with loss."),
    }[note]
