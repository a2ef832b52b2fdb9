"""TIFF 6.0 and BigTIFF: grey, RGB, palette and CMYK, 1 to 32 bits, strips or tiles.

Uncompressed, Deflate, LZW, PackBits, Zstandard, LZMA and baseline JPEG. Fax, JPEG 2000, WebP and
old JPEG compression, raw camera data and CIELab are refused: save a plain copy.

Pages of one size and kind are the frames of a loop, each with its own full range as window.
Pages that the file itself marks as previews or masks (NewSubfileType) are passed over. Pages that
differ otherwise are refused: nobody said which one is the scan.

More than 16 bits, signed numbers and floating point are turned into uint16 with slope and
intercept where every value is given back exactly, and refused where one is not.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import ScanError, UnsupportedFormat
from core.scan._formats import Decoded, Format, corrupt
from core.scan._jpeg import decode_part
from core.scan._parts import Note
from core.scan._samples import Samples, assemble, look_up, rgb_from_print, spread
from core.scan._tiff_directory import HEADERS, Directory, directories
from core.scan._tiff_numbers import FLOAT, SIGNED, UNSIGNED, as_uint16, levels, undo_predictor
from core.scan._tiff_strips import BYTEWISE, JPEG, unpack
from core.text import _

_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _PALETTE, _CMYK, _YCBCR = 0, 1, 2, 3, 5, 6
_COLOURS = {_WHITE_IS_ZERO: 1, _BLACK_IS_ZERO: 1, _RGB: 3, _PALETTE: 1, _CMYK: 4, _YCBCR: 3}
#: Bits by sample format (tags 258 and 339).
_BITS = {UNSIGNED: (1, 2, 4, 8, 12, 16, 32), SIGNED: (8, 16, 32), FLOAT: (16, 32, 64)}
_REDUCED, _MASK = 1, 4
_MOST_SAMPLES = 8
#: Strips or tiles of all pages: two thousand frames with a strip per row have half as many.
_MOST_PARTS = 4_000_000
#: Tiles are 16 pixels and more (section 15); of single pixels there would be millions.
_SMALLEST_TILE = 8
_ASSOCIATED, _UNASSOCIATED = 1, 2


@dataclass(frozen=True, slots=True)
class _Layout:
    """What must be the same for pages to be the frames of one loop."""

    width: int
    height: int
    bits: int
    samples: int
    numbers: int
    photometric: int
    extra: tuple[int, ...]
    turn: int


@dataclass(frozen=True, slots=True, eq=False)
class _Page:
    """A page with everything needed to decode it, and nothing else of the file."""

    layout: _Layout
    order: str
    compression: int
    predictor: int
    planar: bool
    #: Width and height of a block: a tile, or a strip as wide as the image.
    block: tuple[int, int]
    tiled: bool
    parts: tuple[bytes, ...] = field(repr=False)
    tables: bytes = field(repr=False)
    palette: NDArray[np.int64] | None = field(repr=False)

    def decode(self) -> Decoded:
        """Decode this page alone."""
        layout = self.layout
        stored = self._stored()
        if layout.photometric == _PALETTE:
            return self._palette(stored[..., 0])
        if layout.numbers != UNSIGNED or layout.bits == 32:
            values, slope, intercept = as_uint16(stored[..., 0])
            inverted = layout.photometric == _WHITE_IS_ZERO
            return assemble(
                values, turn=layout.turn, slope=slope, intercept=intercept, inverted=inverted
            )
        samples: Samples = spread(stored, layout.bits) if layout.bits < 8 else stored
        alpha, notes = self._alpha(samples)
        colours = _COLOURS[layout.photometric]
        if layout.photometric == _CMYK:
            notes += (Note.PRINT_COLOURS,)
            if layout.bits == 16:
                samples, notes = (samples >> 8).astype(np.uint8), (*notes, Note.COLOUR_DEPTH_CUT)
                alpha = None if alpha is None else (alpha >> 8).astype(np.uint8)
            rgb = rgb_from_print(np.asarray(samples[..., :4], np.uint8))
            return assemble(rgb, alpha, turn=layout.turn, notes=notes)
        inverted = layout.photometric == _WHITE_IS_ZERO
        image = samples[..., 0] if colours == 1 else samples[..., :3]
        return assemble(image, alpha, turn=layout.turn, inverted=inverted, notes=notes)

    def _alpha(self, samples: Samples) -> tuple[Samples | None, tuple[Note, ...]]:
        """Return the alpha channel that is still to be laid on black, and what was laid before."""
        colours = _COLOURS[self.layout.photometric]
        alpha: Samples | None = None
        notes: tuple[Note, ...] = ()
        for index, kind in enumerate(self.layout.extra):
            channel = samples[..., colours + index]
            if kind == _UNASSOCIATED and alpha is None:
                alpha = channel
            elif kind == _ASSOCIATED and not notes:
                # Such colours were multiplied with it: they lie on black already.
                if int(channel.min()) < np.iinfo(channel.dtype).max:
                    notes = (Note.TRANSPARENCY_ON_BLACK,)
            elif np.any(channel != channel[0, 0]):
                # A filled channel is padding; one with a picture in it is not left out in silence.
                raise _kind()
        return alpha, notes

    def _palette(self, indices: NDArray[np.uint8]) -> Decoded:
        colours = self.palette
        if colours is None or colours.size != 3 * 2**self.layout.bits:
            raise corrupt()
        table = colours.reshape(3, -1).T
        notes: tuple[Note, ...] = ()
        if int(table.max()) > 255:
            high, low = table >> 8, table & 255
            # Eight bits are stored as v * 256 or as v * 257; anything else had more.
            if np.any((low != 0) & (low != high)):
                notes = (Note.COLOUR_DEPTH_CUT,)
            table = high
        rgb = look_up(indices, table.astype(np.uint8))
        if rgb is None:
            raise corrupt()
        return assemble(rgb, turn=self.layout.turn, notes=notes)

    def _stored(self) -> NDArray[Any]:
        """Return the samples ``(H, W, samples)`` as stored, in this machine's byte order."""
        planes = self.layout.samples if self.planar else 1
        each = len(self.parts) // planes
        chosen = [self.parts[each * plane : each * (plane + 1)] for plane in range(planes)]
        whole = [self._plane(parts) for parts in chosen]
        return whole[0] if planes == 1 else np.concatenate(whole, axis=2)

    def _plane(self, parts: tuple[bytes, ...]) -> NDArray[Any]:
        layout = self.layout
        wide, high = self.block
        rows = [high] * len(parts)
        if not self.tiled:
            rows[-1] = layout.height - high * (len(parts) - 1)
        if self.compression == JPEG:
            stack = np.concatenate([self._jpeg(p, n) for p, n in zip(parts, rows, strict=True)])
        else:
            samples = 1 if self.planar else layout.samples
            row_bytes = (wide * samples * layout.bits + 7) // 8
            packed = unpack(self.compression, parts, tuple(rows), row_bytes)
            stack = levels(packed, wide, samples, layout.bits, layout.numbers, self.order)
            if self.predictor != 1:
                # Rows are predicted one by one, so blocks below each other take one step.
                stack = undo_predictor(
                    stack, packed, self.predictor, layout.bits, layout.numbers, self.order
                )
        if not self.tiled:
            return stack
        across, down = -(-layout.width // wide), -(-layout.height // high)
        grid = stack.reshape(down, across, high, wide, -1).swapaxes(1, 2)
        return grid.reshape(down * high, across * wide, -1)[: layout.height, : layout.width]

    def _jpeg(self, part: bytes, rows: int) -> NDArray[np.uint8]:
        samples = 1 if self.planar else self.layout.samples
        pixels = decode_part(self.tables, part, ycc=self.layout.photometric == _YCBCR)
        pixels = pixels.reshape(*pixels.shape[:2], -1)
        # The last strip may be written at full height.
        if pixels.shape[0] < rows or pixels.shape[1:] != (self.block[0], samples):
            raise corrupt()
        return pixels[:rows]


@dataclass(frozen=True, slots=True, eq=False)
class TiffFile:
    """A TIFF whose directories have been found."""

    pages: tuple[tuple[Directory, _Layout], ...] = field(repr=False)

    @property
    def width(self) -> int:
        """Columns of the first page, as stored."""
        return self.pages[0][1].width

    @property
    def height(self) -> int:
        """Rows of the first page, as stored."""
        return self.pages[0][1].height

    def decode(self) -> Decoded:
        """Decode the first page and keep the others; see the module for what is refused."""
        if any(layout != self.pages[0][1] for _directory, layout in self.pages):
            raise UnsupportedFormat(
                _(
                    "This TIFF holds pages of different kinds. "
                    "Save the one to be read as a file of its own."
                )
            )
        pages: list[_Page] = []
        held = parts = 0
        for directory, layout in self.pages:
            page = _page(directory, layout)
            held += sum(len(part) for part in page.parts)
            parts += len(page.parts)
            # Pages that share their strips make a small file into a large loop.
            if held > len(directory.data) or parts > _MOST_PARTS:
                raise corrupt()
            pages.append(page)
        first = pages[0].decode()
        if len(pages) == 1:
            return first
        more: Callable[[int], Decoded] = partial(_decode, tuple(pages))
        return replace(first, frames=len(pages), more=more, held_bytes=held)


def _decode(pages: tuple[_Page, ...], index: int) -> Decoded:
    return pages[index].decode()


def _layout(directory: Directory) -> _Layout:
    number = directory.number
    samples = number(277, 1)
    bits = directory.array(258)
    every = {1} if bits is None else set(bits.tolist())
    numbers = directory.array(339)
    kinds = {UNSIGNED} if numbers is None else set(numbers.tolist())
    extra = directory.array(338)
    photometric = number(262, -1)
    if len(every) != 1 or len(kinds) != 1 or photometric not in _COLOURS:
        raise _kind()
    spare = samples - _COLOURS[photometric]
    layout = _Layout(
        width=number(256),
        height=number(257),
        bits=every.pop(),
        samples=samples,
        # 4 is "undefined": bits without a meaning are read as plain numbers.
        numbers={4: UNSIGNED}.get(kind := kinds.pop(), kind),
        photometric=photometric,
        extra=(0,) * min(max(spare, 0), _MOST_SAMPLES)
        if extra is None
        else tuple(extra[:64].tolist()),
        turn=turn if 1 <= (turn := number(274, 1)) <= 8 else 1,
    )
    if layout.width < 1 or layout.height < 1:
        raise corrupt()
    return layout


def _check(directory: Directory, layout: _Layout, compression: int) -> None:
    """Refuse what would not be read exactly."""
    spare = layout.samples - _COLOURS[layout.photometric]
    if spare < 0:
        raise corrupt()
    if layout.bits not in _BITS.get(layout.numbers, ()) or layout.samples > _MOST_SAMPLES:
        raise _kind()
    plain = layout.numbers == UNSIGNED and layout.bits in (8, 16)
    grey = layout.photometric in (_WHITE_IS_ZERO, _BLACK_IS_ZERO)
    palette = layout.photometric == _PALETTE and layout.numbers == UNSIGNED and layout.bits <= 8
    refused = (
        # Extra channels nobody named, and several channels of unusual numbers.
        spare != len(layout.extra)
        or not (plain or palette or (grey and layout.samples == 1))
        or (palette and spare)
        or (compression == JPEG and (layout.bits != 8 or not (grey or layout.samples == 3)))
        or (layout.photometric == _YCBCR and (compression != JPEG or directory.number(284, 1) != 1))
        or (layout.photometric == _CMYK and directory.number(332, 1) != 1)
        or directory.number(266, 1) != 1
        or directory.number(284, 1) not in (1, 2)
        or compression not in BYTEWISE | {JPEG}
    )
    predictor = 1 if compression == JPEG else directory.number(317, 1)
    odd = (
        predictor not in (1, 2, 3)
        or (predictor == 2 and (layout.bits not in (8, 16, 32) or layout.numbers == FLOAT))
        or (predictor == 3 and layout.numbers != FLOAT)
    )
    if refused or odd:
        raise _kind()


def _page(directory: Directory, layout: _Layout) -> _Page:
    number = directory.number
    compression = number(259, 1)
    _check(directory, layout, compression)
    tiled = 322 in directory.entries
    if tiled:
        block = (number(322), number(323))
        # A tile larger than its image by far only costs memory.
        sides = (layout.width, layout.height)
        if not all(
            _SMALLEST_TILE <= tile <= 2 * side + 1024
            for tile, side in zip(block, sides, strict=True)
        ):
            raise corrupt()
    else:
        block = (layout.width, min(number(278, layout.height), layout.height))
        if block[1] < 1:
            raise corrupt()
    planar = number(284, 1) == 2 and layout.samples > 1
    each = -(-layout.width // block[0]) * -(-layout.height // block[1])
    expected = each * (layout.samples if planar else 1)
    return _Page(
        layout=layout,
        order=directory.order,
        compression=compression,
        predictor=1 if compression == JPEG else number(317, 1),
        planar=planar,
        block=block,
        tiled=tiled,
        parts=_parts(directory, expected, (324, 325) if tiled else (273, 279)),
        tables=directory.raw(347) if compression == JPEG else b"",
        palette=directory.array(320) if layout.photometric == _PALETTE else None,
    )


def _parts(directory: Directory, expected: int, tags: tuple[int, int]) -> tuple[bytes, ...]:
    """Cut the strips or tiles out of the file."""
    # Some write the tags of strips for tiles.
    places, sizes = (directory.array(tag) for tag in tags)
    if places is None or sizes is None or len(places) != expected or len(sizes) != expected:
        raise corrupt()
    whole = len(directory.data)
    if int(sizes.sum()) > whole or int(sizes.min()) < 1 or int((places + sizes).max()) > whole:
        raise corrupt()
    return tuple(
        directory.data[place : place + size]
        for place, size in zip(places.tolist(), sizes.tolist(), strict=True)
    )


def _kind() -> ScanError:
    return UnsupportedFormat(
        _(
            "This kind of TIFF is not read here. "
            "Save it uncompressed, as grey or RGB with 8 or 16 bits, and upload that."
        )
    )


def _matches(data: bytes) -> bool:
    # A DICOM file may begin with a TIFF header, for viewers that know no DICOM (PS3.10 7.1).
    return data[:4] in HEADERS and data[128:132] != b"DICM"


def _open(data: bytes) -> TiffFile:
    pages = []
    for directory in directories(data):
        if not directory.number(254, 0) & (_REDUCED | _MASK):
            pages.append((directory, _layout(directory)))
    if not pages:
        raise corrupt()
    return TiffFile(tuple(pages))


TIFF = Format("TIFF", _matches, _open)
