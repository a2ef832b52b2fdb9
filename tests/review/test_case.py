"""One case from blind read to settled label: nobody sees too early, nobody overwrites anybody."""

import dataclasses

import pytest
from review_forms import (
    ADMINISTRATOR,
    CLINICIAN,
    COLLEAGUE,
    REVIEWER,
    SECOND,
    assert_projection_equals_history,
    draft,
    form,
    key,
    run_at_once,
    scan,
)
from sqlalchemy import func, select

from core.errors import (
    BlobMissing,
    CaseNotFound,
    InvalidFeedback,
    NotYetRead,
    PermissionDenied,
    StateConflict,
)
from core.review import (
    CaseState,
    CaseView,
    EventKind,
    Origin,
    Problem,
    Stage,
    Urgency,
    Verdict,
    add_comment,
    close_case,
    open_case,
    record_blind_read,
    reveal,
    revise_label,
    settled_label,
    submit_feedback,
)
from core.store import schema
from core.trust import Person, Role


@pytest.fixture
def number(store):
    sent = form(
        verdict=Verdict.REJECT,
        label="benign",
        origin=Origin.OPINION,
        problems=(Problem.FALSE_ALARM,),
        urgency=Urgency.URGENT,
        comment="secret-of-the-clinician",
    )
    return submit_feedback(store, CLINICIAN, sent).case_number


def read(store, number, person=REVIEWER, label="benign"):
    return record_blind_read(store, person, number, draft(label), key())


def kinds(revealed):
    return [event.kind for event in revealed.events]


def test_before_the_own_read_a_reviewer_sees_the_image_and_no_answer(store, number):
    view = open_case(store, REVIEWER, number)
    assert view.image.digest == scan().digest
    assert view.labels == ("normal", "benign", "malignant")
    assert view.own_read is None
    assert {field.name for field in dataclasses.fields(CaseView)} == {
        "case_number", "image", "png", "labels", "state", "urgency", "received_at", "version",
        "own_read", "facts",
    }  # fmt: skip
    assert "secret-of-the-clinician" not in repr(view)


def test_nothing_is_revealed_before_the_own_read_is_saved(store, number):
    for person in (REVIEWER, SECOND):
        with pytest.raises(NotYetRead):
            reveal(store, person, number)
    read(store, number)
    assert reveal(store, REVIEWER, number).feedback[0].comment == "secret-of-the-clinician"
    # Somebody else's read opens nothing for me.
    with pytest.raises(NotYetRead):
        reveal(store, SECOND, number)
    assert open_case(store, SECOND, number).own_read is None


def test_nothing_can_be_said_about_a_case_before_the_own_read(store, number):
    version = open_case(store, REVIEWER, number).version
    with pytest.raises(NotYetRead):
        revise_label(store, REVIEWER, number, draft(), key(), version=version)
    with pytest.raises(NotYetRead):
        close_case(store, REVIEWER, number, draft(), key(), version=version)
    with pytest.raises(NotYetRead):
        add_comment(store, REVIEWER, number, "hello", key())
    assert open_case(store, REVIEWER, number).version == version


def test_an_own_read_that_nobody_compared_with_is_not_revised(store, number):
    read(store, number)
    version = open_case(store, REVIEWER, number).version
    with pytest.raises(NotYetRead, match="Reveal"):
        revise_label(store, REVIEWER, number, draft(), key(), version=version)


@pytest.mark.parametrize("person", [CLINICIAN, COLLEAGUE, ADMINISTRATOR])
def test_neither_clinicians_nor_administrators_get_into_a_case(store, number, person):
    read(store, number)
    version = open_case(store, REVIEWER, number).version
    steps = [
        lambda: open_case(store, person, number),
        lambda: read(store, number, person),
        lambda: reveal(store, person, number),
        lambda: revise_label(store, person, number, draft(), key(), version=version),
        lambda: add_comment(store, person, number, "hello", key()),
        lambda: close_case(store, person, number, draft(), key(), version=version),
    ]
    for step in steps:
        with pytest.raises(PermissionDenied):
            step()
    assert open_case(store, REVIEWER, number).version == version


def test_nobody_reviews_a_case_they_sent_feedback_on(store, number):
    moved = Person(CLINICIAN.id, CLINICIAN.name, Role.REVIEWER)
    version = open_case(store, REVIEWER, number).version
    steps = [
        lambda: open_case(store, moved, number),
        lambda: read(store, number, moved),
        lambda: reveal(store, moved, number),
        lambda: revise_label(store, moved, number, draft(), key(), version=version),
        lambda: add_comment(store, moved, number, "hello", key()),
        lambda: close_case(store, moved, number, draft(), key(), version=version),
    ]
    for step in steps:
        with pytest.raises(PermissionDenied, match="somebody else"):
            step()


@pytest.mark.parametrize("typed", ["00000-00000", "", "%", "\x00", "\ud83d", "左", "x" * 5000])
def test_a_number_that_is_none_finds_no_case(store, number, typed):
    with pytest.raises(CaseNotFound):
        open_case(store, REVIEWER, typed)
    with pytest.raises(CaseNotFound):
        settled_label(store, typed)


def test_a_case_goes_from_waiting_to_settled_and_every_step_is_kept(store, number):
    assert open_case(store, REVIEWER, number).state is CaseState.OPEN
    own = read(store, number, label="malignant")
    assert open_case(store, REVIEWER, number).state is CaseState.READ
    assert open_case(store, REVIEWER, number).own_read == own
    seen = reveal(store, REVIEWER, number)
    assert seen.state is CaseState.REVEALED
    revised = revise_label(store, REVIEWER, number, draft("benign"), key(), version=seen.version)
    assert revised.stage is Stage.REVISED
    comment = add_comment(store, REVIEWER, number, "shadow, <i>not</i> a lesion\n", key())
    assert comment.comment == "shadow, <i>not</i> a lesion\n"
    assert settled_label(store, number) is None
    seen = reveal(store, REVIEWER, number)
    label = close_case(
        store, REVIEWER, number, draft("benign", origin=Origin.BIOPSY, confidence=5), key(),
        version=seen.version,
    )  # fmt: skip
    assert (label.label, label.origin, label.confidence) == ("benign", Origin.BIOPSY, 5)
    assert (label.case_number, label.image_digest) == (number, scan().digest)
    assert (label.person_id, label.person_name) == (REVIEWER.id, REVIEWER.name)
    assert settled_label(store, number) == label
    after = reveal(store, REVIEWER, number)
    assert after.settled == label
    assert after.state is CaseState.CLOSED
    assert [entry.stage for entry in after.entries] == [Stage.BLIND, Stage.REVISED, Stage.FINAL]
    # The blind read stays what it was, whatever was seen afterwards.
    assert after.own_read == own
    assert kinds(after) == [
        EventKind.RECEIVED,
        EventKind.BLIND_READ,
        EventKind.REVEALED,
        EventKind.REVISED,
        EventKind.COMMENTED,
        EventKind.CLOSED,
    ]
    assert label.settled_at == after.events[-1].at
    assert label.settled_at.utcoffset().total_seconds() == 0
    assert_projection_equals_history(store)


def test_an_opinion_never_enters_a_frozen_test_set(store, number):
    read(store, number)
    version = reveal(store, REVIEWER, number).version
    label = close_case(store, REVIEWER, number, draft(), key(), version=version)
    assert label.origin is Origin.OPINION
    assert not label.may_be_tested_on
    others = {origin for origin in Origin if origin is not Origin.OPINION}
    assert {
        origin for origin in Origin if dataclasses.replace(label, origin=origin).may_be_tested_on
    } == others


def test_looking_again_is_noted_once(store, number):
    read(store, number)
    first = reveal(store, REVIEWER, number)
    second = reveal(store, REVIEWER, number)
    assert first == second
    assert kinds(second).count(EventKind.REVEALED) == 1


def test_a_blind_read_sent_twice_is_saved_once(store, number):
    once = key()
    first = record_blind_read(store, REVIEWER, number, draft(), once)
    assert record_blind_read(store, REVIEWER, number, draft(), once) == first
    with pytest.raises(StateConflict, match="not saved"):
        record_blind_read(store, REVIEWER, number, draft("malignant"), once)
    with pytest.raises(StateConflict, match="saved already"):
        record_blind_read(store, REVIEWER, number, draft("malignant"), key())
    assert open_case(store, REVIEWER, number).own_read == first


def test_every_step_sent_twice_is_saved_once(store, number):
    read(store, number)
    version = reveal(store, REVIEWER, number).version
    keys = [key() for _ in range(3)]
    for _ in range(2):
        revise_label(store, REVIEWER, number, draft(), keys[0], version=version)
    for _ in range(2):
        add_comment(store, REVIEWER, number, "once", keys[1])
    version = reveal(store, REVIEWER, number).version
    labels = {
        close_case(store, REVIEWER, number, draft(), keys[2], version=version) for _ in range(2)
    }
    assert len(labels) == 1
    assert len(reveal(store, REVIEWER, number).events) == 6
    with pytest.raises(StateConflict):
        add_comment(store, REVIEWER, number, "other words", keys[1])


def test_two_clicks_at_once_save_one_blind_read(store, number):
    once = key()
    entries = run_at_once(*[lambda: record_blind_read(store, REVIEWER, number, draft(), once)] * 3)
    assert len({entry.id for entry in entries}) == 1
    results = run_at_once(*[lambda: reveal(store, REVIEWER, number)] * 3)
    assert len({result.version for result in results}) == 1
    assert kinds(reveal(store, REVIEWER, number)).count(EventKind.REVEALED) == 1


def test_two_reviewers_read_the_same_case_blind_and_both_reads_are_kept(store, number):
    results = run_at_once(
        lambda: read(store, number, REVIEWER, "benign"),
        lambda: read(store, number, SECOND, "malignant"),
    )
    assert {entry.label for entry in results} == {"benign", "malignant"}
    assert {e.person_id for e in reveal(store, SECOND, number).entries} == {REVIEWER.id, SECOND.id}
    assert_projection_equals_history(store)


def test_when_two_close_a_case_the_second_is_told_and_the_first_label_stands(store, number):
    for person in (REVIEWER, SECOND):
        read(store, number, person)
    versions = {person: reveal(store, person, number).version for person in (REVIEWER, SECOND)}
    # That somebody else looked is no reason to look again.
    assert len(set(versions.values())) == 1
    results = run_at_once(
        *[
            lambda person=person, label=label: close_case(
                store, person, number, draft(label), key(), version=versions[person]
            )
            for person, label in ((REVIEWER, "benign"), (SECOND, "malignant"))
        ]
    )
    (refused,) = [result for result in results if isinstance(result, StateConflict)]
    (label,) = [result for result in results if not isinstance(result, Exception)]
    assert "not saved" in str(refused)
    assert settled_label(store, number) == label
    assert kinds(reveal(store, REVIEWER, number)).count(EventKind.CLOSED) == 1


def test_a_case_that_moved_on_is_not_closed_unseen(store, number):
    read(store, number)
    version = reveal(store, REVIEWER, number).version
    submit_feedback(store, COLLEAGUE, form(comment="there is a second lesion"))
    with pytest.raises(StateConflict, match="Look again"):
        close_case(store, REVIEWER, number, draft(), key(), version=version)
    with pytest.raises(StateConflict, match="Look again"):
        revise_label(store, REVIEWER, number, draft(), key(), version=version)
    seen = reveal(store, REVIEWER, number)
    assert seen.feedback[-1].comment == "there is a second lesion"
    close_case(store, REVIEWER, number, draft(), key(), version=seen.version)


def test_nothing_more_is_labelled_on_a_closed_case_but_comments_go_on(store, number):
    read(store, number)
    version = reveal(store, REVIEWER, number).version
    close_case(store, REVIEWER, number, draft(), key(), version=version)
    version = reveal(store, REVIEWER, number).version
    with pytest.raises(StateConflict, match="closed"):
        read(store, number, SECOND)
    with pytest.raises(StateConflict, match="closed"):
        revise_label(store, REVIEWER, number, draft(), key(), version=version)
    with pytest.raises(StateConflict, match="closed"):
        close_case(store, REVIEWER, number, draft(), key(), version=version)
    add_comment(store, REVIEWER, number, "histology came back", key())
    assert reveal(store, REVIEWER, number).state is CaseState.CLOSED


def test_new_feedback_opens_a_settled_case_again_and_keeps_its_history(store, number):
    read(store, number)
    version = reveal(store, REVIEWER, number).version
    close_case(store, REVIEWER, number, draft("benign"), key(), version=version)
    submit_feedback(store, COLLEAGUE, form(comment="biopsy was positive"))
    assert settled_label(store, number) is None
    view = open_case(store, REVIEWER, number)
    assert view.state is CaseState.OPEN
    # One is blind to an image only once: the first read still stands and may reveal at once.
    assert view.own_read is not None
    with pytest.raises(StateConflict):
        read(store, number)
    seen = reveal(store, REVIEWER, number)
    assert seen.state is CaseState.REVEALED
    assert kinds(seen)[-3:] == [EventKind.REOPENED, EventKind.RECEIVED, EventKind.REVEALED]
    close_case(store, REVIEWER, number, draft("malignant"), key(), version=seen.version)
    assert settled_label(store, number).label == "malignant"
    after = reveal(store, REVIEWER, number)
    finals = [entry.label for entry in after.entries if entry.stage is Stage.FINAL]
    assert finals == ["benign", "malignant"]
    assert_projection_equals_history(store)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (draft("cyst"), "classes"),
        (draft(regions=(((1, 1), (99, 1), (5, 5)),)), "outside"),
    ],
)
def test_a_label_that_does_not_fit_the_case_is_refused_and_nothing_saved(
    store, number, wrong, says
):
    with pytest.raises(InvalidFeedback, match=says):
        record_blind_read(store, REVIEWER, number, wrong, key())
    assert open_case(store, REVIEWER, number).own_read is None


@pytest.mark.parametrize("comment", ["", "  \n", "a\x00b", "c" * 4001, "\udc00"])
def test_a_comment_that_says_nothing_or_cannot_be_kept_is_refused(store, number, comment):
    read(store, number)
    with pytest.raises(InvalidFeedback):
        add_comment(store, REVIEWER, number, comment, key())


def test_regions_the_reviewer_draws_are_kept(store, number):
    region = ((1.0, 1.0), (9.5, 1.0), (9.5, 9.0))
    record_blind_read(store, REVIEWER, number, draft(regions=(region,)), key())
    assert open_case(store, REVIEWER, number).own_read.regions == (region,)


def test_a_case_whose_image_is_gone_says_so_instead_of_showing_another(store, settings, number):
    for path in settings.blobs.rglob("*"):
        if path.is_file():
            path.unlink()
    with pytest.raises(BlobMissing, match="backup"):
        open_case(store, REVIEWER, number)


def test_a_refused_step_leaves_no_trace(store, number):
    with store.reading() as connection:
        before = connection.execute(
            select(func.count()).select_from(schema.case_events)
        ).scalar_one()
    with pytest.raises(NotYetRead):
        reveal(store, REVIEWER, number)
    with store.reading() as connection:
        events = connection.execute(select(func.count()).select_from(schema.case_events))
        assert events.scalar_one() == before
        people = connection.scalars(select(schema.people.c.id)).all()
    assert people == [CLINICIAN.id]
