"""What a threshold is said to do is what it did to the validation scans."""

import numpy as np
import pytest
from bundle_factory import reference

from core.model import Reference, Share, at_threshold, shift_prior


def scores(*values: tuple[float, bool]) -> Reference:
    return Reference(
        np.array([value for value, _sick in values], np.float32),
        np.array([sick for _value, sick in values], bool),
    )


HAND = scores((0.9, True), (0.8, False), (0.5, True), (0.4, False), (0.2, True), (0.1, False))


def test_a_scan_at_the_threshold_is_flagged_as_the_predictor_flags_it() -> None:
    found = at_threshold(HAND, 0.5)
    assert (found.found.hits, found.found.n) == (2, 3)
    assert (found.false_alarms.hits, found.false_alarms.n) == (1, 3)
    assert found.prevalence == 0.5


def test_zero_flags_everything_and_above_all_scores_nothing() -> None:
    everything, nothing = at_threshold(HAND, 0.0), at_threshold(HAND, 1.0)
    assert (everything.found.hits, everything.false_alarms.hits) == (3, 3)
    assert (nothing.found.hits, nothing.false_alarms.hits) == (0, 0)
    # Nobody is spared, nobody is flagged: there is no share of them.
    assert everything.negative_value(0.1) is None
    assert nothing.positive_value(0.1) is None


@pytest.mark.parametrize("threshold", [-0.01, 1.01, float("nan")])
def test_a_threshold_off_the_scale_is_refused(threshold: float) -> None:
    with pytest.raises(ValueError, match="from 0 to 1"):
        at_threshold(HAND, threshold)


def test_predictive_values_are_those_of_bayes_by_hand() -> None:
    found = at_threshold(HAND, 0.5)
    # Of 1000 at 10 %: 100 ill, 66.7 of them flagged; 900 well, 300 of them flagged.
    value = found.positive_value(0.1)
    assert value is not None
    assert value.value == pytest.approx((100 * 2 / 3) / (100 * 2 / 3 + 300))
    # Not flagged: 33.3 ill, 600 well.
    value = found.negative_value(0.1)
    assert value is not None
    assert value.value == pytest.approx(600 / (600 + 100 / 3))


def test_at_the_studys_own_prevalence_they_are_the_plain_counts() -> None:
    made = reference(400)
    found = at_threshold(made, 0.45)
    flagged = made.validation_scores >= 0.45
    value = found.positive_value(found.prevalence)
    assert value.value == pytest.approx(made.validation_positive[flagged].mean())
    value = found.negative_value(found.prevalence)
    assert value.value == pytest.approx((~made.validation_positive[~flagged]).mean())


def test_predictive_values_shift_like_the_probabilities_beside_them() -> None:
    found = at_threshold(reference(400), 0.45)
    study = found.positive_value(found.prevalence).value
    there = found.positive_value(0.02).value
    assert there == pytest.approx(shift_prior(study, found.prevalence, 0.02))


def test_a_flawless_threshold_is_not_called_certain() -> None:
    found = at_threshold(scores(*[(0.9, True)] * 20, *[(0.1, False)] * 30), 0.5)
    value = found.positive_value(0.05)
    assert value.value == 1.0
    assert value.high == 1.0
    assert 0.05 < value.low < 0.6
    assert found.negative_value(0.05).low < 1.0


def test_an_interval_holds_its_value_and_narrows_with_more_scans() -> None:
    widths = []
    for n in (100, 1000, 10_000):
        value = at_threshold(reference(n), 0.45).positive_value(0.05)
        assert value.low <= value.value <= value.high
        widths.append(value.high - value.low)
    assert widths == sorted(widths, reverse=True)


def test_intervals_of_the_predictive_value_cover_what_they_claim() -> None:
    rng = np.random.default_rng(5)
    sensitivity, false_alarms, prevalence = 0.85, 0.15, 0.05
    truth = sensitivity * prevalence
    truth /= truth + false_alarms * (1 - prevalence)
    held = 0
    for _round in range(400):
        sick = [(0.9 if x < sensitivity else 0.1, True) for x in rng.random(90)]
        well = [(0.9 if x < false_alarms else 0.1, False) for x in rng.random(200)]
        value = at_threshold(scores(*sick, *well), 0.5).positive_value(prevalence)
        held += value.low <= truth <= value.high
    assert held >= 0.92 * 400


def test_without_scans_of_a_kind_nothing_is_made_up() -> None:
    nobody = at_threshold(scores(), 0.5)
    assert nobody.prevalence is None
    assert nobody.found.value is None
    assert nobody.found.interval == (0.0, 1.0)
    only_sick = at_threshold(scores((0.9, True)), 0.5)
    assert only_sick.positive_value(0.3) is None
    assert only_sick.negative_value(0.3) is None


def test_a_share_carries_wilsons_interval() -> None:
    low, high = Share(81, 263).interval
    assert (low, high) == pytest.approx((0.2553, 0.3662), abs=5e-4)
