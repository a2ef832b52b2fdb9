"""Folders: every file once, in order, archives opened, and what cannot be read is named."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
from raster_build import grey_jpeg, grey_png
from test_scan_archive import zipped

from core.errors import ArchiveError, FileTooLarge, ScanError
from core.scan import files_of, read_scan
from core.settings import load_settings

SETTINGS = load_settings({})


def listed(*paths: Path, base: Path, **limits: int) -> dict[str, bytes | ScanError]:
    """Return every file with its bytes or its error, in order, named from ``base`` on."""
    out: dict[str, bytes | ScanError] = {}
    # The whole list first: nothing may depend on reading in between.
    for name, load in list(files_of(paths, replace(SETTINGS, **limits))):
        short = name.removeprefix(f"{base}/")
        assert short not in out
        try:
            out[short] = load()
        except ScanError as error:
            out[short] = error
    for found in out.values():
        assert not (isinstance(found, ScanError) and str(base) in str(found))
    return out


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("b/2.png", "b/1.png", "a/deep/er/x.jpg", "c.png", ".hidden/h.png", "b/.h.png"):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(grey_jpeg() if name.endswith("jpg") else grey_png())
    (tmp_path / "b" / "Thumbs.db").write_bytes(b"litter")
    (tmp_path / "empty").mkdir()
    (tmp_path / "scans.zip").write_bytes(zipped({"y/1.png": grey_png(), "2.png": grey_png()}))
    return tmp_path


def test_a_folder_gives_its_files_in_order_with_archives_opened(folder: Path) -> None:
    found = listed(folder, base=folder)
    assert list(found) == [
        "a/deep/er/x.jpg",
        "b/1.png",
        "b/2.png",
        "c.png",
        "scans.zip/y/1.png",
        "scans.zip/2.png",
    ]
    assert found.pop("a/deep/er/x.jpg") == grey_jpeg()
    assert set(found.values()) == {grey_png()}


def test_single_files_and_archives_may_be_named_too(folder: Path) -> None:
    found = listed(folder / "c.png", folder / "scans.zip", folder / ".hidden", base=folder)
    assert list(found) == ["c.png", "scans.zip/y/1.png", "scans.zip/2.png", ".hidden/h.png"]


def test_an_archive_is_known_by_its_content(folder: Path) -> None:
    (folder / "scans.zip").rename(folder / "scans.png")
    assert "scans.png/2.png" in listed(folder, base=folder)


def test_links_in_a_circle_end(folder: Path) -> None:
    (folder / "a" / "up").symlink_to(folder)
    (folder / "b" / "self").symlink_to(folder / "b")
    assert len(listed(folder, base=folder)) == 6


def test_a_link_to_a_file_is_read_and_a_broken_one_is_named(folder: Path) -> None:
    (folder / "d.png").symlink_to(folder / "c.png")
    (folder / "gone.png").symlink_to(folder / "nowhere")
    found = listed(folder, base=folder)
    assert found["d.png"] == grey_png()
    assert isinstance(found["gone.png"], ScanError)


def test_what_is_not_there_is_named_and_stops_nothing(folder: Path) -> None:
    found = listed(folder / "missing", folder / "c.png", base=folder)
    assert "cannot be read" in str(found["missing"])
    assert found["c.png"] == grey_png()


def test_what_may_not_be_opened_is_named_and_stops_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Refused here rather than by the system, which lets an administrator read everything.
    real_list, real_open = os.listdir, Path.open

    def refuse(path: Path, *names: str) -> None:
        if path.name in names:
            raise PermissionError

    def listdir(path: Path) -> list[str]:
        refuse(path, "b")
        return real_list(path)

    def open_(path: Path, *rest: str) -> object:
        refuse(path, "c.png")
        return real_open(path, *rest)

    monkeypatch.setattr(os, "listdir", listdir)
    monkeypatch.setattr(Path, "open", open_)
    found = listed(folder, base=folder)
    assert "cannot be read" in str(found["b"])
    assert "cannot be read" in str(found["c.png"])
    assert found["scans.zip/2.png"] == grey_png()


def test_a_file_that_vanishes_after_it_was_listed_is_an_error_of_its_own(folder: Path) -> None:
    files = list(files_of([folder], SETTINGS))
    (folder / "c.png").unlink()
    (folder / "scans.zip").unlink()
    errors = 0
    for _name, load in files:
        try:
            assert load()
        except ScanError:
            errors += 1
    assert errors == 3


def test_pipes_and_devices_are_named_and_not_waited_for(folder: Path) -> None:
    os.mkfifo(folder / "pipe.png")
    (folder / "device.png").symlink_to("/dev/zero")
    for found in (
        listed(folder, base=folder),
        listed(folder / "pipe.png", folder / "device.png", base=folder),
    ):
        assert "cannot be read" in str(found["pipe.png"])
        assert "cannot be read" in str(found["device.png"])


def test_a_file_over_the_limit_is_not_loaded(folder: Path) -> None:
    with (folder / "large.png").open("wb") as file:
        file.truncate(2**20 + 1)
    found = listed(folder, base=folder, max_upload_bytes=2**20)
    assert isinstance(found["large.png"], FileTooLarge)
    assert found["c.png"] == grey_png()


def test_no_more_files_than_the_limit_come_out_and_a_line_says_so(folder: Path) -> None:
    found = listed(folder, base=folder.parent, max_files=4)
    assert len(found) == 5
    assert "more than 4 files" in str(list(found.values())[-1])
    assert len(listed(folder, base=folder, max_files=6)) == 6


def test_a_damaged_archive_is_named_and_stops_nothing(folder: Path) -> None:
    (folder / "bad.zip").write_bytes(zipped({"a.png": grey_png()})[:-30])
    found = listed(folder, base=folder)
    assert isinstance(found["bad.zip"], ArchiveError)
    assert found["scans.zip/2.png"] == grey_png()


def test_a_name_that_is_no_text_can_be_shown(folder: Path) -> None:
    odd = os.fsencode(folder) + b"/\xff.png"
    try:
        with open(odd, "wb") as file:
            file.write(grey_png())
    except OSError:
        pytest.skip("this file system takes no such name")
    with open(odd.replace(b"\xff", b"\xfe"), "wb") as file:
        file.write(grey_jpeg())
    found = {name: data for name, data in listed(folder, base=folder).items() if "\ufffd" in name}
    assert sorted(found.values(), key=len) == sorted([grey_png(), grey_jpeg()], key=len)
    for name in found:
        assert name.encode("utf-8").startswith("\ufffd.png [".encode())


def test_a_name_shows_what_it_is_and_two_files_never_get_one_name(folder: Path) -> None:
    # Turned around, the first would be seen as "xpng.exe"; the others would be gone, or a row more.
    signs = ["\u202e", "\u2066", "\u200b", "\ufeff", "\n", "\x1b", "\x85", "\u2028", "\u2029"]
    for sign in signs:
        (folder / f"x{sign}.png").write_bytes(sign.encode())
    (folder / "x.png").write_bytes(b"plain")
    (folder / f"z{signs[0]}.zip").write_bytes(zipped({"1.png": grey_png()}))
    found = listed(folder, base=folder)
    assert found["x.png"] == b"plain"
    odd = {name: data for name, data in found.items() if name.startswith("x.png [")}
    assert sorted(odd.values()) == sorted(sign.encode() for sign in signs)
    assert [name for name in found if name.startswith("z.zip [") and name.endswith("]/1.png")]
    for name in found:
        assert not set(name) & set(signs)
    assert listed(folder, base=folder) == found
    # A file that is called what another is shown as.
    taken = next(iter(odd))
    (folder / taken).write_bytes(b"taken")
    again = listed(folder, base=folder)
    assert len(again) == len(found) + 1
    assert b"taken" in again.values()
    assert again[taken] == odd[taken]


def test_everything_found_can_be_read_as_a_scan(folder: Path) -> None:
    for _name, load in files_of([folder], SETTINGS):
        assert read_scan(load()).width == 64
