"""The numbers of a TIFF: unpacked from their bytes, predicted rows undone, exact in 16 bits."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import UnsupportedFormat
from core.scan._formats import corrupt
from core.text import _

#: Sample formats (tag 339).
UNSIGNED, SIGNED, FLOAT = 1, 2, 3
_CODES = {UNSIGNED: "u", SIGNED: "i", FLOAT: "f"}
#: Values that go into 16 bits.
_MOST = 65535


def levels(
    packed: NDArray[np.uint8], wide: int, samples: int, bits: int, numbers: int, order: str
) -> NDArray[Any]:
    """Return the samples of unpacked rows.

    Parameters
    ----------
    packed
        uint8 ``(rows, bytes)``.
    wide, samples
        Columns, and samples of each.
    bits, numbers
        Of one sample: 1, 2, 4 or 12 bits (unsigned, one sample), or whole bytes.
    order
        ``<`` or ``>``, how the file orders bytes.

    Returns
    -------
    numpy.ndarray
        ``(rows, wide, samples)``: uint8, or what the file holds in this machine's byte order; 12
        bits are uint16.
    """
    rows = len(packed)
    if bits == 12:
        padded = np.pad(packed, ((0, 0), (0, -packed.shape[1] % 3))).astype(np.uint16)
        first, middle, last = padded[:, 0::3], padded[:, 1::3], padded[:, 2::3]
        pairs = np.stack(((first << 4) | (middle >> 4), ((middle & 15) << 8) | last), axis=-1)
        return pairs.reshape(rows, -1)[:, :wide, None]
    if bits < 8:
        shifts = np.arange(8 - bits, -1, -bits, dtype=np.uint8)
        each = (packed[..., None] >> shifts) & np.uint8(2**bits - 1)
        return each.reshape(rows, -1)[:, :wide, None]
    kind = f"{_CODES[numbers]}{bits // 8}"
    values = packed.view(f"{order}{kind}").reshape(rows, wide, samples)
    return values.astype(kind, copy=False)


def undo_predictor(
    values: NDArray[Any],
    packed: NDArray[np.uint8],
    predictor: int,
    bits: int,
    numbers: int,
    order: str,
) -> NDArray[Any]:
    """Undo the prediction of each row: 2 for whole numbers, 3 for floating point.

    Source: TIFF 6.0 section 14; Adobe, TIFF Technical Note 3 (2005) for floating point.
    """
    if predictor == 2:
        return np.cumsum(values, axis=1, dtype=values.dtype)
    # The bytes of a row lie by significance, highest first, each the difference to the one before.
    rows, wide, samples = values.shape
    size = bits // 8
    steps = packed.reshape(rows, wide * size, samples)
    planes = np.cumsum(steps, axis=1, dtype=np.uint8).reshape(rows, size, wide * samples)
    joined = np.ascontiguousarray(planes.swapaxes(1, 2))
    return joined.view(f">f{size}").reshape(rows, wide, samples).astype(f"f{size}")


def as_uint16(values: NDArray[Any]) -> tuple[NDArray[np.uint16], float, float]:
    """Put numbers into 16 bits so that each can be given back exactly.

    Parameters
    ----------
    values
        ``(H, W)``, signed or unsigned of up to 32 bits, or floating point.

    Returns
    -------
    values, slope, intercept
        ``value * slope + intercept``, in the precision of what came in, is what came in.

    Raises
    ------
    CorruptFile
        A number is not finite.
    UnsupportedFormat
        They do not go into 16 bits.
    """
    if values.dtype.kind == "f":
        return _from_float(values)
    low, high = int(values.min()), int(values.max())
    # Fixed where it can be, so that the frames of a loop share one scale.
    base = {"int8": -128, "int16": -32768}.get(values.dtype.name, 0)
    if base == 0 and not 0 <= low <= high <= _MOST:
        base = low
    if high - base > _MOST:
        raise _too_fine()
    return (values.astype(np.int64) - base).astype(np.uint16), 1.0, float(base)


def _from_float(values: NDArray[Any]) -> tuple[NDArray[np.uint16], float, float]:
    if not np.all(np.isfinite(values)):
        raise corrupt()
    exact = values.astype(np.float64)
    low, high = float(exact.min()), float(exact.max())
    # Whole numbers, or 8 or 16 bits that were scaled to 0 to 1.
    for slope, base in ((1.0, 0.0 if low >= 0 and high <= _MOST else low), *_SHARES):
        if not 0 <= (high - base) / slope <= _MOST or low < base:
            continue
        steps = np.rint((exact - base) / slope)
        if np.array_equal((steps * slope + base).astype(values.dtype), values):
            return steps.astype(np.uint16), slope, base
    raise _too_fine()


_SHARES = ((1 / 255, 0.0), (1 / _MOST, 0.0))


def _too_fine() -> UnsupportedFormat:
    return UnsupportedFormat(
        _(
            "This TIFF holds finer or wider numbers than 16 bits can. "
            "Save it with 16 whole-number bits and upload that."
        )
    )
