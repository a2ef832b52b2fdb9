"""Reads of phantoms with every entry known beforehand, and what a printed page holds."""

from __future__ import annotations

import base64
import re
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from functools import cache
from typing import Any

import numpy as np
import pypdfium2 as pdfium
from numpy.typing import NDArray

from core.lesion import Lesion, lesion_from_mask, mask_from_polygon, measure_by_hand
from core.model import Geometry, Interval, OperatingPoint, Prediction
from core.report import ReportInput
from core.review import (
    BiRads,
    CaseContext,
    EchoPattern,
    Laterality,
    LesionMargin,
    LesionOrientation,
    LesionShape,
    Origin,
    PosteriorFeatures,
    Problem,
    Verdict,
)
from core.scan import Correction, LesionSpec, Note, PhantomSpec, Scan, make_phantom

MADE_AT = datetime(2026, 11, 25, 9, 30, tzinfo=timezone(timedelta(hours=8)))
#: 100 x 60 pixels, 50 by 30 mm: its longest chord runs from edge to edge, over 100 x 59 pixels,
#: so 58.05 mm, and the chord at a right angle to it is 60 / sin 59.46° = 69.67 pixels, 34.83 mm.
BOX = ((60.0, 40.0), (159.0, 40.0), (159.0, 99.0), (60.0, 99.0))


def phantom(seed: int = 1, **changes: Any) -> Scan:
    """Return a synthetic scan of 320 x 240 pixels, half a millimetre each."""
    return replace(_phantom(seed), **changes)


@cache
def _phantom(seed: int) -> Scan:
    spec = PhantomSpec(320, 240, depth_mm=120.0, lesion=LesionSpec(width_mm=40, height_mm=25))
    return make_phantom(spec, seed).scan


def prediction(scan: Scan, **changes: Any) -> Prediction:
    """Make an answer of a model that never ran: 20 % malignant, not flagged at 35 %."""
    side = max(scan.width, scan.height)
    made = Prediction(
        task="breast-ultrasound",
        version="7.0",
        bundle_digest="d" * 64,
        image_digest=scan.digest,
        labels=("normal", "benign", "malignant"),
        positive="malignant",
        probabilities={"normal": 0.17, "benign": 0.63, "malignant": 0.2},
        probability=0.2,
        operating_point=OperatingPoint("balanced", 0.35, 0.81, 0.74, (0.7, 0.88), (0.66, 0.8), 292),
        flagged=False,
        answer="benign",
        interval=Interval(0.12, 0.31, 41, 8, 0.15, 0.25),
        calibrated=True,
        prevalence=0.3,
        heat_class="malignant",
        has_lesion_map=True,
        heat_available=True,
        network_heat=np.zeros((side, side), np.float32),
        network_lesion=np.zeros((side, side), np.float32),
        geometry=Geometry(scan.height, scan.width, side, 0, 0, scan.height, scan.width),
    )
    return replace(made, **changes)


def lesion(scan: Scan, corners: tuple[tuple[float, float], ...] = BOX) -> Lesion:
    """Measure what was drawn."""
    mask = mask_from_polygon(corners, (scan.height, scan.width))
    return lesion_from_mask(mask, scan.grey, spacing=scan.spacing_at)


CONTEXT = CaseContext(
    pseudonym="P-0173",
    age=52,
    laterality=Laterality.LEFT,
    clock=2,
    distance_mm=35.0,
    indication="Palpable lump 触及肿块",
    history="Fibroadenoma removed in 2019",
    birads=BiRads.MODERATE_SUSPICION,
    shape=LesionShape.IRREGULAR,
    orientation=LesionOrientation.NOT_PARALLEL,
    margins=(LesionMargin.SPICULATED, LesionMargin.INDISTINCT),
    echo_pattern=EchoPattern.HYPOECHOIC,
    posterior=PosteriorFeatures.SHADOWING,
)
QUALITY = {
    "checks": [
        {
            "name": "contrast",
            "outcome": "warn",
            "value": 31,
            "threshold": 35,
            "unit": "grey levels",
        },
        {"name": "panels", "outcome": "pass", "value": 1, "threshold": 1, "unit": "pictures"},
    ]
}


#: The same, of an image that fails.
FAILED = {
    "checks": [
        {"name": "blur", "outcome": "fail", "value": 0.11, "threshold": 0.25, "unit": "ratio"},
        *QUALITY["checks"],
    ]
}


def full(**changes: Any) -> ReportInput:
    """Return a read in which everything was entered; ``changes`` win."""
    scan = changes.get("scan") or phantom(
        corrections=(Correction.make("crop", left=11, top=13, width=320, height=240),),
        origin="a" * 64,
        notes=(Note.BURNED_IN,),
        frame=3,
        frames=40,
    )
    values: dict[str, Any] = {
        "scan": scan,
        "made_at": MADE_AT,
        "author": "Dr. Li 李明",
        "role": "clinician",
        "prediction": prediction(scan),
        "intended_use": "A second reading of single images.",
        "limits": ("Not for screening.", "Learned from two hospitals."),
        "outline": "accepted",
        "lesions": (lesion(scan),),
        "context": CONTEXT,
        "verdict": Verdict.REJECT,
        "label": "malignant",
        "origin": Origin.BIOPSY,
        "confidence": 4,
        "problems": (Problem.WRONG_CLASS,),
        "comment": "Core biopsy advised. 建议活检。",
        "quality": QUALITY,
        "measures": (measure_by_hand("distance", ((10, 200), (50, 230)), scan),),
    }
    return ReportInput(**{**values, **changes})


def squeezed(text: str) -> str:
    """Return text without any space, so that line breaks do not matter."""
    return re.sub(r"\s", "", text)


def pages_of(pdf: bytes) -> list[str]:
    """Return the text of each page, without spaces."""
    document = pdfium.PdfDocument(pdf)
    try:
        return [squeezed(page.get_textpage().get_text_bounded()) for page in document]
    finally:
        document.close()


def images_of(pdf: bytes) -> list[NDArray[np.uint8]]:
    """Return the pixels of every image on the first page, the largest first."""
    document = pdfium.PdfDocument(pdf)
    try:
        found = [
            np.array(item.get_bitmap(render=False).to_numpy()).squeeze()
            for item in document[0].get_objects(filter=[pdfium.raw.FPDF_PAGEOBJ_IMAGE])
        ]
    finally:
        document.close()
    return sorted(found, key=lambda pixels: -pixels.size)


def picture_of(pdf: bytes, page: int = 0) -> NDArray[np.uint8]:
    """Return the page as it looks, RGB at 144 dpi."""
    document = pdfium.PdfDocument(pdf)
    try:
        return np.array(document[page].render(scale=2).to_pil().convert("RGB"))
    finally:
        document.close()


def image_in(picture: NDArray[np.uint8], grey: int) -> tuple[int, int, int, int]:
    """Return left, top, right, bottom of the image of one grey level on a page, without the head.

    Right and bottom are the first beyond it.
    """
    below = np.abs(picture[150:].astype(int) - grey).max(axis=2) < 3
    rows, columns = np.nonzero(below)
    return columns.min(), rows.min() + 150, columns.max() + 1, rows.max() + 151


def in_colour(picture: NDArray[np.uint8], rgb: tuple[int, int, int]) -> int:
    """Count pixels close to a colour."""
    return int((np.abs(picture.astype(int) - rgb).max(axis=2) < 30).sum())


def pngs_of(html: bytes) -> list[bytes]:
    """Return the images inside an HTML file."""
    found = re.findall(rb"data:image/png;base64,([A-Za-z0-9+/=]+)", html)
    return [base64.b64decode(each) for each in found]
