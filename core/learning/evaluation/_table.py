"""One row per scan, for whoever looks into errors; no spreadsheet runs a cell of it."""

from __future__ import annotations

import csv
import io
from typing import Any

import numpy as np

from core.learning.evaluation._scored import MAPS, Scored
from core.lesion import safe_cell
from core.model import Bundle
from core.text import _


def scans_csv(scored: Scored, bundle: Bundle) -> bytes:
    """Return the scans as a table in UTF-8, in the order in which they were read.

    Parameters
    ----------
    scored
        What the model said.
    bundle
        The model: its version and digest stand in every row, and its approved operating point
        decides what is flagged.

    Returns
    -------
    bytes
        CSV with a header. Numbers have six decimals; a cell is empty where there is no value.
    """
    card = bundle.card
    notice = _("Decision support, not a medical device.")
    header = [
        *("source", "entry", "file", "group", "image_digest", "label"),
        *("read", "answer", "probability", "flagged", "refused", "sure", "reason"),
        *(f"probability_{label}" for label in scored.labels),
        *MAPS,
        *(name.replace(" ", "_") for name in scored.attributes if name != "source"),
        *("operating_point", "threshold", "task", "version", "bundle_digest", "notice"),
    ]
    made_by = [
        *(card.approved.name, card.approved.threshold, card.task, card.version),
        *(bundle.digest, notice),
    ]
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow([safe_cell(name) for name in header])
    unread, score = scored.unread, scored.score
    for i in range(len(scored.truth)):
        read = not unread[i]
        flagged = read and bool(score[i] >= card.approved.threshold)
        source = scored.attributes.get("source")
        cells = [
            "" if source is None else source[i],
            int(scored.entry[i]),
            scored.file[i],
            scored.group[i],
            scored.digest[i],
            scored.labels[int(scored.truth[i])],
            _yes(read),
            _answer(scored, i, flagged=flagged) if read else None,
            float(score[i]) if read else None,
            _yes(flagged) if read else None,
            _yes(bool(scored.refused[i])),
            _yes(bool(scored.sure[i])),
            scored.reason[i],
            *(float(p) for p in scored.probabilities[i]),
            *(float(getattr(scored, name)[i]) for name in MAPS),
            *(words[i] for name, words in scored.attributes.items() if name != "source"),
            *made_by,
        ]
        table.writerow([_cell(value) for value in cells])
    return text.getvalue().encode("utf-8", "replace")


def _answer(scored: Scored, i: int, *, flagged: bool) -> str:
    if flagged:
        return scored.positive
    others = scored.probabilities[i].copy()
    others[scored.labels.index(scored.positive)] = -1.0
    return scored.labels[int(others.argmax())]


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def _cell(value: Any) -> Any:
    if isinstance(value, float):
        return f"{value:.6f}".rstrip("0").rstrip(".") if np.isfinite(value) else ""
    return "" if value is None else safe_cell(value if isinstance(value, int) else str(value))
