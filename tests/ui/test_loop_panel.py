"""The curve over a loop: read in the background, jumps to frames, and is never an answer."""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import bundle_factory
import pytest
import streamlit as st
from loop_factory import phantom_loop
from streamlit.testing.v1 import AppTest

from core.jobs import JobStatus, shared_runner
from core.model import FrameCurve, FramePoint, OperatingPoint, Predictor, read_frames
from core.scan import Loop, Scan
from core.ui import service
from core.ui.frame_curve import about, curve_figure, describe, frame_name, progress_text
from core.ui.loop_panel import clicked_frame

APP = str(Path(__file__).with_name("loop_panel_app.py"))


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    bundle_factory.ready(folder)
    return folder


@pytest.fixture
def predictor(site: Path, models: Path) -> Iterator[Predictor]:
    (site / "models").symlink_to(models / "models")
    predictor = service.model().get_predictor(120)
    # Streamlit collects garbage after every script run: see tests/pages/conftest.py.
    gc.freeze()
    yield predictor
    gc.unfreeze()
    st.cache_resource.clear()


def page(loop: Loop, **state: object) -> AppTest:
    app = AppTest.from_file(APP, default_timeout=30)
    app.session_state["loop"] = loop
    for name, value in state.items():
        app.session_state[name] = value
    app.run()
    assert not app.exception
    return app


def read_it_all(app: AppTest) -> AppTest:
    app.button(key="panel-read").click().run()
    wait_for_jobs()
    app.run()
    assert not app.exception
    return app


def wait_for_jobs() -> None:
    for thread in threading.enumerate():
        if thread.name.startswith("job-"):
            thread.join(30)
            assert not thread.is_alive()


def words(app: AppTest) -> str:
    parts = [e.value for kind in ("markdown", "caption", "warning") for e in app.get(kind)]
    return "\n".join(parts)


class Held:
    """A loop whose frames wait until they may be decoded."""

    def __init__(self, count: int) -> None:
        self.inner = phantom_loop(count)
        self.may = threading.Semaphore(0)
        self.decoded = 0

    @property
    def loop(self) -> Loop:
        return replace(self.inner, decode=self.decode)

    def decode(self, index: int) -> Scan:
        # Frame 0 is on screen and is never held.
        if index:
            assert self.may.acquire(timeout=20)
        self.decoded += 1
        return self.inner.decode(index)


def test_the_curve_shows_what_each_frame_gets_alone(predictor: Predictor) -> None:
    loop = phantom_loop(10, broken=[4])
    app = page(loop)
    button = app.button(key="panel-read")
    assert button.label == "Read all 10 frames"
    assert "about" in words(app)
    assert not app.get("plotly_chart")
    read_it_all(app)
    said = words(app)
    assert "A curve to find frames, not an answer." in said
    assert "no calibrated probability" in said
    assert "9 of 10 frames read" in said
    assert "1 frame could not be read" in said
    assert len(app.get("plotly_chart")) == 1
    names = app.selectbox[0].options
    for index in (0, 3, 9):
        alone = predictor.read(loop.frame(index))
        assert names[index].startswith(f"frame {index + 1} · {index / 20:.2f} s · ")
        assert f"{alone.probability * 100:.0f}%" in names[index]
        assert ("flagged" in names[index]) == alone.flagged
    assert "could not be read" in names[4]
    assert not [button for button in app.button if button.key == "panel-read"]


def test_a_chosen_frame_is_asked_for_once(predictor: Predictor) -> None:
    app = read_it_all(page(phantom_loop(6)))
    app.selectbox(key="panel-frame").set_value(4).run()
    assert not app.exception
    assert app.session_state["jumps"] == [4]
    assert app.selectbox(key="panel-frame").value == 4
    app.session_state["shown"] = 2
    app.run()
    assert app.session_state["jumps"] == [4]
    assert app.selectbox(key="panel-frame").value == 2


def test_the_buttons_go_to_the_flagged_frames_on_either_side(predictor: Predictor) -> None:
    loop = phantom_loop(12)
    flagged = [p.index for p in read_frames(predictor, loop).points if p.flagged]
    assert flagged, "the test needs a flagged frame"
    app = read_it_all(page(loop))
    at = 0
    for wanted in [index for index in flagged if index > 0]:
        app.button(key="panel-after").click().run()
        at = app.session_state["shown"]
        assert at == wanted
    assert app.button(key="panel-after").disabled
    before = [index for index in flagged if index < at]
    assert app.button(key="panel-before").disabled == (not before)


def test_the_page_goes_on_while_the_frames_are_read_and_stopping_keeps_what_was_read(
    predictor: Predictor,
) -> None:
    held = Held(40)
    app = page(held.loop)
    app.button(key="panel-read").click().run()
    assert not app.exception
    assert not [button for button in app.button if button.key == "panel-read"]
    held.may.release(20)
    (entry,) = app.session_state["loop-reads"].entries.values()
    deadline = time.monotonic() + 20
    while not entry.job.status().done:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    app.session_state["shown"] = 3
    app.run()
    assert "on screen: 3" in [text.value for text in app.text]
    app.button(key="panel-stop").click().run()
    held.may.release(100)
    wait_for_jobs()
    app.run()
    assert not app.exception
    (left,) = [button for button in app.button if button.key == "panel-read"]
    count = int(left.label.split()[2])
    assert left.label == f"Read the {count} frames left"
    assert 0 < count < 40
    held.may.release(100)
    read_it_all(app)
    assert "40 of 40 frames read" in words(app)


def test_a_curve_is_there_again_for_the_same_file_only(predictor: Predictor) -> None:
    loop = phantom_loop(4)
    app = read_it_all(page(loop))
    app.session_state["digest"] = "6" * 64
    app.run()
    assert app.button(key="panel-read").label == "Read all 4 frames"
    assert not app.get("plotly_chart")
    app.session_state["digest"] = "5" * 64
    app.run()
    assert len(app.get("plotly_chart")) == 1


def test_whoever_leaves_the_session_stops_the_read(predictor: Predictor) -> None:
    held = Held(60)
    app = page(held.loop)
    app.button(key="panel-read").click().run()
    # What signing out does.
    del app.session_state["loop-reads"]
    app.session_state["loop"] = phantom_loop(2)
    app.run()
    gc.collect()
    held.may.release(1000)
    wait_for_jobs()
    assert held.decoded < 60


def test_a_read_that_has_to_wait_says_so(predictor: Predictor) -> None:
    release = threading.Event()
    other = shared_runner().start(lambda: [release.wait(20)])
    try:
        app = page(phantom_loop(3))
        app.button(key="panel-read").click().run()
        assert not app.exception
        (text,) = [e.proto.text for e in app.get("progress")]
        assert "Waiting" in text
    finally:
        release.set()
    other.wait(20)
    wait_for_jobs()


def test_a_frame_that_fails_the_quality_check_is_neither_read_nor_timed(
    predictor: Predictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop = phantom_loop(6, blank=[0, 2])
    timed: list[Scan] = []
    real = Predictor.read

    def read(self: Predictor, scan: Scan, **more: object) -> object:
        timed.append(scan)
        return real(self, scan, **more)

    monkeypatch.setattr(Predictor, "read", read)
    app = page(loop)
    assert timed == [], "a frame that fails was read for an estimate"
    assert "about" not in words(app)
    read_it_all(app)
    assert timed == []
    said = words(app)
    assert "4 of 6 frames read" in said
    assert "2 frames fail the quality check and were not read" in said
    names = app.selectbox[0].options
    assert names[2].startswith("frame 3 · 0.10 s · not read: Blank image")
    assert "flagged" not in names[2]
    assert "not read" not in names[1]
    assert not [button for button in app.button if button.key == "panel-read"]


def points(*values: float | None, seconds: bool = True) -> FrameCurve:
    made = tuple(
        FramePoint(
            index, index / 10 if seconds else None, "d", value, value is not None and value >= 0.4,
            None, None if value is not None else "This frame is damaged.",
        )
        for index, value in enumerate(values)
    )  # fmt: skip
    return FrameCurve(
        made, len(made), "malignant", OperatingPoint("balanced", 0.4), True, "task", "1.0", "b"
    )


def test_the_figure_has_each_frame_at_its_place_and_a_gap_where_there_is_none() -> None:
    figure = curve_figure(points(0.1, None, 0.9, 0.4), shown=2)
    line = figure.data[0]
    assert list(line.x) == pytest.approx([0, 0.1, 0.2, 0.3])
    assert [None if y is None else round(y) for y in line.y] == [10, None, 90, 40]
    assert line.connectgaps is False
    assert [data[0] for data in line.customdata] == [0, 1, 2, 3]
    assert list(line.marker.symbol) == ["circle", "circle", "triangle-up", "triangle-up"]
    assert [list(d) for d in figure.data[1].customdata] == [[1, 2]]
    lines = {(shape.x0, shape.y0) for shape in figure.layout.shapes}
    assert (0.2, 0) in lines
    assert 40 in {y for _x, y in lines}
    untimed = curve_figure(points(0.1, 0.2, seconds=False), shown=0)
    assert list(untimed.data[0].x) == [1, 2]
    assert untimed.layout.xaxis.title.text == "frame"


def test_a_frame_that_was_held_back_is_a_mark_of_its_own_and_in_no_figure() -> None:
    curve = points(0.1, None, 0.9, None)
    held = replace(curve.points[1], held_back=("blank", "contrast"), error="It fails.")
    curve = replace(curve, points=(curve.points[0], held, *curve.points[2:]))
    assert frame_name(held) == "frame 2 · 0.10 s · not read: Blank image, Contrast"
    assert describe(curve) == (
        "2 of 4 frames read · median 50% · 1 frame reaches the threshold of 40% · "
        "1 frame fails the quality check and was not read · 1 frame could not be read."
    )
    line, not_read, failed = curve_figure(curve, shown=0).data
    assert line.y[1] is None
    assert [list(d) for d in not_read.customdata] == [[1, 2, "not read: Blank image, Contrast"]]
    assert [list(d) for d in failed.customdata] == [[3, 4]]
    assert not_read.marker.symbol != failed.marker.symbol
    alone = replace(curve, points=(held,), frames=1)
    assert describe(alone) == "1 frame fails the quality check and was not read."


def test_the_words_never_give_the_highest_value() -> None:
    said = describe(points(0.01, 0.02, 0.03, 0.04, 0.97))
    assert "97" not in said
    assert "median 3%" in said
    assert "middle half 2%–4%" in said
    assert "1 frame reaches the threshold of 40%" in said
    assert describe(points(None, None)) == "No frame could be read."


def test_a_click_is_understood_and_nothing_else_is_taken_for_one() -> None:
    click = {"selection": {"points": [{"point_index": 7, "customdata": [7, 8]}]}}
    assert clicked_frame(click) == 7
    for other in (None, {}, {"selection": {"points": []}}, {"selection": {"points": [{}]}}):
        assert clicked_frame(other) is None


def test_times_are_estimates_in_words() -> None:
    assert about(0.2) == "about 1 second"
    assert about(42.4) == "about 42 seconds"
    assert about(200) == "about 3 minutes"
    running = JobStatus("running", 12, 40, 3.0, 7.0)
    assert progress_text(running) == "Read 12 of 40 frames · about 7 seconds"
    assert progress_text(JobStatus("running", 0, 40, 0.1, None)) == "Read 0 of 40 frames"
