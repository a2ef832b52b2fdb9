"""Explanations leave the read page, are kept with the feedback, and wait for the blind read."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import pytest
from page_tools import (
    open_panel,
    press,
    reading,
    scan_bytes,
    send,
    shown,
    sign_in,
    stored,
    upload,
    words,
)
from PIL import Image
from streamlit.testing.v1 import AppTest

from core.explain import heat_inside, outline_of_answer, read_explanation
from core.scan import Scan, encode_png


def decode(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)).convert("L"))


def refused_bytes() -> bytes:
    """A picture that fails its quality check."""
    return encode_png(Scan.from_pixels(np.full((300, 400), 40, np.uint8)))


@pytest.fixture
def read(clinician: AppTest) -> AppTest:
    """A clinician with one scan on screen, read by the model."""
    return upload(clinician, ("MUSTERMANN.png", scan_bytes(1)))


def archive_of(data: bytes) -> zipfile.ZipFile:
    return zipfile.ZipFile(io.BytesIO(data))


def everything(app: AppTest) -> str:
    return words(app) + str(app.main)


def test_a_map_leaves_as_a_picture_of_the_untouched_scan_and_as_its_values(
    read: AppTest, offered: dict[str, Any]
) -> None:
    open_panel(read, "explain-files-open")
    scan = shown(read).scan
    (picture,) = [name for name in offered if "grad-cam" in name and name.endswith(".png")]
    (values,) = [name for name in offered if name.endswith(".npz")]
    assert picture.startswith(scan.case_number)
    assert "MUSTERMANN" not in picture + values
    seen = np.asarray(Image.open(io.BytesIO(offered[picture]())).convert("RGB"))
    assert seen.shape[0] > scan.height
    back = read_explanation(offered[values]())
    assert back.case_number == scan.case_number
    assert back.explanation.image_digest == scan.digest
    untouched = np.repeat(scan.grey[..., None], 3, axis=2)
    quiet = back.explanation.values == 0
    assert np.array_equal(seen[: scan.height, : scan.width][quiet], untouched[quiet])


def test_what_was_on_screen_is_kept_with_the_feedback_and_seen_only_after_the_blind_read(
    read: AppTest, offered: dict[str, Any]
) -> None:
    case = shown(read).scan.case_number
    send(read)
    assert "1 explanation is kept with it." in words(read)
    ((method, target, digest),) = stored("method, target, image_digest", "explanations")
    assert (method, digest) == ("grad-cam", shown(read).digest)
    # The same again keeps nothing twice.
    press(read, f"send-{shown(read).widget}")
    assert "Already saved" in words(read)
    assert len(stored("id", "explanations")) == 1

    press(read, "sign-out")
    offered.clear()
    sign_in(read, "reviewer")
    press(read, f"open-{case}")
    before = everything(read)
    for secret in ("xplanation", "rad-CAM", "grad-cam", "kept:"):
        assert secret not in before
    assert not offered
    for name, value in {"label": "benign", "confidence": 3}.items():
        read.get_by_key(f"review-blind-{name}-{case}").set_value(value).run()
    press(read, "review-save-blind")
    assert "1 explanation was on the sender's screen" in str(read.main)
    open_panel(read, "kept-explanations-1")
    assert "Grad-CAM" in words(read)
    (values,) = [name for name in offered if name.endswith(".npz")]
    back = read_explanation(offered[values]())
    assert (back.explanation.target, back.case_number) == (target, case)


def test_a_reviewer_is_told_that_a_kept_map_is_of_a_scan_that_failed_its_check(
    clinician: AppTest, offered: dict[str, Any]
) -> None:
    blurred = cv2.GaussianBlur(decode(scan_bytes(1)), (0, 0), 12)
    app = upload(clinician, ("a.png", encode_png(Scan.from_pixels(blurred))))
    form, case = f"reason-{shown(app).widget}", shown(app).scan.case_number
    app.get_by_key(f"{form}-choice").set_value("For teaching or research only")
    press(app, f"{form}-confirm")
    app.run()
    send(app)
    press(app, "sign-out")
    sign_in(app, "reviewer")
    press(app, f"open-{case}")
    for name, value in {"label": "benign", "confidence": 3}.items():
        app.get_by_key(f"review-blind-{name}-{case}").set_value(value).run()
    press(app, "review-save-blind")
    offered.clear()
    open_panel(app, "kept-explanations-1")
    assert "What a map shows of it was never tested either." in words(app)
    (values,) = [name for name in offered if name.endswith(".npz")]
    assert read_explanation(offered[values]()).read_despite == ("blur",)


def test_all_scans_are_explained_in_the_background_and_one_that_cannot_be_stops_no_other(
    clinician: AppTest, offered: dict[str, Any]
) -> None:
    upload(
        clinician,
        ("MUSTERMANN.png", scan_bytes(1)),
        ("flat.png", refused_bytes()),
        ("b.png", scan_bytes(2)),
    )
    open_panel(clinician, "summary")
    clinician.get_by_key("explain-list-method").set_value("hires-cam").run()
    press(clinician, "explain-list-start")
    clinician.session_state["explain-list"].job.wait(120)
    clinician.run()
    assert not clinician.exception
    said = words(clinician)
    assert "2 of 3 scans explained by HiResCAM" in said
    items = [entry.shown for entry in reading(clinician).entries.values()]
    kept_answer = items[0].prediction
    assert kept_answer is not None
    assert f"Case {items[1].scan.case_number}" in said
    (name,) = [name for name in offered if name.endswith(".zip")]
    with zipfile.ZipFile(io.BytesIO(offered[name]())) as archive:
        names = archive.namelist()
        table = archive.read("explanations.csv").decode("utf-8-sig")
        rows = list(csv.DictReader(io.StringIO(table)))
        for row, item in zip(rows, items, strict=True):
            assert row["case_number"] == item.scan.case_number
            if row["status"] == "explained":
                assert {row["picture"], row["values"]} <= set(names)
                back = read_explanation(archive.read(row["values"]))
                assert back.explanation.image_digest == item.digest
    assert [row["status"] for row in rows] == ["explained", "problem", "explained"]
    assert "quality check" in rows[1]["problem"]
    assert len(names) == 5
    assert "MUSTERMANN" not in json.dumps(names) + table
    # What the reader shapes afterwards is no outline of the run, nor is another version's.
    made = read_explanation(archive_of(offered[name]()).read(rows[0]["values"])).explanation
    mask = outline_of_answer(items[0].scan, items[0].prediction)
    assert mask is not None
    inside = heat_inside(made, mask)
    assert float(rows[0]["heat_inside_outline"]) == pytest.approx(inside.share)
    for item in items:
        item.controls = replace(item.controls, method="fixed", threshold=0.05)
        item.prediction = None
    again = archive_of(offered[name]()).read("explanations.csv").decode("utf-8-sig")
    assert again == table
    items[0].prediction = kept_answer
    # The map of the scan on screen is there for its panel too.
    assert any(question.method == "hires-cam" for question in shown(clinician).asked)
    # But it was on nobody's screen: a reviewer is not told that it was.
    send(clinician)
    assert {method for (method,) in stored("method", "explanations")} == {"grad-cam"}
