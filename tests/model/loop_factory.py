"""Loops made of phantoms: frames kept as JPEG or as pixels, decoded when they are asked for."""

from __future__ import annotations

import io
from collections.abc import Iterable
from functools import cache

import numpy as np
from PIL import Image

from core.errors import CorruptFile
from core.scan import Loop, PhantomSpec, Scan, make_phantom, read_scan
from core.settings import load_settings


def as_jpeg(pixels: np.ndarray, quality: int = 90) -> bytes:
    """Compress pixels as scanners do."""
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, format="JPEG", quality=quality)
    return out.getvalue()


def loop_of(frames: list[bytes], *, rate: float | None = 20.0, broken: Iterable[int] = ()) -> Loop:
    """Make a loop of JPEG frames; those in ``broken`` cannot be decoded."""
    settings, bad = load_settings({}), frozenset(broken)

    def decode(index: int) -> Scan:
        if index in bad:
            raise CorruptFile("This frame is damaged.")
        still = read_scan(frames[index], settings=settings)
        return Scan.from_pixels(
            still.pixels,
            modality="US",
            frames=len(frames),
            frame=index,
            source_digest="5" * 64,
        )

    starts = None if rate is None else tuple(i / rate for i in range(len(frames)))
    return Loop(len(frames), starts, sum(map(len, frames)), decode)


#: Smaller ones fail the quality check.
SIDE = 300
_DIFFERENT = 12


@cache
def phantom_frame(index: int, side: int = SIDE) -> bytes:
    """Return a frame of a phantom, a different one for each index."""
    again, seed = divmod(index, _DIFFERENT)
    if again:
        with Image.open(io.BytesIO(phantom_frame(seed, side))) as image:
            return as_jpeg(np.roll(np.asarray(image), 5 * again, axis=1))
    return as_jpeg(make_phantom(PhantomSpec(side, side), seed).scan.pixels)


def phantom_loop(
    count: int,
    *,
    side: int = SIDE,
    rate: float | None = 20.0,
    blank: Iterable[int] = (),
    **more: object,
) -> Loop:
    """Make a loop of different phantoms; those in ``blank`` are blank pictures."""
    nothing, empty = frozenset(blank), as_jpeg(np.full((side, side), 9, np.uint8))
    frames = [empty if i in nothing else phantom_frame(i, side) for i in range(count)]
    return loop_of(frames, rate=rate, **more)  # type: ignore[arg-type]
