"""Stored objects: what was put in comes out, or it is said that it does not."""

import hashlib
import os
import stat

import pytest

from core.errors import BlobMissing, StoreUnavailable
from core.store import BlobStore


@pytest.fixture
def blobs(tmp_path):
    return BlobStore(tmp_path / "blobs")


def files(tmp_path):
    return [path for path in tmp_path.rglob("*") if path.is_file()]


def test_what_was_stored_comes_back(blobs):
    digest = blobs.put(b"pixels")
    assert digest == hashlib.sha256(b"pixels").hexdigest()
    assert blobs.get(digest) == b"pixels"


def test_the_same_bytes_take_their_room_once(blobs, tmp_path):
    assert blobs.put(b"pixels") == blobs.put(b"pixels")
    assert len(files(tmp_path)) == 1


def test_only_this_account_can_read_stored_pixels(blobs, tmp_path):
    blobs.put(b"pixels")
    for path in (tmp_path / "blobs").rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600)
    assert stat.S_IMODE((tmp_path / "blobs").stat().st_mode) == 0o700


def test_a_damaged_image_is_not_shown_as_the_patients(blobs, tmp_path):
    digest = blobs.put(b"pixels")
    files(tmp_path)[0].write_bytes(b"pixelz")
    with pytest.raises(BlobMissing, match="damaged"):
        blobs.get(digest)


def test_sending_the_scan_again_heals_a_damaged_image(blobs, tmp_path):
    digest = blobs.put(b"pixels")
    files(tmp_path)[0].write_bytes(b"pix")
    assert blobs.put(b"pixels") == digest
    assert blobs.get(digest) == b"pixels"


def test_a_missing_image_says_what_to_do(blobs):
    with pytest.raises(BlobMissing, match="backup"):
        blobs.get("0" * 64)


@pytest.mark.parametrize("digest", ["../../etc/passwd", "", "A" * 64, "0" * 63])
def test_a_name_that_is_no_digest_never_becomes_a_path(blobs, digest):
    with pytest.raises(ValueError, match="digest"):
        blobs.get(digest)


def test_a_folder_that_cannot_be_written_says_that_nothing_was_saved(tmp_path):
    (tmp_path / "blobs").write_text("in the way")
    with pytest.raises(StoreUnavailable, match="Nothing was saved") as failed:
        BlobStore(tmp_path / "blobs").put(b"pixels")
    assert str(tmp_path) not in str(failed.value)
    assert failed.value.__suppress_context__


def test_a_crash_before_the_name_is_given_leaves_no_half_image(blobs, tmp_path, monkeypatch):
    def crash(*_):
        raise OSError("no space left")

    monkeypatch.setattr(os, "replace", crash)
    with pytest.raises(StoreUnavailable):
        blobs.put(b"pixels")
    assert files(tmp_path) == []


def test_bytes_are_forced_to_disk_before_their_name_and_the_name_after(blobs, monkeypatch):
    done = []
    fsync, replace = os.fsync, os.replace

    def watched_fsync(handle):
        done.append("folder" if stat.S_ISDIR(os.fstat(handle).st_mode) else "bytes")
        fsync(handle)

    def watched_replace(old, new):
        done.append("name")
        replace(old, new)

    monkeypatch.setattr(os, "fsync", watched_fsync)
    monkeypatch.setattr(os, "replace", watched_replace)
    blobs.put(b"pixels")
    assert done[-3:] == ["bytes", "name", "folder"]
