"""A page with nothing but a slider and the viewer: what a browser test drives.

``?show=deep`` and the other names of :func:`_scan` show a scan of that kind instead.
"""

from __future__ import annotations

import json
import time

import cv2
import numpy as np
import streamlit as st
import viewer_scans as scans

from core.scan import QualityReport, Scan, encode_png
from core.ui import media
from core.ui.figure import Layers, Outline, build_figure
from core.ui.open_scan import OpenScan
from core.ui.picture import beside_of, region_points, view_scan
from core.ui.viewer import viewer

SIZE = 1024
CENTRES = ((200, 220), (700, 300), (500, 620), (260, 820), (820, 800))

app = st.App(__file__, routes=media.media_routes())


def _image(seed: int) -> np.ndarray:
    noise = np.random.default_rng(seed).integers(0, 256, (SIZE, SIZE), dtype=np.uint8)
    return cv2.GaussianBlur(noise, (0, 0), 1.2)


def _heat() -> np.ndarray:
    ramp = np.tile(np.linspace(0, 255, SIZE).astype(np.uint8), (SIZE, 1))
    colour = cv2.applyColorMap(ramp, cv2.COLORMAP_INFERNO)[:, :, ::-1]
    return np.ascontiguousarray(np.dstack([colour, ramp]))


def _outline(number: int, radius: int, points: int) -> Outline:
    """Return a ragged blob whose size follows the slider."""
    x, y = CENTRES[number - 1]
    turn = np.linspace(0, 2 * np.pi, points, endpoint=False)
    edge = radius * (1 + 0.12 * np.sin(5 * turn + number) + 0.05 * np.cos(17 * turn))
    ring = np.stack([x + edge * np.cos(turn), y + edge * np.sin(turn)], axis=1)
    chords = ((x - radius, y, x + radius, y), (x, y - radius, x, y + radius))
    return Outline(number, (np.rint(ring).astype(np.int16),), chords)


@st.fragment
def _room() -> None:
    radius = st.slider("Radius", 20, 180, 60)
    opacity = st.slider("Heat opacity", 0.0, 1.0, 0.0, 0.05)
    compare = st.segmented_control("View", ["both", "overlay", "original"], default="both")
    scan = st.segmented_control("Scan", ["one", "two"], default="one")
    seed = 1 if scan == "one" else 2
    layers = Layers(heat=opacity > 0, heat_opacity=opacity, chords=True, compare=compare or "both")
    figure = build_figure(
        media.publish(f"scan:{seed}", lambda: encode_png(_image(seed))),
        SIZE,
        SIZE,
        outlines=[_outline(number, radius, 120) for number in range(1, 6)],
        layers=layers,
        heat_url=media.publish("heat", lambda: encode_png(_heat())),
        case_number="TEST1-CASE2",
    )
    kept = st.session_state.setdefault("regions", {})
    drawn = viewer(figure, key="viewer", drawing=True, regions=kept.get(seed, ())).regions
    if drawn is not None:
        kept[seed] = drawn
        st.rerun(scope="fragment")
    st.text("Regions: " + str([region.to_list() for region in kept.get(seed, ())]))


def _scan(show: str) -> Scan:
    return {
        "deep": scans.deep_scan,
        "inverted": lambda: scans.deep_scan(inverted=True),
        "table": lambda: scans.deep_scan(table=True),
        "big": lambda: scans.deep_scan(4096),
        "loop": scans.loop_scan,
        "unknown-rate": lambda: scans.loop_scan(recorded=False),
        "deep-loop": lambda: scans.loop_scan(deep=True),
        "broken": lambda: scans.loop_scan(broken=True),
        "areas": scans.areas_scan,
        "beside": lambda: scans.plain_scan(800, 600, (0.1, 0.1)),
        "beside-uncalibrated": lambda: scans.plain_scan(800, 600, (0.1, 0.1)),
        "uneven": lambda: scans.plain_scan(800, 600, (0.3, 0.1)),
    }[show]()


@st.fragment
def _one_scan(show: str) -> None:
    """Show a scan as the reading room would, and say below what the viewer reported."""
    said = st.session_state.setdefault("said", {"runs": 0})
    said["runs"] += 1
    if "slow" in st.query_params:
        time.sleep(0.7)
    if "then" in st.query_params and st.checkbox("Other scan"):
        show = st.query_params["then"]
    first = _scan(show)
    frame = said.get("frame")
    scan = first if frame is None or first.loop is None else first.loop.frame(frame)
    beside = None
    if show.startswith("beside"):
        spacing = (0.2, 0.2) if show == "beside" else None
        beside = beside_of(scans.plain_scan(400, 400, spacing), "Earlier scan <b>2024</b>")
    compare = st.query_params.get("compare", "both" if beside else "overlay")
    measures = said.setdefault("measures", {})
    item = OpenScan(
        scan,
        QualityReport(()),
        regions=said.setdefault("regions", {}).get(scan.digest, []),
        measures=measures.get(scan.digest, ()),
    )
    events = view_scan(
        item,
        None,
        Layers(compare=compare),
        loop=first.loop,
        beside=beside,
    )
    changed = False
    if events.measures is not None:
        measures[scan.digest], changed = events.measures, True
    if events.regions is not None:
        said["regions"][scan.digest], changed = region_points(events.regions), True
    if events.frame is not None:
        said["frame"], changed = events.frame, True
        said["frames"] = [*said.get("frames", []), events.frame]
    if events.window is not None or events.window_as_read:
        said["window"] = None if events.window_as_read else repr(events.window)
    if changed:
        st.rerun(scope="fragment")
    drawn = [measure.to_dict() for measure in measures.get(scan.digest, ())]
    st.text("Measures: " + json.dumps(drawn))
    st.text("Frames: " + json.dumps(said.get("frames", [])))
    st.text("Window: " + str(said.get("window", "untouched")))
    st.button("Run again")


if st.runtime.scriptrunner.get_script_run_ctx(suppress_warning=True) is not None:
    st.set_page_config(layout="wide")
    if "show" in st.query_params:
        _one_scan(st.query_params["show"])
    else:
        _room()
