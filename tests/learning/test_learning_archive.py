"""Archives of arrays: read as they are, opened safely, and never held in memory as a whole."""

from __future__ import annotations

import tracemalloc
import zipfile
from collections import Counter, namedtuple
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from learning_factory import GREY, LABELS, largest_file, says

from core.errors import DatasetError
from core.learning.dataset import load_arrays
from core.learning.forms import read_dataset, rows_of_split
from core.learning.rows import fingerprint, hold_out, load_grey, load_scan


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
    says(error, "--label-names")
    with pytest.raises(DatasetError) as error:
        read_dataset(path, ("benign", "malignant"), names=("malign", "benign"))
    says(error, "Entry 1 ", "label this model does not know")
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
        ({"train_images": np.zeros((6, 0, 28), np.uint8)}, ("8 bits",)),
        ({"train_labels": np.zeros((6, 14), np.uint8)}, ("several labels",)),
        ({"train_labels": np.array(["benign"] * 5 + [""])}, ("whole numbers or words",)),
        ({"train_labels": np.array([b"benign", b"\xff"] * 3)}, ("whole numbers or words",)),
        ({"train_masks": np.full((6, 28, 28), 0.7)}, ("0 or 1, or 0 or 255",)),
        ({"train_masks": np.zeros((5, 28, 28), np.uint8)}, ("different lengths",)),
        ({"train_groups": np.arange(4)}, ("different lengths",)),
        ({"train_groups": np.array(7)}, ("different lengths",)),
        ({"train_groups": np.zeros((6, 2), int)}, ("different lengths",)),
        ({"train_images": np.zeros(6, [("grey", "u1")])}, ("something else than numbers",)),
        ({"val_images": np.array([Harmful()] * 6, object)}, ("something else than numbers",)),
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
    says(error, {"other": "train_images", "gone": "at this path"}.get(damage, "cannot be read"))


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("damage", [b"\x00", b"\xff"])
def test_a_damaged_archive_is_found_before_anything_is_learned_from_it(
    tmp_path: Path, packed: bool, damage: bytes
) -> None:
    path = tmp_path / "set.npz"
    arrays = medmnist(n=12, side=40)
    arrays = {name: value // 64 for name, value in arrays.items()}  # so that it packs
    (np.savez_compressed if packed else np.savez)(path, **arrays)
    whole = path.read_bytes()
    for after in (200, 1500, 3000):
        middle = whole.index(b"train_images.npy") + after
        path.write_bytes(whole[:middle] + damage * 90 + whole[middle + 90 :])
        with pytest.raises(DatasetError) as error:
            read_dataset(path)
        says(error, "damaged")


@pytest.mark.parametrize("promised", [b"9", b"3"])
def test_an_archive_that_does_not_hold_what_it_promises_is_refused(
    tmp_path: Path, promised: bytes
) -> None:
    path = archive(tmp_path / "set.npz", **medmnist())
    with zipfile.ZipFile(path) as whole:
        parts = {name: whole.read(name) for name in whole.namelist()}
    header = parts["train_images.npy"]
    # As long as before: only the number of the images is another.
    parts["train_images.npy"] = header.replace(b"(6, 28, 28), ", b"(" + promised + b", 28, 28), ")
    assert parts["train_images.npy"] != header
    with zipfile.ZipFile(path, "w") as changed:
        for name, data in parts.items():
            changed.writestr(name, data)
    with pytest.raises(DatasetError) as error:
        read_dataset(path)
    says(error, "damaged")


def test_words_in_bytes_are_words(tmp_path: Path) -> None:
    arrays = {"test_images": np.stack([GREY] * 2), "test_labels": np.array([b"benign", b"normal"])}
    rows = read_dataset(archive(tmp_path / "set.npz", **arrays), LABELS)
    assert [row.label for row in rows] == ["benign", "normal"]


def test_a_split_of_no_images_is_none(tmp_path: Path) -> None:
    arrays = medmnist() | {"val_images": np.zeros((0, 28, 28), np.uint8), "val_labels": np.zeros(0)}
    arrays["val_labels"] = np.zeros((0, 1), np.uint8)
    rows = read_dataset(archive(tmp_path / "set.npz", **arrays))
    assert Counter(row.split for row in rows) == {"train": 6, "test": 6}
    with pytest.raises(DatasetError) as error:
        rows_of_split(rows, "val")
    says(error, "no rows of this split")


def test_columns_before_rows_is_the_same_picture(tmp_path: Path) -> None:
    arrays = medmnist()
    turned = arrays | {"train_images": np.asfortranarray(arrays["train_images"])}
    plain, other = (
        read_dataset(archive(tmp_path / name / "set.npz", **each))
        for name, each in (("a", arrays), ("b", turned))
    )
    np.testing.assert_array_equal(load_grey(plain[2])[0], load_grey(other[2])[0])
    assert fingerprint(plain) == fingerprint(other)


def test_a_large_archive_is_not_held_in_memory(tmp_path: Path) -> None:
    n, side = 60, 512
    picture = np.zeros((n, side, side), np.uint8)
    picture[:, ::7] = np.arange(n, dtype=np.uint8)[:, None, None] + 1
    path = tmp_path / "set.npz"
    np.savez_compressed(path, train_images=picture, train_labels=np.arange(n) % 2)
    whole = picture.nbytes
    del picture
    tracemalloc.start()
    try:
        rows = read_dataset(path, ("0", "1"))
        found = load_arrays(rows, ("0", "1"), 32, tmp_path / "cache")
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(found.labels) == n
    assert most < whole / 2


def test_an_archive_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "scratch").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "scratch"))
    rows = read_dataset(archive(tmp_path / "set.npz", **medmnist()))
    assert load_scan(rows[7]).width == 28
    # Nothing is left for a killed process to leave there either.
    assert not list((tmp_path / "scratch").iterdir())


def test_an_archive_too_large_for_the_disk_is_said_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "set.npz"
    np.savez_compressed(
        path, train_images=np.zeros((40, 100, 100), np.uint8), train_labels=np.zeros(40, int)
    )
    with largest_file(100_000), pytest.raises(DatasetError) as error:
        read_dataset(path)
    says(error, "disk for temporary files is full")
    assert len(read_dataset(path)) == 40


def test_an_archive_changed_while_it_is_used_is_not_mixed_up(tmp_path: Path) -> None:
    rows = read_dataset(archive(tmp_path / "set.npz", **medmnist()))
    archive(tmp_path / "set.npz", **medmnist(n=2, side=40))
    with pytest.raises(DatasetError) as error:
        load_arrays(rows, ("0", "1"), 32)
    says(error, "was changed")


def test_the_same_bytes_in_another_shape_are_another_picture(tmp_path: Path) -> None:
    pixels = np.arange(2 * 64 * 32, dtype=np.uint32).astype(np.uint8)
    labels = np.array([0, 1])
    found = []
    for name, shape in (("wide", (2, 32, 64)), ("tall", (2, 64, 32))):
        path = archive(
            tmp_path / name / "set.npz", train_images=pixels.reshape(shape), train_labels=labels
        )
        rows = read_dataset(path)
        found.append((fingerprint(rows), load_arrays(rows, ("0", "1"), 32, tmp_path / "cache")))
    assert found[0][0] != found[1][0]
    assert not np.array_equal(found[0][1].inside, found[1][1].inside)


def with_header(path: Path, name: str, header: str) -> Path:
    """Write an archive of which one array begins with another header; its checksums are right."""
    archive(path, **medmnist())
    with zipfile.ZipFile(path) as whole:
        parts = {part: whole.read(part) for part in whole.namelist()}
    about = header.ljust(117).encode("latin-1") + b"\n"
    pixels = parts[f"{name}.npy"][128:]
    parts[f"{name}.npy"] = b"\x93NUMPY\x01\x00" + len(about).to_bytes(2, "little") + about + pixels
    with zipfile.ZipFile(path, "w") as changed:
        for part, data in parts.items():
            changed.writestr(part, data)
    return path


@pytest.mark.filterwarnings("ignore:Reading `.npy`")  # NumPy's, of a header that is no literal
@pytest.mark.parametrize("name", ["train_images", "train_labels"])
@pytest.mark.parametrize(
    ("dtype", "shape"),
    [
        ("|u1", "(6, 999999999999999999, 28)"),
        ("<i8", "(9999999999999,)"),  # 73 TiB
        ("<i8", "(99999999999999999999,)"),
        ("<U999999999", "(6,)"),
        ("<i8", "(-6,)"),
        ("|u1", "(True, 6)"),
        ("|01", "(6,)"),
        (",u1", "(6,)"),
        ("|u1", "(6,\xff"),
        ("|u1", "(" * 60),
    ],
)
def test_a_header_that_lies_takes_no_memory_and_stops_nothing(
    tmp_path: Path, name: str, dtype: str, shape: str
) -> None:
    header = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}"
    with pytest.raises(DatasetError) as error:
        read_dataset(with_header(tmp_path / "set.npz", name, header))
    says(error, "damaged")


def test_labels_too_many_to_be_labels_are_not_unpacked_into_memory(tmp_path: Path) -> None:
    path = tmp_path / "set.npz"
    archive(path, **medmnist())
    about = "{'descr': '|u1', 'fortran_order': False, 'shape': (300000000,), }".ljust(117) + "\n"
    with (
        zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as whole,
        whole.open("train_groups.npy", "w") as member,
    ):
        member.write(b"\x93NUMPY\x01\x00" + (118).to_bytes(2, "little") + about.encode())
        for _piece in range(300):
            member.write(bytes(1_000_000))
    assert path.stat().st_size < 2_000_000
    tracemalloc.start()
    try:
        with pytest.raises(DatasetError) as error:
            read_dataset(path)
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    says(error, "damaged")
    assert most < 50_000_000


def test_an_archive_that_would_fill_the_disk_is_not_begun(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = archive(tmp_path / "set.npz", **medmnist())
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr("core.learning.archive.shutil.disk_usage", lambda _path: usage(9, 8, 1))
    monkeypatch.setattr("tempfile.TemporaryFile", lambda: pytest.fail("begun"))
    with pytest.raises(DatasetError) as error:
        read_dataset(path)
    says(error, "disk for temporary files is full")
