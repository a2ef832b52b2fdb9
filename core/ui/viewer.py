"""The image viewer: zoom, windows, loops, overlays, and what is drawn and measured by hand.

A component of our own rather than a chart: a Streamlit chart is mounted anew whenever its
specification changes, which loses the zoom and decodes the picture again at every slider move.
The component stays mounted while its ``key`` stays, takes plain data (``core.ui.figure``), and
runs ``viewer.js`` and its modules, which come from an address of our own
(``core.ui.media.media_routes``) so that they are not sent again at each move.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
import streamlit as st

from core.lesion import HandMeasure, measure_text
from core.text import _
from core.ui.figure import MAX_REGIONS, Figure, Region, encode, read_region
from core.ui.figure_parts import MAX_MEASURES, measures_data
from core.ui.media import viewer_script_path
from core.ui.viewer_events import (
    ViewerEvents,
    frame_from,
    measures_from,
    regions_from,
    window_from,
)
from core.ui.viewer_texts import keys_help, texts

_LOADER = """
const loads = new Map();
export default function (component) {
  const url = new URL(component.data.script, window.location.origin).href;
  let load = loads.get(url);
  if (!load) {
    load = { module: null, promise: import(url) };
    loads.set(url, load);
    load.promise.then((module) => { load.module = module; }, () => loads.delete(url));
  }
  let open = true;
  if (load.module) {
    load.module.render(component);
  } else {
    load.promise.then(
      (module) => { if (open) module.render(component); },
      () => {
        const root = component.parentElement.querySelector(".overread-viewer");
        if (root) root.textContent = component.data.text.failed;
      },
    );
  }
  return () => { open = false; load.module?.unmount(component); };
}
"""

_COMPONENT = st.components.v2.component(
    "overread_viewer", html='<div class="overread-viewer"></div>', js=_LOADER
)


def viewer(
    figure: Figure,
    *,
    key: str,
    drawing: bool = False,
    regions: Sequence[Region] = (),
    region_name: str | None = None,
    measuring: bool = False,
    measures: Sequence[HandMeasure] = (),
) -> ViewerEvents:
    """Show an image with its overlays, and let a person look, draw and measure.

    Parameters
    ----------
    figure
        From :func:`core.ui.figure.build_figure`.
    key
        The same for every scan shown in this place: the zoom is kept while the scan stays.
    drawing
        Whether regions may be drawn and removed.
    regions
        Regions drawn so far; the caller keeps them.
    region_name
        What stands beside each region: whose it is. "Yours" if left out.
    measuring
        Whether distances and ellipses may be drawn, moved and removed.
    measures
        Measurements by hand so far; the caller keeps them.

    Returns
    -------
    ViewerEvents
        What the person did in this very run. Keep it at once: it is reported once.
    """
    data = figure.data | {
        "script": viewer_script_path(),
        "alt": figure.alt,
        "altUntouched": _("Untouched image. {alt}").format(alt=figure.alt),
        "drawing": drawing,
        "most": MAX_REGIONS,
        "regions": [encode(region.points) for region in regions],
        "measuring": measuring,
        "mostMeasures": MAX_MEASURES,
        "measures": measures_data(measures, [measure_text(measure) for measure in measures]),
        "note": figure.note or "",
        "caption": _caption(figure),
        "text": texts() | ({"region": region_name} if region_name else {}),
        "help": keys_help(figure, measuring=measuring),
    }
    result = _COMPONENT(
        key=key,
        data=data,
        on_regions_change=_nothing,
        on_measures_change=_nothing,
        on_frame_change=_nothing,
        on_window_change=_nothing,
    )
    if not result:
        return ViewerEvents()
    window, as_read = window_from(result.get("window"), figure)
    return ViewerEvents(
        regions=regions_from(result.get("regions"), figure) if drawing else None,
        measures=measures_from(result.get("measures"), figure) if measuring else None,
        frame=frame_from(result.get("frame"), figure),
        window=window,
        window_as_read=as_read,
    )


def region_by_numbers(figure: Figure, *, key: str) -> Region | None:
    """Show four number fields and a button: a box for whoever cannot draw with a pointer.

    Returns
    -------
    Region or None
        The box, in the run in which the button was pressed.
    """
    with st.popover(_("Region by numbers"), icon=":material/keyboard:"):
        st.caption(
            _("A box in pixels, counted from the top left corner: {width} × {height}.").format(
                width=figure.width, height=figure.height
            )
        )
        across, down = figure.width - 1, figure.height - 1
        x, y = st.columns(2)
        left = x.number_input(_("Left"), 0, across, across // 4, key=f"{key}-left")
        top = y.number_input(_("Top"), 0, down, down // 4, key=f"{key}-top")
        right = x.number_input(_("Right"), 0, across, 3 * across // 4, key=f"{key}-right")
        bottom = y.number_input(_("Bottom"), 0, down, 3 * down // 4, key=f"{key}-bottom")
        if not st.button(_("Add this box"), key=f"{key}-add"):
            return None
        corners = [[left, top], [right, top], [right, bottom], [left, bottom]]
        box = read_region(corners, figure.width, figure.height)
        if box is None:
            st.warning(_("This box is too small: choose corners farther apart."))
        return box


def region_from_points(points: Sequence[Sequence[float]], width: int, height: int) -> Region | None:
    """Return a stored region (``[[x, y], …]`` in pixels) for the viewer, or None if it is none."""
    return read_region(np.asarray(points).tolist(), width, height)


def viewer_key(*parts: str) -> str:
    """Return a short key from parts that must not stand in the page, such as a digest."""
    return "viewer-" + hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def _caption(figure: Figure) -> str:
    """Say over the picture what its outlines are: never more than the model's suggestion."""
    if not figure.drawn:
        return ""
    if figure.data["kind"] == "heat":
        return _("Heat regions: where the model looked, not lesions")
    return _("AI outline, unconfirmed")


def _nothing() -> None:
    """Make Streamlit report the trigger under its name."""
