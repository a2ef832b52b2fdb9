"""Sending feedback: once, whole, and bound to the scan it is about."""

import pytest
from review_forms import (
    ADMINISTRATOR,
    CLINICIAN,
    COLLEAGUE,
    REVIEWER,
    ai,
    assert_projection_equals_history,
    draft,
    form,
    key,
    run_at_once,
    scan,
)
from sqlalchemy import func, insert, select, update

from core.errors import (
    InvalidFeedback,
    PermissionDenied,
    StateConflict,
    StoreError,
    StoreUnavailable,
)
from core.review import (
    CaseState,
    EventKind,
    Origin,
    Problem,
    Urgency,
    Verdict,
    close_case,
    image_facts,
    list_queue,
    my_submissions,
    open_case,
    rebuild_projection,
    record_blind_read,
    reveal,
    submit_feedback,
)
from core.scan import encode_png, restore_scan
from core.settings import Settings
from core.store import Store, schema


def count(store, table):
    with store.reading() as connection:
        return connection.execute(select(func.count()).select_from(table)).scalar_one()


def revealed(store, number):
    record_blind_read(store, REVIEWER, number, draft(), key())
    return reveal(store, REVIEWER, number)


def test_everything_on_the_form_and_behind_the_answer_is_kept(store):
    of = scan()
    square = ((1.0, 1.0), (9.5, 1.0), (9.5, 9.25))
    sent = form(
        verdict=Verdict.REJECT,
        label="benign",
        origin=Origin.FOLLOW_UP,
        confidence=2,
        problems=(Problem.WRONG_CLASS, Problem.WRONG_OUTLINE),
        urgency=Urgency.SOON,
        comment="  Verbatim: 左乳 <b>%s</b> {x} 'quote\n",
        regions=(square,),
        region_image=of.digest,
    )
    receipt = submit_feedback(store, CLINICIAN, sent)
    assert (receipt.case_number, receipt.created) == (of.case_number, True)
    (entry,) = revealed(store, of.case_number).feedback
    assert entry.ai == ai(of)
    assert entry.ai.labels == ("normal", "benign", "malignant")
    assert entry.id == receipt.feedback_id
    assert entry.submitted_at == receipt.submitted_at
    assert (entry.person_id, entry.person_name) == (CLINICIAN.id, CLINICIAN.name)
    for name in ("verdict", "label", "origin", "confidence", "problems", "urgency", "comment",
                 "regions", "outline_accepted"):  # fmt: skip
        assert getattr(entry, name) == getattr(sent, name)


def test_with_the_model_down_the_own_read_is_still_taken(store):
    sent = form(ai=None, verdict=None, label="malignant", origin=Origin.OPINION, confidence=5)
    receipt = submit_feedback(store, CLINICIAN, sent)
    view = revealed(store, receipt.case_number)
    assert view.reads == ()
    assert view.feedback[0].label == "malignant"


def test_the_stored_pixels_are_the_scan_that_was_judged(store):
    of = scan(3)
    receipt = submit_feedback(store, CLINICIAN, form(3))
    view = open_case(store, REVIEWER, receipt.case_number)
    again = restore_scan(view.png, modality=view.image.modality, spacing=view.image.spacing)
    assert again.digest == of.digest
    assert view.image == image_facts(of)


def test_pixels_of_another_scan_are_refused_even_at_the_same_size(store, settings):
    with pytest.raises(InvalidFeedback, match="pixels"):
        submit_feedback(store, CLINICIAN, form(0, png=encode_png(scan(1))))
    assert count(store, schema.feedback) == 0
    assert not settings.blobs.exists()


@pytest.mark.parametrize("person", [REVIEWER, ADMINISTRATOR])
def test_only_a_clinician_sends_feedback(store, person):
    with pytest.raises(PermissionDenied):
        submit_feedback(store, person, form())
    with pytest.raises(PermissionDenied):
        my_submissions(store, person)
    assert count(store, schema.feedback) == 0


def test_a_double_click_or_a_reload_makes_no_second_entry(store):
    sent = form()
    first = submit_feedback(store, CLINICIAN, sent)
    second = submit_feedback(store, CLINICIAN, sent)
    assert (first.created, second.created) == (True, False)
    assert (first.feedback_id, first.submitted_at) == (second.feedback_id, second.submitted_at)
    assert count(store, schema.feedback) == count(store, schema.reads) == 1
    assert list_queue(store, REVIEWER).items[0].feedback_count == 1


def test_a_reload_that_reads_the_scan_again_is_still_the_same_submission(store):
    sent = form()
    submit_feedback(store, CLINICIAN, sent)
    warm = form(submission_key=sent.submission_key, ai=ai(scan(), probability=0.7000001))
    assert not submit_feedback(store, CLINICIAN, warm).created


def test_going_back_to_what_was_said_first_is_a_third_entry(store):
    for comment in ("first", "second", "first"):
        assert submit_feedback(store, CLINICIAN, form(comment=comment)).created
    assert not submit_feedback(store, CLINICIAN, form(comment="first")).created
    with store.reading() as connection:
        said = connection.execute(select(schema.feedback.c.comment).order_by(schema.feedback.c.id))
        assert list(said.scalars()) == ["first", "second", "first"]
    assert list_queue(store, REVIEWER).items[0].feedback_count == 3
    assert_projection_equals_history(store)


def test_the_same_as_the_latest_is_one_entry_whoever_else_wrote_in_between(store):
    first = submit_feedback(store, CLINICIAN, form(comment="the same"))
    assert submit_feedback(store, COLLEAGUE, form(comment="the same")).created
    again = submit_feedback(store, CLINICIAN, form(comment="the same"))
    assert (again.created, again.feedback_id) == (False, first.feedback_id)
    assert again.submitted_at == first.submitted_at
    assert count(store, schema.feedback) == 2


def test_the_same_feedback_after_the_case_was_settled_opens_it_again(store):
    number = submit_feedback(store, CLINICIAN, form(comment="the same")).case_number
    seen = revealed(store, number)
    close_case(store, REVIEWER, number, draft(), key(), version=seen.version)
    assert submit_feedback(store, CLINICIAN, form(comment="the same")).created
    assert open_case(store, REVIEWER, number).state is not CaseState.CLOSED
    kinds = [event.kind for event in reveal(store, REVIEWER, number).events]
    assert EventKind.REOPENED in kinds
    assert not submit_feedback(store, CLINICIAN, form(comment="the same")).created
    assert count(store, schema.feedback) == 2
    assert_projection_equals_history(store)


def test_a_form_changed_after_it_was_saved_is_not_said_to_be_saved(store):
    sent = form(comment="first")
    submit_feedback(store, CLINICIAN, sent)
    for changed, person in (
        (form(submission_key=sent.submission_key, comment="second"), CLINICIAN),
        (form(1, submission_key=sent.submission_key, comment="first"), CLINICIAN),
        (sent, COLLEAGUE),
    ):
        with pytest.raises(StateConflict, match="not saved"):
            submit_feedback(store, person, changed)
    assert count(store, schema.feedback) == 1


def test_two_clicks_at_the_very_same_time_make_one_entry(store):
    sent = form()
    receipts = run_at_once(*[lambda: submit_feedback(store, CLINICIAN, sent)] * 4)
    assert sorted(receipt.created for receipt in receipts) == [False, False, False, True]
    assert len({receipt.feedback_id for receipt in receipts}) == 1
    assert count(store, schema.feedback) == count(store, schema.reads) == 1
    assert count(store, schema.case_events) == 1


def test_the_same_key_on_two_scans_at_the_same_time_saves_one_and_says_so_of_the_other(store):
    shared = key()
    results = run_at_once(
        *[
            lambda seed=seed: submit_feedback(store, CLINICIAN, form(seed, submission_key=shared))
            for seed in (0, 1)
        ]
    )
    assert sum(isinstance(result, StoreError | StateConflict) for result in results) == 1
    assert count(store, schema.feedback) == 1


def test_eight_clinicians_who_send_at_once_all_get_their_receipt(store):
    forms = [form(n % 3, comment=str(n)) for n in range(8)]
    receipts = run_at_once(
        *[
            lambda n=n: submit_feedback(store, (CLINICIAN, COLLEAGUE)[n % 2], forms[n])
            for n in range(8)
        ]
    )
    assert all(receipt.created for receipt in receipts)
    assert count(store, schema.feedback) == 8
    items = list_queue(store, REVIEWER).items
    assert sorted(item.feedback_count for item in items) == [2, 3, 3]
    assert_projection_equals_history(store)


def test_a_broken_projection_is_rebuilt_from_what_was_said(store):
    for seed, urgency in ((0, Urgency.SOON), (1, Urgency.URGENT), (2, Urgency.ROUTINE)):
        submit_feedback(store, CLINICIAN, form(seed, urgency=urgency))
    record_blind_read(store, REVIEWER, scan(1).case_number, draft(), key())
    query = select(schema.cases).order_by(schema.cases.c.image_digest)
    with store.reading() as connection:
        right = connection.execute(query).all()
    with store.writing() as connection:
        connection.execute(
            update(schema.cases).values(state="closed", urgency="routine", rank=9, version=0)
        )
        connection.execute(
            schema.cases.delete().where(schema.cases.c.image_digest == scan(0).digest)
        )
    assert rebuild_projection(store) == 3
    with store.reading() as connection:
        assert connection.execute(query).all() == right


def test_a_failed_save_leaves_no_entry_and_the_same_form_can_be_sent_again(store, settings):
    sent = form()
    other = image_facts(scan(1))
    # Another image has this case number already, so the step fails half-way.
    with store.writing() as connection:
        connection.execute(
            insert(schema.images).values(
                digest=other.digest, case_number=sent.image.case_number, width=1, height=1,
                channels=1, modality="US", frames=1, synthetic=True, blob="0" * 64,
                created_at=func.now(),
            )
        )  # fmt: skip
    with pytest.raises(StoreError):
        submit_feedback(store, CLINICIAN, sent)
    for table in (schema.feedback, schema.reads, schema.case_events, schema.cases):
        assert count(store, table) == 0
    # The pixels lie there, unreferenced and harmless.
    assert len([path for path in settings.blobs.rglob("*") if path.is_file()]) == 1


def test_pixels_that_cannot_be_stored_leave_no_entry_that_lacks_them(store, settings):
    settings.blobs.parent.mkdir(exist_ok=True)
    settings.blobs.write_text("in the way")
    sent = form()
    with pytest.raises(StoreUnavailable):
        submit_feedback(store, CLINICIAN, sent)
    assert count(store, schema.feedback) == count(store, schema.images) == 0
    settings.blobs.unlink()
    assert submit_feedback(store, CLINICIAN, sent).created


def test_a_store_that_is_down_keeps_the_form_for_another_try(postgresql, tmp_path):
    address = postgresql.migrated()
    down = Store.open(
        Settings(var=tmp_path, database_url=address.replace("127.0.0.1", "127.0.0.2"))
    )
    sent = form()
    with pytest.raises(StoreUnavailable, match="Nothing was saved"):
        submit_feedback(down, CLINICIAN, sent)
    up = Store.open(Settings(var=tmp_path, database_url=address))
    assert submit_feedback(up, CLINICIAN, sent).created
    up.close()


def test_nothing_but_decoded_pixels_reaches_the_disk(store, settings):
    submit_feedback(store, CLINICIAN, form())
    (path,) = (path for path in settings.blobs.rglob("*") if path.is_file())
    assert path.read_bytes() == encode_png(scan())


def test_a_clinician_sees_that_it_was_received_and_where_it_stands(store):
    first = submit_feedback(store, CLINICIAN, form(0, urgency=Urgency.URGENT))
    second = submit_feedback(store, CLINICIAN, form(1))
    submit_feedback(store, COLLEAGUE, form(2))
    record_blind_read(store, REVIEWER, first.case_number, draft(), key())
    mine = my_submissions(store, CLINICIAN)
    assert [entry.feedback_id for entry in mine] == [second.feedback_id, first.feedback_id]
    assert [entry.state for entry in mine] == [CaseState.OPEN, CaseState.READ]
    assert mine[1].urgency is Urgency.URGENT
    assert mine[1].submitted_at == first.submitted_at
    assert my_submissions(store, CLINICIAN, limit=1, offset=1) == mine[1:]
