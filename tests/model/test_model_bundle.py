"""Which model answers: whole bundles only, the right version, and a reason for the rest."""

from __future__ import annotations

import json
import shutil
import zipfile
from hashlib import sha256
from pathlib import Path
from typing import Any

import bundle_factory
import numpy as np
import pytest

from core.errors import BundleInvalid, BundleNotFound
from core.model import (
    Card,
    InputSpec,
    Outputs,
    Predictor,
    Reference,
    import_tensorflow,
    list_bundles,
    read_bundle,
    resolve,
    write_bundle,
)
from core.settings import Settings


@pytest.fixture
def own(tmp_path: Path) -> Settings:
    return bundle_factory.settings_for(tmp_path, task="tiny")


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "saved.keras"
    bundle_factory.lesion_net().save(path)
    return path


def write(settings: Settings, saved: Any, version: str = "1.0", **changes: Any) -> Path:
    root = settings.model_roots[0]
    return bundle_factory.write(
        root, saved, bundle_factory.lesion_card("tiny", version, **changes)
    ).folder


def test_a_bundle_holds_three_files_and_nothing_is_left_beside_it(
    own: Settings, saved: Path
) -> None:
    folder = write(own, saved)
    assert sorted(p.name for p in folder.iterdir()) == ["card.json", "model.keras", "reference.npz"]
    assert [p.name for p in folder.parent.iterdir()] == ["1.0"]


def test_the_digest_names_exactly_these_weights_and_this_card(own: Settings, saved: Path) -> None:
    folder = write(own, saved)
    data = b"".join(
        (folder / n).read_bytes() for n in ("model.keras", "card.json", "reference.npz")
    )
    first = read_bundle(folder).digest
    assert first == sha256(data).hexdigest()
    text = (folder / "card.json").read_text(encoding="utf-8")
    (folder / "card.json").write_text(text.replace("0.35", "0.36"), encoding="utf-8")
    assert read_bundle(folder).digest != first


def test_a_failed_write_leaves_nothing_that_looks_like_a_model(own: Settings) -> None:
    root = own.model_roots[0]
    card = bundle_factory.lesion_card("tiny", "1.0")
    with pytest.raises(BundleInvalid, match="no model file"):
        write_bundle(root / "tiny" / "1.0", root / "gone.keras", card, bundle_factory.reference())
    assert not root.exists() or list((root / "tiny").iterdir()) == []


def test_a_version_is_never_replaced_by_accident(own: Settings, saved: Path) -> None:
    folder = write(own, saved)
    before = read_bundle(folder).digest
    card = bundle_factory.lesion_card("tiny", "1.0", title="Another")
    with pytest.raises(BundleInvalid, match="exists already"):
        write_bundle(folder, saved, card, bundle_factory.reference())
    assert read_bundle(folder).digest == before
    write_bundle(folder, saved, card, bundle_factory.reference(), replace=True)
    assert read_bundle(folder).card.title == "Another"
    assert [p.name for p in folder.parent.iterdir()] == ["1.0"]
    with pytest.raises(BundleInvalid, match="named by its card"):
        write_bundle(folder.with_name("2.0"), saved, card, bundle_factory.reference())


def test_the_highest_version_answers_counted_in_numbers(own: Settings, saved: Path) -> None:
    for version in ("1.9", "1.10", "1.2.5"):
        write(own, saved, version)
    assert resolve("tiny", settings=own).card.version == "1.10"
    assert resolve("tiny", "1.2.5", settings=own).card.version == "1.2.5"
    assert [e.version for e in list_bundles(own, "tiny")] == ["1.10", "1.9", "1.2.5"]


def test_a_model_that_is_not_there_is_said_to_be_missing(own: Settings, saved: Path) -> None:
    with pytest.raises(BundleNotFound, match="no model for this task"):
        resolve("tiny", settings=own)
    write(own, saved)
    with pytest.raises(BundleNotFound, match="version"):
        resolve("tiny", "3.0", settings=own)
    with pytest.raises(BundleNotFound):
        resolve("../tiny", settings=own)
    assert not list_bundles(own, "other")


def _remove(folder: Path, name: str) -> None:
    (folder / name).unlink()


def _reference(folder: Path, **arrays: Any) -> None:
    np.savez(folder / "reference.npz", allow_pickle=True, **arrays)


def _card(folder: Path, **changes: Any) -> None:
    value = json.loads((folder / "card.json").read_text(encoding="utf-8"))
    (folder / "card.json").write_text(json.dumps(value | changes), encoding="utf-8")


SHALLOW = [
    (lambda f: _remove(f, "model.keras"), "model.keras is missing"),
    (lambda f: _remove(f, "card.json"), "card.json is missing"),
    (lambda f: _remove(f, "reference.npz"), "reference.npz is missing"),
    (lambda f: _card(f, positive="x"), "positive is not one of the labels"),
    (lambda f: _card(f, version="7.0"), "not those of its folder"),
    (lambda f: (f / "reference.npz").write_bytes(b"PK nothing"), "cannot be read"),
    (lambda f: (f / "reference.npz").write_bytes(b""), "cannot be read"),
    (lambda f: _reference(f, other=np.zeros(3)), "scores are missing"),
    (
        lambda f: _reference(
            f, validation_scores=np.array([{}], object), validation_positive=np.ones(1, bool)
        ),
        "cannot be read",
    ),
    (
        lambda f: _reference(
            f,
            validation_scores=np.full(2, np.nan, np.float32),
            validation_positive=np.ones(2, bool),
        ),
        "not from 0 to 1",
    ),
    (
        lambda f: _reference(
            f, validation_scores=np.zeros(2, np.float32), validation_positive=np.ones(3, bool)
        ),
        "shape or kind",
    ),
]


@pytest.mark.parametrize(("spoil", "part"), SHALLOW, ids=[part for _, part in SHALLOW])
def test_a_spoilt_bundle_is_passed_over_with_its_reason(
    own: Settings, saved: Path, spoil: Any, part: str
) -> None:
    write(own, saved, "1.0")
    spoil(write(own, saved, "2.0"))
    assert resolve("tiny", settings=own).card.version == "1.0"
    bad, good = list_bundles(own, "tiny")
    assert bad.bundle is None
    assert part in (bad.reason or "")
    assert good.reason is None
    with pytest.raises(BundleInvalid, match=part):
        resolve("tiny", "2.0", settings=own)
    shutil.rmtree(own.model_roots[0] / "tiny" / "1.0")
    with pytest.raises(BundleInvalid, match=part):
        resolve("tiny", settings=own)


def _with_architecture(source: Path, target: Path, change: Any) -> Path:
    """Copy a Keras file with another ``config.json``."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            if name == "config.json":
                value = json.loads(data)
                change(value)
                data = json.dumps(value).encode()
            new.writestr(name, data)
    return target


def _lambda_network() -> Any:
    import keras

    image = keras.Input((32, 32, 1))
    tensor = keras.layers.Lambda(lambda x: x * 2, output_shape=(32, 32, 1))(image)
    return keras.Model(image, keras.layers.Dense(3)(keras.layers.Flatten()(tensor)))


def _nan_network() -> Any:
    model = bundle_factory.lesion_net()
    kernel = model.weights[0]
    values = kernel.value.numpy().copy()
    values.flat[0] = np.nan
    kernel.assign(values)
    return model


def _two_outputs() -> Any:
    import keras

    image = keras.Input((32, 32, 1))
    flat = keras.layers.Flatten()(image)
    return keras.Model(image, [keras.layers.Dense(3)(flat), keras.layers.Dense(3)(flat)])


def _truncated(saved: Path, tmp_path: Path) -> Path:
    target = tmp_path / "cut.keras"
    target.write_bytes(saved.read_bytes()[:2000])
    return target


def _unknown_layer(saved: Path, tmp_path: Path) -> Path:
    def change(value: Any) -> None:
        value["config"]["layers"][1]["class_name"] = "NoSuchLayer"

    return _with_architecture(saved, tmp_path / "unknown.keras", change)


NAMES = {"logits": "class_logits", "lesion": "lesion", "cam_features": "cam_features"}
DEEP: list[tuple[str, Any, dict[str, Any], str]] = [
    ("input size", lambda s, t: s, {"input": InputSpec(64)}, "input size is not the one"),
    ("channels", lambda s, t: s, {"input": InputSpec(32, 3)}, "input size is not the one"),
    (
        "labels",
        lambda s, t: bundle_factory.lesion_net(classes=4),
        {},
        "another number of classes",
    ),
    (
        "output name",
        lambda s, t: s,
        {"outputs": Outputs(**NAMES | {"lesion": "mask"})},
        "no output",
    ),
    (
        "lesion channels",
        lambda s, t: s,
        {"outputs": Outputs(**NAMES | {"lesion": "cam_features"})},
        "one channel",
    ),
    (
        "flat features",
        lambda s, t: s,
        {"outputs": Outputs(**NAMES | {"cam_features": "class_logits"})},
        "rows and columns",
    ),
    (
        "features downstream",
        lambda s, t: s,
        {"outputs": Outputs(**NAMES | {"cam_features": "lesion"})},
        "do not depend on its feature map",
    ),
    ("which output", lambda s, t: _two_outputs(), {"outputs": Outputs()}, "must name the output"),
    ("lambda", lambda s, t: _lambda_network(), {"outputs": Outputs()}, "Lambda layer"),
    ("NaN", lambda s, t: _nan_network(), {}, "not finite"),
    ("cut", _truncated, {}, "weights cannot be read"),
    ("unknown layer", _unknown_layer, {}, "weights cannot be read"),
]


@pytest.mark.parametrize(
    ("make", "changes", "part"), [d[1:] for d in DEEP], ids=[d[0] for d in DEEP]
)
def test_weights_that_contradict_their_card_never_read_a_scan(
    own: Settings, saved: Path, tmp_path: Path, make: Any, changes: dict[str, Any], part: str
) -> None:
    import_tensorflow()
    write(own, make(saved, tmp_path), "2.0", **changes)
    with pytest.raises(BundleInvalid) as caught:
        Predictor.load("tiny", settings=own)
    assert part in str(caught.value)
    assert "\n" not in str(caught.value)
    # From now on the listing knows, and a sound version takes its place.
    write(own, saved, "1.0")
    (bad, good) = list_bundles(own, "tiny")
    assert bad.reason == str(caught.value)
    assert good.bundle is not None
    assert Predictor.load("tiny", settings=own).card.version == "1.0"
    with pytest.raises(BundleInvalid):
        Predictor.load("tiny", "2.0", settings=own)


def test_the_site_s_own_bundle_wins_over_the_same_version_that_ships(
    own: Settings, saved: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    shipped = tmp_path / "assets" / "models"
    monkeypatch.setattr("core.settings.ROOT", tmp_path)
    ours = write(own, saved, "1.0", title="The site's")
    for version in ("1.0", "1.1"):
        card = bundle_factory.lesion_card("tiny", version, title="Ships")
        bundle_factory.write(shipped, saved, card)
    found = [(e.version, e.shipped) for e in list_bundles(own, "tiny")]
    assert found == [("1.1", True), ("1.0", False), ("1.0", True)]
    assert resolve("tiny", "1.0", settings=own).folder == ours
    assert resolve("tiny", settings=own).card.version == "1.1"


def test_a_reference_keeps_what_other_rooms_put_there(own: Settings, saved: Path) -> None:
    root = own.model_roots[0]
    base = bundle_factory.reference()
    extra = {"background": np.zeros((2, 4), np.float32)}
    reference = Reference(base.validation_scores, base.validation_positive, extra)
    card = bundle_factory.lesion_card("tiny", "1.0")
    found = write_bundle(root / "tiny" / "1.0", saved, card, reference).reference
    assert np.array_equal(found.validation_scores, base.validation_scores)
    assert np.array_equal(found.validation_positive, base.validation_positive)
    assert np.array_equal(found.extra["background"], extra["background"])
    with pytest.raises(BundleInvalid, match="plain arrays"):
        Reference(base.validation_scores, base.validation_positive, {"x": np.array([{}])})


def test_the_card_on_disk_can_be_read_by_a_person(own: Settings, saved: Path) -> None:
    text = (write(own, saved) / "card.json").read_text(encoding="utf-8")
    assert "\n  " in text
    assert Card.from_json(text) == bundle_factory.lesion_card("tiny", "1.0")
