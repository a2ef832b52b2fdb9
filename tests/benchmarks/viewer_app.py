"""A page with nothing but a slider and the viewer: what a browser test drives."""

from __future__ import annotations

import cv2
import numpy as np
import streamlit as st

from core.scan import encode_png
from core.ui import media
from core.ui.figure import Layers, Outline, build_figure
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
    drawn = viewer(figure, key="viewer", drawing=True, regions=kept.get(seed, ()))
    if drawn is not None:
        kept[seed] = drawn
        st.rerun(scope="fragment")
    st.text("Regions: " + str([region.to_list() for region in kept.get(seed, ())]))


if st.runtime.scriptrunner.get_script_run_ctx(suppress_warning=True) is not None:
    st.set_page_config(layout="wide")
    _room()
