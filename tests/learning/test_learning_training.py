"""Training: it learns, the same way every time, and goes on where it was killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from learning_factory import toy_arrays
from training_process import CONFIG

from core.errors import DatasetError, LearningError
from core.learning.batches import as_read, batches
from core.learning.lesion_net import CLASS_LOGITS, LESION, LESION_COARSE, SUSPICION
from core.learning.losses import lesion_loss
from core.learning.runs import learning_curves
from core.learning.training import TrainingConfig, build, train
from core.learning.watching import scores_of, watch_figures
from core.model import import_tensorflow
from core.settings import ROOT

HERE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Run:
    folder: Path
    history: list[dict[str, float]]
    weights: list[np.ndarray]
    steps: int


def run(folder: Path, **options: Any) -> Run:
    history: list[dict[str, float]] = []
    model = train(toy_arrays(24), CONFIG, folder, progress=history.append, **options).model
    weights = [np.array(weight.value.numpy()) for weight in model.weights]
    return Run(folder, history, weights, int(model.optimizer.iterations.numpy()))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Run:
    import_tensorflow()
    return run(tmp_path_factory.mktemp("whole"), watch=toy_arrays(6))


def _same(one: Run, other: Run) -> None:
    for mine, theirs in zip(one.weights, other.weights, strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-5)
    assert one.steps == other.steps


@pytest.mark.slow
def test_the_loss_goes_down(whole: Run) -> None:
    losses = [figures["loss"] for figures in whole.history]
    assert len(losses) == CONFIG.epochs
    assert np.isfinite(losses).all()
    assert losses[-1] < 0.9 * losses[0]


@pytest.mark.slow
def test_what_is_watched_is_shown(whole: Run) -> None:
    watched = {"watch_loss", "watch_accuracy", "watch_auc", "watch_dice"}
    assert [watched <= set(figures) for figures in whole.history] == [
        *(False, False, False, True, False, True)
    ]


@pytest.mark.slow
def test_a_killed_run_goes_on_as_if_nothing_had_happened(whole: Run, tmp_path: Path) -> None:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(HERE)])}
    with subprocess.Popen(
        [sys.executable, HERE / "training_process.py", tmp_path],
        env=environment,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert [process.stdout.readline() for _ in range(2)] == ["1\n", "2\n"]
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    done = len(json.loads((tmp_path / "run.json").read_text())["history"])
    # Killed while it wrote, as it might be.
    (tmp_path / "epoch-004.weights.npz.part").write_bytes(b"half a file")
    # Two processes, and unwatched: one seed gives one model, and watching changes nothing.
    resumed = run(tmp_path, resume=True)
    assert done >= 2
    assert [figures["epoch"] for figures in resumed.history] == list(range(done + 1, 7))
    stored = json.loads((tmp_path / "run.json").read_text())["history"]
    curves = [[figures["loss"] for figures in run] for run in (stored, whole.history)]
    assert curves[0] == pytest.approx(curves[1], rel=1e-4)
    _same(whole, resumed)


@pytest.mark.slow
def test_a_disk_that_fills_while_a_checkpoint_is_written_is_one_line_and_loses_no_epoch(
    whole: Run, tmp_path: Path
) -> None:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(HERE)])}
    record = tmp_path / "run.json"

    def stop(figures: dict[str, float]) -> None:
        if figures["epoch"] == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(toy_arrays(24), CONFIG, tmp_path, progress=stop)
    before = record.read_bytes()
    done = subprocess.run(
        [sys.executable, HERE / "training_process.py", tmp_path, "20000"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 3, done.stderr
    assert "--resume" in done.stdout
    assert done.stdout.count("\n") == 1
    assert "Traceback" not in done.stderr
    assert record.read_bytes() == before
    _same(whole, run(tmp_path, resume=True))


@pytest.mark.slow
def test_the_run_says_what_it_was_made_with(whole: Run) -> None:
    stored = json.loads((whole.folder / "run.json").read_text())
    assert stored["config"]["seed"] == CONFIG.seed
    assert {"python", "tensorflow", "keras", "numpy"} <= set(stored["about"]["environment"])
    assert stored["about"]["seconds"] > 0
    curves = (whole.folder / "curves.svg").read_text()
    assert curves.startswith("<svg")
    assert "watch_auc" in curves
    assert curves.count("<polyline") == len(
        {name for figures in stored["history"] for name in figures} - {"epoch", "seconds"}
    )


def test_curves_of_one_epoch_are_drawn_too() -> None:
    assert "<polyline" in learning_curves([{"epoch": 1, "seconds": 2.0, "loss": 0.5}])


@pytest.mark.slow
def test_the_kept_weights_are_the_average_and_not_the_last(whole: Run) -> None:
    kept, last = build(CONFIG).model, build(CONFIG).model
    kept.set_weights(whole.weights)
    # A checkpoint holds the weights that training goes on with.
    with np.load(whole.folder / "epoch-006.weights.npz") as stored:
        last.set_weights([stored[f"arr_{at}"] for at in range(len(last.weights))])
    far = [
        float(np.abs(mine.value.numpy() - theirs.value.numpy()).max())
        for mine, theirs in zip(kept.trainable_weights, last.trainable_weights, strict=True)
    ]
    assert max(far) > 1e-4


@pytest.mark.slow
@pytest.mark.usefixtures("uncompiled")
def test_training_stops_where_nothing_gets_better_and_keeps_the_best(tmp_path: Path) -> None:
    config = replace(CONFIG, epochs=12, batch=24, patience=2, learning_rate=0.05)
    history: list[dict[str, float]] = []
    watch = toy_arrays(6)
    network = train(toy_arrays(24), config, tmp_path, watch=watch, progress=history.append)
    losses = [figures["watch_loss"] for figures in history]
    best = int(np.argmin(losses))
    assert len(losses) == min(best + 1 + 2, 12)
    assert watch_figures(network, watch)["watch_loss"] == pytest.approx(losses[best], abs=1e-4)
    # Resumed, it is over: nothing is trained, the best come back.
    again: list[dict[str, float]] = []
    resumed = train(
        toy_arrays(24), config, tmp_path, watch=watch, progress=again.append, resume=True
    )
    assert again == []
    assert watch_figures(resumed, watch)["watch_loss"] == pytest.approx(losses[best], abs=1e-4)


@pytest.mark.slow
def test_only_the_last_checkpoint_is_kept(whole: Run) -> None:
    assert {path.name for path in whole.folder.iterdir()} == {
        "epoch-006.weights.npz",
        "run.json",
        "curves.svg",
    }


@pytest.mark.slow
def test_a_finished_run_is_not_trained_further(whole: Run) -> None:
    again = run(whole.folder, resume=True)
    assert again.history == []
    _same(whole, again)


@pytest.mark.slow
def test_a_run_is_not_resumed_with_other_options(whole: Run) -> None:
    before = (whole.folder / "run.json").read_bytes()
    with pytest.raises(LearningError, match="other options"):
        train(toy_arrays(), replace(CONFIG, batch=6), whole.folder, resume=True)
    assert (whole.folder / "run.json").read_bytes() == before


@pytest.mark.slow
@pytest.mark.parametrize("damage", ["record", "weights", "no weights"])
def test_a_broken_checkpoint_is_one_line(whole: Run, tmp_path: Path, damage: str) -> None:
    record = (whole.folder / "run.json").read_text()
    (tmp_path / "run.json").write_text(record[:99] if damage == "record" else record)
    if damage == "weights":
        (tmp_path / "epoch-006.weights.npz").write_bytes(b"half a file")
    with pytest.raises(LearningError, match="cannot be read") as error:
        train(toy_arrays(), CONFIG, tmp_path, resume=True)
    assert "\n" not in str(error.value)
    assert str(tmp_path) not in str(error.value)


def test_a_label_without_images_is_refused(tmp_path: Path) -> None:
    import_tensorflow()
    arrays = toy_arrays()
    arrays.labels[arrays.labels == 0] = 1
    with pytest.raises(DatasetError, match="no training image"):
        train(arrays, CONFIG, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_batches_show_every_picture_once_an_epoch_and_never_the_same() -> None:
    import_tensorflow()
    arrays, seen, network = toy_arrays(), [], build(CONFIG)
    data = batches(arrays, CONFIG, network)
    for _epoch in range(2):
        labels = [data[number][1][CLASS_LOGITS] for number in range(len(data))]
        assert np.bincount(np.concatenate(labels)).tolist() == [4, 4, 4]
        seen.append(data[0][0])
        data.on_epoch_end()
    assert not np.array_equal(*seen)
    np.testing.assert_array_equal(batches(arrays, CONFIG, network)[0][0], seen[0])
    images, truth = data[0]
    assert images.shape == truth[LESION].shape == (4, 32, 32, 1)
    assert truth[LESION_COARSE].shape == (4, 4, 4, 1)
    given = [data[number][1] for number in range(len(data))]
    category = dict(zip((0, 1, 2), (-1, 0.5, 1), strict=True))
    for each in given:
        wanted = [category[int(label)] for label in each[CLASS_LOGITS]]
        np.testing.assert_array_equal(each[SUSPICION], np.float32(wanted))


def test_a_lesion_without_a_mask_is_not_learned_as_no_lesion() -> None:
    import_tensorflow()
    arrays, network = toy_arrays(), build(CONFIG)
    arrays.outlined[arrays.labels == 2] = False
    data = batches(arrays, CONFIG, network)
    for number in range(len(data)):
        truth = data[number][1]
        unknown = truth[CLASS_LOGITS] == 2
        for name in (LESION, LESION_COARSE):
            wrong = np.full_like(truth[name], 0.9)
            losses = np.array(lesion_loss(truth[name], wrong))
            assert not losses[unknown].any()
            assert (losses[~unknown] > 0.5).all()


def test_a_network_is_shown_lesions_as_closely_as_it_will_read_them() -> None:
    import_tensorflow()
    arrays, fine = toy_arrays(), toy_arrays(size=64)
    lesion = arrays.masks.mean() / 255

    def shown(share: float, network: Any, **options: Any) -> tuple[np.ndarray, float]:
        config = replace(CONFIG, closer=share, batch=12, **options)
        images, truth = batches(arrays, config, network, fine)[0]
        return images, float(truth[LESION].mean())

    network = build(CONFIG)
    whole, usual = shown(0.0, network)
    np.testing.assert_array_equal(whole, batches(arrays, replace(CONFIG, batch=12), network)[0][0])
    closer, larger = shown(1.0, network)
    assert closer.shape == whole.shape
    assert larger > 1.3 * max(usual, lesion)
    # As what is cut out of a picture is brought to its own scale.
    np.testing.assert_allclose(closer.mean(axis=(1, 2, 3)), 0, atol=1e-4)
    np.testing.assert_allclose(closer.std(axis=(1, 2, 3)), 1, atol=1e-2)
    _half, between = shown(0.5, network)
    assert usual < between < larger
    # A picture that must not be changed is not cut either.
    unchanged, same = shown(1.0, network, augmentation="none")
    assert same == pytest.approx(lesion)
    assert unchanged.shape == whole.shape


@pytest.mark.slow
def test_the_textbook_network_learns_two_labels(tmp_path: Path) -> None:
    arrays = toy_arrays(12, size=150)
    arrays.labels[:] = arrays.labels == 2
    config = TrainingConfig(
        architecture="seed-cnn", labels=("not malignant", "malignant"), size=150, epochs=2, batch=6
    )
    network = train(arrays, config, tmp_path)
    weights = [tuple(weight.shape) for weight in network.model.weights]
    assert [shape[-1] for shape in weights if len(shape) == 4] == [32, 64, 128]
    assert weights[-2:] == [(512, 1), (1,)]
    scores, outlines = scores_of(network, arrays)
    assert outlines is None
    assert scores.shape == (12, 2)
    # The scores are those of the probability: softmax of (-z/2, z/2).
    (part,) = as_read(arrays, network.spec)
    p = np.asarray(network.model.predict_on_batch(part)["positive"])[:, 0]
    np.testing.assert_allclose(1 / (1 + np.exp(scores[:, 0] - scores[:, 1])), p, atol=1e-5)
    assert part.min() >= 0
    assert part.max() <= 1
