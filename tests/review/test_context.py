"""The case beside the image: a name never gets in, and what was entered comes back as it was."""

import dataclasses
import json
import math

import pytest
from review_forms import CLINICIAN, REVIEWER, SECOND, draft, form, key, scan

from core.errors import InvalidFeedback, StateConflict
from core.review import (
    BiRads,
    CaseContext,
    CaseFacts,
    EchoPattern,
    Laterality,
    LesionMargin,
    LesionOrientation,
    LesionShape,
    PosteriorFeatures,
    open_case,
    record_blind_read,
    reveal,
    submit_feedback,
)

FULL = CaseContext(
    pseudonym="Site-7.P_0042",
    age=47,
    laterality=Laterality.LEFT,
    clock=10,
    distance_mm=35.5,
    indication="lump, palpable 左乳",
    history="mother at 52",
    birads=BiRads.MODERATE_SUSPICION,
    shape=LesionShape.IRREGULAR,
    orientation=LesionOrientation.NOT_PARALLEL,
    margins=(LesionMargin.SPICULATED, LesionMargin.ANGULAR),
    echo_pattern=EchoPattern.HYPOECHOIC,
    posterior=PosteriorFeatures.SHADOWING,
)


@pytest.mark.parametrize(
    "name",
    ["Jane Roe", "王芳", "Roe,J", "a/b", "Jane\n", "Jane\x00", "p" * 33, " P1", "Müller", "a@b"],
)
def test_a_name_is_refused_as_pseudonym_and_not_repeated(name):
    with pytest.raises(InvalidFeedback, match="never a name") as refused:
        CaseContext(pseudonym=name)
    assert name.strip() not in str(refused.value)


@pytest.mark.parametrize("pseudonym", ["", "A", "p" * 32, "Site-7.P_0042"])
def test_a_pseudonym_of_the_site_is_taken(pseudonym):
    assert CaseContext(pseudonym=pseudonym).pseudonym == pseudonym


@pytest.mark.parametrize(
    ("entries", "says"),
    [
        ({"age": -1}, "age"),
        ({"age": 121}, "age"),
        ({"age": 47.5}, "age"),
        ({"age": True}, "age"),
        ({"clock": 0}, "clock"),
        ({"clock": 13}, "clock"),
        ({"clock": 3.0}, "clock"),
        ({"distance_mm": -0.1}, "nipple"),
        ({"distance_mm": 200.1}, "nipple"),
        ({"distance_mm": math.nan}, "nipple"),
        ({"distance_mm": math.inf}, "nipple"),
        ({"distance_mm": True}, "nipple"),
        ({"indication": "i" * 501}, "indication has 501"),
        ({"history": "h" * 501}, "history has 501"),
        ({"indication": "a\x00"}, "indication holds"),
        ({"history": "\ud83d"}, "history holds"),
        ({"laterality": "both"}, "does not exist"),
        ({"birads": "4D"}, "does not exist"),
        ({"shape": "lobular"}, "does not exist"),
        ({"orientation": "round"}, "does not exist"),
        ({"margins": ("fuzzy",)}, "does not exist"),
        ({"echo_pattern": "dark"}, "does not exist"),
        ({"posterior": "some"}, "does not exist"),
        ({"margins": (LesionMargin.CIRCUMSCRIBED, LesionMargin.ANGULAR)}, "circumscribed"),
    ],
)
def test_what_cannot_be_is_refused_with_the_field_and_one_line(entries, says):
    with pytest.raises(InvalidFeedback, match=says) as refused:
        CaseContext(**entries)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "entries",
    [{"age": 0}, {"age": 120}, {"clock": 1}, {"clock": 12}, {"distance_mm": 0},
     {"distance_mm": 200}, {"indication": "i" * 500}, {"history": "h" * 500}],
)  # fmt: skip
def test_the_ends_of_every_range_are_taken_and_come_back(entries):
    made = CaseContext(**entries)
    assert not made.is_empty
    assert CaseContext.from_dict(json.loads(json.dumps(made.to_dict()))) == made


def test_margins_are_kept_once_and_in_the_lexicons_order():
    given = (LesionMargin.SPICULATED, LesionMargin.INDISTINCT, LesionMargin.SPICULATED)
    kept = CaseContext(margins=given).margins
    assert kept == (LesionMargin.INDISTINCT, LesionMargin.SPICULATED)


def test_what_names_the_patient_is_in_no_traceback_and_no_stored_json():
    shown = repr(FULL) + repr(form(context=FULL))
    for secret in ("P_0042", "palpable", "mother"):
        assert secret not in shown
    assert "P_0042" not in json.dumps(FULL.to_dict())


def test_all_of_the_context_is_stored_and_shown_after_the_own_read(store):
    number = submit_feedback(store, CLINICIAN, form(context=FULL)).case_number
    record_blind_read(store, REVIEWER, number, draft(), key())
    (entry,) = reveal(store, REVIEWER, number).feedback
    assert entry.context == FULL


def test_without_a_context_there_is_none_afterwards(store):
    number = submit_feedback(store, CLINICIAN, form()).case_number
    record_blind_read(store, REVIEWER, number, draft(), key())
    (entry,) = reveal(store, REVIEWER, number).feedback
    assert (entry.context, entry.quality, entry.override_reason, entry.measures) == (
        None, None, "", (),
    )  # fmt: skip
    assert open_case(store, SECOND, number).facts == CaseFacts()


def test_a_blind_reader_is_told_where_and_how_old_and_no_opinion(store):
    number = submit_feedback(store, CLINICIAN, form(context=FULL)).case_number
    view = open_case(store, REVIEWER, number)
    assert view.facts == CaseFacts(47, Laterality.LEFT, 10, 35.5)
    # Whoever adds a field here decides that it is no opinion.
    assert {field.name for field in dataclasses.fields(CaseFacts)} == {
        "age", "laterality", "clock", "distance_mm",
    }  # fmt: skip
    everything = repr(dataclasses.asdict(dataclasses.replace(view, png=b"")))
    for opinion in ("P_0042", "palpable", "mother", "4B", "irregular", "spiculated", "shadow"):
        assert opinion not in everything


def test_a_blind_reader_is_told_the_newest_facts_that_were_given(store):
    number = submit_feedback(store, CLINICIAN, form(context=FULL)).case_number
    submit_feedback(store, CLINICIAN, form(context=CaseContext(age=48), comment="corrected"))
    submit_feedback(store, CLINICIAN, form(comment="nothing about the patient"))
    assert open_case(store, REVIEWER, number).facts == CaseFacts(age=48)


def test_a_changed_context_is_an_entry_of_its_own_and_never_said_to_be_saved(store):
    first = form(context=FULL)
    assert submit_feedback(store, CLINICIAN, first).created
    assert not submit_feedback(store, CLINICIAN, form(context=FULL)).created
    for changed in (
        dataclasses.replace(FULL, pseudonym="other"),
        dataclasses.replace(FULL, birads=BiRads.BENIGN),
        CaseContext(),
    ):
        with pytest.raises(StateConflict):
            submit_feedback(
                store, CLINICIAN, form(context=changed, submission_key=first.submission_key)
            )
        assert submit_feedback(store, CLINICIAN, form(context=changed)).created


def test_the_scan_is_not_another_one_for_its_context():
    assert form(context=FULL).image.digest == scan().digest
