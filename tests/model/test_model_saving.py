"""A bundle is saved whole or not at all: a full disk and a killed process leave what was there."""

from __future__ import annotations

import errno
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import bundle_factory
import numpy as np
import pytest
from save_process import save

from core.errors import BundleInvalid, BundleNotSaved
from core.model import Bundle, list_bundles, resolve, write_bundle
from core.settings import Settings

HERE = Path(__file__).resolve().parent
ENOSPC = OSError(errno.ENOSPC, "No space left on device")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "saved.keras"
    bundle_factory.lesion_net().save(path)
    return path


@pytest.fixture
def own(tmp_path: Path) -> Settings:
    return bundle_factory.settings_for(tmp_path, task="tiny")


@pytest.fixture
def before(own: Settings, model: Path) -> Bundle:
    save(own.model_roots[0], model, "before")
    return resolve("tiny", settings=own)


def only(settings: Settings, bundle: Bundle) -> None:
    """Hold that exactly this bundle is there, and nothing beside it."""
    (entry,) = list_bundles(settings, "tiny")
    assert entry.bundle is not None
    assert (entry.bundle.digest, entry.bundle.card.title) == (bundle.digest, bundle.card.title)
    assert os.listdir(settings.model_roots[0] / "tiny") == ["1.0"]


def fails(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the disk be full when this is written."""

    def full(*_args: Any, **_more: Any) -> None:
        raise ENOSPC

    if place in ("card.json", "reference.npz"):
        target, name = {
            "card.json": (Path, "write_text"),
            "reference.npz": (np, "savez_compressed"),
        }[place]
        monkeypatch.setattr(target, name, full)
    elif place == "model.keras":

        def half(_source: Any, target: Path) -> None:
            target.write_bytes(b"half")
            raise ENOSPC

        monkeypatch.setattr(shutil, "copyfile", half)
    elif place == "the temporary folder":
        monkeypatch.setattr("core.model._save.tempfile.mkdtemp", full)
    elif place == "fsync":
        monkeypatch.setattr(os, "fsync", full)
    else:
        monkeypatch.setattr(Path, "rename", full)
        # Where two folders cannot change places in one step.
        monkeypatch.setattr("core.model._save._exchange", lambda *_: False)


PLACES = ["model.keras", "card.json", "reference.npz", "the temporary folder", "fsync", "rename"]


@pytest.mark.parametrize("place", PLACES)
def test_a_disk_that_fills_anywhere_leaves_the_model_before(
    own: Settings, before: Bundle, model: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    with monkeypatch.context() as patched:
        fails(place, patched)
        with pytest.raises(BundleNotSaved, match="Nothing was changed") as caught:
            save(own.model_roots[0], model, "after")
    assert "\n" not in str(caught.value)
    assert str(own.var) not in str(caught.value)
    only(own, before)
    save(own.model_roots[0], model, "after")
    assert resolve("tiny", settings=own).card.title == "after"


def test_the_second_of_two_renames_that_fails_brings_the_model_before_back(
    own: Settings, before: Bundle, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename, calls = Path.rename, []

    def second_fails(path: Path, target: Path) -> Path:
        calls.append(path)
        if len(calls) == 2:
            raise ENOSPC
        return rename(path, target)

    with monkeypatch.context() as patched:
        patched.setattr("core.model._save._exchange", lambda *_: False)
        patched.setattr(Path, "rename", second_fails)
        with pytest.raises(BundleNotSaved):
            save(own.model_roots[0], model, "after")
    assert len(calls) == 3
    only(own, before)


def test_where_folders_cannot_change_places_a_version_is_replaced_all_the_same(
    own: Settings, before: Bundle, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.model._save._exchange", lambda *_: False)
    save(own.model_roots[0], model, "after")
    assert resolve("tiny", settings=own).card.title == "after"
    assert os.listdir(own.model_roots[0] / "tiny") == ["1.0"]


def run(kind: str, root: Path, model: Path, most: int = 0) -> subprocess.Popen[str]:
    command = [sys.executable, str(HERE / "save_process.py"), kind, str(root), str(model)]
    env = os.environ | {"PYTHONPATH": os.pathsep.join([str(HERE), str(HERE.parents[1])])}
    return subprocess.Popen(
        [*command, str(most)], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def test_writes_that_really_fail_half_way_leave_the_model_before(
    own: Settings, before: Bundle, model: Path
) -> None:
    process = run("limited", own.model_roots[0], model, most=20_000)
    said, complaints = process.communicate(timeout=60)
    assert said.startswith("BundleNotSaved: "), said + complaints
    only(own, before)


def test_a_process_that_is_killed_while_it_saves_never_leaves_half_a_model(
    own: Settings, before: Bundle, model: Path
) -> None:
    rng = random.Random(5)
    root = own.model_roots[0]
    for _round in range(4):
        process = run("loop", root, model)
        assert process.stdout is not None
        for _number in range(rng.randrange(1, 4)):
            assert process.stdout.readline()
        time.sleep(rng.random() / 50)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        (entry,) = list_bundles(own, "tiny")
        assert entry.reason is None
        assert entry.bundle is not None
        assert entry.bundle.card.title.startswith("number ")


def test_what_killed_processes_left_is_swept_away_but_not_what_is_being_written(
    own: Settings, before: Bundle, model: Path
) -> None:
    folder = own.model_roots[0] / "tiny"
    for name, age in (("old", 2 * 24 * 3600), ("new", 60), ("copy", 2 * 24 * 3600)):
        (folder / f".writing-{name}").mkdir()
        if name == "copy":
            (folder / f".writing-{name}" / "replaced").mkdir()
        then = time.time() - age
        os.utime(folder / f".writing-{name}", (then, then))
    save(own.model_roots[0], model, "after")
    assert sorted(os.listdir(folder)) == [".writing-copy", ".writing-new", "1.0"]


def test_a_network_in_memory_that_does_not_fit_on_the_disk_is_said_in_one_line(
    own: Settings, before: Bundle
) -> None:

    class TooLarge:
        """Keras hands on what HDF5 says when the disk is full: a RuntimeError."""

        def save(self, path: Path) -> None:
            path.write_bytes(b"half")
            raise RuntimeError("Unable to synchronously write data: No space left on device")

    card = bundle_factory.lesion_card("tiny", "1.0")
    with pytest.raises(BundleNotSaved):
        write_bundle(before.folder, TooLarge(), card, bundle_factory.reference(), replace=True)
    only(own, before)


def test_two_who_write_the_same_version_do_not_overwrite_each_other(
    own: Settings, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = own.model_roots[0]
    card = bundle_factory.lesion_card("tiny", "1.0", title="slower")
    written = write_bundle.__globals__["_write_files"]

    def overtaken(*args: Any) -> None:
        written(*args)
        monkeypatch.setattr("core.model._save._write_files", written)
        save(root, model, "quicker")

    monkeypatch.setattr("core.model._save._write_files", overtaken)
    with pytest.raises(BundleInvalid, match="exists already"):
        write_bundle(root / "tiny" / "1.0", model, card, bundle_factory.reference())
    assert resolve("tiny", settings=own).card.title == "quicker"
