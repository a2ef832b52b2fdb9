"""What was found, under the image: the tables and the files to take away."""

from __future__ import annotations

from typing import Any

import streamlit as st

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
from core.model import Prediction, outlined_all_the_same
from core.scan import Scan
from core.text import _, ngettext
from core.ui import downloads
from core.ui.figure import Layers
from core.ui.open_scan import OpenScan


def show_results(
    item: OpenScan,
    prediction: Prediction,
    result: LesionResult | HeatRegionResult,
    layers: Layers,
) -> None:
    """Show the table and the downloads under the image."""
    if not isinstance(result, LesionResult):
        st.caption(
            _("{head}: {rest}").format(
                head=ngettext("{n} heat region", "{n} heat regions", len(result.regions)).format(
                    n=len(result.regions)
                ),
                rest=_("made from heat, not an outline of a lesion. It has no measurements."),
            )
        )
    else:
        unit = _unit({lesion.measurements.unit for lesion in result.lesions}, item.scan)
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
        if contradiction := outlined_all_the_same(prediction, len(result.lesions)):
            st.warning(contradiction, icon=":material/help:")
        if result.lesions:
            st.dataframe(
                downloads.table_on_screen(measurements_frame(result)),
                hide_index=True,
                key=f"lesions-{item.widget}",
            )
        else:
            st.info(_("No region is left at these controls. Lower the threshold or reset."))
    _own_regions(item)
    _downloads(item, prediction, result, layers)


def _unit(units: set[str], scan: Scan) -> str:
    """Say in which unit the lesions are measured, and why not in millimetres."""
    if units == {"mm"} or (not units and scan.spacing is not None):
        return "mm"
    if not scan.regions:
        return _("pixels: no calibration is known")
    if "mm" in units:
        return _("mm, and in pixels where an outline leaves its calibrated region")
    return _("pixels: no calibrated region holds the outline")


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
        provenance = downloads.provenance(item.scan, prediction, item.quality, item.reason)
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
