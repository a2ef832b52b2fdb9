"""Nothing that was entered and not sent is thrown away unasked."""

from __future__ import annotations

import json

from page_tools import scan_bytes, set_, shown, upload
from streamlit.testing.v1 import AppTest


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


def test_an_outline_changed_since_it_was_drawn_is_neither_accepted_nor_sent_as_seen(
    clinician: AppTest,
) -> None:
    upload(clinician, ("a.png", scan_bytes(1)))
    item = shown(clinician)
    assert item.drawn == item.controls
    set_(clinician, "shape", "threshold", 0.2)
    assert shown(clinician).controls.threshold == 0.2
    assert shown(clinician).drawn == shown(clinician).controls
