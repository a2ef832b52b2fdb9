"""DICOM pixels: what is stored is what is shown, whatever it is stored as."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from dicom_factory import SYNTAXES, deep_pixels, jpeg_frame, loop_pixels, make_dicom, read
from dicom_samples import colour_pixels
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.pixels.processing import apply_voi_lut

from core.errors import CorruptFile, ScanError, TooManyPixels, UnsupportedFormat
from core.scan import Note, Scan, Window, read_scan
from core.scan._dicom_frames import Frames
from core.settings import load_settings

SETTINGS = load_settings({})
GREY = loop_pixels(1)[0]
EXACT = [name for name in SYNTAXES if name not in ("jpeg", "jpeg2000-lossy")]


def seen(values: np.ndarray, centre: float, width: float) -> np.ndarray:
    """PS3.3 C.11.2.1.2.1, written out."""
    share = np.clip((values - (centre - 0.5)) / (width - 1) + 0.5, 0, 1)
    return share * 255


@pytest.mark.parametrize("syntax", EXACT)
def test_grey_is_read_to_the_last_level_in_every_lossless_syntax(syntax: str) -> None:
    scan = read(syntax=syntax)
    np.testing.assert_array_equal(scan.pixels, GREY)
    assert scan.modality == "US"
    assert scan.depth is None
    assert scan.loop is None
    assert scan.notes == ()


@pytest.mark.parametrize("syntax", EXACT)
def test_colour_is_read_to_the_last_level_in_every_lossless_syntax(syntax: str) -> None:
    np.testing.assert_array_equal(read(colour_pixels(), syntax=syntax).pixels, colour_pixels())


def test_a_jpeg_inside_is_read_as_any_viewer_shows_it_and_said_to_be_lossy() -> None:
    for pixels in (GREY, colour_pixels()):
        scan = read(pixels, syntax="jpeg")
        expected = np.asarray(Image.open(io.BytesIO(jpeg_frame(pixels))))
        np.testing.assert_array_equal(scan.pixels, expected)
        assert scan.notes == (Note.LOSSY,)


@pytest.mark.parametrize("syntax", EXACT)
@pytest.mark.parametrize("bits", [10, 12, 16])
def test_deep_grey_keeps_its_values(syntax: str, bits: int) -> None:
    stored = deep_pixels(bits=bits)
    scan = read(stored, syntax=syntax, bits=bits, windows=[(900, 700), (300, 500)], modality="MG")
    assert scan.depth is not None
    np.testing.assert_array_equal(scan.depth.values, stored)
    assert scan.depth.presets[:2] == (Window(900, 700), Window(300, 500))
    assert scan.depth.window == Window(900, 700)
    assert np.abs(scan.pixels - seen(stored.astype(float), 900, 700)).max() <= 0.5


@pytest.mark.parametrize("syntax", EXACT)
def test_negative_values_stay_negative(syntax: str) -> None:
    stored = (deep_pixels().astype(np.int32) - 3000).astype(np.int16)
    tags = {"RescaleSlope": 1, "RescaleIntercept": -24, "RescaleType": "HU"}
    scan = read(stored, syntax=syntax, tags=tags, windows=[(-400, 1500)], modality="CT")
    assert scan.depth is not None
    assert scan.depth.unit == "HU"
    values = scan.depth.values * scan.depth.slope + scan.depth.intercept
    np.testing.assert_array_equal(values, stored.astype(float) - 24)
    assert np.abs(scan.pixels - seen(stored.astype(float) - 24, -400, 1500)).max() <= 0.5


def test_bits_that_are_not_stored_are_not_read() -> None:
    # An overlay of old in the upper bits, and values that do not start at the lowest.
    stored = deep_pixels()
    overlaid = stored | np.uint16(0xA000)
    np.testing.assert_array_equal(read(overlaid, bits=12).depth.values, stored)
    shifted = (stored << 4) | np.uint16(0x000B)
    for syntax in ("explicit", "big", "rle"):
        scan = read(shifted, tags={"BitsStored": 12, "HighBit": 15}, syntax=syntax)
        np.testing.assert_array_equal(scan.depth.values, stored)
    signed = ((stored.astype(np.int32) - 2048) & 0x0FFF).astype(np.uint16)
    scan = read(signed, bits=12, tags={"PixelRepresentation": 1})
    values = scan.depth.values + scan.depth.intercept
    np.testing.assert_array_equal(values, stored.astype(float) - 2048)


def test_a_falling_scale_is_read_exactly() -> None:
    stored = deep_pixels()
    tags = {"RescaleSlope": -0.5, "RescaleIntercept": 100}
    scan = read(stored, bits=12, tags=tags, windows=[(-900, 800)])
    depth = scan.depth
    assert depth.slope == 0.5
    np.testing.assert_array_equal(
        depth.values * depth.slope + depth.intercept, stored * -0.5 + 100.0
    )
    assert np.abs(scan.pixels - seen(stored * -0.5 + 100.0, -900, 800)).max() <= 0.5


def test_monochrome_1_is_dark_where_values_are_high() -> None:
    np.testing.assert_array_equal(read(photometric="MONOCHROME1").pixels, 255 - GREY)
    stored = deep_pixels()
    scan = read(stored, bits=12, photometric="MONOCHROME1", windows=[(2048, 3000)])
    assert scan.depth.inverted
    assert np.abs(scan.pixels - (255 - seen(stored.astype(float), 2048, 3000))).max() <= 0.5
    np.testing.assert_array_equal(scan.depth.values, stored)


def test_eight_bits_stay_plain_unless_a_window_or_a_scale_means_something() -> None:
    trivial = read(windows=[(128, 256)])
    assert trivial.depth is None
    np.testing.assert_array_equal(trivial.pixels, GREY)
    windowed = read(windows=[(90, 120)])
    assert windowed.depth is not None
    np.testing.assert_array_equal(windowed.depth.values, GREY)
    assert np.abs(windowed.pixels - seen(GREY.astype(float), 90, 120)).max() <= 0.5
    scaled = read(tags={"RescaleSlope": 2, "RescaleIntercept": -10})
    assert (scaled.depth.slope, scaled.depth.intercept) == (2, -10)


def test_fewer_than_eight_bits_are_spread_over_all_greys() -> None:
    np.testing.assert_array_equal(read(GREY >> 4, bits=4).pixels, (GREY >> 4) * 17)
    bitmap = np.packbits(GREY > 90, bitorder="little").tobytes()
    tags = {"BitsAllocated": 1, "BitsStored": 1, "HighBit": 0, "PixelData": bitmap}
    np.testing.assert_array_equal(read(tags=tags).pixels, np.where(GREY > 90, 255, 0))


@pytest.mark.parametrize("function", ["LINEAR", "LINEAR_EXACT", "SIGMOID"])
def test_every_window_function_is_applied(function: str) -> None:
    stored = deep_pixels()
    dataset = Dataset()
    dataset.WindowCenter, dataset.WindowWidth, dataset.VOILUTFunction = 1000, 900, function
    dataset.PhotometricInterpretation, dataset.BitsStored = "MONOCHROME2", 12
    dataset.PixelRepresentation = 0
    expected = apply_voi_lut(stored, dataset) / 4095 * 255
    scan = read(stored, bits=12, windows=[(1000, 900)], tags={"VOILUTFunction": function})
    assert scan.depth.window.function == function.lower()
    assert np.abs(scan.pixels - expected).max() <= 0.51


def test_a_window_that_is_none_gives_the_full_range() -> None:
    stored = deep_pixels()
    for windows in ([], [(1000, 0)], [(40, 0.5)], [(1e300, 1e300)]):
        scan = read(stored, bits=12, windows=windows)
        low, high = float(stored.min()), float(stored.max())
        np.testing.assert_array_equal(
            scan.pixels, np.rint((stored - low) / (high - low) * 255).astype(np.uint8)
        )
        assert scan.depth.presets == (scan.depth.window,)


def test_padding_does_not_take_the_range() -> None:
    stored = deep_pixels(bits=11)
    stored[:, :20] = 4000
    scan = read(stored, bits=12, tags={"PixelPaddingValue": 4000})
    low, high = float(stored[:, 20:].min()), float(stored[:, 20:].max())
    assert scan.depth.window.centre == (low + high) / 2
    ranged = read(stored, bits=12, tags={"PixelPaddingValue": 3990, "PixelPaddingRangeLimit": 4010})
    assert ranged.depth.window == scan.depth.window
    signed = stored.astype(np.int16)
    signed[:, :20] = -2000
    for written in (-2000, 63536):
        dataset = read_tags(signed, written)
        assert dataset.depth.window == scan.depth.window


def read_tags(signed: np.ndarray, padding: int) -> Scan:
    data = make_dicom(signed, tags={"PixelPaddingValue": 7})
    old = b"\x28\x00\x20\x01SS\x02\x00\x07\x00"
    assert old in data
    vr, form = (b"SS", "<h") if padding < 0 else (b"US", "<H")
    new = old[:4] + vr + old[6:8] + struct.pack(form, padding)
    return read_scan(data.replace(old, new), settings=SETTINGS)


def table_item(first: int, bits: int, entries: np.ndarray) -> Dataset:
    item = Dataset()
    item.LUTDescriptor = [len(entries), first, bits]
    item.LUTData = entries.astype("<u2").tobytes()
    item["LUTData"].VR = "OW"
    item["LUTDescriptor"].VR = "US"
    return item


def test_a_table_of_values_is_looked_up() -> None:
    stored = deep_pixels()
    entries = np.linspace(0, 1, 3000) ** 2 * 65535
    item = table_item(500, 16, entries.astype(np.uint16))
    item.ModalityLUTType = "OD"
    scan = read(stored, bits=12, tags={"ModalityLUTSequence": [item]})
    expected = entries.astype(np.uint16)[np.clip(stored.astype(int) - 500, 0, 2999)]
    np.testing.assert_array_equal(scan.depth.values, expected)
    assert (scan.depth.slope, scan.depth.intercept) == (1, 0)


def test_a_table_that_begins_below_zero_is_looked_up_from_there() -> None:
    stored = (deep_pixels().astype(np.int32) - 2048).astype(np.int16)
    entries = np.arange(4096, dtype=np.uint16) * 7
    item = table_item(65536 - 2048, 16, entries)  # as unsigned, as many write it
    scan = read(stored, tags={"ModalityLUTSequence": [item]})
    np.testing.assert_array_equal(scan.depth.values, entries[stored.astype(int) + 2048])


def test_a_table_of_greys_makes_the_pixels_and_a_window_goes_before_it() -> None:
    stored = deep_pixels()
    entries = (np.linspace(0, 1, 3000) ** 2 * 1023).astype(np.uint16)
    item = table_item(200, 10, entries)
    tags = {"VOILUTSequence": [item], "RescaleIntercept": -300, "RescaleSlope": 1}
    scan = read(stored, bits=12, tags=tags)
    assert scan.depth.window is None
    expected = entries[np.clip(stored.astype(int) - 300 - 200, 0, 2999)] / 1023 * 255
    assert np.abs(scan.pixels - expected).max() <= 0.5
    np.testing.assert_array_equal(scan.depth.values, stored)
    both = read(stored, bits=12, tags=tags, windows=[(700, 900)])
    assert both.depth.window == Window(700, 900)


def test_a_file_without_preamble_is_known_by_its_first_element() -> None:
    for syntax in ("implicit", "explicit", "big"):
        data = make_dicom(syntax=syntax, preamble=False)
        assert data[:4] in (b"\x08\x00\x16\x00", b"\x00\x08\x00\x16")
        np.testing.assert_array_equal(read_scan(data, settings=SETTINGS).pixels, GREY)


@pytest.mark.parametrize(
    "noise", [b"\x08\x00" * 40, b"\x02\x00\x00\x00UNSURE" * 9, b"\x00\x08" + bytes(99), bytes(200)]
)
def test_what_only_begins_like_dicom_is_not_taken_for_it(noise: bytes) -> None:
    with pytest.raises(ScanError):
        read_scan(noise, settings=SETTINGS)


@pytest.mark.parametrize(
    "tags",
    [
        {"PhotometricInterpretation": "YBR_PARTIAL_420"},
        {"PhotometricInterpretation": "CMYK"},
        {"BitsAllocated": 64, "BitsStored": 64, "HighBit": 63},
    ],
)
def test_what_would_not_be_read_exactly_is_refused_with_a_remedy(tags: dict[str, object]) -> None:
    with pytest.raises(UnsupportedFormat, match="Export"):
        read(colour_pixels(), tags=tags)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("1.2.840.10008.1.2.1", "1.2.840.10008.1.2.9"),
        ("1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51"),
        ("1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.70"),
    ],
)
def test_another_syntax_than_it_is_coded_in_is_never_read_wrongly(old: str, new: str) -> None:
    data = make_dicom(syntax="jpeg" if "4.50" in old else "explicit")
    changed = data.replace(old.encode(), new.encode())
    assert changed != data
    try:
        scan = read_scan(changed, settings=SETTINGS)
    except (UnsupportedFormat, CorruptFile):
        return
    # Extended JPEG in eight bits is decoded as baseline is; GDCM tells codecs by their marks.
    assert np.abs(scan.pixels.astype(int) - read(syntax="jpeg").pixels).max() <= 1


def test_doses_of_more_than_sixteen_bits_are_refused_and_a_narrow_range_is_exact() -> None:
    wide = deep_pixels().astype(np.uint32) * 65_536
    with pytest.raises(UnsupportedFormat, match="16 bits"):
        read(wide)
    narrow = deep_pixels().astype(np.uint32) + 1_000_000
    scan = read(narrow)
    np.testing.assert_array_equal(
        scan.depth.values * scan.depth.slope + scan.depth.intercept, narrow
    )


def test_too_many_pixels_or_frames_are_refused_by_the_header() -> None:
    small = load_settings({"OVERREAD_MAX_MEGAPIXELS": "1"})
    with pytest.raises(TooManyPixels, match="million"):
        read_scan(make_dicom(np.zeros((1001, 1000), np.uint8)), settings=small)
    for syntax in ("jpeg", "rle", "jpeg2000"):  # tiny files that announce a lot
        with pytest.raises(TooManyPixels, match="million"):
            read(syntax=syntax, tags={"Rows": 60_000, "Columns": 60_000})
    with pytest.raises(TooManyPixels, match="frames"):
        read(tags={"NumberOfFrames": 10_001})


def test_progressive_jpeg_is_not_read_as_sequential() -> None:
    # DICOM retired it, and it can be made to go over an image any number of times.
    frame = encapsulate([jpeg_frame(GREY, progressive=True)])
    with pytest.raises(UnsupportedFormat, match="uncompressed"):
        read(syntax="jpeg", tags={"PixelData": frame})


@pytest.mark.parametrize("syntax", ["jpeg", "jpeg2000"])
def test_a_codestream_larger_than_its_header_says_is_not_decoded(
    syntax: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    monkeypatch.setattr(Frames, "_decoded", lambda _self, frame: asked.append(len(frame)))
    with pytest.raises(CorruptFile):
        read(loop_pixels(1, 256, 256)[0], syntax=syntax, tags={"Rows": 64})
    assert not asked


def test_a_scale_that_cannot_be_read_is_no_scale_of_one() -> None:
    for tags in ({"RescaleSlope": 0}, {"RescaleSlope": "1e-40"}, {"RescaleIntercept": "1e300"}):
        with pytest.raises(CorruptFile):
            read(deep_pixels(), bits=12, tags=tags)


def test_what_the_file_says_of_itself_is_noted() -> None:
    scan = read(tags={"BurnedInAnnotation": "YES", "LossyImageCompression": "01"})
    assert scan.notes == (Note.BURNED_IN, Note.LOSSY)
    assert read(tags={"BurnedInAnnotation": "NO", "LossyImageCompression": "00"}).notes == ()
