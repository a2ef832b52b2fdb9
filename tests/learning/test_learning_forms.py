"""Three forms of a dataset, one kind of row: what is wrong is said before anybody trains on it."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from learning_factory import GREY, LABELS, phantom_folder, says, write_manifest, write_png

from core.errors import DatasetError
from core.learning.dataset import load_arrays
from core.learning.forms import check_classes, read_dataset, rows_of_split
from core.learning.rows import load_grey


def tree(folder: Path, splits: tuple[str, ...] = ("train", "test"), each: int = 2) -> Path:
    for split in splits:
        for label in ("benign", "malignant"):
            for number in range(each):
                name = f"{split}-{number}.png"
                write_png(folder / split / label / name, np.roll(GREY, number, axis=1))
    return folder


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


def test_an_empty_label_is_found_before_training(tmp_path: Path) -> None:
    folder = tree(tmp_path / "set")
    (folder / "train" / "normal").mkdir()
    with pytest.raises(DatasetError) as error:
        read_dataset(folder)
    says(error, "number 3", "is empty")
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
    up = "../../../private/images/benign/a.png"
    for file in (str(outside), up, up.replace("/", "\\"), "C:/a.png", "../benign/benign00.png"):
        (folder / "manifest.csv").write_text(f"file,label\n{file},benign\n", encoding="utf-8")
        with pytest.raises(DatasetError) as error:
            read_dataset(folder, LABELS)
        says(error, "Line 2", "outside")
    (folder / "manifest.csv").write_text("file,label\na\0.png,benign\n", encoding="utf-8")
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


def test_case_and_group_together_part_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "ward"
    told = [
        ("a", "1", "x"),
        ("b", "2", "x"),  # a near-duplicate of another patient's image: both patients stay together
        ("c", "2", "y"),
        ("d", "", "y"),
        ("e", "3", "z"),
        ("f", "3", ""),
        ("g", "", "3"),  # a group called like a case is not that case, but may stay with it
        ("h", "", ""),
        ("i", "", "w"),
        ("j", "", "w"),
    ]
    for name, _case, _group in told:
        write_png(folder / "images" / "benign" / f"{name}.png", GREY)
    columns = [
        {"file": f"{name}.png", "label": "benign", "case": case, "group": group}
        for name, case, group in told
    ]
    wanted = {
        **dict.fromkeys("abcd", "1"),
        **dict.fromkeys("efg", "3"),
        "h": "h",
        "i": "w",
        "j": "w",
    }
    for entries in (columns, columns[::-1]):
        write_manifest(folder, entries)
        assert {row.image.stem: row.group for row in read_dataset(folder)} == wanted


def test_a_space_nobody_sees_parts_no_patient_and_loses_no_row(tmp_path: Path) -> None:
    folder = phantom_folder(tmp_path / "ward", train=2, val=0, labels=("benign",))
    write_manifest(
        folder,
        [
            {
                "file": "benign00.png",
                "label": "benign",
                "split": "val ",
                "case": "1",
                "device": " ",
            },
            {
                "file": "benign01.png",
                "label": "benign",
                "split": " val",
                "case": " 1 ",
                "device": "A ",
            },
        ],
    )
    rows = rows_of_split(read_dataset(folder, LABELS), "val")
    assert [(row.group, row.device) for row in rows] == [("1", "ward"), ("1", "A")]


def test_long_chains_of_duplicates_are_one_group(tmp_path: Path) -> None:
    folder = tmp_path / "ward"
    entries = []
    for number in range(60):
        write_png(folder / "images" / "benign" / f"{number}.png", GREY)
        pair = {"case": f"{(7 * number) % 60:02d}", "group": f"{(7 * number) % 60 // 2}"}
        entries.append({"file": f"{number}.png", "label": "benign", **pair})
        pair = {"case": f"{(7 * number) % 60:02d}", "group": f"{((7 * number) % 60 + 1) // 2}"}
        write_png(folder / "images" / "benign" / f"{number}b.png", GREY)
        entries.append({"file": f"{number}b.png", "label": "benign", **pair})
    write_manifest(folder, entries)
    assert {row.group for row in read_dataset(folder)} == {"00"}


def test_a_split_is_found_under_each_of_its_names(tmp_path: Path) -> None:
    folder = phantom_folder(tmp_path / "ward", train=1, val=0)
    names = {"benign00.png": "Validation", "malignant00.png": "night", "normal00.png": ""}
    write_manifest(
        folder,
        [{"file": f, "label": f[:-6], "split": split} for f, split in names.items()],
    )
    rows = read_dataset(folder, LABELS)
    # Called `validation` and not found, they would be left out and others watched instead.
    assert [row.split for row in rows] == ["val", "night", "train"]
    assert rows_of_split(rows, "valid") == rows_of_split(rows, "val") == rows[:1]
    assert rows_of_split(rows, "night") == rows[1:2]
    assert rows_of_split(rows, None) == rows
    tall = read_dataset(tree(tmp_path / "set", ("Testing", "Training")))
    assert [row.split for row in tall] == ["train"] * 4 + ["test"] * 4
    assert [row.entry for row in tall] == list(range(1, 9))


def test_how_much_is_watched_is_an_option(tmp_path: Path) -> None:
    folder = phantom_folder(tmp_path / "ward", train=40, val=0)
    (folder / "manifest.csv").unlink()
    watched = {
        share: {row.image for row in read_dataset(folder, val_share=share) if row.split == "val"}
        for share in (0.0, 0.15, 0.5)
    }
    assert not watched[0.0]
    assert watched[0.15] < watched[0.5]
    assert 0.35 < len(watched[0.5]) / 120 < 0.65


def test_no_image_is_left_out_unsaid(tmp_path: Path) -> None:
    folder = tree(tmp_path / "set")
    (folder / "train" / "benign" / "Thumbs.db").write_bytes(b"left by a system")
    (folder / "train" / ".hidden").mkdir()
    rows = read_dataset(folder)
    assert len(rows) == 8
    (folder / "train" / "benign" / "gone.png").symlink_to(tmp_path / "nowhere.png")
    rows = read_dataset(folder)
    (lost,) = (row for row in rows if row.image.name == "gone.png")
    with pytest.raises(DatasetError) as error:
        load_arrays(rows, ("benign", "malignant"), 32)
    says(error, f"Entry {lost.entry} ", "from disk")
    write_png(folder / "train" / "malignant" / "patient-1" / "a.png", GREY)
    with pytest.raises(DatasetError) as error:
        read_dataset(folder)
    says(error, "number 2", "folders in it")


def test_three_forms_of_the_same_images_are_the_same_images(tmp_path: Path) -> None:
    pictures = [np.roll(GREY, step, axis=1) for step in range(6)]
    labels = ["benign", "malignant"] * 3
    splits = ["train"] * 4 + ["test"] * 2
    for number, (picture, label, split) in enumerate(zip(pictures, labels, splits, strict=True)):
        write_png(tmp_path / "set" / "images" / label / f"{number}.png", picture)
        write_png(tmp_path / "tree" / "set" / split / label / f"{number}.png", picture)
    write_manifest(
        tmp_path / "set",
        [
            {"file": f"{number}.png", "label": label, "split": split}
            for number, (label, split) in enumerate(zip(labels, splits, strict=True))
        ],
    )
    np.savez(
        tmp_path / "set.npz",
        train_images=np.stack(pictures[:4]),
        train_labels=np.array([0, 1, 0, 1]),
        test_images=np.stack(pictures[4:]),
        test_labels=np.array([0, 1]),
    )
    known = ("benign", "malignant")
    forms = (tmp_path / "set", tmp_path / "tree" / "set", tmp_path / "set.npz")
    rows = [read_dataset(form, known, names=known) for form in forms]
    told = [
        sorted((r.split, r.label, r.source, load_grey(r)[0].tobytes()) for r in f) for f in rows
    ]
    assert told[0] == told[1] == told[2]
    arrays = [load_arrays(form, known, 32) for form in rows]
    for other in arrays[1:]:
        for name in ("images", "masks", "inside", "labels"):
            np.testing.assert_array_equal(getattr(other, name), getattr(arrays[0], name))
