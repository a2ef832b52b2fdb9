"""The parts of a PDF page: the image with what lies over it, and sections of text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from PIL import Image
from reportlab.lib.colors import Color, HexColor
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.lib.utils import ImageReader
from reportlab.pdfbase.pdfmetrics import stringWidth
from reportlab.platypus import Flowable, KeepTogether, Paragraph, Spacer, Table, TableStyle

from core.report._document import Grid, Picture, Section, Shape, Words, plain, strong
from core.report._fonts import BOLD, REGULAR, markup, shown

INK: Final = HexColor("#16202b")
QUIET: Final = HexColor("#55606c")
RULE: Final = HexColor("#c3cad2")
TINT: Final = HexColor("#f1f4f7")
ACCENT: Final = HexColor("#0b5a7d")
_DARK: Final = Color(0, 0, 0, alpha=0.75)
_COLOURS: Final = {
    "outline": HexColor("#56b4e9"),
    "chord": HexColor("#ffffff"),
    "caliper": HexColor("#f5c843"),
}
_WIDTHS: Final = {"outline": 0.9, "chord": 0.4, "caliper": 0.7}


@dataclass(frozen=True, slots=True)
class Sizes:
    """How large everything is: text in points, image in millimetres."""

    text: float
    image: float

    def style(self, *, scale: float = 1.0, after: float = 0.18, **changes: Any) -> ParagraphStyle:
        """Return a paragraph style; ``wordWrap`` breaks Chinese between any two letters."""
        size = self.text * scale
        values = {
            "fontName": REGULAR,
            "fontSize": size,
            "leading": size * 1.34,
            "spaceAfter": size * after,
            "textColor": INK,
            "wordWrap": "CJK",
            "splitLongWords": 1,
        }
        return ParagraphStyle("overread", **{**values, **changes})


def paragraph(words: Words, style: ParagraphStyle) -> Paragraph:
    """Return a paragraph of escaped words."""
    text = markup(words)
    if style.wordWrap == "CJK" and not any(c >= "\u2e80" for c in text):
        # The rule for Chinese may part a Latin word; where there is no Chinese, the other one
        # breaks at spaces and parts only what is longer than a line, as a digest.
        style = style.clone("latin", wordWrap=None)
    return Paragraph(text, style)


class Figure(Flowable):  # type: ignore[misc]  # reportlab has no types
    """The image with outlines, calipers and scale bars.

    The image goes in pixel for pixel, without loss; lines are drawn over it as lines.
    """

    def __init__(self, picture: Picture, width: float, height: float, *, real: bool) -> None:
        super().__init__()
        self.picture, self.real = picture, real
        upright = any(bar.upright for bar in picture.bars)
        self._aside = 11 * mm if upright else 0.0
        scale = min((width - self._aside) / picture.width, height / picture.height)
        self._scale, self._below = scale, 5.2 * mm
        self.width = width
        self.height = picture.height * scale + self._below

    def wrap(self, _width: float, _height: float) -> tuple[float, float]:
        """Return the space it takes."""
        return self.width, self.height

    def draw(self) -> None:
        """Draw it; in a trial run only the space counts."""
        pen, picture = self.canv, self.picture
        width, height = picture.width * self._scale, picture.height * self._scale
        if self.real:
            image = ImageReader(Image.fromarray(picture.pixels))
            pen.drawImage(image, 0, self._below, width, height)
        pen.saveState()
        box = pen.beginPath()
        box.rect(0, self._below, width, height)
        pen.clipPath(box, stroke=0, fill=0)
        for shape in picture.shapes:
            self._line(shape)
        for shape in picture.shapes:
            self._label(shape, width)
        pen.restoreState()
        self._bars(width)

    def _points(self, shape: Shape) -> np.ndarray[Any, np.dtype[np.float64]]:
        x = shape.points[:, 0] * self._scale
        y = self._below + (self.picture.height - shape.points[:, 1]) * self._scale
        return np.column_stack([x, y])

    def _line(self, shape: Shape) -> None:
        pen, points = self.canv, self._points(shape)
        path = pen.beginPath()
        path.moveTo(*points[0])
        for x, y in points[1:]:
            path.lineTo(x, y)
        if shape.closed:
            path.close()
        ends = points[:0] if shape.closed or shape.kind == "chord" else points
        width = _WIDTHS[shape.kind]
        # A dark rim keeps a line in sight on bright tissue, and on paper without colour.
        for colour, wide in ((_DARK, width + 0.7), (_COLOURS[shape.kind], width)):
            pen.setStrokeColor(colour)
            pen.setLineWidth(wide)
            pen.setDash(2, 2) if shape.kind == "chord" else pen.setDash()
            pen.drawPath(path, stroke=1, fill=0)
            pen.setDash()
            for x, y in ends:
                pen.line(x - 2.5, y, x + 2.5, y)
                pen.line(x, y - 2.5, x, y + 2.5)

    def _label(self, shape: Shape, width: float) -> None:
        if not shape.label:
            return
        pen, points = self.canv, self._points(shape)
        wide = stringWidth(shape.label, BOLD, 6.5) + 3
        right, top = points[:, 0].max(), points[:, 1].max()
        x = min(max(right + 1.5, 0), width - wide)
        y = min(max(top, self._below), self.height - 9)
        pen.setFillColor(_DARK)
        pen.rect(x, y, wide, 8.5, stroke=0, fill=1)
        pen.setFillColor(_COLOURS[shape.kind])
        pen.setFont(BOLD, 6.5)
        pen.drawString(x + 1.5, y + 2, shape.label)

    def _bars(self, width: float) -> None:
        pen = self.canv
        pen.setStrokeColor(INK)
        pen.setFillColor(INK)
        pen.setLineWidth(1.1)
        pen.setFont(REGULAR, 7)
        for bar in self.picture.bars:
            long = bar.pixels * self._scale
            if bar.upright:
                x, y = width + 2 * mm, self._below
                pen.line(x, y, x, y + long)
                for end in (y, y + long):
                    pen.line(x - 1.6, end, x + 1.6, end)
                pen.drawString(x + 2, y + long / 2 - 2, bar.label)
            else:
                y = self._below - 2.4 * mm
                pen.line(0.6, y, 0.6 + long, y)
                for end in (0.6, 0.6 + long):
                    pen.line(end, y - 1.6, end, y + 1.6)
                pen.drawString(long + 2 * mm, y - 2.2, bar.label)


def section(part: Section, sizes: Sizes, width: float) -> list[Flowable]:
    """Return one section; its heading never stands alone at the end of a page."""
    small = part.place == "small"
    scale = 0.82 if small else 1.0
    colour = QUIET if small else INK
    body = sizes.style(scale=scale, textColor=colour)
    heading = sizes.style(scale=0.94, textColor=ACCENT, spaceBefore=sizes.text * 0.7)
    made: list[Flowable] = [paragraph(strong(part.heading), heading)]
    if part.headline:
        made.append(
            paragraph(strong(part.headline), sizes.style(scale=1.4, leading=sizes.text * 1.7))
        )
    made += _rows(part, sizes, body, width)
    for line in part.lines:
        words = (*plain("•  "), *line) if part.bulleted else line
        made.append(paragraph(words, body))
    if part.warning:
        made.append(_framed(part.warning, sizes, width))
    if part.grid is not None:
        made.append(_grid(part.grid, sizes, width))
        made.append(Spacer(1, sizes.text * 0.2))
    made += [paragraph(note, sizes.style(scale=0.86, textColor=QUIET)) for note in part.notes]
    if part.place in ("side", "under"):
        # Inside a column, which is never torn apart.
        return made
    return [KeepTogether(made[:2]), *made[2:]]


def _rows(part: Section, sizes: Sizes, body: ParagraphStyle, width: float) -> list[Flowable]:
    if not part.rows:
        return []
    if part.place in ("below", "small"):
        # Long texts: the name runs into the text, which may go on over a page.
        return [paragraph((*strong(name), *plain("  "), *value), body) for name, value in part.rows]
    name_width = 0.38 * width
    quiet = sizes.style(textColor=QUIET, after=0)
    value_style = sizes.style(after=0)
    table = Table(
        [[paragraph(plain(n), quiet), paragraph(v, value_style)] for n, v in part.rows],
        colWidths=[name_width, width - name_width],
        hAlign="LEFT",
    )
    table.setStyle(_TIGHT)
    return [table, Spacer(1, sizes.text * 0.25)]


_TIGHT: Final = TableStyle(
    [
        ("LEFTPADDING", (0, 0), (-1, -1), 0),
        ("RIGHTPADDING", (0, 0), (-1, -1), 3),
        ("TOPPADDING", (0, 0), (-1, -1), 0),
        ("BOTTOMPADDING", (0, 0), (-1, -1), 0.6),
        ("VALIGN", (0, 0), (-1, -1), "TOP"),
    ]
)


def _framed(text: str, sizes: Sizes, width: float) -> Table:
    table = Table(
        [[paragraph(strong(text), sizes.style(after=0))]], colWidths=[width], hAlign="LEFT"
    )
    table.setStyle(
        TableStyle(
            [
                ("BOX", (0, 0), (-1, -1), 0.9, INK),
                ("LEFTPADDING", (0, 0), (-1, -1), 5),
                ("TOPPADDING", (0, 0), (-1, -1), 2),
                ("BOTTOMPADDING", (0, 0), (-1, -1), 3),
            ]
        )
    )
    return table


def _grid(grid: Grid, sizes: Sizes, width: float) -> Table:
    head = sizes.style(scale=0.86, textColor=QUIET, after=0)
    cell = sizes.style(after=0)
    columns = len(grid.header)
    first = min(18.0, width / columns)
    rest = (width - first) / (columns - 1)
    body = [
        [paragraph(strong(row[0]), cell), *(paragraph(plain(value), cell) for value in row[1:])]
        for row in grid.rows
    ]
    table = Table(
        [[paragraph(plain(name), head) for name in grid.header], *body],
        colWidths=[first, *[rest] * (columns - 1)],
        repeatRows=1,
        hAlign="LEFT",
    )
    table.setStyle(
        TableStyle(
            [
                ("LEFTPADDING", (0, 0), (-1, -1), 0),
                ("RIGHTPADDING", (0, 0), (-1, -1), 3),
                ("TOPPADDING", (0, 0), (-1, -1), 1),
                ("BOTTOMPADDING", (0, 0), (-1, -1), 1.6),
                ("VALIGN", (0, 0), (-1, -1), "TOP"),
                ("LINEBELOW", (0, 0), (-1, 0), 0.6, RULE),
                ("LINEBELOW", (0, 1), (-1, -2), 0.3, RULE),
            ]
        )
    )
    return table


def text_width(text: str, font: str, size: float) -> float:
    """Return the width of a line, in points."""
    return float(stringWidth(shown(text), font, size))


def one_line(canvas: Any, x: float, y: float, words: Words, size: float, colour: Color) -> None:
    """Write one line on a page; it is cut by nothing, so it must be short."""
    style = Sizes(size, 0).style(after=0, textColor=colour, wordWrap=None)
    line = paragraph(words, style)
    line.wrap(10_000, 100)
    # A paragraph is placed by its lower edge; its first line sits one size below the upper one.
    line.drawOn(canvas, x, y - (style.leading - size))
