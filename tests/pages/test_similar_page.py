"""Similar settled cases on the read page: shown when asked for, and never in the page's way."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from page_tools import open_panel, press, reading, scan_bytes, send, shown, upload, words
from streamlit.testing.v1 import AppTest

from core.errors import StoreUnavailable
from core.review import (
    LabelDraft,
    Origin,
    close_case,
    record_blind_read,
    reveal,
)
from core.trust import demo_people
from core.ui import service


@pytest.fixture(scope="session")
def small_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny network of all pages, whose bundle gives embeddings."""
    from bundle_factory import judging, settings_for, write

    folder = tmp_path_factory.mktemp("similar-model")
    # Along one axis alone every direction would be the same or the opposite.
    axes = {
        "familiarity_axes": np.eye(32, dtype=np.float32),
        "familiarity_variances": np.ones(32, np.float32),
    }
    write(settings_for(folder).model_roots[0], extra=judging(knows=True) | axes)
    return folder


def settle(number: str, label: str, origin: Origin) -> None:
    reviewer = demo_people()[1]
    draft = LabelDraft(label, origin, 5)
    record_blind_read(service.store(), reviewer, number, draft, f"blind-{number}")
    version = reveal(service.store(), reviewer, number).version
    close_case(service.store(), reviewer, number, draft, f"final-{number}", version=version)


def test_a_doctor_compares_with_settled_cases_and_the_page_goes_on_without_them(
    clinician: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = upload(clinician, ("a.png", scan_bytes(1)), ("b.png", scan_bytes(2)))
    first = shown(app)
    panel = f"similar-{first.widget}"
    assert "settled case" not in words(app)
    open_panel(app, panel)
    assert "There is no settled case to compare with yet." in words(app)
    send(app)
    settle(first.scan.case_number, "benign", Origin.BIOPSY)
    # Its own label is not looked up.
    press(app, f"similar-again-{first.widget}")
    assert "1 image of this scan or patient was left out" in words(app)
    assert "benign** · Biopsy" not in words(app)

    predictor = service.model().get_predictor()
    entries = reading(app).entries.values()
    other = next(entry for entry in entries if entry.shown is not first)
    press(app, f"show-{other.key[:16]}")
    asked: list[object] = []
    monkeypatch.setattr(type(predictor), "read", lambda *a, **k: asked.append(a))
    open_panel(app, f"similar-{other.shown.widget}")
    said = words(app)
    assert "The nearest settled case: 1 benign (Biopsy 1)" in said
    assert "**benign** · Biopsy" in said
    assert f"Case {first.scan.case_number}" in said
    assert "no proof" in said
    assert "too few settled cases to say how near" in said
    assert not asked

    def down() -> None:
        raise StoreUnavailable("The database cannot be reached.")

    monkeypatch.setattr(service, "similar_cases", down)
    press(app, f"similar-again-{other.shown.widget}")
    assert "Similar cases cannot be looked up now. Everything else here goes on." in words(app)
    assert "**benign** · Biopsy" not in words(app)
    assert any(str(b.key).startswith("send-") for b in app.button)
