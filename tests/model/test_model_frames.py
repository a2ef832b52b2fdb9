"""All frames of a loop: each with its own probability, in its own place, and no verdict on all."""

from __future__ import annotations

import threading
from dataclasses import fields

import bundle_factory
import numpy as np
import pytest
from loop_factory import phantom_loop

from core.model import FrameCurve, Predictor, _frames, iter_frames, read_frames
from core.scan import (
    Loop,
    PhantomSpec,
    QualityReport,
    Scan,
    check_quality,
    make_phantom,
)


@pytest.fixture(scope="module")
def predictor(tmp_path_factory: pytest.TempPathFactory) -> Predictor:
    settings = bundle_factory.ready(tmp_path_factory.mktemp("var"))
    return Predictor.load("breast-ultrasound", settings=settings)


def test_every_frame_has_the_probability_it_has_when_it_is_shown(predictor: Predictor) -> None:
    loop = phantom_loop(11)
    counted: list[int] = []
    curve = read_frames(predictor, loop, counted.append, batch_size=4)
    assert counted == list(range(1, 12))
    assert curve.complete
    assert [point.index for point in curve.points] == list(range(11))
    for point in curve.points:
        frame = loop.frame(point.index)
        alone = predictor.read(frame)
        assert point.image_digest == frame.digest
        assert point.probability == pytest.approx(alone.probability, abs=1e-6)
        assert point.flagged == alone.flagged
        assert point.seconds == pytest.approx(point.index / 20)
        assert point.error is None
    assert (curve.bundle_digest, curve.operating_point) == (
        predictor.bundle.digest, predictor.card.approved,
    )  # fmt: skip
    assert curve.flagged == sum(point.flagged for point in curve.points)
    assert curve.median == pytest.approx(np.median(curve.probabilities))


def test_a_frame_that_cannot_be_decoded_is_told_and_the_others_stay_in_place(
    predictor: Predictor,
) -> None:
    whole = read_frames(predictor, phantom_loop(6), batch_size=2)
    curve = read_frames(predictor, phantom_loop(6, broken=[2, 5]), batch_size=2)
    assert [p.index for p in curve.points if p.error] == [2, 5]
    assert curve.failed == 2
    assert {p.error for p in curve.points if p.error} == {"This frame is damaged."}
    for point, sound in zip(curve.points, whole.points, strict=True):
        if point.error is None:
            assert point.probability == pytest.approx(sound.probability, abs=1e-6)
            assert point.image_digest == sound.image_digest
        else:
            assert (point.probability, point.flagged, point.image_digest) == (None, False, None)


def test_a_frame_that_fails_the_quality_check_is_not_read_and_counts_in_no_figure(
    predictor: Predictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = read_frames(predictor, phantom_loop(7), batch_size=2)
    loop, checked = phantom_loop(7, blank=[2, 5], broken=[4]), []
    asked: list[int] = []
    network = predictor._network

    def counting(inputs, targets):
        asked.append(len(inputs))
        return network(inputs, targets)

    def noting(scan: Scan) -> QualityReport:
        checked.append(threading.current_thread().name)
        return check_quality(scan)

    counting.has_lesion_map, counting.heat_available = True, True
    monkeypatch.setattr(predictor, "_network", counting)
    monkeypatch.setattr(_frames, "check_quality", noting)
    curve = read_frames(predictor, loop, batch_size=2)
    assert sum(asked) == 4, "the model saw a frame that fails"
    assert curve.complete
    assert (curve.held_back, curve.failed) == (2, 1)
    assert len(checked) == 6
    assert all(name.startswith("read-many-decode") for name in checked)
    for index in (2, 5):
        point = curve.points[index]
        assert (point.probability, point.flagged, point.lesion_share) == (None, False, None)
        assert point.held_back[0] == "blank"
        assert "fails the quality check and was not read: Blank image" in (point.error or "")
        assert point.image_digest == loop.frame(index).digest
    assert curve.points[4].held_back == ()
    kept = [whole.points[index].probability for index in (0, 1, 3, 6)]
    assert curve.probabilities == pytest.approx(kept, abs=1e-6)
    assert curve.median == pytest.approx(np.median(kept), abs=1e-6)
    assert curve.flagged == sum(whole.points[index].flagged for index in (0, 1, 3, 6))


def test_a_frame_that_is_another_is_refused(predictor: Predictor) -> None:
    right = phantom_loop(4)

    def swapped(index: int) -> Scan:
        return right.decode({1: 2}.get(index, index))

    curve = read_frames(predictor, Loop(4, right.starts, right.held_bytes, swapped))
    assert [p.index for p in curve.points if p.error] == [1]


def test_reading_can_stop_and_go_on_with_the_frames_that_are_left(predictor: Predictor) -> None:
    loop = phantom_loop(9, rate=None)
    whole = read_frames(predictor, loop, batch_size=2)
    reading = iter_frames(predictor, loop, batch_size=2)
    first = [next(reading) for _ in range(3)]
    reading.close()
    partly = FrameCurve.of(first, loop.count, predictor)
    assert not partly.complete
    rest = [*iter_frames(predictor, loop, [8, 3, 4, 5, 6, 7], batch_size=2)]
    assert [point.index for point in rest] == [8, 3, 4, 5, 6, 7]
    curve = FrameCurve.of([*first, *rest], loop.count, predictor)
    assert curve.complete
    assert curve.probabilities == pytest.approx(whole.probabilities, abs=1e-6)
    assert {point.seconds for point in curve.points} == {None}


def test_the_lesion_share_leaves_the_padding_out(predictor: Predictor) -> None:
    wide = make_phantom(PhantomSpec(1120, 280), 3).scan
    loop = Loop(2, None, 0, lambda i: Scan.from_pixels(wide.pixels, frames=2, frame=i))
    point = read_frames(predictor, loop).points[0]
    answer = predictor.read(wide)
    assert answer.network_lesion is not None
    # 32 x 32 input: the picture covers the 8 rows in the middle.
    assert answer.network_lesion.shape == (32, 32)
    expected = np.mean(answer.network_lesion[12:20] >= 0.5)
    assert point.lesion_share == pytest.approx(expected, abs=1 / 256)


def test_no_maximum_is_offered_as_an_answer() -> None:
    names = {name for name in dir(FrameCurve) if not name.startswith("_")}
    assert names.isdisjoint({"max", "maximum", "peak", "answer", "probability"})
    assert "answer" not in {field.name for field in fields(FrameCurve)}
