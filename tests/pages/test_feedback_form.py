"""The feedback form: nothing typed is lost, nothing is saved twice, nothing is claimed falsely."""

from __future__ import annotations

from pathlib import Path

import pytest
from page_tools import READ, SENT, key, reading, scan_bytes, set_, shown, sign_in, upload, words
from streamlit.testing.v1 import AppTest

from core.review import (
    Origin,
    Problem,
    QueueFilter,
    Urgency,
    Verdict,
    list_queue,
    submit_feedback,
)
from core.trust import demo_people
from core.ui import service
from core.ui.feedback_form import _feedback

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
    app.button(key=f"send-{shown(app).widget}").click().run()
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


def entries() -> list[str]:
    """Return the comments that are stored, oldest first."""
    with service.store().reading() as connection:
        rows = connection.exec_driver_sql("SELECT comment FROM feedback ORDER BY id").all()
    return [str(row[0]) for row in rows]


def test_going_back_to_what_was_said_first_is_said_again(read: AppTest) -> None:
    fill(read)
    for comment in ("first thought", "second thought", "first thought"):
        set_(read, "feedback", "comment", comment)
        send(read)
        assert "Saved: your feedback" in words(read)
    assert entries() == ["first thought", "second thought", "first thought"]
    send(read)
    assert "Already saved" in words(read)
    assert len(entries()) == 3


@pytest.mark.parametrize(
    ("kind", "name", "value"),
    [
        ("feedback", "comment", "on second thoughts"),
        ("feedback", "label", "malignant"),
        ("feedback", "urgency", Urgency.ROUTINE),
        ("feedback", "problems", []),
        ("shape", "threshold", 0.2),
    ],
)
def test_saved_is_not_said_of_a_form_that_was_changed_since(
    read: AppTest, kind: str, name: str, value: object
) -> None:
    fill(read)
    send(read)
    assert len(read.success) == 1
    set_(read, kind, name, value)
    assert not read.success
    assert "Changed since it was sent" in words(read)
    send(read)
    assert len(read.success) == 1
    assert "Changed since it was sent" not in words(read)
    assert len(entries()) == 2


def test_a_region_drawn_after_sending_is_not_said_to_be_saved(read: AppTest) -> None:
    fill(read)
    send(read)
    shown(read).regions = [((10, 10), (60, 12), (40, 50))]
    read.run()
    assert not read.success
    assert "Changed since it was sent" in words(read)


@pytest.mark.parametrize("comment", ["a change that the disk refuses", None])
def test_saved_never_stands_beside_not_saved(read: AppTest, comment: str | None) -> None:
    fill(read)
    send(read)
    assert len(read.success) == 1
    if comment is not None:
        set_(read, "feedback", "comment", comment)
    store = service.store()
    with store.writing() as connection:
        connection.exec_driver_sql("ALTER TABLE feedback RENAME TO feedback_away")
    send(read)
    assert "Not saved" in words(read)
    assert not read.success
    with store.writing() as connection:
        connection.exec_driver_sql("ALTER TABLE feedback_away RENAME TO feedback")
    send(read)
    assert len(read.success) == 1
    assert not read.error
    assert len(entries()) == (1 if comment is None else 2)
    assert comment in (None, entries()[-1])


def test_an_incomplete_form_is_not_said_to_be_saved_because_an_earlier_one_was(
    read: AppTest,
) -> None:
    fill(read)
    send(read)
    set_(read, "feedback", "verdict", None)
    set_(read, "feedback", "label", None)
    send(read)
    assert len(read.error) == 1
    assert not read.success
    assert len(entries()) == 1


def test_a_form_whose_receipt_was_lost_can_still_be_changed_and_sent(read: AppTest) -> None:
    fill(read)
    entry, item, clinician = reading(read).entry, shown(read), demo_people()[0]
    assert entry is not None
    # It was written, but the connection broke before anybody heard of it.
    submit_feedback(service.store(), clinician, _feedback(entry, item))
    set_(read, "feedback", "comment", "changed, because it looked unsent")
    for _ in range(2):
        send(read)
    assert len(entries()) == 2
    assert entries()[-1] == "changed, because it looked unsent"
    assert read.success


def test_a_comment_left_by_the_click_that_moves_on_is_kept(clinician: AppTest) -> None:
    # A browser sends a comment with the next click: there is no run of its own in between.
    upload(clinician, ("a.png", scan_bytes(1)), ("b.png", scan_bytes(2)))
    field = key(clinician, "feedback", "comment")
    clinician.get_by_key(field).set_value("seen at nine o'clock")
    clinician.button(key="next").click().run()
    assert clinician.get_by_key(key(clinician, "feedback", "comment")).value == ""
    clinician.button(key="previous").click().run()
    assert clinician.get_by_key(field).value == "seen at nine o'clock"
    clinician.get_by_key(field).set_value("and at ten")
    clinician.switch_page(SENT).run()
    clinician.switch_page(READ).run()
    assert clinician.get_by_key(field).value == "and at ten"
    set_(clinician, "feedback", "verdict", Verdict.ACCEPT)
    clinician.get_by_key(field).set_value("sent by the very next click")
    send(clinician)
    assert entries() == ["sent by the very next click"]


def test_closing_a_scan_asks_before_unsent_work_is_lost(clinician: AppTest) -> None:
    upload(clinician, ("a.png", scan_bytes(1)), ("b.png", scan_bytes(2)))
    item = shown(clinician)
    clinician.get_by_key(key(clinician, "feedback", "comment")).set_value("not sent yet")
    clinician.button(key="close-scan").click().run()
    assert shown(clinician) is item
    assert "has not been sent" in words(clinician)
    clinician.run()
    assert "has not been sent" not in words(clinician)
    assert clinician.get_by_key(key(clinician, "feedback", "comment")).value == "not sent yet"
    clinician.button(key="close-scan").click().run()
    clinician.button(key="close-discard").click().run()
    assert not clinician.exception
    assert item.digest not in reading(clinician).entries
    clinician.button(key="close-scan").click().run()
    assert not reading(clinician).entries, "it asked about a scan on which nothing was entered"


@pytest.mark.parametrize("work", ["drawn", "sent", "changed"])
def test_closing_asks_about_drawings_and_changes_but_not_about_what_is_saved(
    read: AppTest, work: str
) -> None:
    item = shown(read)
    if work == "drawn":
        item.regions = [((10, 10), (60, 12), (40, 50))]
    else:
        fill(read)
        send(read)
    if work == "changed":
        set_(read, "feedback", "confidence", 2)
    read.button(key="close-scan").click().run()
    assert not read.exception
    assert (item.digest in reading(read).entries) is (work != "sent")


def test_an_outline_that_is_not_on_screen_cannot_be_accepted_nor_an_acceptance_hidden(
    read: AppTest,
) -> None:
    def ticks() -> list[bool]:
        return [box.value for box in read.checkbox if "accept the AI outline" in box.label]

    set_(read, "shape", "threshold", 0.05)
    assert ticks() == [False]
    read.get_by_key("layer-compare").set_value("original").run()
    assert ticks() == []
    read.get_by_key("layer-compare").set_value("overlay").run()
    set_(read, "feedback", "outline", True)
    read.get_by_key("layer-compare").set_value("original").run()
    assert ticks() == [True], "it would be sent without being seen"
