"""The parts of an audit: candidates, alignment, statistics, and listing in spite of faults."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from audit_factory import brightened, clean, compressed, cropped, marked, phantom
from learning_factory import says
from scipy import stats

from core.errors import DatasetError
from core.learning.audit import _candidates
from core.learning.audit._align import SAME, correlation
from core.learning.audit._statistics import chi_square, kolmogorov_smirnov, odds_ratio
from core.learning.audit._thumbs import SIDE, Thumbs
from core.learning.audit._views import VIEWS, describe
from core.learning.forms import read_dataset
from core.learning.groups import joined
from core.learning.rows import Problem
from core.scan import bare_picture

SEEDS = range(24)


@pytest.fixture(scope="module")
def pictures() -> np.ndarray:
    """Phantoms, and behind them their copies, each changed in another way."""
    changes = (cropped, compressed, brightened, marked, lambda grey: grey[:, ::-1].copy())
    greys = [phantom(seed) for seed in SEEDS]
    greys += [changes[i % len(changes)](grey) for i, grey in enumerate(greys)]
    return np.stack([bare_picture(grey, SIDE).pixels for grey in greys])


def on_disk(pictures: np.ndarray) -> Thumbs:
    thumbs = Thumbs()
    for picture in pictures:
        thumbs.append(picture)
    thumbs.flush()
    return thumbs


def pairs(pictures: np.ndarray, splits: np.ndarray) -> set[tuple[int, int]]:
    found = _candidates.find_candidates(on_disk(pictures), np.arange(len(pictures)), splits)
    both = zip(found.first.tolist(), found.second.tolist(), strict=True)
    listed = [tuple(sorted(pair)) for pair in both]
    assert len(set(listed)) == len(listed)
    return {(a, b) for a, b in listed}


def test_every_copy_is_a_candidate_and_only_copies_are_the_same(pictures: np.ndarray) -> None:
    n = len(SEEDS)
    splits = (np.arange(2 * n) >= n).astype(np.int64)
    assert {(i, i + n) for i in range(n)} <= pairs(pictures, splits)
    found = _candidates.find_candidates(on_disk(pictures), np.arange(2 * n), splits)
    for a, b, view in zip(found.first, found.second, found.view, strict=True):
        value = correlation(pictures[a], pictures[b], VIEWS[view])
        assert (value >= SAME) is (abs(int(a) - int(b)) == n), (a, b, value)


def test_the_answer_does_not_hang_on_the_size_of_the_blocks(
    pictures: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Without the mirrored copies: what is like one of those is as like the original.
    pictures = pictures[: len(SEEDS)]
    splits = np.arange(len(pictures)) % 3
    whole = pairs(pictures, splits)
    monkeypatch.setattr(_candidates, "_ROWS", 7)
    monkeypatch.setattr(_candidates, "_COLUMNS", 11)
    assert pairs(pictures, splits) == whole


def test_a_cluster_in_one_split_does_not_crowd_out_its_copy_in_another() -> None:
    grey = phantom(1)
    frames = [compressed(grey, 30 + quality) for quality in range(30)]
    rest = [phantom(seed) for seed in range(2, 12)]
    made = np.stack([bare_picture(each, SIDE).pixels for each in [*frames, *rest, grey]])
    splits = (np.arange(len(made)) == len(made) - 1).astype(np.int64)
    found = pairs(made, splits)
    assert any(b == len(made) - 1 and a < len(frames) for a, b in found)
    assert len([pair for pair in found if len(made) - 1 not in pair]) > 0


def test_pictures_without_detail_have_no_descriptor_and_are_never_the_same() -> None:
    flat = np.full((2, SIDE, SIDE), 90, np.uint8)
    assert not describe(flat).any()
    assert describe(flat[:0]).shape == (0, describe(flat).shape[1])
    assert correlation(flat[0], flat[1]) == 0.0
    assert correlation(bare_picture(phantom(1), SIDE).pixels, flat[1]) == 0.0


def test_letters_and_frames_change_little_of_the_bare_picture() -> None:
    grey = phantom(6)
    bare = bare_picture(grey, SIDE)
    written = bare_picture(marked(grey), SIDE)
    framed = bare_picture(np.pad(grey, ((10, 30), (20, 8))), SIDE)
    assert (bare.written, written.written) == (False, True)
    assert written.lettering > bare.lettering
    difference = np.abs(written.pixels.astype(int) - bare.pixels)
    assert np.percentile(difference, 90) <= 12
    assert np.array_equal(framed.pixels, bare.pixels)


def test_statistics_agree_with_scipy() -> None:
    table = [[30, 70], [55, 45]]
    value, p, v = chi_square(table)
    known = stats.chi2_contingency(table, correction=False)
    assert (value, p) == pytest.approx((known.statistic, known.pvalue))
    assert v == pytest.approx(np.sqrt(known.statistic / 200))
    assert chi_square([[5, 0], [7, 0]]) == (0.0, 1.0, 0.0)
    rng = np.random.default_rng(3)
    one = rng.normal(0, 1, 300).astype(np.float32)
    two = rng.normal(0.3, 1, 200).astype(np.float32)
    distance, p = kolmogorov_smirnov(one, two)
    expected = stats.ks_2samp(one, two, method="asymp")
    assert distance == pytest.approx(expected.statistic)
    assert p == pytest.approx(expected.pvalue, rel=0.25)
    assert kolmogorov_smirnov(one, two[:0]) == (0.0, 1.0)


def test_an_odds_ratio_has_an_interval_even_with_an_empty_cell() -> None:
    odds = odds_ratio(20, 10, 5, 25)
    log = np.log(20.5 * 25.5 / (10.5 * 5.5))
    wide = stats.norm.ppf(0.975) * np.sqrt(1 / 20.5 + 1 / 10.5 + 1 / 5.5 + 1 / 25.5)
    assert odds.value == pytest.approx(np.exp(log))
    assert (odds.low, odds.high) == pytest.approx((np.exp(log - wide), np.exp(log + wide)))
    assert odds.at_least == odds.low
    empty = odds_ratio(0, 20, 20, 0)
    assert empty.low < empty.value < empty.high < 1
    assert empty.at_least == pytest.approx(1 / empty.high)
    assert odds_ratio(5, 5, 5, 5).at_least == 1.0


def test_what_hangs_together_does_not_hang_on_the_order() -> None:
    lists = [["b", "c"], ["d"], [], ["c", "a"], ["e", "d"]]
    assert joined(lists) == ["a", "d", None, "a", "d"]
    assert joined(lists[::-1]) == ["d", "a", None, "d", "a"]
    assert set(joined([[i, i + 1] for i in range(5000)])) == {0}


def test_single_bad_entries_are_collected_only_where_somebody_asks(tmp_path: Path) -> None:
    builder = clean(tmp_path / "ward")
    gone = builder.add(phantom(1), "benign", "train", case="x")
    outside = builder.add(phantom(2), "benign", "train", case="y")
    folder = builder.write()
    (folder / "images/benign" / builder.rows[gone - 2]["file"]).unlink()
    builder.rows[outside - 2]["file"] = "../../escape.png"
    builder.write()
    problems: list[Problem] = []
    rows = read_dataset(folder, problems=problems)
    assert [problem.entry for problem in problems] == [gone, outside]
    assert len(rows) == 12
    with pytest.raises(DatasetError) as error:
        read_dataset(folder)
    says(error, str(gone))
