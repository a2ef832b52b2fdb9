"""A picture the model does not know: no answer before somebody says why. And: not sure."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from page_tools import (
    loop_bytes,
    press,
    read_in_background,
    reading,
    scan_bytes,
    send,
    set_,
    shown,
    sign_in,
    stored,
    upload,
    words,
)
from sqlalchemy import select
from streamlit.testing.v1 import AppTest

from core.model import Abstention
from core.store import schema
from core.ui import service

ROOT = Path(__file__).resolve().parents[2]
NEVER_SURE = Abstention(coverage=0.9, low=0.0, high=1.0, n=100)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A model that knows no picture, and one that knows all and is never sure."""
    from bundle_factory import judging, lesion_card, write

    folders = {name: tmp_path_factory.mktemp(name) for name in ("refusing", "unsure")}
    write(folders["refusing"] / "models", extra=judging(knows=False))
    card = lesion_card(abstention=NEVER_SURE)
    write(folders["unsure"] / "models", card=card, extra=judging(knows=True))
    return folders


def app_of(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "models").symlink_to(folder / "models")
    monkeypatch.setenv("OVERREAD_VAR", str(tmp_path / "own"))
    st.cache_resource.clear()
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60).run()
    service.model().get_predictor(timeout=120)
    return sign_in(app, "clinician")


@pytest.fixture
def refusing(models: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    return app_of(models["refusing"], tmp_path, monkeypatch)


@pytest.fixture
def unsure(models: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    return app_of(models["unsure"], tmp_path, monkeypatch)


def numbers_of(item: Any) -> list[str]:
    answer = item.withheld or item.prediction
    return [f"{answer.probability * 100:.{n}f}%" for n in (0, 1)]


def look_anyway(app: AppTest, choice: str = "For teaching or research only") -> AppTest:
    form = f"unknown-{shown(app).widget}"
    app.get_by_key(f"{form}-choice").set_value(choice)
    press(app, f"{form}-confirm")
    app.run()
    assert not app.exception
    return app


def kept_reasons() -> list[tuple[Any, ...]]:
    table = schema.overrides
    with service.store().reading() as connection:
        rows = connection.execute(select(table.c.image_digest, table.c.reason, table.c.familiarity))
        return [tuple(row) for row in rows]


def test_nothing_of_the_answer_is_seen_before_a_reason_is_kept(refusing: AppTest) -> None:
    upload(refusing, ("a.png", scan_bytes()))
    item, said = shown(refusing), words(refusing)
    assert item.prediction is None
    assert "Not a scan this model knows" in said
    assert not refusing.metric
    for gone in (*numbers_of(item), "AI result · case", "Grad-CAM", "Flagged", "Not flagged"):
        assert gone not in said, gone
    assert any("not a scan it knows" in str(button.label) for button in refusing.button)
    press(refusing, f"unknown-{item.widget}-confirm")
    assert shown(refusing).prediction is None, "a click without a reason shows nothing"
    assert kept_reasons() == []
    look_anyway(refusing)
    ((digest, reason, familiarity),) = kept_reasons()
    assert (digest, reason) == (item.digest, "For teaching or research only")
    assert (familiarity["known"], familiarity["reason"]) == (False, "no_scan")
    said = words(refusing)
    assert item.prediction is not None
    assert said.index("Not a scan this model knows") < said.index("No interval is given")
    assert "Reason given: For teaching or research only" in said
    assert "is not checked" not in said
    assert any("read though not known" in str(button.label) for button in refusing.button)
    assert "What a map shows of it was never tested either." in said
    assert item.read_despite == ("unknown_scan",)


def test_exploring_a_picture_that_is_not_known_restates_nothing_and_says_so_once(
    refusing: AppTest,
) -> None:
    upload(refusing, ("a.png", scan_bytes()))
    look_anyway(refusing)
    refusing.session_state["explore-open"] = True
    refusing.run()
    said = words(refusing)
    assert said.count("These figures are of scans the model knows") == 1
    assert "Flagged that are" not in said
    assert "Predictive values" not in said


def test_the_reason_and_the_refusal_go_with_the_feedback_and_to_the_reviewer(
    refusing: AppTest,
) -> None:
    upload(refusing, ("a.png", scan_bytes()))
    look_anyway(refusing)
    send(refusing)
    assert "Saved: your feedback" in words(refusing)
    ((reason,),) = stored("override_reason")
    assert reason == "For teaching or research only"
    table = schema.reads
    with service.store().reading() as connection:
        (row,) = connection.execute(select(table.c.familiarity, table.c.sure)).all()
    assert row.familiarity["known"] is False
    assert row.sure is None


def test_a_picture_held_back_can_be_sent_as_the_own_read(refusing: AppTest) -> None:
    upload(refusing, ("a.png", scan_bytes()))
    for name, value in (("label", "benign"), ("confidence", 2)):
        set_(refusing, "feedback", name, value)
    press(refusing, f"send-{shown(refusing).widget}")
    assert "Saved: your feedback" in words(refusing)
    ((read_id, reason),) = stored("read_id, override_reason")
    assert read_id is None
    assert not reason


def test_a_frame_of_a_loop_that_is_not_known_has_no_place_on_the_curve(refusing: AppTest) -> None:
    upload(refusing, ("a.dcm", loop_bytes(3)))
    entry = reading(refusing).entry
    assert entry is not None
    press(refusing, f"loop-{entry.key[:16]}-read")
    found = next(iter(refusing.session_state["loop-reads"].entries.values()))
    if found.job is not None:
        found.job.wait(60)
    refusing.run()
    assert not refusing.exception
    assert "3 frames are no scans the model knows" in words(refusing)
    assert all(point.probability is None for point in found.points.values())


def test_not_sure_is_the_answer_and_the_number_stands_beside_it(unsure: AppTest) -> None:
    read_in_background(upload(unsure, ("a.png", scan_bytes())))
    item, said = shown(unsure), words(unsure)
    assert item.prediction is not None
    assert item.prediction.sure is False
    titles = [str(title.value) for title in unsure.subheader]
    assert any("Not sure" in title for title in titles)
    assert not any("lagged" in title for title in titles)
    assert "Its threshold alone says:" in said
    assert "The picture looks like the scans it knows; that does not prove it is one." in said
    assert unsure.metric
    assert any("not sure" in str(button.label) for button in unsure.button)
    send(unsure)
    table = schema.reads
    with service.store().reading() as connection:
        (row,) = connection.execute(
            select(table.c.sure, table.c.flagged, table.c.familiarity)
        ).all()
    assert row.sure is False
    assert row.flagged == item.prediction.flagged, "what the threshold says stays recorded"
    assert json.loads(json.dumps(row.familiarity))["known"] is True
