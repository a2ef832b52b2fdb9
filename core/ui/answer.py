"""The model's answer: malignant against not first, with its interval, prevalence and limits."""

from __future__ import annotations

import streamlit as st

from core.model import OperatingPoint, Prediction, shift_prior
from core.scan import Doubt, Scan
from core.text import _
from core.ui.picture import named_case
from core.ui.wording import answer_title, apart, class_name, percent, point_name

#: A screening-like prevalence, to show how much the same answer means elsewhere.
_ELSEWHERE = 0.05


def show_answer(prediction: Prediction, scan: Scan, found: tuple[Doubt, ...] = ()) -> None:
    """Show the answer beside the image.

    Parameters
    ----------
    prediction
        What the model said about the scan on screen.
    scan
        The scan itself: its case number stands on the answer, so that nothing can be mixed up.
    found
        Signs that it is no scan of the kind the model was made for; they come first.
    """
    positive = class_name(prediction.positive)
    with st.container(border=True, gap="small", key="answer"):
        icon = ":material/flag:" if prediction.flagged else ":material/outlined_flag:"
        named_case(scan, _("AI result · case {case}").format(case=scan.case_number))
        if found:
            st.subheader(":material/help: " + _("Hardly a breast ultrasound image"), anchor=False)
        else:
            st.subheader(f"{icon} {answer_title(prediction)}", anchor=False)
        for doubt in found:
            st.warning(_doubt(doubt), icon=":material/help:")
        calibrated = _("Probability of {label}, calibrated")
        plain = _("Score for {label}, not calibrated")
        shown, threshold = apart(prediction.probability, prediction.operating_point.threshold)
        st.metric((calibrated if prediction.calibrated else plain).format(label=positive), shown)
        if found:
            st.markdown(_("No interval is given: no validation scan was like this."))
        else:
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
        point = prediction.operating_point
        st.caption(
            _("Flags from {threshold} (“{point}”)").format(
                threshold=threshold, point=point_name(point.name)
            )
            + (": " + point_figures(point, positive) if point.n else "")
            + f". {prediction.task} {prediction.version}. "
            + _("It answers to any picture: whether this is a breast ultrasound is not checked.")
        )


def point_figures(point: OperatingPoint, positive: str) -> str:
    """Say what a threshold achieved on the validation scans, with 95 % intervals."""
    return _("found {found} of the {label} validation scans, spared {spared} of the others").format(
        found=_rate(point.sensitivity, point.sensitivity_interval),
        spared=_rate(point.specificity, point.specificity_interval),
        label=positive,
    )


def _rate(value: float | None, interval: tuple[float, float] | None) -> str:
    if value is None:
        return "–"
    spread = "" if interval is None else f" [{interval[0] * 100:.0f}–{interval[1] * 100:.0f}]"
    return f"{value * 100:.0f}%{spread}"


def _doubt(doubt: Doubt) -> str:
    return {
        Doubt.FLAT: _("This picture is almost blank: whatever the model says of it means nothing."),
        Doubt.COLOURED: _(
            "This picture is in colour, so hardly a B-mode ultrasound: the model was not made for "
            "it."
        ),
    }[doubt]


def _evidence(prediction: Prediction) -> list[str]:
    lines = []
    if not prediction.calibrated:
        lines.append(_("This model came without calibration: its score is no probability."))
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
    if prediction.prevalence is not None and prediction.calibrated:
        study = prediction.prevalence
        elsewhere = percent(shift_prior(prediction.probability, study, _ELSEWHERE))
        if interval is not None:
            bounds = (
                shift_prior(bound, study, _ELSEWHERE) for bound in (interval.low, interval.high)
            )
            elsewhere += " ({}–{})".format(*map(percent, bounds))
        lines.append(
            _(
                "Holds where {study} are {label}, as in the study; where {few} are, "
                "the same image means **{shifted}**."
            ).format(
                study=percent(study),
                few=percent(_ELSEWHERE),
                label=class_name(prediction.positive),
                shifted=elsewhere,
            )
        )
    else:
        lines.append(_("The prevalence this number holds for is not known."))
    return lines
