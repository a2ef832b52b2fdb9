"""Between the rooms and the viewer: addresses for the pixels, outlines for what was found."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
import streamlit as st
from numpy.typing import NDArray

from core.lesion import HeatRegionResult, LesionResult
from core.review import ImageFacts, Polygon
from core.scan import Depth, Loop, Scan, Window, encode_png, one_spacing, thumbnail
from core.text import _
from core.ui import media, viewer
from core.ui.figure import Figure, Layers, Outline, Region, build_figure
from core.ui.figure_parts import Beside, Deep, LoopView, Preset, Second
from core.ui.open_scan import OpenScan
from core.ui.viewer_events import ViewerEvents

#: Longest side in pixels of the picture that stands in for a deep image until its values are
#: there, and of a deep image beside another one.
_PREVIEW, _BESIDE = 768, 2048


@dataclass(frozen=True, slots=True, eq=False)
class Heat:
    """A map as it lies over the scan.

    Attributes
    ----------
    identity
        What tells it from the session's other pictures; of digests, never of pictures.
    make
        Gives the transparent PNG, when it was not published before.
    caption
        What it is, as plain text.
    """

    identity: str
    make: Callable[[], bytes]
    caption: str


Ring = NDArray[np.int32]
Points = tuple[tuple[int, int], ...]


def scan_figure(
    item: OpenScan,
    result: LesionResult | HeatRegionResult | None,
    layers: Layers,
    *,
    loop: Loop | None = None,
    beside: Beside | None = None,
    window: Window | None = None,
    heat: Heat | None = None,
    second: Heat | None = None,
) -> Figure:
    """Describe a scan with what was found on it; the pixels go by address, once.

    Parameters
    ----------
    item, result, layers
        The scan, what was found on it, and what of that is shown.
    loop
        The frames it is one of.
    beside
        What stands beside it instead of the untouched image; see :func:`beside_of`.
    window
        The window a deep scan is first seen through; the one the model reads with if left out.
    heat, second
        What lies over it as heat, and over the same image beside it.
    """
    scan = item.scan
    over = media.publish(heat.identity, heat.make) if heat is not None and layers.heat else None
    other = None
    if second is not None and layers.heat:
        other = Second(media.publish(second.identity, second.make), second.caption)
    deep = deep_of(scan, window)
    frames = None
    # A frame that was corrected is no longer the one that plays.
    if loop is not None and not scan.corrections:
        # The file and not its first frame: two loops may begin alike.
        frames = frames_of(loop, scan.source_digest, scan.frame)
    return build_figure(
        _address(scan, deep, frames),
        scan.width,
        scan.height,
        outlines=outlines(result),
        layers=layers,
        kind="heat region" if isinstance(result, HeatRegionResult) else "lesion",
        heat_url=over,
        heat_caption="" if heat is None else heat.caption,
        second=other,
        case_number=scan.case_number,
        deep=deep,
        loop=frames,
        beside=beside,
        spacing=scan.spacing,
        areas=scan.regions,
    )


def _address(scan: Scan, deep: Deep | None, loop: LoopView | None) -> str:
    if deep is not None:
        return deep.url
    if loop is not None:
        # The browser has it already when it was played or stopped at.
        return loop.url.format(frame=scan.frame)
    return media.publish(f"scan:{scan.digest}", lambda: encode_png(scan))


def deep_of(scan: Scan, shown: Window | None = None) -> Deep | None:
    """Publish the values of a scan of more than 8 bits for the viewer; None for any other.

    Parameters
    ----------
    scan
        Its default window is the one the model reads with.
    shown
        The window on screen first; the default one if left out.
    """
    depth = scan.depth
    if depth is None:
        return None
    # The digest is of the pixels, and other values may look the same through their window: the
    # bytes they came from, the frame and what was done to it tell values apart.
    done = ";".join(repr(step.to_dict()) for step in scan.corrections)
    identity = f"{scan.source_digest}:{scan.frame}:{scan.digest}:{done}"
    table = None
    if depth.window is None:
        table = media.publish_values(f"table:{identity}", lambda: _table(scan, depth))
    preview = None
    if max(scan.width, scan.height) > _PREVIEW:
        preview = media.publish(
            f"preview:{identity}", lambda: encode_png(thumbnail(scan, _PREVIEW))
        )
    return Deep(
        media.publish_values(f"values:{identity}", lambda: depth.values.astype("<u2").tobytes()),
        depth.window,
        _presets(depth),
        table,
        depth.slope,
        depth.intercept,
        depth.inverted,
        depth.unit,
        shown,
        preview,
    )


def _presets(depth: Depth) -> tuple[Preset, ...]:
    """Name the windows of a scan: what the file proposes, and the full range, which is the last."""
    if depth.presets:
        full = depth.presets[-1]
    else:
        low, high = (
            float(end) * depth.slope + depth.intercept
            for end in (depth.values.min(), depth.values.max())
        )
        full = Window((low + high) / 2, max(high - low, depth.slope), "linear_exact")
    proposed = [window for window in depth.presets[:-1] if window != full]
    if depth.window is not None and depth.window not in (full, *proposed):
        proposed.insert(0, depth.window)
    named = [
        Preset(_("Window of the file") if n == 1 else _("Window {n} of the file").format(n=n), each)
        for n, each in enumerate(proposed, 1)
    ]
    return (*named, Preset(_("Full range"), full))


def _table(scan: Scan, depth: Depth) -> bytes:
    """Return what the file's own table made of each value that occurs: 65,536 greys."""
    table = np.zeros(65536, np.uint8)
    table[depth.values] = scan.grey
    return table.tobytes()


def frames_of(loop: Loop, identity: str, frame: int) -> LoopView:
    """Give the frames of a loop addresses, and describe it for the viewer.

    Parameters
    ----------
    loop
        Its frames are decoded and encoded when the browser asks for one.
    identity
        What tells this loop from the session's others: ``Scan.source_digest``.
    frame
        The frame on screen, from 0.
    """
    url = media.publish_frames(
        f"loop:{identity}", loop.count, lambda index: encode_png(loop.frame(index))
    )
    return LoopView(url, loop.count, frame, loop.starts, loop.frames_per_second)


def beside_of(scan: Scan, caption: str) -> Beside:
    """Publish another scan, or another frame, to stand beside the one on screen.

    Parameters
    ----------
    scan
        It is seen as the model reads it; a deep one is made smaller where it is large.
    caption
        What it is, as plain text.
    """
    small = scan.depth is not None and max(scan.width, scan.height) > _BESIDE
    identity = f"beside:{scan.digest}" if small else f"scan:{scan.digest}"
    url = media.publish(identity, lambda: encode_png(thumbnail(scan, _BESIDE) if small else scan))
    if small:
        caption = _("{caption} (shown smaller)").format(caption=caption)
    return Beside(url, scan.width, scan.height, caption, one_spacing(scan.regions, scan.spacing))


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


def view_scan(
    item: OpenScan,
    result: LesionResult | HeatRegionResult | None,
    layers: Layers,
    *,
    loop: Loop | None = None,
    beside: Beside | None = None,
    window: Window | None = None,
    heat: Heat | None = None,
    second: Heat | None = None,
    key: str = "read-viewer",
) -> ViewerEvents:
    """Show the scan on screen, and let the doctor look, draw and measure on it.

    Parameters
    ----------
    item, result, layers, loop, beside, window, heat, second
        As :func:`scan_figure`.
    key
        The same for every scan shown in this place.

    Returns
    -------
    ViewerEvents
        What the doctor did in this run; a box given by numbers counts as drawn.
    """
    figure = scan_figure(
        item, result, layers, loop=loop, beside=beside, window=window, heat=heat, second=second
    )
    scan = item.scan
    regions = [
        region
        for points in item.regions
        if (region := viewer.region_from_points(points, scan.width, scan.height)) is not None
    ]
    events = viewer.viewer(
        figure, key=key, drawing=True, regions=regions, measuring=True, measures=item.measures
    )
    box = viewer.region_by_numbers(figure, key=viewer.viewer_key("box", item.digest))
    return events if box is None else replace(events, regions=(*regions, box))


def region_points(regions: Sequence[Region]) -> list[Points]:
    """Return drawn regions as the reading list keeps them."""
    return [tuple((int(x), int(y)) for x, y in region.to_list()) for region in regions]


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
