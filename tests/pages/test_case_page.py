"""The case on the page: kept over frames and scans, sent with the feedback, and never filled in."""

from __future__ import annotations

import json
from typing import Any

import pytest
from page_tools import (
    READ,
    SENT,
    Hand,
    loop_bytes,
    press,
    reading,
    scan_bytes,
    send,
    set_,
    shown,
    sign_in,
    stored,
    upload,
    viewer,
    words,
)
from streamlit.testing.v1 import AppTest

from core.review import (
    BiRads,
    CaseContext,
    Laterality,
    LesionMargin,
    LesionOrientation,
    LesionShape,
    QueueFilter,
    list_queue,
)
from core.trust import demo_people
from core.ui import service
from core.ui.open_scan import Entry

#: A lesion taller than wide, as somebody draws it.
TALL = [[150, 60], [190, 70], [200, 150], [185, 230], [150, 240], [120, 225], [110, 150], [120, 75]]


@pytest.fixture
def read(clinician: AppTest) -> AppTest:
    """A clinician with one scan on screen, read by the model."""
    return upload(clinician, ("a.png", scan_bytes(1)))


def entry(app: AppTest) -> Entry:
    found = reading(app).entry
    assert found is not None
    return found


def field(app: AppTest, name: str) -> Any:
    return app.get_by_key(f"context-{name}-context-{entry(app).key[:16]}")


def say(app: AppTest, **said: Any) -> AppTest:
    """Fill in the case."""
    for name, value in said.items():
        field(app, name).set_value(value)
    app.run()
    assert not app.exception
    return app


def use(app: AppTest, name: str, term: str) -> AppTest:
    return press(app, f"context-use-{name}-{term}-context-{entry(app).key[:16]}")


def offers(app: AppTest) -> list[str]:
    return [str(b.key).split("-")[2] for b in app.button if str(b.key).startswith("context-use-")]


def test_what_was_said_of_the_case_is_stored_with_the_feedback(read: AppTest) -> None:
    say(
        read,
        pseudonym="P-0815",
        age=57,
        laterality=Laterality.LEFT,
        clock=10,
        distance_mm=35.0,
        indication="palpable",
        history="none",
        birads=BiRads("4B"),
        shape=LesionShape.OVAL,
        margins=[LesionMargin.INDISTINCT],
    )
    send(read)
    ((pseudonym, context),) = stored("pseudonym, context")
    assert pseudonym == "P-0815"
    kept = CaseContext.from_dict(json.loads(context), pseudonym)
    assert (kept.age, kept.laterality, kept.clock, kept.distance_mm) == (57, "left", 10, 35.0)
    assert (kept.indication, kept.history) == ("palpable", "none")
    assert (kept.birads, kept.shape, kept.margins) == ("4B", "oval", (LesionMargin.INDISTINCT,))


def test_nothing_is_stored_of_a_case_nobody_described(read: AppTest) -> None:
    send(read)
    assert stored("pseudonym, context") == [(None, None)]


def test_the_case_is_that_of_all_frames_of_a_loop_and_of_corrected_copies(
    clinician: AppTest, hand: Hand
) -> None:
    upload(clinician, ("loop.dcm", loop_bytes(3)))
    say(clinician, pseudonym="P-1", birads=BiRads("3"))
    hand.does(clinician, frame={"frame": 2})
    assert field(clinician, "pseudonym").value == "P-1"
    item = shown(clinician)
    press(clinician, f"correct-{item.widget}-{item.digest[:16]}-mirror")
    assert field(clinician, "birads").value == BiRads("3")
    send(clinician)
    assert stored("pseudonym") == [("P-1",)]


def test_the_case_of_one_scan_is_not_that_of_the_next_and_survives_moving_about(
    clinician: AppTest,
) -> None:
    upload(clinician, ("a.png", scan_bytes(1)), ("b.png", scan_bytes(2)))
    say(clinician, pseudonym="P-1", age=40, indication="lump")
    press(clinician, "next")
    assert field(clinician, "pseudonym").value == ""
    assert field(clinician, "age").value is None
    say(clinician, pseudonym="P-2")
    clinician.switch_page(SENT).run()
    clinician.switch_page(READ).run()
    assert field(clinician, "pseudonym").value == "P-2"
    press(clinician, "previous")
    assert field(clinician, "pseudonym").value == "P-1"
    assert field(clinician, "age").value == 40
    assert field(clinician, "indication").value == "lump"


def test_what_was_typed_and_left_by_the_very_click_that_moves_on_is_kept(
    clinician: AppTest,
) -> None:
    upload(clinician, ("a.png", scan_bytes(1)), ("b.png", scan_bytes(2)))
    field(clinician, "history").set_value("operated on in spring")
    press(clinician, "next")
    press(clinician, "previous")
    assert field(clinician, "history").value == "operated on in spring"


@pytest.mark.parametrize("typed", ["Erika Mustermann", "Müller", "<b>x</b>"])
def test_a_name_is_no_pseudonym_nothing_is_saved_and_everything_stays(
    read: AppTest, typed: str
) -> None:
    say(read, pseudonym=typed, birads=BiRads("2"))
    set_(read, "feedback", "verdict", "accept")
    set_(read, "feedback", "comment", "kept")
    press(read, f"send-{shown(read).widget}")
    assert stored("id") == []
    assert "Saved" not in words(read)
    assert len(read.error) == 1
    assert typed not in words(read), "the line repeats what may be a name"
    assert field(read, "pseudonym").value == typed
    assert field(read, "birads").value == BiRads("2")
    assert read.get_by_key(f"feedback-comment-{shown(read).widget}").value == "kept"
    say(read, pseudonym="P-1")
    send(read)
    assert stored("pseudonym") == [("P-1",)]


def test_a_change_of_the_case_after_sending_is_not_said_to_be_saved(read: AppTest) -> None:
    say(read, pseudonym="P-1")
    send(read)
    say(read, birads=BiRads("5"))
    assert not read.success
    assert "Changed since it was sent" in words(read)
    send(read)
    assert len(stored("id")) == 2


def test_closing_a_scan_asks_about_a_case_that_was_only_described(read: AppTest) -> None:
    say(read, pseudonym="P-1")
    press(read, "close-scan")
    assert "has not been sent" in words(read)
    assert len(reading(read).entries) == 1


@pytest.fixture
def earlier(clinician: AppTest) -> AppTest:
    """A clinician with a new scan of a patient of whom another was sent before."""
    upload(clinician, ("a.png", scan_bytes(1)))
    say(clinician, pseudonym="P-7", laterality=Laterality.RIGHT)
    send(clinician, comment="of the first visit")
    press(clinician, "sign-out")
    sign_in(clinician, "clinician")
    return upload(clinician, ("b.png", scan_bytes(2)))


def test_an_earlier_scan_of_the_pseudonym_opens_beside_the_one_on_screen(
    earlier: AppTest,
) -> None:
    (case,) = [row[0] for row in stored("case_number", "images")]
    assert case not in words(earlier)
    say(earlier, pseudonym="P-7")
    assert "1 earlier scan under this pseudonym" in words(earlier)
    name = f"earlier-{case}-earlier-{entry(earlier).key[:16]}"
    press(earlier, name)
    beside = viewer(earlier)["beside"]
    assert beside["caption"] == f"Earlier scan · case {case}"
    choice = earlier.get_by_key(f"beside-{entry(earlier).key[:16]}")
    assert choice.value == "earlier"
    press(earlier, name)
    assert viewer(earlier)["beside"] is None
    assert entry(earlier).earlier is None


def test_an_earlier_scan_goes_when_the_pseudonym_is_another(earlier: AppTest) -> None:
    (case,) = [row[0] for row in stored("case_number", "images")]
    say(earlier, pseudonym="P-7")
    press(earlier, f"earlier-{case}-earlier-{entry(earlier).key[:16]}")
    say(earlier, pseudonym="P-8")
    earlier.run()
    assert viewer(earlier)["beside"] is None, "another patient's scan stands beside this one"
    assert "There are no earlier scans" in words(earlier)


def test_an_earlier_scan_of_one_file_does_not_stand_beside_the_next(earlier: AppTest) -> None:
    (case,) = [row[0] for row in stored("case_number", "images")]
    upload(earlier, ("c.png", scan_bytes(3)))
    say(earlier, pseudonym="P-7")
    press(earlier, f"earlier-{case}-earlier-{entry(earlier).key[:16]}")
    press(earlier, "next")
    assert viewer(earlier)["beside"] is None
    press(earlier, "previous")
    assert viewer(earlier)["beside"]["caption"] == f"Earlier scan · case {case}"


def test_what_the_lesion_suggests_stands_beside_and_goes_in_only_by_a_click(
    read: AppTest, hand: Hand
) -> None:
    hand.does(read, regions={"regions": [TALL]})
    assert "measured on the outline you drew" in words(read)
    assert "orientation" in offers(read)
    assert entry(read).context == {}
    assert field(read, "orientation").value is None
    use(read, "orientation", "not_parallel")
    assert field(read, "orientation").value == LesionOrientation.NOT_PARALLEL
    say(read, orientation=LesionOrientation.PARALLEL)
    hand.does(read, regions={"regions": [TALL, [[10, 10], [40, 10], [25, 40]]]})
    assert field(read, "orientation").value == LesionOrientation.PARALLEL, "it was overwritten"
    send(read)
    ((context,),) = stored("context")
    assert json.loads(context)["orientation"] == "parallel"


def test_a_suggestion_of_the_model_is_named_as_its_own_until_the_outline_is_accepted(
    read: AppTest,
) -> None:
    set_(read, "shape", "threshold", 0.05)
    assert "on the AI outline, unconfirmed" in words(read)
    set_(read, "feedback", "outline", True)
    read.run()
    assert "on the AI outline you accepted" in words(read)
    set_(read, "shape", "threshold", 0.1)
    assert "on the AI outline you accepted" not in words(read)


def test_a_reviewer_sees_the_facts_and_none_of_the_judgement_before_the_own_read(
    read: AppTest,
) -> None:
    say(
        read,
        pseudonym="P-4711",
        age=63,
        laterality=Laterality.LEFT,
        clock=2,
        indication="looks malignant to me",
        birads=BiRads("5"),
        shape=LesionShape.IRREGULAR,
    )
    send(read, comment="certainly cancer")
    case = shown(read).scan.case_number
    press(read, "sign-out")
    sign_in(read, "reviewer")
    items = list_queue(service.store(), demo_people()[1], QueueFilter(), limit=10, offset=0).items
    assert [item.case_number for item in items] == [case]
    read.query_params["case"] = case
    read.run()
    assert not read.exception
    seen = words(read)
    assert "63" in seen
    for secret in (
        "P-4711",
        "BI-RADS",
        "rregular",
        "certainly cancer",
        "looks malignant",
        "Accept",
    ):
        assert secret not in seen, secret
    read.get_by_key(f"review-blind-label-{case}").set_value("benign").run()
    read.get_by_key(f"review-blind-confidence-{case}").set_value(3).run()
    (save,) = [button for button in read.button if button.label == "Save my read"]
    save.click().run()
    seen = words(read)
    for told in ("BI-RADS 5", "certainly cancer", "looks malignant"):
        assert told in seen, told
