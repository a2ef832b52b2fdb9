"""Archives: file after file, within bounds, and one bad file stops no other."""

from __future__ import annotations

import io
import struct
import tracemalloc
import zipfile
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from raster_build import grey_jpeg, grey_png, picture, saved

from core.errors import ArchiveError, FileTooLarge, ScanError
from core.scan import ArchiveMember, is_archive, open_archive, read_scan
from core.settings import load_settings
from core.text import use_language

SETTINGS = load_settings({})


def zipped(files: Mapping[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return out.getvalue()


def members(data: bytes, **limits: int) -> list[ArchiveMember]:
    return list(open_archive(data, replace(SETTINGS, **limits)))


def patched(data: bytes, signature: bytes, offset: int, value: bytes, which: int = 0) -> bytes:
    """Overwrite a field of the n-th header with this signature."""
    at = -1
    for _n in range(which + 1):
        at = data.index(signature, at + 1)
    return data[: at + offset] + value + data[at + offset + len(value) :]


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_every_file_of_an_archive_comes_out_whole(method: int) -> None:
    files = {f"case {i}/scan-{i}.png": saved(Image.fromarray(picture(i)), "PNG") for i in range(20)}
    data = zipped(files, method)
    assert is_archive(data)
    found = members(data)
    assert {m.name: m.data for m in found} == files
    assert [m.name for m in found] == list(files)
    assert all(m.error is None for m in found)
    np.testing.assert_array_equal(read_scan(found[7].data).pixels, picture(7))


def test_what_is_no_archive_is_not_taken_for_one() -> None:
    for data in (b"", b"PK", grey_png(), grey_jpeg(), b"Rar!\x1a\x07"):
        assert not is_archive(data)
    assert is_archive(zipped({}))
    assert members(zipped({})) == []


def test_an_archive_written_as_a_stream_is_read() -> None:
    class Pipe(io.RawIOBase):
        """Takes bytes and cannot go back, as a download."""

        def __init__(self) -> None:
            self.taken = bytearray()

        def writable(self) -> bool:
            return True

        def write(self, part: bytes) -> int:
            self.taken += part
            return len(part)

    pipe = Pipe()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.png", grey_png())
        with archive.open("b.jpg", "w", force_zip64=True) as file:
            file.write(grey_jpeg())
    found = members(bytes(pipe.taken))
    assert [(m.name, m.data) for m in found] == [("a.png", grey_png()), ("b.jpg", grey_jpeg())]


def test_zip64_sizes_are_read() -> None:
    # A list that keeps its numbers in the ZIP64 field, as archives of more than 4 GB do.
    data = zipped({"a.png": grey_png()}, zipfile.ZIP_STORED)
    at = data.index(b"PK\x01\x02")
    end = data.index(b"PK\x05\x06")
    size, start = len(grey_png()), 0
    extra = struct.pack("<HHQQQ", 1, 24, size, size, start)
    listed = bytearray(data[at:end])
    listed[20:28] = b"\xff" * 8
    listed[30:32] = struct.pack("<H", len(extra))
    listed[42:46] = b"\xff" * 4
    listed += extra
    where = at + len(listed)
    record = struct.pack("<4sQHHIIQQQQ", b"PK\x06\x06", 44, 45, 45, 0, 0, 1, 1, len(listed), at)
    locator = struct.pack("<4sIQI", b"PK\x06\x07", 0, where, 1)
    tail = struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, 2**32 - 1, 2**32 - 1, 0)
    wide = data[:at] + bytes(listed) + record + locator + tail
    assert zipfile.ZipFile(io.BytesIO(wide)).read("a.png") == grey_png()
    assert [m.data for m in members(wide)] == [grey_png()]


def test_one_bad_file_stops_no_other() -> None:
    data = zipped({f"{i}.png": grey_png() for i in range(4)}, zipfile.ZIP_STORED)
    broken = patched(data, b"IDAT", 6, b"\xff\xff", which=1)
    found = members(broken)
    assert [m.error is None for m in found] == [True, False, True, True]
    assert isinstance(found[1].error, ArchiveError)
    assert found[1].name == "1.png"
    assert found[1].data == b""


def test_folders_hidden_files_and_litter_are_passed_over() -> None:
    files = {
        "case/": b"",
        "case/scan.png": grey_png(),
        "__MACOSX/case/._scan.png": b"x",
        "case/.DS_Store": b"x",
        ".git/objects/12.png": grey_png(),
        "case/Thumbs.db": b"x",
        "DICOMDIR": b"x",
        "sub/DICOMDIR": b"x",
        "desktop.ini": b"x",
        "notes.txt": b"not a scan",
    }
    assert [m.name for m in members(zipped(files))] == ["case/scan.png", "notes.txt"]


def test_an_encrypted_file_says_so_and_the_others_come_out() -> None:
    data = zipped({"a.png": grey_png(), "b.png": grey_png()})
    data = patched(data, b"PK\x01\x02", 8, b"\x01\0")
    found = members(data)
    assert "password" in str(found[0].error)
    assert found[1].data == grey_png()


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_another_compression_says_so(method: int) -> None:
    found = members(zipped({"a.png": grey_png()}, method))
    assert "usual compression" in str(found[0].error)


@pytest.mark.parametrize("inner", ["inner.zip", "scan.png", "no-extension"])
def test_an_archive_inside_an_archive_is_refused_by_a_line(inner: str) -> None:
    data = zipped({inner: zipped({"a.png": grey_png()}), "b.png": grey_png()})
    found = members(data)
    assert "archive inside an archive" in str(found[0].error)
    assert found[1].data == grey_png()


def test_no_more_files_than_the_limit_come_out_and_a_line_says_so() -> None:
    data = zipped({"x/": b"", ".hidden": b"", **{f"{i}.png": grey_png() for i in range(6)}})
    found = members(data, max_files=4)
    assert [m.name for m in found] == ["0.png", "1.png", "2.png", "3.png", ""]
    assert "more than 4 files" in str(found[-1].error)
    assert len(members(data, max_files=6)) == 6


def test_a_list_of_nothing_but_folders_ends() -> None:
    data = zipped({f"{i}/": b"" for i in range(100)})
    found = members(data, max_files=4)
    assert [m.name for m in found] == [""]
    assert isinstance(found[0].error, ArchiveError)


def test_a_file_over_the_upload_limit_is_not_inflated() -> None:
    large = np.random.default_rng(0).bytes(2**20 + 1)
    data = zipped({"large": large, "a.png": grey_png()})
    found = members(data, max_upload_bytes=2**20)
    assert isinstance(found[0].error, FileTooLarge)
    assert found[1].data == grey_png()


def test_a_bomb_is_refused_by_what_it_announces_and_by_what_it_holds() -> None:
    bomb = zipped({"bomb": b"\0" * 50_000_000, "a.png": grey_png()})
    # The same bomb that claims to be small.
    liar = patched(bomb, b"PK\x01\x02", 24, struct.pack("<I", 1000))
    tracemalloc.start()
    try:
        for data, line in ((bomb, "compressed more than"), (liar, "damaged")):
            tracemalloc.reset_peak()
            before = tracemalloc.get_traced_memory()[0]
            found = members(data)
            assert line in str(found[0].error)
            assert found[1].data == grey_png()
            assert tracemalloc.get_traced_memory()[1] - before < 2 * 2**20
    finally:
        tracemalloc.stop()


def test_the_files_of_an_archive_are_limited_together() -> None:
    # Each is within its own limit; a thousand of them are not.
    blank = np.random.default_rng(1).bytes(4000) * 250
    data = zipped({f"{i}": blank for i in range(30)})
    found = members(data, max_upload_bytes=2**20)
    assert "larger than 20 MB together" in str(found[-1].error)
    assert sum(len(m.data) for m in found) <= 20 * 2**20
    assert found[0].data == blank


def test_entries_that_share_their_data_are_refused() -> None:
    data = zipped({"a.png": grey_png(), "b.png": grey_png()})
    # The second entry points at the first one's data, as in a bomb of overlapping files.
    shared = patched(data, b"PK\x01\x02", 42, struct.pack("<I", 0), which=1)
    found = members(shared)
    assert found[0].data == grey_png()
    assert isinstance(found[1].error, ArchiveError)


def test_memory_holds_one_file_at_a_time() -> None:
    size = 3 * 2**20
    noise = np.random.default_rng(2)
    data = zipped({f"{i}": noise.bytes(size) for i in range(8)})
    tracemalloc.start()
    try:
        for member in open_archive(data, SETTINGS):
            assert len(member.data) == size
        # The one being looked at, the next one, and its packed bytes.
        assert tracemalloc.get_traced_memory()[1] < 4.5 * size
    finally:
        tracemalloc.stop()


def test_names_are_for_recognising_and_hold_nothing_unseen() -> None:
    names = [
        "../../etc/passwd",
        "C:\\scans\\a.png",
        "乳腺.png",
        "gpj.\u202egnp.png",
        "bell\x07.png",
    ]
    found = members(zipped({name: grey_png() for name in names}))
    assert [m.name for m in found] == [
        "../../etc/passwd",
        "C:/scans/a.png",
        "乳腺.png",
        "gpj.gnp.png",
        "bell.png",
    ]
    assert all(m.data == grey_png() for m in found)
    assert all(m.name not in repr(m) for m in found)


@pytest.mark.parametrize(
    ("language", "encoding", "name"),
    [("en", "cp437", "Übersicht.png"), ("zh_CN", "gb18030", "乳腺超声.png")],
)
def test_names_of_older_systems_stay_readable(language: str, encoding: str, name: str) -> None:
    raw = name.encode(encoding)
    data = zipped({"x" * len(raw): grey_png()}).replace(b"x" * len(raw), raw)
    with use_language(language):
        found = members(data)
    assert [m.name for m in found] == [name]
    assert found[0].data == grey_png()


@pytest.mark.parametrize("keep", [4, 30, 200, -1, -22])
def test_an_archive_that_was_cut_off_is_refused_whole(keep: int) -> None:
    data = zipped({f"{i}.png": grey_png() for i in range(3)})
    with pytest.raises(ArchiveError, match="cut off"):
        open_archive(data[:keep], SETTINGS)


def test_a_list_that_breaks_off_leaves_the_files_before_it() -> None:
    data = zipped({f"{i}.png": grey_png() for i in range(3)})
    found = members(patched(data, b"PK\x01\x02", 0, b"PK\x01\x03", which=2))
    assert [m.name for m in found] == ["0.png", "1.png", ""]
    assert found[1].data == grey_png()
    assert isinstance(found[2].error, ArchiveError)


def test_a_part_of_a_split_archive_says_so() -> None:
    data = zipped({"a.png": grey_png()})
    with pytest.raises(ArchiveError, match="split"):
        open_archive(patched(data, b"PK\x05\x06", 4, b"\x02\0"), SETTINGS)


def test_random_damage_ends_in_members_or_an_archive_error() -> None:
    data = zipped({f"{i}.png": grey_png() for i in range(3)})
    rng = np.random.default_rng(20)
    whole = 0
    for _attempt in range(800):
        broken = bytearray(data)
        for _flip in range(int(rng.integers(1, 8))):
            # Headers are short and lie at known places: aim at them half of the time.
            start = data.index(b"PK\x01\x02") if rng.random() < 0.5 else 0
            broken[int(rng.integers(start, len(broken)))] = int(rng.integers(0, 256))
        if rng.random() < 0.1:
            del broken[int(rng.integers(0, len(broken))) :]
        try:
            found = list(open_archive(bytes(broken), SETTINGS))
        except ScanError:
            continue
        for member in found:
            assert (member.error is None) or not member.data
            # A checksum stands behind whatever comes out.
            assert member.error is not None or member.data in (grey_png(), b"")
        whole += all(member.error is None for member in found)
    assert 0 < whole < 800
