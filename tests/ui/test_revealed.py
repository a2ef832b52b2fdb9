"""After the own read a reviewer sees all that was sent, as it was typed; before, no opinion."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
from made_results import phantom
from streamlit.testing.v1 import AppTest

from core.review import (
    AIResult,
    BiRads,
    CaseContext,
    Feedback,
    LabelDraft,
    Laterality,
    LesionMargin,
    Origin,
    Verdict,
    image_facts,
    record_blind_read,
    submit_feedback,
)
from core.scan import Correction, Scan, encode_png
from core.store import Store
from core.trust import demo_people
from core.ui import service

CLINICIAN, REVIEWER, _ADMINISTRATOR = demo_people()
TYPED = "**bold** <script>alert(1)</script>"

pytestmark = pytest.mark.usefixtures("site")


@pytest.fixture
def kept() -> Store:
    return service.store()


def cropped() -> Scan:
    whole = phantom(1)
    crop = Correction.make("crop", left=8, top=4, width=120, height=90)
    return Scan.from_pixels(
        whole.pixels[4:94, 8:128], spacing=(0.1, 0.1), corrections=(crop,), origin=whole.digest
    )


def send(store: Store, **more: Any) -> str:
    """Send everything a form can hold, on a cropped scan, and return the case number."""
    scan = cropped()
    values: dict[str, Any] = {
        "label": "benign",
        "origin": Origin.OPINION,
        "override_reason": TYPED + " reason",
        "quality": {
            "checks": [
                {"name": "blur", "outcome": "fail", "value": 3.5, "threshold": 10.0, "unit": ""},
                {"name": "borders", "outcome": "warn", "value": 0.25, "threshold": 0.2},
                {"name": "exposure", "outcome": "pass", "value": 77.0, "threshold": 10.0},
            ]
        },
        "measures": (
            {"kind": "distance", "points": [[2, 4], [12, 4]], "value": 1.0, "unit": "mm"},
            {"kind": "ellipse", "points": [[2, 8], [12, 8], [7, 4]], "unit": "mm2",
             "value": math.pi / 4 * 0.8, "axes": [1.0, 0.8]},
        ),
        "context": CaseContext(
            pseudonym="P-17",
            age=47,
            laterality=Laterality.LEFT,
            clock=10,
            distance_mm=35.5,
            indication=TYPED + " indication",
            history=TYPED + " history",
            birads=BiRads.MODERATE_SUSPICION,
            margins=(LesionMargin.SPICULATED,),
        ),
    }  # fmt: skip
    form = Feedback(
        "key", image_facts(scan), encode_png(scan), "breast-ultrasound", **values | more
    )
    return submit_feedback(store, CLINICIAN, form).case_number


def _page(number, person):
    # Streamlit takes this apart and runs its body as a script.
    import streamlit as st

    from core.ui.case_review import review_case

    st.query_params["case"] = number
    review_case(number, person)


def opened(number: str) -> AppTest:
    """Open a case as the reviewer does."""
    kwargs = {"number": number, "person": REVIEWER}
    app = AppTest.from_function(_page, kwargs=kwargs, default_timeout=60).run()
    assert not app.exception
    return app


def said(app: AppTest, *kinds: str) -> str:
    """Return everything the page says in elements of these kinds."""
    return "\n".join(str(each.value) for kind in kinds for each in app.get(kind))


ALL = ("title", "subheader", "markdown", "caption", "text", "success", "info", "warning")


def test_before_the_own_read_the_page_tells_age_and_place_and_no_opinion(kept: Store) -> None:
    app = opened(send(kept))
    everything = said(app, *ALL)
    assert "Age 47 · Left, 10 o'clock, 35.5 mm from the nipple" in everything
    for hidden in ("BI-RADS", "Spiculated", "indication", "history", "reason", "P-17", "Sharpness",
                   "Measured by hand"):  # fmt: skip
        assert hidden not in everything


def test_a_case_without_facts_has_no_empty_line_for_them(kept: Store) -> None:
    everything = said(opened(send(kept, context=None)), *ALL)
    assert "Age" not in everything


def test_after_the_own_read_everything_that_was_sent_is_there(kept: Store) -> None:
    number = send(kept)
    record_blind_read(kept, REVIEWER, number, LabelDraft("benign", Origin.OPINION, 4), "own")
    app = opened(number)
    told = said(app, "markdown")
    assert "Age 47 · Left, 10 o'clock, 35.5 mm from the nipple" in told
    assert "BI-RADS 4B: moderate suspicion of malignancy · Margin: Spiculated" in told
    assert "**Quality check failed:** Sharpness (3.50, below 10.00)" in told
    assert "**Quality check warned:** Empty frame (0.25, above 0.20)" in told
    assert "Brightness" not in told
    assert "cropped to 120 × 90 px, from 8, 4" in told
    assert "Distance 1.0 mm; Ellipse 0.6 mm² (1.0 × 0.8 mm)" in told


def check_of(name: str, outcome: str) -> dict[str, Any]:
    check = {"name": name, "outcome": outcome, "value": 3.5, "threshold": 10.0, "unit": ""}
    return {"checks": [check]}


def answer_on(scan: Scan) -> AIResult:
    return AIResult(
        task="breast-ultrasound",
        version="1.0",
        bundle_digest="c" * 64,
        image_digest=scan.digest,
        probabilities={"normal": 0.1, "benign": 0.2, "malignant": 0.7},
        positive="malignant",
        probability=0.7,
        operating_point="balanced",
        threshold=0.4,
        flagged=True,
        answer="malignant",
        interval={"low": 0.6, "high": 0.8, "n": 40, "positives": 28},
        prevalence=0.3,
    )


@pytest.mark.parametrize("name", ["blur", "blank"])
@pytest.mark.parametrize("outcome", ["fail", "warn"])
def test_an_image_that_fails_a_check_has_no_interval_for_the_reviewer_either(
    kept: Store, name: str, outcome: str
) -> None:
    number = send(
        kept,
        ai=answer_on(cropped()),
        verdict=Verdict.ACCEPT,
        label=None,
        origin=None,
        quality=check_of(name, outcome),
    )
    record_blind_read(kept, REVIEWER, number, LabelDraft("benign", Origin.OPINION, 4), "own")
    told = said(opened(number), "markdown", "caption")
    fails = outcome == "fail"
    assert ("No interval is given: no validation scan was like this." in told) == fails
    assert ("95% interval 60%–80% (n = 40); study prevalence 30%" in told) != fails
    assert ("interval 60%" in told) != fails
    assert ("**AI:** Hardly a breast ultrasound image" in told) == (fails and name == "blank")
    assert "malignant 70%" in told


def test_a_reviewer_sees_what_the_sender_was_shown_and_explored(kept: Store) -> None:
    answer = replace(answer_on(cropped()), site_prevalence=0.02, explored_threshold=0.12)
    about = {"ai": answer, "verdict": Verdict.ACCEPT, "label": None, "origin": None}
    number = send(kept, **about, quality=check_of("blur", "pass"), override_reason="")
    before = said(opened(number), *ALL)
    assert "explored" not in before
    assert "for this site" not in before
    record_blind_read(kept, REVIEWER, number, LabelDraft("benign", Origin.OPINION, 4), "own")
    told = said(opened(number), "caption")
    # By hand: odds .7/.3 at 30 %, times (.02/.98)/(.3/.7) = .0476: 10 %; .6 gives 6.7, .8 16 %.
    assert "Shown then for this site, where 2% are malignant: 10% (7%–16%)" in told
    assert "The sender explored other operating points, last 12%." in told


def test_nothing_that_was_typed_is_interpreted(kept: Store) -> None:
    number = send(kept)
    record_blind_read(kept, REVIEWER, number, LabelDraft("benign", Origin.OPINION, 4), "own")
    app = opened(number)
    plain = said(app, "text")
    for typed in ("indication", "history", "reason"):
        assert f"{TYPED} {typed}" in plain
    assert "P-17" in plain
    others = said(app, *(kind for kind in ALL if kind != "text"))
    assert "<script>" not in others
    assert "P-17" not in others


@pytest.mark.parametrize(
    ("changes", "here", "gone"),
    [
        (
            {"familiarity": {"known": False, "distance": 2.5, "limit": 1.0, "reason": "unlike"}},
            "**AI:** Not a scan this model knows",
            "95% interval",
        ),
        (
            {
                "familiarity": {"known": True, "distance": 0.5, "limit": 1.0, "reason": ""},
                "sure": False,
            },
            "**AI:** Not sure",
            "No interval is given",
        ),
    ],
)
def test_a_reviewer_sees_that_the_model_did_not_know_the_picture_or_was_not_sure(
    kept: Store, changes: dict[str, Any], here: str, gone: str
) -> None:
    result = replace(answer_on(cropped()), **changes)
    passed = {"checks": [{"name": "blur", "outcome": "pass", "value": 9.0, "threshold": 1.0}]}
    number = send(kept, ai=result, verdict=Verdict.SUPPLEMENT, quality=passed)
    assert here not in said(opened(number), *ALL), "a blind reader sees nothing of it"
    record_blind_read(kept, REVIEWER, number, LabelDraft("benign", Origin.OPINION, 4), "own")
    told = said(opened(number), *ALL)
    assert here in told
    assert gone not in told
