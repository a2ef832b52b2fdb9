"""The reviewer's page: blind first, then everything, then a settled label."""

from __future__ import annotations

import pytest
from page_tools import QUEUE, scan_bytes, set_, shown, sign_in, upload, viewer, words
from streamlit.testing.v1 import AppTest

from core.lesion import LesionControls, find_lesions
from core.review import (
    AIResult,
    Feedback,
    LabelDraft,
    Origin,
    Urgency,
    Verdict,
    close_case,
    image_facts,
    open_case,
    record_blind_read,
    settled_label,
    submit_feedback,
)
from core.scan import encode_png, read_scan
from core.trust import demo_people
from core.ui import service
from core.ui.picture import outlines

CLINICIAN, REVIEWER, _ADMINISTRATOR = demo_people()
SECRET = "the clinician thinks it is a fibroadenoma"


def send(seed: int = 1, urgency: Urgency = Urgency.ROUTINE) -> str:
    """Send feedback as a clinician and return the case number."""
    scan = read_scan(scan_bytes(seed))
    ai = AIResult(
        task="breast-ultrasound",
        version="1.0",
        bundle_digest="b" * 64,
        image_digest=scan.digest,
        probabilities={"normal": 0.05, "benign": 0.18, "malignant": 0.77},
        positive="malignant",
        probability=0.77,
        operating_point="balanced",
        threshold=0.4,
        flagged=True,
        answer="malignant",
        interval={"low": 0.6, "high": 0.9, "n": 41, "positives": 32},
        prevalence=0.3,
        map_kind="lesion",
        controls=LesionControls(threshold=0.05, low=0.05).to_dict(),
        lesion_threshold=0.05,
    )
    feedback = Feedback(
        submission_key=f"key-{seed}",
        image=image_facts(scan),
        png=encode_png(scan),
        task="breast-ultrasound",
        ai=ai,
        verdict=Verdict.REJECT,
        label="benign",
        origin=Origin.BIOPSY,
        confidence=5,
        urgency=urgency,
        comment=SECRET,
    )
    return submit_feedback(service.store(), CLINICIAN, feedback).case_number


@pytest.fixture
def case(app: AppTest) -> str:
    return send()


@pytest.fixture
def reviewer(app: AppTest, case: str) -> AppTest:
    """A reviewer who looks at an open case."""
    sign_in(app, "reviewer")
    app.button(key=f"open-{case}").click().run()
    assert not app.exception
    return app


def give(app: AppTest, case: str, stage: str, **values: object) -> None:
    for name, value in values.items():
        app.get_by_key(f"review-{stage}-{name}-{case}").set_value(value).run()
    assert not app.exception


def read_blind(app: AppTest, case: str, label: str = "malignant") -> None:
    give(app, case, "blind", label=label, confidence=3, comment="spiculated")
    app.button(key="review-save-blind").click().run()
    assert not app.exception


def everything(app: AppTest) -> str:
    """Return every text of the page, tables, help and keys included."""
    tables = "\n".join(table.value.to_string() for table in app.dataframe)
    return words(app) + tables + str(app.main)


def test_the_most_urgent_and_oldest_case_stands_first(app: AppTest) -> None:
    first, second, urgent = send(1), send(2), send(3, Urgency.URGENT)
    sign_in(app, "reviewer")
    opened = [b.key for b in app.button if str(b.key).startswith("open-")]
    assert opened == [f"open-{case}" for case in (urgent, first, second)]


def test_a_blind_reader_sees_neither_the_ai_nor_the_clinician(reviewer: AppTest) -> None:
    seen = everything(reviewer)
    for secret in (SECRET, "77%", "0.77", "Reject", "Biopsy proven", "b" * 12):
        assert secret not in seen
    assert "Save my read" in [b.label for b in reviewer.button]


def test_the_list_shows_no_answer_either(app: AppTest, case: str) -> None:
    sign_in(app, "reviewer")
    seen = everything(app)
    assert case in seen
    for secret in (SECRET, "77%", "0.77", "Reject", "malignant", "benign"):
        assert secret not in seen


def test_after_the_blind_read_everything_is_shown_and_the_case_can_be_settled(
    reviewer: AppTest, case: str
) -> None:
    read_blind(reviewer, case)
    said = words(reviewer)
    assert SECRET in said
    assert "77%" in said
    assert "60%–90%" in said
    assert "study prevalence 30%" in said
    give(reviewer, case, "final", label="benign", origin=Origin.BIOPSY, confidence=5)
    reviewer.button(key="review-close").click().run()
    assert "Settled: benign (Biopsy)" in words(reviewer)
    settled = settled_label(service.store(), case)
    assert settled is not None
    assert (settled.label, settled.origin) == ("benign", Origin.BIOPSY)
    reviewer.button(key="review-back").click().run()
    assert "Nothing waits here" in words(reviewer)


def test_a_blind_read_without_a_label_is_refused_and_keeps_the_reasons(
    reviewer: AppTest, case: str
) -> None:
    give(reviewer, case, "blind", comment="my reasons")
    reviewer.button(key="review-save-blind").click().run()
    assert len(reviewer.error) == 1
    assert reviewer.get_by_key(f"review-blind-comment-{case}").value == "my reasons"
    assert SECRET not in everything(reviewer)


def test_a_revision_keeps_the_blind_read_in_the_history(reviewer: AppTest, case: str) -> None:
    read_blind(reviewer, case, "malignant")
    give(reviewer, case, "final", label="benign", comment="after the biopsy")
    reviewer.button(key="review-revise").click().run()
    assert not reviewer.exception
    table = reviewer.dataframe[-1].value
    assert list(table["Label"]) == ["malignant", "benign"]
    assert "**Your blind read:** malignant" in words(reviewer)


def test_a_comment_is_kept_and_shown(reviewer: AppTest, case: str) -> None:
    read_blind(reviewer, case)
    reviewer.text_area(key="review-comment").set_value("ask for the elastography").run()
    reviewer.button(key="review-add-comment").click().run()
    assert "ask for the elastography" in list(reviewer.dataframe[0].value["Comment"])
    assert reviewer.text_area(key="review-comment").value == ""


@pytest.fixture
def read_here(clinician: AppTest) -> str:
    """A case that was sent from the read page, with an outline of the model that runs here."""
    upload(clinician, ("a.png", scan_bytes(1)))
    set_(clinician, "shape", "threshold", 0.05)
    set_(clinician, "feedback", "verdict", Verdict.ACCEPT)
    item = shown(clinician)
    clinician.button(key=f"send-{item.widget}").click().run()
    assert "Saved: your feedback" in words(clinician)
    assert viewer(clinician)["rings"]
    clinician.button(key="sign-out").click().run()
    return item.scan.case_number


def test_the_ai_s_outline_is_drawn_for_a_reviewer_only_after_the_own_read(
    clinician: AppTest, read_here: str
) -> None:
    app = sign_in(clinician, "reviewer")
    app.button(key=f"open-{read_here}").click().run()
    before = viewer(app)
    assert (before["rings"], before["labels"], before["regions"]) == ([], [], [])
    assert (before["heat"], before["caption"], before["maskOpacity"]) == (None, "", 0)
    assert "outline" not in before["alt"]
    read_blind(app, read_here)
    assert not app.error
    after = viewer(app)
    assert after["image"] == before["image"]
    assert after["rings"]
    assert after["caption"] == "AI outline, unconfirmed"
    assert "made again with the same model and controls" in words(app)


def test_the_outline_a_reviewer_sees_is_the_one_that_was_sent(
    clinician: AppTest, read_here: str
) -> None:
    app = sign_in(clinician, "reviewer")
    app.button(key=f"open-{read_here}").click().run()
    read_blind(app, read_here)
    scan = read_scan(scan_bytes(1))
    surface = service.model().get_predictor().read(scan).lesion_map()
    assert surface is not None
    sent = find_lesions(surface, scan.grey, LesionControls(threshold=0.05, low=0.05))
    usual = find_lesions(surface, scan.grey, LesionControls())
    drawn = [label for label in viewer(app)["labels"] if label]
    assert len(drawn) == len(sent.lesions)
    rings = [len(ring.rings[0]) for ring in outlines(sent)]
    assert rings != [len(ring.rings[0]) for ring in outlines(usual)], "this could not fail"
    first = [n for n, label in zip(viewer(app)["rings"], viewer(app)["labels"], strict=True)
             if label]  # fmt: skip
    assert first == rings


def test_no_other_model_s_outline_is_passed_off_as_the_one_that_was_sent(
    clinician: AppTest,
) -> None:
    case = send()
    clinician.button(key="sign-out").click().run()
    app = sign_in(clinician, "reviewer")
    app.button(key=f"open-{case}").click().run()
    read_blind(app, case)
    assert service.model().status().state == "ready"
    assert viewer(app)["rings"] == []
    assert "cannot be made again here" in words(app)


def test_what_a_clinician_drew_is_shown_only_after_the_own_read(app: AppTest) -> None:
    case = send()
    scan = read_scan(scan_bytes(1))
    drawn = Feedback(
        submission_key="drawn",
        image=image_facts(scan),
        png=encode_png(scan),
        task="breast-ultrasound",
        label="benign",
        origin=Origin.OPINION,
        confidence=3,
        regions=(((10.0, 10.0), (90.0, 12.0), (40.0, 70.0)),),
        region_image=scan.digest,
    )
    submit_feedback(service.store(), CLINICIAN, drawn)
    sign_in(app, "reviewer")
    app.button(key=f"open-{case}").click().run()
    assert viewer(app)["regions"] == []
    read_blind(app, case)
    assert len(viewer(app)["regions"]) == 1
    assert viewer(app)["text"]["region"] == "Clinician"


def test_new_feedback_must_be_looked_at_before_the_case_is_settled(
    reviewer: AppTest, case: str
) -> None:
    read_blind(reviewer, case)
    give(reviewer, case, "final", label="benign", confidence=4)
    scan = read_scan(scan_bytes(1))
    news = Feedback(
        submission_key="news",
        image=image_facts(scan),
        png=encode_png(scan),
        task="breast-ultrasound",
        label="malignant",
        origin=Origin.BIOPSY,
        confidence=5,
        comment="the biopsy came back",
    )
    submit_feedback(service.store(), CLINICIAN, news)
    for _ in range(2):
        reviewer.button(key="review-close").click().run()
        assert settled_label(service.store(), case) is None, "settled on what nobody had seen"
        assert "Something new came in" in words(reviewer)
    assert "the biopsy came back" in words(reviewer)
    reviewer.button(key="review-looked").click().run()
    assert "Something new came in" not in words(reviewer)
    assert reviewer.get_by_key(f"review-final-label-{case}").value == "benign"
    reviewer.button(key="review-close").click().run()
    assert "Settled: benign" in words(reviewer)


def test_a_reviewer_s_draft_survives_a_look_at_the_list(reviewer: AppTest, case: str) -> None:
    give(reviewer, case, "blind", label="benign", comment="half a thought")
    reviewer.button(key="review-back").click().run()
    reviewer.button(key=f"open-{case}").click().run()
    assert reviewer.get_by_key(f"review-blind-comment-{case}").value == "half a thought"
    assert reviewer.get_by_key(f"review-blind-label-{case}").value == "benign"


def test_what_came_in_meanwhile_must_be_seen_before_settling(reviewer: AppTest, case: str) -> None:
    read_blind(reviewer, case)
    give(reviewer, case, "final", label="benign", confidence=4)
    scan = read_scan(scan_bytes(1))
    submit_feedback(
        service.store(),
        CLINICIAN,
        Feedback(
            submission_key="another",
            image=image_facts(scan),
            png=encode_png(scan),
            task="breast-ultrasound",
            label="malignant",
            origin=Origin.BIOPSY,
            confidence=5,
        ),
    )
    reviewer.button(key="review-close").click().run()
    assert settled_label(service.store(), case) is None
    assert any("moved" in str(e.value) or "new" in str(e.value) for e in reviewer.error) or (
        "Something new came in" in words(reviewer)
    )


def test_filters_narrow_the_queue_by_state_urgency_own_read_and_number(app: AppTest) -> None:
    settled, waiting, urgent = send(1), send(2), send(3, Urgency.URGENT)
    store = service.store()
    draft = LabelDraft("benign", Origin.OPINION, 3)
    record_blind_read(store, REVIEWER, settled, draft, "blind")
    close_case(
        store, REVIEWER, settled, draft, "close",
        version=open_case(store, REVIEWER, settled).version,
    )  # fmt: skip
    sign_in(app, "reviewer")

    def listed() -> set[str]:
        assert not app.exception
        return {str(b.key)[5:] for b in app.button if str(b.key).startswith("open-")}

    assert listed() == {waiting, urgent}
    app.get_by_key("queue-states").set_value(["closed"]).run()
    assert listed() == {settled}
    app.get_by_key("queue-states").set_value(["open", "closed"]).run()
    app.get_by_key("queue-urgencies").set_value([Urgency.URGENT]).run()
    assert listed() == {urgent}
    app.get_by_key("queue-urgencies").set_value(list(Urgency)).run()
    app.get_by_key("queue-mine").set_value(True).run()
    assert listed() == {settled}
    app.get_by_key("queue-mine").set_value(None).run()
    app.text_input(key="queue-number").set_value(waiting[:5].lower()).run()
    assert listed() == {waiting}


def test_an_administrator_sees_the_queue_but_opens_no_case(app: AppTest, case: str) -> None:
    sign_in(app, "administrator")
    app.switch_page(QUEUE).run()
    assert case in everything(app)
    assert app.button(key=f"open-{case}").disabled
