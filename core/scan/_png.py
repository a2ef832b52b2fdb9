"""PNG (ISO/IEC 15948), still images.

The chunks are walked here, every checksum compared, and only IHDR, PLTE and IDAT handed to
a decoder. So compressed text cannot blow up, metadata cannot travel, and a flipped bit is an
error and not a wrong pixel.

Never read wrongly:

* 16 bits of grey are kept as they are and shown through a window; of colour, the upper eight
  are kept and a note says so.
* Transparency is dropped where every pixel is opaque; where one is not, the image is laid on
  black and a note says so.
* An animation is refused: nobody said which frame is the scan.
* Grey with 1, 2 or 4 bits is spread exactly over 0 to 255 (section 13.12 of the standard).
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, PngImagePlugin

from core.errors import ScanError, UnsupportedFormat
from core.scan._exif import orientation
from core.scan._formats import Decoded, Format, corrupt
from core.scan._samples import Samples, assemble, look_up
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
#: Every byte of an image before it is decoded into; any value would do.
_FILL = 0xA5
#: Bytes that are inflated at a time.
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
        chunks = _gather(self.data)
        if chunks.frames > 1:
            raise UnsupportedFormat(
                _("This PNG is an animation. Save the one frame to be read as a still image.")
            )
        samples, alpha = self._colours(self._samples(chunks), chunks)
        return assemble(samples, alpha, turn=orientation(chunks.exif))

    def _rows(self, image: tuple[bytes, ...]) -> list[bytes]:
        """Return the image, its rows counted, packed again without compression, as chunks.

        Decoders leave missing rows as they were and do not tell.
        """
        bits = self.depth * _CHANNELS[self.colour]
        missing = 0
        for left, top, right, down in _ADAM7 if self.interlaced else _WHOLE:
            columns = -(-(self.width - left) // right)
            rows = -(-(self.height - top) // down)
            if columns > 0 and rows > 0:
                missing += rows * (1 + -(-columns * bits // 8))
        inflater, packer = zlib.decompressobj(), zlib.compressobj(0)
        packed = []
        try:
            for piece in _pieces(image):
                tail: bytes | memoryview = piece
                while tail and missing > 0:
                    inflated = inflater.decompress(tail, min(missing, _PIECE))
                    missing -= len(inflated)
                    packed.append(packer.compress(inflated))
                    tail = inflater.unconsumed_tail
            if missing > 0:
                inflated = inflater.decompress(b"", missing)
                missing -= len(inflated)
                packed.append(packer.compress(inflated))
        except zlib.error as error:
            raise corrupt() from error
        if missing > 0:
            raise corrupt()
        packed.append(packer.flush())
        return [_chunk(b"IDAT", part) for part in packed if part]

    def _samples(self, chunks: _Chunks) -> Samples:
        """Return the samples: grey below 8 bits spread over 0 to 255, a palette as its indices."""
        if self.depth == 16 and self.colour in (_RGB, _RGBA):
            return self._deep_colours(self._clean(chunks, self._rows(chunks.image)))
        if self.depth >= 8 and self.colour != _PALETTE and not self.interlaced:
            # Rows come in order. A last row that differs from what was there before has been
            # written, so all have; else they are counted, which is nearly as much work again.
            samples = self._decoded(self._clean(chunks, chunks.image), filled=True)
            if np.any(samples[-1] != (_FILL * 257 if samples.dtype == np.uint16 else _FILL)):
                return self._joined(samples)
        samples = self._decoded(self._clean(chunks, self._rows(chunks.image)))
        return self._joined(samples)

    @property
    def _as_bytes(self) -> bool:
        # Rows are filtered by bytes, so grey of 16 bits with alpha is four bytes like any other.
        return self.depth == 16 and self.colour == _GREY_ALPHA

    def _joined(self, samples: Samples) -> Samples:
        return samples.view(">u2").astype(np.uint16) if self._as_bytes else samples

    def _clean(self, chunks: _Chunks, image: Sequence[bytes]) -> bytes:
        """Return the file with nothing but the image in it."""
        depth, colour = (8, _RGBA) if self._as_bytes else (self.depth, self.colour)
        header = struct.pack(
            ">IIBBBBB", self.width, self.height, depth, colour, 0, 0, self.interlaced
        )
        # Pillow wants a palette where the header announces one; the colours are looked up here.
        palette = _chunk(b"PLTE", chunks.palette) if colour == _PALETTE else b""
        return b"".join((SIGNATURE, _chunk(b"IHDR", header), palette, *image, _chunk(b"IEND", b"")))

    def _decoded(self, clean: bytes, *, filled: bool = False) -> Samples:
        """Decode with Pillow, into an image that is ``filled`` with a known value before."""
        deep = self.depth == 16 and self.colour == _GREY
        expected = "I;16" if deep else _MODES[_RGBA if self._as_bytes else self.colour]
        try:
            # Not Image.open: it warns, through the process's warning filters, about sizes that
            # a site may well have allowed. The limits have been held before.
            with PngImagePlugin.PngImageFile(io.BytesIO(clean)) as opened:
                if filled:
                    value = _FILL * 257 if deep else (_FILL,) * len(opened.getbands())
                    opened.im = Image.new(opened.mode, opened.size, value).im
                opened.load()
                mode, size = opened.mode, opened.size
                still = opened.convert("L") if mode == "1" else opened
                samples = np.asarray(still)
        except (OSError, SyntaxError, ValueError, EOFError) as error:
            raise corrupt() from error
        if still.mode != expected or size != (self.width, self.height):
            raise corrupt()
        return np.asarray(samples, np.uint16 if deep else np.uint8)

    def _deep_colours(self, clean: bytes) -> NDArray[np.uint16]:
        """Return RGB or RGBA of 16 bits, which Pillow would cut to eight."""
        try:
            stored = cv2.imdecode(np.frombuffer(clean, np.uint8), cv2.IMREAD_UNCHANGED)
        except cv2.error as error:
            raise corrupt() from error
        shape = (self.height, self.width, _CHANNELS[self.colour])
        if stored is None or stored.dtype != np.uint16 or stored.shape != shape:
            raise corrupt()
        order = [2, 1, 0, 3][: shape[2]]
        return np.asarray(stored[..., order], np.uint16)

    def _colours(self, samples: Samples, chunks: _Chunks) -> tuple[Samples, Samples | None]:
        """Return grey or RGB, and the alpha channel where there is one."""
        key = chunks.transparency
        if self.colour == _PALETTE:
            palette = np.frombuffer(chunks.palette, np.uint8)
            if not 0 < palette.size <= 768 or palette.size % 3:
                raise corrupt()
            indices = np.asarray(samples, np.uint8)
            colours = look_up(indices, palette.reshape(-1, 3))
            if colours is None:
                raise corrupt()
            if key is None:
                return colours, None
            alpha = np.full(256, 255, np.uint8)
            alpha[: min(len(key), 256)] = np.frombuffer(key[:256], np.uint8)
            return colours, alpha[indices]
        if self.colour == _GREY_ALPHA:
            return samples[..., 0], samples[..., 1]
        if self.colour == _RGBA:
            return samples[..., :3], samples[..., 3]
        return samples, None if key is None else _alpha_of_key(samples, key, self.depth)


def _alpha_of_key(samples: Samples, key: bytes, depth: int) -> Samples:
    """Return alpha for the one transparent colour of a tRNS chunk (section 11.3.2)."""
    channels = 1 if samples.ndim == 2 else 3
    if len(key) != 2 * channels:
        raise corrupt()
    most = 2**depth - 1
    full = int(np.iinfo(samples.dtype).max)
    values = np.array(struct.unpack(f">{channels}H", key)) & most
    colour = (values * full // most).astype(samples.dtype)
    clear = samples == colour if channels == 1 else np.all(samples == colour, axis=2)
    return np.where(clear, 0, full).astype(samples.dtype)


def _pieces(image: tuple[bytes, ...]) -> Iterator[memoryview]:
    """Yield what is compressed in small pieces: what one inflation leaves over is copied."""
    for chunk in image:
        body = memoryview(chunk)[8:-4]
        for at in range(0, len(body), _PIECE // 4):
            yield body[at : at + _PIECE // 4]


def _chunk(kind: bytes, body: bytes) -> bytes:
    check = zlib.crc32(body, zlib.crc32(kind))
    return b"".join((struct.pack(">I", len(body)), kind, body, struct.pack(">I", check)))


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
