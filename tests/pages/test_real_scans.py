"""The first line on real breast ultrasound, with the model that ships where it is there."""

from __future__ import annotations

from pathlib import Path

import pytest
from page_tools import key, reading, set_, shown, sign_in, upload, words
from streamlit.testing.v1 import AppTest

from core.review import QueueFilter, Urgency, Verdict, list_queue
from core.trust import demo_people
from core.ui import service

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT.parent / "shared" / "data"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not DATA.is_dir(), reason="no real scans beside the repository"),
]


def scans(each: int = 2) -> list[tuple[str, bytes]]:
    """Return the first scans of every class of both sets, as files with their own bytes."""
    folders = sorted(folder for folder in DATA.glob("*/images/*") if folder.is_dir())
    files = [file for folder in folders for file in sorted(folder.glob("*.jpg"))[:each]]
    return [(file.name, file.read_bytes()) for file in files]


@pytest.fixture
def shipped(fresh_server: None, tmp_path: Path) -> bool:
    """Let the shipped model read where there is one; else the small one stays."""
    if not any((ROOT / "assets" / "models").glob("*/*/model.keras")):
        return False
    (tmp_path / "models").unlink()
    return True


def test_real_scans_go_from_upload_to_the_queue(shipped: bool, app: AppTest) -> None:
    service.model().get_predictor(timeout=120)
    sign_in(app, "clinician")
    files = scans()
    upload(app, *files)
    items = list(reading(app).items)
    assert len(items) == len(files) >= 8
    assert not reading(app).refused
    for item in items:
        prediction = item.prediction
        assert prediction is not None, item.problem
        assert 0 < prediction.probability < 1
        assert prediction.image_digest == item.digest
        assert (prediction.version != "900.0") is shipped
    if shipped:
        # Not a figure of merit: only that the answer depends on the scan.
        assert len({round(item.prediction.probability, 6) for item in items if item.prediction}) > 3

    case = shown(app).scan.case_number
    assert case in words(app)
    set_(app, "shape", "threshold", 0.3)
    set_(app, "feedback", "verdict", Verdict.SUPPLEMENT)
    set_(app, "feedback", "label", "benign")
    set_(app, "feedback", "confidence", 3)
    set_(app, "feedback", "urgency", Urgency.SOON)
    app.button(key=f"send-{shown(app).widget}").click().run()
    assert not app.exception
    assert f"Saved: your feedback on case {case}" in words(app)
    assert app.get_by_key(key(app, "feedback", "label")).value == "benign"
    waiting = list_queue(service.store(), demo_people()[1], QueueFilter(), limit=10, offset=0)
    assert [item.case_number for item in waiting.items] == [case]
