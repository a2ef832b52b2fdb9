"""The lesion controls: threshold, morphology, presets, reset and undo. Never calls the model."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import streamlit as st

from core.errors import LesionError
from core.lesion import (
    PRESETS,
    RANGES,
    HeatRegionResult,
    LesionControls,
    LesionResult,
    find_heat_regions,
    find_lesions,
    preset_name,
)
from core.text import _
from core.ui.kept import kept
from core.ui.open_scan import OpenScan


def shaped(item: OpenScan) -> LesionResult | HeatRegionResult | None:
    """Return what the controls make of the scan's map: lesions, heat regions, or none."""
    surface = item.region_map()
    if surface is None or item.prediction is None:
        return None
    if item.shaped is None or item.shaped.controls != item.controls:
        if item.prediction.has_lesion_map:
            item.shaped = find_lesions(
                surface, item.scan.grey, item.controls, spacing=item.scan.spacing_at
            )
        else:
            item.shaped = find_heat_regions(surface, item.controls)
    return item.shaped


def outline_of(item: OpenScan) -> LesionResult | HeatRegionResult | None:
    """Return what :func:`shaped` does, or None where the map cannot be shaped."""
    try:
        return shaped(item)
    except LesionError:
        # The reading room says why there is none.
        return None


def threshold_controls(item: OpenScan) -> None:
    """Show the threshold, straight under the picture that it changes."""
    names = {
        "fixed": _("Fixed"),
        "otsu": _("Otsu"),
        "hysteresis": _("Hysteresis"),
    }
    left, right = st.columns([2, 3], gap="medium")
    left.segmented_control(
        _("Threshold method"),
        list(names),
        format_func=names.__getitem__,
        required=True,
        wrap=True,
        **_state(item, "method"),
    )
    if item.controls.method != "otsu":
        right.slider(_("Threshold"), 0.05, 0.95, step=0.01, **_state(item, "threshold"))
    if item.controls.method == "hysteresis":
        right.slider(
            _("Grow down to"),
            0.01,
            0.95,
            step=0.01,
            **_state(item, "low"),
            help=_("What touches the threshold is followed down to this value."),
        )


def shape_controls(item: OpenScan) -> None:
    """Show the other controls of the scan on screen."""
    left, right = st.columns([5, 4], gap="medium")
    with left:
        _morphology(item)
    with right:
        _selection(item)
    _presets(item)


def _selection(item: OpenScan) -> None:
    left, right = st.columns(2, vertical_alignment="bottom")
    most = int(RANGES["keep_largest"][1])
    left.number_input(_("Minimum area (px)"), 0, 1_000_000, step=50, **_state(item, "minimum_area"))
    right.number_input(_("Keep the largest"), 1, most, step=1, **_state(item, "keep_largest"))
    st.toggle(_("Fill holes"), **_state(item, "fill_holes"))


def _presets(item: OpenScan) -> None:
    with st.container(horizontal=True, gap="small"):
        for name, preset in PRESETS.items():
            st.button(
                preset_name(name),
                key=f"preset-{name}-{item.widget}",
                type="primary" if item.controls == preset else "secondary",
                on_click=_use,
                args=(item, preset),
            )
        st.button(
            _("Reset"),
            icon=":material/restart_alt:",
            key=f"shape-reset-{item.widget}",
            disabled=item.controls == LesionControls(),
            on_click=_use,
            args=(item, LesionControls()),
        )
        st.button(
            _("Undo"),
            icon=":material/undo:",
            key=f"shape-undo-{item.widget}",
            disabled=not item.history,
            on_click=_undo,
            args=(item,),
        )


def _morphology(item: OpenScan) -> None:
    operations = {
        "none": _("None"),
        "open": _("Open"),
        "close": _("Close"),
        "erode": _("Erode"),
        "dilate": _("Dilate"),
    }
    kernels = {"ellipse": _("Ellipse"), "rectangle": _("Rectangle"), "cross": _("Cross")}
    st.segmented_control(
        _("Morphology"),
        list(operations),
        format_func=operations.__getitem__,
        required=True,
        wrap=True,
        **_state(item, "operation"),
    )
    if item.controls.operation == "none":
        return
    left, middle, right = st.columns(3)
    left.selectbox(
        _("Kernel"), list(kernels), format_func=kernels.__getitem__, **_state(item, "kernel")
    )
    # Only odd kernels are centred on their pixel.
    sizes = list(range(int(RANGES["size"][0]), int(RANGES["size"][1]) + 1, 2))
    middle.selectbox(_("Size (px)"), sizes, **_state(item, "size"))
    right.number_input(_("Iterations"), 1, 10, step=1, **_state(item, "iterations"))


def _key(item: OpenScan, name: str) -> str:
    return f"shape-{name}-{item.widget}"


def _state(item: OpenScan, name: str) -> dict[str, Any]:
    return kept(_key(item, name), getattr(item.controls, name), _changed, item, name)


def _changed(item: OpenScan, name: str) -> None:
    value = st.session_state[_key(item, name)]
    try:
        changes = {name: value}
        if name in ("threshold", "low"):
            # The lower of the two thresholds follows, so that no position is refused.
            threshold = changes.get("threshold", item.controls.threshold)
            changes["low"] = min(changes.get("low", item.controls.low), threshold)
        new = replace(item.controls, **changes)
    except LesionError as error:
        st.toast(str(error), icon=":material/error:")
        return
    _remember(item, new)


def _use(item: OpenScan, controls: LesionControls) -> None:
    _remember(item, controls)
    withdraw_acceptance(item)


def _undo(item: OpenScan) -> None:
    if item.history:
        item.controls = item.history.pop()
        withdraw_acceptance(item)


def _remember(item: OpenScan, new: LesionControls) -> None:
    if new != item.controls:
        item.history.append(item.controls)
        item.controls = new
        withdraw_acceptance(item)


def withdraw_acceptance(item: OpenScan) -> None:
    """Take back that the outline was accepted: what was accepted was another one.

    The tick stands outside the part of the page that runs now, and the browser would send it
    again: the form shows a new, empty one in its place.
    """
    if item.drafts.get("outline"):
        item.drafts["outline"] = False
        item.withdrawn += 1
        item.form_is_old = True
