"""SHAP values: they add up, are shap's own, and the same whoever else draws random numbers."""

import threading
from concurrent.futures import ThreadPoolExecutor

import bundle_factory
import explain_fakes
import numpy as np
import pytest

from core.errors import BundleInvalid, InvalidQuestion, JobCancelled, NotFinite
from core.explain import (
    BACKGROUND,
    Finished,
    Step,
    background_of,
    expected_gradients,
    in_steps,
    lesion_drivers,
    partition_shap,
    phantoms,
)
from core.explain._asked import ask
from core.explain._draws import EvenDraws
from core.explain._integrate import integrate
from core.explain._watch import unwatched
from core.jobs import JobRunner
from core.model import import_tensorflow, preprocess
from core.scan import Scan

METHODS = {"expected gradients": expected_gradients, "partition": partition_shap}
#: Few samples, so that the tests are quick; each method's own name for them.
FEW = {"expected gradients": {"samples": 16}, "partition": {"evaluations": 60}}


@pytest.fixture(scope="module")
def scan() -> Scan:
    return bundle_factory.scan(40, 56, seed=3)


@pytest.fixture(params=METHODS)
def explain(request):
    few = FEW[request.param]
    return lambda model, scan, target="malignant", **more: METHODS[request.param](
        model, scan, target, **(few | more)
    )


def exact(model, scan, target=1):
    """What each input pixel adds to a linear score, compared with the mean of the background."""
    asked = ask(model, scan)
    backgrounds = background_of(model.bundle).inputs(asked.geometry, asked.spec)
    change = asked.pixels - backgrounds.mean(axis=0)
    return asked, (change * model.answers.weights[target]).sum(axis=-1)


@pytest.mark.parametrize("channels", [1, 3])
def test_of_a_linear_model_every_pixel_gets_exactly_what_it_adds(scan, channels):
    model = explain_fakes.formula_model(channels=channels)
    found = expected_gradients(model, scan, "malignant", samples=16)
    asked, wanted = exact(model, scan)
    np.testing.assert_allclose(found.values, asked.geometry.shared_out(wanted), atol=1e-6)
    assert found.gap < 1e-4
    assert found.signed
    assert found.unit == "score"
    assert found.positive.any()
    assert found.negative.any()


def test_of_a_linear_model_every_region_gets_exactly_what_it_adds(scan):
    model = explain_fakes.formula_model(8)
    found = partition_shap(model, scan, "benign", evaluations=10_000)
    asked, wanted = exact(model, scan, 0)
    assert found.parameters["regions"] == 8 * 6
    np.testing.assert_allclose(found.values, asked.geometry.shared_out(wanted), atol=1e-6)


def test_values_and_base_add_up_to_the_score_the_model_gives(explain, scan):
    model = explain_fakes.formula_model(bend=0.2)
    asked = ask(model, scan)
    score = float(model.answers.scores(asked.pixels[None])[0, 1])
    found = explain(model, scan)
    assert found.output == pytest.approx(score)
    assert found.base_value + found.values.sum(dtype=float) == pytest.approx(score, abs=0.1)
    assert found.gap < 0.05 * abs(found.output - found.base_value)


def test_nothing_is_left_to_the_padding_around_a_scan(scan):
    """A scan that is not square has padding; what lay on it would be lost on the scan."""
    model = explain_fakes.formula_model()
    asked, wanted = exact(model, scan)
    outside = np.ones(wanted.shape, bool)
    outside[asked.content] = False
    assert outside.any()
    assert not wanted[outside].any()


# shap hands a Keras model a list of one input.
@pytest.mark.filterwarnings("ignore:(?s).*structure of `inputs` doesn't match:UserWarning")
def test_expected_gradients_are_those_of_shap_left_alone():
    tf = import_tensorflow()
    import keras
    import shap

    image = keras.Input((8, 8, 1))
    tensor = keras.layers.Conv2D(3, 3, activation="relu")(image)
    scores = keras.layers.Dense(2)(keras.layers.Flatten()(tensor))
    network = bundle_factory.seeded(keras.Model(image, scores))
    rng = np.random.default_rng(1)
    pixels = rng.normal(size=(8, 8, 1)).astype(np.float32)
    backgrounds = rng.normal(size=(5, 8, 8, 1)).astype(np.float32)
    theirs = shap.GradientExplainer(network, backgrounds, batch_size=4).shap_values(
        pixels[None], nsamples=10, rseed=7
    )

    def gradients(inputs):
        with tf.GradientTape() as tape:
            tensor = tf.constant(inputs)
            tape.watch(tensor)
            score = network(tensor)[:, 1]
        return tape.gradient(score, tensor).numpy()

    ours = integrate(
        gradients,
        pixels,
        backgrounds,
        samples=10,
        seed=7,
        batch_size=4,
        watch=unwatched,
        draws=np.random.RandomState(),
    )
    np.testing.assert_allclose(ours, theirs[0, ..., 0, 1], rtol=1e-4, atol=1e-6)


def test_even_draws_are_shared_out_evenly_and_leave_a_smaller_gap(scan):
    draws = EvenDraws(64, 8)
    draws.seed(3)
    drawn = np.array([(draws.choice(8), draws.uniform()) for _each in range(64)])
    assert np.bincount(drawn[:, 0].astype(int)).tolist() == [8] * 8
    # One position in each 64th of the way, and for each picture one in each eighth.
    assert sorted((drawn[:, 1] * 64).astype(int)) == list(range(64))
    for picture in range(8):
        ours = drawn[drawn[:, 0] == picture, 1]
        assert sorted((ours * 8).astype(int)) == list(range(8))

    model = explain_fakes.formula_model(bend=0.3)
    asked = ask(model, scan)
    backgrounds = background_of(model.bundle).inputs(asked.geometry, asked.spec)
    scores = model.answers.scores(np.concatenate([asked.pixels[None], backgrounds]))[:, 1]
    wanted = float(scores[0] - scores[1:].mean())

    def gap(seed, draws):
        found = integrate(
            lambda inputs: model.answers.input_gradients(inputs, np.ones(len(inputs), int))[1],
            asked.pixels,
            backgrounds,
            samples=16,
            seed=seed,
            batch_size=16,
            watch=unwatched,
            draws=draws,
        )
        return abs(found.sum() - wanted)

    even = np.mean([gap(seed, None) for seed in range(8)])
    at_random = np.mean([gap(seed, np.random.RandomState()) for seed in range(8)])
    assert even < at_random / 4


@pytest.mark.parametrize(("samples", "backgrounds"), [(10, 4), (3, 8), (1, 1), (64, 1)])
def test_draws_stay_on_the_way_when_the_counts_do_not_divide(samples, backgrounds):
    draws = EvenDraws(samples, backgrounds)
    draws.seed(0)
    drawn = [(draws.choice(backgrounds), draws.uniform()) for _each in range(samples)]
    often = np.bincount([picture for picture, _place in drawn], minlength=backgrounds)
    assert often.max() - often.min() <= 1
    assert all(0 <= place < 1 for _picture, place in drawn)


def test_random_numbers_of_the_rest_of_the_process_go_on_undisturbed(explain, scan):
    """Shap seeds NumPy's global stream: whoever draws from it would get the same again."""
    np.random.seed(11)  # noqa: NPY002
    wanted = np.random.random(4)  # noqa: NPY002
    np.random.seed(11)  # noqa: NPY002
    found = []
    for _each in range(4):
        found.append(np.random.random())  # noqa: NPY002
        explain(explain_fakes.formula_model(bend=0.2), scan)
    np.testing.assert_array_equal(found, wanted)


def test_a_map_is_the_same_from_eight_threads_while_others_draw_random_numbers(explain, scan):
    model = explain_fakes.formula_model(bend=0.2)
    alone = explain(model, scan)
    stop = threading.Event()

    def draw():
        while not stop.is_set():
            np.random.random(100)  # noqa: NPY002
            np.random.seed(1)  # noqa: NPY002

    other = threading.Thread(target=draw)
    other.start()
    try:
        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(lambda _each: explain(model, scan), range(8)))
    finally:
        stop.set()
        other.join()
    for each in found:
        np.testing.assert_array_equal(each.values, alone.values)


def test_the_same_seed_gives_the_same_map_and_another_seed_another(scan):
    model = explain_fakes.formula_model(bend=0.2)

    def values(seed):
        return expected_gradients(model, scan, "malignant", samples=8, seed=seed).values

    np.testing.assert_array_equal(values(1), values(1))
    assert np.abs(values(1) - values(2)).max() > 0


def test_an_explanation_names_all_that_is_needed_to_make_it_again(explain, scan):
    model = explain_fakes.formula_model(bend=0.2)
    first = explain(model, scan, seed=5, batch_size=4)
    named = dict(first.parameters)
    assert named.pop("background") == "phantoms"
    assert named.pop("background_digest") == phantoms().digest
    assert named.pop("background_pictures") == len(phantoms().pictures)
    named.pop("regions", None)
    again = explain(model, scan, **named)
    np.testing.assert_array_equal(again.values, first.values)
    assert (first.bundle_digest, first.image_digest) == (model.bundle.digest, scan.digest)


def test_a_class_the_model_does_not_have_is_refused(explain, scan):
    model = explain_fakes.formula_model()
    with pytest.raises(InvalidQuestion, match="does not know this class"):
        explain(model, scan, "lymphoma")
    assert model.answers.calls == 0


def test_numbers_that_are_none_are_said_to_be_none(explain, scan):
    model = explain_fakes.formula_model()
    model.answers.broken = True
    with pytest.raises(NotFinite):
        explain(model, scan)


def test_progress_is_told_after_every_batch_and_stopping_asks_the_model_no_more(explain, scan):
    told = []
    model = explain_fakes.formula_model()
    explain(model, scan, batch_size=4, watch=lambda done, total: told.append((done, total)))
    assert len(told) >= 4
    assert [done for done, _total in told] == sorted(done for done, _total in told)
    assert len({total for _done, total in told}) == 1
    assert all(0 < done <= total for done, total in told)

    calls = []

    def stop(done, total):
        calls.append(model.answers.inputs)
        raise JobCancelled("stopped")

    with pytest.raises(JobCancelled):
        explain(model, scan, batch_size=4, watch=stop)
    assert len(calls) == 1
    assert model.answers.inputs == calls[0]


def test_a_job_shows_how_far_an_explanation_is_and_gives_it_at_the_end(explain, scan):
    model = explain_fakes.formula_model()
    runner = JobRunner()
    job = runner.start(lambda: in_steps(lambda watch: explain(model, scan, watch=watch)))
    assert job.wait(60).state == "done"
    *steps, last = job.result()
    assert steps
    assert all(isinstance(step, Step) for step in steps)
    assert isinstance(last, Finished)
    np.testing.assert_array_equal(last.result.values, explain(model, scan).values)


def test_a_cancelled_job_leaves_no_explanation_running_on(explain, scan):
    model = explain_fakes.formula_model()
    reached, may_go_on = threading.Event(), threading.Event()

    def work(watch):
        def wait(done, total):
            reached.set()
            assert may_go_on.wait(60)
            watch(done, total)

        return explain(model, scan, batch_size=2, watch=wait)

    job = JobRunner().start(lambda: in_steps(work))
    assert reached.wait(60)
    job.cancel()
    may_go_on.set()
    assert job.wait(60).state == "cancelled"
    asked = model.answers.inputs
    assert not any(isinstance(item, Finished) for item in job.items())
    assert not [each for each in threading.enumerate() if each.name == "explain"]
    assert model.answers.inputs == asked


def test_what_goes_wrong_in_steps_reaches_whoever_takes_them(explain, scan):
    model = explain_fakes.formula_model()
    steps = in_steps(lambda watch: explain(model, scan, "lymphoma", watch=watch))
    with pytest.raises(InvalidQuestion):
        list(steps)


def test_a_bundles_own_pictures_are_compared_with_before_any_phantom(scan):
    own = np.full((2, 20, 30), 90, np.uint8)
    own[1] = 120
    own[:, :5] = 200
    model = explain_fakes.formula_model(extra={BACKGROUND: own})
    found = expected_gradients(model, scan, "malignant", samples=4)
    assert found.parameters["background"] == "bundle"
    assert found.parameters["background_pictures"] == 2
    assert found.gap < 1e-4
    other = explain_fakes.formula_model()
    assert background_of(model.bundle).digest != background_of(other.bundle).digest


@pytest.mark.parametrize(
    "pictures",
    [np.zeros((2, 8, 8), np.float32), np.zeros((8, 8), np.uint8), np.zeros((2, 8, 8, 2), np.uint8)],
)
def test_a_background_that_is_no_pictures_is_refused(pictures):
    with pytest.raises(BundleInvalid):
        background_of(explain_fakes.formula_model(extra={BACKGROUND: pictures}).bundle)


@pytest.mark.parametrize(("height", "width"), [(40, 56), (300, 90), (64, 64), (33, 500)])
@pytest.mark.parametrize("resize", ["letterbox", "stretch"])
def test_a_background_lies_exactly_where_the_scan_lies(height, width, resize):
    spec = bundle_factory.InputSpec(size=32, resize=resize, pad=-7.0)
    pixels, geometry = preprocess(bundle_factory.scan(height, width).pixels, spec)
    found = phantoms().inputs(geometry, spec)
    assert found.shape == (len(phantoms().pictures), 32, 32, 1)
    padding = pixels == -7.0
    np.testing.assert_array_equal(found == -7.0, np.broadcast_to(padding, found.shape))


def test_the_lesion_is_put_down_to_the_dark_pixels_that_make_it():
    """The fake's lesion is where the picture is dark."""
    pixels = np.full((48, 48), 160, np.uint8)
    pixels[16:30, 20:36] = 20
    model = explain_fakes.formula_model(48)
    found = lesion_drivers(model, Scan.from_pixels(pixels))
    assert found.target == "lesion"
    assert found.unit == "area"
    dark = np.zeros((48, 48), bool)
    dark[16:30, 20:36] = True
    assert found.values[dark].mean() > 0 > found.values[~dark].mean()
    asked = ask(model, Scan.from_pixels(pixels))
    assert found.output == pytest.approx(float(model.answers.lesion(asked.pixels[None]).mean()))
    assert found.gap < 0.02 * found.output


def test_a_model_without_a_lesion_map_has_no_drivers(scan):
    model = explain_fakes.formula_model()
    model.answers.lesion = lambda inputs, at=None: None
    with pytest.raises(InvalidQuestion):
        lesion_drivers(model, scan)
