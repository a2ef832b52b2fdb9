"""Numbers that stand beside a probability and say how far to trust it."""

from __future__ import annotations

import numpy as np
import pytest

from core.model import score_interval, shift_prior, wilson_interval


@pytest.mark.parametrize(
    ("positives", "n", "low", "high"),
    [
        # Closed forms: 0 of n gives (0, z2 / (n + z2)); half of n gives 0.5 -+ z/2 / sqrt(n + z2).
        (0, 10, 0.0, 3.841458821 / 13.841458821),
        (10, 10, 10 / 13.841458821, 1.0),
        (5, 10, 0.5 - 0.979981992 / 13.841458821**0.5, 0.5 + 0.979981992 / 13.841458821**0.5),
        # The roots of (13.841458821 p^2 - 9.841458821 p + 0.9), worked out by hand for 3 of 10.
        (3, 10, 0.10779127, 0.60322185),
        (0, 0, 0.0, 1.0),
    ],
)
def test_an_interval_is_wilson_s(positives: int, n: int, low: float, high: float) -> None:
    assert wilson_interval(positives, n) == pytest.approx((low, high), abs=1e-7)


@pytest.mark.parametrize(("positives", "n"), [(1, 29), (3, 10), (80, 83), (700, 1273)])
def test_the_bounds_are_where_the_score_test_turns(positives: int, n: int) -> None:
    for bound in wilson_interval(positives, n):
        z = (positives / n - bound) / (bound * (1 - bound) / n) ** 0.5
        assert abs(z) == pytest.approx(1.959963985)


def test_an_impossible_count_is_not_given_an_interval() -> None:
    with pytest.raises(ValueError, match="positives"):
        wilson_interval(3, 2)


def test_the_interval_is_that_of_scans_that_scored_alike() -> None:
    scores = np.linspace(0, 1, 400, endpoint=False, dtype=np.float32)
    positive = scores >= 0.5
    low = score_interval(0.05, scores, positive)
    high = score_interval(0.95, scores, positive)
    assert low is not None
    assert high is not None
    assert (low.n, low.positives, low.score_low) == (40, 0, 0.0)
    assert (high.n, high.positives, high.score_high) == (40, 40, 1.0)
    assert low.score_low <= 0.05 < low.score_high
    assert (low.low, low.high) == pytest.approx((0, 3.8414588 / 43.8414588))


@pytest.mark.parametrize("n", [1, 39, 40, 79, 80, 200, 292, 1000])
@pytest.mark.parametrize("ties", [False, True])
def test_every_score_finds_a_bin_with_enough_scans(n: int, ties: bool) -> None:
    rng = np.random.default_rng(n)
    scores = rng.beta(1, 3, n).astype(np.float32)
    if ties:
        scores = np.round(scores, 1)
    positive = rng.random(n) < scores
    for probability in (0.0, 0.05, 0.1, 0.3, 0.9999, 1.0):
        found = score_interval(probability, scores, positive)
        assert found is not None
        assert found.n >= min(n, 40)
        assert found.score_low <= probability <= found.score_high
        inside = (scores >= found.score_low) & (
            (scores < found.score_high) | (found.score_high == 1)
        )
        assert found.n == np.count_nonzero(inside)
        assert found.positives == np.count_nonzero(inside & positive)


def test_scores_that_are_all_the_same_are_one_bin() -> None:
    found = score_interval(0.5, np.full(200, 0.5, np.float32), np.arange(200) < 50)
    assert found is not None
    assert (found.n, found.positives) == (200, 50)


def test_a_model_without_validation_scans_claims_no_interval() -> None:
    assert score_interval(0.5, np.zeros(0, np.float32), np.zeros(0, bool)) is None


def test_half_in_a_study_is_a_ninth_where_cancer_is_rare() -> None:
    assert shift_prior(0.5, 0.30, 0.05) == pytest.approx(0.109375)


def test_a_site_like_the_study_changes_nothing_and_a_shift_can_be_undone() -> None:
    for probability in (0.0, 0.01, 0.5, 0.99, 1.0):
        assert shift_prior(probability, 0.3, 0.3) == pytest.approx(probability)
        there = shift_prior(probability, 0.3, 0.05)
        assert shift_prior(there, 0.05, 0.3) == pytest.approx(probability)


@pytest.mark.parametrize(("p", "study", "site"), [(1.1, 0.3, 0.1), (0.5, 0, 0.1), (0.5, 0.3, 1)])
def test_a_prior_that_is_no_share_is_refused(p: float, study: float, site: float) -> None:
    with pytest.raises(ValueError, match="must lie"):
        shift_prior(p, study, site)
