"""Three forms of a dataset, one kind of row: what is wrong is said before anybody trains on it."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from learning_factory import LABELS, phantom_folder, write_manifest, write_png

from core.errors import DatasetError
from core.learning.dataset import load_arrays
from core.learning.forms import check_classes, read_dataset, rows_of_split
from core.learning.rows import Row, fingerprint, hold_out, load_grey, load_scan
from core.scan import PhantomSpec, make_phantom

GREY = np.array(make_phantom(PhantomSpec(64, 48), seed=3).scan.grey)


def tree(folder: Path, splits: tuple[str, ...] = ("train", "test"), each: int = 2) -> Path:
    for split in splits:
        for label in ("benign", "malignant"):
            for number in range(each):
                name = f"{split}-{number}.png"
                write_png(folder / split / label / name, np.roll(GREY, number, axis=1))
    return folder


def archive(path: Path, **arrays: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, **arrays)
    return path


def medmnist(n: int = 6, side: int = 28, channels: tuple[int, ...] = ()) -> dict[str, Any]:
    rng = np.random.default_rng(side)
    return {
        f"{split}_{kind}": value
        for split in ("train", "val", "test")
        for kind, value in (
            ("images", rng.integers(0, 256, (n, side, side, *channels), dtype=np.uint8)),
            ("labels", (np.arange(n) % 2).reshape(-1, 1).astype(np.uint8)),
        )
    }


def says(error: pytest.ExceptionInfo[DatasetError], *words: str) -> None:
    text = str(error.value)
    assert all(word in text for word in words), text
    assert "\n" not in text
    assert ".png" not in text


def test_a_folder_without_manifest_is_read_and_split_the_same_way_every_time(
    tmp_path: Path,
) -> None:
    folder = phantom_folder(tmp_path / "ward", train=12, val=0)
    (folder / "manifest.csv").unlink()
    rows = read_dataset(folder, LABELS)
    assert Counter(row.label for row in rows) == dict.fromkeys(LABELS, 12)
    assert sum(row.mask is not None for row in rows) == 24
    sides = {row.image.name: row.split for row in rows}
    assert set(sides.values()) == {"train", "val"}
    # Another image changes no other image's side.
    write_png(folder / "images" / "benign" / "another.png", GREY)
    again = {row.image.name: row.split for row in read_dataset(folder, LABELS)}
    assert {name: again[name] for name in sides} == sides


def test_a_folder_tree_is_read_under_any_name_of_its_splits(tmp_path: Path) -> None:
    rows = read_dataset(tree(tmp_path / "set", ("train", "validation", "test")))
    assert Counter((row.split, row.label) for row in rows) == {
        (split, label): 2 for split in ("train", "val", "test") for label in ("benign", "malignant")
    }
    assert {row.source for row in rows} == {"set"}
    image, mask = load_grey(rows[0])
    np.testing.assert_array_equal(image, GREY)
    assert not mask.any()


@pytest.mark.parametrize("channels", [(), (1,), (3,)])
def test_an_archive_of_arrays_is_read_as_it_is(tmp_path: Path, channels: tuple[int, ...]) -> None:
    arrays = medmnist(channels=channels)
    path = archive(tmp_path / "mnist.npz", **arrays)
    rows = read_dataset(path, ("malignant", "benign"), names=("malignant", "benign"))
    assert Counter(row.split for row in rows) == {"train": 6, "val": 6, "test": 6}
    row = rows_of_split(rows, "val")[3]
    assert (row.label, row.index) == ("benign", 3)
    stored = arrays["val_images"][3]
    pixels = load_scan(row).pixels
    np.testing.assert_array_equal(pixels, stored[..., 0] if channels == (1,) else stored)
    found = load_arrays(rows, ("benign", "malignant"), 32)
    assert found.images.shape == (18, 32, 32)
    assert Counter(found.labels.tolist()) == {0: 9, 1: 9}


def test_numbers_are_never_taken_for_labels_they_may_not_mean(tmp_path: Path) -> None:
    path = archive(tmp_path / "mnist.npz", **medmnist())
    # In BreastMNIST 0 is malignant: a model that knows words is not given numbers.
    with pytest.raises(DatasetError) as error:
        read_dataset(path, ("benign", "malignant"))
    says(error, "label this model does not know")
    assert {row.label for row in read_dataset(path)} == {"0", "1"}
    with pytest.raises(DatasetError) as error:
        read_dataset(path, names=("malignant",))
    says(error, "more labels than names")


def test_masks_and_patients_of_an_archive_count(tmp_path: Path) -> None:
    arrays = {
        "train_images": np.stack([GREY] * 4),
        "train_labels": np.array(["benign", "malignant"] * 2),
        "train_masks": (np.stack([GREY] * 4) > 100).astype(np.uint8),
        "train_groups": np.array([7, 7, 8, 8]),
    }
    rows = read_dataset(archive(tmp_path / "own.npz", **arrays), LABELS)
    assert [row.group for row in rows] == ["7", "7", "8", "8"]
    np.testing.assert_array_equal(load_grey(rows[2])[1], np.where(GREY > 100, 255, 0))
    kept, held = hold_out(rows, 0.5, seed=1)
    assert not {row.group for row in kept} & {row.group for row in held}


def test_an_archive_s_fingerprint_is_of_every_picture_in_it(tmp_path: Path) -> None:
    arrays = medmnist()
    rows = read_dataset(archive(tmp_path / "a" / "set.npz", **arrays))
    before = fingerprint(rows)
    arrays["test_images"] = arrays["test_images"].copy()
    arrays["test_images"][5, 0, 0] ^= 1
    assert fingerprint(read_dataset(archive(tmp_path / "b" / "set.npz", **arrays))) != before
    assert fingerprint(rows[::-1]) == before


class Harmful:
    """Runs code where it is unpickled."""

    def __reduce__(self) -> Any:
        return (pytest.fail, ("the archive's own code ran",))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"train_labels": None}, ("images without labels",)),
        ({"train_labels": np.arange(3)}, ("different lengths",)),
        ({"train_masks": np.zeros((6, 20, 28), np.uint8)}, ("another size",)),
        ({"train_images": np.zeros((6, 28, 28), np.float32)}, ("8 bits",)),
        ({"train_images": np.zeros((6, 28, 28, 2), np.uint8)}, ("8 bits",)),
        ({"train_labels": np.linspace(0, 1, 6)}, ("whole numbers or words",)),
        ({"train_labels": np.array([Harmful()] * 6, object)}, ("something else than numbers",)),
    ],
)
def test_an_archive_that_does_not_fit_together_is_refused(
    tmp_path: Path, change: dict[str, Any], words: tuple[str, ...]
) -> None:
    arrays = {name: value for name, value in (medmnist() | change).items() if value is not None}
    with pytest.raises(DatasetError) as error:
        read_dataset(archive(tmp_path / "set.npz", **arrays))
    says(error, *words)


@pytest.mark.parametrize("damage", ["text", "cut", "empty", "gone", "other"])
def test_what_is_no_archive_of_arrays_is_refused(tmp_path: Path, damage: str) -> None:
    path = archive(tmp_path / "set.npz", **medmnist())
    whole = path.read_bytes()
    contents = {"text": b"no archive", "cut": whole[: len(whole) // 2], "empty": b""}
    if damage == "other":
        archive(path, something=np.zeros(3))
    elif damage == "gone":
        path.unlink()
    else:
        path.write_bytes(contents[damage])
    with pytest.raises(DatasetError) as error:
        read_dataset(path)
    says(error, "train_images" if damage == "other" else "cannot be read")


def test_an_empty_label_is_found_before_training(tmp_path: Path) -> None:
    folder = tree(tmp_path / "set")
    (folder / "train" / "normal").mkdir()
    with pytest.raises(DatasetError) as error:
        read_dataset(folder)
    says(error, "is empty")
    (folder / "train" / "normal").rmdir()
    with pytest.raises(DatasetError) as error:
        check_classes(read_dataset(folder), LABELS)
    says(error, "no training image")
    with pytest.raises(DatasetError) as error:
        rows_of_split(read_dataset(folder), "val")
    says(error, "no rows of this split")


def test_a_manifest_reads_nothing_outside_its_folder(tmp_path: Path) -> None:
    folder = phantom_folder(tmp_path / "ward", train=1, val=1)
    outside = write_png(tmp_path / "private" / "images" / "benign" / "a.png", GREY)
    for file in (str(outside), "../../../private/images/benign/a.png", "a\0.png"):
        (folder / "manifest.csv").write_text(f"file,label\n{file},benign\n", encoding="utf-8")
        with pytest.raises(DatasetError):
            read_dataset(folder, LABELS)
    write_manifest(folder, [{"file": "a.png", "label": "../../private/images/benign"}])
    with pytest.raises(DatasetError) as error:
        read_dataset(folder)
    says(error, "Line 2")


def test_an_image_listed_twice_does_not_count_twice(tmp_path: Path) -> None:
    folder = phantom_folder(tmp_path / "ward", train=1, val=1)
    with (folder / "manifest.csv").open("a", encoding="utf-8") as manifest:
        manifest.write("benign00.png,benign,val,x\n")
    with pytest.raises(DatasetError) as error:
        read_dataset(folder, LABELS)
    says(error, "a second time")


@pytest.mark.parametrize("manifest", [True, False])
def test_one_mask_is_never_taken_for_two_images(tmp_path: Path, manifest: bool) -> None:
    folder = phantom_folder(tmp_path / "ward", train=1, val=1)
    write_png(folder / "images" / "benign" / "benign00.PNG", GREY)
    if manifest:
        rows = [{"file": name, "label": "benign"} for name in ("benign00.png", "benign00.PNG")]
        write_manifest(folder, rows)
    else:
        (folder / "manifest.csv").unlink()
    with pytest.raises(DatasetError) as error:
        read_dataset(folder, LABELS)
    says(error, "one mask")


def test_an_unreadable_image_is_named_by_its_line(tmp_path: Path) -> None:
    folder = phantom_folder(tmp_path / "ward", train=2, val=1)
    rows = read_dataset(folder, LABELS)
    rows[4].image.write_bytes(b"\x89PNG cut")
    with pytest.raises(DatasetError) as error:
        load_arrays(rows, LABELS, 32)
    with (folder / "manifest.csv").open(encoding="utf-8") as file:
        names = [row["file"] for row in csv.DictReader(file)]
    says(error, f"Entry {2 + names.index(rows[4].image.name)} ")


def test_what_else_a_manifest_says_stays_with_the_image(tmp_path: Path) -> None:
    folder = phantom_folder(tmp_path / "ward", train=1, val=1)
    write_manifest(
        folder,
        [{"file": "benign00.png", "label": "benign", "device": "A", "birads": "4", "side": ""}],
    )
    (row,) = read_dataset(folder, LABELS)
    assert (row.device, dict(row.about), row.entry) == ("A", {"birads": "4"}, 2)


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


def test_a_full_disk_is_said_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = read_dataset(phantom_folder(tmp_path / "ward", train=1, val=1), LABELS)

    def full(*_arguments: Any, **_options: Any) -> Any:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("core.learning.dataset.np.lib.format.open_memmap", full)
    with pytest.raises(DatasetError) as error:
        load_arrays(rows, LABELS, 32, tmp_path / "cache")
    says(error, "disk is full")
    assert not list((tmp_path / "cache").iterdir())
