"""A Keras file of one's own: becomes a bundle, or everything that is wrong is said at once."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import bundle_factory
import numpy as np
import pytest
from learning_factory import phantom_folder

from core.__main__ import main
from core.learning.importing import Findings, Wishes, look_at
from core.model import (
    Predictor,
    import_tensorflow,
    list_bundles,
    preprocess,
    read_switches,
    versions,
)
from core.scan import PhantomSpec, make_phantom
from core.settings import Settings

SAID = Wishes("own", "1.0", ("benign", "malignant"), "malignant", intensity="unit")
TWO = ["--labels", "benign", "malignant", "--positive", "malignant", "--intensity", "unit"]


def _layers() -> Any:
    import_tensorflow()
    from keras import layers

    return layers


def vgg() -> Any:
    """Two blocks of two convolutions, a hidden layer, one sigmoid: as tutorials make it."""
    layers = _layers()
    import keras

    parts = [keras.Input((32, 32, 1))]
    for count in (4, 8):
        parts += [layers.Conv2D(count, 3, padding="same", activation="relu") for _ in range(2)]
        parts.append(layers.MaxPooling2D())
    parts += [layers.Flatten(), layers.Dense(8, activation="relu")]
    return bundle_factory.seeded(keras.Sequential([*parts, layers.Dense(1, "sigmoid")]), 3)


def resnet(ending: str | None = "softmax") -> Any:
    """Residual blocks in a nested model, and a head on it: as transfer learning makes it."""
    layers = _layers()
    import keras

    image = keras.Input((None, None, 3))
    tensor = layers.Conv2D(8, 3, strides=2, padding="same")(image)
    for _block in range(2):
        inner = layers.BatchNormalization()(layers.Conv2D(8, 3, padding="same")(tensor))
        tensor = layers.Add()([tensor, layers.ReLU()(inner)])
    body = keras.Model(image, tensor, name="resnet-small")
    top = keras.Input((32, 32, 3))
    pooled = layers.GlobalAveragePooling2D()(body(top))
    return bundle_factory.seeded(keras.Model(top, layers.Dense(3, ending)(pooled)), 4)


def with_input(*shape: int | None) -> Any:
    layers = _layers()
    import keras

    image = keras.Input(shape)
    flat = image if len(shape) == 1 else layers.GlobalAveragePooling2D()(image)
    return keras.Model(image, layers.Dense(2, "softmax")(flat))


def two_heads() -> Any:
    layers = _layers()
    import keras

    image = keras.Input((32, 32, 1))
    flat = layers.Flatten()(image)
    heads = {"kind": layers.Dense(2)(flat), "side": layers.Dense(2)(flat)}
    return bundle_factory.seeded(keras.Model(image, heads))


def with_lambda() -> Any:
    layers = _layers()
    import keras

    image = keras.Input((32, 32, 1))
    doubled = layers.Lambda(lambda x: x * 2, output_shape=(32, 32, 1))(image)
    return keras.Model(image, layers.Dense(2)(layers.Flatten()(doubled)))


def with_own_layer() -> Any:
    layers = _layers()
    import keras

    class AttentionGate(layers.Layer):
        def call(self, inputs: Any) -> Any:
            return inputs

    image = keras.Input((32, 32, 1))
    return keras.Model(image, layers.Dense(2)(layers.Flatten()(AttentionGate()(image))))


def with_nan() -> Any:
    model = vgg()
    kernel = model.weights[0]
    values = kernel.value.numpy().copy()
    values.flat[0] = np.nan
    kernel.assign(values)
    return model


def unbounded_map() -> Any:
    layers = _layers()
    import keras

    image = keras.Input((32, 32, 1))
    features = layers.Conv2D(4, 3, padding="same", name="last")(image)
    pooled = layers.Dense(2, name="kind")(layers.GlobalAveragePooling2D()(features))
    lesion = layers.Conv2D(1, 1, name="where")(features)
    return bundle_factory.seeded(keras.Model(image, [pooled, lesion]))


def unit_softmax() -> Any:
    layers = _layers()
    import keras

    image = keras.Input((32, 32, 1))
    return keras.Model(image, layers.Dense(1, "softmax")(layers.Flatten()(image)))


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Files that people bring, by what they are."""
    folder = tmp_path_factory.mktemp("files")
    made = {
        "vgg": vgg(),
        "resnet": resnet(),
        "scores": resnet(None),
        "lesion": bundle_factory.lesion_net(),
        "heads": two_heads(),
        "table": with_input(20),
        "oblong": with_input(32, 48, 1),
        "first": with_input(3, 32, 32),
        "open": with_input(None, None, 1),
        "lambda": with_lambda(),
        "layer": with_own_layer(),
        "nan": with_nan(),
        "map": unbounded_map(),
        "unit": unit_softmax(),
    }
    for name, model in made.items():
        model.save(folder / f"{name}.keras")
    (folder / "cut.keras").write_bytes((folder / "vgg.keras").read_bytes()[:2000])
    (folder / "legacy.keras").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))
    (folder / "picture.keras").write_bytes(b"\x89PNG\r\n\x1a\n")
    (folder / "folder.keras").mkdir()
    return {path.stem: path for path in folder.iterdir()} | {"nowhere": folder / "nowhere.keras"}


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("OVERREAD_VAR", str(tmp_path / "var"))
    return bundle_factory.settings_for(tmp_path / "var", task="own")


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
    files: dict[str, Path], site: Settings, kind: str, said: dict[str, Any], note: str
) -> None:
    import keras

    labels = said.get("labels", SAID.labels)
    options = ["--labels", *labels, "--positive", "malignant", "--task", "own"]
    options += ["--intensity", said.get("intensity", "unit")]
    assert main(["import-model", str(files[kind]), *options]) == 0
    predictor = Predictor.load("own", settings=site)
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
    files: dict[str, Path], site: Settings
) -> None:
    options = ["--labels", "normal", "benign", "malignant", "--positive", "malignant"]
    options += ["--task", "own", "--intensity", "standardise", "--resize", "letterbox"]
    options += ["--lesion-output", "lesion", "--cam-layer", "cam_features"]
    assert main(["import-model", str(files["lesion"]), *options]) == 0
    predictor = Predictor.load("own", settings=site)
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
    layers = _layers()
    import keras

    parts = [keras.Input((32, 32, 1)), layers.Rescaling(1 / 255), layers.Conv2D(2, 3)]
    parts += [layers.GlobalAveragePooling2D(), layers.Dense(2, "softmax")]
    keras.Sequential(parts).save(tmp_path / "own.keras")
    found = look(tmp_path / "own.keras", intensity="")
    assert found.card is not None
    assert found.card.input.intensity == "none"


def test_checking_writes_nothing(
    files: dict[str, Path], site: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["import-model", str(files["vgg"]), "--task", "own", *TWO, "--check"]
    assert main(command) == 0
    assert "Nothing was written" in capsys.readouterr().out
    assert main([*command, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["card"]["labels"] == ["benign", "malignant"]
    assert not site.var.exists()


def test_a_list_of_problems_ends_in_failure_and_writes_nothing(
    files: dict[str, Path], site: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["import-model", str(files["lambda"])]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    lines = said.err.splitlines()
    assert lines[0] == "5 things are missing or wrong:"
    assert len(lines) == 6
    assert main(["import-model", str(files["lambda"]), "--json"]) == 1
    assert len(json.loads(capsys.readouterr().out)["problems"]) == 5
    assert not site.var.exists()


def test_a_file_that_is_brought_answers_nobody_before_it_is_promoted(
    files: dict[str, Path], site: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["import-model", str(files["vgg"]), "--task", "own", *TWO]
    assert main(command) == 0
    assert "It is active" in capsys.readouterr().out
    assert main(command) == 0
    assert "python -m core promote own 2.0" in capsys.readouterr().out
    states = {each.version: str(each.state) for each in versions(site, "own")}
    assert states == {"2.0": "usable", "1.0": "active"}
    assert [switch.action for switch in read_switches(site, "own")] == ["keep"]
    assert main(["promote", "own", "2.0", "--reason", "try"]) == 0
    assert Predictor.load("own", settings=site).card.version == "2.0"
    # The same version is never written over.
    assert main([*command, "--version", "2.0"]) == 1
    assert "exists already" in capsys.readouterr().err


def test_a_full_disk_leaves_no_half_of_what_is_brought(
    files: dict[str, Path],
    site: Settings,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert main(["import-model", str(files["vgg"]), "--task", "own", *TWO]) == 0
    copy = shutil.copyfile

    def full(source: Any, target: Path) -> None:
        if "var" in target.parts:
            target.write_bytes(b"half")
            raise OSError(28, "No space left on device")
        copy(source, target)

    monkeypatch.setattr(shutil, "copyfile", full)
    assert main(["import-model", str(files["vgg"]), "--task", "own", *TWO]) == 1
    assert "could not be saved" in capsys.readouterr().err
    (entry,) = list_bundles(site, "own")
    assert (entry.version, entry.reason) == ("1.0", None)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return phantom_folder(
        tmp_path_factory.mktemp("phantoms"), train=4, val=24, labels=("benign", "malignant")
    )


def test_with_data_it_is_calibrated_on_some_patients_and_measured_on_others(
    files: dict[str, Path], site: Settings, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["import-model", str(files["vgg"]), "--task", "own", *TWO, "--data", str(data)]
    assert main(command) == 0
    assert "roc_auc" in capsys.readouterr().out
    bundle = Predictor.load("own", settings=site).bundle
    card = bundle.card
    assert card.calibration.method == "vector-temperature"
    assert not any("neither calibrated" in line for line in card.limits)
    fit, measured = card.training["calibrated_on"], card.training["measured_on"]
    # 48 images are val, two of each patient.
    assert fit["n"] + measured["n"] == 48
    assert fit["n"] % 2 == measured["n"] % 2 == 0
    assert fit["fingerprint"] != measured["fingerprint"]
    assert card.metrics["val"]["n"] == measured["n"] == len(bundle.reference.validation_scores)
    assert card.prevalence is not None
    assert card.prevalence.n == fit["n"]
    assert {point.name for point in card.operating_points} == {
        "sensitivity-95", "balanced", "specificity-95",
    }  # fmt: skip
    assert all(point.n == measured["n"] for point in card.operating_points)
    read = Predictor.load("own", settings=site).read(bundle_factory.scan())
    assert read.calibrated
    assert read.interval is not None


def test_a_folder_that_says_nothing_of_splits_is_used_whole(
    files: dict[str, Path], site: Settings, data: Path
) -> None:
    folder = site.var.parent / "plain"
    shutil.copytree(data / "images", folder / "images")
    command = ["import-model", str(files["vgg"]), "--task", "own", *TWO, "--data", str(folder)]
    assert main(command) == 0
    training = Predictor.load("own", settings=site).card.training
    assert training["calibrated_on"]["n"] + training["measured_on"]["n"] == 56


@pytest.mark.parametrize(
    ("make", "part"),
    [
        (lambda d: shutil.rmtree(d / "images" / "malignant"), "too few cases"),
        (lambda d: (d / "images" / "benign").rename(d / "images" / "normal"), "does not know"),
        (shutil.rmtree, "no dataset at this path"),
    ],
    ids=["one class", "unknown label", "gone"],
)
def test_data_that_cannot_be_used_is_said_before_anything_is_written(
    files: dict[str, Path],
    site: Settings,
    data: Path,
    capsys: pytest.CaptureFixture[str],
    make: Any,
    part: str,
) -> None:
    folder = site.var.parent / "plain"
    shutil.copytree(data / "images", folder / "images")
    make(folder)
    command = ["import-model", str(files["vgg"]), "--task", "own", *TWO, "--data", str(folder)]
    assert main(command) == 1
    said = capsys.readouterr()
    assert part in said.err
    assert said.err.count("\n") == 1
    assert str(folder) not in said.err
    assert not (site.var / "models" / "own").exists()
    # With everything else that is wrong.
    assert main([*command, "--version", "first"]) == 1
    assert capsys.readouterr().err.startswith("2 things are missing or wrong")
