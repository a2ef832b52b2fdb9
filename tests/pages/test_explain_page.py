"""The explanations on the read page, through ``app.py`` with a small model."""

from __future__ import annotations

import pytest
from page_tools import scan_bytes, set_, shown, upload, viewer, words
from streamlit.testing.v1 import AppTest

from core.ui.explained import explained


@pytest.fixture
def read(clinician: AppTest) -> AppTest:
    """A clinician with one scan on screen, read by the model."""
    return upload(clinician, ("a.png", scan_bytes(1)))


def finish(app: AppTest) -> AppTest:
    """Wait for what is under way, as the page's own polling does."""
    held = app.session_state["explain-jobs"]
    for job in list(held.jobs.values()):
        job.wait(120)
    app.run()
    assert not app.exception
    return app


def test_the_heat_of_the_read_stands_there_without_asking_the_model(read: AppTest) -> None:
    (made,) = explained(shown(read))
    assert made.explanation.method == "grad-cam"
    assert made.explanation.image_digest == shown(read).digest
    assert made.evidence is None
    assert viewer(read)["heat"]
    assert "has not been measured" in words(read)


def test_every_method_can_be_asked_and_is_drawn_over_the_scan(read: AppTest) -> None:
    before = viewer(read)["heat"]
    for method in ("hires-cam", "expected-gradients", "lesion-drivers"):
        set_(read, "why", "method", method)
        finish(read)
        now = viewer(read)["heat"]
        assert now
        assert now != before, f"{method} shows the map before it"
        assert explained(shown(read))[-1].explanation.method == method
        before = now
