"""``audit-data``: what it must find in a dataset, and what it must not cry wolf about."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from audit_factory import (
    Builder,
    Grey,
    brightened,
    clean,
    compressed,
    cropped,
    lesion_mask,
    marked,
    phantom,
)
from learning_factory import write_png

from core.__main__ import main

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="no real scans beside the repository")


Audit = Callable[..., tuple[int, dict[str, Any]]]


def verdicts(found: dict[str, Any]) -> dict[str, str]:
    """What is not ok."""
    return {c["name"]: c["verdict"] for c in found["checks"] if c["verdict"] != "ok"}


def entries(pair: dict[str, Any]) -> set[int]:
    return {pair["first"]["entry"], pair["second"]["entry"]}


def test_clean_data_pass_without_a_remark(tmp_path: Path, audit: Audit) -> None:
    code, found = audit(clean(tmp_path / "ward").write())
    assert (code, found["verdict"], verdicts(found)) == (0, "ok", {})
    assert found["pairs"] == []
    assert found["counts"]["ward"]["val"] == {"benign": 2, "malignant": 2}


CHANGES: dict[str, Callable[[Grey], Grey]] = {
    "same": lambda grey: grey,
    "cropped": cropped,
    "compressed": compressed,
    "brightened": brightened,
    "mirrored": lambda grey: np.ascontiguousarray(grey[:, ::-1]),
    "upside down": lambda grey: np.ascontiguousarray(grey[::-1]),
    "written on": marked,
    "framed": lambda grey: np.pad(grey, ((10, 30), (20, 8))),
    "cropped and compressed": lambda grey: compressed(cropped(grey), 60),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_copy_in_another_split_is_a_leak(
    change: str, tmp_path: Path, audit: Audit
) -> None:
    builder = clean(tmp_path / "ward")
    original = builder.rows.index(next(r for r in builder.rows if r["split"] == "train")) + 2
    copy = builder.add(CHANGES[change](phantom(1)), "benign", "val", case="patient-other")
    code, found = audit(builder.write())
    assert code == 1
    exact = change == "same"
    assert verdicts(found) == {
        "exact_duplicates" if exact else "near_duplicates": "leak",
        "two_cases": "look",
    }
    (pair,) = found["pairs"]
    assert entries(pair) == {original, copy}
    assert pair["exact"] is exact
    assert pair["mirrored"] is (change in {"mirrored", "upside down"})


def test_frames_of_one_patient_inside_a_split_are_no_leak(tmp_path: Path, audit: Audit) -> None:
    builder = clean(tmp_path / "ward")
    builder.add(compressed(phantom(1)), "benign", "train", case="patient-benign-1")
    code, found = audit(builder.write())
    assert (code, verdicts(found)) == (0, {})
    assert found["by"]["near_duplicates"]["figures"] == {"pairs": 1, "across_splits": 0}


def test_a_patient_in_two_splits_is_a_leak_without_any_duplicate(
    tmp_path: Path, audit: Audit
) -> None:
    builder = clean(tmp_path / "ward")
    builder.add(phantom(50), "benign", "val", case="patient-benign-1")
    code, found = audit(builder.write())
    assert (code, verdicts(found)) == (1, {"groups": "leak"})
    assert found["by"]["groups"]["figures"]["parted"] == 1


def test_equal_names_under_two_labels_are_not_one_patient(tmp_path: Path, audit: Audit) -> None:
    builder = Builder(tmp_path / "ward")
    for label, split in (("benign", "train"), ("malignant", "val"), ("malignant", "train")):
        for number in range(3):
            name = f"{number}{split[0]}.png" if split == "train" else f"{number}t.png"
            if label == "malignant" and split == "train":
                name = f"{number}m.png"
            builder.add(phantom(len(builder.rows), label), label, split, name=name)
    builder.add(phantom(40), "benign", "val")
    _code, found = audit(builder.write())
    assert found["by"]["groups"]["verdict"] == "look"
    assert found["by"]["groups"]["figures"]["not_told"] == ["ward"]


def test_one_picture_under_two_labels_is_said(tmp_path: Path, audit: Audit) -> None:
    builder = clean(tmp_path / "ward")
    builder.add(cropped(phantom(1)), "malignant", "train", case="patient-benign-1")
    code, found = audit(builder.write())
    assert (code, verdicts(found)) == (0, {"two_labels": "look"})


def test_unreadable_files_are_all_listed_and_the_rest_is_audited(
    tmp_path: Path, audit: Audit
) -> None:
    builder = clean(tmp_path / "ward")
    empty = builder.add(b"", "benign", "train", case="a")
    broken = builder.add(b"\x89PNG\r\n\x1a\n but no more", "benign", "train", case="b")
    tiny = builder.add(phantom(3)[:20, :20], "benign", "train", case="c")
    missing = builder.add(phantom(60), "benign", "train", case="d")
    twice = builder.add(phantom(61), "benign", "train", case="e", name="one.png")
    builder.rows.append(builder.rows[-1])
    copy = builder.add(cropped(phantom(1)), "benign", "val", case="f")
    folder = builder.write()
    (folder / "images/benign" / builder.rows[missing - 2]["file"]).unlink()
    code, found = audit(folder)
    assert code == 1
    assert [each["entry"] for each in found["problems"]] == [
        empty, broken, tiny, missing, twice + 1,
    ]  # fmt: skip
    assert "secret-name" not in json.dumps(found)
    assert found["by"]["readable"]["figures"] == {
        "entries_not_usable": 2,
        "images_not_decoded": 3,
        "masks_not_usable": 0,
        "images_not_in_manifest": 0,
    }
    assert copy in entries(found["pairs"][0])


def test_images_the_manifest_forgets_are_counted(tmp_path: Path, audit: Audit) -> None:
    folder = clean(tmp_path / "ward").write()
    write_png(folder / "images/benign/forgotten.png", phantom(70))
    _code, found = audit(folder)
    assert found["by"]["readable"]["figures"]["images_not_in_manifest"] == 1


def test_a_class_of_one_source_only_is_named_as_a_shortcut(tmp_path: Path, audit: Audit) -> None:
    one = clean(tmp_path / "north").write()
    two = clean(tmp_path / "south", labels={"malignant": 6}, first_seed=300).write()
    code, found = audit(one, two)
    assert (code, verdicts(found)) == (0, {"label_by_source": "look"})
    assert found["by"]["label_by_source"]["figures"]["alone"] == [
        {"source": "north", "label": "benign"}
    ]


def test_a_class_of_one_scanner_only_is_named(tmp_path: Path, audit: Audit) -> None:
    builder = Builder(tmp_path / "ward")
    for number in range(40):
        label = "malignant" if number < 10 else "benign"
        # Pictures say nothing here; few seeds keep it quick.
        device = "A" if number < 20 else "B"
        split = "val" if number % 3 else "train"
        builder.add(phantom(number, label), label, split, case=str(number), device=device)
    _code, found = audit(builder.write())
    assert found["by"]["label_by_device"]["figures"]["alone"] == [
        {"source": "ward", "device": "A", "label": "malignant"}
    ]


@pytest.mark.parametrize("only", [True, False])
def test_calipers_on_one_label_alone_are_a_shortcut(
    only: bool, tmp_path: Path, audit: Audit
) -> None:
    def change(grey: Grey, label: str, _split: str) -> Grey:
        return marked(grey) if label == "malignant" or not only else grey

    code, found = audit(clean(tmp_path / "ward", 12, change=change).write())
    assert code == 0
    assert verdicts(found) == ({"lettering": "look"} if only else {})
    of = {each["label"]: each for each in found["by"]["lettering"]["figures"]["by_label"]}
    assert of["malignant"]["written_on"] == 12
    # Speckle of phantoms this small may be taken for a mark once.
    assert (of["benign"]["written_on"] <= 1) is only
    assert (of["malignant"]["low"] > 1.5) is only


def test_darker_pictures_in_one_split_are_a_shift(tmp_path: Path, audit: Audit) -> None:
    def change(grey: Grey, _label: str, split: str) -> Grey:
        return grey if split == "train" else (grey // 2).astype(np.uint8)

    code, found = audit(clean(tmp_path / "ward", 18, change=change).write())
    assert (code, verdicts(found)) == (0, {"shifts": "look"})
    assert "brightness" in found["by"]["shifts"]["line"]


def test_a_split_without_a_label_is_said(tmp_path: Path, audit: Audit) -> None:
    builder = clean(tmp_path / "ward")
    for row in builder.rows:
        if row["label"] == "malignant":
            row["split"] = "train"
    _code, found = audit(builder.write())
    assert verdicts(found) == {"balance": "look"}
    assert found["by"]["balance"]["figures"]["missing"] == [{"split": "val", "label": "malignant"}]


def test_the_same_dataset_twice_is_said_and_counted_once(tmp_path: Path, audit: Audit) -> None:
    folder = clean(tmp_path / "ward").write()
    (tmp_path / "link").symlink_to(folder)
    code, found = audit(folder, tmp_path / "link")
    assert (code, verdicts(found)) == (0, {"given_twice": "look"})
    assert found["images"] == 12


def test_a_copy_of_a_dataset_under_another_name_is_said(tmp_path: Path, audit: Audit) -> None:
    one = clean(tmp_path / "a" / "ward").write()
    two = clean(tmp_path / "b" / "ward").write()
    code, found = audit(one, two)
    assert code == 0
    figures = found["by"]["given_twice"]["figures"]
    assert figures["shared_images"] == [{"one": "ward", "other": "ward (2)", "images": 12}]
    assert figures["same_name"] == ["ward"]


def test_masks_that_would_be_ignored_in_silence_are_said(tmp_path: Path, audit: Audit) -> None:
    builder = Builder(tmp_path / "ward")
    for number in range(12):
        builder.add(
            phantom(number),
            "benign",
            "val" if number % 3 == 0 else "train",
            lesion_mask(number),
            case=str(number),
        )
    folder = builder.write()
    masks = sorted((folder / "masks/benign").iterdir())
    masks[0].rename(masks[0].with_name(f"{masks[0].stem}_mask.png"))
    masks[1].rename(masks[1].with_suffix(".jpg"))
    masks[2].rename(masks[2].with_name("nobody.png"))
    write_png(masks[3], np.zeros((96, 96), np.uint8))
    write_png(masks[4], np.zeros((50, 96), np.uint8))
    code, found = audit(folder)
    assert code == 0
    figures = found["by"]["masks"]["figures"]
    assert [each["entry"] for each in found["misnamed_masks"]] == [2, 3]
    assert (figures["misnamed"], figures["without_image"]) == (2, 1)
    assert figures["by_label"] == [
        {
            "source": "ward",
            "label": "benign",
            "images": 12,
            "lesion": 7,
            "black": 1,
            "none": 3,
            "not_usable": 1,
        }
    ]
    assert found["by"]["masks"]["verdict"] == "look"
    assert found["problems"][0]["entry"] == 6


def test_masks_that_lie_among_the_images_are_said(tmp_path: Path, audit: Audit) -> None:
    folder = tmp_path / "ward"
    for number in range(6):
        write_png(folder / f"images/benign/benign ({number}).png", phantom(number))
        write_png(folder / f"images/benign/benign ({number})_mask.png", lesion_mask(number))
    _code, found = audit(folder)
    assert found["by"]["masks"]["figures"]["among_images"] == 6


def test_blank_pictures_are_no_duplicates_of_each_other(tmp_path: Path, audit: Audit) -> None:
    builder = clean(tmp_path / "ward")
    for number, split in enumerate(("train", "val", "val")):
        # Two are the same to the pixel, which means nothing of pictures that show nothing.
        grey = np.full((96, 96), 10 + number // 2, np.uint8)
        builder.add(grey, "benign", split, case=f"blank-{number}")
    code, found = audit(builder.write())
    assert (code, verdicts(found)) == (0, {"blank": "look"})


def test_archives_and_trees_are_audited_too(tmp_path: Path, audit: Audit) -> None:
    tree = tmp_path / "tree"
    for split, seeds in (("train", range(6)), ("test", range(6, 9))):
        for seed in seeds:
            write_png(tree / split / "benign" / f"{seed}.png", phantom(seed))
    write_png(tree / "test" / "benign" / "copy.png", cropped(phantom(2)))
    code, found = audit(tree)
    assert (code, found["by"]["near_duplicates"]["verdict"]) == (1, "leak")
    archive = tmp_path / "arrays.npz"
    train = np.stack([phantom(seed) for seed in range(6)])
    val = np.stack([phantom(7), brightened(phantom(3))])
    np.savez(
        archive,
        train_images=train,
        train_labels=np.zeros(6, np.int64),
        val_images=val,
        val_labels=np.zeros(2, np.int64),
    )
    code, found = audit(archive, "--label-names", "benign")
    assert (code, found["by"]["near_duplicates"]["verdict"]) == (1, "leak")
    assert entries(found["pairs"][0]) == {4, 8}


def test_a_path_that_is_not_there_is_bad_usage(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        main(["audit-data", "no-such-folder"])
    assert exit_.value.code == 2
    assert "usage:" in capsys.readouterr().err


def test_a_split_that_leaves_nothing_to_train_on_is_bad_usage(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shares = ["--make-split", "--val-share", "0.5", "--test-share", "0.5"]
    with pytest.raises(SystemExit) as exit_:
        main(["audit-data", str(tmp_path), *shares])
    assert exit_.value.code == 2
    assert "usage:" in capsys.readouterr().err


@pytest.mark.parametrize("content", ["nothing", "no image"])
def test_no_dataset_is_said_in_one_line(
    content: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if content == "no image":
        builder = Builder(tmp_path)
        builder.add(b"none", "benign", "train")
        builder.write()
    assert main(["audit-data", str(tmp_path)]) == 1
    said = capsys.readouterr()
    assert (said.out, said.err.count("\n")) == ("", 1)


@needs_data
@pytest.mark.slow
def test_the_real_scans_hold_duplicates_that_a_shuffled_split_leaks(
    tmp_path: Path, audit: Audit
) -> None:
    """A part of BUSI, so that it is quick: what its groups keep together, and then do not."""
    import csv

    source = DATA / "busi"
    with (source / "manifest.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    sizes: dict[str, int] = {}
    for row in rows:
        sizes[row["group"]] = sizes.get(row["group"], 0) + 1
    groups = [group for group, size in sizes.items() if size > 1][:25]
    chosen = [row for row in rows if row["group"] in groups]
    builder = Builder(tmp_path / "part")
    for row in chosen:
        data = (source / "images" / row["label"] / row["file"]).read_bytes()
        builder.add(data, row["label"], row["split"], group=row["group"], name=row["file"])
    folder = builder.write()
    code, found = audit(folder)
    assert found["by"]["near_duplicates"]["figures"]["across_splits"] == 0
    assert found["by"]["near_duplicates"]["figures"]["pairs"] >= 20
    assert code == 0
    for number, row in enumerate(builder.rows):
        row["split"] = "val" if number % 2 else "train"
    code, found = audit(builder.write())
    assert code == 1
    assert {found["by"][name]["verdict"] for name in ("groups", "near_duplicates")} == {"leak"}
