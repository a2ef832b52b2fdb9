"""The bundle that ships reads the samples that ship."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from core.model import Predictor, list_bundles, preprocess
from core.scan import read_scan
from core.settings import ROOT, Settings

TASK = "breast-ultrasound"
SAMPLES = sorted((ROOT / "assets" / "samples").glob("*.png"))


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> Predictor:
    settings = Settings(var=tmp_path_factory.mktemp("empty"), database_url="")
    assert list_bundles(settings, TASK), "no bundle ships in this checkout"
    assert {entry.reason for entry in list_bundles(settings, TASK)} == {None}
    return Predictor.load(TASK, settings=settings)


def test_the_shipped_card_tells_what_a_clinician_must_know(shipped: Predictor) -> None:
    card = shipped.card
    assert (card.labels[card.positive_index], len(card.labels)) == ("malignant", 3)
    assert card.intended_use
    assert card.limits
    assert card.data
    assert card.prevalence is not None
    assert card.approved.sensitivity_interval is not None
    assert shipped.bundle.reference.validation_scores.size > 100


def test_samples_ship() -> None:
    assert len(SAMPLES) >= 3


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_the_shipped_model_reads_the_samples(shipped: Predictor, path: Path) -> None:
    scan = read_scan(path.read_bytes())
    read = shipped.read(scan)
    lesion = read.lesion_map()
    assert lesion is not None
    assert read.image_digest == scan.digest
    assert read.heat().shape == lesion.shape == (scan.height, scan.width)
    assert np.isfinite(list(read.probabilities.values())).all()
    assert read.interval is not None


def test_no_map_of_the_closer_reading_is_drawn_over_the_whole_scan(shipped: Predictor) -> None:
    # Its places are those of a square around the lesion: heat from one would lie elsewhere.
    assert shipped.probe().layers() == ("cam_features",)


def test_shap_values_add_up_because_a_background_is_looked_at_where_the_scan_is(
    shipped: Predictor,
) -> None:
    # It looks closer where the lesion is: chosen anew at each sample, values missed the score.
    scan, background = (
        preprocess(read_scan(path.read_bytes()).grey, shipped.card.input)[0] for path in SAMPLES[:2]
    )
    both, probe = np.stack([scan, background]), shipped.probe()
    here, there = (probe.scores(both, at=at) for at in both)
    assert np.abs(here[1] - there[1]).max() > 0.01
