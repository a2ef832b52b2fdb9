"""What was checked of an image and done to it is said in one way, with figures that tell apart."""

from __future__ import annotations

import pytest

from core.scan import CheckName, Correction, check_figure, check_name, correction_words


@pytest.mark.parametrize(
    ("value", "limit", "unit", "said"),
    [
        (0.16741, 0.16742, "ratio", "0.16741, below 0.16742"),
        (0.0151, 0.0149, "share", "1.5%, above 1.5%"),
        (35.6, 35.9, "grey levels", "35.6 grey levels, below 35.9 grey levels"),
        (2, 1, "pictures", "2, above 1"),
    ],
)
def test_a_figure_never_looks_like_its_limit(
    value: float, limit: float, unit: str, said: str
) -> None:
    shown = check_figure(value, limit, unit)
    left, right = shown.replace("below", "above").split(", above ")
    assert left != right
    if unit != "share":
        assert shown == said


def test_every_check_has_a_name_of_its_own() -> None:
    assert len({check_name(name) for name in CheckName}) == len(CheckName)
    assert check_name("glare_spots") == "glare spots", "stored by another version"


@pytest.mark.parametrize(
    ("correction", "said"),
    [
        (
            Correction.make("crop", left=1, top=2, width=30, height=40),
            "cropped to 30 × 40 px, from 1, 2",
        ),
        (
            Correction.make("panel", left=1, top=2, width=30, height=40),
            "one picture kept: 30 × 40 px, from 1, 2",
        ),
        (Correction.make("rotate", degrees=90), "turned right by 90°"),
        (Correction.make("rotate", degrees=180), "turned by 180°"),
        (Correction.make("rotate", degrees=270), "turned left by 90°"),
        (Correction.make("flip", axis="horizontal"), "mirrored left to right"),
        (Correction.make("flip", axis="vertical"), "mirrored top to bottom"),
        (
            Correction.make("contrast", low=1, high=200, gamma=1.5),
            "contrast: black at 1, white at 200, gamma 1.5",
        ),
        (
            Correction.make("window", centre=40.0, width=400.0, function="linear"),
            "window: level 40, width 400",
        ),
    ],
)
def test_every_correction_has_its_words(correction: Correction, said: str) -> None:
    assert correction_words(correction) == said


def test_a_correction_stored_with_other_numbers_is_named_all_the_same() -> None:
    assert correction_words(Correction.make("crop", left=1)) == "crop"
    assert correction_words(Correction.make("rotate", degrees=45)) == "rotate"
