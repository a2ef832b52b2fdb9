"""The feedback form: nothing typed is lost, nothing is saved twice, nothing is claimed falsely."""

from __future__ import annotations

from pathlib import Path

import pytest
from page_tools import READ, SENT, key, reading, scan_bytes, set_, shown, sign_in, upload, words
from streamlit.testing.v1 import AppTest

from core.review import Origin, Problem, QueueFilter, Urgency, Verdict, list_queue
from core.trust import demo_people
from core.ui import service

ROOT = Path(__file__).resolve().parents[2]
REVIEWER = demo_people()[1]


@pytest.fixture
def read(clinician: AppTest) -> AppTest:
    """A clinician with one scan on screen, read by the model."""
    return upload(clinician, ("a.png", scan_bytes(1)))


def fill(app: AppTest) -> None:
    """Fill in a whole form."""
    set_(app, "feedback", "verdict", Verdict.REJECT)
    set_(app, "feedback", "label", "benign")
    set_(app, "feedback", "origin", Origin.BIOPSY)
    set_(app, "feedback", "confidence", 4)
    set_(app, "feedback", "problems", [Problem.WRONG_CLASS])
    set_(app, "feedback", "urgency", Urgency.URGENT)
    set_(app, "feedback", "comment", "**bold** <script>alert(1)</script>")


def send(app: AppTest) -> None:
    app.button(key=f"send-{shown(app).digest[:16]}").click().run()
    assert not app.exception


def waiting() -> int:
    return list_queue(service.store(), REVIEWER, QueueFilter(), limit=10, offset=0).total


def test_what_was_sent_is_in_the_queue_with_its_case_number(read: AppTest) -> None:
    fill(read)
    send(read)
    case = shown(read).scan.case_number
    assert f"Saved: your feedback on case {case}" in words(read)
    items = list_queue(service.store(), REVIEWER, QueueFilter(), limit=10, offset=0).items
    assert [(item.case_number, item.urgency) for item in items] == [(case, Urgency.URGENT)]


def test_a_double_click_makes_one_entry(read: AppTest) -> None:
    fill(read)
    send(read)
    send(read)
    assert "Already saved" in words(read)
    assert waiting() == 1
    items = list_queue(service.store(), REVIEWER, QueueFilter(), limit=10, offset=0).items
    assert items[0].feedback_count == 1


def test_a_reload_and_the_same_feedback_again_makes_one_entry(
    read: AppTest, fresh_server: None
) -> None:
    fill(read)
    send(read)
    again = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    upload(sign_in(again.run(), "clinician"), ("renamed.png", scan_bytes(1)))
    fill(again)
    send(again)
    assert "Already saved" in words(again)
    items = list_queue(service.store(), REVIEWER, QueueFilter(), limit=10, offset=0).items
    assert [item.feedback_count for item in items] == [1]


def test_an_incomplete_form_names_what_is_missing_and_saves_nothing(read: AppTest) -> None:
    set_(read, "feedback", "comment", "typed before anything else")
    send(read)
    assert len(read.error) == 1
    assert waiting() == 0
    assert read.get_by_key(key(read, "feedback", "comment")).value == "typed before anything else"


def test_moving_to_another_scan_and_back_keeps_what_was_typed(clinician: AppTest) -> None:
    upload(clinician, ("a.png", scan_bytes(1)), ("b.png", scan_bytes(2)))
    fill(clinician)
    clinician.button(key="next").click().run()
    assert clinician.get_by_key(key(clinician, "feedback", "comment")).value == ""
    clinician.switch_page(SENT).run()
    clinician.switch_page(READ).run()
    clinician.button(key="previous").click().run()
    comment = clinician.get_by_key(key(clinician, "feedback", "comment"))
    assert comment.value == "**bold** <script>alert(1)</script>"
    assert clinician.get_by_key(key(clinician, "feedback", "confidence")).value == 4


def test_a_failed_write_keeps_all_that_was_typed_and_says_that_nothing_was_saved(
    read: AppTest,
) -> None:
    fill(read)
    store = service.store()
    with store.writing() as connection:
        # A disk that refuses: the table is gone for a moment.
        connection.exec_driver_sql("ALTER TABLE feedback RENAME TO feedback_away")
    send(read)
    assert "Not saved" in words(read)
    assert "Saved: your feedback" not in words(read)
    assert read.get_by_key(key(read, "feedback", "comment")).value.startswith("**bold**")
    with store.writing() as connection:
        connection.exec_driver_sql("ALTER TABLE feedback_away RENAME TO feedback")
    send(read)
    assert "Saved: your feedback" in words(read)
    assert waiting() == 1


def test_another_outline_takes_an_acceptance_back(read: AppTest) -> None:
    set_(read, "shape", "threshold", 0.05)
    set_(read, "feedback", "outline", True)
    assert shown(read).drafts["outline"] is True
    set_(read, "shape", "threshold", 0.1)
    assert not shown(read).drafts["outline"]
    tick = next(box for box in read.checkbox if "accept the AI outline" in box.label)
    assert not tick.value
    tick.set_value(True).run()
    assert shown(read).drafts["outline"] is True


def test_a_corrected_region_goes_with_the_feedback(read: AppTest) -> None:
    item = shown(read)
    item.regions = [((10, 10), (60, 12), (40, 50))]
    read.run()
    assert "1 corrected region drawn" in words(read)
    fill(read)
    send(read)
    assert "Saved: your feedback" in words(read)
    with service.store().reading() as connection:
        stored = connection.exec_driver_sql("SELECT regions FROM feedback").scalar_one()
    assert "60" in str(stored)


def test_what_i_sent_is_listed_with_its_state(read: AppTest) -> None:
    read.switch_page(SENT).run()
    assert "You have not sent any feedback yet" in words(read)
    read.switch_page(READ).run()
    fill(read)
    send(read)
    case = shown(read).scan.case_number
    read.switch_page(SENT).run()
    assert case in list(read.dataframe[0].value["Case"])
    assert reading(read).shown is not None, "changing pages lost the reading list"
