"""Plain signs that a picture is no B-mode ultrasound; their absence proves nothing."""

from __future__ import annotations

from enum import StrEnum

from core.scan._measures import coloured_share, grid
from core.scan._quality import BLANK, COLOURED_FAIL
from core.scan._scan import Scan
from core.text import _


class Doubt(StrEnum):
    """Why a picture may not be what the model was made for."""

    #: Hardly any contrast: blank, or a single tone.
    FLAT = "flat"
    #: Mostly in colour, where B-mode is grey.
    COLOURED = "coloured"


def doubts(scan: Scan) -> tuple[Doubt, ...]:
    """Return plain signs that ``scan`` is no B-mode ultrasound.

    Only what needs no model: a blank picture and one in colour. Noise, photographs in grey and
    other modalities pass. The quality check asks the same and more, of the picture without its
    frame.
    """
    found = []
    if float(grid(scan.grey).std()) < BLANK:
        found.append(Doubt.FLAT)
    if coloured_share(scan.pixels) > COLOURED_FAIL:
        found.append(Doubt.COLOURED)
    return tuple(found)


def doubt_line(doubt: Doubt) -> str:
    """Say what a doubt means for whoever reads the answer."""
    return {
        Doubt.FLAT: _("This picture is almost blank: whatever the model says of it means nothing."),
        Doubt.COLOURED: _(
            "This picture is in colour, so hardly a B-mode ultrasound: the model was not made for "
            "it."
        ),
    }[doubt]
