"""One row of the table: what was read, what came of it, and everything that made it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from core.errors import LesionError, QualityFailed
from core.lesion import LesionControls, LesionResult, Measurements, find_lesions, safe_cell
from core.model import (
    BatchRead,
    Bundle,
    Familiarity,
    Prediction,
    unknown_means,
    unknown_scan,
)
from core.scan import Outcome, QualityReport, Scan, findings
from core.text import _

if TYPE_CHECKING:
    from core.score._sources import Turn

_LENGTHS = ("longest_chord", "perpendicular_chord", "width", "depth")
_RATIOS = ("depth_to_width", "circularity", "solidity", "margin_irregularity", "touches_border")
_UNITS = ("mm", "px")

Row = dict[str, Any]


def columns(bundle: Bundle) -> tuple[str, ...]:
    """Return the names of the columns, the same for every scan a bundle reads."""
    lengths = [f"largest_{name}_{unit}" for unit in _UNITS for name in _LENGTHS]
    return (
        "notice",
        "file",
        "frame",
        "frames",
        "case_number",
        "image_digest",
        "status",
        "problem",
        "answer",
        *(f"probability_{label}" for label in bundle.card.labels),
        "positive",
        "probability",
        "calibrated",
        "flagged",
        "sure",
        "operating_point",
        "threshold",
        "interval_low",
        "interval_high",
        "interval_n",
        "interval_positives",
        "prevalence",
        "quality",
        "quality_problems",
        "known_scan",
        "distance",
        "distance_limit",
        "override_reason",
        "outline",
        "lesions",
        "largest_area_mm2",
        "largest_area_px",
        *lengths,
        *(f"largest_{name}" for name in _RATIOS),
        "spacing_row_mm",
        "spacing_column_mm",
        "modality",
        "notes",
        "task",
        "version",
        "bundle_digest",
        "controls",
        "run",
    )


def constants(bundle: Bundle, controls: LesionControls, run: str) -> Row:
    """Return what stands in every row: the notice, and what makes the results."""
    card = bundle.card
    return {
        "notice": _("Decision support, not a medical device"),
        "positive": card.positive,
        "calibrated": _yes(card.calibration.method != "none"),
        "operating_point": card.approved.name,
        "threshold": card.approved.threshold,
        "prevalence": None if card.prevalence is None else card.prevalence.positive,
        "task": card.task,
        "version": card.version,
        "bundle_digest": bundle.digest,
        "controls": json.dumps(controls.to_dict(), separators=(",", ":")),
        "run": run,
    }


def scan_cells(scan: Scan, report: QualityReport) -> Row:
    """Return what a row says of a scan and of its quality."""
    stored = report.to_dict()
    row, column = scan.spacing or (None, None)
    return {
        "frame": scan.frame + 1,
        "frames": scan.frames,
        "case_number": scan.case_number,
        "image_digest": scan.digest,
        "quality": report.outcome.value,
        # What fails before what is unusual, each with its figure.
        "quality_problems": "; ".join(
            [*findings(stored, Outcome.FAIL), *findings(stored, Outcome.WARN)]
        ),
        "spacing_row_mm": row,
        "spacing_column_mm": column,
        "modality": scan.modality,
        "notes": "; ".join(note.value for note in scan.notes),
    }


def make_row(turn: Turn, read: BatchRead, controls: LesionControls, reason: str = "") -> Row:
    """Return the row of one scan, without what stands in every row.

    Parameters
    ----------
    turn
        Whose row it is, and what was seen of the scan when it was opened.
    read
        What came of it.
    controls
        How the lesion map is shaped and measured.
    reason
        Why scans that fail the quality check, or that the model does not know, were read; empty
        where they were not.
    """
    frame = None if turn.frame is None else turn.frame + 1
    row: Row = {"file": turn.name, "frame": frame, "frames": turn.frames, "status": "read"}
    row |= turn.cells or {}
    if read.error is not None:
        held_back = isinstance(read.error, QualityFailed)
        row |= {"status": "not read" if held_back else "problem", "problem": str(read.error)}
    if read.scan is None or read.prediction is None:
        return row
    if read.prediction.image_digest != row["image_digest"]:
        problem = _("The answer was for another scan and was discarded. Read again.")
        return row | {"status": "problem", "problem": problem}
    row |= _familiarity(read.prediction.familiarity)
    if read.prediction.refused and not reason:
        # Nothing of an answer that was held back: a number in a table is a number in use.
        return row | {"status": "not read", "problem": _not_known(read.prediction.familiarity)}
    row |= _answer(read.prediction)
    if row["quality"] == Outcome.FAIL or read.prediction.refused:
        row["override_reason"] = reason
        # No validation scan was like this, so how often such scores were right is not known.
        row |= dict.fromkeys(("interval_low", "interval_high", "interval_n", "interval_positives"))
    lesion_map = read.prediction.lesion_map()
    if lesion_map is not None:
        try:
            found = find_lesions(lesion_map, read.scan.grey, controls, spacing=read.scan.spacing_at)
        except LesionError as error:
            return row | {"problem": str(error)}
        row |= _lesions(found)
    return row


def _familiarity(found: Familiarity | None) -> Row:
    if found is None:
        return {}
    return {
        "known_scan": _yes(found.known),
        "distance": found.distance,
        "distance_limit": found.limit,
    }


def _not_known(found: Familiarity | None) -> str:
    why = unknown_means("" if found is None else found.reason)
    return " ".join(
        [
            unknown_scan() + ".",
            why,
            _("Say with --read-failing why its answer is to be seen all the same."),
        ]
    )


def written(row: Mapping[str, Any], names: tuple[str, ...]) -> list[Any]:
    """Return a row's cells in the order of the columns, safe for a spreadsheet."""
    return [_cell(row.get(name)) for name in names]


def _answer(prediction: Prediction) -> Row:
    interval = prediction.interval
    row: Row = {
        "answer": prediction.answer,
        "probability": prediction.probability,
        "flagged": _yes(prediction.flagged),
        "sure": None if prediction.sure is None else _yes(prediction.sure),
    }
    row |= {f"probability_{label}": share for label, share in prediction.probabilities.items()}
    if interval is not None:
        row |= {
            "interval_low": interval.low,
            "interval_high": interval.high,
            "interval_n": interval.n,
            "interval_positives": interval.positives,
        }
    return row


def _lesions(found: LesionResult) -> Row:
    row: Row = {"lesions": found.total}
    if not found.lesions:
        return row
    row["outline"] = _("AI outline, unconfirmed")
    measured: Measurements = found.lesions[0].measurements
    unit = measured.unit
    row["largest_area_px"] = measured.area_pixels
    if unit == "mm":
        row["largest_area_mm2"] = measured.area
    row |= {f"largest_{name}_{unit}": getattr(measured, name) for name in _LENGTHS}
    row |= {f"largest_{name}": getattr(measured, name) for name in _RATIOS}
    row["largest_touches_border"] = _yes(measured.touches_border)
    return row


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def _cell(value: Any) -> Any:
    if value is None:
        return ""
    if isinstance(value, float):
        # Six decimals: what batches of another size may change lies behind them.
        return f"{value:.6f}".rstrip("0").rstrip(".") if abs(value) < 1e6 else repr(value)
    return safe_cell(value)
