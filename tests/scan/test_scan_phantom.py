"""Phantoms: the truth about them is exact, and their speckle is speckle."""

from __future__ import annotations

import json
from dataclasses import replace

import cv2
import numpy as np
import pytest

from core.scan import LesionSpec, PhantomSpec, make_phantom
from core.scan._speckle import envelope

SPEC = PhantomSpec(width=320, height=256, depth_mm=36.0)
SHAPES = ["ellipse", "oval", "lobulated", "irregular", "spiculated"]


def with_lesion(**values: object) -> PhantomSpec:
    return replace(SPEC, lesion=LesionSpec(**values))  # type: ignore[arg-type]


def test_the_same_seed_gives_the_same_phantom() -> None:
    spec = with_lesion(shape="irregular")
    one, two, other = make_phantom(spec, 7), make_phantom(spec, 7), make_phantom(spec, 8)
    assert one.scan.digest == two.scan.digest != other.scan.digest
    np.testing.assert_array_equal(one.mask, two.mask)
    assert one.spec == spec
    assert one.seed == 7


def test_a_phantom_says_that_it_is_one() -> None:
    phantom = make_phantom(SPEC, 1)
    assert phantom.scan.synthetic
    assert phantom.scan.modality == "US"
    assert phantom.scan.spacing == (36.0 / 256, 36.0 / 256)
    assert phantom.scan.pixels.shape == phantom.mask.shape == (256, 320)
    assert phantom.mask.dtype == np.uint8
    assert not phantom.mask.any()


def test_the_speckle_of_an_even_region_is_fully_developed() -> None:
    even = np.ones((400, 400), np.float32)
    signal = envelope(even, 0.08, np.random.default_rng(1))
    ratios = [part.mean() / part.std() for part in np.array_split(signal[8:-8, 8:-8], 3)]
    # Burckhardt 1978, Wagner et al. 1983: 1.91 at any depth, so for any width of the beam.
    assert np.allclose(ratios, np.sqrt(np.pi / (4 - np.pi)), rtol=0.05)
    assert np.mean(signal**2) == pytest.approx(1.0, rel=0.05)


def test_compounding_calms_speckle_by_the_root_of_the_looks() -> None:
    even = np.ones((300, 300), np.float32)
    one = envelope(even, 0.08, np.random.default_rng(2), looks=1)
    four = envelope(even, 0.08, np.random.default_rng(2), looks=4)
    assert (four.mean() / four.std()) / (one.mean() / one.std()) == pytest.approx(2.0, rel=0.06)


def test_speckle_is_wider_than_deep_and_widens_with_depth() -> None:
    signal = envelope(np.ones((600, 400), np.float32), 0.08, np.random.default_rng(3))
    signal -= signal.mean()

    def alike(part: np.ndarray, rows: int, columns: int) -> float:
        a = part[: part.shape[0] - rows, : part.shape[1] - columns]
        b = part[rows:, columns:]
        return float((a * b).mean() / (part**2).mean())

    shallow, deep = signal[:150], signal[-150:]
    assert alike(shallow, 0, 3) > alike(shallow, 3, 0) + 0.05
    assert alike(deep, 0, 4) > alike(shallow, 0, 4) + 0.1


def test_an_even_phantom_is_even_after_compression_too() -> None:
    spec = PhantomSpec(width=256, height=256, depth_mm=20.0, homogeneous=True, looks=1)
    pixels = make_phantom(spec, 4).scan.pixels.astype(float)
    thirds = [part.mean() for part in np.array_split(pixels, 3)]
    assert max(thirds) - min(thirds) < 5
    # Log-compressed fully developed speckle spreads by 5.57 dB (Wagner et al. 1983).
    assert pixels.std() * spec.dynamic_range_db / 255 == pytest.approx(5.57, rel=0.06)


def test_the_mask_of_an_ellipse_is_the_ellipse() -> None:
    for angle in (0.0, 30.0, 90.0):
        phantom = make_phantom(
            with_lesion(centre=(0.45, 0.5), width_mm=14.0, height_mm=8.0, angle=angle), 5
        )
        rows, columns = np.indices(phantom.mask.shape) + 0.5
        step = SPEC.spacing_mm
        right, down = columns * step - 0.45 * 320 * step, rows * step - 0.5 * 36.0
        turn = np.radians(angle)
        along = right * np.cos(turn) + down * np.sin(turn)
        beside = down * np.cos(turn) - right * np.sin(turn)
        inside = (along / 7) ** 2 + (beside / 4) ** 2 <= 1
        assert np.count_nonzero((phantom.mask > 0) != inside) <= 4  # float32 on the very edge
        area = np.count_nonzero(phantom.mask) * step**2
        assert area == pytest.approx(np.pi * 7 * 4, rel=0.01)


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_is_one_piece_without_holes(shape: str) -> None:
    for seed in range(4):
        mask = make_phantom(with_lesion(shape=shape, width_mm=14.0, height_mm=11.0), seed).mask
        assert set(np.unique(mask)) == {0, 255}
        contours, hierarchy = cv2.findContours(mask, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
        largest = max(cv2.contourArea(contour) for contour in contours)
        assert largest > 0.9 * sum(cv2.contourArea(contour) for contour in contours)
        assert all(parent[3] < 0 for parent in hierarchy[0])


def test_a_malignant_shape_is_less_solid_than_a_benign_one() -> None:
    def solidity(shape: str) -> float:
        values = []
        for seed in range(4):
            mask = make_phantom(with_lesion(shape=shape, width_mm=14.0, height_mm=12.0), seed).mask
            points = np.argwhere(mask)[:, ::-1].astype(np.int32)
            values.append(np.count_nonzero(mask) / cv2.contourArea(cv2.convexHull(points)))
        return float(np.mean(values))

    assert solidity("oval") > solidity("irregular") + 0.05
    assert solidity("oval") > solidity("spiculated") + 0.1


def test_the_anatomy_of_a_seed_does_not_depend_on_the_lesion() -> None:
    normal = make_phantom(SPEC, 6)
    lesion = make_phantom(with_lesion(centre=(0.3, 0.4), width_mm=6.0, height_mm=5.0), 6)
    far = slice(220, 320)
    np.testing.assert_array_equal(normal.scan.pixels[:, far], lesion.scan.pixels[:, far])


def level(pixels: np.ndarray, where: np.ndarray) -> float:
    return float(pixels[where].mean())


@pytest.mark.parametrize(("echo_db", "low", "high"), [(-30, 0, 12), (-8, 15, 75), (12, 80, 255)])
def test_echogenicity_shows(echo_db: float, low: float, high: float) -> None:
    phantom = make_phantom(with_lesion(echo_db=echo_db, width_mm=14.0, height_mm=10.0), 7)
    core = cv2.erode(phantom.mask, np.ones((9, 9), np.uint8)) > 0
    assert low <= level(phantom.scan.pixels, core) <= high


@pytest.mark.parametrize(("posterior_db", "sign"), [(-18.0, -1), (9.0, 1)])
def test_behind_a_lesion_is_shadow_or_enhancement(posterior_db: float, sign: int) -> None:
    spec = with_lesion(centre=(0.5, 0.35), width_mm=14.0, height_mm=9.0, posterior_db=posterior_db)
    phantom = make_phantom(spec, 8)
    columns = np.flatnonzero(phantom.mask.any(axis=0))
    below = np.flatnonzero(phantom.mask.any(axis=1)).max() + 10
    middle = slice(int(np.percentile(columns, 35)), int(np.percentile(columns, 65)))
    rows = slice(below, below + 35)
    pixels = phantom.scan.pixels.astype(float)
    without = make_phantom(SPEC, 8).scan.pixels.astype(float)
    change = pixels[rows, middle].mean() - without[rows, middle].mean()
    assert sign * change > 20
    beside = np.r_[pixels[rows, 10:50].ravel(), pixels[rows, -50:-10].ravel()]
    assert sign * (pixels[rows, middle].mean() - beside.mean()) > 10


def test_an_indistinct_margin_is_wider_than_a_sharp_one() -> None:
    def contrast(margin: float) -> float:
        spec = with_lesion(width_mm=14.0, height_mm=10.0, echo_db=-20.0, margin_mm=margin)
        totals = []
        for seed in range(3):
            phantom = make_phantom(spec, seed)
            inner = cv2.erode(phantom.mask, np.ones((5, 5), np.uint8))
            outer = cv2.dilate(phantom.mask, np.ones((5, 5), np.uint8))
            pixels = phantom.scan.pixels
            rim_in = level(pixels, (phantom.mask > 0) & (inner == 0))
            rim_out = level(pixels, (outer > 0) & (phantom.mask == 0))
            totals.append(rim_out - rim_in)
        return float(np.mean(totals))

    assert contrast(0.1) > contrast(1.5) + 10


def test_a_phantom_uses_the_grey_scale_like_a_scan() -> None:
    pixels = make_phantom(SPEC, 9).scan.pixels
    assert 50 < pixels.mean() < 130
    assert np.mean(pixels == 255) < 0.01
    assert pixels[:4].mean() > 60  # the probe's near field is not black


def test_a_spec_survives_json() -> None:
    for spec in (SPEC, with_lesion(shape="spiculated", centre=(0.3, 0.6))):
        assert PhantomSpec.from_dict(json.loads(json.dumps(spec.to_dict()))) == spec


@pytest.mark.parametrize(
    "spec",
    [
        PhantomSpec(width=31),
        PhantomSpec(depth_mm=0.0),
        PhantomSpec(looks=0),
        PhantomSpec(lesion=LesionSpec(width_mm=0.0)),
        PhantomSpec(lesion=LesionSpec(shape="square")),  # type: ignore[arg-type]
    ],
)
def test_a_phantom_that_cannot_be_is_refused(spec: PhantomSpec) -> None:
    with pytest.raises(ValueError, match=r"phantom|lesion"):
        make_phantom(spec, 0)


@pytest.mark.parametrize(("width", "height"), [(32, 32), (700, 33), (33, 500)])
def test_odd_sizes_work(width: int, height: int) -> None:
    spec = PhantomSpec(width=width, height=height, lesion=LesionSpec(centre=(0.0, 1.0)))
    assert make_phantom(spec, 1).scan.pixels.shape == (height, width)
