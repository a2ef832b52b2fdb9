"""WebP: still images, with loss or without, decoded by libwebp.

The chunks are walked here, and only those of the image handed on: EXIF (after its orientation was
read), XMP and colour profiles stay behind. Like a JPEG, a WebP has no checksum: a file that was
cut off is found, a flipped bit that leaves a whole image is not. An animation is refused: its
frames are changes to each other, and nobody said which one is the scan.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from PIL import WebPImagePlugin

from core.errors import UnsupportedFormat
from core.scan._exif import orientation
from core.scan._formats import Decoded, Format, corrupt
from core.scan._samples import assemble
from core.text import _

_LOSSY, _LOSSLESS, _EXTENDED = b"VP8 ", b"VP8L", b"VP8X"
_ALPHA, _ANIMATION = 0x10, 0x02
_MOST_CHUNKS = 10_000
_HEADER = 12


@dataclass(frozen=True, slots=True, eq=False)
class WebpFile:
    """A WebP whose headers have been read."""

    data: bytes = field(repr=False)
    width: int
    height: int
    animated: bool

    def decode(self) -> Decoded:
        """Decode the whole image."""
        if self.animated:
            raise UnsupportedFormat(
                _("This WebP is an animation. Save the one frame to be read as a still image.")
            )
        clean, turn = _essence(self.data)
        try:
            # Not Image.open: it warns, through the process's warning filters, about sizes that
            # a site may well have allowed. The limits have been held before.
            with WebPImagePlugin.WebPImageFile(io.BytesIO(clean)) as image:
                image.load()
                mode, size = image.mode, image.size
                pixels = np.asarray(image, np.uint8)
        except (OSError, SyntaxError, ValueError, EOFError) as error:
            raise corrupt() from error
        if size != (self.width, self.height) or mode not in ("RGB", "RGBA"):
            raise corrupt()
        if mode == "RGB":
            return assemble(pixels, turn=turn)
        return assemble(pixels[..., :3], pixels[..., 3], turn=turn)


def _walk(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Yield (kind, start, end) of each chunk's body; what follows the file is ignored."""
    (size,) = struct.unpack_from("<I", data, 4)
    whole = 8 + size
    if whole > len(data):
        raise corrupt()
    position = _HEADER
    for _index in range(_MOST_CHUNKS):
        if position + 8 > whole:
            return
        kind, length = struct.unpack_from("<4sI", data, position)
        start, end = position + 8, position + 8 + length
        if end > whole:
            raise corrupt()
        yield kind, start, end
        position = end + length % 2
    raise corrupt()


def _essence(data: bytes) -> tuple[bytes, int]:
    """Return the file with nothing but the image in it, and its EXIF orientation."""
    kept: list[bytes] = []
    exif, images = b"", 0
    for kind, start, end in _walk(data):
        body = data[start:end]
        if kind == b"EXIF":
            # Some writers begin the block as a JPEG does.
            exif = exif or body.removeprefix(b"Exif\0\0")
        elif kind == _EXTENDED:
            body = bytes((body[0] & _ALPHA,)) + body[1:]
        images += kind in (_LOSSY, _LOSSLESS)
        if kind in (_EXTENDED, _LOSSY, _LOSSLESS, b"ALPH"):
            kept.append(kind + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2))
    if images != 1:
        raise corrupt()
    chunks = b"".join(kept)
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WEBP" + chunks, orientation(exif)


def _matches(data: bytes) -> bool:
    return data.startswith(b"RIFF") and data[8:12] == b"WEBP"


def _open(data: bytes) -> WebpFile:
    first = next(_walk(data), None)
    if first is None:
        raise corrupt()
    kind, start, end = first
    head = data[start : min(end, start + 10)]
    if kind == _EXTENDED and len(head) == 10:
        width = 1 + int.from_bytes(head[4:7], "little")
        height = 1 + int.from_bytes(head[7:10], "little")
        return WebpFile(data, width, height, bool(head[0] & _ANIMATION))
    if kind == _LOSSY and len(head) == 10 and head[3:6] == b"\x9d\x01\x2a":
        # 14 bits each; the two above them only ask to be shown larger (RFC 6386 section 9.1).
        width, height = (side & 0x3FFF for side in struct.unpack_from("<HH", head, 6))
    elif kind == _LOSSLESS and len(head) >= 5 and head[0] == 0x2F:
        (sides,) = struct.unpack_from("<I", head, 1)
        width, height = 1 + (sides & 0x3FFF), 1 + (sides >> 14 & 0x3FFF)
    else:
        raise corrupt()
    if not width or not height:
        raise corrupt()
    return WebpFile(data, width, height, animated=False)


WEBP = Format("WebP", _matches, _open)
