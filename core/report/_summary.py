"""A printed summary of many scans: counts on top, then a table over as many pages as it takes."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from PIL import Image
from reportlab.lib.pagesizes import A4
from reportlab.lib.units import mm
from reportlab.platypus import (
    BaseDocTemplate,
    Flowable,
    Frame,
    PageTemplate,
    Spacer,
    Table,
    TableStyle,
)
from reportlab.platypus import Image as Picture

from core.model import (
    class_name,
    flag_words,
    flags_from,
    no_interval,
    no_scan,
    not_excluded,
    not_sure,
    not_sure_means,
    prevalence_words,
    unknown_means,
    unknown_scan,
)
from core.report import _fonts
from core.report._batch import BatchRow, BatchState, counts
from core.report._document import Words, plain, strong
from core.report._html import data_uri, style_sheet, template
from core.report._make import phrases, stamp
from core.report._measures import length
from core.report._pdf import MARGIN, WIDTH, canvas_of, footer, one_at_a_time
from core.report._pdf_parts import INK, QUIET, RULE, TINT, Sizes, one_line, paragraph
from core.scan import hardly_a_scan, untested_words
from core.text import _, apart, language, ngettext, percent

_SIDE: Final = 13 * mm
_SIZES: Final = Sizes(7.6, 0)


@dataclass(frozen=True, slots=True)
class _Line:
    """One row, in words."""

    number: int
    row: BatchRow
    case: Words
    state: Words
    answer: tuple[Words, ...]
    quality: Words
    outline: Words


def batch_summary_pdf(
    rows: Sequence[BatchRow], *, made_at: datetime, author: str = "", role: str = ""
) -> bytes:
    """See :func:`core.report.batch_summary_pdf`."""
    with one_at_a_time:
        _fonts.register()
        subtitle = stamp(made_at, author, role)
        pages = _build(rows, subtitle, made_at, 1)[1]
        return _build(rows, subtitle, made_at, pages)[0]


def batch_summary_html(
    rows: Sequence[BatchRow], *, made_at: datetime, author: str = "", role: str = ""
) -> bytes:
    """See :func:`core.report.batch_summary_html`."""
    lines = [_line(number, row) for number, row in enumerate(rows, start=1)]
    text: str = template("summary.html").render(
        lang=language().replace("_", "-"),
        title=_title(),
        subtitle=stamp(made_at, author, role),
        facts=_facts(rows),
        header=_header(),
        lines=lines,
        banner=_banner(rows),
        notes=_notes(rows),
        notice=phrases().notice,
        style=style_sheet(),
        uri=data_uri,
    )
    return text.encode("utf-8")


def _title() -> str:
    return _("Summary of many scans")


def _banner(rows: Sequence[BatchRow]) -> str:
    n = sum(row.synthetic for row in rows)
    if not n:
        return ""
    return ngettext("{n} is a SYNTHETIC PHANTOM", "{n} are SYNTHETIC PHANTOMS", n).format(n=n)


def _facts(rows: Sequence[BatchRow]) -> list[tuple[str, str]]:
    found = counts(rows)
    return [
        (_("In all"), str(found["all"])),
        (_("Flagged"), str(found["flagged"])),
        *([(_("Not sure"), str(found["unsure"]))] if any(r.sure is not None for r in rows) else []),
        *(
            (state_words(state), str(found[state.value]))
            for state in BatchState
            if state is not BatchState.NOT_KNOWN or any(row.known is not None for row in rows)
        ),
    ]


def state_words(state: BatchState) -> str:
    """Return what a state means."""
    return {
        BatchState.READ: _("Read by the AI"),
        BatchState.QUALITY_FAILED: _("Not read: quality check failed"),
        BatchState.NOT_KNOWN: unknown_scan(),
        BatchState.NOT_READ: _("Not read: no AI result"),
        BatchState.NOT_DECODED: _("Not decoded"),
    }[state]


def _header() -> tuple[str, ...]:
    return ("", "", _("Case"), _("AI result"), _("Image quality"), _("Largest AI outline"))


def _line(number: int, row: BatchRow) -> _Line:
    case = [*strong(row.case_number or _("No case number"))]
    if row.frames is not None and row.frames > 1:
        case += plain("\n" + _("Frame {n} of {count}").format(n=row.frame, count=row.frames))
    if row.synthetic:
        case += plain("\n" + _("Synthetic phantom"))
    outline = ""
    if row.longest is not None and row.perpendicular is not None:
        size = f"{length(row.longest, row.unit)} × {length(row.perpendicular, row.unit)}"
        outline = f"{size}\n" + _("AI outline, unconfirmed")
    quality = {"": "–", "pass": _("pass"), "warn": _("warning"), "fail": _("failed")}[row.quality]
    if row.quality_failed:
        quality = _("{head}: {rest}").format(head=quality, rest=", ".join(row.quality_failed))
    return _Line(
        number=number,
        row=row,
        case=tuple(case),
        state=plain(state_words(row.state)),
        answer=_answer(row),
        quality=plain(quality),
        outline=plain(outline or "–"),
    )


def _answer(row: BatchRow) -> tuple[Words, ...]:
    if row.probability is None:
        lines = [strong(state_words(row.state))]
        if row.state is BatchState.NOT_KNOWN:
            lines.append(plain(unknown_means(row.unknown)))
        return (*lines, plain(row.reason)) if row.reason else tuple(lines)
    title = flag_words(row.positive, flagged=bool(row.flagged))
    unsure = row.sure is False and row.known is not False
    shown = apart(row.probability, row.threshold or row.probability)[0]
    words = f" · {shown}"
    if row.calibrated is False:
        words += " " + _("(not calibrated)")
    lines = [*_doubts(row), (*strong(not_sure() if unsure else title), *plain(words))]
    if unsure:
        lines.append(plain(not_sure_means(row.positive, flagged=bool(row.flagged))))
    lines.append(plain(_interval(row)))
    if row.at_site is not None:
        lines.append(
            plain(
                _("At this site ({few} {label}): {shifted}").format(
                    few=prevalence_words(row.at_site.prevalence),
                    label=class_name(row.positive),
                    shifted=row.at_site.words,
                )
            )
        )
    if not row.flagged:
        lines.append(plain(not_excluded(row.answer)))
    if row.reason:
        lines.append(plain(_("Reason given: {reason}").format(reason=row.reason)))
    return tuple(lines)


def _doubts(row: BatchRow) -> list[Words]:
    """Return what stands before an answer to a picture that should not have been read."""
    lines = []
    if row.known is False:
        lines += [strong(unknown_scan()), strong(unknown_means(row.unknown))]
    if hardly_a_scan(row.failed):
        lines.append(strong(no_scan()))
    if row.failed:
        lines.append(strong(untested_words(row.failed)))
    return lines


def _interval(row: BatchRow) -> str:
    if row.failed or row.known is False:
        return no_interval()
    if row.low is None or row.high is None:
        return _("no interval")
    return _("95% interval {low}–{high}, n = {n}").format(
        low=percent(row.low), high=percent(row.high), n=row.n
    )


def _notes(rows: Sequence[BatchRow]) -> list[Words]:
    """Return what holds for all: prevalence, operating point and model of each kind of answer."""
    lines = []
    kinds = {
        (r.task, r.version, r.bundle_digest, r.prevalence, r.operating_point, r.threshold)
        for r in rows
        if r.probability is not None
    }
    for task, version, digest, prevalence, point, threshold in sorted(kinds, key=repr):
        words = _("Model {task} {version}, digest {digest}.").format(
            task=task, version=version, digest=digest
        )
        if threshold is not None:
            sentence = flags_from(percent(threshold), point)
            words += " " + _("{sentence}.").format(sentence=sentence)
        if prevalence is None:
            words += " " + _("The prevalence this number holds for is not known.")
        else:
            words += " " + _("Probabilities hold where {study} are positive.").format(
                study=percent(prevalence)
            )
        lines.append(plain(words))
    lines.append(
        plain(
            _(
                "No outline here was confirmed by a person. The numbers are the positions in the "
                "list; the CSV of the same list has the digest of every image."
            )
        )
    )
    return lines


def _build(
    rows: Sequence[BatchRow], subtitle: str, made_at: datetime, pages: int
) -> tuple[bytes, int]:
    out = io.BytesIO()
    said, template_ = (
        phrases(),
        BaseDocTemplate(
            out, pagesize=A4, title=_title(), author="", subject="", creator="Overread", invariant=1
        ),
    )
    top = A4[1] - 22 * mm
    frame = Frame(
        MARGIN,
        15 * mm,
        WIDTH,
        top - 15 * mm,
        leftPadding=0,
        rightPadding=0,
        topPadding=0,
        bottomPadding=0,
    )

    def around(canvas: Any, template: BaseDocTemplate) -> None:
        one_line(canvas, MARGIN, A4[1] - 13 * mm, strong(_title()), 13, INK)
        one_line(canvas, MARGIN, A4[1] - 17.5 * mm, plain(subtitle), 7.5, QUIET)
        footer(canvas, said, "", int(template.page), pages)

    template_.addPageTemplates([PageTemplate(id="page", frames=[frame], onPage=around)])
    template_.build(_story(rows), canvasmaker=canvas_of(made_at, language()))
    return out.getvalue(), int(template_.page)


def _story(rows: Sequence[BatchRow]) -> list[Flowable]:
    body, quiet = _SIZES.style(after=0), _SIZES.style(after=0.3, textColor=QUIET)
    facts, large = _facts(rows), _SIZES.style(scale=1.8, after=0)
    table = Table(
        [
            [paragraph(strong(value), large) for _name, value in facts],
            [paragraph(plain(name), quiet) for name, _value in facts],
        ],
        colWidths=[WIDTH / len(facts)] * len(facts),
    )
    table.setStyle(
        TableStyle([("BACKGROUND", (0, 0), (-1, -1), TINT), ("VALIGN", (0, 0), (-1, -1), "TOP")])
    )
    story: list[Flowable] = [table, Spacer(1, 6)]
    if _banner(rows):
        story.append(paragraph(strong(_banner(rows)), body))
    story += [paragraph(line, quiet) for line in _notes(rows)]
    story.append(Spacer(1, 4))
    lines = [_line(number, row) for number, row in enumerate(rows, start=1)]
    cells = [
        [
            paragraph(plain(str(line.number)), quiet),
            _thumbnail(line.row),
            paragraph(line.case, body),
            [paragraph(words, body) for words in line.answer],
            paragraph(line.quality, body),
            paragraph(line.outline, body),
        ]
        for line in lines
    ]
    head = [paragraph(plain(name), quiet) for name in _header()]
    widths = [9 * mm, _SIDE + 2 * mm, 31 * mm, 62 * mm, 34 * mm]
    grid = Table([head, *cells], colWidths=[*widths, WIDTH - sum(widths)], repeatRows=1)
    grid.setStyle(
        TableStyle(
            [
                ("LEFTPADDING", (0, 0), (-1, -1), 0),
                ("RIGHTPADDING", (0, 0), (-1, -1), 4),
                ("TOPPADDING", (0, 0), (-1, -1), 2),
                ("BOTTOMPADDING", (0, 0), (-1, -1), 2),
                ("VALIGN", (0, 0), (-1, -1), "TOP"),
                ("LINEBELOW", (0, 0), (-1, 0), 0.7, RULE),
                ("LINEBELOW", (0, 1), (-1, -1), 0.3, RULE),
            ]
        )
    )
    story.append(grid)
    if any(_fonts.lacks(row.reason) for row in rows):
        story.append(paragraph(plain(phrases().replaced), quiet))
    return story


def _thumbnail(row: BatchRow) -> Flowable:
    if row.thumbnail is None:
        return Spacer(1, 1)
    height, width = row.thumbnail.shape[:2]
    scale = _SIDE / max(height, width)
    kept = io.BytesIO()
    Image.fromarray(row.thumbnail).save(kept, "PNG")
    kept.seek(0)
    return Picture(kept, width * scale, height * scale)
