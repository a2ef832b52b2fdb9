"""Where a scan's probability lies among those of the validation scans."""

from __future__ import annotations

from dataclasses import dataclass

import plotly.graph_objects as go
import streamlit as st

from core.model import OperatingPoint, Prediction, Reference, find_bundle
from core.text import _
from core.ui import service
from core.ui.wording import class_name


@dataclass(frozen=True, slots=True, eq=False)
class Validation:
    """The validation scores of a bundle, without anything else of its reference, and its points."""

    reference: Reference
    points: tuple[OperatingPoint, ...]


def validation_of(task: str, version: str, digest: str) -> Validation | None:
    """Return the validation scores behind an answer; None where that very bundle is gone."""
    bundle = find_bundle(service.settings(), task, version, digest)
    if bundle is None:
        return None
    known = bundle.reference
    return Validation(
        Reference(known.validation_scores, known.validation_positive),
        bundle.card.operating_points,
    )


def histogram(reference: Reference) -> tuple[list[int], list[int]]:
    """Return validation scans per tenth of probability: positive, and others."""
    positive, others = [0] * 10, [0] * 10
    for score, sick in zip(reference.validation_scores, reference.validation_positive, strict=True):
        (positive if sick else others)[min(int(score * 10), 9)] += 1
    return positive, others


def score_figure(positive: list[int], others: list[int], prediction: Prediction) -> go.Figure:
    """Draw the validation scans by probability, with this scan and the threshold in them.

    Parameters
    ----------
    positive, others
        Ten counts each, from :func:`histogram`.
    """
    centres = [5 + 10 * i for i in range(10)]
    label = class_name(prediction.positive)
    figure = go.Figure()
    figure.add_bar(
        x=centres, y=others, name=_("not {label}").format(label=label), marker_color="#7f9bb0"
    )
    figure.add_bar(
        x=centres,
        y=positive,
        name=label,
        marker={"color": "#e0a030", "pattern": {"shape": "/", "fgcolor": "#5c3d00"}},
    )
    figure.add_vline(
        x=prediction.probability * 100,
        line={"color": "#d4483b", "width": 3},
        annotation_text=_("this scan"),
    )
    figure.add_vline(
        x=prediction.operating_point.threshold * 100, line={"color": "#888", "dash": "dash"}
    )
    figure.update_layout(
        barmode="stack",
        height=210,
        margin={"l": 10, "r": 10, "t": 24, "b": 10},
        legend={"orientation": "h", "y": -0.35},
        xaxis={"title": _("calibrated probability, %"), "range": [0, 100]},
        yaxis={"title": _("validation scans")},
        bargap=0.08,
    )
    return figure


def show_scores(prediction: Prediction) -> None:
    """Show the figure (the dashed line is the threshold), or say that there are no scores."""
    found = validation_of(prediction.task, prediction.version, prediction.bundle_digest)
    if found is None or not len(found.reference.validation_scores):
        st.caption(_("This model came without validation scores."))
        return
    st.plotly_chart(
        score_figure(*histogram(found.reference), prediction),
        config={"displayModeBar": False, "displaylogo": False},
        key="scores",
    )
