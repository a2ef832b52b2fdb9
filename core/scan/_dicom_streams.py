"""What compressed frames say of themselves, looked up before a decoder believes it."""

from __future__ import annotations

import struct

from core.errors import UnsupportedFormat
from core.scan._formats import corrupt
from core.scan._jpeg import walk_jpeg
from core.text import _

#: Rows, columns, components and precision in bits.
Size = tuple[int, int, int, int]

#: How far into a frame its size is looked for; what stands before it is small.
_HEADER = 2**16
#: Frame headers of JPEG (T.81, table B.1) and JPEG-LS (T.87).
_FRAME_HEADERS = (frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}) | {0xF7}
#: The box that wrapped JPEG 2000 begins with (T.800 I.5.1), and how many others may follow before
#: the codestream.
_WRAPPED = b"\x00\x00\x00\x0cjP  \r\n\x87\n"
_MOST_BOXES = 100
_SOF3, _DHT, _EOI, _SOS, _DRI = 0xC3, 0xC4, 0xD9, 0xDA, 0xDD
#: Adobe's mark: no colour transform.
_AS_STORED = b"\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00\x00"


def unread_syntax() -> UnsupportedFormat:
    """Return the error for a compression that is not read."""
    return UnsupportedFormat(
        _("This DICOM image is compressed in a way that is not read here. Export it uncompressed.")
    )


def jpeg_size(frame: bytes, read: frozenset[int]) -> Size | None:
    """Return rows, columns, components and precision of a JPEG or JPEG-LS frame header.

    Raises
    ------
    UnsupportedFormat
        It is of another process than those to be read.
    """
    position = 2
    if not frame.startswith(b"\xff\xd8"):
        return None
    while position + 10 <= min(len(frame), _HEADER):
        if frame[position] != 0xFF:
            return None
        marker = frame[position + 1]
        if marker == 0xFF:  # any marker may be padded (T.81 B.1.1.2)
            position += 1
            continue
        if marker in _FRAME_HEADERS:
            if marker not in read:
                raise unread_syntax()
            precision, rows, columns, components = struct.unpack_from(">BHHB", frame, position + 4)
            return rows, columns, components, precision
        if marker == 0xDA:
            return None
        position += 2 + int(struct.unpack_from(">H", frame, position + 2)[0])
    return None


def jpeg_2000_size(frame: bytes) -> Size | None:
    """Return rows, columns, components and precision of a JPEG 2000 codestream (T.800 A.5.1)."""
    start = 0
    if frame.startswith(_WRAPPED):
        # Boxes up to the codestream (T.800 I.4). One of no length would keep pydicom for ever.
        start = len(_WRAPPED)
        for _box in range(_MOST_BOXES):
            length, kind = struct.unpack_from(">I4s", frame, start)
            if kind == b"jp2c":
                start += 8
                break
            if length < 8:
                return None
            start += length
    if not frame.startswith(b"\xff\x4f\xff\x51", start) or start + 43 > len(frame):
        return None
    right, bottom, left, top = struct.unpack_from(">4I", frame, start + 8)
    components, depth = struct.unpack_from(">HB", frame, start + 40)
    return bottom - top, right - left, components, (depth & 0x7F) + 1


def lossless_essence(frame: bytes, components: int) -> bytes:
    """Return a lossless JPEG (T.81, annex H) with nothing in it but the image.

    GDCM ends the process where a mark for colours contradicts the header: with a mark of our own
    there is none to contradict it, and components come out as they went in.

    Raises
    ------
    CorruptFile
        It is not one such image, whole.
    UnsupportedFormat
        Its components are of different sizes.
    """
    kept = [frame[:2], _AS_STORED if components == 3 else b""]
    frames = scanned = 0
    for marker, start, body, end in walk_jpeg(frame):
        if marker == _SOF3:
            frames += 1
            if frame[body + 5] != components or end - body != 6 + 3 * components:
                raise corrupt()
            if any(frame[body + 7 + 3 * index] != 0x11 for index in range(components)):
                raise unread_syntax()
        elif marker == _SOS:
            count = frame[body]
            predictor, last, shift = frame[body + 1 + 2 * count : body + 4 + 2 * count]
            scanned += count
            if frames != 1 or not 1 <= predictor <= 7 or last or shift:
                raise corrupt()
        if marker in (_SOF3, _DHT, _DRI, _SOS, _EOI):
            kept.append(frame[start:end])
    if frames != 1 or scanned != components:
        raise corrupt()
    return b"".join(kept)
