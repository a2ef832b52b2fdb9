"""What a doctor reads in a report is what was entered and answered, and nothing is missing."""

from __future__ import annotations

from dataclasses import replace
from html import unescape
from typing import Any

import numpy as np
import pytest
from report_factory import (
    BOX,
    CONTEXT,
    FAILED,
    full,
    lesion,
    pages_of,
    phantom,
    prediction,
    squeezed,
)

from core.errors import ReportError
from core.lesion import LesionControls, find_heat_regions, measure_by_hand
from core.model import Familiarity, OperatingPoint
from core.report import make_report, missing, to_html, to_pdf
from core.report._picture import nice_length
from core.review import CaseContext, Verdict
from core.scan import Correction, Loop, Region, Scan, check_quality
from core.text import use_language

#: What must be found whatever the language: numbers, typed words, digests.
ALWAYS = (
    "P-0173", "52", "35 mm", "Palpable lump 触及肿块", "Fibroadenoma removed in 2019", "BI-RADS 4B",
    "Core biopsy advised. 建议活检。", "Dr. Li 李明", "2026-11-25 09:30 (UTC+08:00)",
    "20%", "12%–31%", "41", "30%", "35%", "81% [70–88]", "74% [66–80]", "292",
    "58.1 mm", "34.8 mm", "1500.0 mm²", "25.0 mm", "breast-ultrasound 7.0", "d" * 64, "a" * 64,
    "A second reading of single images.", "Not for screening.", "Learned from two hospitals.",
)  # fmt: skip
ENGLISH = (
    "Doctor’s reading", "malignant", "Biopsy", "4 · sure", "moderate suspicion of malignancy",
    "Irregular", "Not parallel", "Indistinct, Spiculated", "Hypoechoic", "Shadowing",
    "Left, 2 o'clock, 35 mm from the nipple", "Not flagged as malignant",
    "Benign does not exclude cancer.", "The doctor rejected the AI result.",
    "The doctor’s label, malignant, is not the AI’s answer, benign.", "Wrong class",
    "Quality check with a warning: Contrast (31 grey levels, below 35 grey levels).",
    "Done to the image: cropped to 320 × 240 px, from 11, 13.", "text is burned into the picture",
    "Frame 4 of 40",
    "Outline: by the AI, accepted by the doctor.", "SYNTHETIC PHANTOM",
    "Decision support, not a medical device",
)  # fmt: skip
CHINESE = ("恶性", "活检", "未提示恶性", "不能排除癌症", "仅供决策参考，不是医疗器械", "病例")


@pytest.mark.parametrize("language", ["en", "zh_CN"])
def test_a_report_that_lacks_something_the_doctor_needs(language: str) -> None:
    given = full()
    with use_language(language):
        document = make_report(given)
    printed = {
        "pdf": "".join(pages_of(to_pdf(document))),
        "html": squeezed(unescape(to_html(document).decode())),
    }
    needed = (*ALWAYS, given.scan.case_number, given.scan.digest)
    needed += ENGLISH if language == "en" else CHINESE
    for kind, text in printed.items():
        for words in needed:
            assert squeezed(words) in text, f"{words!r} is not in the {kind}"


@pytest.mark.parametrize("language", ["en", "zh_CN"])
def test_no_word_of_the_content_is_lost_in_print(language: str) -> None:
    with use_language(language):
        document = make_report(full())
    pdf, html = "".join(pages_of(to_pdf(document))), squeezed(unescape(to_html(document).decode()))
    for section in document.sections:
        texts = [section.heading, section.headline, section.warning]
        texts += [run.text for line in (*section.lines, *section.notes) for run in line]
        texts += [part for name, value in section.rows for part in (name, value[0].text)]
        if section.grid is not None:
            texts += [*section.grid.header, *(cell for row in section.grid.rows for cell in row)]
        for text in texts:
            assert squeezed(text) in pdf
            assert squeezed(text) in html


def test_what_the_answer_means_elsewhere_is_the_shift_of_the_prior() -> None:
    # By hand: from 30 % to 5 % the odds change by (.05/.95)/(.3/.7) = .12281: .25 becomes .0307,
    # so 2.98 %; .12 gives 1.65 %, .31 gives 5.23 %.
    assert "where 5% are, the same image means 3% (2%–5%)" in make_report(full()).text()
    # Where the site has its own prevalence, that takes the example's place.
    told = make_report(full(site_prevalence=0.3)).text()
    assert "at this site 30% are, and there the same image means 20% (12%–31%)" in told
    assert "where 5% are" not in told


def test_without_an_ai_result_the_report_says_so_and_shows_no_number_of_it() -> None:
    given = full(
        prediction=None,
        outline="none",
        lesions=(),
        no_prediction="The model is down.",
        verdict=None,
    )
    text = make_report(given).text()
    assert "No AI result" in text
    assert "The model is down." in text
    assert "malignant" in text, "the doctor's own label is there all the same"
    for gone in ("20%", "Model digest", "Not for screening.", "exclude cancer"):
        assert gone not in text


def test_a_flagged_answer_is_not_told_that_it_does_not_exclude_cancer() -> None:
    scan = phantom()
    flagged = prediction(scan, flagged=True, answer="malignant", probability=0.6)
    text = make_report(full(scan=scan, prediction=flagged)).text()
    assert "Flagged: malignant" in text
    assert "exclude cancer" not in text


def test_a_probability_beside_its_threshold_is_not_rounded_onto_it() -> None:
    scan = phantom()
    near = prediction(scan, probability=0.3496, operating_point=OperatingPoint("balanced", 0.3504))
    text = make_report(full(scan=scan, prediction=near)).text()
    assert "calibrated: 35.0%" in text or "calibrated: 34.96%" in text
    assert "Flags from 35.0%" in text or "Flags from 35.04%" in text
    shown = text.split("calibrated: ")[1].split("%")[0]
    assert f"Flags from {shown}%" not in text


def test_a_blank_picture_is_given_no_interval() -> None:
    scan = Scan.from_pixels(np.full((120, 160), 7, np.uint8))
    for quality in (None, check_quality(scan).to_dict()):
        given = full(scan=scan, outline="none", lesions=(), measures=(), quality=quality)
        text = make_report(given).text()
        assert "Hardly a breast ultrasound image" in text
        assert "No interval is given" in text
        assert "Such images were never tested." in text
        assert "12%–31%" not in text


def test_a_picture_that_is_not_known_is_reported_as_such_before_its_number() -> None:
    scan = phantom()
    unknown = Familiarity(False, 2.0, 1.0, "unlike")
    answer = prediction(scan, familiarity=unknown, sure=True)
    text = make_report(full(scan=scan, prediction=answer, override_reason="For teaching")).text()
    assert text.index("Not a scan this model knows") < text.index("calibrated: 20%")
    assert "It is unlike every scan the model learned from." in text
    assert "Read although it is not a scan this model knows." in text
    assert "Reason given: For teaching" in text
    assert "12%–31%" not in text


def test_not_sure_stands_in_a_report_in_place_of_not_flagged() -> None:
    scan = phantom()
    known = Familiarity(True, 0.4, 1.0)
    document = make_report(
        full(scan=scan, prediction=prediction(scan, familiarity=known, sure=False))
    )
    (section,) = (each for each in document.sections if each.name == "ai")
    assert section.headline == "Not sure"
    assert "Its threshold alone says: Not flagged as malignant." in document.text()
    assert "calibrated: 20%" in document.text()
    assert "does not exclude cancer" in document.text()


@pytest.mark.parametrize("language", ["en", "zh_CN"])
def test_an_image_that_fails_a_check_is_given_no_interval_and_the_reason_stands_there(
    language: str,
) -> None:
    with use_language(language):
        document = make_report(full(quality=FAILED, override_reason="The only image there is"))
    for text in ("".join(pages_of(to_pdf(document))), squeezed(to_html(document).decode())):
        assert squeezed("The only image there is") in text
        for gone in ("12%–31%", "3% (2%–5%)"):
            assert squeezed(gone) not in text
        if language == "en":
            assert squeezed("Read although the image fails: Sharpness.") in text
            assert squeezed("Such images were never tested.") in text
            assert squeezed("No interval is given") in text
            assert squeezed("a quality check failed: Sharpness (0.11, below 0.25).") in text
            assert squeezed("Not flagged as malignant") in text, "it is a scan all the same"


def test_the_answer_to_another_image_is_refused() -> None:
    with pytest.raises(ReportError, match="another image"):
        full(prediction=prediction(phantom(seed=2)))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"made_at": full().made_at.replace(tzinfo=None)}, "time zone"),
        ({"lesions": ()}, "empty"),
        ({"prediction": None}, "no AI outline"),
        ({"prediction": prediction(full().scan, has_lesion_map=False)}, "no AI outline"),
    ],
)
def test_a_report_that_contradicts_itself_is_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ReportError, match=words):
        full(**changes)


def test_a_heat_region_has_no_place_in_a_report() -> None:
    heat = np.zeros((240, 320), np.float32)
    heat[40:90, 60:150] = 1
    regions = find_heat_regions(heat, LesionControls()).regions
    with pytest.raises(ReportError, match="heat region"):
        full(lesions=regions)


def test_the_outline_of_a_larger_image_is_refused() -> None:
    large = phantom().__class__.from_pixels(np.zeros((400, 500), np.uint8))
    far = lesion(large, ((300.0, 250.0), (480.0, 250.0), (480.0, 380.0)))
    with pytest.raises(ReportError, match="another image"):
        full(lesions=(far,))


def test_an_unconfirmed_outline_is_not_measured_either() -> None:
    text = make_report(full(outline="none", measures=())).text()
    assert "none was accepted or drawn" in text
    assert "Measurements" not in text
    assert "58.1 mm" not in text


def test_regions_the_doctor_drew_are_named_as_theirs() -> None:
    text = make_report(full(outline="drawn")).text()
    assert "Outline: drawn by the doctor." in text
    assert "The AI’s outline was not used: the doctor drew another." in text
    assert "accepted by the doctor" not in text


def test_lengths_without_calibration_are_pixels_and_say_so() -> None:
    scan = Scan.from_pixels(phantom().pixels)
    text = make_report(full(scan=scan)).text()
    assert "no calibration is known" in text
    assert "116 px" in text, "the longest chord, 100 x 59 pixels"
    assert "6000 px²" in text
    assert " mm²" not in text
    assert _grid(full(scan=scan))[-1] == ("A", "50 px", "–", "–", "–"), "40 by 30 pixels"


def test_a_measurement_across_two_calibrated_areas_has_no_millimetres() -> None:
    regions = (Region(0, 0, 100, 240, (0.5, 0.5)), Region(100, 0, 320, 240, (0.2, 0.2)))
    scan = Scan.from_pixels(phantom().pixels, regions=regions)
    inside = ((130.0, 40.0), (229.0, 40.0), (229.0, 99.0), (130.0, 99.0))
    given = full(scan=scan, lesions=(lesion(scan, BOX), lesion(scan, inside)), outline="drawn")
    rows = {row[0]: row for row in _grid(given)}
    assert rows["1"][1] == "116 px"
    # 100 x 60 pixels of 0.2 mm.
    assert rows["2"][3] == "240.0 mm²"
    assert rows["A"][1] == "25.0 mm", "this one lies in the first area"
    assert "no single calibration holds there" in make_report(given).text()


def test_the_bar_of_an_image_with_areas_is_the_one_of_the_printed_lesion() -> None:
    regions = (Region(0, 0, 160, 240, (0.5, 0.5)), Region(160, 0, 320, 240, (0.2, 0.2)))
    scan = Scan.from_pixels(phantom().pixels, regions=regions)
    inside = ((180.0, 40.0), (260.0, 40.0), (260.0, 99.0))
    document = make_report(full(scan=scan, lesions=(lesion(scan, inside),), measures=()))
    (bar,) = document.picture.bars
    # 0.2 mm a pixel: the label and the length must tell the same.
    assert float(bar.label.removesuffix(" mm")) == pytest.approx(bar.pixels * 0.2)
    assert "160 × 240 px from (160, 0)" in document.text()


def test_rows_and_columns_of_different_scale_have_a_bar_each() -> None:
    scan = Scan.from_pixels(phantom().pixels, spacing=(0.25, 0.5))
    across, down = make_report(full(scan=scan)).picture.bars
    assert float(across.label.removesuffix(" mm")) == pytest.approx(across.pixels * 0.5)
    assert float(down.label.removesuffix(" mm")) == pytest.approx(down.pixels * 0.25)
    assert down.upright


@pytest.mark.parametrize(
    ("extent", "length"), [(160, 50), (125, 50), (124, 20), (40, 10), (12.5, 5), (0.6, 0.2)]
)
def test_a_bar_is_a_length_people_count_in(extent: float, length: float) -> None:
    assert nice_length(extent) == pytest.approx(length)


def _grid(given: Any) -> tuple[tuple[str, ...], ...]:
    (section,) = [s for s in make_report(given).sections if s.name == "measurements"]
    assert section.grid is not None
    return section.grid.rows


def test_an_ellipse_by_hand_is_measured_along_its_own_axes() -> None:
    # Half axes of 40 x 20 pixels at 0.5 mm: 40 by 20 mm, area π/4 · 40 · 20.
    drawn = measure_by_hand("ellipse", ((60, 100), (140, 100), (100, 80)), phantom())
    given = full(measures=(drawn,))
    assert _grid(given)[-1] == ("A", "40.0 mm", "20.0 mm", "628.3 mm²", "–")
    # On the image it reaches 40 pixels to each side of its centre, and 20 up and down.
    (shape,) = [s for s in make_report(given).picture.shapes if s.kind == "caliper"]
    reached = (*shape.points.min(axis=0), *shape.points.max(axis=0))
    assert reached == pytest.approx((60.5, 80.5, 140.5, 120.5), abs=0.05)


def test_an_ellipse_whose_bulge_leaves_a_calibrated_area_has_no_millimetres() -> None:
    regions = (Region(0, 0, 150, 240, (0.5, 0.5)),)
    scan = Scan.from_pixels(phantom().pixels, regions=regions)
    # At 45 degrees: its ends lie inside, but it bulges to x = 161 between them.
    turned = measure_by_hand("ellipse", ((60, 60), (140, 140), (130, 70)), scan)
    inside = measure_by_hand("ellipse", ((60, 100), (140, 100), (100, 80)), scan)
    rows = _grid(full(scan=scan, measures=(turned, inside)))
    assert rows[-1][1].endswith("mm")
    assert rows[-2][1].endswith("px")


@pytest.mark.parametrize(
    "changes",
    [{"value": 12.0}, {"unit": "px"}, {"points": ((10.0, 200.0),)}, {"points": ((0, 0), (999, 0))}],
)
def test_a_measurement_of_another_image_is_refused(changes: dict[str, Any]) -> None:
    (measure,) = full().measures
    with pytest.raises(ReportError, match="another image"):
        full(measures=(replace(measure, **changes),))


def test_a_lesion_cut_off_by_the_edge_is_told_to_be_a_lower_bound() -> None:
    scan = phantom()
    cut = lesion(scan, ((0.0, 0.0), (80.0, 0.0), (80.0, 60.0), (0.0, 60.0)))
    given = full(scan=scan, lesions=(cut,))
    assert _grid(given)[0][0] == "1*"
    assert "the true size may be larger" in make_report(given).text()


def test_a_frame_says_when_in_the_loop_it_was() -> None:
    scan = phantom(frame=2, frames=4)
    loop = Loop(4, (0.0, 0.1, 0.25, 0.3), 0, lambda _i: scan)
    text = make_report(full(scan=replace(scan, loop=loop))).text()
    assert "Frame 3 of 4 · 0.25 s" in text


@pytest.mark.parametrize(
    ("correction", "words"),
    [
        (Correction.make("rotate", degrees=90), "turned right by 90°."),
        (Correction.make("flip", axis="horizontal"), "mirrored left to right."),
        (Correction.make("flip", axis="vertical"), "mirrored top to bottom."),
        (
            Correction.make("panel", left=1, top=2, width=3, height=4),
            "one picture kept: 3 × 4 px, from 1, 2.",
        ),
        (
            Correction.make("contrast", low=20, high=200, gamma=0.8),
            "black at 20, white at 200, gamma 0.8.",
        ),
        (
            Correction.make("window", centre=1024.5, width=400, function="linear"),
            "level 1024.5, width 400.",
        ),
    ],
)
def test_what_was_done_to_the_image_is_told(correction: Correction, words: str) -> None:
    text = make_report(full(scan=phantom(corrections=(correction,)))).text()
    assert "Done to the image: " in text
    assert words in text.split("Done to the image: ")[1]


def test_nothing_overridden_is_said_rather_than_left_out() -> None:
    given = full(
        scan=phantom(), verdict=Verdict.ACCEPT, label="benign", problems=(), quality=None,
        override_reason="",
    )  # fmt: skip
    assert "Nothing was overridden, and the image is as it came." in make_report(given).text()


def test_an_empty_form_makes_a_report_that_says_what_is_missing() -> None:
    scan = Scan.from_pixels(phantom().pixels)
    given = full(
        scan=scan, context=CaseContext(), verdict=None, label=None, origin=None, confidence=None,
        problems=(), comment="", outline="none", lesions=(), measures=(),
    )  # fmt: skip
    assert "No reading of the doctor’s was entered." in make_report(given).text()
    said = " ".join(missing(given))
    for words in ("No outline", "own label", "BI-RADS", "No calibration"):
        assert words in said
    assert missing(full()) == ()
    without = full(prediction=None, outline="none", lesions=())
    assert missing(without) == ("There is no AI result; the report says so.",)


def test_a_patient_who_is_one_is_not_called_a_phantom() -> None:
    scan = phantom(synthetic=False)
    assert "SYNTHETIC" not in make_report(full(scan=scan)).text()
    assert CONTEXT.pseudonym in make_report(full(scan=scan)).text()


def test_a_check_that_barely_failed_is_not_shown_on_its_threshold() -> None:
    values = [(0.2999, 0.3, "ratio"), (34.6, 35.0, "grey levels"), (0.12004, 0.12, "share")]
    checks = [
        {"name": "blur", "outcome": "warn", "value": value, "threshold": limit, "unit": unit}
        for value, limit, unit in values
    ]
    text = make_report(full(quality={"checks": checks})).text()
    for words in ("0.2999, below 0.3000", "34.6 grey levels, below 35.0", "12.004%, above 12.000%"):
        assert words in text
