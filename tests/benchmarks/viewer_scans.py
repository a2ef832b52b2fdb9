"""Synthetic scans for the viewer's page: deep ones, loops, areas with a scale of their own."""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np

from core.scan import Depth, Loop, Region, Scan, Window

RATE = 20.0
FRAMES = 64
WINDOWS = (
    Window(40.0, 400.0),
    Window(50.5, 333.25, "sigmoid"),
    Window(-200.0, 900.0, "linear_exact"),
)


@cache
def deep_scan(side: int = 600, inverted: bool = False, table: bool = False) -> Scan:
    """A deep image of rings over a slope with noise, about -1024 to 2500."""
    y, x = np.mgrid[:side, :side].astype(np.float32)
    rings = 700 * np.sin(np.hypot(x - side / 2, y - side / 3) / side * 60)
    noise = np.random.default_rng(4).integers(0, 400, (side, side))
    values = np.clip(1500 + rings + x / side * 2500 + noise, 0, 7000).astype(np.uint16)
    values.flags.writeable = False
    full = Window((float(values.min()) + float(values.max())) / 4 - 1024, 3000.0, "linear_exact")
    depth = Depth(
        values,
        slope=0.5,
        intercept=-1024.0,
        window=None if table else WINDOWS[0],
        presets=(full,) if table else (*WINDOWS, full),
        inverted=inverted,
        unit="HU",
    )
    pixels = table_pixels(values) if table else depth.apply(WINDOWS[0])
    return Scan.from_pixels(pixels, modality="CT", depth=depth, spacing=(0.5, 0.5))


def table_pixels(values: np.ndarray) -> np.ndarray:
    """What a file's own table, of no window's shape, makes of the values."""
    return ((values // 7) % 251).astype(np.uint8)


@cache
def loop_scan(recorded: bool = True, deep: bool = False, broken: bool = False) -> Scan:
    """Frame 3 of a loop: each frame has its number as a grey bar, and noise."""

    def decode(index: int) -> Scan:
        if broken and index == 5:
            from core.errors import CorruptFile

            raise CorruptFile("This frame cannot be decoded.")
        return frame_scan(index, deep)

    starts = tuple(n / RATE for n in range(FRAMES)) if recorded else None
    loop = Loop(FRAMES, starts, 0, decode)
    return loop.frame(3).with_loop(loop)


@cache
def _noise() -> np.ndarray:
    noise = np.random.default_rng(9).integers(0, 90, (480, 640), dtype=np.uint8)
    return cv2.GaussianBlur(noise, (0, 0), 1.0)


def frame_scan(index: int, deep: bool = False) -> Scan:
    pixels = np.roll(_noise(), index * 5, axis=1).copy()
    pixels[100:380, 200:440] = grey_of(index)
    series = "ab" * 32
    depth = None
    if deep:
        values = pixels.astype(np.uint16) * 16
        values.flags.writeable = False
        window = Window(2048.0, 4096.0)
        depth = Depth(values, window=window, presets=(window, Window(2048, 4080, "linear_exact")))
        pixels = depth.apply(window)
    return Scan.from_pixels(
        pixels,
        frames=FRAMES,
        frame=index,
        series=series,
        depth=depth,
        source_digest="cd" * 32 if deep else "ef" * 32,
    )


def grey_of(index: int) -> int:
    return 60 + 3 * index


@cache
def areas_scan() -> Scan:
    """Two areas with scales of their own, one without lengths, and a margin."""
    pixels = cv2.resize(_noise(), (800, 600), interpolation=cv2.INTER_NEAREST)
    areas = (
        Region(50, 50, 400, 550, (0.2, 0.1)),
        Region(400, 50, 750, 300, (0.5, 0.5)),
        Region(400, 320, 750, 550, None),
    )
    return Scan.from_pixels(pixels, regions=areas)


@cache
def plain_scan(width: int, height: int, spacing: tuple[float, float] | None) -> Scan:
    grey = cv2.resize(_noise(), (width, height), interpolation=cv2.INTER_NEAREST)
    return Scan.from_pixels(grey, spacing=spacing)
