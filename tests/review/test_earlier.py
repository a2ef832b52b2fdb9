"""The earlier scans of a patient: all of them, nobody else's, and never for a blind reader."""

import dataclasses
import logging

import pytest
from review_forms import ADMINISTRATOR, CLINICIAN, COLLEAGUE, REVIEWER, draft, form, key, scan

from core.errors import CaseNotFound, InvalidFeedback, PermissionDenied
from core.review import (
    BiRads,
    CaseContext,
    CaseState,
    Laterality,
    Origin,
    Relation,
    earlier_scans,
    image_facts,
    open_earlier,
    record_blind_read,
    seen_before,
    stored_scan,
    submit_feedback,
)
from core.scan import Correction, Scan, encode_png

OWN = {"ai": None, "verdict": None, "label": "benign", "origin": Origin.OPINION}


def send(store, seed, pseudonym="P-1", person=CLINICIAN, **more):
    context = CaseContext(pseudonym=pseudonym, **more.pop("said", {}))
    return submit_feedback(store, person, form(seed, context=context, **OWN | more))


def digests(store, pseudonym="P-1", **more):
    return [each.digest for each in earlier_scans(store, CLINICIAN, pseudonym, **more)]


def test_the_scans_of_a_patient_are_listed_newest_first_with_what_was_said(store):
    said = {"laterality": Laterality.RIGHT, "clock": 2, "birads": BiRads.PROBABLY_BENIGN}
    first = send(store, 1, said=said)
    send(store, 2, "P-2")
    last = send(store, 3, person=COLLEAGUE, label="malignant")
    newer, older = earlier_scans(store, CLINICIAN, "P-1")
    assert (newer.digest, older.digest) == (scan(3).digest, scan(1).digest)
    assert (newer.case_number, older.case_number) == (last.case_number, first.case_number)
    assert (newer.sent_at, older.sent_at) == (last.submitted_at, first.submitted_at)
    assert (older.laterality, older.clock, older.birads) == (
        Laterality.RIGHT, 2, BiRads.PROBABLY_BENIGN,
    )  # fmt: skip
    assert (newer.label, older.label) == ("malignant", "benign")
    assert (newer.by_me, older.by_me) == (False, True)
    assert (older.width, older.height, older.spacing, older.frame) == (32, 24, (0.1, 0.2), 0)
    assert older.synthetic
    assert not older.disputed


@pytest.mark.parametrize("person", [REVIEWER, ADMINISTRATOR])
def test_nobody_but_a_clinician_gets_at_earlier_scans(store, person):
    number = send(store, 1).case_number
    for step in (
        lambda: earlier_scans(store, person, "P-1"),
        lambda: open_earlier(store, person, number),
        lambda: seen_before(store, person, [scan(1).digest]),
    ):
        with pytest.raises(PermissionDenied):
            step()


@pytest.mark.parametrize("typed", ["p-1", "P-", "P-11", "P_1", "P.1"])
def test_a_pseudonym_that_only_looks_alike_is_another_patient(store, typed):
    send(store, 1)
    assert digests(store, typed) == []


def test_without_a_pseudonym_nobodys_scans_are_listed(store):
    send(store, 1, "")
    submit_feedback(store, CLINICIAN, form(2))
    assert digests(store, "") == []


def test_a_name_is_not_looked_up_and_not_repeated(store):
    with pytest.raises(InvalidFeedback) as refused:
        earlier_scans(store, CLINICIAN, "Jane Roe")
    assert "Jane" not in str(refused.value)


def test_a_scan_sent_twice_is_listed_once_with_the_newest_word_and_its_first_moment(store):
    first = send(store, 1, said={"birads": BiRads.BENIGN})
    send(store, 2)
    send(store, 1, said={"birads": BiRads.HIGH_SUSPICION}, label="malignant")
    newer, older = earlier_scans(store, CLINICIAN, "P-1")
    assert newer.digest == scan(2).digest
    assert older.sent_at == first.submitted_at
    assert (older.birads, older.label) == (BiRads.HIGH_SUSPICION, "malignant")


def test_a_label_changed_without_a_word_on_the_patient_is_not_listed_as_it_was(store):
    send(store, 1)
    submit_feedback(store, CLINICIAN, form(1, **OWN | {"label": "malignant"}))
    (found,) = earlier_scans(store, CLINICIAN, "P-1")
    assert found.label == "malignant"


@pytest.mark.parametrize("corrected", [{"pseudonym": "P-2"}, {"age": 50}, {}])
def test_a_pseudonym_typed_wrong_is_taken_back_by_sending_again(store, corrected):
    send(store, 1)
    submit_feedback(store, CLINICIAN, form(1, context=CaseContext(**corrected), **OWN))
    assert digests(store) == []
    assert digests(store, "P-2") == ([scan(1).digest] if "pseudonym" in corrected else [])


def test_feedback_that_says_nothing_of_the_patient_loses_no_earlier_scan(store):
    send(store, 1)
    submit_feedback(store, CLINICIAN, form(1, comment="again"))
    submit_feedback(store, COLLEAGUE, form(1, context=CaseContext(age=50)))
    assert digests(store) == [scan(1).digest]


def test_a_scan_that_two_people_put_to_two_patients_is_marked(store):
    send(store, 1, "P-1", CLINICIAN)
    send(store, 1, "P-2", COLLEAGUE)
    send(store, 2, "P-1")
    clear, disputed = earlier_scans(store, CLINICIAN, "P-1")
    assert (clear.disputed, disputed.disputed) == (False, True)
    (other,) = earlier_scans(store, CLINICIAN, "P-2")
    assert other.disputed


def test_the_scan_on_screen_and_what_came_after_it_are_not_earlier(store):
    for seed in (1, 2, 3):
        send(store, seed)
    assert digests(store, before_digest=scan(2).digest) == [scan(1).digest]
    assert digests(store, before_digest=scan(1).digest) == []
    assert digests(store, before_digest=scan(9).digest) == [scan(n).digest for n in (3, 2, 1)]


def test_the_newest_are_kept_where_there_are_more_than_asked_for(store):
    for seed in (1, 2, 3):
        send(store, seed)
    assert digests(store, limit=2) == [scan(3).digest, scan(2).digest]


def test_an_earlier_scan_opens_with_its_pixels_and_no_answer(store):
    number = send(store, 1, person=COLLEAGUE).case_number
    facts, png = open_earlier(store, CLINICIAN, number)
    assert facts == image_facts(scan(1))
    assert stored_scan(facts, png).digest == scan(1).digest
    for typed in ("00000-00000", "P-1", "", "\x00", "左"):
        with pytest.raises(CaseNotFound):
            open_earlier(store, CLINICIAN, typed)


def test_a_pseudonym_is_in_no_log_and_no_result(store, caplog):
    caplog.set_level(logging.DEBUG)
    logging.getLogger("sqlalchemy.engine").setLevel(logging.DEBUG)
    try:
        send(store, 1, "secret-42")
        found = earlier_scans(store, CLINICIAN, "secret-42")
        seen = seen_before(store, CLINICIAN, [scan(1).digest])
    finally:
        logging.getLogger("sqlalchemy.engine").setLevel(logging.NOTSET)
    assert found
    assert "SELECT" in caplog.text
    assert "secret-42" not in caplog.text + repr(found) + repr(seen)


def corrected(of, seed):
    pixels = scan(seed).pixels
    crop = Correction.make("crop", left=0, top=0, width=4, height=4)
    return Scan.from_pixels(pixels, corrections=(crop,), origin=of.digest, series=of.series)


def frame(index, first=None, seed=0):
    pixels = scan(seed).pixels
    series = first.digest if first else Scan.from_pixels(pixels).digest
    return Scan.from_pixels(pixels, frames=9, frame=index, series=series)


def keep(store, made, person=CLINICIAN):
    sent = form(image=image_facts(made), png=encode_png(made), **OWN)
    return submit_feedback(store, person, sent)


def ask(store, made, person=CLINICIAN):
    asked = [digest for digest in (made.digest, made.origin, made.series) if digest]
    found = seen_before(store, person, asked)
    return {each.case_number: each.relation_to(made.digest, made.origin, made.series)
            for each in found}  # fmt: skip


def test_the_same_scan_is_recognised_with_who_sent_it_when_and_where_it_stands(store):
    first = keep(store, scan(1), COLLEAGUE)
    assert seen_before(store, CLINICIAN, [scan(2).digest]) == ()
    (found,) = seen_before(store, CLINICIAN, [scan(1).digest])
    assert (found.case_number, found.by_me, found.by_others) == (first.case_number, False, True)
    assert found.first_sent_at == found.last_sent_at == first.submitted_at
    assert found.state is CaseState.OPEN
    again = submit_feedback(store, CLINICIAN, form(1, comment="mine"))
    record_blind_read(store, REVIEWER, first.case_number, draft(), key())
    (found,) = seen_before(store, CLINICIAN, [scan(1).digest])
    assert (found.by_me, found.by_others, found.state) == (True, True, CaseState.READ)
    assert (found.first_sent_at, found.last_sent_at) == (first.submitted_at, again.submitted_at)


def test_a_corrected_copy_and_its_untouched_scan_find_each_other(store):
    untouched = scan(1)
    copy, other_copy = corrected(untouched, 2), corrected(untouched, 3)
    first = keep(store, untouched).case_number
    assert ask(store, copy) == {first: Relation.ORIGIN}
    second = keep(store, copy).case_number
    assert ask(store, untouched) == {first: Relation.SAME, second: Relation.CORRECTED}
    assert ask(store, other_copy) == {first: Relation.ORIGIN, second: Relation.CORRECTED}
    assert ask(store, scan(4)) == {}


def test_frames_of_one_loop_find_each_other(store):
    first = frame(0, seed=1)
    third, fifth = frame(2, first, seed=2), frame(4, first, seed=3)
    sent = keep(store, third).case_number
    assert ask(store, fifth) == {sent: Relation.FRAME}
    assert ask(store, first) == {sent: Relation.FRAME}
    start = keep(store, first).case_number
    assert ask(store, fifth) == {sent: Relation.FRAME, start: Relation.FRAME}
    assert ask(store, third) == {sent: Relation.SAME, start: Relation.FRAME}


def test_a_folder_of_scans_is_asked_about_at_once(store):
    known = keep(store, scan(1)).case_number
    many = [f"{n:064x}" for n in range(2000)]
    (found,) = seen_before(store, CLINICIAN, [*many, scan(1).digest, *many])
    assert found.case_number == known
    assert seen_before(store, CLINICIAN, []) == ()


def test_what_was_said_about_a_scan_is_not_told_by_recognising_it(store):
    keep(store, scan(1))
    (found,) = seen_before(store, COLLEAGUE, [scan(1).digest])
    assert {field.name for field in dataclasses.fields(found)} == {
        "case_number", "digest", "origin", "series", "frame", "first_sent_at", "last_sent_at",
        "by_me", "by_others", "state",
    }  # fmt: skip
