"""What a clinician is told about a scan: the right answer, map and case, from any thread."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import FrozenInstanceError, replace
from pathlib import Path
from threading import Lock
from typing import Any

import bundle_factory
import numpy as np
import pytest

from core.errors import BundleNotFound, PredictionFailed
from core.model import (
    Calibration,
    Gate,
    Network,
    NetworkOutput,
    Prediction,
    Predictor,
    Reference,
    WarmUp,
    preprocess,
    read_bundle,
    score_interval,
    warm_up,
    wilson_interval,
    write_bundle,
)
from core.settings import Settings

TASK = "breast-ultrasound"


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return bundle_factory.ready(tmp_path_factory.mktemp("var"))


@pytest.fixture(scope="module")
def predictor(settings: Settings) -> Predictor:
    return Predictor.load(TASK, settings=settings)


@pytest.fixture(scope="module")
def own_copy(predictor: Predictor) -> Any:
    """A second copy of the same network, for computations that owe the predictor nothing."""
    import keras

    return keras.saving.load_model(predictor.bundle.model_path, compile=False)


def same(first: Prediction, second: Prediction) -> bool:
    assert first.network_lesion is not None
    assert second.network_lesion is not None
    return (
        first.image_digest == second.image_digest
        and dict(first.probabilities) == dict(second.probabilities)
        and first.answer == second.answer
        and first.heat_class == second.heat_class
        and np.array_equal(first.network_heat, second.network_heat)
        and np.array_equal(first.network_lesion, second.network_lesion)
    )


def test_a_read_names_its_model_its_scan_and_its_operating_point(predictor: Predictor) -> None:
    scan = bundle_factory.scan()
    read = predictor.read(scan)
    assert (read.task, read.version) == (TASK, bundle_factory.VERSION)
    assert read.bundle_digest == predictor.bundle.digest
    assert read.image_digest == scan.digest
    assert read.labels == tuple(read.probabilities) == bundle_factory.LABELS
    assert sum(read.probabilities.values()) == pytest.approx(1, abs=1e-12)
    assert read.probability == read.probabilities["malignant"]
    assert read.operating_point == predictor.card.approved
    assert read.prevalence == 0.3
    assert read.has_lesion_map
    assert read.heat_available


def test_the_probability_is_the_calibrated_one(predictor: Predictor, own_copy: Any) -> None:
    scan = bundle_factory.scan(seed=3)
    seen, _ = preprocess(scan.grey, predictor.card.input)
    logits = own_copy(seen[None], training=False)["class_logits"].numpy()[0].astype(np.float64)
    values = np.exp(logits / 1.5 + np.array([-0.1, 0.0, 0.1]))
    expected = values / values.sum()
    assert list(predictor.read(scan).probabilities.values()) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("label", bundle_factory.LABELS)
def test_the_heat_is_the_published_grad_cam(
    predictor: Predictor, own_copy: Any, label: str
) -> None:
    import tensorflow as tf

    scan = bundle_factory.scan(seed=4)
    seen, _ = preprocess(scan.grey, predictor.card.input)
    index = bundle_factory.LABELS.index(label)
    # Eagerly, and from the features on only: the mask is a number here, so nothing can run
    # through the decoder.
    out = own_copy(seen[None], training=False)
    features = tf.constant(out["cam_features"].numpy())
    mask = tf.constant(tf.nn.avg_pool2d(out["lesion"], 4, 4, "VALID").numpy())
    kernel, bias = (weight.value.numpy() for weight in own_copy.layers[-1].weights)
    with tf.GradientTape() as tape:
        tape.watch(features)
        pooled = tf.reduce_mean(features * mask, axis=(1, 2))
        score = (pooled @ kernel + bias)[0, index]
    gradient = tape.gradient(score, features).numpy()[0]
    weights = gradient.mean(axis=(0, 1))
    cam = np.maximum((features.numpy()[0] * weights).sum(axis=-1), 0)
    assert cam.max() > 0
    read = predictor.read(scan, label)
    assert read.heat_class == label
    assert np.allclose(read.network_heat, cam / cam.max(), atol=1e-4)


def test_the_lesion_map_is_the_network_s(predictor: Predictor, own_copy: Any) -> None:
    scan = bundle_factory.scan(seed=5)
    seen, geometry = preprocess(scan.grey, predictor.card.input)
    expected = own_copy(seen[None], training=False)["lesion"].numpy()[0, :, :, 0]
    found = predictor.read(scan).lesion_map()
    assert found is not None
    assert np.allclose(found, geometry.to_image(expected), atol=1e-5)


@pytest.mark.parametrize("shape", [(40, 56), (333, 100), (17, 300), (32, 32), (12, 12)])
def test_maps_have_the_size_of_the_scan(predictor: Predictor, shape: tuple[int, int]) -> None:
    read = predictor.read(bundle_factory.scan(*shape))
    heat, lesion = read.heat(), read.lesion_map()
    assert lesion is not None
    for values in (heat, lesion):
        assert values.shape == shape
        assert values.dtype == np.float32
        assert values.min() >= 0
        assert values.max() <= 1
        assert not values.flags.writeable
    assert heat.max() == 1 or not heat.any()


def test_heat_made_smaller_lies_where_the_whole_heat_does(predictor: Predictor) -> None:
    read = predictor.read(bundle_factory.scan(600, 400, seed=5))
    whole, small = read.heat(), read.heat(150)
    assert whole.shape == (600, 400)
    assert small.shape == (150, 100)
    assert small.max() == 1
    assert not small.flags.writeable
    blocks = whole.reshape(150, 4, 100, 4).mean(axis=(1, 3))
    assert np.abs(small - blocks).max() < 0.03
    # Never enlarged: heat of a small scan is what it is.
    assert np.array_equal(read.heat(5000), whole)


def test_the_interval_is_that_of_validation_scans_that_scored_alike(predictor: Predictor) -> None:
    read = predictor.read(bundle_factory.scan(seed=6))
    reference = predictor.bundle.reference
    expected = score_interval(
        read.probability, reference.validation_scores, reference.validation_positive
    )
    assert read.interval == expected
    assert read.interval is not None
    assert read.interval.score_low <= read.probability <= read.interval.score_high
    assert (read.interval.low, read.interval.high) == wilson_interval(
        read.interval.positives, read.interval.n
    )


def test_the_threshold_decides_the_answer(predictor: Predictor, tmp_path: Path) -> None:
    scan = bundle_factory.scan(seed=7)
    probability = predictor.read(scan).probability
    others = {k: v for k, v in predictor.read(scan).probabilities.items() if k != "malignant"}
    likeliest = max(others, key=lambda label: others[label])
    settings = bundle_factory.settings_for(tmp_path)
    card = predictor.card
    # The threshold may equal the probability to the last bit: then the scan is flagged.
    steps = [probability, np.nextafter(probability, 1), np.nextafter(probability, 0)]
    for number, threshold in enumerate(steps):
        points = (replace(card.approved, threshold=float(threshold)),)
        other = replace(card, version=f"{number}.0", operating_points=points)
        bundle_factory.write(settings.model_roots[0], predictor.bundle.model_path, other)
        read = Predictor.load(TASK, other.version, settings=settings).read(scan)
        assert read.probability == probability
        assert read.flagged == (probability >= threshold)
        assert read.answer == ("malignant" if read.flagged else likeliest)
        assert read.heat_class == read.answer


def test_asking_to_explain_another_class_does_not_change_the_answer(predictor: Predictor) -> None:
    scan = bundle_factory.scan(seed=8)
    plain = predictor.read(scan)
    for label in bundle_factory.LABELS:
        asked = predictor.read(scan, label)
        assert asked.heat_class == label
        assert asked.answer == plain.answer
        assert asked.probabilities == plain.probabilities
    with pytest.raises(PredictionFailed, match="class"):
        predictor.read(scan, "cyst")


def test_the_same_scan_gets_the_same_read(predictor: Predictor) -> None:
    scan = bundle_factory.scan(seed=9)
    assert same(predictor.read(scan), predictor.read(scan))


def test_eight_readers_at_once_get_what_one_would_and_each_their_own_case(
    predictor: Predictor,
) -> None:
    scans = [bundle_factory.scan(30 + i, 70 - i, seed=i) for i in range(24)]
    alone = [predictor.read(scan) for scan in scans]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(predictor.read, scans))
    for scan, first, second in zip(scans, alone, together, strict=True):
        assert second.image_digest == scan.digest
        assert np.allclose(first.network_heat, second.network_heat, atol=1e-5)
        assert first.probability == pytest.approx(second.probability, abs=1e-6)
        assert first.answer == second.answer


def test_a_prediction_cannot_be_changed_after_it_was_given(predictor: Predictor) -> None:
    read = predictor.read(bundle_factory.scan())
    assert read.network_lesion is not None
    with pytest.raises(FrozenInstanceError):
        read.answer = "normal"  # type: ignore[misc]
    with pytest.raises(TypeError):
        read.probabilities["malignant"] = 0.0  # type: ignore[index]
    for values in (read.network_heat, read.network_lesion, read.heat()):
        with pytest.raises(ValueError, match="read-only"):
            values[0, 0] = 1


def test_an_earlier_read_is_not_overwritten_by_a_later_one(predictor: Predictor) -> None:
    first = predictor.read(bundle_factory.scan(seed=1))
    kept = first.network_heat.copy()
    for seed in range(2, 6):
        predictor.read(bundle_factory.scan(seed=seed))
    assert np.array_equal(first.network_heat, kept)


def test_a_model_is_loaded_once_however_many_ask(
    predictor: Predictor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from core.model import _predictor

    loads = []

    def counted(bundle: Any) -> Any:
        loads.append(bundle.digest)
        return load(bundle)

    load = _predictor.load_network
    monkeypatch.setattr(_predictor, "load_network", counted)
    own = bundle_factory.settings_for(tmp_path)
    card = replace(predictor.card, title="Loaded once")
    bundle_factory.write(own.model_roots[0], predictor.bundle.model_path, card)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: Predictor.load(TASK, settings=own), range(8)))
    assert len(loads) == 1
    assert len(set(map(id, found))) == 1
    assert Predictor.load(TASK, settings=own) is found[0]


def test_reads_leave_nothing_behind_in_the_model(predictor: Predictor) -> None:
    import gc

    def tensors() -> int:
        import tensorflow as tf

        gc.collect()
        # By type: an object of another library may fail when it is asked for its class.
        kinds = (tf.Tensor, tf.Variable)
        return sum(issubclass(type(found), kinds) for found in gc.get_objects())

    predictor.read(bundle_factory.scan())
    before = tensors()
    for seed in range(30):
        predictor.read(bundle_factory.scan(30 + seed, 50, seed=seed)).heat()
    assert tensors() <= before


class Slow:
    """A network that counts how many run it at once; its answers are fixed."""

    has_lesion_map = False
    heat_available = False

    def __init__(self) -> None:
        self.lock, self.now, self.most = Lock(), 0, 0
        self.probabilities = np.array([[0.2, 0.5, 0.3]])

    def __call__(self, inputs: np.ndarray, targets: np.ndarray) -> NetworkOutput:
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)
        time.sleep(0.01)
        with self.lock:
            self.now -= 1
        heat = np.zeros((1, 4, 4), np.float32)
        index = np.ones(1, np.int32)
        return NetworkOutput(self.probabilities.copy(), None, heat, index, index)


def test_no_more_reads_compute_at_once_than_allowed(predictor: Predictor) -> None:
    network = Slow()
    swapped: Network = network
    reader = Predictor(predictor.bundle, swapped, Gate(2))
    with ThreadPoolExecutor(8) as pool:
        reads = list(pool.map(reader.read, [bundle_factory.scan(seed=i) for i in range(16)]))
    assert network.most == 2
    assert {read.answer for read in reads} == {"benign"}
    assert reads[0].lesion_map() is None
    assert not reads[0].heat().any()


@pytest.fixture
def broken(tmp_path: Path) -> Iterator[Predictor]:
    """A sound bundle whose numbers run over on a bright scan: weights finite, outputs not."""
    model = bundle_factory.lesion_net()
    dense = model.layers[-1]
    dense.kernel.assign(np.full(dense.kernel.shape, 3e38, np.float32))
    settings = bundle_factory.settings_for(tmp_path)
    bundle_factory.write(settings.model_roots[0], model)
    bundle = read_bundle(settings.model_roots[0] / TASK / bundle_factory.VERSION)
    from core.model import _network

    loaded = Predictor.load(TASK, settings=bundle_factory.settings_for(tmp_path))
    assert isinstance(loaded._network, _network.KerasNetwork)
    assert loaded.bundle.digest == bundle.digest
    return loaded


def test_an_answer_that_is_not_a_number_is_never_shown(broken: Predictor) -> None:
    with pytest.raises(PredictionFailed, match="no usable answer"):
        broken.read(bundle_factory.scan())


def test_a_bundle_without_validation_scans_claims_no_interval(
    predictor: Predictor, tmp_path: Path
) -> None:
    settings = bundle_factory.settings_for(tmp_path)
    folder = settings.model_roots[0] / TASK / bundle_factory.VERSION
    empty = Reference(np.zeros(0, np.float32), np.zeros(0, bool))
    card = replace(predictor.card, prevalence=None, calibration=Calibration())
    write_bundle(folder, predictor.bundle.model_path, card, empty)
    read = Predictor.load(TASK, settings=settings).read(bundle_factory.scan())
    assert read.interval is None
    assert read.prevalence is None


def wait_for(warming: WarmUp) -> list[str]:
    seen = []
    while not seen or seen[-1] not in ("ready", "failed"):
        state = warming.status().state
        if not seen or seen[-1] != state:
            seen.append(state)
        time.sleep(0.001)
    return seen


def test_the_page_can_follow_the_warm_up_to_its_end(settings: Settings) -> None:
    unstarted = WarmUp(settings)
    assert unstarted.status().state == "waiting"
    warming = warm_up(settings)
    order = ["waiting", "importing", "loading", "ready"]
    seen = wait_for(warming)
    assert seen == [state for state in order if state in seen]
    assert seen[-1] == "ready"
    assert warming.status().error is None
    assert warming.get_predictor() is Predictor.load(TASK, settings=settings)


def test_a_warm_up_without_a_model_ends_in_one_line_and_not_in_waiting(tmp_path: Path) -> None:
    warming = warm_up(bundle_factory.settings_for(tmp_path, task="no-such-task"))
    with pytest.raises(BundleNotFound, match="no model for this task"):
        warming.get_predictor()
    assert warming.status().state == "failed"
    assert "no model for this task" in (warming.status().error or "")


def test_rooms_can_be_imported_without_waiting_for_tensorflow() -> None:
    code = (
        "import sys, core.model; sys.exit(any(m in sys.modules for m in ('tensorflow', 'keras')))"
    )
    root = Path(__file__).resolve().parents[2]
    found = subprocess.run([sys.executable, "-c", code], cwd=root, env=os.environ, check=False)
    assert found.returncode == 0
