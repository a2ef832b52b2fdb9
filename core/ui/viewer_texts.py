"""What the viewer says, in the language of the session."""

from __future__ import annotations

from typing import Any, get_args

from core.lesion import NoMillimetres, measure_name, no_millimetres
from core.text import _
from core.ui.figure import Figure


def texts() -> dict[str, Any]:
    """Return every text of the viewer by name."""
    return {
        "toolbar": _("Image tools"),
        "zoomIn": "+",
        "zoomInTitle": _("Zoom in"),
        "zoomOut": "−",
        "zoomOutTitle": _("Zoom out"),
        "fit": _("Fit"),
        "fitTitle": _("Show the whole image"),
        "full": "1:1",
        "fullTitle": _("One image pixel per screen pixel"),
        "invert": _("Invert"),
        "invertTitle": _("Invert: dark becomes bright"),
        "screen": _("Full screen"),
        "help": "?",
        "helpTitle": _("Keys"),
        "window": _("Window"),
        "windowTitle": _("Window and level by dragging"),
        "distance": measure_name("distance"),
        "distanceTitle": _("Measure a distance"),
        "ellipse": measure_name("ellipse"),
        "ellipseTitle": _("Measure an ellipse"),
        "draw": _("Draw a region"),
        "another": _("Draw another region"),
        "cancel": _("Stop drawing"),
        "drawHelp": _("Draw around the region in one stroke; Escape stops."),
        "distanceHelp": _("Drag from one end to the other; then move the ends. Escape stops."),
        "ellipseHelp": _("Drag along one axis; then move the handles. Escape stops."),
        "windowHelp": _("Drag to the right for a wider window, upwards for a brighter image."),
        "undo": _("Remove the last region"),
        "clear": _("Remove all regions"),
        "untouched": _("Untouched"),
        "windowed": _("Untouched, through your window"),
        "overlay": _("Overlay"),
        "linked": _("zoom linked by the share of the image"),
        "linkedMm": _("zoom linked by millimetres"),
        "region": _("Yours"),
        "measures": _("Measured by hand"),
        "removeMeasure": _("Remove measurement"),
        "noMm": {reason: no_millimetres(reason) for reason in get_args(NoMillimetres)},
        "fitted": _("whole image"),
        "smooth": _("smoothed by the browser"),
        "sharp": _("each pixel as a square"),
        "inverted": _("inverted"),
        "bar": _("bar {length}"),
        "windowing": _("Window and level"),
        "preset": _("Window"),
        "widthShort": _("W"),
        "centreShort": _("L"),
        "windowWidth": _("Window width"),
        "windowCentre": _("Window level"),
        "resetWindow": _("Reset"),
        "resetWindowTitle": _("Back to the window the model reads with"),
        "customWindow": _("Set by hand"),
        "tableOfFile": _("the file's own table"),
        "sigmoid": _("sigmoid"),
        "viewingWindow": _("Viewing window only: the model reads this scan at {window}."),
        "loadingValues": _("Loading all values of this image…"),
        "noValues": _("The values of this image could not be loaded. Reload the page."),
        "loop": _("Frames"),
        "frame": _("Frame"),
        "play": _("Play"),
        "pause": _("Pause"),
        "previousFrame": _("Previous frame"),
        "nextFrame": _("Next frame"),
        "frameAt": _("frame {frame} / {count} · {time} s"),
        "frameOf": _("frame {frame} / {count}"),
        "recordedRate": _("recorded at {rate} frames per second"),
        "unknownRate": _("rate not recorded: plays at {rate} frames per second"),
        "reachedRate": _("reaches {rate} per second"),
        "otherFrame": _("Outlines, heat and measurements belong to frame {frame}: hidden here."),
        "eightBit": _("Frames play in 8 bits at {window}."),
        "loadingFrame": _("Loading the frame…"),
        "noFrame": _("This frame cannot be shown."),
        "keys": _("Image. Press ? for all keys. The wheel zooms after a click or with Ctrl."),
        "failed": _("The viewer could not be loaded. Reload the page."),
    }


def keys_help(figure: Figure, *, measuring: bool) -> list[list[str]]:
    """Return which key does what on this figure, for the help of the viewer."""
    keys = [
        ["+  −", _("zoom in and out")],
        ["0", _("show the whole image")],
        ["1", _("one image pixel per screen pixel")],
        ["← → ↑ ↓", _("move the image when it is zoomed in")],
        ["I", _("invert")],
        ["F", _("full screen; Escape leaves it")],
    ]
    if figure.data["deep"]:
        keys += [
            ["W", _("window by dragging; the right mouse button does it at any time")],
            ["R", _("back to the window the model reads with")],
        ]
    if measuring:
        keys += [["D", _("measure a distance")], ["E", _("measure an ellipse")]]
    if figure.data["loop"]:
        keys += [
            [_("Space"), _("play and pause")],
            [", .", _("previous and next frame (also Shift with ← →)")],
        ]
    return [*keys, ["Esc", _("put the tool away, close this list")]]
