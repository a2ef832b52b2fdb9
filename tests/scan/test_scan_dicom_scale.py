"""A scale that may be contradicted by what could not be read is no scale."""

from __future__ import annotations

import struct

import pytest
from dicom_factory import make_dicom, region_item
from pydicom.dataset import Dataset

from core.scan import Scan, read_scan
from core.settings import load_settings

SETTINGS = load_settings({})
WHOLE = (0, 0, 127, 95, 0.2)
_REGIONS, _ITEM = b"\x18\x00\x11\x60", b"\xfe\xff\x00\xe0"


def with_regions(*regions: Dataset) -> bytes:
    """Make a file of 96 × 128 with regions, and beside them the spacing of the whole image."""
    tags = {"SequenceOfUltrasoundRegions": list(regions), "PixelSpacing": [0.5, 0.5]}
    return make_dicom(tags=tags)


def has_no_scale(scan: Scan) -> bool:
    return scan.spacing is None and all(
        scan.spacing_at((left, top, 10, 10)) is None
        for left in range(0, 118, 9)
        for top in range(0, 86, 9)
    )


def longer(data: bytes, more: bytes) -> bytes:
    """Put bytes at the end of the regions sequence."""
    at = data.index(_REGIONS + b"SQ")
    (length,) = struct.unpack_from("<I", data, at + 8)
    end = at + 12 + length
    size = struct.pack("<I", length + len(more))
    return data[: at + 8] + size + data[at + 12 : end] + more + data[end:]


def damaged(how: str) -> bytes:
    data = with_regions(region_item(WHOLE))
    at = data.index(_REGIONS + b"SQ")
    if how == "oversized":
        return longer(data, _ITEM + bytes(4) + (_ITEM + bytes(4)) * 500_000)
    if how == "broken":
        first = data.index(_ITEM, at) + 8
        return data[:first] + b"\xff" * 40 + data[first + 40 :]
    return data[: at + 4] + how.encode() + data[at + 6 :]


@pytest.mark.parametrize("how", ["oversized", "broken", "OB", "OW", "UT"])
def test_regions_that_cannot_be_read_leave_no_millimetres(how: str) -> None:
    assert has_no_scale(read_scan(damaged(how), settings=SETTINGS))


def test_a_region_too_far_back_to_be_looked_at_is_not_passed_over() -> None:
    def listing(count: int) -> Scan:
        small = [region_item((0, 0, 1, 1, 0.1))] * (count - 2)
        ends = region_item((2, 2, 127, 95, 0.1)), region_item((40, 40, 90, 90, 0.2))
        return read_scan(with_regions(ends[0], *small, ends[1]), settings=SETTINGS)

    most = listing(100)
    assert len(most.regions) == 100
    assert most.spacing_at((100, 50, 10, 10)) == (0.1, 0.1)
    assert most.spacing_at((50, 50, 10, 10)) is None
    assert has_no_scale(listing(101))


def test_a_region_that_lies_nobody_knows_where_may_lie_over_another() -> None:
    lost = region_item((40, 40, 90, 90, 0.3))
    del lost.RegionLocationMinX0
    assert has_no_scale(read_scan(with_regions(region_item(WHOLE), lost), settings=SETTINGS))


def test_without_regions_the_spacing_of_the_image_holds() -> None:
    assert read_scan(with_regions(), settings=SETTINGS).spacing == (0.5, 0.5)
    sound = read_scan(with_regions(region_item(WHOLE)), settings=SETTINGS)
    assert sound.spacing is None
    assert sound.spacing_at((50, 50, 10, 10)) == (0.2, 0.2)


def test_functional_groups_that_cannot_be_read_leave_no_millimetres() -> None:
    measures, group = Dataset(), Dataset()
    measures.PixelSpacing = [0.1, 0.1]
    group.PixelMeasuresSequence = [measures]
    tags = {"SharedFunctionalGroupsSequence": [group], "PixelSpacing": [0.5, 0.5]}
    data = make_dicom(tags=tags)
    assert read_scan(data, settings=SETTINGS).spacing == (0.1, 0.1)
    for tag in (b"\x00\x52\x29\x92", b"\x28\x00\x10\x91"):
        at = data.index(tag + b"SQ")
        other = data[: at + 4] + b"OB" + data[at + 6 :]
        assert has_no_scale(read_scan(other, settings=SETTINGS))
