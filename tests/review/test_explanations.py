"""Explanations kept with feedback: all of them or none, once, and not before the blind read."""

from __future__ import annotations

import numpy as np
import pytest
from review_forms import (
    ADMINISTRATOR,
    CLINICIAN,
    REVIEWER,
    SECOND,
    ai,
    draft,
    form,
    key,
    run_at_once,
    scan,
)
from sqlalchemy import func, select

from core.errors import (
    BlobMissing,
    CaseNotFound,
    InvalidFeedback,
    NotYetRead,
    PermissionDenied,
    StateConflict,
    StoreError,
)
from core.explain import Explanation
from core.review import (
    MAX_EXPLANATIONS,
    SentExplanation,
    open_case,
    open_explanation,
    record_blind_read,
    reveal,
    submit_feedback,
)
from core.store import schema

FIGURES = {"faithfulness": 0.25, "beats_random": True, "agreement": None}


def explained(seed=0, /, evidence=FIGURES, **changed):
    of = scan(seed)
    values = np.random.default_rng(9).normal(0, 1e-5, of.pixels.shape).astype(np.float32)
    made = {
        "method": "expected-gradients", "target": "malignant", "values": values, "signed": True,
        "layer": None, "parameters": {"samples": 4, "seed": 0}, "unit": "score",
        "base_value": -1.5, "output": 0.5, "bundle_digest": "c" * 64, "image_digest": of.digest,
    }  # fmt: skip
    return SentExplanation(Explanation(**made | changed), evidence)


def count(store, table=schema.explanations):
    with store.reading() as connection:
        return connection.execute(select(func.count()).select_from(table)).scalar_one()


def files(settings):
    return [path for path in settings.blobs.rglob("*") if path.is_file()]


def revealed(store, number, person=REVIEWER):
    record_blind_read(store, person, number, draft(), key())
    return reveal(store, person, number)


def test_a_reviewer_gets_what_was_on_screen_with_what_made_it(store):
    one = explained()
    other = explained(evidence=None, method="grad-cam", layer="block5", target="benign")
    receipt = submit_feedback(store, CLINICIAN, form(explanations=(one, other)))
    (entry,) = revealed(store, receipt.case_number).feedback
    assert [kept.method for kept in entry.explanations] == ["expected-gradients", "grad-cam"]
    first, second = entry.explanations
    assert (first.evidence, second.evidence) == (FIGURES, None)
    assert first.gap == pytest.approx(one.explanation.gap)
    found = open_explanation(store, REVIEWER, receipt.case_number, first.id)
    for name in ("method", "target", "signed", "layer", "unit", "base_value", "output",
                 "bundle_digest", "image_digest"):  # fmt: skip
        assert getattr(found.explanation, name) == getattr(one.explanation, name)
        assert getattr(first, name) == getattr(one.explanation, name)
    assert dict(found.explanation.parameters) == dict(one.explanation.parameters)
    largest = np.abs(one.explanation.values).max()
    assert np.abs(found.explanation.values - one.explanation.values).max() < largest / 1000


def test_before_the_own_read_is_saved_nothing_of_a_map_is_told_by_any_way(store):
    with_map = submit_feedback(store, CLINICIAN, form(explanations=(explained(),)))
    without = submit_feedback(store, CLINICIAN, form(1))
    view = open_case(store, REVIEWER, with_map.case_number)
    assert not hasattr(view, "explanations")
    said = set()
    for number in (with_map.case_number, without.case_number):
        # A map that is there and one that is not are refused in the same words.
        for guess in (1, 2, 99):
            with pytest.raises(NotYetRead) as refused:
                open_explanation(store, REVIEWER, number, guess)
            said.add(str(refused.value))
    assert len(said) == 1
    record_blind_read(store, REVIEWER, with_map.case_number, draft(), key())
    # Looking is noted first.
    with pytest.raises(NotYetRead, match="Reveal"):
        open_explanation(store, REVIEWER, with_map.case_number, 1)
    (entry,) = reveal(store, REVIEWER, with_map.case_number).feedback
    kept = entry.explanations[0].id
    assert open_explanation(store, REVIEWER, with_map.case_number, kept).explanation.signed
    # Another's read opens nothing, and one's own read of another case neither.
    with pytest.raises(NotYetRead):
        open_explanation(store, SECOND, with_map.case_number, kept)
    revealed(store, without.case_number)
    with pytest.raises(CaseNotFound):
        open_explanation(store, REVIEWER, without.case_number, kept)
    for person in (CLINICIAN, ADMINISTRATOR):
        with pytest.raises(PermissionDenied):
            open_explanation(store, person, with_map.case_number, kept)


def test_sent_twice_or_from_many_threads_maps_are_kept_once(store, settings):
    sent = form(explanations=(explained(),))
    receipts = run_at_once(*[lambda: submit_feedback(store, CLINICIAN, sent)] * 4)
    assert sorted(receipt.created for receipt in receipts) == [False, False, False, True]
    assert count(store) == 1
    # Pixels and one map, and another form with the same map brings no further file.
    assert len(files(settings)) == 2
    submit_feedback(store, CLINICIAN, form(explanations=(explained(),), comment="again"))
    assert count(store) == 2
    assert len(files(settings)) == 2


def test_a_map_made_since_is_not_called_saved_before_it_is(store):
    sent = form()
    submit_feedback(store, CLINICIAN, sent)
    with pytest.raises(StateConflict):
        submit_feedback(
            store, CLINICIAN, form(explanations=(explained(),), submission_key=sent.submission_key)
        )
    assert count(store) == 0
    assert submit_feedback(store, CLINICIAN, form(explanations=(explained(),))).created
    assert count(store) == 1
    # After a reload the maps are gone from the screen: that is no other form.
    assert not submit_feedback(store, CLINICIAN, form()).created


def test_feedback_that_fails_keeps_no_row_of_a_map(store, monkeypatch):
    def fail(*_args, **_options):
        raise StoreError("the disk is full")

    monkeypatch.setattr("core.review._submit.project", fail)
    with pytest.raises(StoreError):
        submit_feedback(store, CLINICIAN, form(explanations=(explained(),)))
    assert count(store) == count(store, schema.feedback) == 0


@pytest.mark.parametrize(
    "others",
    [
        {"explanations": (explained(1),)},
        {"explanations": (explained(bundle_digest="e" * 64),)},
        {"explanations": (explained(),), "ai": None, "verdict": None, "label": "benign",
         "origin": "opinion"},
        {"explanations": (explained(),) * (MAX_EXPLANATIONS + 1)},
        {"explanations": (explained(evidence={"x": "y" * 20_000}),)},
        {"explanations": (explained(target="a\x00b"),)},
    ],
    ids=["another scan", "another model", "no answer", "too many", "too much", "no letter"],
)  # fmt: skip
def test_a_map_that_does_not_belong_to_the_answer_is_refused(others):
    with pytest.raises(InvalidFeedback):
        form(**others)


def test_a_kept_map_that_is_gone_is_told_in_one_line(store, settings):
    before = set()
    receipt = submit_feedback(store, CLINICIAN, form())
    before = set(files(settings))
    submit_feedback(store, CLINICIAN, form(explanations=(explained(),)))
    (kept,) = revealed(store, receipt.case_number).feedback[1].explanations
    (path,) = set(files(settings)) - before
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(BlobMissing, match="damaged"):
        open_explanation(store, REVIEWER, receipt.case_number, kept.id)
    assert ai(scan()).bundle_digest == kept.bundle_digest
