"""Nothing of a patient gets out of a DICOM file, and damage ends in one plain sentence."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import logging
import pickle
import struct
import subprocess
import sys
import time
import traceback
import warnings
from typing import Any

import numpy as np
import pydicom
import pytest
from dicom_factory import IDENTITY, deep_pixels, loop_pixels, make_dicom
from dicom_samples import samples
from pydicom.encaps import encapsulate, get_frame

from core.errors import CorruptFile, ScanError, UnsupportedFormat
from core.scan import Scan, encode_png, read_scan
from core.scan import _dicom_parse as parse_module
from core.scan._read import _format_of
from core.settings import ROOT, load_settings

SETTINGS = load_settings({})
SECRETS = [str(value) for value in IDENTITY.values()] + ["MUSTERMANN", "ERIKA", "4711"]
DATA = {
    f"{sample.group} {sample.name}": sample.data
    for sample in samples()
    if len(sample.data) < 60_000 and "TINY_ALPHA" not in sample.name
}


def everything(scan: Scan) -> bytes:
    """Return all a scan holds, as bytes and as text."""
    parts: list[Any] = [scan.pixels.tobytes(), repr(scan).encode()]
    for one in dataclasses.fields(scan):
        value = getattr(scan, one.name)
        if one.name == "loop" and value is not None:
            parts += [repr(value).encode(), everything(value.frame(1))]
            bound = value.decode.__closure__ or ()
            for cell in bound:
                method = getattr(cell.cell_contents, "__self__", None)
                if method is not None:
                    parts.append(pickle.dumps(method))
        elif one.name == "depth" and value is not None:
            parts += [value.values.tobytes(), repr(value).encode()]
        elif one.name != "pixels":
            parts.append(repr(value).encode())
    parts.append(encode_png(scan))
    return b"\0".join(parts)


@pytest.mark.parametrize("syntax", ["explicit", "implicit", "deflated", "jpeg", "rle"])
def test_nothing_of_the_patient_is_in_a_scan(syntax: str) -> None:
    data = make_dicom(loop_pixels(3), syntax=syntax, frame_time=40, regions=[(8, 8, 90, 60, 0.1)])
    assert syntax == "deflated" or b"MUSTERMANN^ERIKA" in data
    assert b"Mamma links" in data or syntax == "deflated"
    held = everything(read_scan(data, "MUSTERMANN.dcm", settings=SETTINGS))
    assert b"starts" in held  # the search does look into what a loop holds
    for secret in SECRETS:
        assert secret.encode() not in held


def outcome(data: bytes) -> str:
    """Return all that comes of reading a file, and of an error what a traceback would show."""
    try:
        return everything(read_scan(data, settings=SETTINGS)).decode("latin-1")
    except ScanError:
        return traceback.format_exc()


def spoiled() -> dict[str, bytes]:
    """Return files that hold identifying text where pydicom is known to warn or to raise."""
    whole = make_dicom(frames=2, frame_time=40, windows=[(100, 200)])
    fragile = {
        "window": (b"\x28\x00\x50\x10DS\x06\x00100.0 ", b"\x28\x00\x50\x10DS\x06\x00ERIKA "),
        "frame time": (b"\x18\x00\x63\x10DS\x04\x0040.0", b"\x18\x00\x63\x10DS\x04\x00ERIK"),
        "frames": (b"\x28\x00\x08\x00IS\x02\x002 ", b"\x28\x00\x08\x00IS\x02\x00ER"),
        "photometric": (b"MONOCHROME2 ", b"ERIKAMUSTERM"),
        "syntax": (b"1.2.840.10008.1.2.1\0", b"MUSTERMANN.ERIKA.47\0"),
        "modality": (b"\x08\x00\x60\x00CS\x02\x00US", b"\x08\x00\x60\x00CS\x02\x00ER"),
        "vr": (b"\x28\x00\x10\x00US\x02\x00", b"\x28\x00\x10\x00ER\x02\x00"),
        "charset": (b"\x08\x00\x16\x00UI", b"\x08\x00\x05\x00CS"),
    }
    made = {name: whole.replace(old, new, 1) for name, (old, new) in fragile.items()}
    assert all(data != whole for data in made.values())
    return made


@pytest.mark.parametrize("kind", spoiled())
def test_no_value_of_a_bad_file_is_in_an_error_a_log_or_a_warning(
    kind: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        held = outcome(spoiled()[kind])
    assert not warned
    assert not caplog.records
    assert capfd.readouterr() == ("", "")
    for secret in [*SECRETS, "ERIK"]:
        assert secret not in held


def test_pydicom_would_have_said_it() -> None:
    # Else the test above would prove nothing: pydicom by itself quotes the value that is wrong.
    program = (
        "import io, sys, pydicom\n"
        "pydicom.dcmread(io.BytesIO(sys.stdin.buffer.read())).file_meta.TransferSyntaxUID"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], input=spoiled()["syntax"], capture_output=True, check=False
    )
    assert b"Warning" in done.stderr
    assert b"MUSTERMANN.ERIKA" in done.stderr


def test_an_overlay_is_not_drawn_on_the_picture() -> None:
    data = make_dicom()
    assert b"\x00\x60\x00\x30OW" in data
    np.testing.assert_array_equal(read_scan(data, settings=SETTINGS).pixels, loop_pixels(1)[0])


@pytest.mark.parametrize("syntax", ["explicit", "implicit", "big", "deflated", "jpeg", "rle"])
def test_a_file_that_was_cut_off_is_never_read(syntax: str) -> None:
    data = make_dicom(frames=3, syntax=syntax)
    # Without the eight bytes that end encapsulated pixels every frame is still whole.
    end = len(data) - (8 if syntax in ("jpeg", "rle") else 2)
    for length in np.random.default_rng(1).integers(1, end, 120):
        with pytest.raises(ScanError):
            read_scan(data[: int(length)], settings=SETTINGS)


@pytest.mark.parametrize("seed", range(8))
def test_flipped_bytes_end_in_a_scan_or_in_one_sentence(seed: int) -> None:
    rng = np.random.default_rng(seed)
    names = sorted(DATA)
    for _trial in range(60):
        data = bytearray(DATA[names[rng.integers(len(names))]])
        for _flip in range(rng.integers(1, 12)):
            within = len(data) if rng.random() < 0.5 else min(len(data), 1500)
            data[rng.integers(within)] = rng.integers(256)
        began = time.monotonic()
        with contextlib.suppress(ScanError):
            opened = _format_of(bytes(data)).open(bytes(data))
            if opened.width * opened.height <= 4_000_000:
                opened.decode()
        assert time.monotonic() - began < 20


def test_a_file_of_nothing_but_headers_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parse_module, "_MOST_READS", 10_000)
    whole = make_dicom()
    at = whole.index(b"\x28\x00\x02\x00US")
    element = b"\x28\x00\x01\x00US\x00\x00"
    read_scan(whole[:at] + element * 100 + whole[at:], settings=SETTINGS)
    with pytest.raises(CorruptFile):
        read_scan(whole[:at] + element * 50_000 + whole[at:], settings=SETTINGS)


def test_sequences_in_sequences_do_not_end_the_process() -> None:
    whole = make_dicom()
    at = whole.index(b"\x28\x00\x02\x00US")
    opened = b"\x18\x00\x11\x60SQ\0\0\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff"
    with pytest.raises(CorruptFile):
        read_scan(whole[:at] + opened * 50_000 + whole[at:], settings=SETTINGS)


def test_a_deflated_file_cannot_unpack_to_more_than_is_allowed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data = make_dicom(syntax="deflated")
    read_scan(data, settings=SETTINGS)
    monkeypatch.setattr(parse_module, "_MOST_UNPACKED", 4096)
    with pytest.raises(CorruptFile):
        read_scan(data, settings=SETTINGS)


def test_a_box_without_length_keeps_nobody_waiting() -> None:
    # pydicom goes round in circles over a wrapped JPEG 2000 codestream with such a box.
    bare = get_frame(pydicom.dcmread(io.BytesIO(make_dicom(syntax="jpeg2000"))).PixelData, 0,
        number_of_frames=1)  # fmt: skip
    first = b"\x00\x00\x00\x0cjP  \r\n\x87\n"
    for wrapped in (
        first + bytes(4) + b"jp2h" + bare,
        first + b"\0\0\0\x08free" * 5000 + bare,
        first[:8] + b"else" + bytes(4) + b"jp2h" + bare,
        first[:8] + bytes(4) + b"jp2h" + bare,
    ):
        data = make_dicom(
            syntax="jpeg2000", tags={"PixelData": encapsulate([wrapped], has_bot=False)}
        )
        with pytest.raises(CorruptFile):
            read_scan(data, settings=SETTINGS)


def test_a_palette_that_repeats_itself_without_end_is_refused() -> None:
    words = np.array([0, 1, 0, *[2, 40, 0, 0] * 40], "<u2").tobytes()
    tags: dict[str, object] = {"PhotometricInterpretation": "PALETTE COLOR"}
    for name in ("Red", "Green", "Blue"):
        tags[f"{name}PaletteColorLookupTableDescriptor"] = [0, 0, 16]
        tags[f"Segmented{name}PaletteColorLookupTableData"] = words
    with pytest.raises(UnsupportedFormat):
        read_scan(make_dicom(tags=tags), settings=SETTINGS)


def test_a_fragment_longer_than_the_file_is_damage() -> None:
    data = make_dicom(syntax="jpeg")
    at = data.rindex(b"\xfe\xff\x00\xe0") + 4
    for length in (0xFFFFFFFF, 0x7FFFFFFF, 0xFFFFFFFE):
        with pytest.raises(CorruptFile):
            read_scan(data[:at] + struct.pack("<I", length) + data[at + 4 :], settings=SETTINGS)


def test_what_a_decoder_panics_over_is_damage() -> None:
    # pylibjpeg's RLE decoder, in Rust, panics where a run goes on behind the last pixel.
    data = make_dicom(deep_pixels(), syntax="rle")
    begins = data.index(b"\x02\0\0\0\x40\0\0\0")
    segment = b"\x81\x07" * (96 * 128 // 128) + b"\xf0\x07"
    header = struct.pack("<16I", 2, 64, 64 + len(segment), *[0] * 13)
    frame = header + segment + segment
    spoilt = data[: begins - 4] + struct.pack("<I", len(frame)) + frame + data[-8:]
    with pytest.raises(CorruptFile):
        read_scan(spoilt, settings=SETTINGS)


def test_pydicom_is_not_loaded_before_the_first_dicom_file_comes() -> None:
    program = "import sys, core.scan; print({'pydicom', 'gdcm'} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, check=True, cwd=ROOT, text=True
    )
    assert done.stdout.strip() == "set()"
