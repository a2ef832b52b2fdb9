"""The figures of many explanations as a table, one row per scan."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from core.explain._compare import Inside
from core.explain._explanation import Explanation
from core.lesion import safe_cell
from core.text import _

#: Columns of :func:`figures_csv`, in order.
COLUMNS = (
    "notice", "case_number", "image_digest", "status", "problem", "read_despite", "task", "version",
    "bundle_digest", "method", "target", "layer", "unit", "base_value", "output", "gap",
    "heat_inside_outline", "outline_share_of_picture", "hottest_inside_outline", "faithfulness",
    "deletion_area", "insertion_area", "beats_random_orders", "stability", "picture", "values",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Row:
    """What came of one scan.

    Attributes
    ----------
    case_number, image_digest
        The scan.
    task, version, bundle_digest
        The model.
    method, target
        What was asked.
    explanation
        The map; None where there is none.
    inside
        Its heat held against the AI's outline, unconfirmed; None where there is no outline.
    evidence
        As of :func:`core.explain.evidence_figures`; None where nothing was measured.
    problem
        One line, where there is no map.
    read_despite
        As of :func:`core.explain.caveat_words`.
    """

    case_number: str
    image_digest: str
    task: str
    version: str
    bundle_digest: str
    method: str
    target: str
    explanation: Explanation | None = None
    inside: Inside | None = None
    evidence: Mapping[str, Any] | None = None
    problem: str = ""
    read_despite: tuple[str, ...] = ()

    @property
    def stem(self) -> str:
        """What its files are called: case number, method and class, and nothing a person typed."""
        return file_stem(self.case_number, self.method, self.target)


def file_stem(case_number: str, method: str, target: str) -> str:
    """Return a name for the files of an explanation; only letters, digits, hyphens and plus."""
    # A site's own model names its classes as it likes.
    plain = [re.sub(r"[^a-z0-9+]+", "-", part.lower()).strip("-") for part in (method, target)]
    return "-".join([case_number, *filter(None, plain)])


def figures_csv(rows: Iterable[Row]) -> str:
    """Return a table of the figures (UTF-8 text, commas); text no spreadsheet takes for a formula.

    Shares and correlations are 0..1; base value, output and gap are in the unit beside them. What
    was not measured is empty.
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({name: safe_cell(value) for name, value in figures(row).items()})
    return text.getvalue()


def figures(row: Row) -> dict[str, Any]:
    """Return the cells of a row by column."""
    made, inside, measured = row.explanation, row.inside, row.evidence or {}
    steady = measured.get("stability") or {}
    cells: dict[str, Any] = {
        "notice": _("Decision support, not a medical device"),
        "case_number": row.case_number,
        "image_digest": row.image_digest,
        "status": "explained" if made is not None else "problem",
        "problem": row.problem,
        "read_despite": "; ".join(row.read_despite),
        "task": row.task,
        "version": row.version,
        "bundle_digest": row.bundle_digest,
        "method": row.method,
        "target": row.target,
    }
    if made is not None:
        cells |= {
            "layer": made.layer,
            "unit": made.unit,
            "base_value": made.base_value,
            "output": made.output,
            "gap": made.gap,
            "picture": f"{row.stem}.png",
            "values": f"{row.stem}.npz",
        }
    if inside is not None:
        cells |= {
            "heat_inside_outline": inside.share,
            "outline_share_of_picture": inside.area,
            "hottest_inside_outline": "yes" if inside.peak_inside else "no",
        }
    if "faithfulness" in measured:
        cells |= {
            "faithfulness": measured["faithfulness"],
            "deletion_area": measured["deletion_area"],
            "insertion_area": measured["insertion_area"],
            "beats_random_orders": "yes" if measured["beats_random"] else "no",
            "stability": steady.get("correlation"),
        }
    return cells
