"""Plain signs that a picture is no B-mode ultrasound; their absence proves nothing."""

from __future__ import annotations

from enum import StrEnum

import numpy as np

from core.scan._scan import Scan
from core.text import _

#: Grey levels: speckle alone spreads a scan by several times this.
_FLAT = 6.0
#: A pixel whose channels lie this far apart is coloured, in grey levels.
_COLOUR = 40
#: Coloured share above which it is not a grey picture with a colour bar or a Doppler window.
_COLOURED_SHARE = 0.3


class Doubt(StrEnum):
    """Why a picture may not be what the model was made for."""

    #: Hardly any contrast: blank, or a single tone.
    FLAT = "flat"
    #: Mostly in colour, where B-mode is grey.
    COLOURED = "coloured"


def doubts(scan: Scan) -> tuple[Doubt, ...]:
    """Return plain signs that ``scan`` is no B-mode ultrasound.

    Only what needs no model: a blank picture and one in colour. Noise, photographs in grey and
    other modalities pass.
    """
    found = []
    if float(scan.grey.std()) < _FLAT:
        found.append(Doubt.FLAT)
    if scan.pixels.ndim == 3:
        spread = np.ptp(scan.pixels.astype(np.int16), axis=2)
        if float((spread > _COLOUR).mean()) > _COLOURED_SHARE:
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
