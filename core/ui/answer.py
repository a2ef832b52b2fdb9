"""The model's answer: malignant against not first, with its interval, prevalence and limits."""

from __future__ import annotations

import streamlit as st

from core.model import Prediction, shift_prior
from core.text import _
from core.ui.wording import answer_title, class_name, percent, point_name

#: A screening-like prevalence, to show how much the same answer means elsewhere.
_ELSEWHERE = 0.05


def show_answer(prediction: Prediction, case_number: str) -> None:
    """Show the answer beside the image.

    Parameters
    ----------
    prediction
        What the model said about the scan on screen.
    case_number
        The scan's case number, so that nothing can be mixed up.
    """
    positive = class_name(prediction.positive)
    with st.container(border=True, gap="small", key="answer"):
        icon = ":material/flag:" if prediction.flagged else ":material/outlined_flag:"
        st.caption(_("AI result · case {case}").format(case=case_number))
        st.subheader(f"{icon} {answer_title(prediction)}", anchor=False)
        st.metric(
            _("Probability of {label}, calibrated").format(label=positive),
            percent(prediction.probability),
        )
        st.markdown("  \n".join(_evidence(prediction)))
        if not prediction.flagged:
            st.warning(
                _("{label} does not exclude cancer.").format(
                    label=class_name(prediction.answer).capitalize()
                ),
                icon=":material/warning:",
            )
        for label in sorted(
            prediction.labels, key=lambda label: (label != prediction.positive, label)
        ):
            share = prediction.probabilities[label]
            st.progress(min(max(share, 0.0), 1.0), f"{class_name(label)} · {percent(share)}")
        st.caption(
            _("{task} {version} · flags from {threshold} (operating point “{point}”)").format(
                task=prediction.task,
                version=prediction.version,
                threshold=percent(prediction.operating_point.threshold),
                point=point_name(prediction.operating_point.name),
            )
        )


def _evidence(prediction: Prediction) -> list[str]:
    lines = []
    interval = prediction.interval
    if interval is not None:
        lines.append(
            _(
                "Of {n} validation scans scored {low}–{high}, {positives} were {label}: {rate}, "
                "95% interval **{from_}–{to}**."
            ).format(
                n=interval.n,
                low=percent(interval.score_low),
                high=percent(interval.score_high),
                positives=interval.positives,
                rate=percent(interval.positives / interval.n),
                label=class_name(prediction.positive),
                from_=percent(interval.low),
                to=percent(interval.high),
            )
        )
        if not interval.low <= prediction.probability <= interval.high:
            lines.append(_("The probability lies outside this interval: trust the interval more."))
    else:
        lines.append(_("No validation scans stand behind this number: no interval can be given."))
    if prediction.prevalence is not None:
        elsewhere = shift_prior(prediction.probability, prediction.prevalence, _ELSEWHERE)
        lines.append(
            _(
                "Holds where {study} are {label}, as in the study; where {few} are, "
                "the same image means **{shifted}**."
            ).format(
                study=percent(prediction.prevalence),
                few=percent(_ELSEWHERE),
                label=class_name(prediction.positive),
                shifted=percent(elsewhere),
            )
        )
    else:
        lines.append(_("The prevalence this number holds for is not known."))
    return lines
