"""Roles: nobody gets past what their work needs."""

import itertools

import pytest

from core.errors import PermissionDenied
from core.store import schema
from core.trust import Permission, Person, Role, demo_people, permissions_of, remember, require


def person(role: Role) -> Person:
    return Person("p1", "Somebody", role)


def test_a_clinician_cannot_review_or_settle_their_own_opinion():
    for permission in (Permission.SEE_QUEUE, Permission.REVIEW, Permission.SETTLE):
        with pytest.raises(PermissionDenied):
            require(person(Role.CLINICIAN), permission)


def test_a_reviewer_cannot_ask_the_model_about_a_case_to_be_read_blind():
    for permission in (Permission.READ_SCANS, Permission.SEND_FEEDBACK):
        with pytest.raises(PermissionDenied):
            require(person(Role.REVIEWER), permission)


def test_an_administrator_sees_the_queue_but_no_case_and_labels_nothing():
    require(person(Role.ADMINISTRATOR), Permission.SEE_QUEUE)
    require(person(Role.ADMINISTRATOR), Permission.MANAGE)
    for permission in (Permission.REVIEW, Permission.SETTLE, Permission.SEND_FEEDBACK):
        with pytest.raises(PermissionDenied):
            require(person(Role.ADMINISTRATOR), permission)


def test_no_role_both_sends_feedback_and_settles_it():
    for role in Role:
        assert not {Permission.SEND_FEEDBACK, Permission.SETTLE} <= permissions_of(role)


def test_every_permission_is_held_by_somebody():
    held = set(itertools.chain.from_iterable(permissions_of(role) for role in Role))
    assert held == set(Permission)


def test_the_refusal_does_not_repeat_who_asked():
    with pytest.raises(PermissionDenied) as refused:
        require(Person("id-17", "Jane Roe", Role.CLINICIAN), Permission.MANAGE)
    assert "Jane" not in str(refused.value)
    assert "id-17" not in str(refused.value)


def test_the_demo_has_one_person_of_each_role_whose_entries_stay_theirs():
    people = demo_people()
    assert [p.role for p in people] == [Role.CLINICIAN, Role.REVIEWER, Role.ADMINISTRATOR]
    assert [p.id for p in people] == ["demo-clinician", "demo-reviewer", "demo-administrator"]


def test_remembering_somebody_twice_keeps_one_person(store):
    for _ in range(2):
        with store.writing() as connection:
            remember(connection, demo_people()[0])
    with store.reading() as connection:
        rows = connection.execute(schema.people.select()).all()
    assert [(row.id, row.role) for row in rows] == [("demo-clinician", "clinician")]
    assert rows[0].created_at.utcoffset().total_seconds() == 0
