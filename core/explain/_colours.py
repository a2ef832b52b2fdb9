"""Colours of a map: one scale for maps without a sign, another for maps with one.

Both are perceptually uniform, so that a step in the map looks the same wherever it is, and both are
dark where there is little: over a scan, which is dark itself, what is bright is what counts.
"""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

#: CIELAB lightness where the map is 0 and at either end of a map with a sign.
_MIDDLE, _END = 8.0, 74.0
#: Hue in degrees and chroma of the ends: blue against, orange for. Blue and orange stay apart for
#: every kind of colour blindness; as much chroma as sRGB holds along the whole way.
_AGAINST, _FOR = (258.0, 40.0), (66.0, 64.0)


@cache
def colour_table(signed: bool) -> NDArray[np.uint8]:
    """Return the colours of a map from its lowest value to its highest.

    Parameters
    ----------
    signed
        Without: Inferno, from 0 to the limit. With: from blue (minus the limit) over near black
        (0) to orange (the limit); each half is a straight line in CIELAB, so that equal steps are
        equal differences (CIE 1976), and both halves are equally light at the same distance from
        0.

    Returns
    -------
    ndarray
        ``(256, 3)`` uint8 sRGB, read-only.
    """
    table = _diverging() if signed else _inferno()
    table.flags.writeable = False
    return table


def colours(values: NDArray[np.floating], signed: bool, limit: float) -> NDArray[np.uint8]:
    """Return the colours of a map.

    Parameters
    ----------
    values
        ``(H, W)``, finite.
    signed
        Whether values below 0 speak against the target; see :func:`colour_table`.
    limit
        Above 0, in the unit of the values: what has the last colour. The range is 0 to it, or
        minus it to it; what lies beyond has the colour of its end.

    Returns
    -------
    ndarray
        ``(H, W, 4)`` uint8 RGBA, opaque.

    Raises
    ------
    ValueError
        The limit is not a number above 0.
    """
    if not limit > 0 or not np.isfinite(limit):
        raise ValueError("the limit of a colour scale is a number above 0")
    share = np.clip(np.asarray(values, np.float32) / np.float32(limit), -1 if signed else 0, 1)
    level = (share + 1) * 127.5 if signed else share * 255
    found = np.empty((*share.shape, 4), np.uint8)
    found[..., :3] = colour_table(signed)[np.rint(level).astype(np.uint8)]
    found[..., 3] = 255
    return found


def _inferno() -> NDArray[np.uint8]:
    levels = np.arange(256, dtype=np.uint8)[:, None]
    coloured = cv2.applyColorMap(levels, cv2.COLORMAP_INFERNO)
    return np.ascontiguousarray(coloured[:, 0, ::-1], np.uint8)


def _diverging() -> NDArray[np.uint8]:
    # 127.5 is 0: the two entries in the middle are the same.
    away = (np.arange(128) + 0.5) / 127.5
    return np.concatenate([_line(away, *_AGAINST)[::-1], _line(away, *_FOR)])


def _line(away: NDArray[np.floating], hue: float, chroma: float) -> NDArray[np.uint8]:
    """Return the colours ``away`` from the middle, 0..1, towards one end."""
    share = np.minimum(away, 1.0)
    angle = np.radians(hue)
    lab = np.stack(
        [
            _MIDDLE + (_END - _MIDDLE) * share,
            chroma * np.cos(angle) * share,
            chroma * np.sin(angle) * share,
        ],
        axis=-1,
    ).astype(np.float32)
    rgb = cv2.cvtColor(lab[None], cv2.COLOR_LAB2RGB)[0]
    return np.asarray(np.rint(np.clip(rgb, 0, 1) * 255), np.uint8)
