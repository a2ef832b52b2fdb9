"""Evidence for or against a map: it must be able to speak against one."""

from dataclasses import replace

import bundle_factory
import cv2
import explain_fakes
import numpy as np
import pytest

from core.errors import EmptyMap, InvalidQuestion, JobCancelled
from core.explain import (
    THE_LESION,
    Curves,
    Explanation,
    agreement,
    curves,
    curves_of,
    evidence,
    expected_gradients,
    heat_inside,
    lesion_drivers,
    stability,
)
from core.explain._grid import Grid
from core.model import preprocess

SHAPE = (48, 64)
PLACE = (slice(12, 24), slice(28, 44))


def picture():
    rng = np.random.default_rng(8)
    pixels = rng.normal(120, 15, SHAPE)
    pixels[PLACE] += 60
    return bundle_factory.Scan.from_pixels(np.clip(pixels, 0, 255).astype(np.uint8))


def looks_at_one_place():
    """A model whose malignant score is the brightness of one place and nothing else."""
    model = explain_fakes.formula_model(64)
    model.answers.weights[:] = 0
    # The scan is as wide as the input; 8 rows of padding lie above it.
    model.answers.weights[1, 8 + 12 : 8 + 24, 28:44] = 2.5 / (12 * 16)
    return model


def a_map(values, *, model=None, scan=None, target="malignant", method="test") -> Explanation:
    return Explanation(
        method=method,
        target=target,
        values=np.asarray(values, np.float32),
        signed=bool(np.min(values) < 0),
        layer=None,
        parameters={},
        unit="relative",
        base_value=None,
        output=None,
        bundle_digest="b" * 64 if model is None else model.bundle.digest,
        image_digest=(picture() if scan is None else scan).digest,
    )


def at_the_place(inside=1.0, outside=0.0):
    values = np.full(SHAPE, outside, np.float32)
    values[PLACE] = inside
    return values


def test_a_map_of_what_the_answer_hangs_on_beats_chance_and_its_opposite_does_not():
    model, scan = looks_at_one_place(), picture()
    right = curves(model, scan, a_map(at_the_place()))
    assert right.beats_random
    assert right.faithfulness > 0.1
    wrong = curves(model, scan, a_map(at_the_place(0.0, 1.0)))
    assert not wrong.beats_random
    assert wrong.faithfulness < -0.1
    # A seventh of the cells is all the answer hangs on: soon nothing is left of it.
    assert right.deletion[3] == pytest.approx(right.deletion[-1], abs=0.05)
    assert right.insertion[3] == pytest.approx(right.insertion[-1], abs=0.05)


def test_a_signed_map_loses_what_speaks_for_the_class_first():
    model, scan = looks_at_one_place(), picture()
    found = curves(model, scan, expected_gradients(model, scan, "malignant", samples=4))
    assert found.beats_random


def test_curves_go_from_the_scan_as_it_is_to_nothing_of_it_and_back():
    model, scan = looks_at_one_place(), picture()
    found = curves(model, scan, a_map(at_the_place()))
    inputs = preprocess(scan.pixels, model.bundle.card.input)[0][None]
    shown = model.answers.probabilities(inputs)[0, 1]
    assert found.deletion[0] == pytest.approx(shown)
    assert found.insertion[-1] == pytest.approx(shown)
    assert found.deletion[-1] == pytest.approx(found.insertion[0])
    assert found.shares[0] == 0
    assert found.shares[-1] == 1
    assert found.random[:, 0] == pytest.approx([shown] * 3)


def test_the_areas_are_those_of_the_curves():
    shares = np.array([0, 0.5, 1.0])
    found = Curves(
        method="test",
        target="malignant",
        shares=shares,
        deletion=np.array([1.0, 0.2, 0.0]),
        insertion=np.array([0.0, 0.9, 1.0]),
        random=np.array([[1.0, 0.5, 0.0], [1.0, 0.6, 0.0]]),
    )
    assert found.deletion_area == pytest.approx(0.35)
    assert found.insertion_area == pytest.approx(0.7)
    assert found.random_areas == pytest.approx((0.5, 0.55))
    assert found.faithfulness == pytest.approx(0.35)
    assert found.beats_random
    assert not replace(found, deletion=found.random[0]).beats_random


def test_cells_that_are_equally_hot_are_hidden_in_no_order_of_their_place():
    """A map that is even all over must not look better or worse for where its cells lie."""
    model, scan = looks_at_one_place(), picture()
    even = a_map(np.ones(SHAPE))
    found = [curves(model, scan, even, seed=seed).faithfulness for seed in range(20)]
    assert abs(np.mean(found)) < 3 * np.std(found) / np.sqrt(len(found))


def test_the_same_seed_gives_the_same_curves_in_another_order_of_calls():
    model, scan = looks_at_one_place(), picture()
    first = curves(model, scan, a_map(at_the_place()), seed=3)
    again = curves(model, scan, a_map(at_the_place()), seed=3)
    np.testing.assert_array_equal(first.random, again.random)


def test_the_curves_of_a_lesion_map_are_of_its_area():
    model, scan = explain_fakes.formula_model(64), picture()
    found = curves(model, scan, lesion_drivers(model, scan, samples=8))
    assert found.target == THE_LESION
    assert found.deletion[0] == 1
    model.answers.lesion = lambda inputs: None
    with pytest.raises(InvalidQuestion):
        curves(model, scan, a_map(at_the_place(), target=THE_LESION))


def test_heat_is_shared_between_inside_and_outside_an_outline():
    values = at_the_place(3.0, 0.0)
    values[40, 10] = 144.0
    outline = np.zeros(SHAPE, np.uint8)
    outline[PLACE] = 255
    found = heat_inside(a_map(values), outline)
    assert found.share == pytest.approx(3 * 192 / (3 * 192 + 144))
    assert found.area == pytest.approx(192 / (48 * 64))
    assert found.peak == (40, 10)
    assert not found.peak_inside
    assert heat_inside(a_map(at_the_place()), outline).peak_inside


def test_only_what_speaks_for_the_class_counts_as_heat():
    outline = at_the_place()
    values = at_the_place(1.0, -5.0)
    assert heat_inside(a_map(values), outline).share == 1
    assert heat_inside(a_map(np.full(SHAPE, -1.0)), outline).share is None


@pytest.mark.parametrize("outline", [np.zeros(SHAPE), np.ones((3, 3))])
def test_an_outline_that_is_none_or_another_pictures_is_refused(outline):
    with pytest.raises(InvalidQuestion):
        heat_inside(a_map(at_the_place()), outline)


def test_maps_that_say_the_same_agree_whatever_their_scale_and_grain():
    rows, columns = np.indices(SHAPE)
    smooth = np.exp(-((rows - 18) ** 2 + (columns - 36) ** 2) / 200)
    grainy = smooth * np.random.default_rng(0).uniform(0, 2, SHAPE) * 7
    found = agreement(a_map(smooth), a_map(grainy))
    assert found.correlation > 0.9
    assert found.overlap > 0.8
    assert found.agree
    same = agreement(a_map(smooth), a_map(smooth))
    assert (same.correlation, same.overlap) == (pytest.approx(1), 1)


def test_maps_that_contradict_each_other_are_said_to_disagree():
    rows, columns = np.indices(SHAPE)
    here = np.exp(-((rows - 10) ** 2 + (columns - 12) ** 2) / 100)
    there = np.exp(-((rows - 38) ** 2 + (columns - 52) ** 2) / 100)
    found = agreement(a_map(here), a_map(there))
    assert found.overlap == 0
    assert not found.agree
    assert agreement(a_map(here), a_map(-here)).correlation == pytest.approx(-1)


def test_an_even_map_agrees_with_nothing():
    found = agreement(a_map(np.ones(SHAPE)), a_map(at_the_place()))
    assert found.correlation == 0
    assert not found.agree


def soft_noise(seed, across=6.0):
    noise = np.random.default_rng(seed).normal(size=SHAPE)
    soft = cv2.GaussianBlur(noise, (0, 0), across)
    return soft / soft.std()


def test_smooth_maps_that_have_nothing_to_do_with_each_other_rarely_agree():
    """Above .3 of both, the limit there was before, many of them would: they are smooth."""
    pairs = [
        agreement(a_map(soft_noise(2 * seed)), a_map(soft_noise(2 * seed + 1)))
        for seed in range(60)
    ]
    assert np.mean([each.agree for each in pairs]) <= 0.05
    assert np.mean([each.correlation >= 0.3 for each in pairs]) > 0.05


def test_smooth_maps_that_share_half_of_what_they_show_agree():
    for seed in range(5):
        shared, own, other = (soft_noise(100 + 3 * seed + n) for n in range(3))
        assert agreement(a_map(shared + own / 2), a_map(shared + other / 2)).agree


def test_what_chance_gives_is_named_and_needs_enough_cells_to_tell():
    found = agreement(a_map(at_the_place()), a_map(at_the_place()))
    assert found.agree
    assert 0 < found.chance_correlation < found.correlation
    assert 0 <= found.chance_overlap < found.overlap
    thin = bundle_factory.scan(9, 700)
    values = np.random.default_rng(1).random((9, 700))
    assert not agreement(a_map(values, scan=thin), a_map(values, scan=thin)).agree


def test_maps_of_another_scan_class_or_model_are_not_compared():
    one = a_map(at_the_place())
    for other in (
        a_map(at_the_place(), target="benign"),
        a_map(at_the_place(), scan=bundle_factory.scan(*SHAPE)),
        replace(one, bundle_digest="c" * 64),
    ):
        with pytest.raises(InvalidQuestion):
            agreement(one, other)
    model = looks_at_one_place()
    with pytest.raises(InvalidQuestion, match="another scan or model"):
        curves(model, bundle_factory.scan(*SHAPE), one)


def test_a_steady_map_is_told_from_one_that_noise_nobody_sees_changes():
    model, scan = looks_at_one_place(), picture()

    def steady(scan):
        return expected_gradients(model, scan, "malignant", samples=4)

    assert stability(scan, steady).lowest > 0.9

    def unsteady(scan):
        seed = int(scan.digest[:8], 16)
        values = np.random.default_rng(seed).random(SHAPE)
        return a_map(values, scan=scan)

    found = stability(scan, unsteady)
    assert abs(found.correlation) < 0.3
    assert found.overlap < 0.4
    assert len(found.copies) == 4


def test_noise_stays_below_what_anybody_sees_and_the_map_at_hand_is_not_made_again():
    scan, seen = picture(), []

    def explain(copy):
        seen.append(copy)
        return a_map(at_the_place(), scan=copy)

    stability(scan, explain, explanation=a_map(at_the_place()), copies=3, noise=2.0)
    assert len(seen) == 3
    assert len({copy.digest for copy in (*seen, scan)}) == 4
    for copy in seen:
        change = copy.pixels.astype(int) - scan.pixels
        assert 1.8 < change.std() < 2.2


def test_a_noisy_copy_with_nothing_to_show_counts_against_the_map():
    def explain(copy):
        if copy.digest != picture().digest:
            raise EmptyMap("nothing")
        return a_map(at_the_place())

    assert stability(picture(), explain, copies=2).correlation == 0


def test_the_whole_evidence_for_a_map_costs_no_more_than_120_forward_passes():
    model, scan = looks_at_one_place(), picture()
    shown = expected_gradients(model, scan, "malignant", samples=64)
    model.answers.inputs = 0
    passes = []

    def coarse(copy):
        before = model.answers.inputs
        found = expected_gradients(model, copy, "malignant", samples=8)
        passes.append(model.answers.inputs - before)
        return found

    told = []
    found = evidence(
        model,
        scan,
        shown,
        outline=at_the_place(),
        beside=a_map(at_the_place()),
        explain=coarse,
        same=False,
        copies=1,
        watch=lambda done, total: told.append((done, total)),
    )
    assert found.curves.beats_random
    assert found.inside.peak_inside
    assert found.agreement is not None
    assert found.stability.lowest > 0.9
    assert told[-1] == (58, 58)
    assert len({total for _done, total in told}) == 1
    # The scan itself and one noisy copy, each with its score, the background and 8 gradients
    # (here counted as two passes each, as the fake also gives the scores).
    assert model.answers.inputs - sum(passes) == 57


def test_evidence_without_outline_or_second_map_leaves_those_out():
    model, scan = looks_at_one_place(), picture()
    found = evidence(model, scan, a_map(at_the_place()))
    assert (found.inside, found.agreement, found.stability) == (None, None, None)


def test_curves_of_several_maps_are_those_of_each_alone_and_cost_less():
    model, scan = looks_at_one_place(), picture()
    maps = [a_map(at_the_place()), a_map(at_the_place(0.0, 1.0)), a_map(np.ones(SHAPE))]
    alone = [curves(model, scan, each, steps=6) for each in maps]
    before = model.answers.inputs
    together = curves_of(model, scan, maps, steps=6)
    assert model.answers.inputs - before == 2 + 5 * (2 * 3 + 3)
    for one, other in zip(together, alone, strict=True):
        for name in ("deletion", "insertion", "random", "shares"):
            np.testing.assert_allclose(getattr(one, name), getattr(other, name), atol=1e-7)
    with pytest.raises(InvalidQuestion):
        curves_of(model, scan, [maps[0], a_map(at_the_place(), target="benign")])


def test_evidence_can_be_stopped():
    def stop(done, total):
        raise JobCancelled("stopped")

    with pytest.raises(JobCancelled):
        evidence(looks_at_one_place(), picture(), a_map(at_the_place()), watch=stop)


@pytest.mark.parametrize(("height", "width"), [(48, 64), (300, 31), (16, 16), (9, 700)])
def test_cells_cover_the_scan_and_the_same_places_of_the_input(height, width):
    spec = bundle_factory.InputSpec(size=64)
    _pixels, geometry = preprocess(bundle_factory.scan(height, width).pixels, spec)
    grid = Grid.over(geometry, 16)
    cells = grid.on_input(geometry)
    inside = cells[cells >= 0]
    assert inside.size == geometry.content_height * geometry.content_width
    assert set(inside.tolist()) == set(range(grid.count))
    # A map that names each cell's number comes back as the numbers.
    numbers = cells[
        geometry.top : geometry.top + geometry.content_height,
        geometry.left : geometry.left + geometry.content_width,
    ]
    rows = np.arange(height) * grid.rows // height
    columns = np.arange(width) * grid.columns // width
    named = (rows[:, None] * grid.columns + columns).astype(np.float32)
    wanted = np.arange(grid.count)
    assert np.abs(grid.means(named) - wanted).max() <= grid.columns / 2 + 1
    assert numbers[0, 0] == 0
    assert numbers[-1, -1] == grid.count - 1
