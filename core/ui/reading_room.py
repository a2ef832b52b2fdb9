"""The scan on screen: viewer and answer side by side, the controls, the table, the downloads.

One fragment: a slider move runs only this, and never the model.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from core.errors import LesionError
from core.lesion import (
    HeatRegionResult,
    LesionControls,
    LesionResult,
    lesion_from_mask,
    mask_from_polygon,
    measurements_csv,
    measurements_frame,
    measurements_json,
)
from core.model import Prediction
from core.text import _, ngettext
from core.ui import downloads, picture, service
from core.ui.answer import show_answer
from core.ui.figure import Compare, Layers
from core.ui.reading_list import OpenScan
from core.ui.scores import show_scores
from core.ui.shaping import shape_controls, shaped, threshold_controls, withdraw_acceptance
from core.ui.wording import class_name, percent

_LAYERS: dict[str, Any] = {
    "compare": "both",
    "over": ["heat", "contour"],
    "heat_opacity": 0.4,
    "mask_opacity": 0.3,
}


@st.fragment
def reading_room(item: OpenScan) -> None:
    """Show one scan with everything the model says about it.

    Parameters
    ----------
    item
        The scan on screen; a result is shown only if it is this scan's.
    """
    if item.form_is_old:
        item.form_is_old = False
        st.rerun()
    left, right = st.columns([11, 5], gap="medium")
    try:
        result = shaped(item)
    except LesionError as error:
        st.error(str(error), icon=":material/error:")
        result = None
    with left:
        layers = _layer_controls(item)
        shown = layers.compare != "original" and (layers.contour or layers.mask)
        if shown != item.outline_shown:
            # The form asks whether the outline is accepted only while there is one to be seen.
            item.outline_shown = shown
            st.rerun()
        drawn = picture.show_scan(item, result, layers)
        if drawn is not None:
            item.regions = drawn
            withdraw_acceptance(item)
            # The feedback form stands outside this fragment and counts the regions.
            st.rerun()
        if item.prediction is not None:
            threshold_controls(item)
        if layers.heat and item.prediction is not None and result is not None:
            st.caption(_about_heat(item, item.prediction, result.mask))
    with right:
        _answer(item)
    # Below both columns, so that on a phone the answer comes straight after the picture.
    if item.prediction is not None:
        with st.container(border=True, key="shape"):
            shape_controls(item)
    if result is not None and item.prediction is not None:
        _below(item, item.prediction, result, layers)


def _about_heat(item: OpenScan, prediction: Prediction, mask: NDArray[np.uint8]) -> str:
    """Say what the heat is, and how far it lies where the outline is."""
    about = _(
        "Heat (Grad-CAM, Inferno scale: dark is little, bright is much): what spoke for “{label}”, "
        "coarse to about 1/{cells} of the image. A check to challenge, not proof."
    ).format(label=class_name(prediction.heat_class), cells=min(prediction.network_heat.shape))
    heat = item.heat()
    total = 0.0 if heat is None else float(heat.sum())
    if heat is None or total <= 0:
        return about + " " + _("Nothing spoke for it: the map is empty.")
    inside = mask > 0
    if not prediction.has_lesion_map or not inside.any():
        return about
    peak = bool(inside.flat[int(heat.argmax())])
    return (
        about
        + " "
        + _("{share} of it lies inside the outline; its peak does: {peak}.").format(
            share=percent(float(heat[inside].sum()) / total), peak=_("yes") if peak else _("no")
        )
    )


def _about_model(prediction: Prediction) -> None:
    """Show what the model is for and its limits, in the words of its card."""
    with st.expander(_("What this model is for, and its limits"), icon=":material/info:"):
        predictor = service.model().get_predictor()
        if predictor.bundle.digest != prediction.bundle_digest:
            st.caption(_("The model has changed since this answer."))
            return
        # The card's own words, as plain text.
        st.text(predictor.card.intended_use)
        for limit in predictor.card.limits:
            st.text("· " + limit)


def _answer(item: OpenScan) -> None:
    prediction = item.prediction
    if prediction is not None and prediction.image_digest == item.digest:
        show_answer(prediction, item.scan, item.doubts)
        more = st.expander(
            _("Among the validation scans"),
            icon=":material/bar_chart:",
            key="scores-open",
            on_change="rerun",
        )
        # Drawn only while it is open: it would be a third of the work of every slider move.
        if more.open:
            with more:
                show_scores(prediction)
        _about_model(prediction)
        return
    with st.container(border=True, key="answer"):
        st.caption(_("Case {case}").format(case=item.scan.case_number))
        if item.problem:
            st.subheader(":material/cloud_off: " + _("No AI result"), anchor=False)
            st.write(item.problem)
            st.caption(_("The scan, your own read and the review queue go on without it."))
            if st.button(_("Try again"), icon=":material/refresh:", key="read-again"):
                service.load_model_again()
                item.problem = None
                st.rerun()
        else:
            st.subheader(":material/hourglass_top: " + _("Waiting for the model"), anchor=False)


def _layer_controls(item: OpenScan) -> Layers:
    """Show what lies over the image, and return it; kept for the whole session."""
    chosen: dict[str, Any] = st.session_state.setdefault("layers", dict(_LAYERS))
    views: dict[Compare, str] = {
        "both": _("Side by side"),
        "overlay": _("Overlay"),
        "original": _("Untouched"),
    }
    over = {"heat": _("Heat"), "mask": _("Mask"), "contour": _("Outline"), "chords": _("Chords")}
    with st.container(horizontal=True, gap="small", vertical_alignment="center", key="layers-bar"):
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
            st.slider(_("Heat opacity"), 0.05, 1.0, step=0.05, **_layer(chosen, "heat_opacity"))
            st.slider(_("Mask opacity"), 0.05, 1.0, step=0.05, **_layer(chosen, "mask_opacity"))
    return Layers(
        heat="heat" in chosen["over"] and item.prediction.heat_available,
        heat_opacity=chosen["heat_opacity"],
        mask="mask" in chosen["over"],
        mask_opacity=chosen["mask_opacity"],
        contour="contour" in chosen["over"],
        chords="chords" in chosen["over"],
        compare=chosen["compare"],
    )


def _layer(chosen: dict[str, Any], name: str) -> dict[str, Any]:
    key = f"layer-{name}"
    if key not in st.session_state:
        st.session_state[key] = chosen[name]

    def keep() -> None:
        chosen[name] = st.session_state[key]

    return {"key": key, "on_change": keep}


def _below(
    item: OpenScan,
    prediction: Prediction,
    result: LesionResult | HeatRegionResult,
    layers: Layers,
) -> None:
    """Show the table and the downloads under the image."""
    if not isinstance(result, LesionResult):
        st.caption(
            ngettext("{n} heat region", "{n} heat regions", len(result.regions)).format(
                n=len(result.regions)
            )
            + ": "
            + _("made from heat, not an outline of a lesion. It has no measurements.")
        )
    else:
        unit = _("pixels: no calibration is known") if item.scan.spacing is None else "mm"
        st.markdown(
            "**"
            + _("Lesions · AI outline, unconfirmed")
            + "** · "
            + _("measured in {unit}").format(unit=unit)
            + " · "
            + _("{shown} of {total} regions; map cut at {threshold}").format(
                shown=len(result.lesions), total=result.total, threshold=f"{result.threshold:.2f}"
            )
            + (
                ""
                if item.controls == LesionControls()
                else " · **" + _("shaped by you: not the controls it comes with") + "**"
            )
        )
        if result.lesions:
            st.dataframe(
                downloads.table_on_screen(measurements_frame(result)),
                hide_index=True,
                key=f"lesions-{item.digest[:16]}",
            )
        else:
            st.info(_("No region is left at these controls. Lower the threshold or reset."))
    _own_regions(item)
    _downloads(item, prediction, result, layers)


def _own_regions(item: OpenScan) -> None:
    """Measure what the doctor drew, by the same rules as the AI's outlines."""
    scan, size = item.scan, (item.scan.height, item.scan.width)
    masks = [mask_from_polygon(points, size) for points in item.regions]
    drawn = [lesion_from_mask(mask, scan.grey, spacing=scan.spacing_at) for mask in masks]
    if drawn:
        table = measurements_frame(drawn)
        table["number"] = range(1, len(drawn) + 1)
        st.markdown("**" + _("Your regions") + "**")
        st.dataframe(downloads.table_on_screen(table), hide_index=True, key="own-regions")


def _downloads(
    item: OpenScan,
    prediction: Prediction,
    result: LesionResult | HeatRegionResult,
    layers: Layers,
) -> None:
    """Offer the files; each is made only when it is asked for."""
    case = item.scan.case_number
    offers: list[tuple[str, str, str, Any]] = [
        (
            _("Overlay PNG"),
            f"{case}-overlay.png",
            "image/png",
            lambda: downloads.overlay_png(item.scan, prediction, result, layers),
        ),
        (
            _("Mask PNG"),
            f"{case}-mask.png",
            "image/png",
            lambda: downloads.mask_png(item.scan, prediction, result),
        ),
    ]
    if isinstance(result, LesionResult):
        provenance = downloads.provenance(item.scan, prediction)
        offers += [
            (
                _("Measurements CSV"),
                f"{case}-measurements.csv",
                "text/csv",
                lambda: measurements_csv(result, provenance),
            ),
            (
                _("Measurements JSON"),
                f"{case}-measurements.json",
                "application/json",
                lambda: measurements_json(result, provenance),
            ),
        ]
    with st.container(horizontal=True, gap="small", key="downloads"):
        for title, name, mime, make in offers:
            st.download_button(
                title,
                make,
                name,
                mime,
                on_click="ignore",
                icon=":material/download:",
                key=f"download-{name}",
            )
