"""Outlines, their chords and their holes against plain definitions."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
from lesion_shapes import SHAPES, blot, disc, measured, rectangle, star
from scipy import ndimage
from scipy.spatial.distance import cdist

from core.lesion import LesionControls, find_lesions, lesion_from_mask
from core.lesion._outline import _edges, half_pixel_outline
from core.lesion._shape import MAX_HOLES


def reference_outline(mask: np.ndarray) -> np.ndarray:
    """Every middle between an inside pixel and an outside 4-neighbour, (x, y)."""
    padded = np.pad(np.asarray(mask, bool), 1)
    points = []
    for axis, offset in ((0, (0, 0.5)), (1, (0.5, 0))):
        change = np.argwhere(np.diff(padded.astype(int), axis=axis) != 0)[:, ::-1] - 1
        points.append(change + np.array(offset))
    return np.concatenate(points)


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("spacing", [None, (0.2, 0.05), (0.07, 0.3)])
def test_the_longest_chord_is_the_longest_of_all_pairs(name, spacing):
    mask = SHAPES[name]
    m = measured(mask, spacing)
    scale = np.array((1, 1) if spacing is None else spacing[::-1])
    points = reference_outline(mask)
    assert m.longest_chord == pytest.approx(cdist(points * scale, points * scale).max())
    for end in m.longest_chord_ends:
        assert (np.abs(points - end).sum(axis=1) < 1e-9).any()
    (x0, y0), (x1, y1) = np.array(m.longest_chord_ends) * scale
    assert math.hypot(x1 - x0, y1 - y0) == pytest.approx(m.longest_chord)
    angle = math.degrees(math.atan2(y0 - y1, x1 - x0))
    assert abs((m.orientation - angle + 90) % 180 - 90) < 1e-6
    assert -90 < m.orientation <= 90


def plain_perpendicular(mask, axis, scale) -> float:
    """Follow every edge of the outline for every line: slow and plain."""
    chain = lesion_from_mask(mask.astype(np.uint8), np.zeros(mask.shape, np.uint8)).contour
    outline = half_pixel_outline(chain) * scale
    run = (np.array(axis[1]) - axis[0]) * scale
    along = run / np.hypot(*run)
    u = outline @ along
    v = outline @ np.array((-along[1], along[0]))
    best = 0.0
    for line in u:
        crossings = []
        for i in np.flatnonzero(
            (np.minimum(u, np.roll(u, -1)) <= line + 1e-9)
            & (np.maximum(u, np.roll(u, -1)) >= line - 1e-9)
        ):
            j = (i + 1) % len(u)
            t = 0 if abs(u[j] - u[i]) < 1e-12 else (line - u[i]) / (u[j] - u[i])
            crossings.append(v[i] + min(1, max(0, t)) * (v[j] - v[i]))
        best = max(best, max(crossings) - min(crossings))
    return best


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("spacing", [None, (0.2, 0.05)])
def test_the_second_chord_is_at_a_right_angle_on_the_outline_and_the_longest(name, spacing):
    mask = SHAPES[name]
    m = measured(mask, spacing)
    scale = np.array((1, 1) if spacing is None else spacing[::-1])
    first, second = (
        np.array(e) * scale for e in (m.longest_chord_ends, m.perpendicular_chord_ends)
    )
    a, b = first[1] - first[0], second[1] - second[0]
    cosine = abs(a @ b) / np.linalg.norm(a) / np.linalg.norm(b)
    assert math.degrees(math.acos(cosine)) == pytest.approx(90, abs=1e-3)
    assert np.linalg.norm(b) == pytest.approx(m.perpendicular_chord)
    plain = plain_perpendicular(mask, m.longest_chord_ends, scale)
    assert m.perpendicular_chord == pytest.approx(plain)
    chain = lesion_from_mask(mask.astype(np.uint8), np.zeros(mask.shape, np.uint8)).contour
    ring = half_pixel_outline(chain)
    for end in m.perpendicular_chord_ends:
        distance = cv2.pointPolygonTest(
            (ring * 2).astype(np.float32).reshape(-1, 1, 2), (end[0] * 2, end[1] * 2), True
        )
        assert abs(distance) < 1e-3


def test_the_half_pixel_outline_passes_every_margin_of_a_blot_once():
    for seed in range(5):
        mask = ndimage.binary_fill_holes(blot(seed))
        chain = lesion_from_mask(mask.astype(np.uint8), np.zeros(mask.shape, np.uint8)).contour
        outline = half_pixel_outline(chain)
        expected = reference_outline(mask)
        assert sorted(map(tuple, outline)) == sorted(map(tuple, expected))
        steps = np.roll(outline, -1, axis=0) - outline
        assert set(np.round(np.hypot(*steps.T), 6)) <= {1.0, round(math.sqrt(0.5), 6)}


def test_edges_of_part_of_an_outline_are_edges_of_the_outline():
    chain = lesion_from_mask(star().astype(np.uint8), np.zeros(star().shape, np.uint8)).contour
    whole = half_pixel_outline(chain)
    real = {(*a, *b) for a, b in zip(whole, np.roll(whole, -1, axis=0), strict=True)}
    wanted = np.sin(np.arange(len(chain)) / 9) > 0.2
    starts, ends = _edges(chain, wanted)
    assert 0 < len(starts) < len(whole)
    assert {(*a, *b) for a, b in zip(starts, ends, strict=True)} <= real


def test_a_long_ragged_outline_has_the_chord_it_has_when_followed_whole(monkeypatch):
    rng = np.random.default_rng(5)
    values = ndimage.gaussian_filter(rng.standard_normal((400, 400)), 1.2)
    labels, _ = ndimage.label(values > -0.02, structure=np.ones((3, 3)))
    mask = labels == np.bincount(labels[labels > 0]).argmax()
    lesion = lesion_from_mask(mask.astype(np.uint8), np.zeros(mask.shape, np.uint8))
    assert len(lesion.contour) > 3000
    for shape in (mask, np.rot90(mask), star(9, 300, 120), rectangle(900, 300, 17)):
        sliced = [measured(shape, s) for s in (None, (0.3, 0.1))]
        with monkeypatch.context() as whole:
            whole.setattr("core.lesion._outline._SHORT", 10**12)
            whole.setattr("core.lesion._outline._LONG", 10**9)
            plain = [measured(shape, s) for s in (None, (0.3, 0.1))]
        monkeypatch.setattr("core.lesion._outline._SHORT", 0)
        sliced += [measured(shape, s) for s in (None, (0.3, 0.1))]
        plain += plain
        for left, right in zip(sliced, plain, strict=True):
            assert left.perpendicular_chord == pytest.approx(right.perpendicular_chord, rel=1e-12)
            assert left.longest_chord == right.longest_chord
            assert left.solidity == right.solidity


def test_a_ring_counts_its_hole_out_of_the_area_and_not_into_the_outline():
    hole = disc(15, (40, 40), 81)
    ring = disc(30, (40, 40), 81) & ~hole
    lesion = lesion_from_mask(ring.astype(np.uint8), np.zeros(ring.shape, np.uint8))
    whole = measured(disc(30, (40, 40), 81))
    m = lesion.measurements
    assert m.area_pixels == ring.sum()
    assert m.perimeter == whole.perimeter
    assert m.solidity == pytest.approx(whole.solidity * ring.sum() / whole.area_pixels, rel=0.01)
    assert m.circularity == pytest.approx(whole.circularity * 0.75, rel=0.02)
    assert len(lesion.holes) == 1
    drawn = np.zeros(ring.shape, np.uint8)
    cv2.fillPoly(drawn, [lesion.holes[0].copy()], 1)
    assert (drawn[hole] == 1).all()


def test_a_lesion_inside_anothers_hole_is_outlined_and_measured_too():
    side = 120
    ring = disc(50, (60, 60), side) & ~disc(30, (60, 60), side)
    core = disc(12, (60, 60), side)
    values = (ring | core).astype(np.float32)
    result = find_lesions(
        values, np.zeros((side, side), np.uint8), LesionControls(fill_holes=False)
    )
    assert [n.measurements.area_pixels for n in result.lesions] == [ring.sum(), core.sum()]
    assert [len(n.holes) for n in result.lesions] == [1, 0]
    assert result.lesions[1].measurements.longest_chord == pytest.approx(24, abs=1.5)


def test_holes_beyond_the_limit_are_counted_and_still_left_out_of_the_area():
    values = np.ones((90, 90), np.float32)
    values[1:-1:3, 1:-1:3] = 0
    values[40:44, 40:44] = 0
    values[41:43, 41:43] = 1  # a lesion within the largest hole
    result = find_lesions(values, np.zeros((90, 90), np.uint8), LesionControls(fill_holes=False))
    _labels, count = ndimage.label(values == 0)
    assert len(result.lesions[0].holes) == MAX_HOLES
    assert result.holes_omitted == count - MAX_HOLES
    assert sum(n.measurements.area_pixels for n in result.lesions) == (values > 0).sum()


def test_a_lesion_in_a_hole_too_small_to_keep_is_not_lost():
    values = np.zeros((80, 400), np.float32)
    values[10:70, 10:390] = 1
    for left in range(12, 380, 6):
        values[12:68, left : left + 4] = 0  # large holes, more than are kept
    values[20:25, 372:377] = 1
    values[12:68, 380:389] = 1
    values[30:35, 381:386] = 0
    values[32, 383] = 1  # one pixel, in a hole of its own
    result = find_lesions(
        values, np.zeros(values.shape, np.uint8), LesionControls(fill_holes=False, keep_largest=20)
    )
    assert result.holes_omitted > 0
    for lesion in result.lesions:
        x, y = lesion.contour[0]
        assert values[y, x] == 1
    assert result.lesions[-1].measurements.area_pixels == 1
    np.testing.assert_array_equal(result.lesions[-1].contour, [[383, 32]])


def test_the_contour_is_every_boundary_pixel_and_nothing_can_be_changed():
    mask = blot(3)
    result = find_lesions(
        mask.astype(np.float32), np.zeros(mask.shape, np.uint8), LesionControls(fill_holes=True)
    )
    lesion = result.lesions[0]
    assert lesion.contour.dtype == np.int32
    filled = ndimage.binary_fill_holes(mask)
    edge = filled & ~ndimage.binary_erosion(filled, border_value=0)
    assert {(x, y) for x, y in lesion.contour.tolist()} == {
        (int(x), int(y)) for y, x in np.argwhere(edge)
    }
    for array in (lesion.contour, result.mask):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0
