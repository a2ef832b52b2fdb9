"""A report as one HTML file: nothing outside it is needed, and nothing in it runs.

Every text is escaped by the template engine, and a content security policy in the file itself
forbids whatever might slip through: scripts, and anything from another address.
"""

from __future__ import annotations

import base64
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from numpy.typing import NDArray

from core.report._document import ReportDocument, Shape, said
from core.report._text import clean
from core.scan import encode_png

_HERE = Path(__file__).resolve().parent


def to_html(document: ReportDocument) -> bytes:
    """See :func:`core.report.to_html`."""
    picture = document.picture
    bars = [
        {
            "label": bar.label,
            "upright": bar.upright,
            "share": _number(100 * bar.pixels / (picture.height if bar.upright else picture.width)),
        }
        for bar in picture.bars
    ]
    text: str = template("report.html").render(
        report=document,
        picture=picture,
        lang=document.language.replace("_", "-"),
        style=style_sheet(),
        image=data_uri(picture.pixels),
        thumbnail=data_uri(document.thumbnail),
        shapes=[_shape(shape, picture.width, picture.height) for shape in picture.shapes],
        drawn=said(picture.captions[0]) if picture.captions else "",
        letter=_number(max(picture.width, picture.height) / 38),
        ratio=_number(picture.width / picture.height),
        bars=bars,
        upright=any(bar.upright for bar in picture.bars),
    )
    return text.encode("utf-8")


def data_uri(pixels: NDArray[np.uint8]) -> str:
    """Return pixels as a PNG inside an address, without loss."""
    return "data:image/png;base64," + base64.b64encode(encode_png(pixels)).decode("ascii")


def style_sheet() -> Markup:
    """Return the style sheet: our own file, the one text that is not escaped."""
    return Markup((_HERE / "report.css").read_text(encoding="utf-8"))  # noqa: S704


@cache
def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(_HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["clean"] = clean
    return made


def template(name: str) -> Any:
    """Return a template of this room; its autoescape is on for every file."""
    return _environment().get_template(name)


def _shape(shape: Shape, width: int, height: int) -> dict[str, str]:
    points = shape.points
    path = "M" + "L".join(f"{_number(x)} {_number(y)}" for x, y in points)
    if shape.kind == "caliper" and not shape.closed:
        arm = max(width, height) / 120
        for x, y in points:
            path += f"M{_number(x - arm)} {_number(y)}H{_number(x + arm)}"
            path += f"M{_number(x)} {_number(y - arm)}V{_number(y + arm)}"
    size = max(width, height) / 38
    return {
        "kind": shape.kind,
        "label": shape.label,
        "path": path + ("Z" if shape.closed else ""),
        "x": _number(min(float(points[:, 0].max()) + size / 4, width - size)),
        "y": _number(max(float(points[:, 1].min()), size)),
    }


def _number(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")
