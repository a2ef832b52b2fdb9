"""A list that is explained: what stops it."""

from __future__ import annotations

from threading import Event
from types import SimpleNamespace
from typing import Any

import bundle_factory
import pytest

from core.ui import explain_batch
from core.ui.explain_batch import Turn, explain_list


def test_a_list_that_is_stopped_leaves_the_scan_under_way_and_begins_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stop, begun = Event(), []

    def explain(_model: Any, scan: Any, _question: Any, watch: Any) -> None:
        begun.append(scan.digest)
        watch(1, 10)
        stop.set()
        watch(2, 10)
        pytest.fail("it went on after it was stopped")

    monkeypatch.setattr(explain_batch, "explain", explain)
    answer: Any = SimpleNamespace(
        answer="malignant", task="task", version="1.0", bundle_digest="b" * 64
    )
    scans = [bundle_factory.scan(40, 56, seed=seed) for seed in (1, 2)]
    turns = [Turn(scan, answer) for scan in scans]
    models: Any = {"b" * 64: object()}
    assert list(explain_list(models, turns, "grad-cam", "", measured=False, stop=stop)) == []
    assert begun == [scans[0].digest]
