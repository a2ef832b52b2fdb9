"""``audit-data --embeddings``: what a model sees proposes pairs, and says what is alike to it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np
import pytest
from audit_factory import brightened, clean, compressed, cropped, phantom

import core.model
from core.__main__ import main
from core.learning.audit import _candidates
from core.scan import Scan


def small_squares(_bundle: object, scans: Iterable[Scan]) -> np.ndarray:
    """A stand-in for a network: pooled brightness, as near to what is shown as it needs to be."""
    return np.stack(
        [
            cv2.resize(scan.grey, (8, 8), interpolation=cv2.INTER_AREA).ravel().astype(np.float32)
            for scan in scans
        ]
    )


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(core.model, "embeddings_of", small_squares, raising=False)
    monkeypatch.setattr(core.model, "resolve", lambda *_task, settings: None)


@pytest.mark.usefixtures("model")
def test_a_model_proposes_what_the_descriptors_do_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    builder = clean(tmp_path / "ward")
    copy = builder.add(cropped(phantom(1)), "benign", "val", case="copy")
    builder.add(b"broken", "benign", "val", case="broken")
    folder = str(builder.write())
    monkeypatch.setattr(_candidates, "_CUTOFF", 2.0)
    assert main(["audit-data", folder, "--json"]) == 0
    capsys.readouterr()
    assert main(["audit-data", folder, "--json", "--embeddings", "breast-ultrasound"]) == 1
    (pair,) = json.loads(capsys.readouterr().out)["pairs"]
    assert copy in {pair["first"]["entry"], pair["second"]["entry"]}


@pytest.mark.usefixtures("model")
def test_what_is_as_alike_to_the_model_as_copies_are_is_said_and_is_no_leak(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    builder = clean(tmp_path / "ward", 8)
    for number in range(1, 7):
        for change in (compressed, brightened):
            split = "val" if number % 3 == 0 else "train"
            copy = change(phantom(number))
            builder.add(copy, "benign", split, case=f"patient-benign-{number}")
    # The same brightness everywhere, and not one edge or speckle of it the same.
    grey = phantom(1)
    rng = np.random.default_rng(0)
    moved = [rng.permutation(block.ravel()).reshape(block.shape) for block in _blocks(grey)]
    other = np.vstack([np.hstack(moved[row * 8 : row * 8 + 8]) for row in range(8)])
    alike = builder.add(other, "benign", "val", case="other")
    arguments = ["--json", "--embeddings", "breast-ultrasound@1.0"]
    assert main(["audit-data", str(builder.write()), *arguments]) == 0
    found = json.loads(capsys.readouterr().out)
    (check,) = (each for each in found["checks"] if each["name"] == "embeddings")
    assert check["verdict"] == "look"
    named = {side["entry"] for pair in check["figures"]["examples"] for side in pair}
    assert alike in named


def _blocks(grey: np.ndarray) -> list[np.ndarray]:
    return [block for band in np.vsplit(grey, 8) for block in np.hsplit(band, 8)]


def test_models_without_embeddings_are_said_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(core.model, "embeddings_of", raising=False)
    folder = clean(tmp_path / "ward", 2).write()
    assert main(["audit-data", str(folder), "--embeddings", "breast-ultrasound"]) == 1
    said = capsys.readouterr()
    assert (said.out, said.err.count("\n")) == ("", 1)
