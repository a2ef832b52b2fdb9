"""Hiding a region: only the region changes, the model reads the rest, and chance is beside it."""

import bundle_factory
import explain_fakes
import numpy as np
import pytest

from core.errors import EmptyMap, InvalidQuestion, JobCancelled
from core.explain import hide, occlude
from core.explain._occlusion import _elsewhere
from core.lesion import mask_from_polygon
from core.model import preprocess
from core.scan import Scan


def scan(height=90, width=120, *, colour=False) -> Scan:
    """A grey field with texture and a dark disc in it."""
    rng = np.random.default_rng(4)
    pixels = rng.normal(140, 12, (height, width, 3) if colour else (height, width))
    pixels[disc(height, width)] -= 110
    return Scan.from_pixels(np.clip(pixels, 0, 255).astype(np.uint8))


def disc(height=90, width=120, radius=15):
    rows, columns = np.indices((height, width))
    return np.hypot(rows - 45, columns - 40) <= radius


@pytest.mark.parametrize("how", ["fill", "blur"])
@pytest.mark.parametrize("colour", [False, True])
def test_outside_the_region_the_patients_pixels_stay_as_they_are(how, colour):
    picture = scan(colour=colour)
    region = disc(radius=19)
    found = hide(picture, region, how)
    assert found.shape == picture.pixels.shape
    np.testing.assert_array_equal(found[~region], picture.pixels[~region])
    assert (found[region] != picture.pixels[region]).mean() > 0.5


def test_filled_from_its_surroundings_a_lesion_is_gone_and_blurred_it_is_only_vague():
    picture, region = scan(), disc(radius=19)
    inside = disc(radius=8)
    around = float(picture.pixels[~region].mean())
    filled = hide(picture, region, "fill")
    assert abs(float(filled[region].mean()) - around) < 12
    assert float(filled[inside].std()) < float(picture.pixels[inside].std())
    blurred = hide(picture, region, "blur")
    dark = float(picture.pixels[inside].mean())
    assert dark + 10 < float(blurred[inside].mean()) < around - 10


def test_a_large_scan_is_filled_as_a_small_one_is():
    small = scan()
    large = Scan.from_pixels(np.repeat(np.repeat(small.pixels, 8, axis=0), 8, axis=1))
    region = np.repeat(np.repeat(disc(radius=19), 8, axis=0), 8, axis=1)
    one = hide(small, disc(radius=19), "fill")[disc()].mean()
    other = hide(large, region, "fill")[region].mean()
    assert float(other) == pytest.approx(float(one), abs=6)


@pytest.mark.parametrize("how", ["fill", "blur"])
def test_the_model_says_what_it_would_say_of_the_changed_picture_uploaded(how):
    model = explain_fakes.formula_model()
    region = mask_from_polygon([(20, 25), (60, 25), (60, 65), (20, 65)], (90, 120))
    found = occlude(model, scan(), region, "malignant", how=how)
    inputs = [
        preprocess(pixels, model.bundle.card.input)[0] for pixels in (scan().pixels, found.pixels)
    ]
    wanted = model.answers.probabilities(np.stack(inputs))
    labels = explain_fakes.LABELS
    np.testing.assert_allclose([found.before[each] for each in labels], wanted[0])
    np.testing.assert_allclose([found.after[each] for each in labels], wanted[1])
    assert found.fall == pytest.approx(wanted[0, 1] - wanted[1, 1])
    assert found.share == pytest.approx(np.count_nonzero(region) / region.size)
    np.testing.assert_array_equal(found.pixels, hide(scan(), region, how))
    assert not found.pixels.flags.writeable


def test_what_came_from_the_region_adds_up_on_its_map():
    found = occlude(explain_fakes.formula_model(), scan(), disc(), "malignant")
    shown = found.explanation()
    assert shown.method == "occlusion"
    assert shown.gap < 1e-5
    assert not shown.values[~disc()].any()
    assert shown.unit == "probability"
    assert shown.values.sum(dtype=float) == pytest.approx(found.fall)


def test_the_colour_of_a_hidden_region_never_contradicts_the_words_about_it():
    model = explain_fakes.formula_model()
    inside = np.zeros((32, 32), bool)
    inside[4 + 10 : 4 + 14, 9:12] = True
    # Hidden, the score of malignant falls, and that of another class falls further.
    model.answers.weights[:] = 0
    for weights, much in zip(model.answers.weights, (-3.0, -1.0), strict=False):
        weights[inside] = much
    found = occlude(model, scan(), disc(radius=19), "malignant")
    assert found.fall != 0
    assert np.sign(found.explanation().values.sum()) == np.sign(found.fall)


def test_a_region_that_changes_nothing_says_so_and_has_no_map():
    model = explain_fakes.formula_model()
    model.answers.weights[:] = 0
    found = occlude(model, scan(), disc(), "malignant")
    assert found.fall == 0
    assert found.stands_out is False
    with pytest.raises(EmptyMap):
        found.explanation()


def test_the_same_shape_is_hidden_elsewhere_so_that_surprise_is_not_taken_for_evidence():
    """A model that looks at one place only: hiding elsewhere does nothing, and that is shown."""
    model = explain_fakes.formula_model()
    picture = scan()
    model.answers.weights[:] = 0
    model.bundle.card.input  # noqa: B018
    place = np.zeros((32, 32), bool)
    # The disc on the input: 32 / 120 of the size, below 4 rows of padding.
    place[4 + 10 : 4 + 14, 9:12] = True
    model.answers.weights[1][place] = -1.0
    found = occlude(model, picture, disc(radius=19), "malignant")
    assert len(found.elsewhere) == 8
    assert found.fall > 0.3
    assert found.stands_out
    elsewhere = occlude(model, picture, np.roll(disc(), 55, axis=1), "malignant")
    assert not elsewhere.stands_out


@pytest.mark.parametrize("seed", range(3))
def test_places_elsewhere_have_the_shape_and_do_not_touch_the_region(seed):
    region = disc()
    region[20:24, 90:118] = True
    moved = _elsewhere(region, 8, seed)
    assert moved
    for each in moved:
        assert np.count_nonzero(each) == np.count_nonzero(region)
        assert not (each & region).any()


def test_a_region_that_fits_nowhere_else_has_nothing_to_be_compared_with():
    region = np.zeros((90, 120), bool)
    region[5:80, 5:110] = True
    found = occlude(explain_fakes.formula_model(), scan(), region, "malignant")
    assert found.elsewhere == ()
    assert found.stands_out is None


def test_what_is_kept_of_an_occlusion_is_enough_to_do_it_again():
    model = explain_fakes.formula_model()
    region = disc()
    region[70:75, 100:] = True
    found = occlude(model, scan(), region, "malignant", how="blur", places=3, seed=2)
    named = dict(found.explanation().parameters)
    runs = named.pop("region")
    said = named.pop("found")
    assert said["before"] - said["after"] == pytest.approx(found.fall)
    assert tuple(said["elsewhere"]) == found.elsewhere
    inside = np.repeat(np.arange(len(runs)) % 2 == 1, runs)
    again = np.zeros(region.size, bool)
    again[: len(inside)] = inside
    np.testing.assert_array_equal(again.reshape(region.shape), region)
    repeated = occlude(model, scan(), again.reshape(region.shape), "malignant", **named)
    assert repeated.after == found.after
    assert repeated.elsewhere == found.elsewhere


@pytest.mark.parametrize(
    ("region", "said"),
    [
        (np.zeros((90, 120), bool), "empty or lies outside"),
        (np.ones((120, 90), bool), "another picture"),
        (np.ones((90, 120), bool), "nothing is left to fill it from"),
    ],
)
def test_a_region_that_cannot_be_hidden_is_refused_in_one_line(region, said):
    model = explain_fakes.formula_model()
    with pytest.raises(InvalidQuestion, match=said):
        occlude(model, scan(), region, "malignant")
    assert model.answers.calls == 0


def test_a_class_or_a_way_of_hiding_that_is_not_there_is_refused():
    model = explain_fakes.formula_model()
    with pytest.raises(InvalidQuestion):
        occlude(model, scan(), disc(), "lymphoma")
    with pytest.raises(InvalidQuestion):
        occlude(model, scan(), disc(), "malignant", how="erase")


def test_occlusion_can_be_stopped():
    def stop(done, total):
        raise JobCancelled("stopped")

    with pytest.raises(JobCancelled):
        occlude(explain_fakes.formula_model(), scan(), disc(), "malignant", watch=stop)


def test_a_tiny_scan_can_be_asked_about_too():
    tiny = bundle_factory.scan(16, 16)
    region = np.zeros((16, 16), bool)
    region[3:6, 3:6] = True
    assert occlude(explain_fakes.formula_model(), tiny, region, "benign").share > 0
