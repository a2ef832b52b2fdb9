"""Explanations to take away: each map of the image on screen as a picture and as its values."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import streamlit as st

from core.explain import (
    Drawing,
    asked_name,
    explanation_npz,
    explanation_png,
    file_stem,
)
from core.model import Prediction
from core.text import _, language
from core.ui.explained import Explained, explained, figures_of
from core.ui.figure import Layers
from core.ui.open_scan import OpenScan
from core.ui.report_panel import in_language

#: Title, name, type, and what makes it.
Offer = tuple[str, str, str, Callable[[], bytes]]


def explain_downloads(item: OpenScan, prediction: Prediction, layers: Layers) -> None:
    """Offer the explanations that were made of the image on screen; nothing where there are none.

    Each file is made only when it is asked for, drawn as strongly as it is on screen.
    """
    if not item.asked:
        return
    panel = st.expander(
        _("Take the explanations away"),
        icon=":material/download:",
        key="explain-files-open",
        on_change="rerun",
    )
    if not panel.open:
        return
    with panel:
        st.caption(
            _(
                "The picture lies over the untouched scan at its own size; the values are a NumPy "
                "archive (float32)."
            )
        )
        for number, one in enumerate(explained(item)):
            made = one.explanation
            # Each as it was drawn last, whatever is asked of another one now.
            drawing = Drawing(layers.heat_opacity, layers.heat_cut, against=one.against)
            st.markdown(f"**{asked_name(made.method, made.target, against=one.against)}**")
            with st.container(horizontal=True, gap="small"):
                for title, name, mime, make in offers(one, number, item, prediction, drawing):
                    st.download_button(
                        title,
                        make,
                        name,
                        mime,
                        on_click="ignore",
                        icon=":material/download:",
                        key=f"download-{name}",
                    )


def offers(
    one: Explained, number: int, item: OpenScan, prediction: Prediction, drawing: Drawing
) -> list[Offer]:
    """Return the files of one explanation; two of a method and class differ by their number."""
    made, model = one.explanation, (prediction.task, prediction.version)
    scan, despite = item.scan, item.read_despite
    side = "-against" if one.against else ""
    stem = f"{file_stem(scan.case_number, made.method, made.target)}{side}-{number + 1}"
    figures = figures_of(one, item)
    picture = partial(explanation_png, scan, made, *model, drawing, despite)
    values = partial(explanation_npz, made, scan.case_number, *model, figures, despite)
    return [
        (_("Picture PNG"), f"{stem}.png", "image/png", in_language(language(), picture)),
        (_("Values NPZ"), f"{stem}.npz", "application/octet-stream", values),
    ]
