"""What lies over the image and what stands beside it."""

from __future__ import annotations

from typing import Any

import streamlit as st

from core.text import _
from core.ui.figure import Compare, Layers
from core.ui.kept import kept
from core.ui.open_scan import OpenScan

_LAYERS: dict[str, Any] = {
    "compare": "both",
    "over": ["heat", "contour"],
    "heat_opacity": 0.4,
    "heat_cut": 0.0,
    "mask_opacity": 0.3,
}


def layer_controls(item: OpenScan) -> Layers:
    """Show what lies over the image, and return it; kept for the whole session."""
    chosen: dict[str, Any] = st.session_state.setdefault("layers", dict(_LAYERS))
    views: dict[Compare, str] = {
        "both": _("Side by side"),
        "overlay": _("Overlay"),
        "original": _("Untouched"),
    }
    over = {"heat": _("Heat"), "mask": _("Mask"), "contour": _("Outline"), "chords": _("Chords")}
    st.segmented_control(
        _("View"),
        list(views),
        format_func=views.__getitem__,
        required=True,
        label_visibility="collapsed",
        **_layer(chosen, "compare"),
    )
    if item.prediction is None:
        return Layers(compare=chosen["compare"])
    st.pills(
        _("Layers"),
        list(over),
        format_func=over.__getitem__,
        selection_mode="multi",
        wrap=True,
        label_visibility="collapsed",
        **_layer(chosen, "over"),
    )
    with st.popover(_("Opacity"), icon=":material/opacity:"):
        st.slider(_("Mask opacity"), 0.05, 1.0, step=0.05, **_layer(chosen, "mask_opacity"))
    return Layers(
        heat="heat" in chosen["over"],
        heat_opacity=chosen["heat_opacity"],
        heat_cut=chosen["heat_cut"],
        mask="mask" in chosen["over"],
        mask_opacity=chosen["mask_opacity"],
        contour="contour" in chosen["over"],
        chords="chords" in chosen["over"],
        compare=chosen["compare"],
    )


def heat_controls() -> None:
    """Show how strongly heat is drawn and from where on; the model is not asked."""
    chosen: dict[str, Any] = st.session_state.setdefault("layers", dict(_LAYERS))
    left, right = st.columns(2, gap="medium")
    left.slider(_("Heat opacity"), 0.05, 1.0, step=0.05, **_layer(chosen, "heat_opacity"))
    right.slider(
        _("Hide heat below this share of the strongest"),
        0.0,
        0.95,
        step=0.05,
        **_layer(chosen, "heat_cut"),
    )


def stand_side_by_side() -> None:
    """Show the panes beside each other: two things are to be compared."""
    st.session_state.setdefault("layers", dict(_LAYERS))["compare"] = "both"


def _layer(chosen: dict[str, Any], name: str) -> dict[str, Any]:
    key = f"layer-{name}"

    def keep() -> None:
        if st.session_state[key] is not None:
            chosen[name] = st.session_state[key]

    return kept(key, chosen[name], keep)
