"""The scan itself: its identity, and that nobody can change it."""

from __future__ import annotations

import re
from dataclasses import FrozenInstanceError

import numpy as np
import pytest
from PIL import Image

from core.errors import CorruptFile, ScanError
from core.scan import (
    PhantomSpec,
    Scan,
    case_number,
    encode_png,
    make_phantom,
    pixels_from_png,
    read_scan,
    restore_scan,
    thumbnail,
)


def grey(seed: int = 0, shape: tuple[int, ...] = (40, 50)) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def test_one_pixel_or_one_step_of_spacing_makes_another_scan() -> None:
    base = grey()
    changed = base.copy()
    changed[3, 4] ^= 1
    scans = [
        Scan.from_pixels(base),
        Scan.from_pixels(changed),
        Scan.from_pixels(base.reshape(50, 40)),
        Scan.from_pixels(base, spacing=(0.1, 0.1)),
        Scan.from_pixels(base, spacing=(0.1, np.nextafter(0.1, 1))),
    ]
    assert len({scan.digest for scan in scans}) == len(scans)
    assert Scan.from_pixels(base.copy()).digest == scans[0].digest


def test_the_digest_of_stored_scans_never_changes() -> None:
    # Every stored result is found by it: a change here loses them all.
    pixels = np.arange(32 * 32, dtype=np.uint16).reshape(32, 32).astype(np.uint8)
    scan = Scan.from_pixels(pixels, spacing=(0.1, 0.2))
    assert scan.digest == "6cc5b949f335acc40b1fe5f0b0b064a5ea171dca438e68965c1b6cc3a1a7f090"
    assert scan.case_number == "DK2VJ-JFK6P"


def test_pixels_cannot_be_changed_by_anyone() -> None:
    base = grey()
    scan = Scan.from_pixels(base)
    base[0, 0] ^= 255
    assert scan.pixels[0, 0] != base[0, 0]
    with pytest.raises(ValueError, match="read-only"):
        scan.pixels[0, 0] = 1
    with pytest.raises(ValueError, match="WRITEABLE"):
        scan.pixels.setflags(write=True)
    with pytest.raises(FrozenInstanceError):
        scan.digest = "x"  # type: ignore[misc]


def test_a_scan_is_not_made_of_anything_else() -> None:
    for wrong in (grey().astype(np.float32), grey(shape=(8, 8, 4)), grey(shape=(9,)), grey()[:0]):
        with pytest.raises(ValueError, match="uint8"):
            Scan.from_pixels(wrong)
    with pytest.raises(ValueError, match="read-only"):
        Scan(grey(), "0" * 64, "0" * 64, "US")
    for spacing in ((0.0, 1.0), (1.0, float("nan")), (float("inf"), 1.0), (-1.0, 1.0)):
        with pytest.raises(ValueError, match="spacing"):
            Scan.from_pixels(grey(), spacing=spacing)


def test_a_case_number_can_be_read_aloud() -> None:
    assert case_number("0" * 64) == "00000-00000"
    assert case_number("f" * 64) == "ZZZZZ-ZZZZZ"
    assert case_number("0000000000004" + "0" * 51) == "00000-00001"
    number = Scan.from_pixels(grey()).case_number
    assert re.fullmatch(r"[0-9A-HJKMNP-TV-Z]{5}-[0-9A-HJKMNP-TV-Z]{5}", number)


def test_grey_of_colour_is_its_luma() -> None:
    colours = grey(1, (40, 50, 3))
    expected = colours @ np.array([0.299, 0.587, 0.114])
    assert np.abs(Scan.from_pixels(colours).grey - expected).max() < 1
    single = Scan.from_pixels(grey())
    assert single.grey is single.pixels


@pytest.mark.parametrize("shape", [(40, 50), (40, 50, 3)])
@pytest.mark.parametrize("spacing", [None, (0.0792, 0.1)])
def test_a_stored_scan_comes_back_as_the_same_case(
    shape: tuple[int, ...], spacing: tuple[float, float] | None
) -> None:
    scan = Scan.from_pixels(grey(2, shape), modality="US", spacing=spacing, synthetic=True)
    back = restore_scan(encode_png(scan), modality="US", spacing=spacing, synthetic=True)
    np.testing.assert_array_equal(back.pixels, scan.pixels)
    assert (back.digest, back.case_number) == (scan.digest, scan.case_number)
    assert (back.modality, back.spacing, back.synthetic) == ("US", spacing, True)


def test_a_stored_scan_stays_readable_when_limits_get_tighter() -> None:
    tiny = grey(shape=(5, 7))
    np.testing.assert_array_equal(pixels_from_png(encode_png(tiny)), tiny)


@pytest.mark.parametrize("damage", [b"", b"\xff\xd8\xff\xe0", b"\x89PNG\r\n\x1a\n"])
def test_a_damaged_stored_scan_is_an_error_and_no_other_picture(damage: bytes) -> None:
    with pytest.raises(CorruptFile):
        restore_scan(damage)
    with pytest.raises(ScanError):
        restore_scan(encode_png(grey())[:-20])


def test_an_overlay_with_transparency_can_be_encoded() -> None:
    import io

    layers = grey(3, (40, 50, 4))
    with Image.open(io.BytesIO(encode_png(layers))) as image:
        np.testing.assert_array_equal(np.asarray(image), layers)
    for wrong in (grey(shape=(8, 8, 2)), grey().astype(bool), grey()[:, :0]):
        with pytest.raises(ValueError, match="uint8"):
            encode_png(wrong)


def test_an_uploaded_export_is_the_same_case() -> None:
    scan = make_phantom(PhantomSpec(width=64, height=64), seed=2).scan
    plain = Scan.from_pixels(scan.pixels)
    assert read_scan(encode_png(plain)).digest == plain.digest


@pytest.mark.parametrize(("height", "width"), [(200, 400), (400, 200), (300, 300), (40, 4000)])
def test_a_thumbnail_keeps_the_proportion(height: int, width: int) -> None:
    small = thumbnail(Scan.from_pixels(grey(4, (height, width))), 80)
    assert small.dtype == np.uint8
    assert max(small.shape) == 80
    assert abs(small.shape[0] / small.shape[1] - height / width) <= 1 / min(small.shape)


def test_a_thumbnail_never_enlarges_and_keeps_colour() -> None:
    scan = Scan.from_pixels(grey(5, (40, 50, 3)))
    assert thumbnail(scan, 96) is scan.pixels
    assert thumbnail(scan, 25).shape == (20, 25, 3)
    with pytest.raises(ValueError, match="pixel"):
        thumbnail(scan, 0)
