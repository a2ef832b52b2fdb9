"""Where an image comes from, its quality and what was measured by hand go with the feedback."""

import dataclasses
import math

import numpy as np
import pytest
from review_forms import CLINICIAN, COLLEAGUE, REVIEWER, ai, draft, form, key, scan
from sqlalchemy import func, select

from core.errors import InvalidFeedback, StateConflict
from core.lesion import HandMeasure, measure_by_hand
from core.review import (
    ImageFacts,
    Origin,
    image_facts,
    open_case,
    record_blind_read,
    reveal,
    stored_scan,
    submit_feedback,
)
from core.scan import Correction, Depth, Note, Region, Scan, Window, encode_png
from core.store import schema

REGIONS = (Region(0, 0, 16, 24, (0.1, 0.1)), Region(16, 0, 32, 24, None))
FAILED = {
    "outcome": "fail",
    "checks": [
        {"name": "blur", "outcome": "fail", "value": 3.5, "threshold": 10.0, "unit": ""},
        {"name": "borders", "outcome": "pass", "value": 0.0, "threshold": 0.2, "unit": ""},
    ],
}
CALIPER = {
    "kind": "distance", "points": [[2.0, 4.0], [12.0, 4.0]], "value": 2.0, "unit": "mm",
    "axes": [], "no_mm": None,
}  # fmt: skip
OWN = {"ai": None, "verdict": None, "label": "benign", "origin": Origin.OPINION}


def traced(seed=0):
    """Return the third frame of a loop, cropped, with regions: everything that can be stored."""
    values = np.random.default_rng(seed).integers(0, 4096, (24, 32), np.uint16)
    values.flags.writeable = False
    window = Window(2048, 4000, "linear_exact")
    depth = Depth(values, window=window)
    return Scan.from_pixels(
        depth.apply(window),
        modality="US",
        frames=5,
        frame=2,
        series="a" * 64,
        regions=REGIONS,
        corrections=(
            Correction.make("crop", left=4, top=0, width=32, height=24),
            Correction.make("window", centre=2048.0, width=4000.0, function="linear_exact"),
        ),
        origin="b" * 64,
        notes=(Note.BURNED_IN, Note.LOSSY),
        depth=depth,
    )


def of(made, **changed):
    values = {"image": image_facts(made), "png": encode_png(made), **OWN}
    return form(**values | changed)


def stored(store, sent):
    number = submit_feedback(store, CLINICIAN, sent).case_number
    record_blind_read(store, REVIEWER, number, draft(), key())
    return reveal(store, REVIEWER, number)


def test_where_an_image_comes_from_is_stored_whole_and_makes_the_scan_again(store):
    made = traced()
    facts = image_facts(made)
    assert facts.window == Window(2048, 4000, "linear_exact")
    seen = stored(store, of(made))
    view = open_case(store, REVIEWER, seen.case_number)
    assert seen.image == view.image == facts
    again = stored_scan(view.image, view.png)
    assert again.digest == made.digest
    assert np.array_equal(again.pixels, made.pixels)
    for name in ("frame", "frames", "series", "regions", "corrections", "origin", "notes",
                 "modality", "spacing", "synthetic"):  # fmt: skip
        assert getattr(again, name) == getattr(made, name), name


def test_a_scan_with_other_regions_is_another_image_and_is_refused(store):
    made = traced()
    for regions in ((), REGIONS[:1], (Region(0, 0, 16, 24, (0.1, 0.2)), REGIONS[1])):
        facts = dataclasses.replace(image_facts(made), regions=regions)
        with pytest.raises(InvalidFeedback, match="pixels"):
            submit_feedback(store, CLINICIAN, of(made, image=facts))
    with store.reading() as connection:
        assert connection.execute(select(func.count()).select_from(schema.images)).scalar() == 0


@pytest.mark.parametrize(
    "changed",
    [
        {"frame": 5},
        {"frame": -1},
        {"frame": True},
        {"regions": (Region(0, 0, 33, 24, None),)},
        {"regions": (Region(0, 0, 32, 25, None),)},
        {"spacing": (0.1, 0.1)},
        {"origin": "the first"},
        {"series": "A" * 64},
        {"corrections": (Correction.make("crop", left=math.nan),)},
        {"corrections": (Correction.make("crop", note="Jane Roe"),)},
        {"corrections": (Correction("crop", (("Jane Roe", 1),)),)},
        {"corrections": (Correction.make("flip", axis="horizontal"),) * 51},
    ],
)
def test_facts_that_contradict_the_image_or_could_name_somebody_are_refused(changed):
    made = traced()
    with pytest.raises(InvalidFeedback, match="not bound to an image"):
        of(made, image=dataclasses.replace(image_facts(made), **changed))


def test_a_field_of_the_stored_facts_is_added_only_on_purpose():
    assert {field.name for field in dataclasses.fields(ImageFacts)} == {
        "digest", "case_number", "width", "height", "channels", "modality", "spacing", "frames",
        "synthetic", "frame", "series", "regions", "corrections", "origin", "notes", "window",
    }  # fmt: skip


UNKNOWN = {"known": False, "distance": 2.5, "limit": 1.0, "reason": "unlike"}


def test_an_answer_to_a_picture_that_is_not_known_needs_a_reason_and_keeps_it(store):
    result = ai(scan(), familiarity=UNKNOWN, sure=False)
    for reason in ("", " "):
        with pytest.raises(InvalidFeedback, match="no scan the model knows"):
            form(ai=result, override_reason=reason)
    (entry,) = stored(store, form(ai=result, override_reason="for teaching")).feedback
    assert entry.ai == result
    assert entry.ai.refused
    assert (entry.ai.sure, entry.override_reason) == (False, "for teaching")


def test_an_answer_of_a_bundle_that_says_neither_is_stored_as_before(store):
    (entry,) = stored(store, form()).feedback
    assert (entry.ai.familiarity, entry.ai.sure, entry.ai.refused) == (None, None, False)


@pytest.mark.parametrize(
    "changed",
    [
        {"familiarity": {"known": False}},
        {"familiarity": UNKNOWN | {"distance": float("inf")}},
        {"familiarity": UNKNOWN | {"typed": "name"}},
        {"familiarity": UNKNOWN | {"known": "no"}},
        {"sure": "no"},
    ],
)
def test_what_no_bundle_says_of_a_picture_is_refused(changed):
    with pytest.raises(InvalidFeedback, match="incomplete"):
        ai(scan(), **changed)


def test_a_scan_that_failed_its_check_needs_a_reason_beside_an_ai_result(store):
    for reason in ("", "  \n"):
        with pytest.raises(InvalidFeedback, match="Say why it was read"):
            form(quality=FAILED, override_reason=reason)
    (entry,) = stored(
        store, form(quality=FAILED, override_reason="only view of the lesion <b>")
    ).feedback
    assert entry.quality == FAILED
    assert entry.override_reason == "only view of the lesion <b>"


def test_one_failed_check_fails_the_scan_whatever_the_summary_says():
    for quality in ({"checks": FAILED["checks"]}, {**FAILED, "outcome": "warn"}):
        with pytest.raises(InvalidFeedback, match="Say why it was read"):
            form(quality=quality)


def test_without_an_ai_result_or_without_a_failure_no_reason_is_asked_for():
    form(quality=FAILED, **OWN)
    form(quality={"outcome": "warn", "checks": [{**FAILED["checks"][0], "outcome": "warn"}]})
    form(quality={"outcome": "pass", "checks": []})


@pytest.mark.parametrize(
    "quality",
    [
        {},
        {"checks": None},
        {"checks": [{"name": "blur"}]},
        {"checks": [{"name": "Jane Roe", "outcome": "pass"}]},
        {"checks": [{"name": "blur", "outcome": "good"}]},
        {"checks": [{"name": "blur", "outcome": "pass", "value": math.nan}]},
        {"checks": [{"name": "blur", "outcome": "pass", "value": np.float32(1)}]},
        {"checks": [], "outcome": "unknown"},
        {"checks": [{"name": "blur", "outcome": "pass", "unit": "x" * 20_000}]},
        ["fail"],
    ],
)
def test_a_quality_report_that_nobody_could_read_later_is_refused(quality):
    with pytest.raises(InvalidFeedback, match="quality check is incomplete"):
        form(quality=quality, **OWN)


@pytest.mark.parametrize(
    ("reason", "says"), [("r" * 501, "has 501"), ("a\x00", "cannot be stored")]
)
def test_a_reason_that_cannot_be_stored_is_refused_without_repeating_it(reason, says):
    with pytest.raises(InvalidFeedback, match=says) as refused:
        form(override_reason=reason)
    assert reason not in str(refused.value)


def test_what_was_measured_by_hand_is_stored_with_its_figures(store):
    # 10 columns of 0.2 mm and 8 rows of 0.1 mm: 2 mm x 0.8 mm x pi / 4.
    axes = [[2.0, 8.0], [12.0, 8.0], [7.0, 4.0]]
    ellipse = {"kind": "ellipse", "points": axes, "value": math.pi / 4 * 1.6, "unit": "mm2",
               "axes": [2.0, 0.8], "no_mm": None}  # fmt: skip
    # At 45 degrees the two scales turn the axes; area counts by the product of the scales.
    slanted = {**ellipse, "points": [[4.0, 4.0], [10.0, 10.0], [9.0, 5.0]], "axes": [],
               "value": math.pi * math.hypot(3, 3) * math.hypot(2, 2) * 0.02}  # fmt: skip
    sent = form(measures=(CALIPER, ellipse, slanted))
    (entry,) = stored(store, sent).feedback
    assert entry.measures == sent.measures
    for kept, given in zip(entry.measures, (CALIPER, ellipse, slanted), strict=True):
        assert kept["value"] == pytest.approx(given["value"])
        assert {**kept, "value": 0, "axes": []} == {**given, "value": 0, "axes": []}
    # Half axes (0.6, 0.3) and (0.4, -0.2) mm: the new ones are the roots of 0.325 ± √0.048025.
    roots = [math.sqrt(0.325 + sign * math.sqrt(0.048025)) for sign in (1, -1)]
    assert entry.measures[2]["axes"] == pytest.approx([2 * root for root in roots])
    assert math.pi / 4 * math.prod(entry.measures[2]["axes"]) == pytest.approx(slanted["value"])


def test_what_the_viewer_measures_is_taken_as_it_is(store):
    # The end of the second axis lies beyond the edge of the image.
    drawn = [measure_by_hand("ellipse", [[4, 2], [20, 3], [12.44, -4.49]], scan()),
             measure_by_hand("distance", [[1, 1], [30, 20]], scan())]  # fmt: skip
    assert drawn[0].points[2][1] < 0
    (entry,) = stored(store, form(measures=tuple(each.to_dict() for each in drawn))).feedback
    assert [HandMeasure.from_dict(each) for each in entry.measures] == drawn


@pytest.mark.parametrize(
    "changed",
    [
        {"value": 1.6},
        {"axes": [2.0]},
        {"axes": [0.8, 2.0]},
        {"axes": [2.0, 1.8]},
        {"axes": [2.0, math.nan]},
        {"unit": "mm"},
        {"unit": "px2"},
        {"points": [[2.0, 8.0], [12.0, 8.0]]},
        {"points": [[2.0, 8.0], [2.0, 8.0], [7.0, 4.0]]},
        {"no_mm": "Jane Roe"},
        # Pixels, as if no calibration were known.
        {"value": math.pi / 4 * 80, "unit": "px2", "axes": [10.0, 8.0], "no_mm": "uncalibrated"},
    ],
)
def test_an_ellipse_that_its_points_do_not_give_is_refused(changed):
    ellipse = {"kind": "ellipse", "points": [[2.0, 8.0], [12.0, 8.0], [7.0, 4.0]],
               "value": math.pi / 4 * 1.6, "unit": "mm2", "axes": [2.0, 0.8]}  # fmt: skip
    form(measures=(ellipse,))
    with pytest.raises(InvalidFeedback, match="cannot be used"):
        form(measures=(ellipse | changed,))


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"kind": "ruler"}, "cannot be used"),
        ({"kind": ["distance"]}, "cannot be used"),
        ({"unit": "cm"}, "cannot be used"),
        ({"unit": "mm2"}, "cannot be used"),
        ({"value": "2"}, None),
        ({"value": math.nan}, "cannot be used"),
        ({"value": 2.5}, "cannot be used"),
        ({"value": -2.0}, "cannot be used"),
        ({"value": 10.0}, "cannot be used"),
        ({"points": [[2, 4]]}, "cannot be used"),
        ({"points": [[2, 4], [12, 4], [3, 3]]}, "cannot be used"),
        ({"points": [[2, 4], [12, "four"]]}, "cannot be used"),
        ({"points": [[2, 4], [math.inf, 4]]}, "cannot be used"),
        ({"points": [[24, 4], [34, 4]]}, "leaves the image"),
        ({"points": [[2, -1], [12, -1]]}, "leaves the image"),
        ({"name": "Jane Roe"}, "cannot be used"),
    ],
)
def test_a_measurement_that_its_points_do_not_give_is_refused(changed, says):
    measure = CALIPER | changed
    if says is None:
        assert form(measures=(measure,)).measures[0]["value"] == 2.0
        return
    with pytest.raises(InvalidFeedback, match=says):
        form(measures=(measure,))


def test_no_millimetres_without_calibration_and_none_across_regions():
    plain = Scan.from_pixels(scan().pixels)
    with pytest.raises(InvalidFeedback, match="cannot be used"):
        of(plain, measures=(CALIPER,))
    of(plain, measures=({**CALIPER, "value": 10.0, "unit": "px"},))
    made = traced()
    inside = {**CALIPER, "value": 1.0}
    of(made, measures=(inside,))
    for points in ([[10, 4], [20, 4]], [[20, 4], [30, 4]]):
        with pytest.raises(InvalidFeedback, match="cannot be used"):
            of(made, measures=({**inside, "points": points},))


def test_more_than_twenty_measurements_are_refused():
    form(measures=(CALIPER,) * 20)
    with pytest.raises(InvalidFeedback, match="at most 20"):
        form(measures=(CALIPER,) * 21)


@pytest.mark.parametrize(
    "changed",
    [
        {"quality": {**FAILED, "outcome": "fail"}, "override_reason": "another reason"},
        {"measures": (CALIPER,)},
        {"quality": None},
    ],
)
def test_whatever_is_changed_beside_the_answer_makes_another_entry(store, changed):
    said = {"quality": FAILED, "override_reason": "reason"}
    first = form(**said)
    assert submit_feedback(store, CLINICIAN, first).created
    assert not submit_feedback(store, CLINICIAN, form(**said)).created
    other = {**said, **changed}
    with pytest.raises(StateConflict):
        submit_feedback(store, CLINICIAN, form(submission_key=first.submission_key, **other))
    assert submit_feedback(store, CLINICIAN, form(**other)).created


def test_a_colleague_who_sends_the_same_image_does_not_change_where_it_came_from(store):
    made = traced()
    submit_feedback(store, CLINICIAN, of(made))
    facts = dataclasses.replace(image_facts(made), corrections=(), origin=None, notes=())
    receipt = submit_feedback(store, COLLEAGUE, of(made, image=facts))
    assert open_case(store, REVIEWER, receipt.case_number).image == image_facts(made)
