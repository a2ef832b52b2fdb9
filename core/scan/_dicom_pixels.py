"""From stored samples to grey or RGB pixels, and to the values behind them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.scan._dicom_header import Layout, Look, Table, unread_values
from core.scan._formats import corrupt
from core.scan._parts import Depth, Window, full_range, window_table

Samples = NDArray[np.integer]
Pixels = NDArray[np.uint8]
#: Lowest and highest stored value that stand for "no pixel here".
Padding = tuple[int, int]


def grey(
    samples: Samples, layout: Layout, look: Look, padding: Padding | None = None
) -> tuple[Pixels, Depth | None]:
    """Make grey pixels of one frame.

    Parameters
    ----------
    samples
        ``(H, W)``, whole numbers as stored.
    layout, look
        What they mean.
    padding
        Values that are left out when the full range is looked for; they are shown as the window
        has it.

    Returns
    -------
    pixels, depth
        uint8 ``(H, W)``, and the values behind them unless eight bits say it all. Signed values
        are shifted to start at 0 and the intercept takes the shift; where the slope is negative
        they are counted from the other end. ``value * slope + intercept`` stays what it was.
    """
    inverted = layout.photometric == "MONOCHROME1"
    if _plain(layout, look, samples):
        if layout.stored == 8:
            pixels = np.asarray(samples, np.uint8)
        else:
            pixels = _spread(layout.stored)[samples]
        return 255 - pixels if inverted else pixels, None
    values, slope, intercept = _values(samples, layout, look)
    measured = values
    if padding is not None:
        kept = (samples < padding[0]) | (samples > padding[1])
        measured = values[kept] if kept.any() else values
    whole = full_range(measured, slope, intercept)
    windows = look.windows
    window: Window | None = windows[0] if windows else whole
    if not windows and look.voi is not None:
        window = None
    depth = Depth(
        values=values,
        slope=slope,
        intercept=intercept,
        window=window,
        presets=(*windows, whole),
        inverted=inverted,
        unit=look.unit,
    )
    if window is not None:
        return depth.apply(window), depth
    assert look.voi is not None  # noqa: S101 - for mypy: there is no window only beside a table
    return _through(look.voi, depth), depth


def _plain(layout: Layout, look: Look, samples: Samples) -> bool:
    """Tell whether eight bits say it all: no scale, no table, and a window that changes nothing."""
    if layout.stored > 8 or layout.signed or look.modality or look.voi:
        return False
    if (look.slope, look.intercept, look.unit) != (1.0, 0.0, ""):
        return False
    if int(samples.max()) >= 2**layout.stored or int(samples.min()) < 0:
        return False
    if not look.windows:
        return True
    through = window_table(look.windows[0], 1.0, 0.0)[: 2**layout.stored]
    return bool(np.array_equal(through, _spread(layout.stored)))


def _spread(bits: int) -> Pixels:
    """Return the table that spreads values of so many bits over 0 to 255."""
    top = 2**bits - 1
    return np.asarray(np.rint(np.arange(top + 1) * (255 / top)), np.uint8)


def _values(
    samples: Samples, layout: Layout, look: Look
) -> tuple[NDArray[np.uint16], float, float]:
    if look.modality is not None:
        return _sealed(look.modality(samples)), 1.0, 0.0
    low, high = int(samples.min()), int(samples.max())
    # The same shift for every frame where the stored range allows it.
    shift = -(2 ** (min(layout.stored, 16) - 1)) if layout.signed else 0
    if low < shift or high - shift > 65535:
        shift = low
    if high - shift > 65535:
        raise unread_values()
    wide = np.int32 if samples.dtype.itemsize < 4 else np.int64
    values = (samples.astype(wide) - shift).astype(np.uint16)
    slope, intercept = look.slope, look.intercept + look.slope * shift
    if slope < 0:
        top = max(2 ** min(layout.stored, 16) - 1, high - shift)
        values = (top - values.astype(np.int32)).astype(np.uint16)
        slope, intercept = -slope, intercept + slope * top
    return _sealed(values), slope, intercept


def _sealed(values: NDArray[np.uint16]) -> NDArray[np.uint16]:
    return np.frombuffer(values.tobytes(), np.uint16).reshape(values.shape)


def _through(table: Table, depth: Depth) -> Pixels:
    """See the values through a table of the file (C.11.2.1.1)."""
    every = np.arange(65536, dtype=np.float64) * depth.slope + depth.intercept
    share = table(every) / (2.0**table.bits - 1)
    pixels = np.rint(np.clip(share, 0, 1) * 255).astype(np.uint8)
    return np.asarray((255 - pixels if depth.inverted else pixels)[depth.values], np.uint8)


def eight_bits(samples: Samples, bits: int) -> tuple[Pixels, bool]:
    """Bring colour samples to eight bits; tell whether something was cut."""
    if samples.dtype.itemsize > 1 and int(samples.max()) >> bits:
        raise corrupt()  # the codestream and the header differ
    if bits > 8:
        return np.asarray(samples >> (bits - 8), np.uint8), True
    if bits < 8:
        return _spread(bits)[samples & (2**bits - 1)], False
    return np.asarray(samples, np.uint8), False


def rgb_of_ybr(ybr: Pixels) -> Pixels:
    """Turn YBR_FULL into RGB (PS3.3 C.7.6.3.1.2, ITU-T T.871), rounded to nearest.

    Parameters
    ----------
    ybr
        uint8 ``(H, W, 3)``.
    """
    # Luma is whole, so rounding the chroma part alone rounds the sum: three small tables do.
    y = ybr[..., 0].astype(np.int16)
    cb, cr = ybr[..., 1], ybr[..., 2]
    rgb = np.empty(ybr.shape, np.int16)
    rgb[..., 0] = y + _RED[cr]
    rgb[..., 1] = y + _GREEN[cb, cr]
    rgb[..., 2] = y + _BLUE[cb]
    return np.clip(rgb, 0, 255).astype(np.uint8)


_CHROMA = np.arange(256, dtype=np.float64) - 128
_RED = np.floor(1.402 * _CHROMA + 0.5).astype(np.int16)
_BLUE = np.floor(1.772 * _CHROMA + 0.5).astype(np.int16)
_GREEN = np.floor(
    -(0.114 * 1.772 / 0.587) * _CHROMA[:, None] - (0.299 * 1.402 / 0.587) * _CHROMA[None] + 0.5
).astype(np.int16)
