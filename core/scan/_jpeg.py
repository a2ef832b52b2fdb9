"""JPEG (ITU-T T.81): baseline, extended and progressive Huffman, eight bits, grey or colour.

The segments are walked here, and only what the image needs is handed to Pillow's decoder:
tables, frame, scans, and the JFIF and Adobe marks that tell the colour space. EXIF (after its
orientation was read), comments, previews and what follows the image stay behind. Colour profiles
are not applied: pixels are handed on as stored. Print colours (CMYK) become RGB by the plain
formula, if Adobe's mark says which way round the inks are stored; without it they are refused.

A JPEG has no checksum. A file that was cut off is found, because its end mark is demanded and the
last scan must fill the image; bits that flipped inside the compressed data without breaking it,
and a progressive file that ends between two scans, cannot be.
"""

from __future__ import annotations

import io
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL import JpegImagePlugin

from core.errors import UnsupportedFormat
from core.scan._exif import orientation
from core.scan._formats import Decoded, Format, corrupt
from core.scan._parts import Note
from core.scan._samples import assemble
from core.text import _

_SOI, _EOI, _SOS = 0xD8, 0xD9, 0xDA
_APP0, _APP1, _APP14 = 0xE0, 0xE1, 0xEE
_DHT, _DQT, _DRI = 0xC4, 0xDB, 0xDD
#: Frame headers (table B.1); the others of C0 to CF are tables or reserved.
_FRAMES = frozenset(range(0xC0, 0xD0)) - {_DHT, 0xC8, 0xCC}
#: Baseline, extended sequential and progressive, all Huffman.
_READ = frozenset({0xC0, 0xC1, 0xC2})
#: The next marker in compressed data: neither a stuffed zero nor a restart. It begins with one
#: plain byte, which Python looks for many times faster than for one or more.
_MARKER = re.compile(rb"\xff\xff*([^\x00\xff\xd0-\xd7])", re.DOTALL)
#: Every scan of a progressive file goes over the whole image once more; encoders make ten.
_MOST_SCANS = 100
_MOST_SEGMENTS = 10_000
#: Bits of every kind, to be mistaken for compressed data only where some is missing.
AFTER_JPEG = bytes.fromhex("a53c96e15b27d84e") * 8
_EXIF = b"Exif\0\0"
#: Adobe's mark up to the byte that tells RGB (0) from YCbCr (1).
_ADOBE = b"\xff\xee\0\x0eAdobe\0\x64\0\0\0\0"


@dataclass(frozen=True, slots=True)
class JpegFile:
    """A JPEG whose frame header has been read."""

    data: bytes = field(repr=False)
    width: int
    height: int
    components: int

    def decode(self) -> Decoded:
        """Decode the image; see the module for what is refused."""
        clean, turn, adobe = _essence(self.data)
        if self.components < 4:
            return assemble(self.pixels(clean), turn=turn)
        if not adobe:
            raise UnsupportedFormat(
                _(
                    "This JPEG is in print colours (CMYK) and does not say how they are stored. "
                    "Save it as grey or RGB and upload that."
                )
            )
        return assemble(self.pixels(clean), turn=turn, notes=(Note.PRINT_COLOURS,))

    def pixels(self, clean: bytes) -> NDArray[np.uint8]:
        """Decode what :func:`_essence` left of the file: grey or RGB, as stored."""
        flawless = self._flawless(clean)
        if flawless is not None:
            return flawless
        pixels = self._once(clean)
        # Where compressed data runs out early, the decoder makes the rest up and does not tell.
        # It reads on into other data only then: what lies behind a whole image changes nothing.
        end = len(clean) - 2
        if not np.array_equal(pixels, self._once(clean[:end] + AFTER_JPEG + clean[end:])):
            raise corrupt()
        return pixels

    def _flawless(self, clean: bytes) -> NDArray[np.uint8] | None:
        """Decode a stream that the decoder finds nothing to remark on; None for any other.

        Almost all files are of this kind, and take half the time: data that runs out early is the
        first thing remarked on. What is remarked on may still be whole, which the caller finds out.
        """
        if self.components == 4:
            return None
        space = "GRAY" if self.components == 1 else "RGB"
        try:
            pixels = simplejpeg.decode_jpeg(clean, space, strict=True)
        except (ValueError, MemoryError):
            return None
        expected = (self.height, self.width, self.components)
        if pixels.shape != expected:
            return None
        return np.asarray(pixels[..., 0] if self.components == 1 else pixels, np.uint8)

    def _once(self, clean: bytes) -> NDArray[np.uint8]:
        try:
            # Not Image.open: it warns, through the process's warning filters, about sizes that
            # a site may well have allowed. The limits have been held before.
            with JpegImagePlugin.JpegImageFile(io.BytesIO(clean)) as image:
                image.load()
                mode, size = image.mode, image.size
                plain = image.convert("RGB") if mode == "CMYK" else image
                pixels = np.asarray(plain, dtype=np.uint8)
        except (OSError, SyntaxError, ValueError, EOFError) as error:
            raise corrupt() from error
        expected = {1: "L", 3: "RGB", 4: "CMYK"}[self.components]
        if mode != expected or size != (self.width, self.height):
            raise corrupt()
        return pixels


def decode_part(tables: bytes, part: bytes, *, ycc: bool) -> NDArray[np.uint8]:
    """Decode a strip or tile of a TIFF.

    Parameters
    ----------
    tables
        The stream of tables they share (JPEGTables), or nothing.
    part
        The stream of this one.
    ycc
        Whether three components are YCbCr; the TIFF says so, and marks in the stream do not count.

    Returns
    -------
    numpy.ndarray
        uint8 ``(h, w)`` or ``(h, w, 3)`` RGB, of the size the stream has.

    Raises
    ------
    CorruptFile
        They cannot be decoded whole.
    UnsupportedFormat
        Another kind of JPEG.
    """
    opened = _open(part)
    clean = _essence(part, marks=False)[0]
    kept = [part[:2], _ADOBE + bytes((ycc,)) if opened.components == 3 else b""]
    if tables:
        kept += [
            tables[start:end]
            for marker, start, _body, end in walk_jpeg(tables)
            if marker in (_DHT, _DQT, _DRI)
        ]
    return opened.pixels(b"".join((*kept, clean[2:])))


def walk_jpeg(data: bytes) -> Iterator[tuple[int, int, int, int]]:
    """Yield (marker, segment start, body start, end) of each segment up to the end mark.

    The end of a scan (SOS) takes in its compressed data.
    """
    position = 2
    for _index in range(_MOST_SEGMENTS):
        start = position
        if data[position : position + 1] != b"\xff":
            raise corrupt()
        while data[position : position + 1] == b"\xff":  # any marker may be padded (B.1.1.2)
            position += 1
        marker = data[position] if position < len(data) else 0
        position += 1
        if marker == _EOI:
            yield marker, start, position, position
            return
        if position + 2 > len(data) or not 0xC0 <= marker <= 0xFE or 0xD0 <= marker <= _SOI:
            raise corrupt()
        (length,) = struct.unpack_from(">H", data, position)
        end = position + length
        if length < 2 or end > len(data):
            raise corrupt()
        body = position + 2
        if marker == _SOS:
            following = _MARKER.search(data, end)
            if following is None:
                raise corrupt()
            end = following.start()
        yield marker, start, body, end
        position = end
    raise corrupt()


def _essence(data: bytes, *, marks: bool = True) -> tuple[bytes, int, bool]:
    """Return the file with nothing but the image in it, its EXIF orientation, and Adobe's mark.

    Without ``marks`` those that tell the colour space stay behind too.
    """
    kept = [data[:2]]
    exif: bytes | None = None
    frames = scans = 0
    marked = False
    for marker, start, body, end in walk_jpeg(data):
        frames += marker in _FRAMES
        scans += marker == _SOS
        if frames > 1 or scans > _MOST_SCANS or (marker == _SOS and not frames):
            raise corrupt()
        if marker == _APP1 and exif is None and data.startswith(_EXIF, body):
            exif = data[body + len(_EXIF) : end]
        essential = marker in _FRAMES or marker in (_DHT, _DQT, _DRI, _SOS, _EOI)
        jfif = marker == _APP0 and data.startswith(b"JFIF\0", body)
        adobe = marker == _APP14 and data.startswith(b"Adobe", body)
        if essential or (marks and (jfif or adobe)):
            kept.append(data[start:end])
        marked |= adobe
    if not scans:
        raise corrupt()
    return b"".join(kept), orientation(exif or b""), marked


def _matches(data: bytes) -> bool:
    return data.startswith(b"\xff\xd8\xff")


def _open(data: bytes) -> JpegFile:
    for marker, _start, body, end in walk_jpeg(data):
        if marker == _SOS:
            break
        if marker not in _FRAMES:
            continue
        if end - body < 6:
            raise corrupt()
        precision, height, width, components = struct.unpack_from(">BHHB", data, body)
        if marker not in _READ or precision != 8 or components not in (1, 3, 4):
            raise UnsupportedFormat(
                _("This kind of JPEG is not read here. Save it as a standard 8-bit JPEG or PNG.")
            )
        if not width or not height:
            raise corrupt()
        return JpegFile(data, width, height, components)
    raise corrupt()


JPEG = Format("JPEG", _matches, _open)
