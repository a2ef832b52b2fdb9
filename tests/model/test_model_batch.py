"""Reading many: the answers of one by one, nobody lost or kept waiting, no end of memory."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import bundle_factory
import numpy as np
import pytest

from core.errors import CorruptFile, ModelBusy, ModelError, PredictionFailed
from core.model import Gate, NetworkOutput, Predictor
from core.model import _batch as batch
from core.scan import Scan
from core.text import language, use_language

TASK = "breast-ultrasound"


@pytest.fixture(scope="module")
def predictor(tmp_path_factory: pytest.TempPathFactory) -> Predictor:
    settings = bundle_factory.ready(tmp_path_factory.mktemp("var"))
    return Predictor.load(TASK, settings=settings)


def scans(count: int) -> list[Scan]:
    return [
        bundle_factory.scan(34 + 3 * i, 80 - i, seed=i, colour=i % 5 == 0) for i in range(count)
    ]


def reading_threads() -> list[str]:
    return [t.name for t in threading.enumerate() if t.name.startswith("read-many")]


@pytest.mark.parametrize(
    ("count", "batch_size"), [(0, 4), (1, 4), (7, 1), (21, 4), (16, 16), (9, 50)]
)
def test_each_scan_gets_in_its_turn_the_answer_it_gets_alone(
    predictor: Predictor, count: int, batch_size: int
) -> None:
    asked = scans(count)
    found = list(predictor.read_many(iter(asked), batch_size=batch_size))
    assert len(found) == count
    for scan, each in zip(asked, found, strict=True):
        alone, many = predictor.read(scan), each.prediction
        assert many is not None
        assert each.scan is scan
        assert each.error is None
        assert many.image_digest == scan.digest
        assert many.probability == pytest.approx(alone.probability, abs=1e-6)
        for label in many.labels:
            assert many.probabilities[label] == pytest.approx(alone.probabilities[label], abs=1e-6)
        assert (many.answer, many.flagged, many.interval) == (
            alone.answer, alone.flagged, alone.interval,
        )  # fmt: skip
        assert many.geometry == alone.geometry
        assert np.allclose(many.network_heat, alone.network_heat, atol=1e-4)
        assert many.network_lesion is not None
        assert alone.network_lesion is not None
        assert np.allclose(many.network_lesion, alone.network_lesion, atol=1e-4)
    assert reading_threads() == []


def test_the_heat_of_a_batch_explains_the_class_that_was_asked_for(predictor: Predictor) -> None:
    found = list(predictor.read_many(scans(5), batch_size=3, target="benign"))
    assert {each.prediction.heat_class for each in found if each.prediction} == {"benign"}
    with pytest.raises(PredictionFailed, match="class"):
        predictor.read_many(scans(1), target="cyst")
    with pytest.raises(ValueError, match="batch"):
        predictor.read_many(scans(1), batch_size=0)


def test_a_file_that_cannot_be_opened_keeps_its_place_and_takes_no_other_with_it(
    predictor: Predictor,
) -> None:
    good = scans(10)

    def broken() -> Scan:
        raise CorruptFile("damaged")

    sources = [
        good[0],
        broken,
        *good[1:5],
        CorruptFile("cut off"),
        *[lambda s=s: s for s in good[5:]],
    ]
    found = list(predictor.read_many(sources, batch_size=4))
    assert [each.scan for each in found if each.scan] == good
    assert all((each.prediction is None) == (each.scan is None) for each in found)
    assert [str(each.error) for each in found if each.error] == ["damaged", "cut off"]
    assert found[1].error is not None
    assert found[6].error is not None


class Picky:
    """A network that fails on any batch with a scan brighter than it likes."""

    has_lesion_map = True
    heat_available = True

    def __init__(self, most: float, error: ModelError) -> None:
        self.most, self.error, self.sizes = most, error, []

    def __call__(self, inputs: np.ndarray, targets: np.ndarray) -> NetworkOutput:
        self.sizes.append(len(inputs))
        if inputs.max() > self.most:
            raise self.error
        n = len(inputs)
        positive = inputs.mean(axis=(1, 2, 3)) / 1000
        rows = np.stack([1 - positive - 0.2, np.full(n, 0.2), positive], axis=1)
        maps = np.zeros((n, 4, 4), np.float32) + np.arange(n, dtype=np.float32)[:, None, None]
        return NetworkOutput(rows, maps, maps.copy(), np.ones(n, np.int32), np.ones(n, np.int32))


def grey(level: int) -> Scan:
    return Scan.from_pixels(np.full((40, 40), level, np.uint8))


def picky(
    predictor: Predictor, tmp_path: Path, network: Picky, gate: Gate | None = None
) -> Predictor:
    from core.model import InputSpec

    card = bundle_factory.lesion_card(input=InputSpec(32, intensity="none"))
    settings = bundle_factory.settings_for(tmp_path)
    bundle = bundle_factory.write(settings.model_roots[0], predictor.bundle.model_path, card)
    return Predictor(bundle, network, gate or Gate(2))


def test_one_scan_the_model_fails_on_loses_no_other(predictor: Predictor, tmp_path: Path) -> None:
    network = Picky(200, PredictionFailed("no usable answer"))
    reader = picky(predictor, tmp_path, network)
    levels = [10, 250, 30, 40, 50, 60, 70, 80]
    found = list(reader.read_many([grey(level) for level in levels], batch_size=4))
    assert [each.error is not None for each in found] == [level == 250 for level in levels]
    for level, each in zip(levels, found, strict=True):
        assert each.scan is not None
        if each.prediction is not None:
            assert each.prediction.probability == pytest.approx(level / 1000)
            assert each.prediction.image_digest == grey(level).digest
    assert network.sizes == [4, 1, 1, 1, 1, 4]


def test_a_machine_without_time_is_not_asked_again_for_each_scan(
    predictor: Predictor, tmp_path: Path
) -> None:
    network = Picky(0, ModelBusy("busy"))
    reader = picky(predictor, tmp_path, network)
    found = list(reader.read_many([grey(9)] * 4, batch_size=4))
    assert [type(each.error) for each in found] == [ModelBusy] * 4
    assert network.sizes == [4]


def test_without_heat_the_answers_are_the_same_and_nothing_claims_to_be_heat(
    predictor: Predictor,
) -> None:
    asked = scans(9)
    found = list(predictor.read_many(asked, batch_size=4, heat=False))
    for scan, each in zip(asked, found, strict=True):
        alone, answer = predictor.read(scan), each.prediction
        assert answer is not None
        assert alone.heat_available
        assert not answer.heat_available
        heat = answer.heat()
        assert heat.shape == scan.grey.shape
        assert not heat.any()
        assert answer.probabilities == pytest.approx(dict(alone.probabilities), abs=1e-6)
        assert (answer.answer, answer.heat_class) == (alone.answer, alone.answer)
        assert np.allclose(answer.lesion_map(), alone.lesion_map(), atol=1e-4)


def test_keeping_one_answer_does_not_keep_the_maps_of_its_batch(predictor: Predictor) -> None:
    found = list(predictor.read_many(scans(8), batch_size=8))
    for each in found:
        assert each.prediction is not None
        for values in (each.prediction.network_heat, each.prediction.network_lesion):
            assert values is not None
            base = values
            while isinstance(base.base, np.ndarray):
                base = base.base
            assert base.nbytes == values.nbytes
            with pytest.raises(ValueError, match="read-only"):
                values[0, 0] = 1


class Endless:
    """Gives scans for ever and counts how many were taken."""

    def __init__(self, side: int = 40) -> None:
        self.taken, self.decoded, self.side = 0, 0, side
        self.closed = False

    def __iter__(self) -> Iterator[object]:
        while True:
            self.taken += 1
            yield self.decode

    def decode(self) -> Scan:
        self.decoded += 1
        return bundle_factory.scan(self.side, self.side, seed=self.decoded)


def test_no_more_is_decoded_ahead_than_a_few_batches(predictor: Predictor) -> None:
    source = Endless()
    reading = predictor.read_many(source, batch_size=4)
    for taken in range(1, 30):
        assert next(reading).prediction is not None
        time.sleep(0.001)
        assert source.taken <= taken + batch._AHEAD * 4
    reading.close()
    assert reading_threads() == []


def test_large_images_do_not_fill_the_memory_by_the_batch(
    predictor: Predictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch, "_HELD_BYTES", 3 * 400 * 400)
    source = Endless(400)
    reading = predictor.read_many(source, batch_size=16)
    for taken in range(1, 12):
        assert next(reading).prediction is not None
        # Three fit, and those that were being decoded when the third was done.
        assert source.taken - taken <= 3 + batch._UNKNOWN
    reading.close()


def test_whoever_stops_asking_leaves_no_thread_behind(predictor: Predictor) -> None:
    reading = predictor.read_many(Endless(), batch_size=4)
    next(reading)
    assert reading_threads()
    reading.close()
    assert reading_threads() == []


def test_a_source_that_breaks_is_heard_of_and_leaves_no_thread_behind(predictor: Predictor) -> None:
    def breaks() -> Iterator[Scan]:
        yield bundle_factory.scan()
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        list(predictor.read_many(breaks()))

    def fault() -> Scan:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        list(predictor.read_many([fault]))
    assert reading_threads() == []


def test_a_slow_source_does_not_hold_back_what_is_ready(predictor: Predictor) -> None:
    release = threading.Event()

    def late() -> Scan:
        release.wait(20)
        return bundle_factory.scan(seed=2)

    reading = predictor.read_many([bundle_factory.scan(seed=1), late], batch_size=16)
    first = next(reading)
    assert first.scan is not None
    assert first.scan.digest == bundle_factory.scan(seed=1).digest
    assert not release.is_set()
    release.set()
    assert len(list(reading)) == 1


def test_errors_come_in_the_language_of_who_asked(predictor: Predictor) -> None:
    heard = []

    def listens() -> Scan:
        heard.append(language())
        return bundle_factory.scan()

    with use_language("zh_CN"):
        list(predictor.read_many([listens]))
    assert heard == ["zh_CN"]


def test_a_person_who_waits_goes_before_the_next_batch(
    predictor: Predictor, tmp_path: Path
) -> None:
    order: list[str] = []
    started, go_on = threading.Event(), threading.Event()

    class Watched(Picky):
        def __call__(self, inputs: np.ndarray, targets: np.ndarray) -> NetworkOutput:
            order.append("person" if len(inputs) == 1 else "batch")
            if order == ["batch"]:
                started.set()
                go_on.wait(20)
            return super().__call__(inputs, targets)

    gate = Gate(1)
    reader = picky(predictor, tmp_path, Watched(300, PredictionFailed("")), gate)
    done = threading.Thread(
        target=lambda: list(reader.read_many([grey(i) for i in range(12)], batch_size=4))
    )
    done.start()
    assert started.wait(20)
    person = threading.Thread(target=lambda: reader.read(grey(99)))
    person.start()
    while gate._waiting == 0:
        time.sleep(0.001)
    go_on.set()
    person.join()
    done.join()
    assert order == ["batch", "person", "batch", "batch"]


def test_a_long_list_leaves_a_place_for_people_where_there_are_two() -> None:
    gate = Gate(2, wait=0.02)
    with gate.enter(background=True):
        with pytest.raises(ModelBusy), gate.enter(background=True):
            pass
        with gate.enter():
            pass
    with gate.enter(background=True):
        pass


def test_a_batch_that_waited_longer_still_lets_a_person_go_first() -> None:
    for _ in range(20):
        gate, order = Gate(1), []

        def enter(who: str, background: bool, gate: Gate = gate, order: list = order) -> None:
            with gate.enter(background=background):
                order.append(who)

        batch_turn = threading.Thread(target=enter, args=("batch", True))
        person = threading.Thread(target=enter, args=("person", False))
        with gate.enter():
            batch_turn.start()
            while not gate._changed._waiters:
                time.sleep(0.0005)
            person.start()
            while gate._waiting == 0:
                time.sleep(0.0005)
        batch_turn.join()
        person.join()
        assert order == ["person", "batch"]
