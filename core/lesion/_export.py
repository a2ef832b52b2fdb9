"""Measurements as a table, CSV and JSON, each row with what made it.

Opens with a safety choice: a spreadsheet runs a cell that begins with ``=``, ``+``, ``-``, ``@``,
a tab or a line break as a formula (OWASP, CSV injection). In text cells control characters become
spaces, and what then begins with one of the four signs gets an apostrophe in front, which
spreadsheets show as plain text. Numbers are never touched.
"""

from __future__ import annotations

import io
import json
import unicodedata
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from core.errors import LesionError
from core.lesion._lesions import Lesion, LesionResult
from core.text import _

if TYPE_CHECKING:
    import pandas as pd

_FORMULA = ("=", "+", "-", "@")


def measurements_frame(result: LesionResult | Sequence[Lesion]) -> pd.DataFrame:
    """Return one row per lesion, in their order, with the unit in the name of what has one.

    Parameters
    ----------
    result
        What was found, or lesions that were drawn.

    Raises
    ------
    LesionError
        The result is one of heat regions, which have no measurements.
    """
    import pandas as pd

    found = result if isinstance(result, list | tuple) else _lesions(result)
    return pd.DataFrame([_row(lesion) for lesion in found])


def measurements_csv(result: LesionResult, provenance: Mapping[str, Any]) -> str:
    """Return the table as CSV (UTF-8 text, commas), provenance in front on every row.

    Parameters
    ----------
    result
        Lesions of one picture; without any there is one row that says so (``lesions`` is 0).
    provenance
        What made it, by name: case number, model version, bundle and image digest. Controls,
        threshold, "AI outline, unconfirmed" and "Decision support, not a medical device" are
        added. A mapping inside becomes one column per entry.

    Raises
    ------
    LesionError
        The result is one of heat regions.
    """
    import pandas as pd

    lesions = _lesions(result)
    made_by = {
        safe_cell(k): safe_cell(v) for k, v in _flat(_provenance(result, provenance)).items()
    }
    rows = [{**made_by, "lesions": len(lesions), **_row(lesion)} for lesion in lesions]
    table = pd.DataFrame(rows or [{**made_by, "lesions": 0}])
    text = io.StringIO()
    table.to_csv(text, index=False, lineterminator="\n")
    return text.getvalue()


def measurements_json(result: LesionResult, provenance: Mapping[str, Any]) -> str:
    """Return the measurements as JSON: ``provenance``, ``lesions_found`` and ``lesions``.

    Parameters and errors as in :func:`measurements_csv`.
    """
    lesions = [
        {"number": lesion.number, "box_px": list(lesion.box), **lesion.measurements.to_dict()}
        for lesion in _lesions(result)
    ]
    document = {
        "provenance": _provenance(result, provenance),
        "lesions_found": result.total,
        "lesions": lesions,
    }
    return json.dumps(document, ensure_ascii=False, allow_nan=False, indent=2)


def _lesions(result: LesionResult | Sequence[Lesion]) -> tuple[Lesion, ...]:
    if not isinstance(result, LesionResult):
        raise LesionError(_("A heat region is not a lesion and has no measurements."))
    return result.lesions


def _provenance(result: LesionResult, given: Mapping[str, Any]) -> dict[str, Any]:
    """Add what the result itself knows; only the state of the outline may be given otherwise."""
    return {
        "notice": _("Decision support, not a medical device"),
        "outline": _("AI outline, unconfirmed"),
        **{k: v for k, v in given.items() if k != "notice"},
        "controls": result.controls.to_dict(),
        "threshold_used": result.threshold,
    }


def _row(lesion: Lesion) -> dict[str, Any]:
    row: dict[str, Any] = {"number": lesion.number}
    for name, value in lesion.measurements.to_dict().items():
        if isinstance(value, list):
            (x0, y0), (x1, y1) = value
            stem = name.removesuffix("_ends_px")
            row |= {
                f"{stem}_{end}_px": n
                for end, n in zip(("x0", "y0", "x1", "y1"), (x0, y0, x1, y1), strict=True)
            }
        else:
            row[name] = value
    return row


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{key}_")
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def safe_cell(value: Any) -> Any:
    """Return a cell that no spreadsheet runs: numbers as they are, text as the module says."""
    if value is None or isinstance(value, (int, float)):
        return value
    # A line break inside a cell begins a new row in some spreadsheets, and so a new cell.
    text = "".join(" " if unicodedata.category(c) == "Cc" else c for c in str(value))
    # Full-width signs count too: spreadsheets in East Asian locales read them alike.
    start = unicodedata.normalize("NFKC", text.lstrip(" \u3000\ufeff")[:1])
    return f"'{text}" if start in _FORMULA else text
