"""A file of every picture format and encoding, made of a phantom or of numbers."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from functools import cache

import cv2
import numpy as np
from format_sample import FormatSample
from PIL import Image
from raster_build import (
    bmp,
    chunk,
    deep_picture,
    header,
    insert,
    picture,
    png,
    png_of,
    saved,
    tiff,
)

from core.scan import make_phantom
from core.scan.phantom import PhantomSpec

RGB = (48, 64, 3)
RGBA = (48, 64, 4)


@cache
def phantom() -> np.ndarray:
    return make_phantom(PhantomSpec(width=96, height=80), seed=1).scan.pixels


def samples() -> Iterator[FormatSample]:
    """Yield every sample, in the order of the table."""
    for group, make in (
        ("PNG", _png),
        ("JPEG", _jpeg),
        ("TIFF", _tiff),
        ("BMP", _bmp),
        ("WebP", _webp),
        ("Other files", _others),
    ):
        for name, data in make():
            yield FormatSample(group, name, data)


def with_alpha(pixels: np.ndarray, alpha: int) -> np.ndarray:
    """Add an opaque channel with a patch of ``alpha``."""
    most = np.iinfo(pixels.dtype).max
    channel = np.full(pixels.shape[:2], most, pixels.dtype)
    channel[:20, :30] = alpha
    return np.dstack([pixels, channel])


def adam7(values: np.ndarray) -> bytes:
    """An interlaced PNG of uint8 or uint16 grey."""
    passes = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2))
    size = values.dtype.itemsize
    rows = b"".join(
        b"\0" + row.astype(f">u{size}").tobytes()
        for top, left, down, right in (*passes, (1, 0, 2, 1))
        for row in values[top::down, left::right]
    )
    height, width = values.shape
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8 * size, 0, 0, 0, 1))
    return png(head, chunk(b"IDAT", zlib.compress(rows)))


def few_bits(bits: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return levels ``(40, 48)`` of few bits, and their packed rows."""
    levels = np.random.default_rng(seed).integers(0, 2**bits, (40, 48)).astype(np.uint8)
    single = (levels[..., None] >> np.arange(bits - 1, -1, -1)) & 1
    return levels, np.packbits(single.reshape(40, -1).astype(np.uint8), axis=1)


def _png() -> Iterator[tuple[str, bytes]]:
    for bits in (1, 2, 4):
        rows = b"".join(b"\0" + row.tobytes() for row in few_bits(bits)[1])
        image = chunk(b"IDAT", zlib.compress(rows))
        yield f"grey, {bits} bit{'s' * (bits > 1)}", png(header(48, 40, bits), image)
    grey = Image.fromarray(phantom())
    yield "grey, 8 bits", saved(grey, "PNG")
    yield "grey, 16 bits", saved(Image.fromarray(deep_picture()), "PNG")
    yield "grey, 12 bits in 16", saved(Image.fromarray(deep_picture(most=4095)), "PNG")
    yield "RGB, 8 bits", png_of(picture(1, RGB))
    yield "RGB, 16 bits", png_of(deep_picture(1, RGB))
    yield "RGB, 16 bits, all grey", png_of(np.dstack([deep_picture()] * 3))
    yield "palette", saved(grey.quantize(16), "PNG")
    yield "palette with transparency", saved(grey.quantize(8), "PNG", transparency=b"\xff\0")
    yield "grey, one colour transparent", saved(grey, "PNG", transparency=int(phantom()[40, 40]))
    for kind, shape in (("grey", (48, 64)), ("RGB", RGB)):
        for bits in (8, 16):
            values = picture(2, shape) if bits == 8 else deep_picture(2, shape)
            yield f"{kind}, {bits} bits, opaque alpha", png_of(with_alpha(values, 2**bits - 1))
            yield f"{kind}, {bits} bits, transparent parts", png_of(with_alpha(values, 99))
    yield "interlaced, 8 bits", adam7(picture(3))
    yield "interlaced, 16 bits", adam7(deep_picture(3))
    exif = Image.Exif()
    exif[0x0112] = 6
    yield "EXIF orientation", saved(grey, "PNG", exif=exif)
    frames = [Image.fromarray(picture(seed)) for seed in range(3)]
    yield "animation (APNG)", saved(frames[0], "PNG", save_all=True, append_images=frames[1:])
    yield "private extension", insert(saved(grey, "PNG"), chunk(b"ABCD", b""))
    yield "cut off", saved(grey, "PNG")[:-200]


def _jpeg() -> Iterator[tuple[str, bytes]]:
    grey, colour = Image.fromarray(phantom()), Image.fromarray(picture(4, RGB))
    yield "grey, baseline", saved(grey, "JPEG", quality=90)
    yield "colour, 4:4:4", saved(colour, "JPEG", subsampling=0)
    yield "colour, 4:2:0", saved(colour, "JPEG", subsampling=2)
    yield "progressive", saved(colour, "JPEG", progressive=True)
    exif = Image.Exif()
    exif[0x0112] = 3
    yield "EXIF orientation", saved(grey, "JPEG", exif=exif)
    inks = saved(colour.convert("CMYK"), "JPEG")
    yield "CMYK (Adobe)", inks
    yield "CMYK that does not say how it is stored", inks.replace(b"Adobe", b"Other")
    plain = saved(grey, "JPEG")
    frame = plain.index(b"\xff\xc0")
    yield "12 bits", plain[: frame + 4] + b"\x0c" + plain[frame + 5 :]
    yield "lossless (process 14)", plain[: frame + 1] + b"\xc3" + plain[frame + 2 :]
    yield "arithmetic coding", plain[: frame + 1] + b"\xc9" + plain[frame + 2 :]
    yield "cut off", plain[:-200]


def _tiff() -> Iterator[tuple[str, bytes]]:
    grey, deep, colour = phantom(), deep_picture(), picture(5, RGB)
    for bits in (1, 2, 4):
        packed = few_bits(bits)[1]
        wide = {256: (3, [48]), 258: (3, [bits])}
        yield f"grey, {bits} bit{'s' * (bits > 1)}", tiff(packed, tags=wide)
    yield "grey, 8 bits", tiff(grey)
    yield "grey, 12 bits", packed_12(deep_picture(most=4095))
    yield "grey, 16 bits", tiff(deep, rows_per_strip=7)
    yield "grey, 16 bits, big endian", tiff(deep, order=">")
    yield "grey, 16 bits, white is zero", tiff(deep, photometric=0)
    yield "grey, 8 bits, white is zero", tiff(grey, photometric=0)
    for name, title in (
        ("tiff_lzw", "LZW"),
        ("tiff_adobe_deflate", "Deflate"),
        ("packbits", "PackBits"),
        ("zstd", "Zstandard"),
        ("lzma", "LZMA"),
    ):
        yield f"grey, 16 bits, {title}", saved(Image.fromarray(deep), "TIFF", compression=name)
    predicted = saved(Image.fromarray(deep), "TIFF", compression="tiff_lzw", tiffinfo={317: 2})
    yield "grey, 16 bits, LZW with predictor", predicted
    yield "tiles", tiff(deep, tile=(16, 32))
    yield "BigTIFF", tiff(deep, big=True)
    yield "RGB, 8 bits", tiff(colour)
    yield "RGB, 8 bits, planes", tiff(colour, planar=True)
    yield "RGB, 16 bits", tiff(deep_picture(6, RGB))
    bgr = np.ascontiguousarray(deep_picture(6, RGB)[..., ::-1])
    yield "RGB, 16 bits, LZW", cv2.imencode(".tiff", bgr)[1].tobytes()
    yield "RGB, 16 bits, all grey", tiff(np.dstack([deep] * 3))
    alpha = {338: (3, [2])}
    yield "RGB, opaque alpha", tiff(with_alpha(colour, 255), tags=alpha)
    yield "RGB, transparent parts", tiff(with_alpha(colour, 99), tags=alpha)
    yield "grey, 16 bits, transparent parts", tiff(with_alpha(deep, 99), tags=alpha)
    yield "RGB, premultiplied alpha", tiff(with_alpha(colour, 99), tags={338: (3, [1])})
    yield "palette", saved(Image.fromarray(grey).quantize(16), "TIFF")
    yield "CMYK", tiff(picture(7, RGBA), photometric=5)
    yield "JPEG, grey", saved(Image.fromarray(grey), "TIFF", compression="jpeg")
    yield "JPEG, colour", saved(Image.fromarray(colour), "TIFF", compression="jpeg")
    yield "signed, 8 bits", tiff(grey.astype(np.int16).__sub__(128).astype(np.int8))
    yield "signed, 16 bits", tiff((deep.astype(np.int32) - 32768).astype(np.int16))
    yield "32 bits, within a range of 65,535", tiff(deep.astype(np.uint32) + 1_000_000)
    yield "32 bits, wider", tiff(deep.astype(np.uint32) * 2)
    yield "floating point, whole numbers", tiff(deep.astype(np.float32) - 1024)
    yield "floating point, 16 bits scaled to 0 to 1", tiff((deep / 65535).astype(np.float32))
    noise = np.random.default_rng(8).standard_normal((48, 64)).astype(np.float32)
    yield "floating point, any", tiff(noise)
    yield "EXIF orientation", tiff(deep, tags={274: (3, [6])})
    pages = [deep_picture(seed) for seed in range(3)]
    yield "pages of one size (frames)", tiff(*pages)
    preview = {254: (4, [1])}
    yield "page and a marked preview", tiff(deep, deep[:34, :34], each=[{}, preview])
    yield "pages of different sizes", tiff(deep, deep[:40, :40])
    yield "fax (CCITT G4)", saved(Image.fromarray(grey > 60), "TIFF", compression="group4")
    yield "CIELab", tiff(colour, photometric=8)
    yield "extra channels", tiff(picture(9, (48, 64, 2)), tags={338: (3, [0])})
    yield "cut off", tiff(deep)[:-200]


def packed_12(values: np.ndarray) -> bytes:
    """A TIFF of 12 bits, two values in three bytes."""
    even, odd = values[:, 0::2].astype(np.uint16), values[:, 1::2].astype(np.uint16)
    rows = np.stack([even >> 4, ((even & 15) << 4) | (odd >> 8), odd & 255], axis=-1)
    packed = rows.astype(np.uint8).reshape(len(values), -1)
    return tiff(packed, tags={256: (3, [values.shape[1]]), 258: (3, [12])})


def _bmp() -> Iterator[tuple[str, bytes]]:
    palette = np.random.default_rng(1).integers(0, 256, (256, 3)).astype(np.uint8)
    for bits in (1, 4):
        yield (
            f"palette, {bits} bit{'s' * (bits > 1)}",
            bmp(few_bits(bits)[1], bits, palette=palette[: 2**bits]),
        )
    yield "palette, 8 bits", bmp(phantom(), 8, palette=palette)
    yield "grey, 8 bits", saved(Image.fromarray(phantom()), "BMP")
    yield "RGB, 24 bits", saved(Image.fromarray(picture(1, RGB)), "BMP")
    yield "RGB, 24 bits, top down", bmp(picture(1, RGB).reshape(48, -1), 24, top_down=True)
    words = deep_picture(2).view(np.uint8)
    yield "RGB, 16 bits, 5-5-5", bmp(words, 16)
    yield "RGB, 16 bits, 5-6-5", bmp(words, 16, masks=(0xF800, 0x07E0, 0x001F))
    yield "RGB, 32 bits", bmp(picture(3, RGBA).reshape(48, -1), 32)
    masks = (0xFF0000, 0xFF00, 0xFF, 0xFF000000)
    for kind, alpha in (("opaque alpha", 255), ("transparent parts", 99)):
        rows = with_alpha(picture(3, RGB), alpha).reshape(48, -1)
        yield f"RGB, 32 bits, {kind}", bmp(rows, 32, masks=masks, size=56)
    yield "OS/2", bmp(phantom(), 8, palette=palette, size=12)
    squeezed = bytearray(bmp(phantom(), 8, palette=palette))
    squeezed[30] = 1
    yield "run-length compression", bytes(squeezed)
    yield "cut off", bmp(phantom(), 8, palette=palette)[:-200]


def _webp() -> Iterator[tuple[str, bytes]]:
    grey, colour = Image.fromarray(phantom()), Image.fromarray(picture(1, RGB))
    yield "with loss", saved(colour, "WEBP", quality=85)
    yield "lossless", saved(colour, "WEBP", lossless=True)
    yield "lossless, grey", saved(grey, "WEBP", lossless=True)
    clear = Image.fromarray(with_alpha(picture(1, RGB), 99))
    yield "lossless, transparent parts", saved(clear, "WEBP", lossless=True)
    yield "with loss, transparent parts", saved(clear, "WEBP", quality=85)
    exif = Image.Exif()
    exif[0x0112] = 8
    yield "EXIF orientation", saved(colour, "WEBP", lossless=True, exif=exif)
    frames = [Image.fromarray(picture(seed)) for seed in range(3)]
    yield "animation", saved(frames[0], "WEBP", save_all=True, append_images=frames[1:])
    yield "cut off", saved(grey, "WEBP", lossless=True)[:-200]


def _others() -> Iterator[tuple[str, bytes]]:
    yield "GIF", saved(Image.fromarray(phantom()), "GIF")
    yield "JPEG 2000", saved(Image.fromarray(phantom()), "JPEG2000")
    yield "PDF", b"%PDF-1.7\n" + b"\0" * 500
    yield "empty", b""
