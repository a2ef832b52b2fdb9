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
from core.ui.kept import kept
from core.ui.open_scan import OpenScan
from core.ui.scores import Validation, validation_of
from core.ui.site import Site, site_of, site_words
from core.ui.wording import apart, class_name, percent, point_name

_SHOWN = "explored-scan"


@st.fragment
def explore(item: OpenScan, prediction: Prediction) -> None:
    """Show what flagging from another probability on would have done.

    Parameters
    ----------
    item
        The scan on screen. Where the slider stands is kept with it while it is on screen, and
        where it stood last is recorded with the feedback.
    prediction
        The answer on it, given at the approved point.
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
        st.markdown(threshold_sentence(found, prediction.positive))
        _this_scan(item, prediction, threshold)
        _predictive_values(found, prediction.positive, site_of(prediction.task))
        if item.quality.failed:
            st.caption(_("These figures are of scans that pass the quality check; this one fails."))
        if item.last_explored is not None:
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


def threshold_sentence(found: AtThreshold, positive: str) -> str:
    """Say what a threshold did to the validation scans, with intervals and n (Markdown)."""
    study = found.prevalence
    return _(
        "At {threshold} this model found {found} {label} validation scans and flagged {flagged} "
        "others (study prevalence {study})."
    ).format(
        threshold=percent(found.threshold),
        found=_of_hundred(found.found),
        label=class_name(positive),
        flagged=_of_hundred(found.false_alarms),
        study="–" if study is None else percent(study),
    )


def _of_hundred(share: Share) -> str:
    """Return a share as so many of 100, with its interval and the counts behind it."""
    if share.value is None:
        return _("none of 0")
    whole = round(share.value * 100)
    # Neither all nor none unless it was so.
    if 0 < share.hits < share.n:
        whole = min(max(whole, 1), 99)
    low, high = share.interval
    return _("**{whole} of 100** (95% interval {low}–{high}, {hits} of {n})").format(
        whole=whole,
        low=f"{low * 100:.0f}",
        high=f"{high * 100:.0f}",
        hits=share.hits,
        n=share.n,
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
            words = _("Approved: {name}, {threshold}") if is_approved else _("{name}, {threshold}")
            here = _threshold(item, prediction) == point.threshold
            st.button(
                words.format(name=point_name(point.name), threshold=percent(point.threshold)),
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


def _predictive_values(found: AtThreshold, positive: str, site: Site) -> None:
    """Say what being flagged, and not being flagged, means at the study's and at the site's."""
    lines = []
    study = found.prevalence
    if study is not None and 0 < study < 1:
        lines.append((_("Where {share} are {label}, as in the study"), study))
    if site.share is not None:
        lines.append((_("At this site, where {share} are {label}"), site.share))
    else:
        lines.append((_("Where, for example, {share} are {label}"), ELSEWHERE))
    for words, share in lines:
        head = words.format(share=prevalence_words(share), label=class_name(positive))
        st.markdown(_("{head}: {rest}").format(head=head, rest=_values(found, positive, share)))
    st.caption(site_words(site))


def _values(found: AtThreshold, positive: str, prevalence: float) -> str:
    flagged, spared = found.positive_value(prevalence), found.negative_value(prevalence)
    return _(
        "of those flagged {flagged} are {label}; of those not flagged {spared} are not."
    ).format(flagged=_chance(flagged), spared=_chance(spared), label=class_name(positive))


def _chance(value: Predictive | None) -> str:
    if value is None:
        return _("unknown: there are none")
    words = "**{value}** ({low}–{high})"
    return words.format(
        value=percent(value.value, 1), low=percent(value.low, 1), high=percent(value.high, 1)
    )
