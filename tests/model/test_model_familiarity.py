"""Whether a picture is a scan the model knows, out of the same call; and when it is not sure."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import bundle_factory
import numpy as np
import pytest
from loop_factory import phantom_loop

from core.errors import BundleInvalid
from core.model import (
    Abstention,
    Card,
    FamiliarityCheck,
    Outputs,
    Predictor,
    embeddings_of,
    read_bundle,
    read_frames,
)
from core.settings import Settings


def site(
    tmp: Path,
    card: Card | None = None,
    extra: dict[str, np.ndarray] | None = None,
    model: object = None,
) -> Settings:
    settings = bundle_factory.settings_for(tmp)
    bundle_factory.write(settings.model_roots[0], model, card, extra)
    return settings


def loaded(settings: Settings) -> Predictor:
    return Predictor.load("breast-ultrasound", settings=settings)


def test_a_bundle_without_statistics_says_nothing_of_familiarity(tmp_path: Path) -> None:
    found = loaded(site(tmp_path)).read(bundle_factory.scan())
    assert (found.familiarity, found.sure, found.refused) == (None, None, False)


@pytest.mark.parametrize("knows", [True, False])
def test_one_scan_and_a_batch_are_judged_alike_with_and_without_heat(
    tmp_path: Path, knows: bool
) -> None:
    predictor = loaded(site(tmp_path, extra=bundle_factory.judging(knows=knows)))
    scans = [bundle_factory.scan(seed=seed) for seed in range(5)]
    alone = [predictor.read(scan).familiarity for scan in scans]
    for heat in (True, False):
        many = [
            read.prediction.familiarity
            for read in predictor.read_many(scans, batch_size=3, heat=heat)
            if read.prediction is not None
        ]
        for one, other in zip(alone, many, strict=True):
            assert one is not None
            assert other is not None
            assert (one.known, one.reason) == (knows, "" if knows else "no_scan")
            assert one.distance == pytest.approx(other.distance, abs=1e-5)
            assert (one.distance <= one.limit) is knows


def test_the_embedding_is_the_average_of_the_feature_map_or_what_the_card_names(
    tmp_path: Path,
) -> None:
    import keras

    model = bundle_factory.lesion_net()
    scans = [bundle_factory.scan(seed=seed) for seed in range(3)]
    plain = bundle_factory.write(tmp_path / "plain", model)
    averaged = embeddings_of(plain, scans, batch_size=2)
    assert averaged.shape == (3, 32)
    double = keras.layers.Rescaling(2.0, name="embedding")(
        keras.layers.GlobalAveragePooling2D()(model.output["cam_features"])
    )
    named = keras.Model(model.input, {**model.output, "embedding": double})
    card = bundle_factory.lesion_card()
    card = replace(card, outputs=replace(card.outputs, embedding="embedding"))
    bundle = bundle_factory.write(tmp_path / "named", named, card)
    assert read_bundle(bundle.folder).card.outputs.embedding == "embedding"
    np.testing.assert_allclose(embeddings_of(bundle, scans), 2 * averaged, rtol=1e-5)


def test_judging_changes_nothing_of_the_answer(tmp_path: Path) -> None:
    scan = bundle_factory.scan(seed=4)
    without = loaded(site(tmp_path / "a")).read(scan)
    judged = loaded(site(tmp_path / "b", extra=bundle_factory.judging(knows=True))).read(scan)
    assert judged.probabilities == without.probabilities
    np.testing.assert_array_equal(judged.network_heat, without.network_heat)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda a: a.pop("familiarity_mean"),
        lambda a: a.update(familiarity_scale=np.zeros(32, np.float32)),
        lambda a: a.update(familiarity_weights=np.zeros(32, np.float32)),
        lambda a: a.update(familiarity_limits=np.array([np.nan, 1], np.float32)),
        lambda a: a.update(familiarity_limits=np.array([-1, -1], np.float32)),
        lambda a: a.update(familiarity_axes=np.zeros((2, 32), np.float32)),
        lambda a: a.update(familiarity_rest=np.array("1")),
    ],
)
def test_statistics_that_contradict_themselves_judge_nothing(spoil) -> None:
    arrays = bundle_factory.judging(knows=True)
    spoil(arrays)
    with pytest.raises(BundleInvalid, match="statistics of known scans"):
        FamiliarityCheck.from_arrays(arrays)


@pytest.mark.parametrize("broken", [False, True])
def test_a_bundle_with_statistics_of_another_network_is_not_read_with(
    tmp_path: Path, broken: bool
) -> None:
    arrays = bundle_factory.judging(32 if broken else 31, knows=True)
    if broken:
        arrays.pop("familiarity_rest")
    settings = site(tmp_path, extra=arrays)
    with pytest.raises(BundleInvalid, match="statistics of known scans"):
        Predictor.load("breast-ultrasound", bundle_factory.VERSION, settings=settings)


def test_an_embedding_beyond_all_measure_is_not_known() -> None:
    check = FamiliarityCheck.from_arrays(bundle_factory.judging(knows=True))
    assert check is not None
    for wild in (np.full(32, 3e38, np.float32), np.full(32, np.inf, np.float32)):
        found = check.judge(wild)
        assert np.isfinite(found.distance)
    assert not check.judge(np.full(32, np.nan, np.float32)).known


def test_a_frame_that_is_not_known_is_marked_and_counts_in_no_figure(tmp_path: Path) -> None:
    predictor = loaded(site(tmp_path, extra=bundle_factory.judging(knows=False)))
    curve = read_frames(predictor, phantom_loop(4))
    assert (curve.unknown, curve.failed, curve.held_back, curve.flagged) == (4, 0, 0, 0)
    assert curve.probabilities == ()
    assert curve.median is None
    assert {point.unknown for point in curve.points} == {"no_scan"}
    assert all("Not a scan this model knows" in (point.error or "") for point in curve.points)


@pytest.mark.parametrize(
    ("low", "high", "probability", "flagged", "sure"),
    [
        (0.2, 0.6, 0.1, False, True),
        (0.2, 0.6, 0.7, True, True),
        (0.2, 0.6, 0.4, True, False),  # both are possible
        (0.2, 0.6, 0.2, False, False),
        (0.2, 0.6, 0.6, True, False),
        (0.6, 0.2, 0.4, True, False),  # neither is
        (0.6, 0.2, 0.1, False, True),
        (0.2, 0.3, 0.32, False, False),  # only the side the answer does not give
    ],
)
def test_sure_is_only_what_leaves_one_side_and_gives_it(
    low: float, high: float, probability: float, flagged: bool, sure: bool
) -> None:
    assert Abstention(0.9, low, high, 50).sure(probability, flagged=flagged) is sure


def test_what_the_card_promises_is_kept_by_every_read(tmp_path: Path) -> None:
    measured = {"coverage": {"value": 0.9, "low": 0.85, "high": 0.94, "n": 200}}
    promise = Abstention(0.9, 0.2, 0.5, 200, measured)
    card = bundle_factory.lesion_card(abstention=promise)
    predictor = loaded(site(tmp_path, card))
    assert predictor.card.abstention == promise
    for seed in range(6):
        found = predictor.read(bundle_factory.scan(seed=seed))
        assert found.sure is promise.sure(found.probability, flagged=found.flagged)


def test_a_card_without_the_new_entries_is_written_as_it_always_was() -> None:
    text = bundle_factory.lesion_card().to_json()
    assert "abstention" not in text
    assert "embedding" not in text
    assert Card.from_json(text).outputs == Outputs("class_logits", None, "lesion", "cam_features")


@pytest.mark.parametrize(
    "promise",
    [
        Abstention(0.9, 0.2, 0.5, 10),
        Abstention(0.95, 0.0, 1.0, 1, {"unsure": {"value": 1.0}}),
    ],
)
def test_a_promise_survives_being_written(promise: Abstention) -> None:
    card = bundle_factory.lesion_card(abstention=promise)
    assert Card.from_json(card.to_json()).abstention == promise


@pytest.mark.parametrize(
    "promise",
    [
        Abstention(1.0, 0.2, 0.5, 10),
        Abstention(0.9, -0.1, 0.5, 10),
        Abstention(0.9, 0.1, 1.5, 10),
        Abstention(0.9, 0.1, 0.5, 0),
        Abstention(0.9, 0.1, 0.5, 10, {"x": float("nan")}),
    ],
)
def test_a_promise_out_of_its_range_is_refused(promise: Abstention) -> None:
    with pytest.raises(BundleInvalid, match="abstention"):
        bundle_factory.lesion_card(abstention=promise)
