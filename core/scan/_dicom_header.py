"""What a DICOM header says of the pixels, as plain numbers that may outlive the dataset."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.pixels.processing import apply_color_lut

from core.errors import TooManyPixels, UnsupportedFormat
from core.scan._dicom_geometry import spacing_of, whole_spacing
from core.scan._dicom_tags import code, holds, items, number, numbers, unread, value, whole
from core.scan._formats import corrupt
from core.scan._parts import Spacing, Window, WindowFunction
from core.text import _

#: Most frames of one file: ten minutes at 16 a second.
MOST_FRAMES = 10_000
GREY = ("MONOCHROME1", "MONOCHROME2")
PALETTE = "PALETTE COLOR"
#: What becomes RGB exactly as the standard says (C.7.6.3.1.2).
COLOURS = ("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT")
#: Rescale types that travel on (C.11.1.1.2).
_UNITS = frozenset({"HU", "OD", "MGML", "Z_EFF", "ED", "EDW", "HU_MOD", "PCT"})
_FUNCTIONS: dict[str, WindowFunction] = {
    "": "linear",
    "LINEAR": "linear",
    "LINEAR_EXACT": "linear_exact",
    "SIGMOID": "sigmoid",
}
#: No quantity is larger, and none so large overflows where it is scaled and windowed.
_VAST = 1e30
#: A file proposes a handful of windows.
_MOST_WINDOWS = 20


@dataclass(frozen=True, slots=True)
class Layout:
    """How the pixels are stored (PS3.3 C.7.6.3)."""

    rows: int
    columns: int
    frames: int
    samples: int
    photometric: str
    planar: int
    allocated: int
    stored: int
    high_bit: int
    signed: bool


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """A lookup table (PS3.3 C.11.1.1.1): the entry of ``first`` and below, and so on."""

    first: int
    bits: int
    entries: NDArray[np.uint16] = field(repr=False)

    def __call__(self, stored: NDArray[np.integer] | NDArray[np.floating]) -> NDArray[np.uint16]:
        """Return the entries of values; beyond either end the last entry holds."""
        index = np.clip(np.rint(stored).astype(np.int64) - self.first, 0, len(self.entries) - 1)
        return np.asarray(self.entries[index], np.uint16)


@dataclass(frozen=True, slots=True)
class Look:
    """What the stored values of one frame mean and how they are to be looked at."""

    slope: float = 1.0
    intercept: float = 0.0
    unit: str = ""
    modality: Table | None = None
    windows: tuple[Window, ...] = ()
    voi: Table | None = None
    spacing: Spacing | None = None


def layout(dataset: Dataset) -> Layout:
    """Return how the pixels are stored.

    Raises
    ------
    CorruptFile
        The header does not say, or contradicts itself.
    UnsupportedFormat, TooManyPixels
        A kind of image that is not read, or more frames than are.
    """
    size = [whole(dataset, keyword) for keyword in ("Rows", "Columns", "BitsAllocated")]
    if any(one is None or one < 1 for one in size):
        raise corrupt()
    rows, columns, allocated = (one or 0 for one in size)
    photometric = code(dataset, "PhotometricInterpretation")
    if photometric not in (*GREY, PALETTE, *COLOURS):
        raise UnsupportedFormat(
            _("The colours of this DICOM image are of a kind that is not read. Export it as RGB.")
        )
    samples = whole(dataset, "SamplesPerPixel") or (3 if photometric in COLOURS else 1)
    stored = whole(dataset, "BitsStored") or allocated
    high_bit = whole(dataset, "HighBit")
    high_bit = stored - 1 if high_bit is None else high_bit
    signed = whole(dataset, "PixelRepresentation") or 0
    frames = _frames(dataset)
    if samples != (3 if photometric in COLOURS else 1) or signed not in (0, 1):
        raise corrupt()
    if not (stored <= allocated and stored - 1 <= high_bit < allocated):
        raise corrupt()
    colour = samples == 3 or photometric == PALETTE
    if allocated not in (1, 8, 16, 32) or (colour and (allocated == 1 or signed)):
        raise unread_values()
    mixed = code(dataset, "PixelPresentation") in ("COLOR", "MIXED")
    if mixed and photometric in GREY and holds(dataset, "RedPaletteColorLookupTableDescriptor"):
        raise UnsupportedFormat(
            _("This DICOM image is grey with colours mixed in. Export it as RGB.")
        )
    planar = whole(dataset, "PlanarConfiguration") or 0
    return Layout(
        rows, columns, frames, samples, photometric, int(planar == 1), allocated, stored, high_bit,
        bool(signed),
    )  # fmt: skip


def unread_values() -> UnsupportedFormat:
    """Return the error for values that would not be read exactly."""
    return UnsupportedFormat(
        _(
            "The values of this DICOM image are of a kind that is not read here. "
            "Export it with at most 16 bits a pixel."
        )
    )


def _frames(dataset: Dataset) -> int:
    if not holds(dataset, "NumberOfFrames"):
        return 1
    frames = whole(dataset, "NumberOfFrames")
    if frames is None or frames < 0:
        raise corrupt()
    if frames > MOST_FRAMES:
        raise TooManyPixels(
            _("This loop has more than {limit} frames. Export a shorter one.").format(
                limit=MOST_FRAMES
            )
        )
    return max(frames, 1)


def looks(dataset: Dataset, frames: int, signed: bool) -> tuple[Look, ...]:
    """Return the look of every frame, or a single one that holds for all.

    Functional groups (PS3.3 C.7.6.16) go before the attributes of the image, those of a frame
    before those that are shared.
    """
    base = replace(_rescale(dataset, Look(), signed), spacing=whole_spacing(dataset))
    base = _voi(dataset, base, signed)
    if any(unread(dataset, f"{kind}FunctionalGroupsSequence") for kind in ("Shared", "PerFrame")):
        base = replace(base, spacing=None)
    for shared in items(dataset, "SharedFunctionalGroupsSequence")[:1]:
        base = _grouped(shared, base, signed)
    groups = items(dataset, "PerFrameFunctionalGroupsSequence")
    if not groups:
        return (base,)
    each = tuple(_grouped(group, base, signed) for group in groups)
    if len(each) == frames:
        return each
    # Frames were taken out or put in: which group is whose cannot be told, and matters if they
    # differ.
    if any(one != each[0] for one in each[1:]):
        raise corrupt()
    return each[:1]


def _grouped(group: Dataset, base: Look, signed: bool) -> Look:
    for item in items(group, "PixelValueTransformationSequence")[:1]:
        base = _rescale(item, base, signed)
    for item in items(group, "FrameVOILUTSequence")[:1]:
        base = _voi(item, base, signed)
    if unread(group, "PixelMeasuresSequence"):
        # What it said in place of the scale of the image is not known.
        base = replace(base, spacing=None)
    for item in items(group, "PixelMeasuresSequence")[:1]:
        base = replace(base, spacing=spacing_of(numbers(item, "PixelSpacing")) or base.spacing)
    return base


def _rescale(item: Dataset, base: Look, signed: bool) -> Look:
    table = _first_table(item, "ModalityLUTSequence", signed)
    if table is not None:
        return replace(base, modality=table, slope=1.0, intercept=0.0, unit="")
    if not holds(item, "RescaleSlope") and not holds(item, "RescaleIntercept"):
        return base
    slope = number(item, "RescaleSlope") if holds(item, "RescaleSlope") else 1.0
    intercept = number(item, "RescaleIntercept") if holds(item, "RescaleIntercept") else 0.0
    # A scale that cannot be read would put wrong figures beside every pixel.
    if slope is None or intercept is None or not 1 / _VAST < abs(slope) < _VAST:
        raise corrupt()
    if abs(intercept) > _VAST:
        raise corrupt()
    unit = code(item, "RescaleType")
    return replace(
        base, modality=None, slope=slope, intercept=intercept, unit=unit if unit in _UNITS else ""
    )


def _voi(item: Dataset, base: Look, signed: bool) -> Look:
    windows = tuple(_windows(item))
    table = _first_table(item, "VOILUTSequence", signed)
    if not windows and table is None:
        return base
    return replace(base, windows=windows, voi=table)


def _windows(item: Dataset) -> Iterator[Window]:
    function = _FUNCTIONS.get(code(item, "VOILUTFunction"))
    if function is None:
        return
    pairs = zip(numbers(item, "WindowCenter"), numbers(item, "WindowWidth"), strict=False)
    for centre, width in tuple(pairs)[:_MOST_WINDOWS]:
        # C.11.2.1.2 demands at least 1 of LINEAR; scanners that write 0 mean "none".
        least = 1.0 if function == "linear" else 1 / _VAST
        if least <= width <= _VAST and abs(centre) <= _VAST:
            yield Window(centre, width, function)


def _first_table(item: Dataset, keyword: str, signed: bool) -> Table | None:
    for entry in items(item, keyword)[:1]:
        described = numbers(entry, "LUTDescriptor")
        data = value(entry, "LUTData")
        if len(described) != 3:
            raise corrupt()
        count, first, bits = (int(one) for one in described)
        if first > 32767 and signed:  # written as unsigned by some
            first -= 65536
        entries = _entries(data, count or 65536, bool(entry.is_little_endian is not False))
        if entries is None or not 1 <= bits <= 16:
            raise corrupt()
        return Table(first, bits, entries)
    return None


def _entries(data: object, count: int, little: bool) -> NDArray[np.uint16] | None:
    if isinstance(data, bytes):
        if len(data) in (count, count + 1) and len(data) != 2 * count:
            packed = np.frombuffer(data, np.uint8)
            if not little and len(data) % 2 == 0:  # two entries to a word, which lies turned round
                packed = packed.reshape(-1, 2)[:, ::-1].ravel()
            return packed[:count].astype(np.uint16)
        if len(data) < 2 * count:
            return None
        return np.frombuffer(data, "<u2" if little else ">u2", count).astype(np.uint16)
    found = np.atleast_1d(np.asarray(data if data is not None else [], np.int64))
    if found.shape != (count,):
        return None
    return (found & 0xFFFF).astype(np.uint16)


def _check_segments(data: object, form: str, order: str, count: int) -> None:
    """See that a segmented table (PS3.3 C.7.9.2) is as long as it says.

    Segments that repeat others are refused: nested, a few of them make a table without end.
    """
    if not isinstance(data, bytes):
        raise corrupt()
    words = struct.unpack(f"{order}{len(data) // struct.calcsize(form)}{form}", data)
    position = made = 0
    while position + 2 < len(words):  # there may be a byte of padding
        kind, length = words[position : position + 2]
        if kind == 2:
            raise unread_values()
        made += length
        position += 2 + (length if kind == 0 else 1)
        if kind > 2 or not length or made > count:
            raise corrupt()
    if made != count:
        raise corrupt()


def palette(dataset: Dataset, stored: int) -> tuple[NDArray[np.uint8], bool]:
    """Return the RGB of every stored value, and whether more than eight bits were cut to eight.

    uint8 ``(2 ** stored, 3)`` (PS3.3 C.7.6.3.1.5). Segmented tables (C.7.9.2) are expanded by
    pydicom.
    """
    if stored > 16:
        raise unread_values()
    described = numbers(dataset, "RedPaletteColorLookupTableDescriptor")
    if len(described) != 3:
        raise corrupt()
    count, first, bits = (int(one) for one in described)
    count = count or 65536
    little = dataset.original_encoding[1] is not False
    if holds(dataset, "RedPaletteColorLookupTableData"):
        channels = [
            _entries(value(dataset, f"{name}PaletteColorLookupTableData"), count, little)
            for name in ("Red", "Green", "Blue")
        ]
        if any(channel is None for channel in channels):
            raise corrupt()
        entries = np.stack([channel for channel in channels if channel is not None], axis=1)
        wide = len(value(dataset, "RedPaletteColorLookupTableData") or b"") >= 2 * count  # type: ignore[arg-type]
    else:
        wide = bits > 8
        if not wide and count > 256:  # pydicom counts such indices in eight bits
            raise unread_values()
        for name in ("Red", "Green", "Blue"):
            segments = value(dataset, f"Segmented{name}PaletteColorLookupTableData")
            _check_segments(segments, "H" if wide else "B", "<" if little else ">", count)
        expanded = apply_color_lut(np.arange(first, first + count)[None], dataset)[0]
        entries = np.asarray(expanded[:, :3], np.uint16)
    cut = False
    if wide and not (bits == 8 and entries.max() < 256):
        upper, lower = np.asarray(entries >> 8, np.uint16), np.asarray(entries & 0xFF, np.uint16)
        # Eight bits written as sixteen, by a shift or by repeating them, are still eight.
        cut = bool(np.any((lower != 0) & (lower != upper)))
        entries = upper
    index = np.clip(np.arange(2**stored) - first, 0, count - 1)
    return entries.astype(np.uint8)[index], cut
