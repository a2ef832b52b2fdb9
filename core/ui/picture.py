"""Between the rooms and the viewer: addresses for the pixels, outlines for what was found."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import cv2
import numpy as np
import streamlit as st
from numpy.typing import NDArray

from core.lesion import HeatRegionResult, LesionResult
from core.review import ImageFacts, Polygon
from core.scan import Scan, encode_png, thumbnail
from core.text import _
from core.ui import media, viewer
from core.ui.downloads import heat_png
from core.ui.figure import Figure, Layers, Outline, build_figure
from core.ui.reading_list import OpenScan

Ring = NDArray[np.int32]
Points = tuple[tuple[int, int], ...]


def scan_figure(
    item: OpenScan, result: LesionResult | HeatRegionResult | None, layers: Layers
) -> Figure:
    """Describe a scan with what was found on it; the pixels go by address, once."""
    scan, prediction = item.scan, item.prediction
    heat = None
    if layers.heat and prediction is not None and prediction.heat_available:
        identity = f"heat:{item.digest}:{prediction.bundle_digest}:{prediction.heat_class}"
        heat = media.publish(identity, lambda: heat_png(prediction.heat()))
    return build_figure(
        media.publish(f"scan:{item.digest}", lambda: encode_png(scan)),
        scan.width,
        scan.height,
        outlines=outlines(result),
        layers=layers,
        kind="heat region" if isinstance(result, HeatRegionResult) else "lesion",
        heat_url=heat,
        case_number=scan.case_number,
    )


def outlines(result: LesionResult | HeatRegionResult | None) -> list[Outline]:
    """Return what was found as the viewer draws it, at most half a pixel off."""
    if result is None:
        return []
    if isinstance(result, HeatRegionResult):
        return [
            Outline(region.number, tuple(map(_simple, (region.contour, *region.holes))))
            for region in result.regions
        ]
    found = []
    for lesion in result.lesions:
        measured = lesion.measurements
        ends = (measured.longest_chord_ends, measured.perpendicular_chord_ends)
        chords = tuple((round(a[0]), round(a[1]), round(b[0]), round(b[1])) for a, b in ends)
        rings = tuple(map(_simple, (lesion.contour, *lesion.holes)))
        found.append(Outline(lesion.number, rings, chords))
    return found


def _simple(ring: Ring) -> Ring:
    # For drawing only: everything is measured on the full outline.
    simple = cv2.approxPolyDP(ring.reshape(-1, 1, 2), 0.5, True)
    return np.asarray(simple.reshape(-1, 2), np.int32)


def show_scan(
    item: OpenScan, result: LesionResult | HeatRegionResult | None, layers: Layers
) -> list[Points] | None:
    """Show the scan on screen, and let the doctor draw on it.

    Returns
    -------
    list or None
        All regions drawn, in the run in which they changed; else None.
    """
    figure = scan_figure(item, result, layers)
    scan = item.scan
    regions = [
        region
        for points in item.regions
        if (region := viewer.region_from_points(points, scan.width, scan.height)) is not None
    ]
    changed = viewer.viewer(figure, key="read-viewer", drawing=True, regions=regions)
    box = viewer.region_by_numbers(figure, key=viewer.viewer_key("box", item.digest))
    if box is not None:
        changed = (*regions, box)
    if changed is None:
        return None
    return [tuple((int(x), int(y)) for x, y in region.to_list()) for region in changed]


def show_picture(
    png: bytes,
    image: ImageFacts,
    regions: Sequence[Polygon] = (),
    whose: str | None = None,
    result: LesionResult | HeatRegionResult | None = None,
) -> None:
    """Show a stored image as it is, with only what this viewer may see already over it.

    Parameters
    ----------
    regions, whose
        Drawn outlines and whose they are.
    result
        The AI's outline.
    """
    figure = build_figure(
        media.publish(f"case:{image.digest}", lambda: png),
        image.width,
        image.height,
        outlines=outlines(result),
        layers=Layers(mask=False, compare="overlay" if regions or result else "original"),
        kind="heat region" if isinstance(result, HeatRegionResult) else "lesion",
        case_number=image.case_number,
    )
    drawn = [
        region
        for points in regions
        if (region := viewer.region_from_points(points, image.width, image.height)) is not None
    ]
    viewer.viewer(figure, key="case-viewer", regions=drawn, region_name=whose)


def small_picture(identity: str, scan: Callable[[], Scan], alt: str, size: int) -> None:
    """Show a thumbnail by an address of this session's own, made when first asked for."""
    address = media.publish(
        f"thumbnail:{size}:{identity}", lambda: encode_png(thumbnail(scan(), size))
    )
    # Markdown, because st.image would take the address for a file of the server.
    st.markdown(f"![{alt}]({address})")


def named_case(scan: Scan, title: str) -> None:
    """Show which case this is, by number and by sight, so that nothing can be mixed up."""
    with st.container(horizontal=True, gap="small", vertical_alignment="center"):
        alt = _("Thumbnail of case {case}").format(case=scan.case_number)
        small_picture(scan.digest, lambda: scan, alt, 44)
        st.markdown(title)
