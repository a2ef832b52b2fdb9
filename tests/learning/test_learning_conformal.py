"""Not sure: what is promised holds for the ill alone, and for the well alone."""

from __future__ import annotations

import numpy as np
import pytest

from core.errors import LearningError
from core.learning.conformal import fit_abstention, measured_abstention


def scans(rng: np.random.Generator, n: int, share: float) -> tuple[np.ndarray, np.ndarray]:
    positive = rng.random(n) < share
    scores = 1 / (1 + np.exp(-rng.normal(np.where(positive, 1.2, -1.2), 1.5)))
    return scores, positive


def test_by_hand_the_corrected_quantile_is_taken() -> None:
    # 9 of each: ceil(10 * 0.8) = the 8th of nine, counted from the sure end.
    sick, well = np.arange(1, 10) / 10, np.arange(1, 10) / 20
    found = fit_abstention(np.concatenate([sick, well]), np.repeat([True, False], 9), 0.8)
    assert found.low == pytest.approx(0.2)
    assert found.high == pytest.approx(0.4)
    assert (found.coverage, found.n) == (0.8, 18)


def test_a_last_bit_does_not_move_the_rank() -> None:
    # (9 + 1) * 0.9 is 9 and must not become 10.
    found = fit_abstention(np.concatenate([np.arange(1, 10) / 10] * 2), np.repeat([True, False], 9))
    assert found.low == pytest.approx(0.1)
    assert found.high == pytest.approx(0.9)


@pytest.mark.parametrize("share", [0.1, 0.5])
def test_each_side_is_covered_as_promised_however_rare_it_is(share: float) -> None:
    rng = np.random.default_rng(11)
    covered = {True: [], False: []}
    for _round in range(60):
        promise = fit_abstention(*scans(rng, 400, share), 0.9)
        p, positive = scans(rng, 400, share)
        covered[True].append((p[positive] >= promise.low).mean())
        covered[False].append((p[~positive] <= promise.high).mean())
    for rates in covered.values():
        spread = np.std(rates) / np.sqrt(len(rates))
        assert np.mean(rates) >= 0.9 - 3 * spread
        assert np.mean(rates) <= 0.94


def test_too_few_of_a_side_leave_it_possible_everywhere() -> None:
    found = fit_abstention(np.array([0.9, 0.2, 0.1]), np.array([True, False, False]), 0.9)
    assert (found.low, found.high) == (0.0, 1.0)
    assert not found.sure(0.99, flagged=True)
    only = fit_abstention(np.linspace(0, 1, 50), np.zeros(50, bool), 0.9)
    assert only.low == 0.0


def test_what_it_does_on_other_scans_has_intervals_and_counts() -> None:
    rng = np.random.default_rng(2)
    promise = fit_abstention(*scans(rng, 500, 0.4), 0.9)
    p, positive = scans(rng, 300, 0.4)
    told = measured_abstention(promise, p, positive, threshold=0.5).measured
    assert set(told) == {
        "coverage", "coverage_positive", "coverage_others", "unsure", "right_when_sure",
    }  # fmt: skip
    for figure in told.values():
        assert figure["low"] <= figure["value"] <= figure["high"]
    assert told["coverage_positive"]["n"] == int(positive.sum())
    sure = np.array([promise.sure(x, flagged=x >= 0.5) for x in p])
    assert told["unsure"]["value"] == pytest.approx(1 - sure.mean())
    right = ((p >= 0.5) == positive)[sure]
    assert told["right_when_sure"]["value"] == pytest.approx(right.mean())
    assert right.mean() > ((p >= 0.5) == positive).mean(), "what it keeps silent on is harder"


def test_what_there_are_no_scans_for_is_left_out() -> None:
    promise = fit_abstention(np.array([0.9, 0.2]), np.array([True, False]))
    told = measured_abstention(promise, np.array([0.3]), np.array([False]), 0.5).measured
    assert "coverage_positive" not in told
    assert "right_when_sure" not in told


@pytest.mark.parametrize(
    ("probability", "positive", "coverage"),
    [
        ([], [], 0.9),
        ([0.1, 1.2], [True, False], 0.9),
        ([0.1, np.nan], [True, False], 0.9),
        ([0.1, 0.2], [True, False], 1.0),
        ([0.1, 0.2], [True], 0.9),
    ],
)
def test_what_nothing_can_be_promised_from_is_refused(probability, positive, coverage) -> None:
    with pytest.raises(LearningError):
        fit_abstention(np.array(probability), np.array(positive, bool), coverage)
