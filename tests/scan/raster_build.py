"""Pictures and the files that hold them, built byte by byte where a library cannot."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Mapping, Sequence

import numpy as np
from PIL import Image

SIGNATURE = b"\x89PNG\r\n\x1a\n"


def saved(image: Image.Image, format_: str, **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, format=format_, **options)
    return out.getvalue()


def opened(data: bytes) -> Image.Image:
    """Open with Pillow alone, to compare with."""
    with Image.open(io.BytesIO(data)) as image:
        image.load()
        return image.copy()


def picture(seed: int = 0, shape: tuple[int, ...] = (48, 64)) -> np.ndarray:
    """uint8 blocks of 8 x 8 pixels: a JPEG keeps them nearly."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (6, 8, *shape[2:]), dtype=np.uint8)
    return np.kron(coarse, np.ones((8, 8) + (1,) * (len(shape) - 2), np.uint8))


def deep_picture(seed: int = 0, shape: tuple[int, ...] = (48, 64), most: int = 65535) -> np.ndarray:
    """uint16 noise up to ``most``, both ends included."""
    values = np.random.default_rng(seed).integers(0, most + 1, shape).astype(np.uint16)
    values.flat[0], values.flat[-1] = 0, most
    return values


# PNG


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def header(width: int, height: int, depth: int = 8, colour: int = 0) -> bytes:
    return chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))


def png(*chunks: bytes) -> bytes:
    return SIGNATURE + b"".join(chunks) + chunk(b"IEND", b"")


def png_of(samples: np.ndarray, *between: bytes) -> bytes:
    """A PNG of uint8 or uint16 ``(H, W)`` or ``(H, W, 2 to 4)``, chunks before the image."""
    channels = 1 if samples.ndim == 2 else samples.shape[2]
    colour = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    depth = 8 * samples.dtype.itemsize
    rows = b"".join(b"\0" + row.astype(f">u{depth // 8}").tobytes() for row in samples)
    head = header(samples.shape[1], samples.shape[0], depth, colour)
    return png(head, *between, chunk(b"IDAT", zlib.compress(rows)))


def grey_png(**options: object) -> bytes:
    return saved(Image.fromarray(picture()), "PNG", **options)


def grey_jpeg(**options: object) -> bytes:
    return saved(Image.fromarray(picture()), "JPEG", **options)


def insert(data: bytes, *chunks: bytes) -> bytes:
    """Put PNG chunks right behind the header."""
    return data[:33] + b"".join(chunks) + data[33:]


# TIFF


def tiff(
    *pages: np.ndarray,
    order: str = "<",
    big: bool = False,
    compression: int = 1,
    photometric: int | None = None,
    planar: bool = False,
    rows_per_strip: int | None = None,
    tile: tuple[int, int] | None = None,
    tags: Mapping[int, tuple[int, Sequence[int]]] | None = None,
    each: Sequence[Mapping[int, tuple[int, Sequence[int]]]] = (),
    parts: Sequence[bytes] | None = None,
) -> bytes:
    """A TIFF of ``(H, W)`` or ``(H, W, samples)`` pages, uncompressed or deflated.

    ``tags`` are added to every page as ``{tag: (type, values)}`` or replace its own, ``each`` to
    one page; ``parts`` replace strips that were packed by somebody else.
    """
    pointer = "Q" if big else "I"
    head = b"II" if order == "<" else b"MM"
    head += struct.pack(f"{order}H", 43 if big else 42)
    if big:
        head += struct.pack(f"{order}HH", 8, 0)
    out = bytearray(head + struct.pack(f"{order}{pointer}", 0))
    link = len(out) - struct.calcsize(pointer)
    for index, page in enumerate(pages):
        blocks = parts or [
            zlib.compress(block) if compression in (8, 32946) else block
            for block in _blocks(page, order, planar, rows_per_strip, tile)
        ]
        places = []
        for block in blocks:
            places.append(len(out))
            out += block + b"\0" * (len(block) % 2)
        entries = _page_tags(page, photometric, planar, compression)
        place, size = (324, 325) if tile else (273, 279)
        entries[place] = (16 if big else 4, places)
        entries[size] = (4, [len(block) for block in blocks])
        if tile:
            entries |= {322: (3, [tile[1]]), 323: (3, [tile[0]])}
        else:
            entries[278] = (3, [rows_per_strip or page.shape[0]])
        entries |= tags or {}
        entries |= each[index] if each else {}
        struct.pack_into(f"{order}{pointer}", out, link, len(out))
        link = _write_directory(out, entries, order, big)
    return bytes(out)


def _page_tags(
    page: np.ndarray, photometric: int | None, planar: bool, compression: int
) -> dict[int, tuple[int, Sequence[int]]]:
    samples = 1 if page.ndim == 2 else page.shape[2]
    numbers = {"u": 1, "i": 2, "f": 3}[page.dtype.kind]
    if photometric is None:
        photometric = 1 if samples < 3 else 2
    return {
        256: (3, [page.shape[1]]),
        257: (3, [page.shape[0]]),
        258: (3, [8 * page.dtype.itemsize] * samples),
        259: (3, [compression]),
        262: (3, [photometric]),
        277: (3, [samples]),
        284: (3, [2 if planar else 1]),
        339: (3, [numbers] * samples),
    }


def _blocks(
    page: np.ndarray,
    order: str,
    planar: bool,
    rows_per_strip: int | None,
    tile: tuple[int, int] | None,
) -> list[bytes]:
    stored = page.astype(page.dtype.newbyteorder(order))
    planes = [stored[..., c] for c in range(page.shape[2])] if planar else [stored]
    out = []
    for plane in planes:
        height, width = plane.shape[:2]
        high, wide = tile or (rows_per_strip or height, width)
        for top in range(0, height, high):
            for left in range(0, width, wide):
                block = plane[top : top + high, left : left + wide]
                if tile:
                    missing = ((0, high - block.shape[0]), (0, wide - block.shape[1]))
                    block = np.pad(block, missing + ((0, 0),) * (block.ndim - 2))
                out.append(np.ascontiguousarray(block).tobytes())
    return out


def _write_directory(
    out: bytearray, entries: Mapping[int, tuple[int, Sequence[int]]], order: str, big: bool
) -> int:
    """Append a directory and what it points at; return where the link to the next one lies."""
    codes = {1: "B", 2: "B", 3: "H", 4: "I", 7: "B", 16: "Q"}
    inline, count, pointer = (8, "Q", "Q") if big else (4, "H", "I")
    entry_size = 4 + 2 * inline
    start = len(out)
    after = start + struct.calcsize(count) + entry_size * len(entries) + inline
    out += struct.pack(f"{order}{count}", len(entries))
    far = bytearray()
    for tag, (kind, values) in sorted(entries.items()):
        body = struct.pack(f"{order}{len(values)}{codes[kind]}", *values)
        if len(body) > inline:
            place = after + len(far)
            far += body + b"\0" * (len(body) % 2)
            body = struct.pack(f"{order}{pointer}", place)
        out += struct.pack(f"{order}HH{pointer}", tag, kind, len(values)) + body.ljust(
            inline, b"\0"
        )
    link = len(out)
    out += struct.pack(f"{order}{pointer}", 0) + far
    return link


# BMP


def bmp(
    rows: np.ndarray,
    bits: int,
    *,
    palette: np.ndarray | None = None,
    masks: Sequence[int] = (),
    size: int = 40,
    top_down: bool = False,
) -> bytes:
    """A BMP of packed rows, uint8 ``(H, bytes)``, and its width in the bytes of a row."""
    height, row_bytes = rows.shape
    width = row_bytes * 8 // bits
    padded = np.pad(rows, ((0, 0), (0, -row_bytes % 4)))
    body = (padded if top_down else padded[::-1]).tobytes()
    entry = 3 if size == 12 else 4
    colours = b"".join(
        bytes(colour[::-1]) + b"\0" * (entry - 3) for colour in (() if palette is None else palette)
    )
    if size == 12:
        info = struct.pack("<IHHHH", 12, width, height, 1, bits)
    else:
        compression = 3 if masks else 0
        shown = -height if top_down else height
        used = 0 if palette is None else len(palette)
        info = struct.pack(
            "<IiiHHIIiiII", size, width, shown, 1, bits, compression, len(body), 2835, 2835, used, 0
        )
        info += struct.pack(f"<{len(masks)}I", *masks)
        info = info.ljust(size, b"\0") if size > 40 else info
    start = 14 + len(info) + len(colours)
    return struct.pack("<2sIHHI", b"BM", start + len(body), 0, 0, start) + info + colours + body
