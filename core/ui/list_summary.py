"""The result of all scans on the list, as a table and as files to take away."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from core.lesion import LesionResult
from core.model import Restated, prevalence_words, restated, unknown_scan
from core.report import BatchRow
from core.text import _
from core.trust import Person
from core.ui.explain_list import explain_all
from core.ui.intake import state_of
from core.ui.open_scan import OpenScan
from core.ui.reading_list import ReadingList
from core.ui.report_panel import batch_downloads
from core.ui.shaping import outline_of
from core.ui.site import site_of
from core.ui.wording import answer_title, class_name, percent, role_name


def list_summary(reading: ReadingList, person: Person) -> None:
    """Show one line per file, with the answer on the image that stands for it on the list."""
    if len(reading.entries) < 2:
        return
    panel = st.expander(
        _("All scans on the list"), icon=":material/table_rows:", key="summary", on_change="rerun"
    )
    # Drawn only while it is open: hundreds of scans make hundreds of rows.
    if not panel.open:
        return
    with panel:
        items = [entry.shown for entry in reading.entries.values()]
        here = [_at_site(item) for item in items]
        st.dataframe(
            pd.DataFrame(
                {
                    _("Case"): [item.scan.case_number for item in items],
                    _("State"): [state_of(item) for item in items],
                    _("AI result"): [_answer(item) for item in items],
                    _("Probability of {label}").format(label=_looked_for(items)): [
                        percent(item.prediction.probability) if item.prediction else "–"
                        for item in items
                    ],
                    _("Interval"): [_interval(item) for item in items],
                }
                | _site_column(here)
            ),
            hide_index=True,
            key="summary-table",
        )
        batch_downloads(
            lambda: (
                [row_of(item, reading) for item in items]
                + [BatchRow.not_decoded(reason) for _name, reason in reading.refused]
            ),
            key="summary-files",
            author=person.name,
            role=role_name(person.role),
        )
        explain_all(reading)


def _at_site(item: OpenScan) -> Restated | None:
    """Return an image's answer at this site's prevalence; None where that cannot be said."""
    prediction = item.prediction
    share = None if prediction is None else site_of(prediction.task).share
    if prediction is None or share is None:
        return None
    return restated(prediction, share, [check.name for check in item.quality.failed])


def _site_column(here: list[Restated | None]) -> dict[str, list[str]]:
    """Return a column of what the answers mean at this site; none where nothing is set."""
    few = {found.prevalence for found in here if found is not None}
    if not few:
        return {}
    title = _("At this site ({few})").format(few=", ".join(map(prevalence_words, sorted(few))))
    return {title: ["–" if found is None else found.words for found in here]}


def _looked_for(items: list[OpenScan]) -> str:
    answered = (item.prediction for item in items if item.prediction is not None)
    return class_name(next((prediction.positive for prediction in answered), "malignant"))


def _answer(item: OpenScan) -> str:
    if item.prediction is None:
        return unknown_scan() if item.withheld is not None else "–"
    if item.prediction.refused or item.prediction.sure is False:
        return answer_title(item.prediction)
    return class_name(item.prediction.answer)


def _interval(item: OpenScan) -> str:
    interval = None if item.prediction is None else item.prediction.interval
    # As beside the answer: no validation scan was like one that fails a check or is not known.
    if interval is None or item.quality.failed or (item.prediction and item.prediction.refused):
        return "–"
    return f"{percent(interval.low)}–{percent(interval.high)} (n = {interval.n})"


def row_of(item: OpenScan, reading: ReadingList) -> BatchRow:
    """Return the row of an image: its answer, or why there is none."""
    outline = outline_of(item)
    if item is not reading.shown:
        item.release()
    return BatchRow.of(
        item.scan,
        item.prediction,
        reason=item.problem or item.reason,
        quality=item.quality.to_dict(),
        familiarity=None if item.withheld is None else item.withheld.familiarity,
        lesions=outline.lesions if isinstance(outline, LesionResult) else (),
        site_prevalence=None if item.prediction is None else site_of(item.prediction.task).share,
    )
