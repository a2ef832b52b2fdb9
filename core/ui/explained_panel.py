"""Explanations on the performance page: how faithful each method measured on labelled scans."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from core.explain import method_name
from core.learning.evaluated import Figure
from core.learning.explained import Explained, explained
from core.model import Bundle
from core.text import _
from core.ui.performance_words import data_words
from core.ui.wording import percent


def show_explained(bundle: Bundle) -> None:
    """Show what was measured of a model's explanations, or how to measure it."""
    found = explained(bundle)
    st.subheader(_("Explanations: how faithful each method measured"), anchor=False)
    if not found:
        st.info(
            _("The explanations of this model have not been measured. This adds them here:"),
            icon=":material/add_chart:",
        )
        st.code(
            f"python -m core evaluate-explanations --model {bundle.card.task} "
            f"--version {bundle.card.version} --data FOLDER --out FOLDER --attach",
            language=None,
            wrap_lines=True,
        )
        return
    by_name = {each.name: each for each in found}
    name = found[0].name
    if len(found) > 1:
        chosen = st.selectbox(
            _("Explanations measured on"),
            list(by_name),
            key=f"explained-{bundle.digest[:12]}",
        )
        name = chosen if chosen in by_name else name
    _one(by_name[name])


def _one(shown: Explained) -> None:
    words = [
        _("Scans: {n}; cases: {cases}; outlined lesions: {lesions}.").format(
            n=shown.n, cases=shown.cases, lesions=shown.lesions
        )
    ]
    if shown.lesion_area is not None:
        words.append(
            _("Lesions cover {share} of the scan on average: even heat has that inside.").format(
                share=percent(shown.lesion_area, 1)
            )
        )
    st.caption(" ".join(words))
    if shown.data:
        st.text(data_words(shown.data))
    if shown.damaged:
        st.warning(
            _("Parts of this measurement are damaged and not shown. Measure again to replace it."),
            icon=":material/broken_image:",
        )
    st.dataframe(
        _methods(shown),
        hide_index=True,
        key="explained-table",
        alt=_("Methods of explanation with what each measured"),
    )
    st.caption(
        _(
            "With 95% intervals, whole cases resampled. Faithfulness is the insertion area less "
            "the deletion area; parts hidden at random have 0 on average. A map that does not "
            "beat random orders is no reason to trust the answer."
        )
    )
    if shown.forgotten:
        _forgotten(shown)
    if shown.pairs:
        with st.expander(
            _("Which methods agree"), icon=":material/compare:", key="explained-pairs-open"
        ):
            st.dataframe(
                _pairs(shown),
                hide_index=True,
                key="explained-pairs",
                alt=_("How far the maps of two methods agree"),
            )
            st.caption(
                _(
                    "Two maps agree where they fit better than 95% of the shifts of one over the "
                    "other."
                )
            )


def _forgotten(shown: Explained) -> None:
    """Show what became of each method's maps as the network lost what it has learnt."""
    with st.expander(
        _("Do the maps depend on what was learnt?"),
        icon=":material/shuffle:",
        key="explained-shuffled-open",
    ):
        st.dataframe(
            pd.DataFrame(
                [
                    {
                        _("Method"): method_name(each.method),
                        _("Depends on what was learnt"): _("yes") if each.depends else _("no"),
                    }
                    | {
                        _("{k} of {n} layers").format(k=k, n=shown.layers): f"{value:.2f}"
                        for k, value in zip(shown.shuffled, each.correlation, strict=True)
                    }
                    for each in shown.forgotten
                ]
            ),
            hide_index=True,
            key="explained-shuffled",
            alt=_("How like each map stays as the weights are shuffled away"),
        )
        st.caption(
            _(
                "The weights of a copy of the network are shuffled layer by layer, from the scores "
                "down, on {n} scans; the figures are rank correlations with the map of the network "
                "as it is. A map that stays shows the picture and not the model."
            ).format(n=shown.shuffled_scans)
        )


def _methods(shown: Explained) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                _("Method"): (
                    method_name(each.method)
                    if each.class_specific
                    else _("{method} (same for every class)").format(
                        method=method_name(each.method)
                    )
                ),
                _("n"): str(each.n),
                _("Peak in the lesion"): _share(each.figures.get("pointing")),
                _("Heat in the lesion"): _share(each.figures.get("inside")),
                _("Faithfulness"): _number(each.figures.get("faithfulness")),
                _("Deletion area"): _number(each.figures.get("deletion")),
                _("Insertion area"): _number(each.figures.get("insertion")),
                _("Beats random orders"): _share(each.figures.get("beats_random")),
                _("Stability under noise"): _number(each.figures.get("stability")),
                _("Gap, median"): _share(each.figures.get("gap_median"), 1),
                _("Gap, 90th percentile"): _share(each.figures.get("gap_high"), 1),
            }
            for each in shown.methods
        ]
    )


def _pairs(shown: Explained) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                _("Methods"): _("{one} and {other}").format(
                    one=method_name(each.one), other=method_name(each.other)
                ),
                _("n"): str(each.n),
                _("Scans on which they agree"): _share(each.figures.get("agree")),
                _("Rank correlation"): _number(each.figures.get("correlation")),
                _("Overlap of the hottest tenth"): _share(each.figures.get("overlap")),
            }
            for each in shown.pairs
        ]
    )


def _share(figure: Figure | None, places: int = 0) -> str:
    if figure is None:
        return "–"
    if figure.low is None or figure.high is None:
        return percent(figure.value, places)
    low, high = percent(figure.low, places), percent(figure.high, places)
    return f"{percent(figure.value, places)} ({low}–{high})"


def _number(figure: Figure | None) -> str:
    if figure is None:
        return "–"
    if figure.low is None or figure.high is None:
        return f"{figure.value:.2f}"
    return f"{figure.value:.2f} ({figure.low:.2f} … {figure.high:.2f})"
