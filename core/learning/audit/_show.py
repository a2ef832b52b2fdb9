"""An audit for people: lines for a terminal, and one HTML file that needs nothing beside it."""

from __future__ import annotations

import base64
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from core.errors import OverreadError
from core.learning.audit._align import SAME
from core.learning.audit._check import Verdict
from core.learning.audit._listing import table_of_counts
from core.learning.audit._run import Audit
from core.learning.html_template import html_template
from core.learning.rows import load_scan
from core.scan import encode_png, thumbnail
from core.text import _, columns, language, padded

_HERE = Path(__file__).resolve().parent
_WIDE = 100
#: Pairs that are shown with their pictures, and the longest side of these, in pixels.
MOST_SHOWN = 60
_SIDE = 240
#: Problems that are named one by one in the table; the HTML and JSON files name all.
_MOST_PROBLEMS = 10


def table(audit: Audit) -> str:
    """Return the audit as lines of text: one verdict to a check, then what is wrong by entry."""
    counts = table_of_counts(audit.listing)
    lines = []
    for source, splits in counts.items():
        for split, labels in splits.items():
            held = ", ".join(f"{label} {n}" for label, n in labels.items())
            lines.append(f"{source} · {split}: {sum(labels.values())} ({held})")
    lines.append("")
    word = max(columns(check.verdict.word) for check in audit.checks)
    wide = max(columns(check.title) for check in audit.checks)
    for check in audit.checks:
        head = f"{padded(check.verdict.word, word)} {padded(check.title, wide)}  "
        told = textwrap.wrap(check.line, _WIDE - columns(head)) or [""]
        lines.append(head + told[0])
        lines += [" " * columns(head) + line for line in told[1:]]
    problems = audit.problems()
    lines += [f"  {source}, {entry}: {text}" for source, entry, text in problems[:_MOST_PROBLEMS]]
    if len(problems) > _MOST_PROBLEMS:
        lines.append(
            "  " + _("… and {n} more, named with --json").format(n=len(problems) - _MOST_PROBLEMS)
        )
    lines += ["", _verdict_line(audit)]
    # Names of folders and labels are what people made them: none may steer a terminal.
    return "\n".join("".join(c if c.isprintable() else "?" for c in line) for line in lines)


def _verdict_line(audit: Audit) -> str:
    return {
        Verdict.OK: _("No leak was found, and nothing to look at."),
        Verdict.LOOK: _("No leak was found. Look at what is marked before you train."),
        Verdict.LEAK: _(
            "A split leaks: figures on it would be too good. --make-split writes one that does not."
        ),
    }[audit.verdict]


def to_html(
    audit: Audit,
    *,
    files: bool = False,
    progress: Callable[[str, int, int], None] = lambda _what, _done, _total: None,
) -> bytes:
    """Return the audit as one HTML file: no script, nothing from another address.

    It holds small pictures of patients' scans, and says so.

    Parameters
    ----------
    audit
        What was found.
    files
        Whether to name files beside entries.
    progress
        Called while pictures are read again.
    """
    chosen = audit.worst_pairs(MOST_SHOWN)
    shown = []
    for done, index in enumerate(chosen, 1):
        shown.append(_pair(audit, index, files))
        progress(_("drawing pairs"), done, len(chosen))
    text: str = html_template(_HERE / "audit.html").render(
        lang=language().replace("_", "-"),
        title=_("Data audit"),
        warning=_(
            "This file shows patients' scans in small. Keep it where the scans may be kept, and do "
            "not send it on."
        ),
        verdict=_verdict_line(audit),
        verdict_code=audit.verdict.code,
        checks=[
            {"code": c.verdict.code, "word": c.verdict.word, "title": c.title, "line": c.line}
            for c in audit.checks
        ],
        heads=[_("Verdict"), _("Check"), _("Found")],
        count_heads=[_("Dataset"), _("Split"), _("Label"), _("Images")],
        counts=[
            (source, split, label, n)
            for source, splits in table_of_counts(audit.listing).items()
            for split, labels in splits.items()
            for label, n in labels.items()
        ],
        counts_title=_("Images"),
        pairs_title=_("Duplicates"),
        pairs_note=_(
            "{shown} of {n} pairs, the worst first. The number is the correlation of the detail "
            "after one picture was laid over the other; from {limit} on they are the same picture."
        ).format(shown=len(shown), n=len(audit.pairs), limit=f"{SAME:.2f}"),
        pairs=shown,
        problems_title=_("Entries that cannot be used"),
        problem_heads=[_("Dataset"), _("Entry"), _("Problem")],
        problems=audit.problems(),
        footer=_("Decision support, not a medical device."),
    )
    # A folder may be called by bytes that are no text.
    return text.encode(errors="replace")


def _pair(audit: Audit, index: int, files: bool) -> dict[str, Any]:
    pairs, listing = audit.pairs, audit.listing
    sides = [int(pairs.first[index]), int(pairs.second[index])]
    rows = [listing.rows[side] for side in sides]
    facts = []
    if pairs.exact[index]:
        facts.append(_("same to the pixel"))
    if pairs.mirrored[index]:
        facts.append(_("mirrored"))
    if rows[0].split != rows[1].split:
        facts.append(_("two splits"))
    if rows[0].label != rows[1].label:
        facts.append(_("two labels"))
    return {
        "correlation": f"{float(pairs.correlation[index]):.3f}",
        "facts": facts,
        "leak": rows[0].split != rows[1].split,
        "sides": [
            {
                "name": audit.name_of(side),
                "about": f"{row.split} · {row.label}",
                "file": row.image.name if files and row.index is None else "",
                "image": _picture(audit, side),
            }
            for side, row in zip(sides, rows, strict=True)
        ],
    }


def _picture(audit: Audit, index: int) -> str:
    try:
        small = thumbnail(load_scan(audit.listing.rows[index]), _SIDE)
    except OverreadError:  # it was there a moment ago; the report does not fail for it
        small = np.zeros((_SIDE, _SIDE), np.uint8)
    return "data:image/png;base64," + base64.b64encode(encode_png(small)).decode()
