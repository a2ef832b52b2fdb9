"""The queue: what is urgent and old comes first, and nothing in it gives an answer away."""

import dataclasses
from datetime import datetime, timedelta

import pytest
from review_forms import (
    ADMINISTRATOR,
    CLINICIAN,
    COLLEAGUE,
    REVIEWER,
    SECOND,
    ai,
    draft,
    form,
    key,
    scan,
)

from core.errors import PermissionDenied
from core.review import (
    CaseState,
    Origin,
    Problem,
    QueueFilter,
    QueueItem,
    Urgency,
    Verdict,
    close_case,
    list_queue,
    open_case,
    record_blind_read,
    reveal,
    submit_feedback,
)
from core.trust import Person, Role


def send(store, seed, urgency=Urgency.ROUTINE, person=CLINICIAN, **changed):
    return submit_feedback(store, person, form(seed, urgency=urgency, **changed))


def numbers(page):
    return [item.case_number for item in page.items]


def settle(store, number, person=REVIEWER):
    record_blind_read(store, person, number, draft(), key())
    version = reveal(store, person, number).version
    close_case(store, person, number, draft(), key(), version=version)


def test_the_most_urgent_comes_first_and_then_the_longest_waiting(store):
    order = [Urgency.ROUTINE, Urgency.URGENT, Urgency.SOON, Urgency.URGENT, Urgency.ROUTINE]
    sent = [send(store, seed, urgency).case_number for seed, urgency in enumerate(order)]
    page = list_queue(store, REVIEWER)
    assert numbers(page) == [sent[1], sent[3], sent[2], sent[0], sent[4]]
    assert page.total == 5
    assert numbers(list_queue(store, REVIEWER, limit=2, offset=2)) == [sent[2], sent[0]]
    assert list_queue(store, REVIEWER, limit=2, offset=2).total == 5


def test_a_second_clinician_who_finds_it_urgent_moves_the_case_forward(store):
    first, second = send(store, 0), send(store, 1)
    assert numbers(list_queue(store, REVIEWER)) == [first.case_number, second.case_number]
    send(store, 1, Urgency.URGENT, COLLEAGUE)
    send(store, 1, Urgency.ROUTINE, COLLEAGUE)
    item = list_queue(store, REVIEWER).items[0]
    assert (item.case_number, item.urgency) == (second.case_number, Urgency.URGENT)
    assert item.received_at == second.submitted_at
    assert item.feedback_count == 3


def test_a_blind_reader_learns_nothing_from_an_item_of_the_queue():
    names = {field.name for field in dataclasses.fields(QueueItem)}
    assert names == {
        "case_number", "image_digest", "urgency", "received_at", "state", "feedback_count",
        "read_by_me", "sent_by_me",
    }  # fmt: skip


def test_neither_order_nor_filters_change_with_what_the_ai_or_the_clinician_answered(store):
    # The same moment twice is impossible, so the cases differ in everything but the answers'
    # place: whatever the answers are, the order is that of arrival.
    for seed, changed in enumerate(
        [
            {"ai": ai(scan(0), probability=0.01, flagged=False, answer="normal")},
            {"ai": ai(scan(1), probability=0.99)},
            {
                "verdict": Verdict.REJECT,
                "problems": (Problem.FALSE_ALARM,),
                "label": "normal",
                "origin": Origin.BIOPSY,
            },
            {"ai": None, "verdict": None, "label": "malignant", "origin": Origin.BIOPSY},
        ]
    ):
        send(store, seed, **changed)
    assert numbers(list_queue(store, REVIEWER)) == [scan(seed).case_number for seed in range(4)]


def test_filters_keep_what_they_say(store):
    sent = [send(store, n, u) for n, u in enumerate(Urgency)]
    routine, soon, urgent = (receipt.case_number for receipt in sent)
    record_blind_read(store, REVIEWER, soon, draft(), key())

    def kept(**changed):
        page = list_queue(store, REVIEWER, QueueFilter(**changed))
        assert page.total == len(page.items)
        return set(numbers(page))

    assert kept() == {routine, soon, urgent}
    assert kept(urgencies=frozenset({Urgency.SOON, Urgency.URGENT})) == {soon, urgent}
    assert kept(urgencies=frozenset()) == set()
    assert kept(states=frozenset({CaseState.READ})) == {soon}
    assert kept(read_by_me=True) == {soon}
    assert kept(read_by_me=False) == {routine, urgent}
    assert kept(received_after=sent[1].submitted_at) == {soon, urgent}
    assert kept(received_before=sent[1].submitted_at) == {routine}
    assert kept(case_number=f" {soon[:7].lower()} ") == {soon}
    for nothing in ("%", "_", "\\", "\x00", "\ud83d", "左"):
        assert kept(case_number=nothing) == set()


def test_what_i_have_read_is_my_own_affair(store):
    number = send(store, 0).case_number
    record_blind_read(store, REVIEWER, number, draft(), key())
    assert list_queue(store, REVIEWER).items[0].read_by_me
    assert not list_queue(store, SECOND).items[0].read_by_me
    assert list_queue(store, SECOND, QueueFilter(read_by_me=True)).total == 0


def test_a_filter_in_no_time_zone_is_refused_rather_than_guessed(store):
    with pytest.raises(ValueError, match="time zone"):
        list_queue(store, REVIEWER, QueueFilter(received_after=datetime(2026, 1, 1)))


def test_a_moment_of_another_time_zone_filters_the_same(store):
    receipt = send(store, 0)
    earlier = receipt.submitted_at - timedelta(hours=1)
    assert list_queue(store, REVIEWER, QueueFilter(received_after=earlier.astimezone())).total == 1


def test_a_clinician_does_not_see_the_queue_and_an_administrator_does(store):
    send(store, 0)
    with pytest.raises(PermissionDenied):
        list_queue(store, CLINICIAN)
    assert list_queue(store, ADMINISTRATOR).total == 1


def test_the_queue_says_which_cases_i_sent_myself(store):
    number = send(store, 0).case_number
    moved = Person(CLINICIAN.id, CLINICIAN.name, Role.REVIEWER)
    assert list_queue(store, moved).items[0].sent_by_me
    assert not list_queue(store, REVIEWER).items[0].sent_by_me
    with pytest.raises(PermissionDenied, match="somebody else reviews it"):
        open_case(store, moved, number)


def test_a_settled_case_leaves_the_queue_until_somebody_sends_feedback_again(store):
    number = send(store, 0, Urgency.URGENT).case_number
    settle(store, number)
    assert list_queue(store, REVIEWER).total == 0
    closed = QueueFilter(states=frozenset({CaseState.CLOSED}))
    assert numbers(list_queue(store, REVIEWER, closed)) == [number]
    again = send(store, 0, Urgency.SOON, COLLEAGUE)
    (item,) = list_queue(store, REVIEWER).items
    # Back as it comes in now: not urgent for ever, and waiting since now.
    assert (item.state, item.urgency) == (CaseState.OPEN, Urgency.SOON)
    assert item.received_at == again.submitted_at
    assert item.feedback_count == 2
