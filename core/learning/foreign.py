"""Pictures that are no scan, made up: what a refusal is taught against, and tested with.

None needs a file. Photographs are stood in for by dead leaves, opaque shapes of all sizes that hide
each other: they share the edges, the scale invariance and the histograms of photographs (Lee,
Mumford and Huang, *Occlusion models for natural images*, International Journal of Computer Vision
41:35-59, 2001) and teach networks to see nearly as well (Baradad et al., *Learning to see by
looking at noise*, NeurIPS 2021). Real pictures are kept for the test.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

Grey: TypeAlias = NDArray[np.uint8]
Plane: TypeAlias = NDArray[np.float64]
_Make: TypeAlias = Callable[[np.random.Generator], Grey]

_LETTERS = np.array(list("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"))


def foreign_pictures(n: int, seed: int) -> list[tuple[str, Grey]]:
    """Make pictures of every kind in turn.

    Parameters
    ----------
    n
        How many.
    seed
        The same seed gives the same pictures.

    Returns
    -------
    list
        Name of the kind, and ``(H, W)`` uint8 of 160 to 520 pixels a side.
    """
    kinds = list(KINDS.items())
    made = []
    for number in range(n):
        name, make = kinds[number % len(kinds)]
        made.append((name, make(np.random.default_rng([seed, number]))))
    return made


def blank(rng: np.random.Generator) -> Grey:
    """One grey level, or hardly more than one."""
    level, spread = rng.uniform(0, 255), rng.choice([0.0, 0.7, 2.0])
    return _clipped(level + spread * rng.normal(size=_size(rng)))


def noise(rng: np.random.Generator) -> Grey:
    """Noise of any colour: white, pink, brown; some of it blurred or compressed."""
    plane = spectrum(rng, _size(rng), rng.uniform(0, 2.4))
    if rng.random() < 0.3:
        plane = np.hypot(plane, spectrum(rng, plane.shape, rng.uniform(0, 1)))
    if rng.random() < 0.3:
        plane = cv2.GaussianBlur(plane, (0, 0), rng.uniform(0.6, 4))
    picture = _levelled(rng, plane)
    if rng.random() < 0.3:
        ok, coded = cv2.imencode(
            ".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(5, 60))]
        )
        picture = np.asarray(cv2.imdecode(coded, cv2.IMREAD_GRAYSCALE), np.uint8) if ok else picture
    return picture


def static(rng: np.random.Generator) -> Grey:
    """Independent pixels of a flat or of a Rayleigh distribution, fine or in blocks."""
    height, width = _size(rng)
    block = int(rng.choice([1, 1, 2, 5, 16]))
    small = (height // block + 1, width // block + 1)
    values = rng.integers(0, 256, small) if rng.random() < 0.5 else rng.rayleigh(50, small)
    return _clipped(np.kron(values, np.ones((block, block)))[:height, :width])


def gradient(rng: np.random.Generator) -> Grey:
    """Shading from one side to another, or stripes along it."""
    ramp = _ramp(rng, _size(rng))
    kind = rng.integers(3)
    if kind == 1:
        ramp = np.sign(np.sin(ramp * rng.uniform(8, 150)))
    elif kind == 2:
        other = _ramp(rng, ramp.shape)
        waves = np.sin(ramp * rng.uniform(8, 90)), np.sin(other * rng.uniform(8, 90))
        ramp = np.sign(waves[0]) * np.sign(waves[1])
    return _levelled(rng, np.asarray(ramp, np.float64))


def leaves(rng: np.random.Generator) -> Grey:
    """Dead leaves: what stands in for a photograph."""
    height, width = _size(rng)
    canvas = np.zeros((height, width), np.float32)
    canvas[:] = rng.uniform(0, 255)
    smallest, largest = rng.uniform(2, 8), rng.uniform(0.15, 0.6) * min(height, width)
    shape = rng.integers(4)
    textured = rng.random() < 0.6
    for _leaf in range(int(rng.integers(60, 500))):
        # Sizes r with density r ** -3 make the picture look the same at every scale.
        radius = (rng.uniform(largest**-2.0, smallest**-2.0)) ** -0.5
        at = rng.uniform(0, width), rng.uniform(0, height)
        corners = np.int32(np.rint(_corners(rng, at, radius, int(shape))))
        left, top, wide, high = cv2.boundingRect(corners)
        rows = slice(max(top, 0), max(top + high, 0))
        columns = slice(max(left, 0), max(left + wide, 0))
        # A mask of the leaf's own size: most are small, and there are hundreds.
        mask = np.zeros(canvas[rows, columns].shape, np.uint8)
        cv2.fillPoly(mask, [corners - np.array([columns.start, rows.start], np.int32)], 255)
        inside = mask > 0
        if not inside.any():
            continue
        fill = rng.uniform(0, 255) + 60 * _ramp(rng, inside.shape) * rng.uniform(-1, 1)
        if textured and radius > 12:
            fill = fill + rng.uniform(2, 25) * spectrum(rng, inside.shape, rng.uniform(0.2, 1.6))
        canvas[rows, columns][inside] = fill[inside]
    if rng.random() < 0.7:
        canvas = cv2.GaussianBlur(canvas, (0, 0), rng.uniform(0.5, 2.5))
    canvas += rng.uniform(0, 6) * rng.normal(size=canvas.shape).astype(np.float32)
    return _levelled(rng, canvas.astype(np.float64))


def scenery(rng: np.random.Generator) -> Grey:
    """Sky over land, with things standing in it."""
    height, width = _size(rng)
    horizon = rng.uniform(0.25, 0.75) * height
    skyline = horizon + rng.uniform(3, 40) * spectrum(rng, (width, 2), 1.3)[:, 0]
    rows = np.arange(height)[:, None]
    land = rows > skyline[None, :]
    sky = rng.uniform(120, 240) - rng.uniform(-40, 60) * rows / height
    sky = sky + rng.uniform(0, 25) * spectrum(rng, (height, width), 1.8)
    ground = rng.uniform(20, 140) + rng.uniform(10, 40) * spectrum(
        rng, (height, width), rng.uniform(0.6, 1.4)
    )
    canvas = np.where(land, ground, sky)
    for _thing in range(int(rng.integers(0, 14))):
        wide, high = rng.uniform(0.02, 0.25) * width, rng.uniform(0.1, 0.7) * height
        left, foot = rng.uniform(0, width), rng.uniform(horizon, height)
        rows_, columns = (
            slice(int(max(foot - high, 0)), int(foot)),
            slice(int(left), int(left + wide)),
        )
        part = canvas[rows_, columns]
        if part.size:
            windows = np.sin(_ramp(rng, part.shape) * rng.uniform(0, 80)) > 0.4
            part[:] = rng.uniform(10, 245) + rng.uniform(-50, 50) * windows
    return _levelled(rng, cv2.GaussianBlur(canvas, (0, 0), rng.uniform(0.4, 1.8)))


def page(rng: np.random.Generator) -> Grey:
    """Printed text, dark on light or light on dark, sometimes with a heading and columns."""
    height, width = _size(rng)
    sheet = Image.new("L", (width, height), 255)
    pen = ImageDraw.Draw(sheet)
    top = 10.0
    while top < height:
        size = float(rng.choice([9, 11, 14, 18, 30]))
        letters = ImageFont.load_default(size)
        for _line in range(int(rng.integers(1, 14))):
            words = ("".join(rng.choice(_LETTERS, rng.integers(1, 11))) for _word in range(14))
            at = float(rng.integers(4, 20)), top
            pen.text(at, " ".join(words), int(rng.integers(0, 90)), letters)
            top += size * 1.35
        top += rng.uniform(0, 30)
    return _aged(rng, np.asarray(sheet, np.float64))


def chart(rng: np.random.Generator) -> Grey:
    """Axes with curves, bars or points."""
    height, width = _size(rng)
    sheet = Image.new("L", (width, height), 255)
    pen = ImageDraw.Draw(sheet)
    pen.line((40, height - 30, width - 10, height - 30), 0, 2)
    pen.line((40, height - 30, 40, 10), 0, 2)
    for tick in range(8):
        pen.text((42 + tick * (width - 60) / 8, height - 26), f"{tick * 5}", 0)
        pen.text((8, 12 + tick * (height - 50) / 8), f"{tick}", 0)
    across = np.linspace(42, width - 12, 60)
    for _series in range(int(rng.integers(1, 5))):
        values = np.cumsum(rng.normal(size=60))
        values = 15 + (height - 55) * (values - values.min()) / max(float(np.ptp(values)), 1e-9)
        tone, kind = int(rng.integers(0, 180)), rng.integers(3)
        if kind == 0:
            pen.line([(float(x), float(y)) for x, y in zip(across, values, strict=True)], tone, 2)
        for x, y in zip(across[:: 1 + 2 * int(kind)], values[:: 1 + 2 * int(kind)], strict=True):
            if kind == 1:
                pen.ellipse((x - 3, y - 3, x + 3, y + 3), tone)
            elif kind == 2:
                pen.rectangle((x - 5, y, x + 5, height - 31), tone)
    return _aged(rng, np.asarray(sheet, np.float64))


def shapes(rng: np.random.Generator) -> Grey:
    """A few plain shapes on one background: drawings, icons, logos."""
    height, width = _size(rng)
    sheet = Image.new("L", (width, height), int((0, 255, rng.integers(0, 256))[rng.integers(3)]))
    pen = ImageDraw.Draw(sheet)
    for _shape in range(int(rng.integers(1, 12))):
        tone = int(rng.integers(0, 256))
        corners = _corners(
            rng,
            (rng.uniform(0.15, 0.85) * width, rng.uniform(0.15, 0.85) * height),
            rng.uniform(0.05, 0.4) * min(height, width),
            int(rng.integers(4)),
        )
        points = [(float(x), float(y)) for x, y in corners]
        if rng.random() < 0.3:
            pen.line([*points, points[0]], tone, int(rng.integers(1, 9)))
        else:
            pen.polygon(points, tone)
    soft = cv2.GaussianBlur(np.asarray(sheet, np.float64), (0, 0), rng.uniform(0.3, 1.5))
    return _clipped(soft)


def blobs(rng: np.random.Generator) -> Grey:
    """Soft light and dark patches: an object out of focus."""
    height, width = _size(rng)
    cells = int(rng.integers(2, 16)), int(rng.integers(2, 16))
    coarse = cv2.resize(rng.random(cells), (width, height), interpolation=cv2.INTER_CUBIC)
    grain = rng.choice([0.0, 0.02]) * rng.normal(size=(height, width))
    return _levelled(rng, coarse + grain)


def chest(rng: np.random.Generator) -> Grey:
    """Dark lungs beside a bright heart under ribs: a chest X-ray, roughly."""
    height, width = _size(rng)
    y, x = np.mgrid[0:height, 0:width] / np.array([height, width]).reshape(2, 1, 1)
    tall, middle = rng.uniform(0.24, 0.36), rng.normal(0.5, 0.03)
    film = rng.uniform(0.6, 0.9) - rng.uniform(0, 0.4) * np.abs(y - 0.5)
    for side in (-1, 1):
        reach = ((x - middle - side * rng.normal(0.2, 0.015)) / rng.uniform(0.12, 0.17)) ** 2
        reach = reach + ((y - rng.normal(0.47, 0.03)) / tall) ** 2
        film -= rng.uniform(0.35, 0.6) / (1 + np.exp(np.clip((reach - 1) * 7, -40, 40)))
    heart = ((x - middle - rng.normal(0.07, 0.02)) / 0.14) ** 2
    heart = heart + ((y - rng.normal(0.62, 0.03)) / 0.13) ** 2
    film += rng.uniform(0.2, 0.4) / (1 + np.exp(np.clip((heart - 1) * 8, -40, 40)))
    film += rng.uniform(0.1, 0.3) * np.exp(-(((x - middle) / 0.05) ** 2))
    for rib in range(int(rng.integers(7, 11))):
        arch = 0.12 + 0.075 * rib + rng.uniform(0.3, 0.5) * np.abs(x - middle) ** 1.3
        film += rng.uniform(0.03, 0.09) * np.exp(-(((y - arch) / 0.012) ** 2))
    film += 0.12 * np.exp(-(((y - 0.1 - 0.12 * np.abs(x - middle)) / 0.015) ** 2))
    film = cv2.GaussianBlur(film + rng.normal(0, 0.05, film.shape), (0, 0), rng.uniform(0.8, 1.8))
    return _levelled(rng, film)


def section(rng: np.random.Generator) -> Grey:
    """An oval of tissue with organs in it, on black: a CT or MR image, roughly."""
    height, width = _size(rng)
    canvas = np.zeros((height, width))
    y, x = np.mgrid[0:height, 0:width]
    centre, radii = (
        (height / 2, width / 2),
        (height * rng.uniform(0.3, 0.48), width * rng.uniform(0.3, 0.48)),
    )
    body = ((y - centre[0]) / radii[0]) ** 2 + ((x - centre[1]) / radii[1]) ** 2 < 1
    canvas[body] = rng.uniform(60, 160)
    if rng.random() < 0.6:
        rim = body & (((y - centre[0]) / radii[0]) ** 2 + ((x - centre[1]) / radii[1]) ** 2 > 0.86)
        canvas[rim] = rng.uniform(120, 255)
    for _organ in range(int(rng.integers(4, 26))):
        at = centre[0] + rng.normal(0, 0.4) * radii[0], centre[1] + rng.normal(0, 0.4) * radii[1]
        size = rng.uniform(0.04, 0.4) * radii[0], rng.uniform(0.04, 0.4) * radii[1]
        organ = body & (((y - at[0]) / size[0]) ** 2 + ((x - at[1]) / size[1]) ** 2 < 1)
        canvas[organ] = rng.uniform(0, 255)
    canvas += body * rng.uniform(2, 18) * spectrum(rng, (height, width), rng.uniform(0, 1.5))
    soft = cv2.GaussianBlur(canvas, (0, 0), rng.uniform(0.6, 3))
    return _clipped(soft + rng.uniform(0, 5) * rng.normal(size=soft.shape))


#: Every kind by name, in the order they are made.
KINDS: dict[str, _Make] = {
    "dead leaves": leaves,
    "noise": noise,
    "page": page,
    "scenery": scenery,
    "section": section,
    "shapes": shapes,
    "chest": chest,
    "chart": chart,
    "blobs": blobs,
    "static": static,
    "gradient": gradient,
    "blank": blank,
}


def spectrum(rng: np.random.Generator, shape: tuple[int, ...], slope: float) -> Plane:
    """Return noise whose amplitude falls as ``frequency ** -slope``: mean 0, deviation 1."""
    height, width = shape
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None, :])
    frequency[0, 0] = 1.0
    waves = np.fft.rfft2(rng.normal(size=(height, width))) / frequency**slope
    waves[0, 0] = 0.0
    plane = np.fft.irfft2(waves, s=(height, width))
    return np.asarray(plane / max(float(plane.std()), 1e-9))


def _size(rng: np.random.Generator) -> tuple[int, int]:
    # As scans have them: a shape of its own would give a foreign picture away.
    width = int(rng.integers(200, 520))
    return int(np.clip(width * rng.uniform(0.62, 1.3), 160, 520)), width


def _ramp(rng: np.random.Generator, shape: tuple[int, ...]) -> Plane:
    y, x = np.mgrid[0 : shape[0], 0 : shape[1]]
    angle = rng.uniform(0, 2 * np.pi)
    ramp = x * np.cos(angle) + y * np.sin(angle)
    return np.asarray((ramp - ramp.min()) / max(float(np.ptp(ramp)), 1e-9))


def _corners(
    rng: np.random.Generator, at: tuple[float, float], radius: float, kind: int
) -> NDArray[np.float64]:
    """Return the outline of a disc, a rectangle, a polygon or any of them."""
    if kind == 3:
        kind = int(rng.integers(3))
    count = (24, 4, int(rng.integers(3, 8)))[kind]
    angles = np.linspace(0, 2 * np.pi, count, endpoint=False) + rng.uniform(0, 2 * np.pi)
    reach = np.full(count, radius) if kind < 2 else radius * rng.uniform(0.4, 1.3, count)
    flat, turn = rng.uniform(0.35, 1.0), rng.uniform(0, np.pi)
    x, y = reach * np.cos(angles), flat * reach * np.sin(angles)
    return np.stack(
        [at[0] + x * np.cos(turn) - y * np.sin(turn), at[1] + x * np.sin(turn) + y * np.cos(turn)],
        axis=1,
    )


def _aged(rng: np.random.Generator, sheet: Plane) -> Grey:
    """Print in negative, soften, or light from one side."""
    if rng.random() < 0.4:
        sheet = 255 - sheet
    if rng.random() < 0.4:
        sheet = cv2.GaussianBlur(sheet, (0, 0), rng.uniform(0.4, 1.8))
    if rng.random() < 0.4:
        sheet = sheet * (1 - 0.5 * _ramp(rng, sheet.shape)) + rng.normal(0, 4, sheet.shape)
    return _clipped(sheet)


def _levelled(rng: np.random.Generator, plane: Plane) -> Grey:
    """Bring a plane to some brightness and contrast."""
    low, high = np.percentile(plane, [1, 99])
    unit = (plane - low) / max(float(high - low), 1e-9)
    dark, bright = rng.uniform(0, 90), rng.uniform(140, 255)
    return _clipped(dark + (bright - dark) * np.clip(unit, 0, 1) ** rng.uniform(0.6, 1.8))


def _clipped(plane: NDArray[np.floating[Any]]) -> Grey:
    return np.asarray(np.clip(np.rint(plane), 0, 255), np.uint8)
