"""What a lesion suggests is what was measured of it, and nothing that reassures is made up."""

import math

import cv2
import numpy as np
import pytest

from core.lesion import lesion_from_mask
from core.review import (
    Clue,
    EchoPattern,
    LesionMargin,
    LesionOrientation,
    LesionShape,
    Withheld,
    suggest_terms,
)
from core.scan import Correction


def drawn(width=120, height=70, *, spikes=0, spacing=None, at=(150, 120), grey=(60, 120)):
    """Measure an ellipse with spikes, darker or brighter than what is around it."""
    mask = np.zeros((240, 300), np.uint8)
    cv2.ellipse(mask, at, (width // 2, height // 2), 0, 0, 360, 255, -1)
    for n in range(spikes):
        angle = 2 * math.pi * n / spikes
        tip = (round(at[0] + width * 0.8 * math.cos(angle)),
               round(at[1] + height * 0.8 * math.sin(angle)))  # fmt: skip
        cv2.line(mask, at, tip, 255, 5)
    pixels = np.where(mask > 0, grey[0], grey[1]).astype(np.uint8)
    return lesion_from_mask(mask, pixels, spacing).measurements


def terms(found, field):
    return [term for item in found.about(field) for term in item.terms]


def test_a_lesion_taller_than_wide_suggests_not_parallel_with_its_figure():
    measured = drawn(70, 120)
    found = suggest_terms(measured, outline="drawn")
    (item,) = found.about("orientation")
    assert item.terms == (LesionOrientation.NOT_PARALLEL,)
    assert (item.clue, item.cut_off, item.above) == (Clue.DEPTH_TO_WIDTH, 1.0, True)
    assert item.value == measured.depth_to_width == pytest.approx(121 / 71)
    assert found.square_pixels


@pytest.mark.parametrize("size", [(120, 70), (90, 90)])
def test_a_lesion_as_wide_as_tall_or_wider_suggests_no_orientation(size):
    assert suggest_terms(drawn(*size), outline="drawn").about("orientation") == ()


def test_taller_than_wide_is_decided_in_millimetres_where_they_are_known():
    # 100 x 80 pixels, each twice as tall as wide: 160 against 100 in millimetres.
    tall = suggest_terms(drawn(100, 80, spacing=(0.2, 0.1)), outline="drawn")
    assert terms(tall, "orientation") == [LesionOrientation.NOT_PARALLEL]
    assert not tall.square_pixels
    wide = suggest_terms(drawn(80, 100, spacing=(0.1, 0.2)), outline="drawn")
    assert terms(wide, "orientation") == []


def test_a_rotated_image_suggests_no_orientation_and_says_so():
    measured = drawn(70, 120)
    turned = suggest_terms(
        measured, corrections=[Correction.make("rotate", degrees=90)], outline="drawn"
    )
    assert turned.about("orientation") == ()
    assert Withheld.ROTATED in turned.withheld
    cropped = suggest_terms(
        measured,
        corrections=[Correction.make("crop", left=0, top=0, width=300, height=240)],
        outline="drawn",
    )
    assert terms(cropped, "orientation") == [LesionOrientation.NOT_PARALLEL]


def test_spikes_suggest_an_irregular_margin_and_leave_the_term_to_the_doctor():
    measured = drawn(spikes=9)
    (item,) = suggest_terms(measured, outline="drawn").about("margins")
    assert set(item.terms) == {
        LesionMargin.ANGULAR, LesionMargin.MICROLOBULATED, LesionMargin.SPICULATED,
    }  # fmt: skip
    assert item.value == measured.margin_irregularity > item.cut_off == 0.05


@pytest.mark.parametrize("outline", ["ai", "drawn"])
def test_a_smooth_outline_never_suggests_a_circumscribed_margin_or_parallel(outline):
    found = suggest_terms(drawn(), outline=outline)
    assert found.about("margins") == ()
    assert found.about("orientation") == ()


def test_shapes_drawn_by_hand_are_named_by_their_figures():
    assert terms(suggest_terms(drawn(120, 70), outline="drawn"), "shape") == [LesionShape.OVAL]
    assert terms(suggest_terms(drawn(90, 90), outline="drawn"), "shape") == [LesionShape.ROUND]
    spiky = suggest_terms(drawn(90, 90, spikes=5), outline="drawn")
    assert terms(spiky, "shape") == [LesionShape.IRREGULAR]
    (item,) = spiky.about("shape")
    assert item.clue is Clue.SOLIDITY
    assert item.value < item.cut_off
    assert not item.above


def test_the_outline_of_a_model_suggests_no_shape_and_says_how_often_the_rest_held():
    found = suggest_terms(drawn(70, 120, spikes=9))
    assert found.about("shape") == ()
    assert Withheld.MODEL_OUTLINE in found.withheld
    assert found.outline == "ai"
    assert suggest_terms(drawn(70, 120, spikes=9), outline="accepted").items == found.items
    assert {item.field for item in found.items} == {"orientation", "margins", "echo_pattern"}
    for item in found.items:
        held, of = item.held
        assert 0 < held < of
    by_hand = suggest_terms(drawn(70, 120, spikes=9), outline="drawn")
    assert all(item.held is None for item in by_hand.items)


@pytest.mark.parametrize(
    ("inside", "around", "expected"),
    [
        (60, 120, [EchoPattern.HYPOECHOIC]),
        (99, 120, [EchoPattern.HYPOECHOIC]),
        (101, 120, []),
        (120, 120, []),
        (139, 120, []),
        (141, 120, [EchoPattern.HYPERECHOIC]),
    ],
)
def test_an_echo_pattern_is_suggested_only_where_it_is_clear(inside, around, expected):
    found = suggest_terms(drawn(grey=(inside, around)), outline="drawn")
    assert terms(found, "echo_pattern") == expected
    for item in found.about("echo_pattern"):
        assert item.value == pytest.approx(inside - around)
        assert abs(item.cut_off) == 20


@pytest.mark.parametrize("kind", ["contrast", "window"])
def test_grey_levels_that_were_changed_suggest_no_echo_pattern(kind):
    made = Correction.make(kind, low=0, high=100)
    found = suggest_terms(drawn(), corrections=[made], outline="drawn")
    assert found.about("echo_pattern") == ()
    assert Withheld.GREY_CHANGED in found.withheld


def test_a_lesion_cut_off_by_the_edge_suggests_neither_shape_nor_orientation():
    found = suggest_terms(drawn(70, 120, at=(150, 10), spikes=9), outline="drawn")
    assert found.about("shape") == found.about("orientation") == ()
    assert Withheld.CUT_OFF in found.withheld
    assert found.about("margins")


def test_a_lesion_of_a_few_pixels_suggests_neither_margin_nor_shape():
    measured = drawn(12, 8)
    assert measured.longest_chord < 20
    found = suggest_terms(measured, outline="drawn")
    assert found.about("shape") == found.about("margins") == ()
    assert Withheld.TOO_SMALL in found.withheld


@pytest.mark.parametrize("spacing", [None, (0.1, 0.1)])
def test_measurements_and_their_stored_form_suggest_the_same(spacing):
    measured = drawn(80, 110, spikes=7, spacing=spacing)
    direct = suggest_terms(measured, outline="drawn")
    assert direct.items
    assert suggest_terms(measured.to_dict(), outline="drawn") == direct


def test_figures_that_are_missing_or_no_numbers_suggest_nothing():
    stored = drawn(70, 120, spikes=9).to_dict()
    broken = dict.fromkeys(stored) | {"margin_irregularity": math.nan, "solidity": "0.1"}
    assert suggest_terms(broken, outline="drawn").items == ()
    assert suggest_terms({}, outline="drawn").items == ()
