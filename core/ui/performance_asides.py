"""Figures beside the headline: on the scans the model answers, and beside a reader's category."""

from __future__ import annotations

import streamlit as st

from core.learning.evaluated import Answered, BesideReader
from core.text import _, percent
from core.ui.performance_words import figure_name, in_brackets, number


def show_answered(answered: Answered) -> None:
    """Show the figures on the scans that are neither refused nor "not sure"."""
    st.subheader(_("On the scans it answers"), anchor=False)
    st.caption(
        _(
            "{n} scans, {share} of all: the others are refused, or the model is not sure. "
            "Malignant from {threshold} on."
        ).format(
            n=answered.n,
            share=percent(answered.coverage),
            threshold=percent(answered.threshold),
        )
    )
    with st.container(horizontal=True, gap="medium", key="answered"):
        # At the threshold the caption tells, and not at one half as the headline figures.
        titles = {
            "accuracy": _("Accuracy"),
            "recall": _("Sensitivity"),
            "specificity": _("Specificity"),
        }
        for name, figure in answered.figures.items():
            title = titles.get(name, figure_name(name))
            st.metric(
                title, number(figure), delta=in_brackets(figure, False), delta_color="off",
                delta_arrow="off", width="content",
            )  # fmt: skip


def show_beside_reader(rated: BesideReader) -> None:
    """Show how a reader's BI-RADS categories rank the scans, and how the model ranks the same."""
    st.subheader(_("Beside the reader's own category"), anchor=False)
    st.caption(
        _(
            "ROC-AUC on the {n} scans to which a reader gave a BI-RADS category, {positives} of "
            "them positive. The reader may have seen more than this picture; a few categories rank "
            "more coarsely than a probability, and tell less among cases that were chosen by them. "
            "Category 6, given when the biopsy was known, is left out."
        ).format(n=rated.n, positives=rated.positives)
    )
    if rated.not_understood:
        st.caption(
            _("{n} more have a word there that is no category.").format(n=rated.not_understood)
        )
    titles = {
        "reader": _("Reader's category"),
        "model": _("This model"),
        "difference": _("Model less reader"),
    }
    with st.container(horizontal=True, gap="medium", key="beside-reader"):
        for name, title in titles.items():
            figure = rated.figures[name]
            value, beside = number(figure), in_brackets(figure, False)
            if name == "difference" and figure.low is not None and figure.high is not None:
                # A dash between two numbers that may be negative would be read as a sign.
                value = f"{figure.value:+.3f}"
                beside = _("95%: {low} to {high}").format(
                    low=f"{figure.low:+.3f}", high=f"{figure.high:+.3f}"
                )
            st.metric(
                title, value, delta=beside, delta_color="off",
                delta_arrow="off", width="content",
            )  # fmt: skip
