"""What a dataset does not tell is not taken for told."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from audit_factory import Builder, clean, lesion_mask, phantom

Audit = Callable[..., tuple[int, dict[str, Any]]]


def test_cases_that_only_some_images_name_are_not_called_whole(
    tmp_path: Path, audit: Audit
) -> None:
    builder = clean(tmp_path / "ward")
    nameless = [row for row in builder.rows if row["split"] == "val"]
    for row in nameless:
        row["case"] = ""
    code, found = audit(builder.write())
    assert (code, found["by"]["groups"]["verdict"]) == (0, "look")
    assert found["by"]["groups"]["figures"]["ungrouped"] == len(nameless)
    assert f"{len(nameless)} of {len(builder.rows)} images" in found["by"]["groups"]["line"]


def test_a_gap_among_an_archive_s_groups_is_no_patient(tmp_path: Path, audit: Audit) -> None:
    np.savez(
        tmp_path / "arrays.npz",
        train_images=np.stack([phantom(seed) for seed in range(4)]),
        train_labels=np.zeros(4, np.int64),
        train_groups=np.array([1.0, np.nan, np.nan, np.nan]),
        val_images=np.stack([phantom(7), phantom(8)]),
        val_labels=np.zeros(2, np.int64),
        val_groups=np.array([np.nan, 2.0]),
    )
    _code, found = audit(tmp_path / "arrays.npz", "--label-names", "benign")
    assert found["by"]["groups"]["verdict"] == "look"
    assert found["by"]["groups"]["figures"] == {
        "groups": 2,
        "parted": 0,
        "images": 0,
        "not_told": [],
        "ungrouped": 4,
    }


def test_an_image_that_cannot_be_read_is_not_said_to_lack_its_mask(
    tmp_path: Path, audit: Audit
) -> None:
    builder = Builder(tmp_path / "ward")
    for seed in range(6):
        builder.add(phantom(seed), "malignant", "train", lesion_mask(seed), case=f"patient-{seed}")
    folder = builder.write()
    image = next(path for path in sorted(folder.rglob("images/malignant/*.png")))
    image.write_bytes(b"no picture")
    _code, found = audit(folder)
    assert found["by"]["masks"]["figures"]["by_label"][0]["lesion"] == 5
    assert found["by"]["readable"]["figures"]["images_not_decoded"] == 1
    assert found["by"]["masks"]["verdict"] == "ok"
