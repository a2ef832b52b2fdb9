"""PNG (ISO/IEC 15948), still images with up to eight bits per sample.

The chunks are walked here, every checksum compared, and only IHDR, PLTE and IDAT handed to
Pillow's decoder. So compressed text cannot blow up, metadata cannot travel, and a flipped bit
is an error and not a wrong pixel.

Never read wrongly:

* 16 bits per sample are refused. Eight bits hold a 256th of them, and which 256th is meant
  (the window) is a clinical choice that a decoder must not make by clipping or scaling.
* Transparency is dropped where every pixel is opaque and refused where one is not: what lies
  behind it is anyone's guess.
* An animation is refused: nobody said which frame is the scan.
* Grey with 1, 2 or 4 bits is spread exactly over 0 to 255 (section 13.12 of the standard).
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from PIL import PngImagePlugin

from core.errors import ScanError, UnsupportedFormat
from core.scan._exif import orientation, upright
from core.scan._formats import Decoded, Format, corrupt
from core.text import _

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_GREY, _RGB, _PALETTE, _GREY_ALPHA, _RGBA = 0, 2, 3, 4, 6
#: Bit depths each colour type allows (table 11.1).
_DEPTHS = {
    _GREY: (1, 2, 4, 8, 16),
    _RGB: (8, 16),
    _PALETTE: (1, 2, 4, 8),
    _GREY_ALPHA: (8, 16),
    _RGBA: (8, 16),
}
_MODES = {_GREY: "L", _RGB: "RGB", _PALETTE: "P", _GREY_ALPHA: "LA", _RGBA: "RGBA"}
_CHANNELS = {_GREY: 1, _RGB: 3, _PALETTE: 1, _GREY_ALPHA: 2, _RGBA: 4}
#: Passes as first column, first row, and the steps between (section 8.2).
_WHOLE = ((0, 0, 1, 1),)
_ADAM7 = (
    (0, 0, 8, 8),
    (4, 0, 8, 8),
    (0, 4, 4, 8),
    (2, 0, 4, 4),
    (0, 2, 2, 4),
    (1, 0, 2, 2),
    (0, 1, 1, 2),
)
#: Bytes that are inflated at a time when only their number matters.
_PIECE = 2**20
_LONGEST_SIDE = 2**31 - 1
#: A scan needs a handful of chunks; millions of empty ones only cost time.
_MOST_CHUNKS = 100_000


@dataclass(frozen=True, slots=True)
class _Chunks:
    """What is kept of the chunks: each as it stands in the file, with length and checksum."""

    palette: bytes = b""
    transparency: bytes | None = None
    exif: bytes = b""
    frames: int = 1
    image: tuple[bytes, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class PngFile:
    """A PNG whose header has been read."""

    data: bytes = field(repr=False)
    width: int
    height: int
    depth: int
    colour: int
    interlaced: bool

    def decode(self) -> Decoded:
        """Decode the image; see the module for what is refused."""
        if self.depth == 16:
            raise UnsupportedFormat(
                _(
                    "This PNG has 16 bits per pixel, more than can be shown faithfully. "
                    "Choose the window in your viewer and export it with 8 bits."
                )
            )
        chunks = _gather(self.data)
        if chunks.frames > 1:
            raise UnsupportedFormat(
                _("This PNG is an animation. Save the one frame to be read as a still image.")
            )
        self._check_whole(chunks.image)
        samples = self._samples(chunks)
        return Decoded(upright(self._colours(samples, chunks), orientation(chunks.exif)))

    def _check_whole(self, image: tuple[bytes, ...]) -> None:
        """Inflate the image once without keeping it: Pillow leaves missing rows black."""
        bits = self.depth * _CHANNELS[self.colour]
        missing = 0
        for left, top, right, down in _ADAM7 if self.interlaced else _WHOLE:
            columns = -(-(self.width - left) // right)
            rows = -(-(self.height - top) // down)
            if columns > 0 and rows > 0:
                missing += rows * (1 + -(-columns * bits // 8))
        inflater = zlib.decompressobj()
        try:
            for chunk in image:
                piece = chunk[8:-4]
                while piece and missing > 0:
                    missing -= len(inflater.decompress(piece, _PIECE))
                    piece = inflater.unconsumed_tail
            missing -= len(inflater.decompress(b"", max(missing, 1)))
        except zlib.error as error:
            raise corrupt() from error
        if missing > 0:
            raise corrupt()

    def _samples(self, chunks: _Chunks) -> NDArray[np.uint8]:
        """Return the samples: grey already spread over 0 to 255, a palette as its indices."""
        header = self.data[len(SIGNATURE) : len(SIGNATURE) + 25]
        # Pillow wants a palette where the header announces one; the colours are looked up here.
        palette = _chunk(b"PLTE", chunks.palette) if self.colour == _PALETTE else b""
        clean = b"".join((SIGNATURE, header, palette, *chunks.image, _chunk(b"IEND", b"")))
        try:
            # Not Image.open: it warns, through the process's warning filters, about sizes that
            # a site may well have allowed. The limits have been held before.
            with PngImagePlugin.PngImageFile(io.BytesIO(clean)) as image:
                image.load()
                still = image.convert("L") if image.mode == "1" else image.copy()
        except (OSError, SyntaxError, ValueError, EOFError) as error:
            raise corrupt() from error
        if still.mode != _MODES[self.colour] or still.size != (self.width, self.height):
            raise corrupt()
        return np.asarray(still, dtype=np.uint8)

    def _colours(self, samples: NDArray[np.uint8], chunks: _Chunks) -> NDArray[np.uint8]:
        """Return grey or RGB, once it is certain that nothing is transparent."""
        key = chunks.transparency
        if self.colour == _PALETTE:
            palette = np.frombuffer(chunks.palette, np.uint8)
            if not 0 < palette.size <= 768 or palette.size % 3:
                raise corrupt()
            colours = palette.reshape(-1, 3)
            if int(samples.max()) >= len(colours):
                raise corrupt()
            alpha = np.full(256, 255, np.uint8)
            if key is not None:
                alpha[: min(len(key), 256)] = np.frombuffer(key[:256], np.uint8)
            if np.any(alpha[samples] < 255):
                raise _transparent()
            return colours[samples]
        if self.colour in (_GREY_ALPHA, _RGBA):
            if int(samples[..., -1].min()) < 255:
                raise _transparent()
            return samples[..., 0] if self.colour == _GREY_ALPHA else samples[..., :3]
        if key is not None and _key_occurs(samples, key, self.depth):
            raise _transparent()
        return samples


def _key_occurs(samples: NDArray[np.uint8], key: bytes, depth: int) -> bool:
    """Whether the one transparent colour of a tRNS chunk (section 11.3.2) is in the image."""
    channels = 1 if samples.ndim == 2 else 3
    if len(key) != 2 * channels:
        raise corrupt()
    most = 2**depth - 1
    values = np.array(struct.unpack(f">{channels}H", key)) & most
    colour = (values * 255 // most).astype(np.uint8)
    return bool(np.any(np.all(samples.reshape(-1, channels) == colour, axis=1)))


def _transparent() -> UnsupportedFormat:
    return UnsupportedFormat(
        _("This PNG has transparent parts. Save it without transparency and upload that.")
    )


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _walk(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Yield (type, start, end) of each chunk's body up to IEND; what follows is ignored."""
    position = len(SIGNATURE)
    for _index in range(_MOST_CHUNKS):
        if position + 12 > len(data):
            raise corrupt()
        length, kind = struct.unpack_from(">I4s", data, position)
        start, end = position + 8, position + 8 + length
        if end + 4 > len(data):
            raise corrupt()
        checksum = zlib.crc32(memoryview(data)[position + 4 : end])
        if checksum != struct.unpack_from(">I", data, end)[0]:
            raise corrupt()
        yield kind, start, end
        if kind == b"IEND":
            return
        position = end + 4
    raise corrupt()


def _gather(data: bytes) -> _Chunks:
    """Keep what the image needs and check the order of what may come once only."""
    palette, exif, transparency, frames = b"", b"", None, 1
    image: list[bytes] = []
    seen: set[bytes] = set()
    previous = b""
    for kind, start, end in _walk(data):
        repeated = kind in seen and kind in (b"IHDR", b"PLTE")
        interrupted = kind in seen and kind == b"IDAT" and previous != b"IDAT"
        if repeated or interrupted:
            raise corrupt()
        if kind == b"IDAT":
            image.append(data[start - 8 : end + 4])
        elif kind == b"PLTE":
            palette = data[start:end]
        elif kind == b"tRNS":
            transparency = data[start:end]
        elif kind == b"eXIf":
            exif = data[start:end]
        elif kind == b"acTL" and end - start == 8:
            frames = max(frames, struct.unpack_from(">I", data, start)[0])
        elif kind not in (b"IHDR", b"IEND") and not kind[0] & 0x20:
            # A capital first letter: the image cannot be understood without it (section 5.4).
            raise _private()
        seen.add(kind)
        previous = kind
    if not image:
        raise corrupt()
    return _Chunks(palette, transparency, exif, frames, tuple(image))


def _private() -> ScanError:
    return UnsupportedFormat(
        _("This PNG uses a private extension. Save it as a standard PNG and upload that.")
    )


def _matches(data: bytes) -> bool:
    return data.startswith(SIGNATURE)


def _open(data: bytes) -> PngFile:
    if len(data) < len(SIGNATURE) + 25:
        raise corrupt()
    length, kind, width, height, depth, colour, squeeze, filters, interlace, checksum = (
        struct.unpack_from(">I4sIIBBBBBI", data, len(SIGNATURE))
    )
    if kind == b"CgBI":
        raise _private()
    if length != 13 or kind != b"IHDR" or checksum != zlib.crc32(data[12:29]):
        raise corrupt()
    if depth not in _DEPTHS.get(colour, ()) or squeeze or filters or interlace > 1:
        raise corrupt()
    if not (0 < width <= _LONGEST_SIDE and 0 < height <= _LONGEST_SIDE):
        raise corrupt()
    return PngFile(data, width, height, depth, colour, bool(interlace))


PNG = Format("PNG", _matches, _open)
