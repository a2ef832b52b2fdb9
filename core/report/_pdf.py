"""A report as PDF: A4, one page unless the words need more.

Deterministic: the same report at the same time gives the same bytes. The file's own entries hold
case number and time, nothing of a person.
"""

from __future__ import annotations

import io
from datetime import datetime
from threading import Lock
from typing import Any, Final

from PIL import Image
from reportlab.lib.pagesizes import A4
from reportlab.lib.units import mm
from reportlab.lib.utils import ImageReader
from reportlab.pdfbase.pdfdoc import PDFString
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import (
    BaseDocTemplate,
    Flowable,
    Frame,
    NextPageTemplate,
    PageTemplate,
    Spacer,
    Table,
    TableStyle,
)
from reportlab.platypus.doctemplate import LayoutError

from core.errors import ReportError
from core.report import _fonts
from core.report._document import Phrases, ReportDocument, Section, plain, said, strong
from core.report._pdf_parts import (
    ACCENT,
    INK,
    QUIET,
    RULE,
    TINT,
    Figure,
    Sizes,
    one_line,
    paragraph,
    section,
    text_width,
)
from core.text import _

MARGIN: Final = 14 * mm
WIDTH: Final = A4[0] - 2 * MARGIN
_LEFT: Final = 96 * mm
_GAP: Final = 6 * mm
_HEAD: Final = 25 * mm
_LATER_HEAD: Final = 14 * mm
_FOOT: Final = 12 * mm
#: From what reads best to the smallest that still reads well; the first that fits on one page.
_SIZES: Final = tuple(
    Sizes(text, image) for text, image in ((8.6, 92), (8.2, 84), (7.8, 74), (7.4, 66), (7.0, 58))
)
#: reportlab keeps what it has embedded in the font object: one document at a time.
one_at_a_time = Lock()


def to_pdf(document: ReportDocument) -> bytes:
    """See :func:`core.report.to_pdf`."""
    with one_at_a_time:
        _fonts.register()
        for sizes in _SIZES:
            try:
                pages = _build(document, sizes, pages=1, real=False)[1]
            except LayoutError:
                continue
            if pages == 1:
                return _build(document, sizes, pages=1, real=True)[0]
        for side in (True, False):
            try:
                pages = _build(document, _SIZES[0], pages=2, real=False, side=side)[1]
                return _build(document, _SIZES[0], pages=pages, real=True, side=side)[0]
            except LayoutError:
                # Something is too tall to stand beside the image: all goes over the whole width.
                continue
    raise ReportError(_("The report cannot be laid out: shorten what you entered."))


def _build(
    document: ReportDocument, sizes: Sizes, *, pages: int, real: bool, side: bool = True
) -> tuple[bytes, int]:
    out = io.BytesIO()
    template = BaseDocTemplate(
        out,
        pagesize=A4,
        title=document.case_number,
        author="",
        subject="",
        creator="Overread",
        invariant=1,
        pageCompression=1,
        allowSplitting=1,
    )
    template.addPageTemplates(
        [
            _page(document, "first", _HEAD, pages, real),
            _page(document, "later", _LATER_HEAD, pages, real),
        ]
    )
    template.build(
        _story(document, sizes, real=real, side=side),
        canvasmaker=canvas_of(document.made_at, document.language),
    )
    return out.getvalue(), int(template.page)


def canvas_of(made_at: datetime, code: str) -> Any:
    """Return a canvas whose file names language and time of making, and nothing of a person."""
    zone = made_at.strftime("%z")
    stamp = made_at.strftime("D:%Y%m%d%H%M%S") + f"{zone[:3]}'{zone[3:5]}'"

    def make(*arguments: Any, **options: Any) -> Canvas:
        canvas = Canvas(*arguments, **options)
        canvas.setDateFormatter(lambda *_parts: stamp)
        canvas.setProducer("Overread")
        canvas._doc.Catalog.Lang = PDFString(code.replace("_", "-"))
        return canvas

    return make


def _page(document: ReportDocument, name: str, head: float, pages: int, real: bool) -> PageTemplate:
    frame = Frame(
        MARGIN,
        _FOOT + 3 * mm,
        WIDTH,
        A4[1] - head - _FOOT - 12 * mm,
        leftPadding=0,
        rightPadding=0,
        topPadding=0,
        bottomPadding=0,
        id=name,
    )

    def around(canvas: Canvas, template: BaseDocTemplate) -> None:
        canvas.saveState()
        _header(canvas, document, first=name == "first", real=real)
        footer(canvas, document.phrases, document.case_title, int(template.page), pages)
        canvas.restoreState()

    return PageTemplate(id=name, frames=[frame], onPage=around, autoNextPageTemplate="later")


def _header(canvas: Canvas, document: ReportDocument, *, first: bool, real: bool) -> None:
    top = A4[1] - 9 * mm
    side = (18 if first else 9) * mm
    height, width = document.thumbnail.shape[:2]
    ratio = side / max(height, width)
    wide, high = width * ratio, height * ratio
    if real:
        image = ImageReader(Image.fromarray(document.thumbnail))
        canvas.drawImage(image, MARGIN, top - high, wide, high)
    canvas.setStrokeColor(RULE)
    canvas.setLineWidth(0.4)
    canvas.rect(MARGIN, top - high, wide, high, stroke=1, fill=0)
    x = MARGIN + side + 4 * mm
    if not first:
        title = document.phrases.continuation.format(title=document.title)
        one_line(canvas, x, top - 4.2 * mm, strong(document.case_title), 10, INK)
        one_line(canvas, x, top - 8.2 * mm, plain(title), 7.5, QUIET)
    else:
        one_line(canvas, x, top - 4 * mm, strong(document.title), 9, ACCENT)
        one_line(canvas, x, top - 11 * mm, strong(document.case_title), 17, INK)
        one_line(canvas, x, top - 16.2 * mm, document.subtitle, 7.5, QUIET)
    if document.banner:
        size = 7.5
        wide = text_width(document.banner, _fonts.BOLD, size) + 8
        right, y = A4[0] - MARGIN, top - 4.8 * mm
        canvas.setStrokeColor(INK)
        canvas.setLineWidth(0.9)
        canvas.rect(right - wide, y, wide, 12, stroke=1, fill=0)
        one_line(canvas, right - wide + 4, y + 3.4, strong(document.banner), size, INK)


def footer(canvas: Canvas, phrases: Phrases, middle: str, page: int, pages: int) -> None:
    """Write the notice, ``middle`` or that the document goes on, and the number of the page."""
    y = _FOOT - 2.6 * mm
    canvas.setStrokeColor(RULE)
    canvas.setLineWidth(0.5)
    canvas.line(MARGIN, _FOOT + 1 * mm, A4[0] - MARGIN, _FOOT + 1 * mm)
    one_line(canvas, MARGIN, y, strong(phrases.notice), 8, INK)
    number = phrases.page.format(page=page, pages=pages)
    right = A4[0] - MARGIN - text_width(number, _fonts.REGULAR, 7.5)
    one_line(canvas, right, y, plain(number), 7.5, QUIET)
    if page < pages:
        middle = phrases.continued.format(page=page + 1)
    x = A4[0] / 2 - text_width(middle, _fonts.BOLD, 7.5) / 2 + 12 * mm
    one_line(canvas, x, y, strong(middle) if page < pages else plain(middle), 7.5, INK)


def _story(document: ReportDocument, sizes: Sizes, *, real: bool, side: bool) -> list[Flowable]:
    beside = [part for part in document.sections if part.place == "side"] if side else []
    under = [part for part in document.sections if part.place == "under"] if side else []
    rest = [part for part in document.sections if part not in (*beside, *under)]
    left: list[Flowable] = [Figure(document.picture, _LEFT, sizes.image * mm, real=real)]
    captions = sizes.style(scale=0.86, textColor=QUIET)
    left += [paragraph(line, captions) for line in document.picture.captions]
    for part in under:
        left += section(part, sizes, _LEFT)
    right: list[Flowable] = []
    column = WIDTH - _LEFT - _GAP
    for part in beside:
        right += _boxed(part, sizes, column) if part.name == "ai" else section(part, sizes, column)
    top = Table([[left, right]], colWidths=[_LEFT + _GAP, column], hAlign="LEFT")
    top.setStyle(_BARE)
    story: list[Flowable] = [NextPageTemplate("later"), top]
    for part in rest:
        story += section(part, sizes, WIDTH)
    if lacking(document):
        story.append(paragraph(plain(document.phrases.replaced), captions))
    return story


_BARE: Final = TableStyle(
    [
        ("LEFTPADDING", (0, 0), (-1, -1), 0),
        ("RIGHTPADDING", (0, 0), (-1, -1), 0),
        ("TOPPADDING", (0, 0), (-1, -1), 0),
        ("BOTTOMPADDING", (0, 0), (-1, -1), 0),
        ("VALIGN", (0, 0), (-1, -1), "TOP"),
    ]
)


def _boxed(part: Section, sizes: Sizes, width: float) -> list[Flowable]:
    """Return the AI result on a tint of its own, so that nobody takes it for the doctor's words."""
    inner = width - 4 * mm
    table = Table([[section(part, sizes, inner)]], colWidths=[width], hAlign="LEFT")
    table.setStyle(
        TableStyle(
            [
                ("BACKGROUND", (0, 0), (-1, -1), TINT),
                ("LINEBEFORE", (0, 0), (0, -1), 1.6, ACCENT),
                ("LEFTPADDING", (0, 0), (-1, -1), 2.6 * mm),
                ("RIGHTPADDING", (0, 0), (-1, -1), 1.4 * mm),
                ("TOPPADDING", (0, 0), (-1, -1), 1),
                ("BOTTOMPADDING", (0, 0), (-1, -1), 3),
            ]
        )
    )
    return [Spacer(1, 4), table]


def lacking(document: ReportDocument) -> bool:
    """Tell whether the report has characters that the fonts lack."""
    return _fonts.lacks(document.text()) or _fonts.lacks(said(document.subtitle))
