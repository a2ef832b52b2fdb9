"""The cache of decoded images: never wrong, never half, shared, and small in memory."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import tracemalloc
from collections import namedtuple
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from learning_factory import LABELS, largest_file, phantom_folder, says, write_png

from core.errors import DatasetError
from core.learning.dataset import Arrays, load_arrays
from core.learning.forms import read_dataset
from core.learning.rows import Row, load_grey

CACHE_PROCESS = Path(__file__).with_name("cache_process.py")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return phantom_folder(tmp_path / "secret-ward", train=2, val=1)


def test_the_cache_gives_what_decoding_gives(folder: Path, tmp_path: Path) -> None:
    rows = read_dataset(folder, LABELS)
    plain = load_arrays(rows, LABELS, 32)
    cache = tmp_path / "cache"
    for _ in range(2):
        found = load_arrays(rows[::-1], LABELS, 32, cache)
        for name in ("images", "masks", "inside", "labels"):
            np.testing.assert_array_equal(getattr(found, name), getattr(plain, name))
            assert getattr(found, name).dtype == getattr(plain, name).dtype
    assert len(list(cache.iterdir())) == 1


def test_the_cache_is_used(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = read_dataset(folder, LABELS)
    load_arrays(rows, LABELS, 32, tmp_path / "cache")
    monkeypatch.setattr("core.learning.dataset.load_grey", lambda _row: pytest.fail("decoded"))
    load_arrays(rows, LABELS, 32, tmp_path / "cache")


@pytest.mark.parametrize("change", ["image", "mask", "no mask", "label", "size"])
def test_the_cache_is_not_fooled(folder: Path, tmp_path: Path, change: str) -> None:
    rows, size, cache = read_dataset(folder, LABELS), 32, tmp_path / "cache"
    load_arrays(rows, LABELS, size, cache)
    row = rows[3]
    assert row.mask is not None
    if change == "image":
        write_png(row.image, 255 - load_grey(row)[0])
    elif change == "mask":
        write_png(row.mask, 255 - load_grey(row)[1])
    elif change == "no mask":
        row.mask.unlink()
        rows = read_dataset(folder, LABELS)
    elif change == "label":
        rows[3] = replace(row, label="malignant")
    else:
        size = 48
    fresh, found = load_arrays(rows, LABELS, size), load_arrays(rows, LABELS, size, cache)
    for name in ("images", "masks", "inside", "labels"):
        np.testing.assert_array_equal(getattr(found, name), getattr(fresh, name))


def test_a_cache_cut_short_is_made_again(folder: Path, tmp_path: Path) -> None:
    rows, cache = read_dataset(folder, LABELS), tmp_path / "cache"
    plain = load_arrays(rows, LABELS, 32, cache)
    (folder_of_cache,) = cache.iterdir()
    wanted = np.array(plain.images)
    for name in ("images", "labels"):
        path = folder_of_cache / f"{name}.npy"
        whole = path.read_bytes()
        for damaged in (b"", whole[: len(whole) // 2]):
            path.write_bytes(damaged)
            found = load_arrays(rows, LABELS, 32, cache)
            np.testing.assert_array_equal(found.images, wanted)
    assert len(list(cache.iterdir())) == 1


def test_the_cache_takes_no_memory_until_it_is_read(tmp_path: Path) -> None:
    rows = read_dataset(phantom_folder(tmp_path / "ward", train=2, val=1), LABELS)
    found = load_arrays(rows, LABELS, 32, tmp_path / "cache")
    assert isinstance(found.images, np.memmap)
    assert not found.images.flags.writeable


def test_a_killed_run_leaves_no_half_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = read_dataset(phantom_folder(tmp_path / "ward", train=2, val=1), LABELS)
    calls: list[Row] = []

    def cut_off(row: Row) -> Any:
        calls.append(row)
        if len(calls) == 5:
            raise KeyboardInterrupt
        return load_grey(row)

    with monkeypatch.context() as patch:
        patch.setattr("core.learning.dataset.load_grey", cut_off)
        with pytest.raises(KeyboardInterrupt):
            load_arrays(rows, LABELS, 32, tmp_path / "cache")
    assert not list((tmp_path / "cache").iterdir())
    found = load_arrays(rows, LABELS, 32, tmp_path / "cache")
    np.testing.assert_array_equal(found.images, load_arrays(rows, LABELS, 32).images)


def test_a_disk_that_fills_is_said_in_one_line_and_kills_nothing(
    folder: Path, tmp_path: Path
) -> None:
    rows, cache = read_dataset(folder, LABELS), tmp_path / "cache"
    with largest_file(4096), pytest.raises(DatasetError) as error:
        load_arrays(rows, LABELS, 32, cache)
    says(error, "disk is full")
    assert not list(cache.iterdir())
    assert len(load_arrays(rows, LABELS, 32, cache).labels) == len(rows)


def test_too_little_room_is_said_before_anything_is_decoded(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = read_dataset(folder, LABELS)
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr("core.learning.dataset.load_grey", lambda _row: pytest.fail("decoded"))
    monkeypatch.setattr("core.learning.dataset.shutil.disk_usage", lambda _path: usage(9, 8, 1))
    with pytest.raises(DatasetError) as error:
        load_arrays(rows, LABELS, 32, tmp_path / "cache")
    says(error, "disk is full")


@pytest.mark.parametrize("blocked", ["file", "below"])
def test_a_cache_that_cannot_be_made_is_said_in_one_line(
    folder: Path, tmp_path: Path, blocked: str
) -> None:
    (tmp_path / "taken").write_bytes(b"")
    cache = tmp_path / "taken" if blocked == "file" else tmp_path / "taken" / "cache"
    with pytest.raises(DatasetError) as error:
        load_arrays(read_dataset(folder, LABELS), LABELS, 32, cache)
    says(error, "cannot be kept")


def test_large_images_are_never_all_in_memory(tmp_path: Path) -> None:
    n, side = 40, 512
    for number in range(n):
        picture = np.full((side, side), number + 1, np.uint8)
        write_png(tmp_path / "set" / "images" / "benign" / f"{number}.png", picture)
    rows = read_dataset(tmp_path / "set")
    tracemalloc.start()
    try:
        found = load_arrays(rows, ("benign",), 32, tmp_path / "cache")
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert sorted(int(image.max()) for image in found.images) == list(range(1, n + 1))
    assert most < n * side * side / 2


def test_progress_tells_how_far_decoding_is(folder: Path, tmp_path: Path) -> None:
    rows = read_dataset(folder, LABELS)
    steps: list[tuple[int, int]] = []
    for _run in range(2):  # the second one decodes nothing
        load_arrays(rows, LABELS, 32, tmp_path / "cache", lambda *step: steps.append(step))
        assert steps == [(done, len(rows)) for done in range(1, len(rows) + 1)]


def test_what_another_process_is_reading_is_not_replaced(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, cache = read_dataset(folder, LABELS), tmp_path / "cache"
    quicker: list[Arrays] = []
    kept: list[int] = []

    def numbers() -> list[int]:
        (made,) = (each for each in cache.iterdir() if not each.suffix)
        return [file.stat().st_ino for file in sorted(made.iterdir())]

    def overtaken(row: Row) -> Any:
        if not quicker:
            monkeypatch.undo()
            quicker.append(load_arrays(rows, LABELS, 32, cache))
            kept.extend(numbers())
        return load_grey(row)

    monkeypatch.setattr("core.learning.dataset.load_grey", overtaken)
    found = load_arrays(rows, LABELS, 32, cache)
    np.testing.assert_array_equal(found.images, quicker[0].images)
    assert len(kept) == 6
    assert numbers() == kept


def test_half_a_cache_of_a_killed_run_is_removed_a_day_later(folder: Path, tmp_path: Path) -> None:
    rows, cache = read_dataset(folder, LABELS), tmp_path / "cache"
    for name, age in (("old", 25 * 3600), ("fresh", 60)):
        left = cache / f"0123.part-{name}"
        left.mkdir(parents=True)
        (left / "images.npy").write_bytes(b"half")
        os.utime(left, (time.time() - age,) * 2)
    load_arrays(rows, LABELS, 32, cache)
    # The fresh one may be another process's, which is still at it.
    assert [each.name for each in cache.glob("*.part-*")] == ["0123.part-fresh"]


@pytest.mark.parametrize("broken", [False, True])
def test_several_processes_share_one_cache(folder: Path, tmp_path: Path, broken: bool) -> None:
    rows, cache = read_dataset(folder, LABELS), tmp_path / "cache"
    wanted = int(load_arrays(rows, LABELS, 32).images.sum(dtype=np.int64))
    if broken:  # what each of them finds first
        load_arrays(rows, LABELS, 32, cache)
        next(cache.rglob("labels.npy")).write_bytes(b"")
    env = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    # Processes of their own, not multiprocessing's: those start by running this one's main
    # module again, which here may be a page that was tested before.
    ready = tmp_path / "ready"
    ready.mkdir()
    command = [sys.executable, CACHE_PROCESS, folder, cache, ready]
    runs = [
        subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True) for _run in range(3)
    ]
    try:
        while len(list(ready.iterdir())) < 3:
            assert all(run.poll() is None for run in runs)
            time.sleep(0.01)
        (ready / "go").touch()
        assert [run.communicate(timeout=60)[0].strip() for run in runs] == [str(wanted)] * 3
    finally:
        for run in runs:
            run.kill()
            run.wait()
    assert len(list(cache.iterdir())) == 1
