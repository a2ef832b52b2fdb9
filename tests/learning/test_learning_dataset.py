"""Dataset folders: what is wrong is said in one line, and nothing leaks between splits."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
from learning_factory import LABELS, phantom_folder, says, write_manifest, write_png

from core.errors import DatasetError
from core.learning.batches import as_read
from core.learning.dataset import load_arrays
from core.learning.forms import read_dataset
from core.learning.rows import Row, fingerprint, hold_out, load_grey
from core.model import InputSpec, preprocess


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return phantom_folder(tmp_path / "secret-ward", train=2, val=1)


PINNED = ["case9", "case20", "case25", "case30", "case36", "case37"]


def _rows(n: int = 200, per_group: int = 4) -> list[Row]:
    return [
        Row(Path(f"{i}.png"), None, LABELS[i % 3], "train", "ward", f"case{i // per_group}", "")
        for i in range(n)
    ]


def test_a_folder_is_read_as_its_manifestsays(folder: Path) -> None:
    rows = read_dataset(folder, LABELS)
    assert [row.label for row in rows] == [label for label in LABELS for _ in range(3)]
    assert [row.split for row in rows[:3]] == ["train", "train", "val"]
    assert rows[0].mask is None
    assert rows[3].mask is not None
    assert rows[0].group == rows[1].group != rows[2].group
    assert {(row.source, row.device) for row in rows} == {("secret-ward", "secret-ward")}


def test_a_folder_has_its_name_however_its_address_is_written(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    # The name decides what is held out, so it must not hang on the working directory.
    assert {row.source for row in read_dataset(Path(), LABELS)} == {"secret-ward"}


def test_what_is_no_dataset_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError) as error:
        read_dataset(tmp_path, LABELS)
    says(error, "no dataset", "images/<label>/", "train/<label>/", ".npz")
    with pytest.raises(DatasetError) as error:
        read_dataset(tmp_path / "secret-ward", LABELS)
    says(error, "no dataset at this path")


def test_an_empty_manifest_is_refused(folder: Path) -> None:
    (folder / "manifest.csv").write_text("file,label\n")
    with pytest.raises(DatasetError) as error:
        read_dataset(folder, LABELS)
    says(error, "no rows")


@pytest.mark.parametrize("text", ["", "name,class\na.png,benign\n"])
def test_a_manifest_without_its_columns_is_refused(folder: Path, text: str) -> None:
    (folder / "manifest.csv").write_text(text)
    with pytest.raises(DatasetError) as error:
        read_dataset(folder, LABELS)
    says(error, "columns file and label")


@pytest.mark.parametrize(
    "data", [b"file,label\n\xff\xfe,benign\n", b'file,label\n"' + b"x" * 2**18]
)
def test_a_manifest_that_is_no_table_is_refused(folder: Path, data: bytes) -> None:
    (folder / "manifest.csv").write_bytes(data)
    with pytest.raises(DatasetError) as error:
        read_dataset(folder, LABELS)
    says(error, "not a table in UTF-8")


def test_a_manifest_saved_by_a_spreadsheet_is_read(folder: Path) -> None:
    plain = (folder / "manifest.csv").read_text()
    before = read_dataset(folder, LABELS)
    (folder / "manifest.csv").write_text(plain.replace("\n", "\r\n"), encoding="utf-8-sig")
    assert read_dataset(folder, LABELS) == before


def test_an_unknown_label_names_its_line_only(folder: Path) -> None:
    manifest = folder / "manifest.csv"
    # The blank line counts: a person counts it too.
    manifest.write_text("file,label\nbenign00.png,benign\n\nbenign01.png,secret-ward\n")
    with pytest.raises(DatasetError) as error:
        read_dataset(folder, LABELS)
    says(error, "Line 4", "label")


def test_a_row_cut_short_is_refused(folder: Path) -> None:
    (folder / "manifest.csv").write_text("file,label\nbenign00.png\n")
    with pytest.raises(DatasetError) as error:
        read_dataset(folder, LABELS)
    says(error, "Line 2")


@pytest.mark.parametrize("name", ["gone.png", "", "x" * 5000])
def test_a_missing_image_names_its_line_only(folder: Path, name: str) -> None:
    write_manifest(folder, [{"file": name, "label": "benign"}])
    with pytest.raises(DatasetError) as error:
        read_dataset(folder, LABELS)
    says(error, "Line 2", "not there")


def test_a_mask_of_another_size_is_refused(folder: Path) -> None:
    write_png(folder / "masks" / "benign" / "benign01.png", np.zeros((50, 64), np.uint8))
    rows = read_dataset(folder, LABELS)
    with pytest.raises(DatasetError) as error:
        load_arrays(rows, LABELS, 32)
    (row,) = (row for row in rows if row.image.name == "benign01.png")
    says(error, f"mask of entry {row.entry} ", "another size")


def test_a_lesion_in_a_mask_that_is_not_white_is_not_lost(folder: Path) -> None:
    rows = read_dataset(folder, LABELS)
    row = rows[3]
    assert row.mask is not None
    wanted = load_grey(row)[1]
    write_png(row.mask, wanted // 255)
    np.testing.assert_array_equal(load_grey(row)[1], wanted)
    # The index of a palette, or several kinds of tissue: which is the lesion is not known.
    write_png(row.mask, wanted // 255 * 38)
    with pytest.raises(DatasetError) as error:
        load_grey(row)
    says(error, f"mask of entry {row.entry} ", "not black and white")
    write_png(row.mask, wanted * 0)
    assert not load_grey(row)[1].any()


@pytest.mark.parametrize("kind", ["images", "masks"])
@pytest.mark.parametrize("damage", ["empty", "text", "cut"])
def test_an_unreadable_file_is_refused(folder: Path, kind: str, damage: str) -> None:
    path = folder / kind / "benign" / "benign00.png"
    data = path.read_bytes()
    path.write_bytes({"empty": b"", "text": b"secret-ward", "cut": data[: len(data) // 2]}[damage])
    with pytest.raises(DatasetError) as error:
        load_arrays(read_dataset(folder, LABELS), LABELS, 32)
    says(error, "cannot be read")


def test_an_image_that_vanished_since_is_refused(folder: Path) -> None:
    rows = read_dataset(folder, LABELS)
    rows[4].image.unlink()
    for use in (fingerprint, lambda found: load_arrays(found, LABELS, 32)):
        with pytest.raises(DatasetError) as error:
            use(rows)
        says(error, f"Entry {rows[4].entry} ", "from disk")


def test_rows_go_to_another_process(folder: Path) -> None:
    rows = read_dataset(folder, LABELS)
    assert pickle.loads(pickle.dumps(rows)) == rows
    assert pickle.loads(pickle.dumps(_rows(3))) == _rows(3)


def test_a_label_no_network_has_a_place_for_is_refused(folder: Path) -> None:
    rows = read_dataset(folder)
    with pytest.raises(DatasetError) as error:
        load_arrays(rows, ("normal", "benign"), 32)
    first = next(row for row in rows if row.label == "malignant")
    says(error, f"Entry {first.entry} ", "label")


def test_a_patient_is_never_on_both_sides() -> None:
    kept, held = hold_out(_rows(), 0.3, seed=1)
    assert kept
    assert held
    assert not {row.group for row in kept} & {row.group for row in held}
    assert len(kept) + len(held) == 200
    assert 0.15 < len(held) / 200 < 0.45


def test_the_held_out_rows_do_not_hang_on_order_or_company() -> None:
    rows = _rows()
    held = set(hold_out(rows, 0.3, seed=1)[1])
    assert set(hold_out(rows[::-1], 0.3, seed=1)[1]) == held
    assert set(hold_out(rows[40:120], 0.3, seed=1)[1]) == held & set(rows[40:120])
    assert set(hold_out(rows, 0.3, seed=2)[1]) != held
    # The split of the shipped model: a change would calibrate on rows it was trained on.
    assert [row.group for row in hold_out(_rows(40, 1), 0.15, 20261123)[1]] == PINNED


def test_the_fingerprint_tells_what_was_learned_from(folder: Path) -> None:
    rows = read_dataset(folder, LABELS)
    before = fingerprint(rows)
    assert fingerprint(rows[::-1]) == before
    assert fingerprint(rows[1:]) != before
    mask = rows[3].mask
    assert mask is not None
    write_png(mask, 255 - load_grey(rows[3])[1])
    assert fingerprint(rows) != before


@pytest.mark.parametrize("shape", [(48, 64), (64, 48), (40, 333), (33, 33), (100, 32)])
@pytest.mark.parametrize("size", [32, 160])
def test_training_sees_what_reading_sees(tmp_path: Path, shape: tuple[int, int], size: int) -> None:
    rng = np.random.default_rng(shape[1])
    image = rng.integers(30, 220, shape, dtype=np.uint8)
    path = write_png(tmp_path / "images" / "benign" / "a.png", image)
    mask = np.zeros(shape, np.uint8)
    mask[8:24, 8:28] = 255
    mask_path = write_png(tmp_path / "masks" / "benign" / "a.png", mask)
    arrays = load_arrays([Row(path, mask_path, "benign", "train", "s", "g", "d")], LABELS, size)
    wanted, geometry = preprocess(image, InputSpec(size))
    # The cache rounds to whole grey levels: half a level, in units of the picture's deviation.
    deviation = float(image.std())
    tolerance = 0.75 / min(deviation, float(arrays.images[arrays.images > 0].std()))
    np.testing.assert_allclose(next(as_read(arrays, InputSpec(size)))[0], wanted, atol=tolerance)
    np.testing.assert_allclose(arrays.masks[0], geometry.to_input(mask), atol=0.5)
    left, top, right, bottom = arrays.inside[0]
    assert (left, top) == (geometry.left, geometry.top)
    assert (right - left, bottom - top) == (geometry.content_width, geometry.content_height)
