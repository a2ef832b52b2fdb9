"""The model's answer: malignant against not first, with its interval, prevalence and limits."""

from __future__ import annotations

from collections.abc import Collection

import streamlit as st

from core.model import (
    ELSEWHERE,
    Prediction,
    evidence,
    flags_from,
    not_excluded,
    not_sure_means,
    number_title,
    point_figures,
    prevalence_words,
    restated,
    unknown_means,
    unlike_any,
)
from core.scan import QualityReport, Scan, hardly_a_scan, untested_words
from core.text import _
from core.ui.picture import named_case
from core.ui.site import Site, site_words
from core.ui.wording import answer_title, apart, class_name, percent


def show_answer(
    prediction: Prediction,
    scan: Scan,
    quality: QualityReport,
    reason: str = "",
    site: Site | None = None,
) -> None:
    """Show the answer beside the image.

    Parameters
    ----------
    prediction
        What the model said about the scan on screen.
    scan
        The scan itself: its case number stands on the answer, so that nothing can be mixed up.
    quality, reason
        Checks of the scan, and why it was read although one failed, or although it is no scan the
        model knows: all come before the number.
    site
        What is known of the prevalence at this site.
    """
    positive = class_name(prediction.positive)
    with st.container(border=True, gap="small", key="answer"):
        failed = [check.name for check in quality.failed]
        icon = ":material/flag:" if prediction.flagged else ":material/outlined_flag:"
        unsure = prediction.sure is False
        if hardly_a_scan(failed) or prediction.refused or unsure:
            icon = ":material/help:"
        named_case(scan, _("AI result · case {case}").format(case=scan.case_number))
        st.subheader(f"{icon} {answer_title(prediction, failed)}", anchor=False)
        if failed:
            st.warning(untested_words(failed), icon=":material/help:")
        if prediction.refused and prediction.familiarity is not None:
            st.warning(unknown_means(prediction.familiarity.reason), icon=":material/help:")
        if failed or prediction.refused:
            # As plain text: a person typed it.
            st.text(_("Reason given: {reason}").format(reason=reason or "–"))
        if unsure and not prediction.refused:
            st.warning(
                not_sure_means(prediction.positive, flagged=prediction.flagged),
                icon=":material/balance:",
            )
        shown, threshold = apart(prediction.probability, prediction.operating_point.threshold)
        share = None if site is None else site.share
        _numbers(prediction, shown, failed, share)
        st.markdown("  \n".join(evidence(prediction, failed, share)))
        if site is not None and restated(prediction, ELSEWHERE, failed) is not None:
            st.caption(site_words(site))
        if not prediction.flagged:
            st.warning(not_excluded(prediction.answer), icon=":material/warning:")
        for label in sorted(
            prediction.labels, key=lambda label: (label != prediction.positive, label)
        ):
            share = prediction.probabilities[label]
            st.progress(min(max(share, 0.0), 1.0), f"{class_name(label)} · {percent(share)}")
        point = prediction.operating_point
        words = flags_from(threshold, point.name)
        if point.n:
            words = _("{head}: {rest}").format(head=words, rest=point_figures(point, positive))
        st.caption(
            _("{sentence}. {task} {version}.").format(
                sentence=words, task=prediction.task, version=prediction.version
            )
            + " "
            + unlike_any(prediction.familiarity)
        )


def _numbers(
    prediction: Prediction, shown: str, failed: Collection[str], site: float | None
) -> None:
    """Show the probability, and beside it what it is at this site where that is known."""
    there = None if site is None else restated(prediction, site, failed)
    if there is None:
        st.metric(number_title(prediction), shown)
        return
    with st.container(horizontal=True, gap="medium"):
        st.metric(number_title(prediction), shown, width="content")
        st.metric(
            _("At this site ({few} {label})").format(
                few=prevalence_words(there.prevalence), label=class_name(prediction.positive)
            ),
            # Outside its interval the number is no estimate, here as little as at the study's.
            percent(there.probability) if there.holds else there.words,
            width="content",
        )
