"""What the network sees, and that its maps come back to the right place of the patient's image."""

from __future__ import annotations

import numpy as np
import pytest

from core.model import InputSpec, preprocess

SHAPES = [(900, 300), (300, 900), (256, 256), (12, 20), (2400, 1800), (1000, 40), (193, 191)]


def blob(height: int, width: int, row: float, column: float) -> np.ndarray:
    y, x = np.mgrid[:height, :width]
    reach = max(height, width) / 12
    distance = ((y - row * height) ** 2 + (x - column * width) ** 2) / reach**2
    return (255 * np.exp(-distance)).astype(np.uint8)


def centre(values: np.ndarray) -> tuple[float, float]:
    weights = np.where(values > 0.6 * values.max(), values, 0).astype(np.float64)
    y, x = np.mgrid[: values.shape[0], : values.shape[1]]
    return float((weights * y).sum() / weights.sum()), float((weights * x).sum() / weights.sum())


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("resize", ["letterbox", "stretch"])
@pytest.mark.parametrize("place", [(0.5, 0.5), (0.25, 0.7), (0.8, 0.3)])
def test_a_lesion_comes_back_where_it_was(
    shape: tuple[int, int], resize: str, place: tuple[float, float]
) -> None:
    image = blob(*shape, *place)
    seen, geometry = preprocess(image, InputSpec(192, resize=resize, intensity="unit"))
    back = geometry.to_image(seen[..., 0])
    assert back.shape == shape
    assert back.dtype == np.float32
    # One pixel of the network, or one of the image where that is coarser.
    allowed = max(1.0, max(shape) / 192)
    assert np.allclose(centre(back), centre(image), atol=allowed)


def test_a_coarse_map_lies_over_the_same_image_as_a_fine_one() -> None:
    _, geometry = preprocess(np.zeros((300, 900), np.uint8), InputSpec(192))
    coarse = np.zeros((12, 12), np.float32)
    coarse[6, 9] = 1  # its cell covers rows 96-112 and columns 144-160 of 192
    row, column = centre(geometry.to_image(coarse))
    assert column == pytest.approx(152 / 192 * 900, abs=10)
    assert row == pytest.approx((104 - 64) / 64 * 300, abs=10)


def test_the_padding_is_the_image_s_own_mean_and_never_part_of_it() -> None:
    image = np.random.default_rng(0).integers(40, 200, (60, 120), dtype=np.uint8)
    seen, geometry = preprocess(image, InputSpec(96))
    rows = slice(geometry.top, geometry.top + geometry.content_height)
    content = seen[rows, :, 0]
    assert (geometry.content_height, geometry.content_width) == (48, 96)
    assert content.mean() == pytest.approx(0, abs=1e-5)
    assert content.std() == pytest.approx(1, abs=1e-4)
    assert not seen[: geometry.top].any()
    assert not seen[rows.stop :].any()


def test_another_machine_s_brightness_and_contrast_do_not_change_what_is_seen() -> None:
    image = np.random.default_rng(0).integers(60, 100, (64, 64), dtype=np.uint8)
    first, _ = preprocess(image, InputSpec(32))
    second, _ = preprocess((image * 2 + 10).astype(np.uint8), InputSpec(32))
    assert np.allclose(first, second, atol=1e-4)


def test_a_black_image_is_seen_as_finite_numbers() -> None:
    seen, _ = preprocess(np.zeros((50, 50), np.uint8), InputSpec(32))
    assert np.isfinite(seen).all()


@pytest.mark.parametrize(
    ("intensity", "expected"),
    [
        ("unit", (51 / 255, 102 / 255, 1.0)),
        ("signed", (51 / 127.5 - 1, 102 / 127.5 - 1, 1.0)),
        ("none", (51, 102, 255)),
        ("caffe", (255 - 103.939, 102 - 116.779, 51 - 123.68)),
        ("torch", ((0.2 - 0.485) / 0.229, (0.4 - 0.456) / 0.224, (1 - 0.406) / 0.225)),
    ],
)
def test_colours_arrive_in_the_units_the_network_was_trained_on(
    intensity: str, expected: tuple[float, ...]
) -> None:
    image = np.broadcast_to(np.array([51, 102, 255], np.uint8), (20, 20, 3))
    seen, _ = preprocess(np.ascontiguousarray(image), InputSpec(8, 3, "stretch", intensity))
    assert seen.shape == (8, 8, 3)
    assert seen.dtype == np.float32
    assert np.allclose(seen, expected, atol=1e-4)


def test_a_grey_scan_can_be_read_by_a_colour_network() -> None:
    image = np.full((30, 30), 100, np.uint8)
    seen, _ = preprocess(image, InputSpec(16, 3, "letterbox", "none"))
    assert seen.shape == (16, 16, 3)
    assert np.allclose(seen, 100, atol=1e-3)


def test_a_colour_scan_can_be_read_by_a_grey_network() -> None:
    image = np.zeros((30, 30, 3), np.uint8)
    image[..., 1] = 200
    seen, _ = preprocess(image, InputSpec(16, 1, "letterbox", "none"))
    assert seen.shape == (16, 16, 1)
    assert seen[8, 8, 0] == pytest.approx(0.587 * 200, abs=1)


def test_a_mask_meets_the_image_it_was_drawn_on() -> None:
    mask = np.zeros((300, 500), np.uint8)
    mask[100:150, 200:300] = 255
    image = mask.copy()
    spec = InputSpec(100, intensity="unit")
    seen, geometry = preprocess(image, spec)
    assert np.allclose(geometry.to_input(mask / 255.0), seen[..., 0], atol=1e-4)


def test_shrinking_averages_and_does_not_drop_lines() -> None:
    stripes = np.zeros((800, 100), np.uint8)
    stripes[::2] = 200
    seen, _ = preprocess(stripes, InputSpec(100, resize="stretch", intensity="none"))
    assert np.allclose(seen, 100, atol=0.5)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("resize", ["letterbox", "stretch"])
def test_contributions_add_up_over_the_image_to_what_they_were_over_the_input(
    shape: tuple[int, int], resize: str
) -> None:
    spec = InputSpec(64, resize=resize)
    _, geometry = preprocess(np.zeros(shape, np.uint8), spec)
    values = np.random.default_rng(0).normal(0, 1, (64, 64))
    rows = slice(geometry.top, geometry.top + geometry.content_height)
    content = values[rows, geometry.left : geometry.left + geometry.content_width]
    found = geometry.shared_out(values)
    assert found.shape == shape
    assert found.sum(dtype=np.float64) == pytest.approx(content.sum(), abs=1e-3)
    # Each half of the image gets what its half of the input had.
    half = content.shape[0] // 2 if content.shape[0] % 2 == 0 and shape[0] % 2 == 0 else None
    if half:
        top = found[: shape[0] // 2].sum(dtype=np.float64)
        assert top == pytest.approx(content[:half].sum(), abs=1e-3)
    even = geometry.shared_out(np.ones((64, 64)))
    assert np.allclose(even, content.size / even.size, rtol=1e-5)
