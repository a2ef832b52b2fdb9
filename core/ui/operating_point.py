"""The slider over the operating point: exploration beside the answer, which it never changes.

What a threshold does is counted on the bundle's validation scores, so the model is never called,
and a move runs this part of the page alone.
"""

from __future__ import annotations

import streamlit as st

from core.model import (
    ELSEWHERE,
    AtThreshold,
    OperatingPoint,
    Prediction,
    Predictive,
    Share,
    at_threshold,
    not_excluded,
    prevalence_words,
)
from core.text import _
from core.trust import Permission, Person, permissions_of
from core.ui.kept import kept
from core.ui.open_scan import OpenScan
from core.ui.scores import Validation, validation_of
from core.ui.site import Site, site_of, site_words
from core.ui.wording import apart, class_name, percent, point_name

_SHOWN = "explored-scan"


@st.fragment
def explore(item: OpenScan, prediction: Prediction, person: Person) -> None:
    """Show what flagging from another probability on would have done.

    Parameters
    ----------
    item
        The scan on screen. Where the slider stands is kept with it while it is on screen, and
        where it stood last is recorded with the feedback.
    prediction
        The answer on it, given at the approved point.
    person
        Who explores: whoever sends no feedback is not told that it is recorded.
    """
    panel = st.expander(
        _("Explore the operating point"),
        icon=":material/tune:",
        key="explore-open",
        on_change="rerun",
    )
    if not panel.open:
        return
    with panel:
        validation = validation_of(prediction.task, prediction.version, prediction.bundle_digest)
        if validation is None or not len(validation.reference.validation_scores):
            st.caption(_("This model came without validation scores."))
            return
        _controls(item, prediction, validation)
        threshold = _threshold(item, prediction)
        found = at_threshold(validation.reference, threshold)
        study = found.prevalence if prediction.prevalence is None else prediction.prevalence
        st.markdown(threshold_sentence(found, prediction.positive, study))
        _this_scan(item, prediction, threshold)
        if not prediction.refused:
            # Of a picture that is no scan of this kind nothing is restated, here or above.
            _predictive_values(found, prediction.positive, study, site_of(prediction.task))
        if item.quality.failed:
            st.caption(_("These figures are of scans that pass the quality check; this one fails."))
        if prediction.refused:
            st.caption(_("These figures are of scans the model knows; this one is none."))
        elif prediction.sure is False:
            st.caption(_("On this scan the model is not sure, wherever it flags."))
        sends = Permission.SEND_FEEDBACK in permissions_of(person.role)
        if item.last_explored is not None and sends:
            st.caption(
                _("Your exploration, last at {threshold}, is recorded with your feedback.").format(
                    threshold=percent(item.last_explored)
                )
            )


def begin_anew(item: OpenScan) -> None:
    """Put the slider back to the approved point when another scan comes on screen."""
    if st.session_state.get(_SHOWN) != item.widget:
        st.session_state[_SHOWN] = item.widget
        item.explored = None


def threshold_sentence(found: AtThreshold, positive: str, study: float | None) -> str:
    """Say what a threshold did to the validation scans, with intervals and n (Markdown).

    Parameters
    ----------
    study
        Share of positives in the study, 0..1, as it stands beside the answer.
    """
    return _(
        "At {threshold} this model found **{found}** {label} validation scans ({found_counts}) and "
        "flagged **{flagged}** others ({flagged_counts}); study prevalence {study}."
    ).format(
        threshold=percent(found.threshold),
        found=_of_hundred(found.found),
        found_counts=_counts(found.found),
        label=class_name(positive),
        flagged=_of_hundred(found.false_alarms),
        flagged_counts=_counts(found.false_alarms),
        study="–" if study is None else percent(study),
    )


def _of_hundred(share: Share) -> str:
    """Return a share as so many of 100; neither all nor none unless it was so."""
    if share.value is None:
        return _("none of 0")
    whole = round(share.value * 100)
    if 0 < share.hits < share.n:
        whole = min(max(whole, 1), 99)
    return _("{whole} of 100").format(whole=whole)


def _counts(share: Share) -> str:
    low, high = share.interval
    return _("95% interval {low}–{high}; {hits} of {n}").format(
        low=f"{low * 100:.0f}", high=f"{high * 100:.0f}", hits=share.hits, n=share.n
    )


def _threshold(item: OpenScan, prediction: Prediction) -> float:
    approved = prediction.operating_point.threshold
    return approved if item.explored is None else item.explored


def _controls(item: OpenScan, prediction: Prediction, validation: Validation) -> None:
    approved = prediction.operating_point
    st.caption(
        _(
            "Exploration: the answer above is given at the approved point, {threshold} "
            "(“{name}”), and stays."
        ).format(threshold=percent(approved.threshold), name=point_name(approved.name))
    )
    key = f"explore-{item.widget}"
    st.slider(
        _("Flag from this probability on"),
        0.0,
        1.0,
        step=0.01,
        format="percent",
        **kept(
            key,
            round(_threshold(item, prediction), 2),
            _moved,
            item,
            key,
            approved,
            validation.points,
        ),
    )
    with st.container(horizontal=True, gap="small", key="explore-points"):
        for point in sorted(validation.points, key=lambda point: point.threshold):
            is_approved = point.name == approved.name
            here = _threshold(item, prediction) == point.threshold
            st.button(
                _("{name}, {threshold}").format(
                    name=point_name(point.name), threshold=percent(point.threshold)
                ),
                icon=":material/verified:" if is_approved else None,
                key=f"explore-{point.name}-{item.widget}",
                type="primary" if here else "secondary",
                on_click=_go,
                args=(item, point, approved),
            )


def _moved(
    item: OpenScan, key: str, approved: OperatingPoint, points: tuple[OperatingPoint, ...]
) -> None:
    value = float(st.session_state[key])
    # A named point lies between two steps: the step next to it is the point itself.
    for point in (approved, *points):
        if round(point.threshold, 2) == value:
            _go(item, point, approved)
            return
    item.explored = item.last_explored = value


def _go(item: OpenScan, point: OperatingPoint, approved: OperatingPoint) -> None:
    if point.threshold == approved.threshold:
        item.explored = None
    else:
        item.explored = item.last_explored = point.threshold


def _this_scan(item: OpenScan, prediction: Prediction, threshold: float) -> None:
    shown, limit = apart(prediction.probability, threshold)
    flagged = prediction.probability >= threshold
    if item.explored is None:
        words = (
            _("This scan, {probability}, is flagged at {threshold}.")
            if flagged
            else _("This scan, {probability}, is not flagged at {threshold}.")
        )
    elif flagged == prediction.flagged:
        words = (
            _("This scan, {probability}, would be flagged at {threshold} too.")
            if flagged
            else _("This scan, {probability}, would not be flagged at {threshold} either.")
        )
    else:
        words = (
            _("This scan, {probability}, **would be flagged** at {threshold}; the answer does not.")
            if flagged
            else _(
                "This scan, {probability}, **would not be flagged** at {threshold}; the answer "
                "flags it."
            )
        )
    icon = ":material/flag:" if flagged else ":material/outlined_flag:"
    line = f"{icon} " + words.format(probability=shown, threshold=limit)
    if not flagged:
        others = {k: v for k, v in prediction.probabilities.items() if k != prediction.positive}
        line += " " + not_excluded(max(others, key=lambda label: others[label]))
    st.markdown(line)


def _predictive_values(found: AtThreshold, positive: str, study: float | None, site: Site) -> None:
    """Say what being flagged, and not being flagged, means at the study's and at the site's."""
    columns = []
    if study is not None and 0 < study < 1:
        columns.append((_("study, {share}").format(share=percent(study)), study))
    if site.share is not None:
        share = prevalence_words(site.share)
        columns.append((_("this site, {share}").format(share=share), site.share))
    else:
        share = prevalence_words(ELSEWHERE)
        columns.append((_("example, {share}").format(share=share), ELSEWHERE))
    label = class_name(positive)
    rows = [
        ["", *(title for title, _share in columns)],
        ["---"] * (len(columns) + 1),
        [
            _("Flagged that are {label}").format(label=label),
            *(_chance(found.positive_value(share)) for _title, share in columns),
        ],
        [
            _("Not flagged that are not {label}").format(label=label),
            *(_chance(found.negative_value(share)) for _title, share in columns),
        ],
    ]
    st.markdown("\n".join("| " + " | ".join(row) + " |" for row in rows))
    st.caption(_("Predictive values with 95% intervals.") + " " + site_words(site))


def _chance(value: Predictive | None) -> str:
    if value is None:
        return _("none to tell")
    # Near the ends a whole percent would hide what a threshold changes.
    decimals = 0 if 0.05 < value.value < 0.95 else 1
    shown, low, high = (percent(each, decimals) for each in (value.value, value.low, value.high))
    return f"**{shown}** ({low}–{high})"
