"""What a browser reports is read like a stranger's letter: anything may stand in it."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from core.lesion import measure_text, measure_within
from core.scan import Region, Window
from core.text import use_language
from core.ui.figure import Figure, build_figure
from core.ui.figure_parts import Beside, Deep, LoopView, Preset
from core.ui.viewer_events import frame_from, measures_from, window_from
from core.ui.viewer_texts import keys_help, texts

URL = "/overread/media/token/name.png"
VALUES = "/overread/media/token/values.bin"
LOOP = LoopView("/overread/media/token/loop/{frame}.png", 9, 2, None, 25.0)
WINDOW = Window(40, 400)


def deep(**more: Any) -> Deep:
    return Deep(VALUES, WINDOW, (Preset("Full range", Window(0, 4000, "linear_exact")),), **more)


def figure(**more: Any) -> Figure:
    return build_figure(URL, 200, 100, **more)


def test_a_measurement_is_measured_again_and_not_believed() -> None:
    told = [{"kind": "distance", "points": [[10, 10], [40, 50]], "value": 1e9, "unit": "mm"}]
    (one,) = measures_from({"image": URL, "measures": told}, figure(spacing=(0.1, 0.1))) or ()
    assert (one.value, one.unit) == (pytest.approx(5.0), "mm")
    (one,) = measures_from({"image": URL, "measures": told}, figure()) or ()
    assert (one.value, one.unit) == (50.0, "px")
    areas = (Region(0, 0, 30, 100, (0.1, 0.1)),)
    (one,) = measures_from({"image": URL, "measures": told}, figure(areas=areas)) or ()
    assert one.no_mm == "crosses"


def test_measurements_of_another_image_are_discarded() -> None:
    told = [{"kind": "distance", "points": [[10, 10], [40, 50]]}]
    assert measures_from({"image": "/other.png", "measures": told}, figure()) is None
    assert measures_from({"image": URL, "measures": told * 21}, figure()) is None
    assert measures_from({"image": URL, "measures": []}, figure()) == ()
    assert measures_from(None, figure()) is None


@pytest.mark.parametrize(
    "nonsense",
    [
        None,
        "distance",
        {"kind": "distance"},
        {"kind": 3, "points": [[1, 1], [9, 9]]},
        {"kind": "distance", "points": "ab"},
        {"kind": "distance", "points": [[1, 1], ["9", 9]]},
        {"kind": "distance", "points": [[1, 1], [True, 9]]},
        {"kind": "distance", "points": [[1, 1], [float("nan"), 9]]},
        {"kind": "distance", "points": [[1, 1], [10**400, 9]]},
        {"kind": "distance", "points": [[1, 1], [9, 9, 9]]},
        {"kind": "distance", "points": [[1, 1]] * 5000},
        {"kind": "ellipse", "points": [[1, 1], [9, 9], [5, 5]]},
        {"kind": ["distance"], "points": [[1, 1], [9, 9]]},
    ],
)
def test_what_is_no_measurement_is_left_out(nonsense: object) -> None:
    assert measures_from({"image": URL, "measures": [nonsense]}, figure()) == ()


@pytest.mark.parametrize("frame", [0, 8])
def test_a_frame_of_this_loop_is_taken(frame: int) -> None:
    assert frame_from({"loop": LOOP.url, "frame": frame}, figure(loop=LOOP)) == frame


@pytest.mark.parametrize("frame", [-1, 9, 1.0, True, None, "1", [1]])
def test_no_other_frame_is(frame: object) -> None:
    assert frame_from({"loop": LOOP.url, "frame": frame}, figure(loop=LOOP)) is None


def test_a_frame_of_another_loop_is_discarded() -> None:
    assert frame_from({"loop": "/other/{frame}.png", "frame": 1}, figure(loop=LOOP)) is None
    assert frame_from({"loop": LOOP.url, "frame": 1}, figure()) is None
    assert frame_from(None, figure(loop=LOOP)) is None


def test_a_window_is_taken_for_the_deep_image_on_screen_only() -> None:
    told = {"image": VALUES, "centre": 50, "width": 350.5, "function": "sigmoid"}
    assert window_from(told, figure(deep=deep())) == (Window(50, 350.5, "sigmoid"), False)
    assert window_from(told | {"image": URL}, figure(deep=deep())) == (None, False)
    assert window_from(told, figure()) == (None, False)
    assert window_from({"image": VALUES, "asRead": True}, figure(deep=deep())) == (None, True)


@pytest.mark.parametrize(
    "wrong",
    [
        {"width": 0},
        {"width": -3},
        {"width": float("nan")},
        {"width": "400"},
        {"width": True},
        {"centre": float("inf")},
        {"centre": None},
        {"function": "cubic"},
        {"function": ["linear"]},
        {"function": "linear", "width": 0.5},
    ],
)
def test_what_is_no_window_is_not_taken_for_one(wrong: dict[str, Any]) -> None:
    told = {"image": VALUES, "centre": 50, "width": 350, "function": "sigmoid", **wrong}
    assert window_from(told, figure(deep=deep())) == (None, False)


def test_a_deep_image_stands_under_the_address_of_its_values() -> None:
    data = figure(deep=deep(slope=0.5, intercept=-1024.0, unit="HU")).data
    assert data["image"] == VALUES
    assert data["deep"]["read"] == {"centre": 40, "width": 400, "function": "linear"}
    assert data["deep"]["presets"][0]["name"] == "Full range"
    assert URL not in json.dumps(data)


def test_a_deep_image_without_window_or_table_cannot_be_shown() -> None:
    with pytest.raises(ValueError, match="table"):
        Deep(VALUES, None, (Preset("Full range", WINDOW),))
    with pytest.raises(ValueError, match="preset"):
        Deep(VALUES, WINDOW, ())


def test_a_loop_sends_its_starts_only_where_frames_come_unevenly() -> None:
    even = tuple(n / 30 for n in range(500))
    data = figure(loop=LoopView(LOOP.url, 500, 0, even, 29.0)).data["loop"]
    assert data["starts"] is None
    assert data["rate"] == pytest.approx(30)
    uneven = (0.0, 0.1, 0.4, 0.5)
    data = figure(loop=LoopView(LOOP.url, 4, 0, uneven)).data["loop"]
    import base64

    sent = np.frombuffer(base64.b64decode(data["starts"]["bdata"]), "<f4")
    assert sent == pytest.approx(uneven)
    assert figure(loop=LoopView(LOOP.url, 4, 0)).data["loop"]["rate"] is None


@pytest.mark.parametrize(
    ("count", "frame", "url"), [(1, 0, LOOP.url), (4, 4, LOOP.url), (4, -1, LOOP.url), (4, 0, URL)]
)
def test_a_loop_that_cannot_be_is_refused(count: int, frame: int, url: str) -> None:
    with pytest.raises(ValueError, match="loop"):
        LoopView(url, count, frame)


def test_beside_areas_only_the_scale_that_all_of_them_share_is_looked_at_by() -> None:
    areas = (Region(0, 0, 30, 100, (0.1, 0.2)),)
    assert figure(spacing=(0.1, 0.1)).data["spacing"] == [0.1, 0.1]
    data = figure(spacing=(0.1, 0.1), areas=areas).data
    assert data["spacing"] == [0.1, 0.2]
    assert data["areas"][0]["spacing"] == [0.1, 0.2]
    assert data["scaleNote"] == "in the calibrated area"
    two = (*areas, Region(30, 0, 60, 100, (0.5, 0.5)))
    assert figure(areas=two).data["spacing"] is None
    assert figure(beside=Beside(URL, 5, 5, "x")).data["beside"]["spacing"] is None


def test_a_measurement_in_words_has_its_unit_and_its_reason() -> None:
    with use_language("en"):
        size = 200, 100
        line = [[10, 10], [40, 50]]
        assert measure_text(measure_within("distance", line, *size, (0.1, 0.1))) == "5.0 mm"
        areas = (Region(0, 0, 30, 100, (0.1, 0.1)),)
        crossing = measure_within("distance", line, *size, None, areas)
        assert measure_text(crossing) == "50.0 px (no mm: crosses regions)"
        ellipse = measure_within("ellipse", [[40, 50], [80, 50], [60, 60]], *size, (0.5, 0.5))
        assert measure_text(ellipse) == "157.1 mm² (20.0 × 10.0 mm)"


def test_keys_are_listed_for_what_there_is() -> None:
    with use_language("en"):
        plain = dict(keys_help(figure(), measuring=False))
        every = dict(keys_help(figure(deep=deep(), loop=LOOP), measuring=True))
    assert {"W", "R", "D", "E", "Space"} <= set(every) - set(plain)
    assert len(every) == len(plain) + 6
    assert texts()["noMm"].keys() == {"uncalibrated", "outside", "crosses", "no lengths"}
