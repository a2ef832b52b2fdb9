"""A loop on the page: the answer, the form and the case number are those of the frame on screen."""

from __future__ import annotations

import threading

import pytest
from page_tools import (
    Hand,
    key,
    loop_bytes,
    press,
    reading,
    scan_bytes,
    send,
    set_,
    shown,
    stored,
    upload,
    viewer,
    words,
)
from streamlit.testing.v1 import AppTest

from core.scan import Loop
from core.ui.open_scan import Entry


@pytest.fixture
def read(clinician: AppTest) -> AppTest:
    """A clinician with a loop of four frames on screen."""
    return upload(clinician, ("loop.dcm", loop_bytes(4, frame_time=50.0)))


def entry(app: AppTest) -> Entry:
    found = reading(app).entry
    assert found is not None
    return found


def wait_for_jobs() -> None:
    for thread in threading.enumerate():
        if thread.name.startswith("job-"):
            thread.join(60)
            assert not thread.is_alive()


def read_all_frames(app: AppTest) -> AppTest:
    press(app, f"loop-{entry(app).key[:16]}-read")
    wait_for_jobs()
    app.run()
    assert not app.exception
    return app


def test_a_loop_opens_at_its_first_frame_and_can_be_played(read: AppTest) -> None:
    item = shown(read)
    assert (item.scan.frame, item.scan.frames) == (0, 4)
    assert item.prediction is not None
    loop = viewer(read)["loop"]
    assert (loop["count"], loop["frame"]) == (4, 0)
    assert loop["rate"] == 20
    assert any(f"{item.scan.case_number} · 1/4" in str(button.label) for button in read.button)
    assert "MUSTERMANN" not in words(read)


def test_a_frame_stopped_at_comes_with_its_own_answer_number_and_form(
    read: AppTest, hand: Hand
) -> None:
    first = shown(read)
    set_(read, "feedback", "label", "benign")
    hand.does(read, frame={"frame": 2})
    third = shown(read)
    assert third.scan.frame == 2
    assert third.digest != first.digest
    assert third.prediction is not None
    assert third.prediction.image_digest == third.digest
    said = words(read)
    assert f"AI result · case {third.scan.case_number}" in said
    assert first.scan.case_number not in said
    assert read.get_by_key(key(read, "feedback", "label")).value is None
    assert viewer(read)["loop"]["frame"] == 2
    hand.does(read, frame={"frame": 0})
    assert shown(read) is first
    assert read.get_by_key(key(read, "feedback", "label")).value == "benign"


def test_what_cannot_be_a_frame_of_this_loop_moves_nothing(read: AppTest, hand: Hand) -> None:
    for frame in (4, -1, "2", True, None):
        hand.does(read, frame={"frame": frame})
        assert entry(read).frame == 0
    hand.does(read, frame={"frame": 2, "loop": "another"})
    assert entry(read).frame == 0


def test_feedback_on_a_frame_is_stored_with_its_frame_and_the_loop_it_is_of(
    read: AppTest, hand: Hand
) -> None:
    send(read)
    hand.does(read, frame={"frame": 3})
    send(read, comment="on the fourth")
    rows = stored("images.digest, frame, frames, series", "images ORDER BY frame")
    assert [(row[0], row[1], row[2]) for row in rows] == [
        (item.digest, item.scan.frame, 4) for item in entry(read).items.values()
    ]
    assert len({row[3] for row in rows}) == 1
    assert rows[0][3] == shown(read).scan.series
    assert stored("comment") == [("",), ("on the fourth",)]


def test_a_frame_of_a_loop_that_was_sent_is_recognised(read: AppTest, hand: Hand) -> None:
    first = shown(read).scan.case_number
    send(read)
    assert "Seen before" not in words(read)
    hand.does(read, frame={"frame": 1})
    assert (
        f"Another frame of this loop was seen before: you sent feedback on case {first}"
        in words(read)
    )


def test_a_region_drawn_on_a_frame_stays_on_that_frame(read: AppTest, hand: Hand) -> None:
    ring = [[50, 50], [120, 52], [90, 110]]
    hand.does(read, regions={"regions": [ring]})
    assert len(shown(read).regions) == 1
    hand.does(read, frame={"frame": 1})
    assert shown(read).regions == []
    assert viewer(read)["regions"] == []
    hand.does(read, frame={"frame": 0})
    assert len(viewer(read)["regions"]) == 1


def test_all_frames_are_read_in_the_background_and_the_answer_stays_that_of_the_frame(
    read: AppTest,
) -> None:
    before = shown(read).prediction
    read_all_frames(read)
    said = words(read)
    assert "4 of 4 frames read" in said
    assert "A curve to find frames, not an answer." in said
    assert shown(read).prediction is before
    assert len(read.get("plotly_chart")) == 1


def test_a_frame_chosen_from_the_curve_comes_on_screen_and_is_read(read: AppTest) -> None:
    read_all_frames(read)
    name = f"loop-{entry(read).key[:16]}-frame"
    read.get_by_key(name).set_value(2).run()
    assert not read.exception
    item = shown(read)
    assert item.scan.frame == 2
    assert item.prediction is not None
    assert read.get_by_key(name).value == 2
    alone = f"{item.prediction.probability * 100:.0f}%"
    assert alone in read.get_by_key(name).options[2]
    read.run()
    assert shown(read).scan.frame == 2, "it jumped twice"


def test_reading_all_frames_can_be_stopped_and_keeps_what_was_read(
    read: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    may, reached = threading.Event(), threading.Event()
    whole = Loop.frame

    def held(loop: Loop, index: int) -> object:
        # Nothing but the background looks at this one.
        if index == 3:
            reached.set()
            assert may.wait(30)
        return whole(loop, index)

    loop = f"loop-{entry(read).key[:16]}"
    monkeypatch.setattr(Loop, "frame", held)
    press(read, f"{loop}-read")
    assert reached.wait(30)
    press(read, f"{loop}-stop")
    may.set()
    wait_for_jobs()
    read.run()
    assert not read.exception
    assert any(str(b.key) == f"{loop}-read" for b in read.button), "it cannot be gone on with"
    assert shown(read).scan.frame == 0


def test_a_held_frame_stands_beside_the_others(read: AppTest, hand: Hand) -> None:
    assert viewer(read)["beside"] is None
    first = shown(read).scan
    press(read, "hold-frame")
    hand.does(read, frame={"frame": 2})
    beside = viewer(read)["beside"]
    assert beside["caption"] == f"Frame 1 · case {first.case_number}"
    assert entry(read).held is not None
    assert entry(read).held.digest == first.digest
    choice = read.get_by_key(f"beside-{entry(read).key[:16]}")
    choice.set_value("").run()
    assert viewer(read)["beside"] is None


def test_another_scan_of_the_list_can_stand_beside(read: AppTest) -> None:
    upload(read, ("a.png", scan_bytes(1)))
    other = next(e for e in reading(read).entries.values() if e is not entry(read))
    read.get_by_key(f"beside-{entry(read).key[:16]}").set_value(other.key).run()
    assert not read.exception
    case = other.shown.scan.case_number
    assert viewer(read)["beside"]["caption"] == f"Case {case}"
    reading(read).remove(other.key)
    read.run()
    assert viewer(read)["beside"] is None


def test_a_frame_that_cannot_be_decoded_is_said_and_the_one_before_stays(
    clinician: AppTest, hand: Hand
) -> None:
    data = loop_bytes(3, syntax="jpeg2000")
    at = data.rfind(b"\xff\x4f\xff\x51")
    assert at > 0
    # The size in the header of the last frame.
    upload(clinician, ("loop.dcm", data[: at + 8] + b"\0" * 16 + data[at + 24 :]))
    first = shown(clinician)
    hand.does(clinician, frame={"frame": 2})
    assert shown(clinician) is first
    assert entry(clinician).frame == 0
    assert len(clinician.error) == 1
    send(clinician)
