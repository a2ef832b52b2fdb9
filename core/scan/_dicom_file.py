"""An opened DICOM file: frames, what their values mean, and the geometry that may travel."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from core.scan import _dicom_geometry as geometry
from core.scan._dicom_frames import LOSSY, Frames, frames_of
from core.scan._dicom_header import PALETTE, Layout, Look, layout, looks, palette
from core.scan._dicom_parse import guarded, parse
from core.scan._dicom_pixels import Padding, eight_bits, grey
from core.scan._dicom_tags import code, holds, value, whole
from core.scan._formats import Decoded, corrupt
from core.scan._parts import Note, Region


@dataclass(frozen=True, slots=True)
class DicomFile:
    """A DICOM file whose header has been read; of the file only the frames are still held."""

    frames: Frames
    looks: tuple[Look, ...]
    modality: str
    regions: tuple[Region, ...]
    calibrated: bool
    starts: tuple[float, ...] | None
    notes: tuple[Note, ...]
    padding: Padding | None
    palette: NDArray[np.uint8] | None = field(repr=False)

    @property
    def width(self) -> int:
        """Columns."""
        return self.frames.layout.columns

    @property
    def height(self) -> int:
        """Rows."""
        return self.frames.layout.rows

    def decode(self) -> Decoded:
        """Decode the first frame."""
        return self.frame(0)

    def frame(self, index: int) -> Decoded:
        """Decode one frame (from 0); see :class:`~core.scan._formats.Decoded`."""
        stored = self.frames.layout
        look = self.looks[index if len(self.looks) > 1 else 0]
        samples = self.frames.samples(index)
        notes, depth = self.notes, None
        if self.palette is not None:
            if int(samples.max()) >= len(self.palette):
                raise corrupt()
            pixels = self.palette[samples]
        elif stored.samples == 3:
            pixels, cut = eight_bits(samples, stored.stored)
            notes = (*notes, Note.COLOUR_DEPTH_CUT) if cut else notes
        else:
            pixels, depth = grey(samples, stored, look, self.padding)
        several = stored.frames > 1
        return Decoded(
            pixels=pixels,
            modality=self.modality,
            spacing=None if self.calibrated else look.spacing,
            frames=stored.frames,
            regions=self.regions,
            depth=depth,
            notes=notes,
            more=self.frame if several else None,
            starts=self.starts if several else None,
            held_bytes=len(self.frames.data) if several else 0,
        )


def open_dicom(data: bytes) -> DicomFile:
    """Read the header of a DICOM file and find its frames; see :class:`~core.scan._formats.Format`.

    Raises
    ------
    CorruptFile, UnsupportedFormat, TooManyPixels
        It is damaged, holds no image, one that would not be read exactly, or too many frames.
    """
    parsed = parse(data)
    dataset = parsed.dataset

    def build() -> DicomFile:
        stored = layout(dataset)
        offsets = value(dataset, "ExtendedOffsetTable")
        frames = frames_of(
            stored,
            parsed.syntax,
            parsed.vr,
            parsed.pixels,
            parsed.encapsulated,
            offsets if isinstance(offsets, bytes) else b"",
        )
        table, cut = (
            palette(dataset, stored.stored) if stored.photometric == PALETTE else (None, False)
        )
        return DicomFile(
            frames=frames,
            looks=looks(dataset, stored.frames, stored.signed),
            modality=geometry.modality(dataset),
            regions=geometry.regions(dataset, stored.columns, stored.rows),
            # Areas that make no sense, or cannot be read, leave no scale behind either.
            calibrated=holds(dataset, "SequenceOfUltrasoundRegions"),
            starts=geometry.starts(dataset, stored.frames) if stored.frames > 1 else None,
            notes=_notes(dataset, parsed.syntax, cut),
            padding=_padding(dataset, stored),
            palette=table,
        )

    return guarded(build)


def _notes(dataset: Dataset, syntax: str, cut: bool) -> tuple[Note, ...]:
    said = {
        Note.COLOUR_DEPTH_CUT: cut,
        Note.BURNED_IN: code(dataset, "BurnedInAnnotation") == "YES",
        Note.LOSSY: code(dataset, "LossyImageCompression") == "01" or syntax in LOSSY,
    }
    return tuple(note for note, true in said.items() if true)


def _padding(dataset: Dataset, stored: Layout) -> Padding | None:
    """Return the stored values that stand for no pixel (PS3.3 C.7.5.1.1.2)."""
    first = whole(dataset, "PixelPaddingValue")
    if first is None or stored.samples != 1:
        return None
    last = whole(dataset, "PixelPaddingRangeLimit")
    last = first if last is None else last
    if stored.signed:  # written as unsigned by some
        half, full = 1 << (stored.allocated - 1), 1 << stored.allocated
        first, last = ((one - full if one >= half else one) for one in (first, last))
    return min(first, last), max(first, last)
