"""The elements that are looked at, and how to look at one without trusting it.

Everything that is not named here is stepped over: names, dates, texts, identifiers, private
elements, overlays and annotations.
"""

from __future__ import annotations

import math

from pydicom.datadict import tag_for_keyword
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.sequence import Sequence

#: What the pixels are (PS3.3 C.7.6.3), what their values mean (C.11.1, C.11.2), where they lie
#: (C.7.6.2, C.7.6.16, C.8.5.5, 10.7), when they were taken, as differences (C.7.6.5), and what the
#: file says of itself.
_KEYWORDS = """
    Rows Columns SamplesPerPixel PhotometricInterpretation PlanarConfiguration BitsAllocated
    BitsStored HighBit PixelRepresentation NumberOfFrames PixelPresentation
    PixelPaddingValue PixelPaddingRangeLimit ExtendedOffsetTable
    RedPaletteColorLookupTableDescriptor GreenPaletteColorLookupTableDescriptor
    BluePaletteColorLookupTableDescriptor RedPaletteColorLookupTableData
    GreenPaletteColorLookupTableData BluePaletteColorLookupTableData
    SegmentedRedPaletteColorLookupTableData SegmentedGreenPaletteColorLookupTableData
    SegmentedBluePaletteColorLookupTableData
    RescaleSlope RescaleIntercept RescaleType ModalityLUTSequence WindowCenter WindowWidth
    VOILUTFunction VOILUTSequence
    Modality PixelSpacing PixelSpacingCalibrationType ImagerPixelSpacing
    EstimatedRadiographicMagnificationFactor SequenceOfUltrasoundRegions
    SharedFunctionalGroupsSequence PerFrameFunctionalGroupsSequence
    FrameTime FrameTimeVector FrameIncrementPointer RecommendedDisplayFrameRate CineRate
    BurnedInAnnotation LossyImageCompression
"""
TAGS: tuple[int, ...] = tuple(
    tag for keyword in _KEYWORDS.split() if (tag := tag_for_keyword(keyword)) is not None
)
#: Bytes and items of one sequence: functional groups of 10,000 frames stay far below.
_LONGEST_SEQUENCE, _MOST_ITEMS = 64 * 2**20, 500_000
_ITEM_MARKS = (b"\xfe\xff\x00\xe0", b"\xff\xfe\xe0\x00")


def value(item: Dataset, keyword: str) -> object:
    """Return the value of an element; None where it is absent, empty or cannot be read."""
    try:
        found: object = item.get(keyword)
    except Exception:  # noqa: BLE001 - pydicom converts here, and raises all kinds over bad values
        return None
    return None if found in ("", b"") or (isinstance(found, MultiValue) and not found) else found


def holds(item: Dataset, keyword: str) -> bool:
    """Tell whether an element is there and not empty, readable or not."""
    tag = tag_for_keyword(keyword)
    if tag is None or tag not in item:
        return False
    raw = item.get_item(tag)
    if raw is None or (isinstance(raw.value, Sequence) and not raw.value):
        return False
    return bool(raw.value not in (None, "", b""))


def numbers(item: Dataset, keyword: str) -> tuple[float, ...]:
    """Return the finite numbers of an element; none where one of them is not a finite number."""
    found = value(item, keyword)
    many = found if isinstance(found, (MultiValue, list, tuple)) else [found]
    try:
        read = tuple(float(one) for one in many)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return ()
    return read if all(math.isfinite(one) for one in read) else ()


def number(item: Dataset, keyword: str) -> float | None:
    """Return the first number of an element, or None."""
    return next(iter(numbers(item, keyword)), None)


def whole(item: Dataset, keyword: str) -> int | None:
    """Return the first number of an element if it is a whole one."""
    found = number(item, keyword)
    return int(found) if found is not None and found.is_integer() else None


def code(item: Dataset, keyword: str) -> str:
    """Return a code string, to be compared with known ones and never to be handed on."""
    found = value(item, keyword)
    if isinstance(found, MultiValue):
        found = found[0]
    return found.strip().upper() if isinstance(found, str) else ""


def items(item: Dataset, keyword: str) -> tuple[Dataset, ...]:
    """Return the items of a sequence; none where it is absent, unreadable or beyond all reason."""
    tag = tag_for_keyword(keyword)
    if tag is None or tag not in item:
        return ()
    raw = item.get_item(tag)
    if isinstance(raw, RawDataElement):
        stored = raw.value or b""
        if len(stored) > _LONGEST_SEQUENCE or sum(map(stored.count, _ITEM_MARKS)) > _MOST_ITEMS:
            return ()
    found = value(item, keyword)
    return tuple(found) if isinstance(found, Sequence) else ()


def unread(item: Dataset, keyword: str) -> bool:
    """Tell whether a sequence is there and :func:`items` gives none of it."""
    return holds(item, keyword) and not items(item, keyword)
