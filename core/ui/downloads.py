"""What leaves the page as files: overlay, mask and the provenance of measurements."""

from __future__ import annotations

import io
import json
from typing import Any

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from PIL.PngImagePlugin import PngInfo

from core.explain import colour_table
from core.lesion import HeatRegionResult, LesionResult
from core.model import Prediction
from core.scan import QualityReport, Scan
from core.text import _
from core.ui.figure import Layers

_NOTICE = "Decision support, not a medical device"
_LESION_RGB = (86, 180, 233)
_HEAT_RGB = (245, 166, 35)

Shaped = LesionResult | HeatRegionResult


def provenance(
    scan: Scan, prediction: Prediction, quality: QualityReport | None = None, reason: str = ""
) -> dict[str, Any]:
    """Return what makes a result again: case, digests, model, operating point.

    Of an image that fails a quality check, or is no scan the model knows, no interval is given, as
    beside the answer.
    """
    failed = [] if quality is None else [check.name.value for check in quality.failed]
    return {
        "case_number": scan.case_number,
        "image_digest": scan.digest,
        "image_width_px": scan.width,
        "image_height_px": scan.height,
        "task": prediction.task,
        "model_version": prediction.version,
        "bundle_digest": prediction.bundle_digest,
        "operating_point": prediction.operating_point.name,
        "operating_threshold": prediction.operating_point.threshold,
        "probability_of": prediction.positive,
        "probability": prediction.probability,
        "calibrated": prediction.calibrated,
        "interval_95": None
        if prediction.interval is None or failed or prediction.refused
        else {
            "low": prediction.interval.low,
            "high": prediction.interval.high,
            "n": prediction.interval.n,
            "positives": prediction.interval.positives,
        },
        "prevalence": prediction.prevalence,
        "known_scan": None if prediction.familiarity is None else prediction.familiarity.known,
        "sure": prediction.sure,
        "synthetic": scan.synthetic,
        "frame": scan.frame + 1,
        "frames": scan.frames,
        "corrections": json.dumps([made.to_dict() for made in scan.corrections]),
        "untouched_image_digest": scan.origin,
        "quality_failed": ", ".join(failed),
        "override_reason": reason,
    }


def overlay_png(scan: Scan, prediction: Prediction, result: Shaped, layers: Layers) -> bytes:
    """Return the scan with its overlays at full size, a caption band below, as PNG.

    The pixels under no overlay are the scan's own; the band below says what the picture is.
    """
    pixels = _rgb(scan)
    if layers.heat and prediction.heat_available:
        pixels = blend_heat(pixels, prediction.heat(), layers.heat_opacity)
    heat_region = not isinstance(result, LesionResult)
    colour = _HEAT_RGB if heat_region else _LESION_RGB
    if layers.mask:
        inside = result.mask > 0
        share = layers.mask_opacity
        blended = pixels[inside] * (1 - share) + np.array(colour, np.float32) * share
        pixels[inside] = np.rint(blended).astype(np.uint8)
    if layers.contour:
        regions = result.regions if isinstance(result, HeatRegionResult) else result.lesions
        for region in regions:
            rings = [ring.reshape(-1, 1, 2) for ring in (region.contour, *region.holes)]
            cv2.polylines(pixels, rings, True, colour, 1, cv2.LINE_AA)
    outline = "heat region, not a lesion" if heat_region else "AI outline, unconfirmed"
    lines = [
        f"Case {scan.case_number}" + (" - SYNTHETIC" if scan.synthetic else ""),
        f"{outline} - map cut at {result.threshold:.2f} - 1:1, {scan.width} x {scan.height} px",
        _shape_words(result),
        f"{prediction.task} {prediction.version} ({prediction.bundle_digest[:12]})",
        _NOTICE,
    ]
    if layers.heat and prediction.heat_available:
        lines.insert(3, f"Heat: Grad-CAM for {prediction.heat_class}, coarse: a check, not proof")
    about = [*lines, f"image {scan.digest}", f"bundle {prediction.bundle_digest}"]
    return _png(_with_band(pixels, lines), about)


def _shape_words(result: Shaped) -> str:
    """Say how a map was shaped, in the words of the controls."""
    c = result.controls
    method = c.method if c.method != "hysteresis" else f"hysteresis down to {c.low:.2f}"
    step = (
        "no morphology"
        if c.operation == "none"
        else f"{c.operation} {c.kernel} {c.size} px x {c.iterations}"
    )
    holes = "holes filled" if c.fill_holes else "holes kept"
    return f"{method}, {step}, {holes}, from {c.minimum_area} px, largest {c.keep_largest}"


def mask_png(scan: Scan, prediction: Prediction, result: Shaped) -> bytes:
    """Return the mask alone at full size, 255 inside, as PNG; what it is stands in its texts."""
    kind = "AI outline, unconfirmed" if isinstance(result, LesionResult) else "heat region"
    about = [
        f"Case {scan.case_number}; image {scan.digest}",
        f"{kind}; controls {result.controls.to_dict()}; map cut at {result.threshold:.4f}",
        f"{prediction.task} {prediction.version} {prediction.bundle_digest}",
        _NOTICE,
    ]
    return _png(result.mask, about)


def blend_heat(
    pixels: NDArray[np.uint8], heat: NDArray[np.float32], opacity: float
) -> NDArray[np.uint8]:
    """Lay heat over an RGB picture: nothing where there is no heat, ``opacity`` where it peaks."""
    colours = colour_map(heat)
    share = (heat * opacity)[..., None]
    return np.asarray(np.rint(pixels * (1 - share) + colours * share), np.uint8)


def colour_map(heat: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return heat (H, W) 0..1 in the perceptually uniform map Inferno, (H, W, 3) RGB."""
    level = np.rint(np.clip(heat, 0, 1) * 255).astype(np.uint8)
    return colour_table(False)[level]


def table_on_screen(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the measurements with names and precision for reading."""
    names = {"number": _("No.")}
    # Both, where one outline lies in a calibrated region and another one crosses its edge.
    for unit in ("mm", "px"):
        names |= {
            f"area_{unit}2": _("Area {unit}²").format(unit=unit),
            f"longest_chord_{unit}": _("Longest chord {unit}").format(unit=unit),
            f"perpendicular_chord_{unit}": _("Perpendicular {unit}").format(unit=unit),
            f"perimeter_{unit}": _("Perimeter {unit}").format(unit=unit),
        }
    names |= {
        "depth_to_width": _("Depth / width"),
        "circularity": _("Circularity"),
        "solidity": _("Solidity"),
        "orientation_degrees": _("Orientation °"),
        "margin_irregularity": _("Margin irregularity"),
        "echogenicity_grey_levels": _("Echogenicity vs ring (grey levels)"),
        "touches_border": _("Touches edge"),
    }
    present = [name for name in names if name in frame.columns]
    return frame[present].round(2).rename(columns=names)


def _rgb(scan: Scan) -> NDArray[np.uint8]:
    pixels = scan.pixels
    if pixels.ndim == 2:
        return np.repeat(pixels[..., None], 3, axis=2)
    return pixels.copy()


def _with_band(pixels: NDArray[np.uint8], lines: list[str]) -> NDArray[np.uint8]:
    font = ImageFont.load_default(13)
    band = Image.new("RGB", (max(pixels.shape[1], 420), 18 * len(lines) + 8), (0, 0, 0))
    pen = ImageDraw.Draw(band)
    for i, line in enumerate(lines):
        pen.text((6, 4 + 18 * i), line, (230, 230, 230), font)
    canvas = np.zeros((pixels.shape[0] + band.height, band.width, 3), np.uint8)
    canvas[: pixels.shape[0], : pixels.shape[1]] = pixels
    canvas[pixels.shape[0] :] = np.asarray(band)
    return canvas


def _png(pixels: NDArray[np.uint8], about: list[str]) -> bytes:
    info = PngInfo()
    info.add_text("Description", "; ".join(about))
    return _encode(Image.fromarray(pixels), info)


def _encode(picture: Image.Image, info: PngInfo | None = None) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", compress_level=4, pnginfo=info)
    return buffer.getvalue()
