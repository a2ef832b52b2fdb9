"""Similar settled cases: real outcomes to compare with, and never the answer looked up."""

import dataclasses

import numpy as np
import pytest
from bundle_factory import judging, settings_for, write
from review_forms import (
    ADMINISTRATOR,
    CLINICIAN,
    COLLEAGUE,
    REVIEWER,
    ai,
    draft,
    form,
    key,
)
from review_forms import scan as picture
from sqlalchemy import select

from core.errors import InvalidFeedback, PermissionDenied
from core.jobs import JobRunner
from core.model import EmbeddingSpace, FamiliarityCheck, Predictor
from core.review import (
    CaseContext,
    Origin,
    SimilarCases,
    SimilarState,
    close_case,
    image_facts,
    record_blind_read,
    reveal,
    submit_feedback,
)
from core.scan import Correction, Scan, encode_png
from core.store import schema

SPACE = EmbeddingSpace(None)


@dataclasses.dataclass
class Answer:
    """As much of a prediction as finding similar cases needs."""

    image_digest: str
    embedding: np.ndarray | None
    bundle_digest: str = "c" * 64
    refused: bool = False


def direction(angle):
    """An embedding that lies at this angle, in degrees, from the one of 0."""
    turned = np.array([np.cos(np.radians(angle)), np.sin(np.radians(angle))])
    return (np.sign(turned) * turned**2).astype(np.float32)


def settle(store, seed, angle, label="benign", origin=Origin.BIOPSY, *, of=None, **said):
    of = picture(seed) if of is None else of
    number = submit_feedback(
        store,
        CLINICIAN,
        form(image=image_facts(of), png=encode_png(of), ai=said.pop("ai", ai(of)),
             embedding=direction(angle), **said),
    ).case_number  # fmt: skip
    record_blind_read(store, REVIEWER, number, draft(label), key())
    version = reveal(store, REVIEWER, number).version
    close_case(store, REVIEWER, number, draft(label, origin=origin), key(), version=version)
    return number


def look(store, of=None, angle=0.0, person=CLINICIAN, cases=None, **more):
    of = picture(99) if of is None else of
    answer = Answer(of.digest, direction(angle)) if "answer" not in more else more.pop("answer")
    return (cases or SimilarCases(store)).find(person, of, answer, SPACE, **more)


def numbers(found):
    return [case.case_number for case in found.cases]


def test_the_nearest_settled_cases_come_first_with_label_and_what_it_rests_on(store):
    far = settle(store, 1, 60, "malignant")
    near = settle(store, 2, 5, "benign", Origin.OPINION)
    middle = settle(store, 3, 20, "normal", Origin.FOLLOW_UP)
    submit_feedback(store, CLINICIAN, form(4, embedding=direction(1)))  # waits: not settled
    found = look(store)
    assert (found.state, found.settled, found.left_out) == (SimilarState.FOUND, 3, 0)
    assert numbers(found) == [near, middle, far]
    assert [(c.label, c.origin) for c in found.cases] == [
        ("benign", Origin.OPINION), ("normal", Origin.FOLLOW_UP), ("malignant", Origin.BIOPSY),
    ]  # fmt: skip
    assert found.cases[0].distance == pytest.approx(2 * np.sin(np.radians(2.5)), abs=1e-5)
    assert found.cases[0].nearer_than is None
    assert numbers(look(store, most=1)) == [near]
    # Nothing of who it is or who said so.
    assert {field.name for field in dataclasses.fields(found.cases[0])} == {
        "case_number", "digest", "label", "origin", "distance", "nearer_than", "synthetic",
    }  # fmt: skip


@pytest.mark.parametrize("person", [REVIEWER, ADMINISTRATOR])
def test_a_blind_reader_gets_no_outcome_of_a_similar_case(store, person):
    settle(store, 1, 5)
    with pytest.raises(PermissionDenied):
        look(store, person=person)


def test_the_answer_to_the_scan_itself_cannot_be_looked_up(store):
    whole = picture(1)
    turned = dataclasses.replace(
        picture(2), corrections=(Correction.make("rotate", degrees=90),), origin=whole.digest
    )
    first = dataclasses.replace(picture(3), frames=3)
    third = dataclasses.replace(picture(4), frames=3, frame=2, series=first.digest)
    rescaled = Scan.from_pixels(whole.pixels, synthetic=True)
    settle(store, 0, 0, of=whole)
    settle(store, 0, 2, of=turned)
    settle(store, 0, 3, of=third)
    other = settle(store, 5, 40)
    for asked, angle, left_out in (
        (whole, 0, 2), (turned, 2, 2), (first, 9, 1), (third, 3, 1), (rescaled, 0, 2),
    ):  # fmt: skip
        found = look(store, asked, angle)
        assert found.left_out == left_out
        assert other in numbers(found)
        hidden = {whole, turned} if left_out == 2 else {third}
        assert not {scan.case_number for scan in hidden} & set(numbers(found))


def test_no_other_image_of_the_patient_is_shown_however_it_came_in(store):
    settle(store, 1, 1, context=CaseContext(pseudonym="P-1"))
    # Taken back later: rather one too many left out than one too few.
    settle(store, 2, 2, context=CaseContext(pseudonym="P-1"))
    submit_feedback(store, COLLEAGUE, form(3, context=CaseContext(pseudonym="P-1")))
    other = settle(store, 4, 50, context=CaseContext(pseudonym="P-11"))
    found = look(store, pseudonym="P-1")
    assert (numbers(found), found.left_out) == ([other], 2)
    # Sent under that pseudonym before, it need not be typed again.
    assert numbers(look(store, picture(3))) == [other]
    with pytest.raises(InvalidFeedback) as refused:
        look(store, pseudonym="Jane Roe")
    assert "Jane" not in str(refused.value)


def test_a_patient_with_many_images_counts_once(store):
    for seed, angle in ((1, 1), (2, 2), (3, 3)):
        settle(store, seed, angle, context=CaseContext(pseudonym="P-1"))
    other = settle(store, 4, 50)
    found = look(store, most=2)
    assert numbers(found) == [picture(1).case_number, other]
    assert found.same_patient == 2


def test_a_case_disappears_when_it_is_opened_again_and_comes_back_with_its_last_label(store):
    cases = SimilarCases(store)
    number = settle(store, 1, 5, "benign")
    other = settle(store, 2, 40)
    assert numbers(look(store, cases=cases)) == [number, other]
    submit_feedback(store, COLLEAGUE, form(1, comment="grown", ai=None, verdict=None,
                                           label="malignant", origin=Origin.BIOPSY))  # fmt: skip
    assert numbers(look(store, cases=cases)) == [other]
    version = reveal(store, REVIEWER, number).version
    close_case(store, REVIEWER, number, draft("malignant", origin=Origin.BIOPSY), key(),
               version=version)  # fmt: skip
    found = look(store, cases=cases)
    assert numbers(found) == [number, other]
    assert found.cases[0].label == "malignant"


def test_what_the_model_gives_no_embedding_of_or_does_not_know_is_compared_with_nothing(store):
    of = picture(99)
    unlike = {"known": False, "distance": 2.0, "limit": 1.0, "reason": "unlike"}
    photograph = picture(1)
    settle(store, 1, 1, of=photograph, ai=ai(photograph, familiarity=unlike),
           override_reason="to see")  # fmt: skip
    assert look(store).state is SimilarState.NONE
    nothing = look(store, answer=Answer(of.digest, None))
    assert nothing.state is SimilarState.NO_EMBEDDING
    refused = look(store, answer=Answer(of.digest, direction(1), refused=True))
    assert refused.state is SimilarState.UNKNOWN_SCAN
    other_bundle = look(store, answer=Answer(of.digest, direction(1), "d" * 64))
    assert (other_bundle.state, other_bundle.settled) == (SimilarState.NONE, 0)


def test_a_phantom_is_not_shown_beside_a_patients_scan(store):
    settle(store, 1, 5)
    patient = dataclasses.replace(picture(99), synthetic=False)
    assert look(store).state is SimilarState.FOUND
    assert look(store, patient).state is SimilarState.NONE


def test_after_a_switch_of_models_settled_cases_are_read_again_bit_by_bit(
    store, tmp_path, monkeypatch
):
    from core.review import _similar

    settings = settings_for(tmp_path / "site")
    write(settings.model_roots[0], extra=judging(knows=True))
    predictor = Predictor.load("breast-ultrasound", settings=settings)
    assert predictor.gives_embeddings
    for seed in range(1, 5):
        settle(store, seed, 10 * seed)
    lost = settle(store, 5, 50)
    with store.reading() as connection:
        blob = connection.execute(
            select(schema.images.c.blob).where(schema.images.c.case_number == lost)
        ).scalar_one()
    # An image that is gone does not hold up the others.
    store.blobs._path(blob).unlink()
    asked = picture(99)
    answer = predictor.read(asked)
    assert answer.embedding.shape == (32,)
    assert not answer.embedding.flags.writeable
    space = EmbeddingSpace.of(predictor.bundle.reference.extra)
    cases, runner = SimilarCases(store), JobRunner()
    monkeypatch.setattr(_similar, "_FILLED_AT_ONCE", 3)
    cases.keep_up(predictor, runner)
    assert cases._job.wait(60).state == "done"
    found = cases.find(CLINICIAN, asked, answer, space)
    assert 2 <= found.settled <= 3
    assert found.waiting
    while found.waiting:
        cases.keep_up(predictor, runner)
        cases._job.wait(60)
        found = cases.find(CLINICIAN, asked, answer, space)
    assert (found.settled, found.waiting) == (4, 0)
    cases.keep_up(predictor, runner)
    assert cases._job is None
    with store.reading() as connection:
        rows = connection.execute(select(schema.embeddings.c.bundle_digest)).scalars().all()
    assert sorted(rows) == sorted(["c" * 64] * 5 + [predictor.bundle.digest] * 4)
    # What was read again is what a read of the scan itself gives.
    again = predictor.read(picture(2))
    with store.reading() as connection:
        stored = connection.execute(
            select(schema.embeddings.c.vector).where(
                schema.embeddings.c.image_digest == picture(2).digest,
                schema.embeddings.c.bundle_digest == predictor.bundle.digest,
            )
        ).scalar_one()
    np.testing.assert_allclose(np.frombuffer(stored, "<f4"), again.embedding, atol=1e-5)


def test_directions_count_and_not_how_strong_a_picture_is():
    rng = np.random.default_rng(0)
    known = FamiliarityCheck.from_arrays(judging(8, knows=True))
    values = rng.normal(size=(3, 8)).astype(np.float32)
    for space in (EmbeddingSpace(None), EmbeddingSpace(known)):
        placed = space.place(values)
        assert placed.dtype == np.float32
        np.testing.assert_allclose(np.linalg.norm(placed, axis=1), 1, atol=1e-6)
        np.testing.assert_allclose(space.place(4 * values), placed, atol=1e-6)
        assert not space.place(np.zeros((1, 8), np.float32)).any()
