"""Folds: no case on two sides, every row scored by a network that never saw it."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from learning_factory import LABELS, phantom_folder

from core.errors import DatasetError, LearningError
from core.learning import crossfit
from core.learning.architectures import Network
from core.learning.crossfit import Progress, fit_folds, folds_of, parts
from core.learning.forms import read_dataset
from core.learning.rows import Row, as_known, known_labels, place
from core.learning.training import TrainingConfig, build
from core.learning.watching import Figures
from core.model import import_tensorflow

CONFIG = TrainingConfig(size=32, epochs=1, batch=8, seed=3, widths=(4, 6, 8, 8, 8))


def _row(number: int, label: str, group: str, source: str = "here") -> Row:
    image = Path(f"{source}-{label}-{number}.png")
    return Row(image, None, label, "train", source, group, source, number)


def _rows() -> list[Row]:
    rng = np.random.default_rng(0)
    return [
        _row(n, str(rng.choice(LABELS)), f"case-{n // int(rng.integers(1, 4))}", source)
        for source in ("here", "there")
        for n in range(300)
    ]


def test_no_case_lies_in_two_folds_and_no_row_is_lost() -> None:
    rows = _rows()
    dealt = folds_of(rows, 4, seed=1)
    assert sorted(row.image.name for fold in dealt for row in fold) == sorted(
        row.image.name for row in rows
    )
    where = {(row.source, row.group): at for at, fold in enumerate(dealt) for row in fold}
    assert all(where[row.source, row.group] == at for at, fold in enumerate(dealt) for row in fold)


def test_folds_have_the_same_share_of_every_label_and_source() -> None:
    dealt = folds_of(_rows(), 4, seed=1)
    for source in ("here", "there"):
        for label in LABELS:
            counts = [sum((r.source, r.label) == (source, label) for r in fold) for fold in dealt]
            assert max(counts) - min(counts) <= 4, (source, label, counts)


def test_a_fold_does_not_depend_on_the_order_of_the_rows() -> None:
    rows = _rows()
    one, other = folds_of(rows, 3, seed=5), folds_of(rows[::-1], 3, seed=5)
    assert [Counter(fold) for fold in one] == [Counter(fold) for fold in other]
    assert [Counter(fold) for fold in folds_of(rows, 3, seed=6)] != [Counter(f) for f in one]


@pytest.mark.parametrize(
    ("folds", "said"), [(1, "malignant one and another one"), (3, "no training image")]
)
def test_one_case_of_a_kind_is_too_few_to_train_and_to_calibrate(folds: int, said: str) -> None:
    labels = ["malignant", "normal", *["benign"] * 28]
    rows = [_row(n, label, f"case-{n}") for n, label in enumerate(labels)]
    with pytest.raises(DatasetError, match=said):
        parts(rows, folds, CONFIG, "malignant")


@pytest.mark.parametrize("folds", [1, 3])
def test_a_label_without_any_image_is_named_and_not_called_too_few(folds: int) -> None:
    rows = [_row(n, LABELS[n % 2], f"case-{n}") for n in range(30)]
    with pytest.raises(DatasetError, match=f"The label {LABELS[2]} has no training image"):
        parts(rows, folds, CONFIG, "malignant")


def test_a_model_of_two_labels_takes_every_other_label_for_the_rest() -> None:
    rows = [_row(n, label, f"case-{n}") for n, label in enumerate(LABELS)]
    two = ("not malignant", "malignant")
    assert known_labels(two, "malignant") is None
    assert known_labels(LABELS, "malignant") == LABELS
    assert [as_known(row, two, "malignant").label for row in rows] == [two[0], two[0], two[1]]
    assert [as_known(row, LABELS, "malignant") for row in rows] == rows


def test_runs_from_one_start_are_averaged_fold_by_fold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import_tensorflow()
    training = [
        row
        for row in read_dataset(phantom_folder(tmp_path / "ward", train=4, val=0), LABELS)
        if row.split == "train"
    ]
    seeds: list[int] = []

    def trained(_arrays: Any, config: TrainingConfig, folder: Path, **more: Any) -> Network:
        seeds.append(config.seed)
        network = build(replace(config, weights="none"), more["member"])
        network.model.set_weights(
            [np.full(w.shape, len(seeds)) for w in network.model.get_weights()]
        )
        folder.mkdir(parents=True)
        (folder / "run.json").write_text(json.dumps({"about": {"seconds": 10}}))
        more["progress"]({"epoch": 1.0})
        return network

    monkeypatch.setattr(crossfit, "train", trained)
    seen: list[int] = []
    options = {"folds": 2, "positive": "malignant", "runs": 2}
    progress = Progress(epoch=lambda number, _figures: seen.append(number))
    config = replace(CONFIG, weights="some.keras")
    found = fit_folds(
        training, training[:2], config, tmp_path / "run", progress=progress, **options
    )
    assert len(set(seeds)) == 4
    assert seen == [1, 2, 3, 4]
    assert found.seconds == 40
    for member, mean in (("member_1", 1.5), ("member_2", 3.5)):
        part = found.network.model.get_layer(f"{member}_trunk")
        assert all(np.allclose(weights, mean) for weights in part.get_weights())
    # Networks that began differently have nothing in common to average.
    for wrong in (CONFIG, replace(config, architecture="vgg16")):
        with pytest.raises(LearningError, match="several runs"):
            fit_folds(training, training[:2], wrong, tmp_path / "other", **options)


def test_a_share_of_where_a_network_started_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import_tensorflow()
    rows = read_dataset(phantom_folder(tmp_path / "ward", train=4, val=0), LABELS)
    training = [row for row in rows if row.split == "train"]

    def filled(config: TrainingConfig, member: str, value: float) -> Network:
        network = build(replace(config, weights="none"), member)
        weights = [np.full(each.shape, value) for each in network.model.get_weights()]
        network.model.set_weights(weights)
        return network

    def trained(_arrays: Any, config: TrainingConfig, folder: Path, **more: Any) -> Network:
        folder.mkdir(parents=True)
        (folder / "run.json").write_text(json.dumps({"about": {"seconds": 10}}))
        return filled(config, more["member"], 3.0)

    monkeypatch.setattr(crossfit, "train", trained)
    monkeypatch.setattr(crossfit, "build", lambda config, member: filled(config, member, 1.0))
    options = {"folds": 2, "positive": "malignant", "start_share": 0.25}
    config = replace(CONFIG, weights="some.keras")
    found = fit_folds(training, training[:2], config, tmp_path / "run", **options)
    for member in ("member_1", "member_2"):
        part = found.network.model.get_layer(f"{member}_trunk")
        assert all(np.allclose(weights, 2.5) for weights in part.get_weights())
    for wrong in (CONFIG, replace(config, architecture="vgg16")):
        with pytest.raises(LearningError, match="where it started"):
            fit_folds(training, training[:2], wrong, tmp_path / "other", **options)


@pytest.mark.slow
@pytest.mark.usefixtures("uncompiled")
def test_what_calibrates_was_kept_from_the_network_that_scored_it(tmp_path: Path) -> None:
    folder = phantom_folder(tmp_path / "ward", train=8, val=2)
    rows = read_dataset(folder, LABELS)
    training = [row for row in rows if row.split == "train"]
    watched = [row for row in rows if row.split == "val"]
    seen: list[tuple[int, Figures]] = []
    progress = Progress(epoch=lambda fold, figures: seen.append((fold, figures)))

    def fitted(out: Path, resume: bool = False) -> np.ndarray:
        found = fit_folds(
            training,
            watched,
            CONFIG,
            out,
            folds=2,
            positive="malignant",
            resume=resume,
            progress=progress,
        )
        assert sorted(found.held, key=place) == sorted(training, key=place)
        assert found.logits.shape == (len(training), 3)
        assert found.network.model.count_params() > 0
        return found.logits

    first = fitted(tmp_path / "run")
    assert [fold for fold, _figures in seen] == [1, 2]
    # A finished run is read again and not trained again; what it says is the same.
    np.testing.assert_allclose(fitted(tmp_path / "run", resume=True), first, atol=1e-5)
    assert len(seen) == 2
    trained = [
        json.loads((tmp_path / f"run/fold-{fold}/run.json").read_text())["about"]["data"]
        for fold in (1, 2)
    ]
    assert trained[0]["trained"] == trained[1]["kept"]
    assert trained[0]["kept"] == trained[1]["trained"]
    # Other data under the same run is refused.
    with pytest.raises(LearningError, match="other options or data"):
        fit_folds(
            training[1:],
            watched,
            CONFIG,
            tmp_path / "run",
            folds=2,
            positive="malignant",
            resume=True,
        )
