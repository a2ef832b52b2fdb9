"""The model's answer: malignant against not first, with its interval, prevalence and limits."""

from __future__ import annotations

import streamlit as st

from core.model import Prediction, evidence, point_figures
from core.scan import CheckName, QualityReport, Scan
from core.text import _
from core.ui.picture import named_case
from core.ui.quality_panel import check_title
from core.ui.wording import answer_title, apart, class_name, percent, point_name

#: Checks that fail on what is no B-mode ultrasound at all.
_NO_SCAN = (CheckName.BLANK, CheckName.COLOUR)


def show_answer(
    prediction: Prediction, scan: Scan, quality: QualityReport, reason: str = ""
) -> None:
    """Show the answer beside the image.

    Parameters
    ----------
    prediction
        What the model said about the scan on screen.
    scan
        The scan itself: its case number stands on the answer, so that nothing can be mixed up.
    quality, reason
        Checks of the scan, and why it was read although one failed: both come before the number.
    """
    positive = class_name(prediction.positive)
    with st.container(border=True, gap="small", key="answer"):
        icon = ":material/flag:" if prediction.flagged else ":material/outlined_flag:"
        named_case(scan, _("AI result · case {case}").format(case=scan.case_number))
        failed = quality.failed
        if any(check.name in _NO_SCAN for check in failed):
            st.subheader(":material/help: " + _("Hardly a breast ultrasound image"), anchor=False)
        else:
            st.subheader(f"{icon} {answer_title(prediction)}", anchor=False)
        if failed:
            st.warning(
                _("Read although the image fails: {names}. Such images were never tested.").format(
                    names=", ".join(check_title(check.name) for check in failed)
                ),
                icon=":material/help:",
            )
            # As plain text: a person typed it.
            st.text(_("Reason given: {reason}").format(reason=reason or "–"))
        calibrated = _("Probability of {label}, calibrated")
        plain = _("Score for {label}, not calibrated")
        shown, threshold = apart(prediction.probability, prediction.operating_point.threshold)
        st.metric((calibrated if prediction.calibrated else plain).format(label=positive), shown)
        if failed:
            st.markdown(_("No interval is given: no validation scan was like this."))
        else:
            st.markdown("  \n".join(evidence(prediction)))
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
