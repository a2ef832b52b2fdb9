"""What every method of explanation promises, held to by the same test."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import FrozenInstanceError
from typing import Any

import bundle_factory
import numpy as np
import pytest

from core.errors import EmptyMap, InvalidQuestion, NotFinite
from core.explain import (
    CAMS,
    THE_LESION,
    Explanation,
    expected_gradients,
    lesion_drivers,
    occlude,
    partition_shap,
)
from core.model import Predictor
from core.scan import Scan


def middle(scan: Scan) -> np.ndarray:
    region = np.zeros(scan.pixels.shape[:2], bool)
    region[5:15, 5:15] = True
    return region


#: Few samples, so that the tests are quick.
METHODS: dict[str, Callable[..., Explanation]] = {
    **CAMS,
    "expected-gradients": lambda model, scan, target: expected_gradients(
        model, scan, target, samples=4
    ),
    "partition-shap": lambda model, scan, target: partition_shap(
        model, scan, target, evaluations=20
    ),
    "occlusion": lambda model, scan, target: occlude(
        model, scan, middle(scan), target, places=2
    ).explanation(),
    "lesion-drivers": lambda model, scan, target: lesion_drivers(model, scan, samples=4),
}
#: Answers of which no class is asked.
ABOUT_THE_LESION = {"lesion-drivers"}


@pytest.fixture(scope="module")
def predictor(tmp_path_factory: pytest.TempPathFactory) -> Predictor:
    settings = bundle_factory.ready(tmp_path_factory.mktemp("var"))
    return Predictor.load("breast-ultrasound", settings=settings)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("shape", [(40, 56), (90, 21)])
def test_every_method_keeps_the_contract(
    predictor: Predictor, method: str, shape: tuple[int, int]
) -> None:
    scan = bundle_factory.scan(*shape, seed=2)
    before = scan.pixels.copy()
    found = METHODS[method](predictor, scan, "malignant")
    assert found.method == method
    assert found.target == (THE_LESION if method in ABOUT_THE_LESION else "malignant")
    # A map of this very scan, of its size, that nobody can change.
    assert found.values.shape == shape
    assert found.values.dtype == np.float32
    assert np.isfinite(found.values).all()
    assert found.values.any()
    with pytest.raises(ValueError, match="read-only"):
        found.values[0, 0] = 1
    with pytest.raises(FrozenInstanceError):
        found.target = "benign"  # type: ignore[misc]
    assert found.bundle_digest == predictor.bundle.digest
    assert found.image_digest == scan.digest
    assert np.array_equal(scan.pixels, before)
    # Positive and negative parts are kept apart.
    assert np.array_equal(found.positive - found.negative, found.values)
    assert found.positive.min() >= 0
    assert found.negative.min() >= 0
    if not found.signed:
        assert not found.negative.any()
    if found.unit == "relative":
        assert np.abs(found.values).max() == pytest.approx(1)
        assert (found.base_value, found.output, found.gap) == (None, None, None)
    if found.base_value is not None:
        assert found.output is not None
        total = found.values.sum(dtype=np.float64)
        assert found.gap == pytest.approx(abs(found.base_value + total - found.output))
    if method in ABOUT_THE_LESION:
        assert found.unit == "area"
        assert 0 < found.output < 1
        assert 0 < found.base_value < 1
    # What made it can be written down, and makes it again.
    assert json.loads(json.dumps(dict(found.parameters))) == dict(found.parameters)
    with pytest.raises(TypeError):
        found.parameters["seed"] = 1  # type: ignore[index]
    again = METHODS[method](predictor, scan, "malignant")
    assert dict(again.parameters) == dict(found.parameters)
    assert np.allclose(again.values, found.values, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("method", sorted(set(METHODS) - ABOUT_THE_LESION))
def test_no_method_explains_a_class_that_does_not_exist(predictor: Predictor, method: str) -> None:
    with pytest.raises(InvalidQuestion, match="class") as caught:
        METHODS[method](predictor, bundle_factory.scan(), "cyst")
    assert "\n" not in str(caught.value)


def test_every_method_of_the_room_is_held_to_the_contract() -> None:
    import core.explain

    methods = {
        value
        for name, value in vars(core.explain).items()
        if name in core.explain.__all__
        and callable(value)
        and getattr(value, "__annotations__", {}).get("return") == "Explanation"
        and value is not core.explain.by_method  # which asks one of them
    }
    assert methods == {expected_gradients, partition_shap, lesion_drivers}


def made(values: Any, **changes: Any) -> Explanation:
    plain: dict[str, Any] = {
        "method": "made up",
        "target": "benign",
        "values": values,
        "signed": True,
        "layer": None,
        "parameters": {},
        "unit": "score",
        "base_value": 1.0,
        "output": 4.0,
        "bundle_digest": "b",
        "image_digest": "i",
    }
    return Explanation(**plain | changes)


def test_the_gap_is_what_base_and_values_miss_of_the_output() -> None:
    values = np.array([[1.0, 2.0], [0.5, -0.75]], np.float32)
    assert made(values).gap == pytest.approx(0.25)
    assert made(values, base_value=None).gap is None


def test_a_map_that_cannot_be_trusted_is_refused() -> None:
    with pytest.raises(EmptyMap, match="nothing in the scan"):
        made(np.zeros((2, 2), np.float32))
    with pytest.raises(NotFinite, match="usable numbers"):
        made(np.array([[1, np.nan]], np.float32))
    with pytest.raises(NotFinite, match="usable numbers"):
        made(np.ones((2, 2), np.float32), output=np.inf)
    with pytest.raises(ValueError, match="not signed"):
        made(-np.ones((2, 2), np.float32), signed=False)
    with pytest.raises(ValueError, match="float32"):
        made(np.ones((2, 2)))


def test_whoever_made_a_map_cannot_change_it_afterwards() -> None:
    values, parameters = np.ones((2, 2), np.float32), {"seeds": [1]}
    found = made(values, parameters=parameters)
    values[0, 0] = 9
    parameters["seeds"].append(2)
    assert found.values[0, 0] == 1
    assert found.parameters == {"seeds": [1]}


def test_what_was_asked_of_one_scan_is_not_said_of_another(predictor: Predictor) -> None:
    first, second = (bundle_factory.scan(seed=seed) for seed in (1, 2))
    maps = {}
    for scan in (first, second):
        found = CAMS["grad-cam"](predictor, scan, "malignant")
        assert found.image_digest == scan.digest
        maps[scan.digest] = found.values
    assert not np.array_equal(maps[first.digest], maps[second.digest])
