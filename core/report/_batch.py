"""Many scans as a table: a CSV for programs, and rows for a printed summary."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import ReportError
from core.lesion import Lesion, safe_cell
from core.model import Familiarity, Prediction, Restated, restated
from core.scan import Outcome, Scan, check_quality, failed_checks, findings, thumbnail
from core.text import _

_THUMBNAIL = 64


class BatchState(StrEnum):
    """What became of one file or frame."""

    #: The model answered.
    READ = "read"
    #: A quality check failed and nobody gave a reason to read it all the same.
    QUALITY_FAILED = "quality_failed"
    #: It is no scan the model knows, and nobody gave a reason to look at its answer.
    NOT_KNOWN = "not_known"
    #: It is a scan, but the model gave no answer.
    NOT_READ = "not_read"
    #: It could not be decoded.
    NOT_DECODED = "not_decoded"


@dataclass(frozen=True, slots=True, eq=False)
class BatchRow:
    """One scan of many; made with :meth:`of` or :meth:`not_decoded`.

    Attributes
    ----------
    state, reason
        What became of it, and the one line that says why it was not read (or why it was read
        although a quality check failed, or although it is no scan the model knows).
    case_number, image_digest, frame, frames, synthetic
        Of the scan; empty where it was not decoded. Frames count from 1.
    answer, positive, probability, calibrated, low, high, n, prevalence, flagged
        Of the answer: its class, the class looked for and its probability (0..1), the 95 %
        interval among ``n`` validation scans, and the prevalence it holds for.
    at_site
        The same answer at the site's own prevalence, where one is set.
    operating_point, threshold, task, version, bundle_digest
        What gave the answer.
    quality, failed, quality_failed
        Worst outcome of the quality checks; those that failed, as they are stored and in words
        with their figures. Where one did, the answer has no interval.
    known, unknown
        Whether it is a scan the model knows, and if not why (``Familiarity.reason``); None and
        empty where its bundle cannot say. Where it is not, the answer has no interval.
    sure
        Whether the answer is the only one possible at the coverage the model promises; None where
        it promises none, or there is no answer.
    longest, perpendicular, unit
        Of the largest AI outline, which nobody has confirmed; ``unit`` is mm or px.
    thumbnail
        uint8 small picture, or None.
    """

    state: BatchState
    reason: str = ""
    case_number: str = ""
    image_digest: str = ""
    frame: int | None = None
    frames: int | None = None
    synthetic: bool = False
    answer: str = ""
    positive: str = ""
    probability: float | None = None
    calibrated: bool | None = None
    low: float | None = None
    high: float | None = None
    n: int | None = None
    prevalence: float | None = None
    at_site: Restated | None = None
    flagged: bool | None = None
    operating_point: str = ""
    threshold: float | None = None
    task: str = ""
    version: str = ""
    bundle_digest: str = ""
    quality: str = ""
    failed: tuple[str, ...] = ()
    quality_failed: tuple[str, ...] = ()
    known: bool | None = None
    unknown: str = ""
    sure: bool | None = None
    longest: float | None = None
    perpendicular: float | None = None
    unit: str = ""
    thumbnail: NDArray[np.uint8] | None = field(default=None, repr=False)

    @classmethod
    def not_decoded(cls, reason: str) -> BatchRow:
        """Return the row of a file that did not become a scan; ``reason`` names no file."""
        return cls(BatchState.NOT_DECODED, reason)

    @classmethod
    def of(
        cls,
        scan: Scan,
        prediction: Prediction | None = None,
        *,
        reason: str = "",
        quality: Mapping[str, Any] | None = None,
        lesions: Sequence[Lesion] = (),
        site_prevalence: float | None = None,
        familiarity: Familiarity | None = None,
    ) -> BatchRow:
        """Return the row of a scan.

        Parameters
        ----------
        scan, prediction
            The scan, and what the model answered, or None.
        reason
            Why there is no answer, or why it was read although a quality check failed.
        quality
            ``QualityReport.to_dict()``; None where there is none: an answer is then given the
            check made now.
        lesions
            The AI's outlines, largest first; never heat regions.
        site_prevalence
            The site's own share of positives, 0..1, as its administrators set it.
        familiarity
            Why the answer was held back, where it was; else that of ``prediction`` counts.

        Raises
        ------
        ReportError
            The answer belongs to another image.
        """
        if prediction is not None and prediction.image_digest != scan.digest:
            raise ReportError(
                _("The AI result belongs to another image: read this one again, then report.")
            )
        if quality is None and prediction is not None:
            quality = check_quality(scan).to_dict()
        found = [str(check.get("outcome", "")) for check in (quality or {}).get("checks", ())]
        worst = max(found, key=("", "pass", "warn", "fail").index, default="")
        state = BatchState.READ
        if prediction is None:
            held_back = familiarity is not None and not familiarity.known
            state = BatchState.QUALITY_FAILED if worst == "fail" else BatchState.NOT_READ
            state = BatchState.NOT_KNOWN if held_back else state
        else:
            familiarity = prediction.familiarity
        values: dict[str, Any] = {} if prediction is None else _answer(prediction)
        failed = failed_checks(quality)
        if familiarity is not None:
            values |= {"known": familiarity.known, "unknown": familiarity.reason}
        if failed or (prediction is not None and prediction.refused):
            # No validation scan was like this, so how often such scores were right is unknown.
            values |= {"low": None, "high": None, "n": None}
        if prediction is not None and site_prevalence is not None:
            values["at_site"] = restated(prediction, site_prevalence, failed)
        if lesions and prediction is not None and prediction.has_lesion_map:
            m = max(lesions, key=lambda lesion: lesion.measurements.area_pixels).measurements
            values |= {
                "longest": m.longest_chord,
                "perpendicular": m.perpendicular_chord,
                "unit": m.unit,
            }
        return cls(
            state=state,
            reason=reason,
            case_number=scan.case_number,
            image_digest=scan.digest,
            frame=scan.frame + 1,
            frames=scan.frames,
            synthetic=scan.synthetic,
            quality=worst,
            failed=failed,
            quality_failed=tuple(findings(quality, Outcome.FAIL)),
            thumbnail=thumbnail(scan, _THUMBNAIL),
            **values,
        )


def _answer(prediction: Prediction) -> dict[str, Any]:
    interval = prediction.interval
    return {
        "answer": prediction.answer,
        "positive": prediction.positive,
        "probability": float(prediction.probability),
        "calibrated": prediction.calibrated,
        "low": None if interval is None else interval.low,
        "high": None if interval is None else interval.high,
        "n": None if interval is None else interval.n,
        "prevalence": prediction.prevalence,
        "flagged": prediction.flagged,
        "sure": prediction.sure,
        "operating_point": prediction.operating_point.name,
        "threshold": prediction.operating_point.threshold,
        "task": prediction.task,
        "version": prediction.version,
        "bundle_digest": prediction.bundle_digest,
    }


def counts(rows: Sequence[BatchRow]) -> dict[str, int]:
    """Return how many there are of each state, of flagged and of unsure ones, and in all."""
    states = {state.value: sum(row.state is state for row in rows) for state in BatchState}
    flagged = sum(bool(row.flagged) for row in rows)
    unsure = sum(row.sure is False and row.known is not False for row in rows)
    return {"all": len(rows), "flagged": flagged, "unsure": unsure, **states}


def batch_csv(rows: Sequence[BatchRow], files: Sequence[str] | None = None) -> str:
    """Return the rows as CSV (UTF-8 text, commas), one a line, each with what made it.

    Parameters
    ----------
    rows
        In the order they are to be listed.
    files
        What the person calls each, in the same order; None leaves the column out. Nothing else
        keeps these names.

    Raises
    ------
    ValueError
        There are not as many names as rows.
    """
    out = io.StringIO()
    names = [None] * len(rows) if files is None else list(files)
    lines = [
        {
            **({} if name is None else {"file": name}),
            "number": number,
            **_columns(row),
        }
        for number, (row, name) in enumerate(zip(rows, names, strict=True), start=1)
    ]
    header = list(lines[0]) if lines else ["number", *_columns(BatchRow(BatchState.READ))]
    writer = csv.DictWriter(out, header, lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: safe_cell(value) for name, value in line.items()} for line in lines)
    return out.getvalue()


def _columns(row: BatchRow) -> dict[str, Any]:
    return {
        "case_number": row.case_number,
        "frame": row.frame,
        "frames": row.frames,
        "state": row.state.value,
        "reason": row.reason,
        "answer": row.answer,
        "flagged": None if row.flagged is None else int(row.flagged),
        "sure": None if row.sure is None else int(row.sure),
        "known_scan": None if row.known is None else int(row.known),
        "probability_of": row.positive,
        "probability": row.probability,
        "calibrated": None if row.calibrated is None else int(row.calibrated),
        "interval_95_low": row.low,
        "interval_95_high": row.high,
        "interval_n": row.n,
        "prevalence": row.prevalence,
        "site_prevalence": None if row.at_site is None else row.at_site.prevalence,
        "probability_at_site": None if row.at_site is None else row.at_site.probability,
        "interval_95_low_at_site": None if row.at_site is None else row.at_site.low,
        "interval_95_high_at_site": None if row.at_site is None else row.at_site.high,
        "operating_point": row.operating_point,
        "operating_threshold": row.threshold,
        "quality": row.quality,
        "quality_failed": "; ".join(row.quality_failed),
        "longest_chord": row.longest,
        "perpendicular_chord": row.perpendicular,
        "unit": row.unit,
        "outline": _("AI outline, unconfirmed") if row.longest is not None else "",
        "task": row.task,
        "model_version": row.version,
        "bundle_digest": row.bundle_digest,
        "image_digest": row.image_digest,
        "synthetic": int(row.synthetic),
        "notice": _("Decision support, not a medical device"),
    }
