"""The performance page: whose figures they are, who may set what, and what it says without any."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from page_tools import READ, scan_bytes, sign_in, upload, words
from streamlit.testing.v1 import AppTest

from core.model import list_bundles, set_site_prevalence, site_prevalence
from core.trust import demo_people
from core.ui import service
from core.ui.site import look_again

PAGE = "pages/models/performance.py"
TASK = "breast-ultrasound"
ADMINISTRATOR = demo_people()[2]


@pytest.fixture
def own_models(tmp_path: Path, small_model: Path) -> Path:
    """The bundle in a folder of the test's own, so that evaluations can be attached to it."""
    import shutil

    (tmp_path / "models").unlink()
    shutil.copytree(small_model / "models", tmp_path / "models")
    (found,) = (tmp_path / "models" / TASK).iterdir()
    return found


def visit(app: AppTest, role: str) -> AppTest:
    sign_in(app, role)
    app.switch_page(PAGE).run()
    assert not app.exception
    return app


def charts(app: AppTest) -> list[str]:
    return [str(chart.proto.id) for chart in app.get("plotly_chart")]


def drawn(app: AppTest, name: str) -> bool:
    return any(name in chart for chart in charts(app))


def press(app: AppTest, label: str) -> AppTest:
    (button,) = [button for button in app.button if button.label == label]
    button.click().run()
    assert not app.exception
    return app


def set_here(app: AppTest, percent: float | None, reason: str) -> AppTest:
    (share,) = app.number_input
    share.set_value(percent)
    app.text_input[0].set_value(reason)
    return press(app, "Set for everybody")


def report(digest: str) -> dict[str, Any]:
    figure = {"value": 0.8123, "low": 0.7, "high": 0.9}
    return {
        "model": {"bundle_digest": digest},
        "data": {"name": "ward-7"},
        "labels": ["normal", "benign", "malignant"],
        "n": 60,
        "refused": 2,
        "positive": "malignant",
        "roc_auc": figure,
        "curves": {
            "roc": [[0, 0, 1], [0.2, 0.8, 0.5], [1, 1, 0]],
            "pr": [[0.5, 1, 0.9], [1, 0.3, 0]],
        },
        "subgroups": [
            {"by": "device", "value": "<b>A</b>", "n": 40, "positives": 15, "roc_auc": figure},
            {"by": "device", "value": "B", "n": 12, "positives": 3, "roc_auc": figure},
        ],
        "selective": [{"coverage": c, "n": 30, "accuracy": figure} for c in (1.0, 0.5)],
        "robustness": [
            {"change": "blur", "grade": g, "n": 60, "refused": 0, "roc_auc": figure} for g in (1, 2)
        ],
    }  # fmt: skip


def attach(folder: Path, content: Any, name: str = "ward") -> None:
    place = folder / "evaluation" / name
    place.mkdir(parents=True)
    text = content if isinstance(content, str) else json.dumps(content)
    (place / "report.json").write_text(text)


def digest() -> str:
    entry = list_bundles(service.settings(), TASK)[0]
    assert entry.bundle is not None
    return entry.bundle.digest


@pytest.mark.parametrize("role", ["clinician", "reviewer", "administrator"])
def test_everybody_sees_what_the_model_is_for_and_how_well_it_does(app: AppTest, role: str) -> None:
    visit(app, role)
    said = words(app)
    assert "Random weights for tests" in said
    assert "In use: answers come from this version." in said
    assert "· Random weights." in said
    assert digest() in said
    # The card's flat figure comes first; the scores have curves.
    app.selectbox[1].set_value("validation scores").run()
    assert not app.exception
    assert all(drawn(app, name) for name in ("roc", "pr", "reliability", "confusion"))
    assert "--attach" in app.code[0].value


def test_an_attached_report_is_shown_with_its_intervals(app: AppTest, own_models: Path) -> None:
    attach(own_models, report(digest()))
    visit(app, "reviewer")
    said = words(app)
    assert "From the evaluation report attached to this model." in said
    assert "Dataset: ward-7" in said
    assert "ROC-AUC 0.812" in said
    assert "2 more could not be read" in said
    assert all(drawn(app, name) for name in ("roc", "pr", "groups-0", "coverage", "robustness-0"))
    # What it lacks is named, with the way to get it.
    assert any("reliability, confusion matrix, operating points" in i.value for i in app.info)


def test_figures_at_the_approved_point_are_not_called_figures_at_one_half(
    app: AppTest, own_models: Path
) -> None:
    figure = {"value": 0.8123, "low": 0.7, "high": 0.9}
    told = {"n": 50, "coverage": 0.8, "threshold": 0.24, "accuracy": figure, "recall": figure}
    attach(own_models, report(digest()) | {"answered": told})
    visit(app, "clinician")
    assert "Malignant from 24% on." in words(app)
    labels = [metric.label for metric in app.metric]
    assert {"Accuracy", "Sensitivity"} <= set(labels)
    assert not [label for label in labels if "50%" in label]


def test_a_model_that_ranks_no_better_than_the_reader_says_so(
    app: AppTest, own_models: Path
) -> None:
    figure = {"value": 0.8123, "low": 0.7, "high": 0.9}
    told = {"n": 50, "positives": 17, "model": figure, "reader": figure | {"value": 0.8345}}
    told["difference"] = {"value": -0.0222, "low": -0.1, "high": 0.05}
    attach(own_models, report(digest()) | {"beside_reader": told})
    visit(app, "clinician")
    said = words(app)
    assert "on the 50 scans to which a reader gave a BI-RADS category, 17 of them" in said
    shown = {metric.label: (metric.value, metric.delta) for metric in app.metric}
    assert shown["Reader's category"] == ("0.835", "95%: 0.700–0.900")
    assert shown["This model"] == ("0.812", "95%: 0.700–0.900")
    assert shown["Model less reader"] == ("-0.022", "95%: -0.100 to +0.050")


def test_a_report_of_another_model_is_refused_in_words(app: AppTest, own_models: Path) -> None:
    attach(own_models, report("0" * 64))
    visit(app, "clinician")
    said = words(app)
    assert "damaged or of another model are not shown" in said
    assert "ward-7" not in said


def test_a_damaged_report_leaves_a_page_that_says_what_is_damaged(
    app: AppTest, own_models: Path
) -> None:
    attach(own_models, report(digest()) | {"curves": "gone", "subgroups": [3]})
    attach(own_models, "{", "cut-off")
    visit(app, "clinician")
    said = words(app)
    assert "Damaged and not shown: ROC and precision-recall curves, subgroups." in said
    assert "ROC-AUC 0.812" in said
    assert not drawn(app, "groups-0")


def test_an_empty_report_says_that_it_holds_nothing(app: AppTest, own_models: Path) -> None:
    labels = ["normal", "benign", "malignant"]
    about = {"labels": labels, "positive": "malignant", "n": 0}
    attach(own_models, about | {"model": {"bundle_digest": digest()}})
    visit(app, "clinician")
    assert "This evaluation holds no figures." in words(app)


def test_a_model_that_cannot_be_used_is_named_with_its_reason(
    app: AppTest, own_models: Path
) -> None:
    (own_models / "card.json").write_text("{}")
    visit(app, "administrator")
    assert "cannot be used" in words(app)


def test_only_an_administrator_is_offered_the_form(app: AppTest) -> None:
    visit(app, "clinician")
    assert "Site prevalence not set: 5% is an example." in words(app)
    assert not app.number_input
    assert not [b for b in app.button if b.label == "Set for everybody"]


def test_what_an_administrator_sets_stands_beside_every_answer(app: AppTest) -> None:
    service.model().get_predictor(timeout=120)
    visit(app, "administrator")
    set_here(app, 2.0, "Audit of 2025")
    assert "Saved: 2%." in words(app)
    assert "Site prevalence 2%, set on" in words(app)
    entry = site_prevalence(service.store(), TASK)
    assert entry is not None
    assert (entry.share, entry.reason, entry.person_id) == (0.02, "Audit of 2025", ADMINISTRATOR.id)
    app.switch_page(READ).run()
    upload(app, ("a.png", scan_bytes(1)))
    said = words(app)
    assert "At this site (2% malignant)" in said
    assert "at this site 2% are, and there the same image means" in said
    assert "where 5% are" not in said


def test_taking_it_back_brings_the_example_back(app: AppTest) -> None:
    visit(app, "administrator")
    set_here(app, 2.0, "Audit of 2025")
    app.text_input[0].set_value("It was another hospital's")
    press(app, "Take back")
    assert "Saved: taken back." in words(app)
    assert "Site prevalence not set" in words(app)
    assert site_prevalence(service.store(), TASK) is None


@pytest.mark.parametrize(
    ("percent", "reason", "refusal"),
    [
        (2.0, "", "Say where the number comes from."),
        (2.0, "   ", "Say where the number comes from."),
        (None, "Audit", "Give the prevalence from 0.1 to 99 percent."),
    ],
)
def test_what_is_incomplete_is_refused_and_what_was_typed_stays(
    app: AppTest, percent: float | None, reason: str, refusal: str
) -> None:
    visit(app, "administrator")
    set_here(app, percent, reason)
    assert refusal in words(app)
    assert site_prevalence(service.store(), TASK) is None
    assert app.number_input[0].value == percent
    assert app.text_input[0].value == reason


def test_a_colleague_who_was_quicker_is_not_overruled_unseen(app: AppTest) -> None:
    visit(app, "administrator")
    set_site_prevalence(service.store(), ADMINISTRATOR, TASK, 0.3, "Theirs", after=None)
    look_again()
    set_here(app, 2.0, "Mine")
    assert "Somebody has set this meanwhile." in words(app)
    assert "Site prevalence 30%" in words(app)
    # Now that it was seen, it can be set.
    set_here(app, 2.0, "Mine")
    assert "Saved: 2%." in words(app)


def test_without_the_database_the_page_says_what_it_cannot_tell(
    app: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OVERREAD_DATABASE_URL", "postgresql://nobody:x@127.0.0.1:9/none")
    st.cache_resource.clear()
    st.cache_data.clear()
    visit(app, "administrator")
    said = words(app)
    assert "Site prevalence cannot be looked up now" in said
    assert "Random weights for tests" in said
    assert not app.number_input


def test_how_faithful_each_method_measured_is_shown_or_how_to_measure_it(
    app: AppTest, own_models: Path
) -> None:
    visit(app, "clinician")
    assert any("evaluate-explanations" in block.value for block in app.code)
    figure = {"value": 0.62, "low": 0.55, "high": 0.69, "n": 60}
    method = {"class_specific": True, "n": 60, "cases": 40}
    content = {
        "model": {"bundle_digest": digest()},
        "data": {"name": "ward-7"},
        "labels": ["normal", "benign", "malignant"],
        "positive": "malignant",
        "n": 60,
        "cases": 40,
        "lesions": 45,
        "lesion_area": 0.08,
        "methods": [
            method | {"method": "grad-cam", "pointing": figure, "faithfulness": figure},
            method | {"method": "<b>own</b>", "class_specific": False, "gap_median": figure},
        ],
        "agreement": [{"one": "grad-cam", "other": "partition-shap", "n": 60, "agree": figure}],
    }
    place = own_models / "explanations" / "ward"
    place.mkdir(parents=True)
    (place / "report.json").write_text(json.dumps(content))
    app.run()
    assert not app.exception
    tables = [frame.value for frame in app.dataframe if "Method" in frame.value]
    (table,) = tables
    assert table["Method"].tolist() == ["Grad-CAM", "<b>own</b> (same for every class)"]
    assert table["Peak in the lesion"].tolist() == ["62% (55%–69%)", "–"]
    assert table["Faithfulness"][0] == "0.62 (0.55 … 0.69)"
    assert "8.0%" in words(app)
    # Neither is a report on its answers, nor does it count as one that is damaged.
    assert "damaged" not in words(app)
    (place / "report.json").write_text(json.dumps(content | {"agreement": "odd"}))
    app.run()
    assert not app.exception
    assert "Measure again to replace it" in words(app)
