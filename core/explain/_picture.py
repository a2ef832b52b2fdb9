"""An explanation as a picture: over the untouched scan at its own size, with what it is below.

The pixels of the scan are neither scaled nor recompressed. A place is blended as strongly as the
map is there, so that one without a value keeps the scan's own pixels. Colour bar and words stand in
a band under the picture and never on it.
"""

from __future__ import annotations

import io
from collections.abc import Collection
from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from PIL.PngImagePlugin import PngInfo

from core.explain._caveat import caveat_words
from core.explain._colours import colour_table, colours
from core.explain._explanation import THE_LESION, Explanation, Unit
from core.explain._export import NOTICE
from core.explain._methods import asks_about_a_class
from core.model import class_name
from core.scan import Scan
from core.settings import ROOT
from core.text import _

_FONT = ROOT / "assets" / "fonts" / "OverreadSansSC-Regular.ttf"
#: Narrowest band in pixels, in which every line still has room.
_NARROWEST = 460
_PAPER, _INK = (0, 0, 0), (230, 230, 230)
#: Share of the pixels of a signed map that reach the end of the colours at most.
_BEYOND = 0.005
#: Width of the blur under which a map of single pixels is drawn, as a share of its longer side.
_SMOOTH = 1 / 100
#: Pixels a contribution is given for where values are shared out over pixels.
PER = 1000
#: What the probability must fall by for a hidden region to have the last colour.
_FULL_FALL = 0.2


@dataclass(frozen=True, slots=True)
class Drawing:
    """How a map is laid over a scan.

    Attributes
    ----------
    opacity
        0..1 where the map is at its limit, and less in proportion below.
    cut_off
        Share of the limit, 0..1, below which nothing is drawn.
    limit
        The value, in the map's unit, of the last colour; that of :func:`drawn_limit` if left out.
    against
        Whether of a signed map only what speaks against the target is drawn, to the same limit.
    """

    opacity: float = 0.6
    cut_off: float = 0.0
    limit: float | None = None
    against: bool = False

    def __post_init__(self) -> None:
        """Refuse what is no share or no limit."""
        if not 0 <= self.opacity <= 1 or not 0 <= self.cut_off <= 1:
            raise ValueError("opacity and cut-off are shares")
        if self.limit is not None and not (np.isfinite(self.limit) and self.limit > 0):
            raise ValueError("a limit is a number above 0")


def blend(
    scan: Scan, explanation: Explanation, drawing: Drawing | None = None
) -> NDArray[np.uint8]:
    """Return the scan with a map over it, ``(H, W, 3)`` uint8 RGB at the scan's own size.

    Raises
    ------
    ValueError
        The map is of another scan.
    """
    if explanation.image_digest != scan.digest or explanation.values.shape != scan.pixels.shape[:2]:
        raise ValueError("a map is drawn over its own scan only")
    chosen = drawing or Drawing()
    values = drawn_values(explanation)
    limit = chosen.limit or drawn_limit(explanation)
    pixels = scan.pixels
    if pixels.ndim == 2:
        pixels = np.repeat(pixels[..., None], 3, axis=2)
    if explanation.signed and chosen.against:
        values = np.minimum(values, np.float32(0))
    strength = np.minimum(np.abs(values) / np.float32(limit), 1)
    strength[strength < chosen.cut_off] = 0
    share = (strength * np.float32(chosen.opacity))[..., None]
    coloured = colours(values, explanation.signed, limit)[..., :3]
    return np.asarray(np.rint(pixels * (1 - share) + coloured * share), np.uint8)


def explanation_png(
    scan: Scan,
    explanation: Explanation,
    task: str,
    version: str,
    drawing: Drawing | None = None,
    read_despite: Collection[str] = (),
) -> bytes:
    """Return :func:`blend` as PNG, with a colour bar and what it is in a band below.

    Parameters
    ----------
    scan, explanation
        The map and its own scan.
    task, version
        The model that is explained.
    drawing
        How the map lies over the scan.
    read_despite
        As of :func:`core.explain.caveat_words`; those words stand first in the band.

    Returns
    -------
    bytes
        The upper left ``H`` x ``W`` pixels are the picture. The band names case number, method,
        target, model, scale and "Decision support, not a medical device", in the language in force;
        the PNG's own text holds digests and parameters.

    Raises
    ------
    ValueError
        The map is of another scan.
    """
    chosen = drawing or Drawing()
    pixels = blend(scan, explanation, chosen)
    band = _band(scan, explanation, f"{task} {version}", chosen, caveat_words(read_despite))
    canvas = np.zeros((scan.height + band.height, max(scan.width, band.width), 3), np.uint8)
    canvas[: scan.height, : scan.width] = pixels
    canvas[scan.height :, : band.width] = np.asarray(band)
    about = [
        f"Case {scan.case_number}",
        f"{explanation.method} for {explanation.target}",
        f"parameters {dict(explanation.parameters)}",
        f"{task} {version}",
        f"image {scan.digest}",
        f"bundle {explanation.bundle_digest}",
        *(f"read despite {name}" for name in read_despite),
        NOTICE,
    ]
    info = PngInfo()
    info.add_text("Description", "; ".join(about))
    buffer = io.BytesIO()
    Image.fromarray(canvas).save(buffer, "PNG", compress_level=4, pnginfo=info)
    return buffer.getvalue()


def method_name(method: str) -> str:
    """Return what a method is called; its own name where it is none of this room's."""
    names = {
        "grad-cam": "Grad-CAM",
        "grad-cam++": "Grad-CAM++",
        "hires-cam": "HiResCAM",
        "layer-cam": "LayerCAM",
        "eigen-cam": "Eigen-CAM",
        "expected-gradients": _("SHAP by pixels"),
        "partition-shap": _("SHAP by regions"),
        "occlusion": _("Hide a region"),
        "lesion-drivers": _("What drives the lesion map"),
    }
    return names.get(method, method)


def asked_name(method: str, target: str, *, against: bool = False) -> str:
    """Return a method and what it explains, in words; ``against`` asks "why not"."""
    if not asks_about_a_class(method):
        return method_name(method)
    about = _("the lesion map") if target == THE_LESION else class_name(target)
    words = _("{method} against “{label}”") if against else _("{method} for “{label}”")
    return words.format(method=method_name(method), label=about)


def unit_words(unit: Unit) -> str:
    """Return the unit of a colour bar; what is shared out over pixels is given for :data:`PER`."""
    if unit == "score":
        return _("Unit: score of the class before calibration, for each {n} pixels").format(n=PER)
    if unit == "probability":
        return _("Unit: probability, for each {n} pixels").format(n=PER)
    if unit == "area":
        return _("Unit: share of what the network is shown, for each {n} pixels").format(n=PER)
    return _("Unit: relative to the strongest of this map; not a probability")


def drawn_values(explanation: Explanation) -> NDArray[np.float32]:
    """Return a map as it is drawn, ``(H, W)`` float32: one of single pixels smoothed."""
    if explanation.method != "expected-gradients":
        return explanation.values
    width = max(_SMOOTH * max(explanation.values.shape), 0.5)
    return np.asarray(cv2.GaussianBlur(explanation.values, (0, 0), width), np.float32)


def drawn_limit(explanation: Explanation, values: NDArray[np.float32] | None = None) -> float:
    """Return the value of the last colour: the largest, but for few pixels of a signed map.

    Parameters
    ----------
    values
        Of :func:`drawn_values`, where they are at hand or were made smaller.
    """
    size = np.abs(drawn_values(explanation) if values is None else values)
    peak = float(size.max())
    if explanation.method == "occlusion":
        # One value on the whole region: by its own limit, next to nothing would have full colour.
        return max(peak, _FULL_FALL / max(int(np.count_nonzero(explanation.values)), 1))
    if not explanation.signed:
        return peak
    return float(np.quantile(size, 1 - _BEYOND)) or peak


def _band(scan: Scan, made: Explanation, model: str, chosen: Drawing, caveat: str) -> Image.Image:
    # As large beside a large picture as beside a small one: the band is no part of the scan.
    size = int(np.clip(scan.width / 48, 13, 40))
    width = max(scan.width, _NARROWEST)
    font, step = _font(size), round(size * 1.45)
    said = [caveat] if caveat else []
    said += _lines(scan, made, model, chosen)
    lines = [line for text in said for line in _wrapped(text, width, font)]
    band = Image.new("RGB", (width, step * (len(lines) + 3) + size), _PAPER)
    pen = ImageDraw.Draw(band)
    _bar(band, pen, made, chosen.limit or drawn_limit(made), font, step)
    for n, line in enumerate(lines):
        pen.text((size // 2, step * (n + 3) + size // 2), line, _INK, font)
    return band


def _bar(
    band: Image.Image,
    pen: ImageDraw.ImageDraw,
    made: Explanation,
    limit: float,
    font: ImageFont.FreeTypeFont,
    step: int,
) -> None:
    """Draw the colours from the lowest to the highest value, with both and 0 written below."""
    left, right = step, band.width - step
    table = colour_table(made.signed)
    levels = np.linspace(0, 255, right - left).round().astype(int)
    strip = np.repeat(table[levels][None], step, axis=0)
    band.paste(Image.fromarray(np.ascontiguousarray(strip)), (left, step // 2))
    pen.rectangle((left - 1, step // 2 - 1, right, step // 2 + step), outline=_INK)
    low = -limit if made.signed else 0.0
    places = [(left, low, "la"), (right, limit, "ra")]
    if made.signed:
        places.insert(1, ((left + right) // 2, 0.0, "ma"))
    beyond = float(np.abs(drawn_values(made)).max()) > limit * 1.0001
    per = 1 if made.unit == "relative" else PER
    for x, value, anchor in places:
        sign = ("≥ " if value > 0 else "≤ ") if beyond and value else ""
        pen.text((x, step * 1.6), f"{sign}{value * per:.3g}", _INK, font, anchor)


def _lines(scan: Scan, made: Explanation, model: str, chosen: Drawing) -> list[str]:
    what = asked_name(made.method, made.target, against=chosen.against and made.signed)
    if made.layer:
        what += " · " + _("layer {name}").format(name=made.layer)
    case = _("Case {case}").format(case=scan.case_number)
    lines = [
        case + (" · " + _("synthetic phantom") if scan.synthetic else ""),
        what,
        unit_words(made.unit),
    ]
    if made.signed:
        lines.append(
            _("Only what speaks against it is drawn, in blue.")
            if chosen.against
            else _("Blue speaks against it, orange for it.")
        )
    if made.method == "expected-gradients":
        lines.append(_("Drawn smoothed: single pixels are noise."))
    if made.method == "occlusion":
        lines.append(
            _("With the region {before}, without it {after}").format(
                before=f"{made.output or 0:.3f}", after=f"{made.base_value or 0:.3f}"
            )
        )
    elif made.base_value is not None and made.output is not None and made.gap is not None:
        lines.append(
            _("Base value {base}, output {output}, gap {gap}").format(
                base=f"{made.base_value:.3f}", output=f"{made.output:.3f}", gap=f"{made.gap:.3f}"
            )
        )
    return [
        *lines,
        _(
            "Scan 1:1, {width} × {height} px; opacity up to {opacity} %, nothing below {cut} %"
        ).format(
            width=scan.width,
            height=scan.height,
            opacity=round(chosen.opacity * 100),
            cut=round(chosen.cut_off * 100),
        ),
        _("Model {model}, bundle {digest}").format(model=model, digest=made.bundle_digest[:12]),
        _("A check to challenge, not proof."),
        _("Decision support, not a medical device"),
    ]


def _wrapped(text: str, width: int, font: ImageFont.FreeTypeFont) -> list[str]:
    """Break a line where it has no more room; between any two letters where there is no blank."""
    room, lines, line = width - font.size, [], ""
    for letter in text:
        if font.getlength(line + letter) > room:
            head, blank, tail = line.rpartition(" ")
            lines.append(head if blank else line)
            line = tail if blank else ""
        line += letter
    return [*lines, line]


@cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(str(_FONT), size)
