"""A map that stays as it was when the network forgets all it knows shows the picture only."""

import bundle_factory
import cv2
import numpy as np
import pytest

from core.explain import CAMS, Explanation, expected_gradients, grad_cam, randomised
from core.model import OwnCopy, Predictor, resolve
from core.scan import LesionSpec, PhantomSpec, make_phantom

METHODS = {
    **{
        name: lambda model, scan, cam=cam: cam(model, scan, "malignant")
        for name, cam in CAMS.items()
        if cam.class_specific
    },
    "expected-gradients": lambda model, scan: expected_gradients(
        model, scan, "malignant", samples=8
    ),
}


def edges(model, scan) -> Explanation:
    """What an edge detector shows, whatever the model: it must be caught."""
    grey = cv2.GaussianBlur(scan.grey.astype(np.float32), (0, 0), 2)
    strength = np.hypot(cv2.Sobel(grey, -1, 1, 0), cv2.Sobel(grey, -1, 0, 1))
    return Explanation(
        method="edges",
        target="malignant",
        values=(strength / strength.max()).astype(np.float32),
        signed=False,
        layer=None,
        parameters={},
        unit="relative",
        base_value=None,
        output=None,
        bundle_digest=model.bundle.digest,
        image_digest=scan.digest,
    )


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    return bundle_factory.ready(tmp_path_factory.mktemp("shuffled"))


@pytest.fixture(scope="module")
def found(settings):
    bundle = resolve(settings.task, settings=settings)
    scans = [bundle_factory.scan(96, 128, seed=seed) for seed in range(6)]
    told = []
    result = randomised(
        bundle,
        scans,
        METHODS | {"edges": edges},
        depths=3,
        watch=lambda *step: told.append(step),
    )
    assert told[-1] == (4 * 6 * 6, 4 * 6 * 6)
    return result


@pytest.mark.parametrize("method", METHODS)
def test_the_maps_of_every_class_specific_method_change_with_the_weights(found, method):
    assert found.depends(method)
    assert found.correlation(method)[-1] < 0.6
    assert found.structure(method)[-1] < 0.8


def test_an_edge_detector_is_caught(found):
    assert not found.depends("edges")
    assert found.unchanged("edges") == 1
    assert found.correlation("edges") == pytest.approx([1] * 3)
    assert found.structure("edges") == pytest.approx([1] * 3)


def test_weights_go_from_the_scores_down_until_none_is_left(found):
    assert [depth.layers for depth in found.depths] == sorted(
        {depth.layers for depth in found.depths}
    )
    assert found.depths[-1].layers == found.layers == 7
    assert found.depths[0].layer != found.depths[-1].layer
    assert "conv2d" in found.depths[-1].layer


def test_the_model_that_reads_and_its_files_stay_as_they_are(settings):
    predictor = Predictor.load(settings.task, settings=settings)
    scan = bundle_factory.scan(seed=4)
    before = grad_cam(predictor, scan, "malignant").values
    read = predictor.read(scan)
    content = predictor.bundle.model_path.read_bytes()
    again = [
        randomised(predictor.bundle, [scan], {"grad-cam": METHODS["grad-cam"]}, depths=1)
        for _each in range(2)
    ]
    assert again[0] == again[1]
    assert np.array_equal(grad_cam(predictor, scan, "malignant").values, before)
    assert predictor.read(scan).probabilities == read.probabilities
    assert predictor.bundle.model_path.read_bytes() == content


def test_a_copy_shuffles_one_layer_and_keeps_its_weights(settings):
    copy = OwnCopy(resolve(settings.task, settings=settings))
    top = copy.layers[0]
    before = [np.array(weight.value.numpy()) for weight in copy._weights[top]]
    others = [np.array(w.value.numpy()) for w in copy._weights[copy.layers[1]]]
    copy.shuffle(top, 0)
    changed = False
    for was, weight in zip(before, copy._weights[top], strict=True):
        now = weight.value.numpy()
        assert np.array_equal(np.sort(now, axis=None), np.sort(was, axis=None))
        changed |= not np.array_equal(now, was)
    assert changed
    for was, weight in zip(others, copy._weights[copy.layers[1]], strict=True):
        assert np.array_equal(weight.value.numpy(), was)
    with pytest.raises(KeyError):
        copy.shuffle("nowhere", 0)


def test_the_maps_of_the_model_that_ships_depend_on_what_it_has_learnt(tmp_path):
    bundle = resolve("breast-ultrasound", settings=bundle_factory.settings_for(tmp_path))
    spec = PhantomSpec(lesion=LesionSpec(shape="irregular", echo_db=-20.0))
    scan = make_phantom(spec, 3).scan
    methods = {name: METHODS[name] for name in METHODS if name != "expected-gradients"}
    result = randomised(bundle, [scan], methods | {"edges": edges}, depths=2)
    for method in methods:
        assert result.depends(method), method
        assert max(result.structure(method)) < 0.95
    assert not result.depends("edges")
