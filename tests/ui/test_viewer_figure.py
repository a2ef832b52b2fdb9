"""What goes to the browser: small, in image pixels, and honest about what it leaves out."""

from __future__ import annotations

import base64
import json
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from core.text import use_language
from core.ui.figure import (
    MAX_OUTLINES,
    MAX_POINTS,
    MAX_REGION_POINTS,
    Figure,
    Layers,
    Outline,
    build_figure,
    read_region,
)
from core.ui.viewer import region_from_points, regions_from

URL = "/overread/media/token/name.png"


def ring(x: float = 500, y: float = 500, radius: float = 60, points: int = 100) -> Any:
    turn = np.linspace(0, 2 * np.pi, points, endpoint=False)
    circle = np.stack([x + radius * np.cos(turn), y + radius * np.sin(turn)], axis=1)
    return np.rint(circle).astype(np.int32)


def many(count: int, points: int = 100) -> list[Outline]:
    return [Outline(n + 1, (ring(points=points),)) for n in range(count)]


def decoded(figure: Figure) -> Any:
    points = figure.data["points"]
    assert points["dtype"] == "i2"
    return np.frombuffer(base64.b64decode(points["bdata"]), "<i2").reshape(-1, 2)


def test_fifty_large_outlines_fit_into_a_slider_moves_budget() -> None:
    figure = build_figure(URL, 1024, 1024, outlines=many(50, MAX_POINTS // 50))
    assert figure.drawn == 50
    assert len(json.dumps(figure.data)) <= 32 * 1024


def test_outlines_travel_exactly_as_16_bit_pixels() -> None:
    outlines = [Outline(1, (ring(),)), Outline(2, (ring(100, 900), ring(100, 900, 20)))]
    figure = build_figure(URL, 1024, 1024, outlines=outlines)
    assert np.array_equal(decoded(figure), np.concatenate([r for o in outlines for r in o.rings]))
    assert figure.data["rings"] == [100, 100, 100]
    # The hole belongs to lesion 2 and has no number of its own.
    assert figure.data["labels"] == ["1", "2", ""]


def test_the_pixels_go_by_address_and_never_inside_the_figure() -> None:
    figure = build_figure(URL, 1024, 768, outlines=many(3), heat_url=URL, layers=Layers(heat=True))
    text = json.dumps(figure.data)
    assert "data:" not in text
    assert (figure.data["image"], figure.data["heat"]) == (URL, URL)
    assert (figure.data["width"], figure.data["height"]) == (1024, 768)


def test_outlines_that_are_not_drawn_are_counted_and_said() -> None:
    figure = build_figure(URL, 1024, 1024, outlines=many(MAX_OUTLINES + 7, 10), hidden=3)
    assert (figure.drawn, figure.hidden) == (MAX_OUTLINES, 10)
    assert figure.note is not None
    assert "10" in figure.note
    assert build_figure(URL, 64, 64, outlines=many(2, 10)).note is None


def test_too_many_points_leave_the_smaller_outlines_out_but_never_the_largest() -> None:
    figure = build_figure(URL, 1024, 1024, outlines=many(4, 2000))
    assert (figure.drawn, figure.hidden) == (2, 2)
    assert build_figure(URL, 1024, 1024, outlines=many(2, 9000)).drawn == 1


def test_a_heat_region_never_looks_like_a_lesion_nor_is_measured() -> None:
    outlines = [Outline(1, (ring(),), ((1, 2, 3, 4), (5, 6, 7, 8)))]
    layers = Layers(chords=True)
    lesion = build_figure(URL, 1024, 1024, outlines=outlines, layers=layers)
    heat = build_figure(URL, 1024, 1024, outlines=outlines, layers=layers, kind="heat region")
    assert (lesion.data["kind"], heat.data["kind"]) == ("lesion", "heat")
    assert lesion.data["chords"] == [[1, 2, 3, 4], [5, 6, 7, 8]]
    assert heat.data["chords"] == []
    assert lesion.data["labels"] != heat.data["labels"]
    assert "AI outline, unconfirmed" in lesion.alt
    assert "heat region" in heat.alt


def test_what_is_switched_off_is_not_sent() -> None:
    off = Layers(heat=False, mask=False, contour=False, chords=False)
    outlines = [Outline(1, (ring(),), ((1, 2, 3, 4),))]
    data = build_figure(URL, 1024, 1024, outlines=outlines, layers=off, heat_url=URL).data
    assert (data["heat"], data["maskOpacity"], data["contour"], data["chords"]) == (
        None,
        0,
        False,
        [],
    )


def test_the_description_names_the_case() -> None:
    with use_language("en"):
        alt = build_figure(URL, 640, 480, case_number="ABCDE-12345").alt
    assert alt == "Scan ABCDE-12345, 640 × 480 pixels."


@pytest.mark.parametrize("size", [(0, 5), (5, 0), (40_000, 5)])
def test_a_size_that_16_bits_cannot_hold_is_refused(size: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="32767"):
        build_figure(URL, *size)


def test_a_drawing_over_the_edge_ends_at_the_edge() -> None:
    region = read_region([[-50, -50], [200, -50.4], [200, 90.6], [-50, 90.6]], 100, 80)
    assert region is not None
    assert region.points.dtype == np.int16
    assert region.points.min() == 0
    assert tuple(region.points.max(axis=0)) == (99, 79)
    assert not region.points.flags.writeable
    assert region.mask(100, 80).shape == (80, 100)
    assert region.mask(100, 80).all()


@pytest.mark.parametrize(
    "nonsense",
    [
        None,
        "M0 0L1 1",
        {},
        [],
        [[1, 2], [3, 4]],
        [[1, 2], [3, 4], [5]],
        [[1, 2], [3, 4], ["a", 4]],
        [[1, 2], [3, 4], [float("nan"), 4]],
        [[1, 2], [3, 4], [float("inf"), 4]],
        [[1, 2], [3, 4], [10**9, 4]],
        [[True, 2], [30, 4], [10, 40]],
        [[5, 5], [50, 50], [5, 5]],
        [[500, 500], [600, 500], [600, 600]],
        [[0, 0]] * 20_001,
    ],
)
def test_what_is_not_a_region_is_not_taken_for_one(nonsense: object) -> None:
    assert read_region(nonsense, 100, 100) is None


def test_a_shaky_hand_does_not_store_thousands_of_corners() -> None:
    rng = np.random.default_rng(3)
    shaky = ring(512, 512, 300, 4000) + rng.integers(-9, 10, (4000, 2))
    region = read_region(shaky.tolist(), 1024, 1024)
    assert region is not None
    assert len(region.points) <= MAX_REGION_POINTS
    assert region.mask(1024, 1024).sum() / 255 == pytest.approx(np.pi * 300**2, rel=0.1)


def test_a_stored_region_is_shown_as_it_was_drawn() -> None:
    region = read_region([[10, 10], [60, 12], [40, 70]], 100, 100)
    assert region is not None
    again = region_from_points(region.to_list(), 100, 100)
    assert again is not None
    assert again.to_list() == region.to_list()


def test_a_region_drawn_on_another_scan_is_discarded() -> None:
    figure = build_figure(URL, 100, 100)
    drawn = [[[10, 10], [60, 12], [40, 70]]]
    assert regions_from({"image": "/another.png", "regions": drawn}, figure) is None
    taken = regions_from({"image": URL, "regions": drawn}, figure)
    assert taken is not None
    assert len(taken) == 1
    # Removing the last one is an answer too; no answer is None.
    assert regions_from({"image": URL, "regions": []}, figure) == ()
    assert regions_from(None, figure) is None
    assert regions_from({"image": URL, "regions": drawn * 11}, figure) is None


def _page() -> None:
    import streamlit as st

    from core.ui.figure import build_figure as build
    from core.ui.viewer import region_by_numbers, viewer

    figure = build("/overread/media/token/name.png", 200, 100)
    st.text(str(viewer(figure, key="viewer", drawing=True).regions))
    box = region_by_numbers(figure, key="box")
    if box is not None:
        st.text(str(box.to_list()))


def test_who_cannot_draw_gives_a_box_by_numbers() -> None:
    page = AppTest.from_function(_page).run()
    assert not page.exception
    assert page.text[0].value == "None"
    for name, value in (("left", 5), ("top", 6), ("right", 120), ("bottom", 90)):
        page.number_input(key=f"box-{name}").set_value(value)
    page.button(key="box-add").click().run()
    assert not page.exception
    corners = [[5, 6], [120, 6], [120, 90], [5, 90]]
    assert sorted(json.loads(page.text[1].value)) == sorted(corners)


def test_a_box_without_an_area_is_refused_with_a_reason() -> None:
    page = AppTest.from_function(_page).run()
    page.number_input(key="box-right").set_value(50)
    page.number_input(key="box-left").set_value(50)
    page.number_input(key="box-top").set_value(50)
    page.number_input(key="box-bottom").set_value(50)
    page.button(key="box-add").click().run()
    assert len(page.warning) == 1
    assert len(page.text) == 1


@pytest.mark.parametrize(
    "layers",
    [
        Layers(mask=False, contour=False),
        Layers(compare="original"),
        Layers(mask_opacity=0, contour=False),
    ],
)
def test_nothing_is_said_of_outlines_that_are_not_to_be_seen(layers: Layers) -> None:
    figure = build_figure(URL, 512, 512, outlines=many(MAX_OUTLINES + 3, 10), layers=layers)
    assert figure.drawn == 0
    assert figure.note is None
    assert "outline" not in figure.alt
    seen = build_figure(URL, 512, 512, outlines=many(2, 10), layers=Layers(mask=False))
    assert seen.drawn == 2
    assert "2 AI outlines, unconfirmed" in seen.alt
