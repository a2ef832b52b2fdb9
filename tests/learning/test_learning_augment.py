"""Augmentation: the mask moves with the picture, and skin stays on top."""

from __future__ import annotations

import numpy as np
import pytest

from core.learning.augment import _affine, augment, augment_closer, unchanged
from core.learning.batches import network_input
from core.model import InputSpec, preprocess

SIZE = 96
INSIDE = np.array([0, 12, SIZE, SIZE - 12], np.int32)


def _picture(column: int = 34, row: int = 42) -> tuple[np.ndarray, np.ndarray]:
    image = np.zeros((SIZE, SIZE), np.uint8)
    image[INSIDE[1] : INSIDE[3]] = 40
    mask = np.zeros_like(image)
    mask[row : row + 20, column : column + 26] = 255
    image[mask > 0] = 230
    return image, mask


def test_the_same_seed_gives_the_same_pictures() -> None:
    pairs = [augment(*_picture(), INSIDE, np.random.default_rng(5)) for _ in range(2)]
    np.testing.assert_array_equal(pairs[0][0], pairs[1][0])
    np.testing.assert_array_equal(pairs[0][1], pairs[1][1])
    other, _mask, _within = augment(*_picture(), INSIDE, np.random.default_rng(6))
    assert not np.array_equal(pairs[0][0], other)


def test_a_picture_is_not_changed_in_place() -> None:
    image, mask = _picture()
    kept = image.copy(), mask.copy()
    augment(image, mask, INSIDE, np.random.default_rng(0))
    np.testing.assert_array_equal(image, kept[0])
    np.testing.assert_array_equal(mask, kept[1])


def test_the_outline_stays_on_the_lesion(monkeypatch: pytest.MonkeyPatch) -> None:
    # Without the change of appearance the bright square is the lesion, to the pixel.
    monkeypatch.setattr("core.learning.augment._appearance", lambda picture, _rng: picture)
    for seed in range(60):
        image, mask, _within = augment(*_picture(), INSIDE, np.random.default_rng(seed))
        bright = image > (image.max() + np.median(image)) / 2
        lesion = mask > 0.5
        dice = 2 * (bright & lesion).sum() / (bright.sum() + lesion.sum())
        assert dice >= 0.9, seed


def test_a_closer_picture_shows_the_lesion_larger_whole_and_under_its_outline(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("core.learning.augment._appearance", lambda picture, _rng: picture)
    seen, mirrored, touching = [], 0, 0
    for seed in range(60):
        kept = _picture()
        # Brighter to the right: a mirror image tells itself.
        kept[0][42:62, 52:60] = 250
        image, mask, within = augment_closer(*kept, INSIDE, np.random.default_rng(seed))
        assert image.shape == mask.shape == within.shape == (SIZE // 2, SIZE // 2)
        bright = image > (230 + 40) / 2
        lesion = mask > 0.5
        dice = 2 * (bright & lesion).sum() / (bright.sum() + lesion.sum())
        assert dice >= 0.9, seed
        rim = (lesion[0], lesion[-1], lesion[:, 0], lesion[:, -1])
        touching += any(line.any() for line in rim)
        seen.append(float(lesion.mean()))
        columns = np.flatnonzero((image > 242).any(axis=0))
        mirrored += columns.mean() < np.flatnonzero(lesion.any(axis=0)).mean()
    # A wide square is three tenths of the picture at least to each side, a tight one two.
    assert np.median(seen) > 1.8 * (20 * 26) / SIZE**2
    wide, tight = np.percentile(seen, (25, 75))
    assert tight > 1.5 * wide
    # Beside the lesion as an outline that was found is, and seldom so far that its rim is lost.
    assert touching < 10, touching
    assert 15 < mirrored < 45


def test_a_picture_without_a_lesion_is_shown_closer_too_and_nothing_is_outlined() -> None:
    image, _mask = _picture()
    blank = np.zeros_like(image)
    for seed in range(20):
        shown, mask, within = augment_closer(image, blank, INSIDE, np.random.default_rng(seed))
        assert not mask.any()
        assert within.any()
        assert np.isfinite(shown).all()


def test_appearance_does_not_move_anything() -> None:
    overlaps = []
    for seed in range(60):
        image, mask, within = augment(*_picture(), INSIDE, np.random.default_rng(seed))
        inside, outside = image[mask > 0.9], image[(mask < 0.1) & within]
        overlaps.append(float((inside > np.median(outside)).mean()))
    assert np.median(overlaps) > 0.97
    assert min(overlaps) > 0.5


def test_skin_stays_on_top() -> None:
    flips = 0
    for seed in range(2000):
        matrix = _affine(SIZE, np.random.default_rng(seed))
        # A step down in the picture is a step down after it, and mostly that.
        assert matrix[1, 1] > 0
        assert matrix[1, 1] > 1.2 * abs(matrix[0, 1])
        middle = matrix @ np.array([SIZE / 2, SIZE / 2, 1])
        assert np.abs(middle - SIZE / 2).max() < 0.3 * SIZE
        flips += matrix[0, 0] < 0
    assert 900 < flips < 1100


@pytest.mark.parametrize("level", [0, 7, 255])
def test_even_a_blank_picture_stays_finite(level: int) -> None:
    blank = np.full((SIZE, SIZE), level, np.uint8)
    for seed in range(40):
        image, mask, _within = augment(
            blank, np.zeros_like(blank), INSIDE, np.random.default_rng(seed)
        )
        assert image.dtype == mask.dtype == np.float32
        assert np.isfinite(image).all()
        assert not mask.any()


def test_masks_stay_shares_and_pictures_in_range() -> None:
    for seed in range(40):
        image, mask, within = augment(*_picture(), INSIDE, np.random.default_rng(seed))
        assert 0 <= mask.min() <= mask.max() <= 1
        assert 0 <= image.min() <= image.max() <= 255
        assert within.any()


SPECS = [
    InputSpec(SIZE),
    InputSpec(SIZE, 3, intensity="unit"),
    InputSpec(SIZE, 3, intensity="signed"),
    InputSpec(SIZE, 3, intensity="caffe"),
    InputSpec(SIZE, 3, intensity="torch", pad=1.5),
]


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.intensity)
def test_a_network_is_trained_on_what_it_will_read(spec: InputSpec) -> None:
    rng = np.random.default_rng(3)
    image = np.zeros((SIZE, SIZE), np.uint8)
    content = rng.integers(0, 256, (INSIDE[3] - INSIDE[1], SIZE), np.uint8)
    image[INSIDE[1] : INSIDE[3]] = content
    picture, _mask, within = unchanged(image, np.zeros_like(image), INSIDE)
    wanted, _geometry = preprocess(content, spec)
    np.testing.assert_allclose(network_input(picture, within, spec), wanted, atol=1e-4)


def test_what_lies_around_the_picture_is_left_out() -> None:
    image = np.full((4, 4), 200.0, np.float32)
    valid = np.zeros((4, 4), np.bool_)
    valid[1:3] = True
    image[1], image[2] = 10, 14
    found = network_input(image, valid, InputSpec(8))[..., 0]
    np.testing.assert_allclose(found[1:3], [[-1] * 4, [1] * 4], atol=1e-6)
    assert not found[[0, 3]].any()
    assert not network_input(image, np.zeros_like(valid), InputSpec(8)).any()
