"""pydicom's own test files: each is read as pydicom reads it, or refused with a remedy."""

from __future__ import annotations

import io
import re
import struct
from pathlib import Path

import numpy as np
import pydicom
import pytest
from dicom_samples import PYDICOM_FILES, pydicom_files, samples
from pydicom.encaps import encapsulate, get_frame
from pydicom.pixels.processing import apply_color_lut, apply_modality_lut

import core.scan._dicom_parse  # noqa: F401 - pydicom is quiet from here on
from core.errors import CorruptFile, ScanError, UnsupportedFormat
from core.scan import Note, read_scan
from core.scan._formats import Decoded
from core.scan._read import FORMATS, _format_of
from core.settings import load_settings

SETTINGS = load_settings({})
FILES = [path.relative_to(PYDICOM_FILES).as_posix() for path in pydicom_files()]
#: Images that are not read: 12-bit JPEG has no free decoder, doses have 32 bits, two are damaged.
REFUSED = {
    "JPEG-lossy.dcm": UnsupportedFormat,
    "JPGExtended.dcm": UnsupportedFormat,
    "rtdose.dcm": UnsupportedFormat,
    "rtdose_1frame.dcm": UnsupportedFormat,
    "rtdose_expb.dcm": UnsupportedFormat,
    "rtdose_expb_1frame.dcm": UnsupportedFormat,
    "rtdose_rle.dcm": UnsupportedFormat,
    "rtdose_rle_1frame.dcm": UnsupportedFormat,
    "JPEG2000-embedded-sequence-delimiter.dcm": CorruptFile,
    "MR_truncated.dcm": CorruptFile,
    "badVR.dcm": CorruptFile,
}
REMEDIES = ("Export", "Upload", "Save")


def decoded(data: bytes) -> Decoded:
    """Read without the limit on small images, which most of these are."""
    return _format_of(data).open(data).decode()


def refusal(data: bytes) -> ScanError | None:
    try:
        read_scan(data, settings=SETTINGS)
    except ScanError as error:
        return error
    return None


def has_pixels(path: Path) -> bool:
    try:
        dataset = pydicom.dcmread(path, force=True)
    except (pydicom.errors.InvalidDicomError, ValueError, OSError, struct.error):
        return False
    return "PixelData" in dataset and "Rows" in dataset


def windowed(values: np.ndarray, centre: float, width: float) -> np.ndarray:
    """PS3.3 C.11.2.1.2.1, line by line."""
    out = ((values - (centre - 0.5)) / (width - 1) + 0.5) * 255
    out[values <= centre - 0.5 - (width - 1) / 2] = 0
    out[values > centre - 0.5 + (width - 1) / 2] = 255
    return out


def first(value: object) -> float:
    return float(value[0] if isinstance(value, pydicom.multival.MultiValue) else value)


@pytest.mark.parametrize("name", FILES)
def test_any_file_becomes_a_scan_or_an_error_that_says_what_to_do(
    name: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    data = (PYDICOM_FILES / name).read_bytes()
    error = refusal(data)
    if error is None:
        assert read_scan(data, settings=SETTINGS).pixels.size
    else:
        assert "\n" not in str(error)
        assert any(remedy in str(error) for remedy in REMEDIES)
        assert error.__cause__ is None
        assert error.__context__ is None
    assert not caplog.records
    out, err = capfd.readouterr()
    assert out == ""
    # GDCM's own word on what is put behind a lossless JPEG to see whether it was whole.
    assert not re.sub(r"Corrupt JPEG data: \d+ extraneous bytes before marker 0xd9\n", "", err)


@pytest.mark.parametrize("name", FILES)
def test_every_image_is_read_unless_it_is_known_not_to_be(name: str) -> None:
    path = PYDICOM_FILES / name
    if name in REFUSED:
        with pytest.raises(REFUSED[name]):
            decoded(path.read_bytes())
    elif has_pixels(path):
        decoded(path.read_bytes())
    else:
        # Two hold pixels and do not say of what size.
        sizeless = name in ("meta_missing_tsyntax.dcm", "nested_priv_SQ.dcm")
        with pytest.raises(CorruptFile if sizeless else UnsupportedFormat):
            decoded(path.read_bytes())


@pytest.mark.parametrize(
    "name", [name for name in FILES if name not in REFUSED and has_pixels(PYDICOM_FILES / name)]
)
def test_pixels_are_those_that_pydicom_gives(name: str) -> None:
    dataset = pydicom.dcmread(PYDICOM_FILES / name, force=True)
    result = decoded((PYDICOM_FILES / name).read_bytes())
    if "TransferSyntaxUID" not in dataset.file_meta:
        dataset.file_meta.TransferSyntaxUID = pydicom.uid.ImplicitVRLittleEndian
    frames = dataset.pixel_array
    several = int(dataset.get("NumberOfFrames") or 1) > 1
    assert result.frames == (len(frames) if several else 1)
    for index, stored in enumerate(frames if several else [frames]):
        shown = result if index == 0 else result.more(index)
        compare(shown, stored, dataset)


def compare(shown: Decoded, stored: np.ndarray, dataset: pydicom.Dataset) -> None:
    bits = dataset.BitsStored
    if dataset.PhotometricInterpretation == "PALETTE COLOR":
        expected = apply_color_lut(stored, dataset)
        np.testing.assert_array_equal(shown.pixels, expected >> (8 * (expected.itemsize - 1)))
    elif dataset.SamplesPerPixel == 3:
        expected = (stored >> (bits - 8)).astype(int)
        # Two ways of rounding YCbCr, both allowed (T.83); everything else is exact.
        jpeg = dataset.file_meta.TransferSyntaxUID == pydicom.uid.JPEGBaseline8Bit
        assert np.abs(shown.pixels - expected).max() <= (2 if jpeg else 0)
        assert (Note.COLOUR_DEPTH_CUT in shown.notes) == (bits > 8)
    elif shown.depth is None:
        assert bits <= 8
        np.testing.assert_array_equal(shown.pixels, stored.astype(int) * 255 // (2**bits - 1))
    else:
        values = apply_modality_lut(stored, dataset).astype(float)
        depth = shown.depth
        np.testing.assert_allclose(depth.values * depth.slope + depth.intercept, values, atol=1e-9)
        if dataset.get("WindowWidth"):
            expected = windowed(values, first(dataset.WindowCenter), first(dataset.WindowWidth))
        else:
            kept = values[stored != dataset.get("PixelPaddingValue")]
            low, high = kept.min(), kept.max()
            expected = np.clip((values - low) / (high - low), 0, 1) * 255
        if dataset.PhotometricInterpretation == "MONOCHROME1":
            expected = 255 - expected
        assert np.abs(shown.pixels - expected).max() <= 0.5 + 1e-6


@pytest.mark.parametrize(
    "name",
    [
        "SC_rgb_jpeg_gdcm.dcm",
        "SC_rgb_jpeg_dcmtk.dcm",
        "MR_small_jpeg_ls_lossless.dcm",
        "MR_small_jp2klossless.dcm",
        "693_J2KI.dcm",
        "MR_small_RLE.dcm",
    ],
)
def test_a_codestream_that_lost_some_is_not_made_up(name: str) -> None:
    dataset = pydicom.dcmread(PYDICOM_FILES / name)
    frame = get_frame(dataset.PixelData, 0, number_of_frames=1)
    half = len(frame) // 2
    mended = b"\xff\xd9" if name != "MR_small_RLE.dcm" else b""
    for spoilt in (frame[:half], frame[:half] + mended):
        dataset.PixelData = encapsulate([spoilt], has_bot=False)
        dataset["PixelData"].is_undefined_length = True
        out = io.BytesIO()
        dataset.save_as(out)
        with pytest.raises(CorruptFile):
            decoded(out.getvalue())


def test_a_mark_that_contradicts_the_header_does_not_end_the_process() -> None:
    # GDCM throws what nobody catches over it.
    data = (PYDICOM_FILES / "SC_rgb_jpeg_gdcm.dcm").read_bytes()
    at = data.index(b"Adobe") + 11
    changed = data[:at] + b"\x39" + data[at + 1 :]
    assert changed != data
    np.testing.assert_array_equal(decoded(changed).pixels, decoded(data).pixels)


def test_dicom_is_among_the_formats_people_are_told_about() -> None:
    assert "DICOM" in [format_.name for format_ in FORMATS]


def test_the_samples_for_the_table_of_formats_are_read_or_refused() -> None:
    made = [sample for sample in samples() if sample.group != "pydicom's test files"]
    assert len({sample.group for sample in made}) >= 9
    refused = [sample.name for sample in made if refusal(sample.data) is not None]
    assert refused == ["no pixels"]
