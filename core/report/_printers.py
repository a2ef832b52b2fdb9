"""The printers, loaded when something is printed: reportlab alone would cost every start 0.1 s."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from core.report._batch import BatchRow
from core.report._document import ReportDocument


def to_pdf(document: ReportDocument) -> bytes:
    """Return the report as PDF: A4, one page unless the words need more.

    Text that does not fit on one page, even at the smallest size that reads well, goes on at the
    largest size over further pages, each of which says that it goes on. The same report gives the
    same bytes.

    Raises
    ------
    ReportError
        The fonts are missing, or it cannot be laid out.
    """
    from core.report import _pdf

    return _pdf.to_pdf(document)


def to_html(document: ReportDocument) -> bytes:
    """Return the report as one HTML file (UTF-8), image inside, with a style sheet for print."""
    from core.report import _html

    return _html.to_html(document)


def batch_summary_pdf(
    rows: Sequence[BatchRow], *, made_at: datetime, author: str = "", role: str = ""
) -> bytes:
    """Return a summary of many scans as PDF, in the language in force.

    Parameters
    ----------
    rows
        In the order they are to be listed.
    made_at, author, role
        As in :class:`~core.report.ReportInput`.

    Raises
    ------
    ReportError
        The time has no time zone, or the fonts are missing.
    """
    from core.report import _summary

    return _summary.batch_summary_pdf(rows, made_at=made_at, author=author, role=role)


def batch_summary_html(
    rows: Sequence[BatchRow], *, made_at: datetime, author: str = "", role: str = ""
) -> bytes:
    """Return the summary as one HTML file; parameters as for :func:`batch_summary_pdf`."""
    from core.report import _summary

    return _summary.batch_summary_html(rows, made_at=made_at, author=author, role=role)
