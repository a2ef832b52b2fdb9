"""A refusal that tells scans from other pictures, also for a scanner it was not fitted on."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from core.errors import LearningError
from core.learning.foreign import KINDS, foreign_pictures
from core.learning.refusal import fit_familiarity, varied
from core.model import FamiliarityCheck, Predictor, embeddings_of, read_bundle, resolve
from core.scan import LesionSpec, PhantomSpec, Scan, list_samples, make_phantom, open_sample
from core.settings import load_settings

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "model"))
import bundle_factory

SIZE = 60


def cloud(rng: np.random.Generator, n: int, shift: float, size: int = SIZE) -> np.ndarray:
    """Make embeddings like pooled activations: correlated, not negative, long-tailed."""
    basis = np.random.default_rng(1).normal(size=(8, size))
    return (np.maximum(rng.normal(size=(n, 8)) @ basis + 3 + shift, 0) ** 2).astype(np.float32)


def check_of(arrays: object) -> FamiliarityCheck:
    found = FamiliarityCheck.from_arrays(arrays)  # type: ignore[arg-type]
    assert found is not None
    return found


def refused(check: FamiliarityCheck, embeddings: np.ndarray) -> float:
    return float(np.mean([not check.judge(row).known for row in embeddings]))


def fitted(seed: int = 0) -> tuple[FamiliarityCheck, np.random.Generator]:
    rng = np.random.default_rng(seed)
    known = np.concatenate([cloud(rng, 150, shift) for shift in (0.0, 0.4, 0.8)])
    sources = np.repeat(["a", "b", "c"], 150).tolist()
    foreign = rng.gamma(1.0, 20.0, (120, SIZE)).astype(np.float32)
    return check_of(fit_familiarity(known, sources, foreign, seed=seed)), rng


def test_a_scanner_left_out_is_known_and_another_kind_of_picture_is_not() -> None:
    check, rng = fitted()
    assert refused(check, cloud(rng, 300, 0.2)) <= 0.02
    assert refused(check, cloud(rng, 300, 0.6)) <= 0.02
    assert refused(check, rng.gamma(1.0, 20.0, (300, SIZE)).astype(np.float32)) >= 0.95
    # Of a kind that no fit has seen.
    assert refused(check, np.full((1, SIZE), 400, np.float32)) == 1


def test_a_limit_is_wider_where_sources_differ_more() -> None:
    rng = np.random.default_rng(3)
    foreign = rng.gamma(1.0, 20.0, (120, SIZE)).astype(np.float32)
    limits = []
    for shifts in ((0.0, 0.0), (0.0, 2.0)):
        known = np.concatenate([cloud(rng, 150, shift) for shift in shifts])
        check = check_of(fit_familiarity(known, ["a"] * 150 + ["b"] * 150, foreign))
        limits.append((check.limits - check.zero)[0])
    assert limits[1] > limits[0]


def test_no_embedding_of_a_patient_is_kept() -> None:
    rng = np.random.default_rng(5)
    known = cloud(rng, 90, 0.0)
    arrays = fit_familiarity(known, ["a", "b", "c"] * 30, cloud(rng, 40, 9.0))
    kept = np.concatenate([np.atleast_2d(a).ravel() for a in arrays.values()])
    assert len(kept) < known.size
    for row in known:
        for values in (row, np.sqrt(row)):
            windows = np.lib.stride_tricks.sliding_window_view(kept, SIZE)
            assert not np.isclose(windows, values, rtol=1e-3).all(axis=1).any()
    assert all(a.dtype == np.float32 for a in arrays.values())


def test_the_same_scans_give_the_same_statistics_and_one_source_is_enough() -> None:
    rng = np.random.default_rng(7)
    known, foreign = cloud(rng, 120, 0.0), rng.gamma(1.0, 20.0, (60, SIZE)).astype(np.float32)
    one, two = (fit_familiarity(known, ["a"] * 120, foreign, seed=3) for _ in range(2))
    for name, values in one.items():
        np.testing.assert_array_equal(values, two[name])
    assert refused(check_of(one), cloud(rng, 200, 0.0)) <= 0.03


@pytest.mark.parametrize(
    ("known", "foreign"),
    [
        (np.zeros((5, 8)), np.zeros((30, 8))),
        (np.zeros((30, 8)), np.zeros((5, 8))),
        (np.zeros((30, 8)), np.zeros((30, 9))),
        (np.full((30, 8), np.nan), np.zeros((30, 8))),
    ],
)
def test_too_little_to_learn_from_is_said_in_one_line(known, foreign) -> None:
    with pytest.raises(LearningError):
        fit_familiarity(known, ["a"] * len(known), foreign)


def test_a_network_that_never_saw_a_scan_still_tells_phantoms_from_made_up_pictures(
    tmp_path: Path,
) -> None:
    """The whole way: pixels, the compiled call, the fit, and pictures of other seeds."""
    bundle = bundle_factory.write(tmp_path / "models", bundle_factory.lesion_net(seed=2))
    phantoms = [
        make_phantom(PhantomSpec(120, 100, lesion=LesionSpec() if n % 2 else None), n).scan
        for n in range(90)
    ]
    known = embeddings_of(bundle, phantoms)
    made = [Scan.from_pixels(p) for _kind, p in foreign_pictures(96, 1)]
    others = [Scan.from_pixels(p) for _kind, p in foreign_pictures(48, 2)]
    check = check_of(
        fit_familiarity(known[:60], [str(n % 3) for n in range(60)], embeddings_of(bundle, made))
    )
    assert refused(check, known[60:]) <= 0.1
    assert refused(check, embeddings_of(bundle, others)) >= 0.7


def test_every_kind_of_made_up_picture_can_be_read_and_is_made_again() -> None:
    first, again = foreign_pictures(2 * len(KINDS), 4), foreign_pictures(2 * len(KINDS), 4)
    assert {kind for kind, _picture in first} == set(KINDS)
    for (kind, one), (_kind, other) in zip(first, again, strict=True):
        assert one.dtype == np.uint8, kind
        assert 160 <= min(one.shape) <= max(one.shape) <= 520, kind
        np.testing.assert_array_equal(one, other)
    assert not np.array_equal(first[0][1], foreign_pictures(1, 5)[0][1])


def test_a_changed_scan_is_still_a_picture_of_its_own() -> None:
    scan = make_phantom(PhantomSpec(150, 120), 3).scan
    made = [varied(scan, number) for number in range(30)]
    assert all(picture.dtype == np.uint8 and picture.ndim == 2 for picture in made)
    assert len({picture.tobytes() for picture in made}) > 8
    np.testing.assert_array_equal(varied(scan, 4), made[4])


@pytest.fixture(scope="module")
def shipped() -> Predictor:
    settings = load_settings({})
    bundle = read_bundle(resolve("breast-ultrasound", settings=settings).folder)
    if FamiliarityCheck.from_arrays(bundle.reference.extra) is None:
        pytest.skip("The shipped bundle has no statistics of known scans.")
    return Predictor.load("breast-ultrasound", bundle.card.version, settings=settings)


def test_what_ships_knows_its_samples_and_phantoms(shipped: Predictor) -> None:
    scans = [open_sample(sample.key) for sample in list_samples()]
    scans += [make_phantom(PhantomSpec(400, 300, lesion=LesionSpec()), n).scan for n in range(6)]
    for scan in scans:
        assert not shipped.read(scan).refused


def test_what_ships_refuses_pictures_that_are_none(shipped: Predictor) -> None:
    made = [Scan.from_pixels(p) for _kind, p in foreign_pictures(72, 31)]
    found = [read.prediction for read in shipped.read_many(made, heat=False)]
    passed = sum(answer is not None and not answer.refused for answer in found)
    assert passed <= 0.05 * len(made)
