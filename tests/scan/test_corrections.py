"""A corrected scan keeps its pixels, its millimetres and what was done to it."""

from __future__ import annotations

import json

import numpy as np
import pytest

from core.errors import InvalidCorrection
from core.scan import (
    Correction,
    Depth,
    Loop,
    Note,
    PhantomSpec,
    Region,
    Scan,
    Window,
    contrast,
    crop,
    flip,
    list_samples,
    make_phantom,
    open_sample,
    replay,
    rewindow,
    rotate,
    split_panels,
    trim,
)

SPACING = (0.1, 0.25)


def noise(height: int = 60, width: int = 90, seed: int = 0, *, colour: bool = False) -> np.ndarray:
    shape = (height, width, 3) if colour else (height, width)
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def plain(*, colour: bool = False) -> Scan:
    return Scan.from_pixels(
        noise(colour=colour),
        modality="US",
        spacing=SPACING,
        frames=7,
        frame=3,
        synthetic=True,
        notes=(Note.LOSSY,),
        series="5" * 64,
        source_digest="a" * 64,
    )


def with_regions() -> Scan:
    regions = (
        Region(5, 4, 45, 40, (0.1, 0.2)),
        Region(50, 4, 85, 30, (0.3, 0.05)),
        Region(50, 36, 85, 58, None),
    )
    return Scan.from_pixels(noise(), modality="US", regions=regions)


def deep() -> Scan:
    values = np.random.default_rng(2).integers(0, 4096, (60, 90), dtype=np.uint16)
    values.flags.writeable = False
    window = Window(2000, 3000)
    depth = Depth(values, slope=2.0, intercept=-1000.0, window=window, presets=(window,), unit="HU")
    return Scan.from_pixels(depth.apply(window), spacing=SPACING, depth=depth)


KINDS = {
    "grey": plain,
    "colour": lambda: plain(colour=True),
    "regions": with_regions,
    "deep": deep,
}
MOVES = {
    "crop": lambda scan: crop(scan, (7, 9, 60, 40)),
    "quarter turn": lambda scan: rotate(scan, 90),
    "half turn": lambda scan: rotate(scan, 180),
    "three quarters": lambda scan: rotate(scan, 270),
    "left to right": lambda scan: flip(scan, "horizontal"),
    "top to bottom": lambda scan: flip(scan, "vertical"),
}


@pytest.fixture(params=KINDS)
def scan(request: pytest.FixtureRequest) -> Scan:
    return KINDS[request.param]()


def test_four_quarter_turns_give_the_scan_back(scan: Scan) -> None:
    turned = scan
    for _turn in range(4):
        turned = rotate(turned, 90)
    assert turned.digest == scan.digest
    assert len(turned.corrections) == 4


def test_turns_add_up(scan: Scan) -> None:
    twice = rotate(rotate(scan, 90), 90)
    assert twice.digest == rotate(scan, 180).digest != scan.digest
    assert rotate(twice, 90).digest == rotate(scan, 270).digest


@pytest.mark.parametrize("axis", ["horizontal", "vertical"])
def test_mirrored_twice_is_the_scan_again(scan: Scan, axis: str) -> None:
    once = flip(scan, axis)
    assert once.digest != scan.digest
    assert flip(once, axis).digest == scan.digest


def test_both_mirrors_are_half_a_turn(scan: Scan) -> None:
    assert flip(flip(scan, "horizontal"), "vertical").digest == rotate(scan, 180).digest


def test_a_quarter_turn_goes_clockwise() -> None:
    pixels = np.zeros((40, 50), np.uint8)
    pixels[0, 0] = 1
    assert rotate(Scan.from_pixels(pixels), 90).pixels[0, 39] == 1
    assert rotate(Scan.from_pixels(pixels), 270).pixels[49, 0] == 1
    assert flip(Scan.from_pixels(pixels), "horizontal").pixels[0, 49] == 1
    assert flip(Scan.from_pixels(pixels), "vertical").pixels[39, 0] == 1


@pytest.mark.parametrize("move", MOVES)
def test_values_behind_the_pixels_move_with_them(move: str) -> None:
    moved = MOVES[move](deep())
    assert moved.depth is not None
    assert np.array_equal(moved.depth.apply(Window(2000, 3000)), moved.pixels)
    assert not moved.depth.values.flags.writeable
    assert (moved.depth.slope, moved.depth.intercept, moved.depth.unit) == (2.0, -1000.0, "HU")


@pytest.mark.parametrize("move", MOVES)
@pytest.mark.parametrize("kind", ["grey", "regions"])
def test_a_length_keeps_its_millimetres(kind: str, move: str) -> None:
    """A marked patch, found again after the move, measures what it measured before."""
    before = KINDS[kind]()
    pixels = np.full_like(before.pixels, 10)
    pixels[14:26, 12:35] = 200
    before = Scan.from_pixels(pixels, spacing=before.spacing, regions=before.regions)
    after = MOVES[move](before)

    def size(scan: Scan) -> tuple[float, float]:
        rows, columns = np.nonzero(scan.pixels == 200)
        height = int(rows.max() - rows.min()) + 1
        width = int(columns.max() - columns.min()) + 1
        spacing = scan.spacing_at((int(columns.min()), int(rows.min()), width, height))
        assert spacing is not None
        return height * spacing[0], width * spacing[1]

    expected = size(before)
    assert expected[0] != expected[1]
    quarter = move in ("quarter turn", "three quarters")
    assert size(after) == pytest.approx(expected[::-1] if quarter else expected)


@pytest.mark.parametrize("move", MOVES)
def test_every_pixel_keeps_the_scale_of_its_region(move: str) -> None:
    """Paint each region in a tone of its own: where the tone went, the region went."""
    before = with_regions()
    pixels = np.zeros((before.height, before.width), np.uint8)
    for tone, region in enumerate(before.regions, 1):
        pixels[region.top : region.bottom, region.left : region.right] = tone * 50
    after = MOVES[move](Scan.from_pixels(pixels, regions=before.regions))
    painted = np.zeros_like(after.pixels)
    for region in after.regions:
        tone = after.pixels[region.top, region.left]
        painted[region.top : region.bottom, region.left : region.right] = tone
        (whose,) = [r for i, r in enumerate(before.regions, 1) if i * 50 == tone]
        if whose.spacing is None:
            assert region.spacing is None
        else:
            turned = move in ("quarter turn", "three quarters")
            assert region.spacing == (whose.spacing[::-1] if turned else whose.spacing)
    assert np.array_equal(painted, after.pixels)


def test_a_crop_across_regions_clips_them_and_drops_those_outside() -> None:
    cropped = crop(with_regions(), (40, 0, 40, 35))
    assert cropped.regions == (
        Region(0, 4, 5, 35, (0.1, 0.2)),
        Region(10, 4, 40, 30, (0.3, 0.05)),
    )
    assert cropped.spacing is None
    assert cropped.spacing_at((12, 6, 20, 20)) == (0.3, 0.05)
    assert cropped.spacing_at((0, 6, 20, 20)) is None


def test_a_crop_outside_all_regions_has_no_millimetres() -> None:
    wide = Scan.from_pixels(noise(100, 100), regions=(Region(0, 0, 20, 20, SPACING),))
    cropped = crop(wide, (50, 50, 40, 40))
    assert cropped.regions == ()
    assert cropped.spacing_at((0, 0, 10, 10)) is None


@pytest.mark.parametrize("move", MOVES)
def test_what_is_known_of_the_scan_stays_known(move: str) -> None:
    before = plain()
    loop = Loop(7, None, 0, lambda _index: before)
    after = MOVES[move](before.with_loop(loop))
    for name in ("modality", "frames", "frame", "synthetic", "notes", "series"):
        assert getattr(after, name) == getattr(before, name)
    assert after.loop is None
    assert after.origin == before.digest
    assert [c.kind for c in after.corrections] == [
        {"crop": "crop", "left to right": "flip", "top to bottom": "flip"}.get(move, "rotate")
    ]
    assert after.source_digest != before.source_digest


def test_the_origin_is_the_untouched_scan_after_many_corrections() -> None:
    scan = plain()
    after = flip(rotate(crop(scan, (0, 0, 50, 40)), 90), "vertical")
    assert after.origin == scan.digest
    assert [correction.kind for correction in after.corrections] == ["crop", "rotate", "flip"]
    assert scan.corrections == ()


def test_stored_corrections_make_the_same_scan_again() -> None:
    scan = deep()
    after = rewindow(scan, Window(1500.5, 800, "sigmoid"))
    after = flip(rotate(crop(after, (3, 5, 70, 50)), 270), "horizontal")
    grey = contrast(flip(plain(), "vertical"), 20, 200, 1.4)
    for untouched, corrected in ((scan, after), (plain(), grey)):
        stored = json.loads(json.dumps([c.to_dict() for c in corrected.corrections]))
        again = replay(untouched, [Correction.from_dict(entry) for entry in stored])
        assert again.digest == corrected.digest
        assert again.corrections == corrected.corrections
        assert again.origin == untouched.digest


@pytest.mark.parametrize(
    "stored",
    [
        {"kind": "melt"},
        {"kind": "crop", "left": 0, "top": 0, "width": 40},
        {"kind": "crop", "left": 0.5, "top": 0, "width": 40, "height": 40},
        {"kind": "rotate", "degrees": "much"},
        {"kind": "rotate", "degrees": 45},
        {"kind": "flip", "axis": "diagonal"},
        {"kind": "window", "centre": 5, "width": -1, "function": "linear"},
        {"kind": "contrast", "low": 0, "high": float("nan"), "gamma": 1},
    ],
)
def test_a_damaged_list_is_refused(stored: dict) -> None:
    for scan in (plain(), deep()):
        with pytest.raises(InvalidCorrection):
            replay(scan, [Correction.from_dict(stored)])


@pytest.mark.parametrize(
    "box",
    [
        (0, 0, 31, 40),
        (0, 0, 40, 31),
        (-1, 0, 40, 40),
        (0, -1, 40, 40),
        (51, 0, 40, 40),
        (0, 21, 40, 40),
        (0, 0, 90, 60),
        (0, 0, 40.5, 40),
        (0, 0, float("inf"), 40),
    ],
)
def test_a_crop_that_does_not_fit_is_refused(box: tuple) -> None:
    with pytest.raises(InvalidCorrection):
        crop(plain(), box)


def test_the_smallest_crop_and_one_at_the_edge_are_taken() -> None:
    scan = plain()
    assert crop(scan, (58, 28, 32, 32)).pixels.shape == (32, 32)
    assert np.array_equal(crop(scan, (58, 28, 32, 32)).pixels, scan.pixels[28:60, 58:90])


def test_contrast_is_a_table_and_nothing_else() -> None:
    ramp = np.tile(np.arange(256, dtype=np.uint8), (40, 1))
    stretched = contrast(Scan.from_pixels(ramp), 50, 150)
    assert stretched.pixels[0, 50] == 0
    assert stretched.pixels[0, 100] == 128
    assert stretched.pixels[0, 150] == 255
    assert (np.diff(stretched.pixels[0].astype(int)) >= 0).all()
    brighter = contrast(Scan.from_pixels(ramp), 0, 255, 2.0)
    assert brighter.pixels[0, 64] == round(255 * (64 / 255) ** 0.5)


def test_contrast_keeps_colour_and_geometry() -> None:
    scan = plain(colour=True)
    after = contrast(scan, 10, 240, 0.8)
    assert after.pixels.shape == scan.pixels.shape
    assert after.spacing == scan.spacing
    assert contrast(with_regions(), 10, 240).regions == with_regions().regions


@pytest.mark.parametrize(
    "numbers",
    [(0, 255, 1.0), (10, 10, 1.0), (200, 100, 1.0), (-1, 255, 1.0), (0, 256, 1.0), (0, 200, 0.1),
     (0, 200, 5.1), (0, 200, float("nan")), (0.5, 200, 1.0)],
)  # fmt: skip
def test_contrast_that_means_nothing_is_refused(numbers: tuple) -> None:
    with pytest.raises(InvalidCorrection):
        contrast(plain(), *numbers)


def test_a_deep_scan_gets_a_window_and_a_plain_one_contrast() -> None:
    with pytest.raises(InvalidCorrection):
        contrast(deep(), 10, 200)
    with pytest.raises(InvalidCorrection):
        rewindow(plain(), Window(10, 20))
    window = Window(0, 500, "linear_exact")
    after = rewindow(deep(), window)
    assert after.depth is not None
    assert after.depth.window == window
    assert np.array_equal(after.pixels, after.depth.apply(window))
    assert np.array_equal(after.depth.values, deep().depth.values)


@pytest.mark.parametrize("degrees", [0, 45, 360, -90])
def test_a_turn_that_would_resample_is_refused(degrees: int) -> None:
    with pytest.raises(InvalidCorrection):
        rotate(plain(), degrees)


@pytest.mark.parametrize("key", [sample.key for sample in list_samples()])
def test_the_strip_with_the_mark_is_trimmed_off_a_sample(key: str) -> None:
    scan = open_sample(key)
    trimmed = trim(scan)
    assert np.array_equal(trimmed.pixels, scan.pixels[:480])
    assert trimmed.synthetic
    assert trimmed.spacing == scan.spacing
    with pytest.raises(InvalidCorrection):
        trim(trimmed)


@pytest.mark.parametrize("tone", [0, 255])
@pytest.mark.parametrize("across", [True, False])
def test_two_pictures_in_one_become_two_scans(tone: int, across: bool) -> None:
    spec = PhantomSpec(240, 200)
    left, right = (make_phantom(spec, seed).scan.pixels for seed in (1, 2))
    if across:
        band = np.full((200, 8), tone, np.uint8)
        pixels = np.hstack([left, band, right])
        regions = (Region(0, 0, 240, 200, (0.2, 0.2)), Region(248, 0, 488, 200, (0.1, 0.1)))
    else:
        band = np.full((8, 240), tone, np.uint8)
        pixels = np.vstack([left, band, right])
        regions = (Region(0, 0, 240, 200, (0.2, 0.2)), Region(0, 208, 240, 408, (0.1, 0.1)))
    scan = Scan.from_pixels(pixels, regions=regions)
    first, second = split_panels(scan)
    assert np.array_equal(first.pixels, left)
    assert np.array_equal(second.pixels, right)
    assert first.spacing_at((10, 10, 50, 50)) == (0.2, 0.2)
    assert second.spacing_at((10, 10, 50, 50)) == (0.1, 0.1)
    assert [correction.kind for correction in second.corrections] == ["panel"]
    assert replay(scan, second.corrections).digest == second.digest


def test_one_picture_is_not_split() -> None:
    with pytest.raises(InvalidCorrection):
        split_panels(make_phantom().scan)


def test_a_refusal_says_what_to_do_in_one_line() -> None:
    with pytest.raises(InvalidCorrection) as refused:
        crop(plain(), (0, 0, 200, 40))
    assert "90 × 60" in str(refused.value)
    assert "\n" not in str(refused.value)
