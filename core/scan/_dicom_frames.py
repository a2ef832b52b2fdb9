"""The pixel data of a DICOM file: which bytes are which frame, and decoding one of them.

Encapsulated frames are found once, when the file is opened (PS3.5 A.4): one fragment each, or by
the offset tables, or, where there are none, by the mark every codestream begins with. Decoders:
Pillow (libjpeg) for JPEG in eight bits, GDCM for lossless JPEG and JPEG-LS, pylibjpeg for
JPEG 2000, HTJ2K and RLE, pydicom for what is not compressed. Always the same one for the same
syntax, so that the same file gives the same pixels everywhere. GDCM and pylibjpeg run in a process
of their own (``_decoder_process``).
"""

from __future__ import annotations

import io
import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import JpegImagePlugin
from pydicom import uid
from pydicom.pixels.decoders.base import get_decoder

from core.errors import UnsupportedFormat
from core.scan._decoder_process import POOL
from core.scan._dicom_header import COLOURS, GREY, Layout
from core.scan._dicom_parse import guarded
from core.scan._dicom_pixels import rgb_of_ybr
from core.scan._dicom_streams import jpeg_2000_size, jpeg_size, lossless_essence, unread_syntax
from core.scan._formats import corrupt
from core.scan._jpeg import AFTER_JPEG
from core.text import _

_JPEG = frozenset({uid.JPEGBaseline8Bit, uid.JPEGExtended12Bit})
_GDCM = frozenset(
    {uid.JPEGLossless, uid.JPEGLosslessSV1, uid.JPEGLSLossless, uid.JPEGLSNearLossless}
)
#: Decoded by Huffman tables, whose decoders fill up what is missing.
_HUFFMAN = _JPEG | {uid.JPEGLossless, uid.JPEGLosslessSV1}
_JPEG_2000 = frozenset(
    {uid.JPEG2000Lossless, uid.JPEG2000, uid.HTJ2KLossless, uid.HTJ2KLosslessRPCL, uid.HTJ2K}
)
_NATIVE = frozenset(
    {uid.ImplicitVRLittleEndian, uid.ExplicitVRLittleEndian, uid.ExplicitVRBigEndian}
)
#: Transfer syntaxes that always lose something.
LOSSY = frozenset({uid.JPEGBaseline8Bit, uid.JPEGExtended12Bit, uid.JPEGLSNearLossless})
_ITEM, _DELIMITER = 0xFFFEE000, 0xFFFEE0DD
_MOST_FRAGMENTS = 1_000_000
#: JPEG and JPEG-LS, a bare JPEG 2000 codestream, and the box a wrapped one begins with.
_BEGINNINGS = (b"\xff\xd8\xff", b"\xff\x4f\xff\x51", b"\x00\x00\x00\x0cjP  ")
#: The processes each syntax has: sequential (not progressive), lossless, JPEG-LS.
_PROCESSES = {
    uid.JPEGBaseline8Bit: frozenset({0xC0, 0xC1}),
    uid.JPEGExtended12Bit: frozenset({0xC0, 0xC1}),
    uid.JPEGLossless: frozenset({0xC3}),
    uid.JPEGLosslessSV1: frozenset({0xC3}),
    uid.JPEGLSLossless: frozenset({0xF7}),
    uid.JPEGLSNearLossless: frozenset({0xF7}),
}
#: Each goes over the image once more; there is one for each component at the most.
_MOST_SCANS = 16

Spans = tuple[tuple[tuple[int, int], ...], ...]


@dataclass(frozen=True, slots=True)
class Frames:
    """The frames of one file, held as they are stored. Safe to use from several threads.

    Attributes
    ----------
    layout, syntax, vr
        How they are stored.
    data
        The bytes of the frames, and no others of the file.
    spans
        For each encapsulated frame where its fragments lie; empty for native pixels.
    """

    layout: Layout
    syntax: uid.UID
    vr: str
    data: bytes = field(repr=False)
    spans: Spans = field(repr=False)

    def samples(self, index: int) -> NDArray[np.integer]:
        """Decode one frame.

        Returns
        -------
        numpy.ndarray
            ``(H, W)`` whole numbers as stored, or ``(H, W, 3)`` RGB of ``layout.stored`` bits.

        Raises
        ------
        CorruptFile
            It cannot be decoded whole, or is not of the size the header announces.
        UnsupportedFormat
            A variant of its compression that is not read.
        """
        found = guarded(lambda: self._native(index) if not self.spans else self._packed(index))
        shape = (self.layout.rows, self.layout.columns, 3)[: 3 if self.layout.samples == 3 else 2]
        if found.shape != shape or found.dtype.kind not in "ui":
            raise corrupt()
        return found

    def _options(self, frames: int, **more: Any) -> dict[str, Any]:
        layout = self.layout
        return {
            "number_of_frames": frames,
            "rows": layout.rows,
            "columns": layout.columns,
            "samples_per_pixel": layout.samples,
            "photometric_interpretation": layout.photometric,
            "planar_configuration": layout.planar,
            "bits_allocated": layout.allocated,
            "bits_stored": layout.stored,
            "pixel_representation": int(layout.signed),
            "pixel_keyword": "PixelData",
            **more,
        }

    def _native(self, index: int) -> NDArray[np.integer]:
        if self.layout.allocated == 1:
            return self._bits(index)
        stored, properties = get_decoder(self.syntax).as_array(
            self.data,
            index=index,
            raw=True,
            **self._options(self.layout.frames, pixel_vr=self.vr, correct_unused_bits=False),
        )
        return self._coloured(
            self._used_bits(stored), str(properties["photometric_interpretation"])
        )

    def _bits(self, index: int) -> NDArray[np.integer]:
        """Unpack one frame of single bits (PS3.5 8.1.1): it may begin and end inside a byte."""
        size = self.layout.rows * self.layout.columns
        begin, end = index * size, (index + 1) * size
        packed = np.frombuffer(self.data, np.uint8)[begin // 8 : -(-end // 8)]
        if self.syntax == uid.ExplicitVRBigEndian and self.vr == "OW":
            raise unread_syntax()  # words turned round, which frames do not end with
        bits = np.unpackbits(packed, bitorder="little")[begin % 8 :][:size]
        return bits.reshape(self.layout.rows, self.layout.columns)

    def _packed(self, index: int) -> NDArray[np.integer]:
        frame = b"".join(self.data[start:end] for start, end in self.spans[index])
        if self.syntax != uid.RLELossless:
            self._check_size(frame)
        if self.syntax not in _HUFFMAN:
            return self._decoded(frame)
        # Where some is missing in the middle, these decoders make the rest up and do not tell.
        # They read on into other data only then.
        end = frame.rfind(b"\xff\xd9", max(0, len(frame) - 16))
        if end < 0:
            raise corrupt()
        if self.syntax not in _JPEG:
            frame = lossless_essence(frame, self.layout.samples)
            end = len(frame) - 2
        found = self._decoded(frame)
        # GDCM tells the log of bytes behind a whole image, each time: it is only asked where
        # the image ends as what was made up does.
        if self.syntax in _JPEG or _runs_out(found):
            again = self._decoded(frame[:end] + AFTER_JPEG + frame[end:])
            if not np.array_equal(found, again):
                raise corrupt()
        return found

    def _decoded(self, frame: bytes) -> NDArray[np.integer]:
        if self.syntax in _JPEG:
            return self._libjpeg(frame)
        # Codestreams are read by pixel whatever the header says of planes.
        options: dict[str, Any] = {"planar_configuration": 0}
        lossless = self.syntax in _HUFFMAN
        if lossless and self.layout.samples == 3:
            options["photometric_interpretation"] = "RGB"  # as the mark says: as stored
        if self.syntax == uid.RLELossless:
            # What pydicom makes of unused bits ignores where the used ones lie.
            options["correct_unused_bits"] = False
        stored, named = POOL.decode(
            frame,
            syntax=str(self.syntax),
            plugin="gdcm" if self.syntax in _GDCM else "pylibjpeg",
            options=self._options(1, **options),
        )
        if self.syntax == uid.RLELossless:
            stored = self._used_bits(stored)
        return self._coloured(stored, self.layout.photometric if lossless else named)

    def _used_bits(self, stored: NDArray[np.integer]) -> NDArray[np.integer]:
        """Keep the stored bits of every word and spread the sign; others may be an old overlay."""
        layout = self.layout
        if layout.allocated in (1, layout.stored):
            return stored
        word = 8 * stored.dtype.itemsize
        left = word - 1 - layout.high_bit
        return (stored << left) >> (word - layout.stored)

    def _coloured(self, stored: NDArray[np.integer], photometric: str) -> NDArray[np.integer]:
        if self.layout.photometric not in COLOURS or photometric == "RGB":
            return stored
        if photometric not in ("YBR_FULL", "YBR_FULL_422") or stored.dtype != np.uint8:
            raise UnsupportedFormat(
                _(
                    "The colours of this DICOM image are of a kind that is not read. "
                    "Export it as RGB."
                )
            )
        return rgb_of_ybr(np.asarray(stored, np.uint8))

    def _libjpeg(self, frame: bytes) -> NDArray[np.integer]:
        """Decode JPEG in eight bits as any viewer does, the colours as the codestream has them."""
        with JpegImagePlugin.JpegImageFile(io.BytesIO(frame)) as image:
            # libjpeg takes three components for YCbCr unless a mark says otherwise. The header
            # knows better where there is no mark: "YCbCr" then means, as stored.
            unmarked = "adobe_transform" not in image.info and "jfif" not in image.info
            as_stored = self.layout.photometric == "RGB" and unmarked and image.mode == "RGB"
            if as_stored:
                image.draft("YCbCr", image.size)
            image.load()
            return np.asarray(image, dtype=np.uint8)

    def _check_size(self, frame: bytes) -> None:
        """Compare the codestream's own size with the header's, before a decoder believes it."""
        if self.syntax in _JPEG_2000:
            told = jpeg_2000_size(frame)
        else:
            told = jpeg_size(frame, _PROCESSES[self.syntax])
        if told is None or frame.count(b"\xff\xda") > _MOST_SCANS:
            raise corrupt()
        rows, columns, components, precision = told
        layout = self.layout
        if (rows, columns, components) != (layout.rows, layout.columns, layout.samples):
            raise corrupt()
        if self.syntax in _JPEG and precision != 8:
            raise unread_syntax()
        if precision > layout.allocated:
            raise corrupt()


def _runs_out(samples: NDArray[np.integer]) -> bool:
    """Tell whether the last pixels differ by the same steps, as lossless JPEG fills a gap up."""
    last = samples[-1, -4:].astype(np.int64) % 65536
    steps = np.diff(last, axis=0) % (256 if samples.dtype.itemsize == 1 else 65536)
    return bool(np.all(steps == steps[0]))


def frames_of(
    layout: Layout, syntax: str, vr: str, pixels: memoryview, encapsulated: bool, offsets: bytes
) -> Frames:
    """Find the frames in pixel data.

    Parameters
    ----------
    layout, syntax, vr
        As in :class:`Frames`.
    pixels
        The value of Pixel Data, and perhaps what lies behind it.
    encapsulated
        Whether its length was undefined.
    offsets
        The value of Extended Offset Table, empty where there is none.

    Raises
    ------
    CorruptFile
        They are not all there, or cannot be told apart.
    UnsupportedFormat
        The transfer syntax is none that is read.
    """
    known = uid.UID(syntax)
    if known in _NATIVE:
        if encapsulated:
            raise corrupt()
        subsampled = layout.photometric == "YBR_FULL_422"
        if subsampled and (layout.allocated != 8 or layout.columns % 2):
            raise unread_syntax()
        bits = layout.rows * layout.columns * layout.allocated * layout.frames
        # Two of three samples are stored where colour has half the columns (C.7.6.3.1.2).
        needed = math.ceil(bits * (2 if subsampled else layout.samples) / 8)
        if layout.photometric in ("YBR_ICT", "YBR_RCT") or len(pixels) < needed:
            raise corrupt()
        # Swapped words are read in pairs of bytes.
        kept = bytes(pixels[: needed + needed % 2])
        return Frames(layout, known, vr, kept + b"\0" * (needed % 2 and len(kept) == needed), ())
    if known not in _JPEG | _GDCM | _JPEG_2000 | {uid.RLELossless}:
        raise unread_syntax()
    if layout.allocated == 1 and layout.photometric in GREY and known != uid.RLELossless:
        raise unread_syntax()
    fragments = tuple(_fragments(pixels))
    if len(fragments) < 2:
        raise corrupt()
    table, fragments = bytes(pixels[slice(*fragments[0])]), fragments[1:]
    spans = _grouped(pixels, fragments, layout.frames, table, offsets, known)
    return Frames(layout, known, vr, bytes(pixels[: spans[-1][-1][1]]), spans)


def _fragments(pixels: memoryview) -> Iterator[tuple[int, int]]:
    position = 0
    for _fragment in range(_MOST_FRAGMENTS):
        if position == len(pixels):
            return  # some writers leave the delimiter out
        if position + 8 > len(pixels):
            raise corrupt()
        group, element, length = struct.unpack_from("<HHI", pixels, position)
        tag, start = group << 16 | element, position + 8
        if tag == _DELIMITER:
            return
        if tag != _ITEM or start + length > len(pixels):
            raise corrupt()
        yield start, start + length
        position = start + length
    raise corrupt()


def _grouped(
    pixels: memoryview,
    fragments: tuple[tuple[int, int], ...],
    frames: int,
    table: bytes,
    extended: bytes,
    syntax: uid.UID,
) -> Spans:
    """Tell which fragments make which frame."""
    if len(fragments) == frames:
        return tuple((fragment,) for fragment in fragments)
    if syntax == uid.RLELossless:  # PS3.5 A.4.2: a frame is one fragment
        raise corrupt()
    first = fragments[0][0]
    at = {start - first: index for index, (start, _end) in enumerate(fragments)}
    beginnings = [
        index
        for index, (start, _end) in enumerate(fragments)
        if bytes(pixels[start : start + 12]).startswith(_BEGINNINGS)
    ]
    tables = [
        [at.get(offset, -1) for offset in struct.unpack(f"<{frames}{form}", stored)]
        for form, stored in (("Q", extended), ("I", table))
        if len(stored) == frames * struct.calcsize(f"<{form}")
    ]
    # A table that points anywhere but at fragments is no table: the marks are still there.
    for starts in (*tables, beginnings):
        rising = all(a < b for a, b in pairwise(starts))
        if len(starts) == frames and starts[0] == 0 and rising:
            ends = [*starts[1:], len(fragments)]
            return tuple(fragments[a:b] for a, b in zip(starts, ends, strict=True))
    raise corrupt()
