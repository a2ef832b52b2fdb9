"""The quality check sees what spoils a picture, and leaves a good one alone."""

from __future__ import annotations

import json
from functools import cache
from itertools import pairwise

import cv2
import numpy as np
import pytest
from degradations import DEGRADATIONS, doubled, framed, lettered

from core.scan import (
    Check,
    CheckName,
    Depth,
    LesionSpec,
    Outcome,
    PhantomSpec,
    QualityReport,
    Scan,
    Window,
    check_quality,
    failed_checks,
    findings,
    hardly_a_scan,
    list_samples,
    make_phantom,
    open_sample,
)

BAD = (Outcome.WARN, Outcome.FAIL)
ORDER = (Outcome.PASS, Outcome.WARN, Outcome.FAIL)
CYST = LesionSpec("oval", (0.5, 0.4), 14, 9, echo_db=-26)


@cache
def phantom(side: int = 420, seed: int = 3) -> np.ndarray:
    return make_phantom(PhantomSpec(side, side, lesion=CYST), seed).scan.pixels


def check(pixels: np.ndarray) -> QualityReport:
    return check_quality(Scan.from_pixels(pixels))


@pytest.mark.parametrize("key", [sample.key for sample in list_samples()])
def test_a_sample_passes_every_check(key: str) -> None:
    report = check_quality(open_sample(key))
    assert [(c.name, c.value) for c in report.checks if c.outcome is not Outcome.PASS] == []
    assert report.outcome is Outcome.PASS


@pytest.mark.parametrize("side", [200, 320, 512, 1400])
@pytest.mark.parametrize("seed", [0, 1])
def test_a_phantom_of_any_usual_size_does_not_fail(side: int, seed: int) -> None:
    assert check(phantom(side, seed)).failed == ()


def test_every_check_is_made_and_says_what_it_was_held_against() -> None:
    report = check(phantom())
    assert [c.name for c in report.checks] == list(CheckName)
    assert all(c.threshold is not None and np.isfinite(c.value) for c in report.checks)
    assert all(c.unit for c in report.checks)


#: The mildest grade of each that a phantom must be warned of, and the one that must fail.
EXPECTED = {
    "blur, sigma in px": (1, 2),
    "reduced and enlarged, times": (2, 4),
    "reduced, short side in px": (240, 120),
    "darkened, times": (0.35, 0.1),
    "lifted, grey levels": (80, 140),
    "gain, times": (2, 3),
    "contrast, times": (0.35, 0.1),
    "black crushed, grey levels": (100, None),
    "lines of text": (4, 24),
    "black frame, share": (0.2, 0.6),
    "side by side, band in px": (2, None),
    "Doppler window, share": (0.02, 0.9),
}


def test_every_degradation_has_its_expectation() -> None:
    assert set(EXPECTED) == set(DEGRADATIONS)


@pytest.mark.parametrize("name", DEGRADATIONS)
def test_a_spoiled_picture_is_seen(name: str) -> None:
    how = DEGRADATIONS[name]
    warned, failed = EXPECTED[name]
    clean = check(phantom())
    assert {clean[check_].outcome for check_ in how.checks} == {Outcome.PASS}

    def worst(grade: float) -> Outcome:
        report = check(how.make(phantom(), grade))
        return max((report[check_].outcome for check_ in how.checks), key=ORDER.index)

    assert worst(warned) in BAD
    if failed is not None:
        assert worst(failed) is Outcome.FAIL


@pytest.mark.parametrize("name", DEGRADATIONS)
def test_a_grosser_degradation_is_never_judged_better(name: str) -> None:
    how = DEGRADATIONS[name]
    outcomes = []
    for grade in how.grades:
        report = check(how.make(phantom(), grade))
        outcomes.append(max(ORDER.index(report[c].outcome) for c in how.checks))
    assert all(mild <= gross for mild, gross in pairwise(outcomes))


def test_letters_do_not_make_a_blurred_picture_sharp() -> None:
    blurred = cv2.GaussianBlur(phantom(), (0, 0), 2)
    report = check(lettered(blurred, 2))
    assert report[CheckName.BLUR].outcome is Outcome.FAIL


def test_less_gain_is_not_taken_for_blur() -> None:
    plain = check(phantom())[CheckName.BLUR].value
    dark = check((phantom() * 0.5).astype(np.uint8))[CheckName.BLUR].value
    assert dark == pytest.approx(plain, rel=0.1)


def test_the_frame_counts_neither_as_dark_nor_as_clipped() -> None:
    plain, boxed = check(phantom()), check(framed(phantom(), 0.6))
    for name in (CheckName.CLIPPED_BLACK, CheckName.EXPOSURE, CheckName.CONTRAST, CheckName.BLUR):
        assert boxed[name].value == pytest.approx(plain[name].value, rel=0.02)
    assert boxed[CheckName.RESOLUTION].value == 420


@pytest.mark.parametrize("tone", [0, 128, 255])
def test_the_picture_in_a_frame_is_found_to_the_pixel(tone: int) -> None:
    picture = phantom(300)
    canvas = np.full((500, 640), tone, np.uint8)
    canvas[90:390, 130:430] = picture
    cv2.putText(canvas, "CAPTION 12:30", (10, 480), cv2.FONT_HERSHEY_SIMPLEX, 0.5, 200, 1)
    report = check(canvas)
    assert report[CheckName.BORDERS].boxes == ((130, 90, 300, 300),)
    assert report[CheckName.BORDERS].value == pytest.approx(1 - 300 * 300 / (500 * 640))
    assert report[CheckName.RESOLUTION].value == 300


@pytest.mark.parametrize("tone", [0, 128, 255])
def test_the_boxes_of_two_pictures_are_theirs(tone: int) -> None:
    report = check(doubled(phantom(300), 12, tone))
    assert report[CheckName.PANELS].boxes == ((0, 0, 300, 300), (312, 0, 300, 300))
    assert report[CheckName.PANELS].value == 2
    assert report[CheckName.RESOLUTION].value == 300


def test_four_pictures_are_found_row_by_row() -> None:
    picture = phantom(240)
    row = doubled(picture, 10)
    grid = np.vstack([row, np.zeros((10, row.shape[1]), np.uint8), row])
    boxes = check(grid)[CheckName.PANELS].boxes
    assert [box[:2] for box in boxes] == [(0, 0), (250, 0), (0, 250), (250, 250)]


def test_a_cyst_from_edge_to_edge_does_not_split_the_picture() -> None:
    picture = phantom(400).astype(np.float32)
    depth = np.arange(400, dtype=np.float32)[:, None]
    # Echo that fades into a dark band and comes back, as above and below a large cyst.
    fade = np.clip(np.abs(depth - 200) / 80, 0, 1) ** 4
    report = check((picture * fade).astype(np.uint8))
    assert report[CheckName.PANELS].boxes == ()


@pytest.mark.parametrize("level", [0, 90, 255])
def test_a_blank_picture_fails(level: int) -> None:
    report = check(np.full((300, 300), level, np.uint8))
    assert report[CheckName.BLANK].outcome is Outcome.FAIL
    assert report[CheckName.BLUR].outcome is Outcome.FAIL
    assert report.outcome is Outcome.FAIL


def test_a_colour_photograph_fails_and_a_coloured_caliper_warns() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (300, 300, 3), dtype=np.uint8)
    assert check(noise)[CheckName.COLOUR].outcome is Outcome.FAIL
    rgb = cv2.cvtColor(phantom(), cv2.COLOR_GRAY2RGB)
    cv2.line(rgb, (80, 100), (300, 180), (255, 255, 0), 2)
    assert check(rgb)[CheckName.COLOUR].outcome is Outcome.WARN


@pytest.mark.parametrize("level", [0, 128, 255])
def test_a_blank_picture_is_hardly_a_scan(level: int) -> None:
    report = check(np.full((64, 64), level, np.uint8))
    assert report[CheckName.BLANK].outcome is Outcome.FAIL
    assert hardly_a_scan(failed_checks(report.to_dict()))


def test_a_colour_photograph_is_hardly_a_scan() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    assert hardly_a_scan(failed_checks(check(noise).to_dict()))


def test_a_doppler_window_in_a_grey_scan_is_still_a_scan() -> None:
    picture = np.repeat(open_sample("cyst").grey[..., None], 3, axis=2)
    picture[100:250, 200:400, 0] = 250
    report = check(picture)
    assert report[CheckName.COLOUR].outcome is Outcome.WARN
    assert not hardly_a_scan(failed_checks(report.to_dict()))


def test_a_blurred_scan_is_a_scan_that_fails() -> None:
    report = check(cv2.GaussianBlur(phantom(), (0, 0), 12))
    failed = failed_checks(report.to_dict())
    assert CheckName.BLUR in failed
    assert not hardly_a_scan(failed)


def test_what_was_found_is_told_with_its_figure_also_where_another_version_stored_it() -> None:
    stored = {
        "checks": [
            {"name": "blur", "outcome": "fail", "value": 0.11, "threshold": 0.25, "unit": "ratio"},
            {"name": "glare_spots", "outcome": "fail", "value": 3.5, "threshold": 2},
            {"name": "borders", "outcome": "fail", "value": None},
            {"name": "colour", "outcome": "fail", "value": 0.4, "threshold": None, "unit": "share"},
            {"name": "contrast", "outcome": "warn", "value": 31, "threshold": 35},
        ]
    }
    assert findings(stored, Outcome.FAIL) == [
        "Sharpness (0.11, below 0.25)",
        "glare spots (3.50, above 2.00)",
        "Empty frame",
        "Colour (40%)",
    ]
    assert findings(None, Outcome.FAIL) == []


def test_a_deep_scan_is_judged_as_its_window_shows_it() -> None:
    values = phantom().astype(np.uint16) * 200
    values.flags.writeable = False
    usual, dark = Window(25500, 51000), Window(250000, 500000)

    def scan(window: Window) -> Scan:
        depth = Depth(values, window=window)
        return Scan.from_pixels(depth.apply(window), depth=depth)

    assert check_quality(scan(usual)).failed == ()
    assert check_quality(scan(dark))[CheckName.CONTRAST].outcome is Outcome.FAIL


@pytest.mark.parametrize("shape", [(32, 32), (32, 4000), (4000, 32), (33, 35, 3), (1, 1)])
def test_any_shape_gets_a_report(shape: tuple[int, ...]) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)
    assert len(check(pixels).checks) == len(CheckName)


def test_the_same_pixels_get_the_same_report() -> None:
    assert check(phantom()) == check(phantom().copy())


def test_a_stored_report_comes_back_whole() -> None:
    report = check(doubled(phantom(), 12))
    again = QualityReport.from_dict(json.loads(json.dumps(report.to_dict())))
    assert again == report
    assert again.outcome is Outcome.FAIL
    assert [c.name for c in again.failed] == [CheckName.PANELS]


@pytest.mark.parametrize(
    "stored", [{}, {"checks": []}, {"checks": [{}]}, {"checks": [{"name": "smell"}]}, {"checks": 3}]
)
def test_what_is_no_report_is_refused(stored: dict) -> None:
    with pytest.raises(ValueError, match="quality report"):
        QualityReport.from_dict(stored)


def test_the_worst_check_is_the_outcome() -> None:
    def made(outcome: Outcome) -> Check:
        return Check(CheckName.BLUR, outcome, 1.0, 2.0, "ratio")

    passed, warned, failed = map(made, ORDER)
    report = QualityReport((warned, failed, passed))
    assert report.outcome is Outcome.FAIL
    assert report.failed == (failed,)
    assert report.warned == (warned,)
    assert QualityReport((passed, warned)).outcome is Outcome.WARN
    assert QualityReport((passed,)).outcome is Outcome.PASS
