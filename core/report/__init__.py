"""A read as a document: one page, PDF and HTML from the same content, and many reads as a table.

Public surface: :func:`make_report` takes a :class:`ReportInput` and gives a
:class:`ReportDocument`, which :func:`to_pdf` and :func:`to_html` print. Nothing that the doctor
did not confirm is drawn: no unconfirmed outline, no heat region.
"""

from core.report._batch import BatchRow, BatchState, batch_csv
from core.report._document import ReportDocument
from core.report._input import Outline, ReportInput, missing
from core.report._make import make_report
from core.report._printers import batch_summary_html, batch_summary_pdf, to_html, to_pdf

__all__ = [
    "BatchRow",
    "BatchState",
    "Outline",
    "ReportDocument",
    "ReportInput",
    "batch_csv",
    "batch_summary_html",
    "batch_summary_pdf",
    "make_report",
    "missing",
    "to_html",
    "to_pdf",
]
