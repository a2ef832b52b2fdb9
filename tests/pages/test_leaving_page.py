"""Nothing that was entered and not sent is thrown away unasked."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from page_tools import scan_bytes, set_, shown, upload
from streamlit.testing.v1 import AppTest

from core.trust import Person
from core.ui import reading_room
from core.ui.open_scan import Entry


def guarded(app: AppTest) -> bool:
    """Whether the browser was told to ask before it leaves."""
    told = [json.loads(each.proto.json) for each in app.get("bidi_component")]
    (guard,) = [each for each in told if set(each) == {"unsent"}]
    return bool(guard["unsent"])


def test_changing_the_role_asks_first_and_keeps_everything_until_it_is_confirmed(
    clinician: AppTest,
) -> None:
    upload(clinician, ("a.png", scan_bytes(1)))
    assert not guarded(clinician)
    set_(clinician, "feedback", "label", "benign")
    assert guarded(clinician), "a reload would lose it without a word"
    clinician.button(key="sign-out").click().run()
    assert shown(clinician).drafts["label"] == "benign"
    clinician.button(key="sign-out-discard").click().run()
    assert "reading-list" not in clinician.session_state


def test_with_nothing_unsent_the_role_changes_at_once(clinician: AppTest) -> None:
    upload(clinician, ("a.png", scan_bytes(1)))
    clinician.button(key="sign-out").click().run()
    assert "reading-list" not in clinician.session_state


def test_an_outline_changed_since_it_was_drawn_is_drawn_before_it_can_be_sent(
    clinician: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload(clinician, ("a.png", scan_bytes(1)))
    item, draw = shown(clinician), reading_room.reading_room
    late = [replace(item.controls, threshold=0.2)]

    def change_behind_it(entry: Entry, person: Person) -> None:
        draw(entry, person)
        # As a control's callback does that runs with the form and not with the picture.
        if late:
            item.controls = late.pop()

    monkeypatch.setattr(reading_room, "reading_room", change_behind_it)
    clinician.run()
    assert item.controls.threshold == 0.2
    assert item.drawn == item.controls, "another outline would be sent than the one on screen"
