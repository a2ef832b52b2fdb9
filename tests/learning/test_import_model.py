"""A Keras file of one's own: is understood, or everything that is wrong is said at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bundle_factory
import numpy as np
import pytest
from import_factory import keras_layers, network_files

from core.__main__ import main
from core.learning.importing import Findings, Wishes, look_at
from core.model import Predictor, preprocess
from core.scan import PhantomSpec, make_phantom
from core.settings import Settings

SAID = Wishes("own", "1.0", ("benign", "malignant"), "malignant", intensity="unit")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Files that people bring, by what they are."""
    folder = tmp_path_factory.mktemp("files")
    found = network_files(folder)
    (folder / "cut.keras").write_bytes(found["vgg"].read_bytes()[:2000])
    (folder / "legacy.keras").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))
    (folder / "picture.keras").write_bytes(b"\x89PNG\r\n\x1a\n")
    (folder / "folder.keras").mkdir()
    return {path.stem: path for path in folder.iterdir()} | {"nowhere": folder / "nowhere.keras"}


def look(path: Path, **said: Any) -> Findings:
    return look_at(path, Wishes(**{name: getattr(SAID, name) for name in NAMES} | said))


NAMES = ("task", "version", "labels", "positive", "intensity")
THREE = {"labels": ("normal", "benign", "malignant"), "intensity": "caffe"}


@pytest.mark.parametrize(
    ("kind", "said", "note"),
    [
        ("vgg", {}, "one unit"),
        ("resnet", THREE, "sum to 1"),
        ("scores", THREE, "logits"),
    ],
)
def test_a_file_gives_the_probabilities_that_keras_gives(
    files: dict[str, Path], own_site: Settings, kind: str, said: dict[str, Any], note: str
) -> None:
    import keras

    labels = said.get("labels", SAID.labels)
    options = ["--labels", *labels, "--positive", "malignant", "--task", "own"]
    options += ["--intensity", said.get("intensity", "unit")]
    assert main(["import-model", str(files[kind]), *options]) == 0
    predictor = Predictor.load("own", settings=own_site)
    scan = make_phantom(PhantomSpec(60, 44), 2).scan
    spec = predictor.card.input
    seen, _geometry = preprocess(scan.pixels if spec.channels == 3 else scan.grey, spec)
    model = keras.saving.load_model(files[kind])
    out = model(seen[None], training=False).numpy()[0].astype(np.float64)
    if len(out) == 1:
        out = np.array([1 - out[0], out[0]])
    elif kind == "scores":
        out = np.exp(out - out.max())
    read = predictor.read(scan)
    assert list(read.probabilities.values()) == pytest.approx(out / out.sum(), abs=1e-5)
    assert read.heat_available
    # Nobody measured it, and it says so wherever it answers.
    assert (read.calibrated, read.interval, read.prevalence) == (False, None, None)
    assert any("neither calibrated nor measured" in line for line in predictor.card.limits)
    found = look(files[kind], **said)
    assert not found.problems
    assert any(note in line for line in found.notes)


def test_a_lesion_map_and_a_layer_for_the_heatmap_are_taken_by_their_names(
    files: dict[str, Path], own_site: Settings
) -> None:
    options = ["--labels", "normal", "benign", "malignant", "--positive", "malignant"]
    options += ["--task", "own", "--intensity", "standardise", "--resize", "letterbox"]
    options += ["--lesion-output", "lesion", "--cam-layer", "cam_features"]
    assert main(["import-model", str(files["lesion"]), *options]) == 0
    predictor = Predictor.load("own", settings=own_site)
    assert predictor.card.outputs.cam_features == "cam_features"
    assert predictor.read(bundle_factory.scan()).lesion_map() is not None


WRONG: list[tuple[str, dict[str, Any], tuple[str, ...]]] = [
    ("vgg", {"task": "", "labels": (), "positive": "", "intensity": ""},
     ("--task is", "--labels is", "--positive is", "--intensity is")),
    ("vgg", {"labels": ("a", "b", "c"), "positive": "d", "version": "first", "task": "Chest X"},
     ("needs two labels; 3", "--positive is not", "version must be", "task must be")),
    ("resnet", {"intensity": ""}, ("3 class outputs, and 2", "mostly use caffe")),
    ("resnet", {"size": 64, "channels": 1}, ("takes 32 × 32", "which takes 3", "3 class outputs")),
    ("vgg", {"cam_layer": "no", "lesion_output": "nor"},
     ("--cam-layer names nothing", "--lesion-output names nothing")),
    ("vgg", {"resize": "letterbox", "pad": float("nan")}, ("pad must be finite",)),
    ("vgg", {"intensity": "caffe"}, ("needs 3 input channels",)),
    ("heads", {}, ("--class-output is missing: several outputs may be the classes (kind, side)",)),
    ("lesion", {"class_output": "lesion"}, ("one row of scores",)),
    ("map", {"lesion_output": "where"}, ("from 0 to 1: end it in a sigmoid",)),
    ("unit", {}, ("softmax over one unit",)),
    ("table", {"intensity": ""}, ("takes no image", "--intensity is")),
    ("oblong", {}, ("32 × 48; they must be square",)),
    ("first", {}, ("takes channels first",)),
    ("open", {}, ("--input-size is missing",)),
    ("lambda", {"labels": ()}, ("Lambda layer, which carries code", "--labels is")),
    ("layer", {"positive": ""}, ("not of Keras itself (AttentionGate)", "--positive is")),
    ("nan", {"task": ""}, ("not finite", "--task is")),
    ("cut", {}, ("may be cut off",)),
    ("legacy", {"labels": ()}, ("legacy HDF5 file", "--labels is")),
    ("picture", {}, ("no .keras file",)),
    ("folder", {}, ("This is a folder",)),
    ("nowhere", {}, ("no model file at this path",)),
]  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "said", "parts"), WRONG, ids=[f"{w[0]}-{n}" for n, w in enumerate(WRONG)]
)
def test_everything_that_is_wrong_is_said_at_once(
    files: dict[str, Path], kind: str, said: dict[str, Any], parts: tuple[str, ...]
) -> None:
    found = look(files[kind], **said)
    assert found.card is None
    # Each of them, and nothing else.
    assert len(found.problems) == len(parts), found.problems
    for part in parts:
        assert any(part in problem for problem in found.problems), found.problems
    for problem in found.problems:
        assert "\n" not in problem
        assert str(files[kind]) not in problem


def test_a_model_that_takes_any_size_takes_the_one_that_is_said(files: dict[str, Path]) -> None:
    found = look(files["open"], size=48)
    assert not found.problems
    assert found.card is not None
    assert found.card.input.size == 48


def test_a_model_that_rescales_itself_gets_grey_levels_as_they_are(tmp_path: Path) -> None:
    layers = keras_layers()
    import keras

    parts = [keras.Input((32, 32, 1)), layers.Rescaling(1 / 255), layers.Conv2D(2, 3)]
    parts += [layers.GlobalAveragePooling2D(), layers.Dense(2, "softmax")]
    keras.Sequential(parts).save(tmp_path / "own.keras")
    found = look(tmp_path / "own.keras", intensity="")
    assert found.card is not None
    assert found.card.input.intensity == "none"
