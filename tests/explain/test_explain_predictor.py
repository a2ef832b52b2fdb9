"""Explanations of a real network through the predictor: what the fake cannot show."""

from concurrent.futures import ThreadPoolExecutor

import bundle_factory
import numpy as np
import pytest

from core.explain import (
    curves,
    evidence,
    expected_gradients,
    grad_cam,
    lesion_drivers,
    occlude,
    partition_shap,
)
from core.explain._asked import ask
from core.explain._background import background_of
from core.explain._integrate import integrate
from core.explain._watch import unwatched
from core.model import Predictor
from core.scan import LesionSpec, PhantomSpec, make_phantom

#: Coarse noise: random weights say much the same of every phantom.
STRANGE = bundle_factory.scan(96, 128, seed=5)


@pytest.fixture(scope="module")
def predictor(tmp_path_factory) -> Predictor:
    """A tiny network that pools its features under its own lesion map, held constant."""
    settings = bundle_factory.ready(tmp_path_factory.mktemp("explain"))
    return Predictor.load(settings.task, settings=settings)


@pytest.fixture(scope="module")
def phantom():
    spec = PhantomSpec(width=128, height=96, depth_mm=30, lesion=LesionSpec(echo_db=-25.0))
    return make_phantom(spec, 5)


def test_values_add_up_for_a_network_that_holds_its_own_mask_constant(predictor):
    """The mask moves the score too: leave its path out, and the sum is of something else."""
    found = expected_gradients(predictor, STRANGE, "malignant", samples=256)
    asked = ask(predictor, STRANGE)
    assert found.gap < 0.02 * abs(found.output - found.base_value)

    backgrounds = background_of(predictor.bundle).inputs(asked.geometry, asked.spec)

    def held(inputs):
        targets = np.full(len(inputs), 2, np.int32)
        return asked.probe.input_gradients(inputs, targets, through_mask=False)[1]

    without = integrate(
        held, asked.pixels, backgrounds, samples=256, seed=0, batch_size=16, watch=unwatched
    )
    assert abs(found.base_value + without.sum() - found.output) > 4 * found.gap


def test_hidden_regions_add_up_and_the_score_is_that_of_a_read(predictor, phantom):
    found = partition_shap(predictor, phantom.scan, "malignant", evaluations=100)
    assert found.gap < 1e-3
    asked = ask(predictor, phantom.scan)
    assert found.output == pytest.approx(float(asked.probe.scores(asked.pixels[None])[0, 2]))


def test_the_lesions_area_is_put_down_to_pixels_and_adds_up(predictor):
    few, many = (lesion_drivers(predictor, STRANGE, samples=samples) for samples in (64, 1024))
    read = predictor.read(STRANGE)
    assert many.output == pytest.approx(float(read.network_lesion.mean()), rel=1e-4)
    # Against what there is to add up, and the nearer the more samples there are.
    assert many.gap < 0.02 * abs(many.output - many.base_value)
    assert many.gap < few.gap / 4


def test_before_a_region_is_hidden_the_model_says_what_the_page_shows(predictor, phantom):
    found = occlude(predictor, phantom.scan, phantom.mask, "malignant")
    read = predictor.read(phantom.scan)
    assert dict(found.before) == pytest.approx(dict(read.probabilities), abs=1e-6)


def test_eight_threads_explain_as_one_does(predictor, phantom):
    def explain(_each):
        return expected_gradients(predictor, phantom.scan, "malignant", samples=16).values

    alone = explain(0)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(explain, range(8)))
    # A batch is computed in parts by several threads, whose sums may differ in the last digit.
    for each in found:
        np.testing.assert_allclose(each, alone, atol=1e-5 * np.abs(alone).max())


def test_a_cam_has_evidence_beside_it_too(predictor, phantom):
    shown = grad_cam(predictor, phantom.scan, "malignant")
    beside = expected_gradients(predictor, phantom.scan, "malignant", samples=16)
    found = evidence(
        predictor,
        phantom.scan,
        shown,
        outline=phantom.mask,
        beside=beside,
        explain=lambda scan: grad_cam(predictor, scan, "malignant"),
    )
    assert 0 <= found.inside.share <= 1
    assert -1 <= found.agreement.correlation <= 1
    assert found.stability.lowest > 0.5
    read = predictor.read(phantom.scan)
    assert found.curves.deletion[0] == pytest.approx(read.probabilities["malignant"], abs=1e-6)


def test_curves_of_the_lesion_map_begin_at_the_whole_lesion(predictor, phantom):
    found = curves(predictor, phantom.scan, lesion_drivers(predictor, phantom.scan, samples=8))
    assert found.deletion[0] == 1
    assert np.isfinite(found.deletion).all()
