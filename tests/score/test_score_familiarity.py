"""What the model does not know has a row, and an answer for a stated reason alone."""

from __future__ import annotations

from pathlib import Path

import bundle_factory
import pytest
from score_tools import folder_of, rows_of

from core.model import Abstention, Predictor
from core.score import Options, score
from core.settings import Settings

REASON = "For research only"
ANSWERS = ("answer", "probability", "flagged", "sure", "interval_low", "lesions", "outline")


@pytest.fixture(scope="module")
def refusing_site(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    settings = bundle_factory.settings_for(tmp_path_factory.mktemp("refusing"))
    promise = Abstention(0.9, 0.0, 1.0, 50)
    card = bundle_factory.lesion_card(abstention=promise)
    statistics = bundle_factory.judging(knows=False)
    bundle_factory.write(settings.model_roots[0], card=card, extra=statistics)
    return settings


def test_what_is_not_known_has_a_row_without_a_number_unless_somebody_said_why(
    tmp_path: Path, refusing_site: Settings
) -> None:
    predictor = Predictor.load("breast-ultrasound", settings=refusing_site)
    folder, out = folder_of(tmp_path / "in", 3), tmp_path / "out.csv"
    summary = score([folder], out, predictor, refusing_site)
    told = (summary.rows, summary.not_known, summary.not_read, summary.problems, summary.flagged)
    assert told == (3, 3, 0, 0, 0)
    for row in rows_of(out):
        assert (row["status"], row["known_scan"], row["quality"]) == ("not read", "no", "pass")
        assert float(row["distance"]) > float(row["distance_limit"]) == 1
        assert "Not a scan this model knows" in row["problem"]
        assert "--read-failing" in row["problem"]
        assert all(row[name] == "" for name in ANSWERS)
        assert not any(value for name, value in row.items() if name.startswith("probability_"))
    again = tmp_path / "again.csv"
    summary = score([folder], again, predictor, refusing_site, Options(read_failing=REASON))
    assert (summary.not_known, summary.unsure) == (0, 3)
    for row in rows_of(again):
        assert (row["status"], row["known_scan"], row["sure"]) == ("read", "no", "no")
        assert row["override_reason"] == REASON
        assert row["probability"]
        assert all(row[f"interval_{name}"] == "" for name in ("low", "high", "n", "positives"))


def test_a_bundle_that_cannot_say_leaves_the_cells_empty(
    tmp_path: Path, predictor: Predictor, model_site: Settings
) -> None:
    folder, out = folder_of(tmp_path / "in", 2), tmp_path / "out.csv"
    summary = score([folder], out, predictor, model_site)
    assert (summary.not_known, summary.unsure) == (0, 0)
    for row in rows_of(out):
        assert row["status"] == "read"
        assert row["probability"]
        assert {row[name] for name in ("sure", "known_scan", "distance", "distance_limit")} == {""}
