"""What an administrator sets is kept with who, when and why, and nobody else can set it."""

import threading
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from core.errors import InvalidPrevalence, PermissionDenied, StoreError
from core.model import prevalence_history, set_site_prevalence, site_prevalence
from core.trust import Person, Role, demo_people

CLINICIAN, REVIEWER, ADMINISTRATOR = demo_people()
TASK = "breast-ultrasound"


def put(store, share, reason="Audit of 2025", *, after=None, person=ADMINISTRATOR, task=TASK):
    return set_site_prevalence(store, person, task, share, reason, after=after)


def test_nothing_is_in_force_before_anybody_said_so(store):
    assert site_prevalence(store, TASK) is None
    assert prevalence_history(store, ADMINISTRATOR, TASK) == ()


def test_what_was_set_is_in_force_with_who_when_and_why(store):
    made = put(store, 0.02, "  Screening programme, 2025 ")
    found = site_prevalence(store, TASK)
    assert found == made
    assert (found.share, found.reason) == (0.02, "Screening programme, 2025")
    assert found.person_name == ADMINISTRATOR.name
    assert abs(found.at - datetime.now(UTC)) < timedelta(minutes=1)


def test_each_task_has_its_own(store):
    put(store, 0.02)
    put(store, 0.4, task="other")
    assert site_prevalence(store, TASK).share == 0.02
    assert site_prevalence(store, "other").share == 0.4


def test_the_newest_counts_and_what_was_in_force_before_stays_told(store):
    first = put(store, 0.02)
    second = put(store, 0.03, "New audit", after=first.id)
    taken_back = put(store, None, "The audit was wrong", after=second.id)
    assert site_prevalence(store, TASK) is None
    history = prevalence_history(store, ADMINISTRATOR, TASK)
    assert [entry.share for entry in history] == [None, 0.03, 0.02]
    assert history[0] == taken_back


@pytest.mark.parametrize("person", [CLINICIAN, REVIEWER])
def test_nobody_but_an_administrator_sets_it_or_sees_who_did(store, person):
    with pytest.raises(PermissionDenied):
        put(store, 0.02, person=person)
    with pytest.raises(PermissionDenied):
        prevalence_history(store, person, TASK)
    assert site_prevalence(store, TASK) is None


@pytest.mark.parametrize("share", [0.0, 0.0009, 0.991, 1.0, -0.1, 5.0, float("nan"), float("inf")])
def test_a_share_that_cannot_be_is_refused(store, share):
    with pytest.raises(InvalidPrevalence, match=r"0\.1 to 99"):
        put(store, share)
    assert prevalence_history(store, ADMINISTRATOR, TASK) == ()


@pytest.mark.parametrize("reason", ["", "   ", "x" * 501, "a\x00b", "\ud800"])
def test_a_reason_is_needed_and_must_be_storable(store, reason):
    with pytest.raises(InvalidPrevalence) as refused:
        put(store, 0.05, reason)
    assert "\n" not in str(refused.value)
    assert prevalence_history(store, ADMINISTRATOR, TASK) == ()


@pytest.mark.parametrize("share", [0.001, 0.99])
def test_the_ends_of_the_range_belong_to_it(store, share):
    put(store, share)
    assert site_prevalence(store, TASK).share == share


def test_a_double_click_makes_one_entry(store):
    first = put(store, 0.05)
    assert put(store, 0.05) == first
    assert len(prevalence_history(store, ADMINISTRATOR, TASK)) == 1


def test_what_a_colleague_set_meanwhile_is_not_overruled_unseen(store):
    colleague = Person("second", "Second administrator", Role.ADMINISTRATOR)
    put(store, 0.05, person=colleague)
    with pytest.raises(InvalidPrevalence, match="meanwhile"):
        put(store, 0.02)
    # The same number by another person is theirs, too.
    with pytest.raises(InvalidPrevalence, match="meanwhile"):
        put(store, 0.05)
    assert site_prevalence(store, TASK).share == 0.05


def test_of_two_who_set_it_at_once_exactly_one_wins(store):
    people = [Person(f"a{i}", f"Administrator {i}", Role.ADMINISTRATOR) for i in range(4)]
    ready, outcomes = threading.Barrier(4), []

    def one(i):
        ready.wait()
        try:
            outcomes.append(put(store, 0.01 * (i + 1), person=people[i]).share)
        except InvalidPrevalence:
            outcomes.append(None)

    threads = [threading.Thread(target=one, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    won = [share for share in outcomes if share is not None]
    assert len(outcomes) == 4
    assert won == [site_prevalence(store, TASK).share]


def test_the_database_refuses_to_change_or_forget_an_entry(store):
    put(store, 0.05)
    for statement in ("UPDATE site_prevalences SET share = 0.9", "DELETE FROM site_prevalences"):
        with pytest.raises(StoreError), store.writing() as connection:
            connection.execute(text(statement))
    assert site_prevalence(store, TASK).share == 0.05
