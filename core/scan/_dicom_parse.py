"""Where pydicom parses: quietly, within limits, and only the elements on a list.

A DICOM file holds a patient's name in dozens of places. Elements that are not on
:data:`~core.scan._dicom_tags.TAGS` are stepped over by their length, and the dataset does not
outlive the opening of the file: only numbers and codes taken from it travel on.

pydicom says a great deal about files that break the standard, often with the value that does, to
its logger and as warnings. Warning filters are global and not safe between threads, so both are
taken out once, when this module is imported, and stay out.
"""

from __future__ import annotations

import contextlib
import io
import logging
import struct
import sys
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import pydicom
from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset, read_partial
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian

from core.errors import ScanError, UnsupportedFormat
from core.scan._dicom_tags import TAGS
from core.scan._formats import corrupt
from core.text import _

T = TypeVar("T")

_PREFIX = b"DICM"
_PREAMBLE = 128
#: Reads of one file: a loop of 10,000 frames with functional groups takes a fifth of it, and what
#: is all headers is given up after seconds.
_MOST_READS = 5_000_000
#: Bytes a deflated file may unpack to; deflate alone would allow a thousandfold.
_MOST_UNPACKED = 2**29
_PIXELS, _FIRST_PIXELS = 0x7FE00010, 0x7FE00008
_UNDEFINED = 0xFFFFFFFF
#: Value representations with a length of four bytes (PS3.5 7.1.2).
_LONG_VRS = frozenset("OB OD OF OL OV OW SQ SV UC UN UR UT UV".split())  # noqa: SIM905


def _hush() -> None:
    """Take pydicom's and its decoders' voices out, for the whole process and for good."""
    for name in ("pydicom", "pylibjpeg", "openjpeg", "rle", "libjpeg"):
        logger = logging.getLogger(name)
        logger.setLevel(logging.CRITICAL + 1)
        logger.propagate = False
        logger.addHandler(logging.NullHandler())
    for name, module in tuple(sys.modules.items()):
        if name.partition(".")[0] == pydicom.__name__ and hasattr(module, "warn_and_log"):
            vars(module)["warn_and_log"] = _say_nothing
    with contextlib.suppress(ImportError):  # some platforms have no build of it
        import gdcm  # type: ignore[import-untyped]

        gdcm.Trace.DebugOff()
        gdcm.Trace.WarningOff()
        gdcm.Trace.ErrorOff()


def _say_nothing(*_args: Any, **_options: Any) -> None:
    """Stand in for pydicom's warning, whose text may hold the value that was wrong."""


_hush()


def guarded(work: Callable[[], T]) -> T:
    """Run third-party parsing or decoding over a file's bytes.

    Raises
    ------
    CorruptFile
        It failed, however it failed. There is no cause attached: its text may hold values.
    ScanError
        As ``work`` raised it on purpose.
    """
    try:
        return work()
    except ScanError:
        raise
    except BaseException as error:  # parsers and decoders raise whatever there is
        # over damaged bytes, and its text may hold values: it ends here. The RLE decoder is
        # written in Rust, and its panic is no Exception.
        panic = type(error).__module__ == "pyo3_runtime"
        if not isinstance(error, Exception) and not panic:
            raise
    # Outside the block above, so that the error carries no context with it either.
    raise corrupt()


@dataclass(frozen=True, slots=True)
class Parsed:
    """A file taken apart, for as long as it takes to open it.

    Attributes
    ----------
    dataset
        The elements on the list.
    syntax
        Transfer syntax UID; of native explicit little or big endian where the file names none.
    pixels
        A view of the file from the value of Pixel Data on, up to its end where that is known.
    encapsulated
        Whether they are a sequence of fragments.
    vr
        ``"OB"`` or ``"OW"``.
    """

    dataset: Dataset = field(repr=False)
    syntax: str
    pixels: memoryview = field(repr=False)
    encapsulated: bool
    vr: str


class _Counted(io.BytesIO):
    """Bytes that can only be read so many times."""

    reads = 0

    def read(self, size: int | None = -1, /) -> bytes:
        self.reads += 1
        if self.reads > _MOST_READS:
            raise corrupt()
        return super().read(size)


def parse(data: bytes) -> Parsed:
    """Take a DICOM file apart.

    Raises
    ------
    CorruptFile
        It cannot be parsed, or ends inside the pixels.
    UnsupportedFormat
        There are no pixels in it, or none that are read.
    """
    return guarded(lambda: _parse(data))


def _parse(data: bytes) -> Parsed:
    found: list[tuple[int, str | None, int]] = []

    def at_pixels(tag: int, vr: str | None, length: int) -> bool:
        if tag < _FIRST_PIXELS:
            return False
        found.append((int(tag), vr, length))
        return True

    inflated = _inflated(data)
    if inflated is not None:
        data = inflated
        source = _Counted(data)
        dataset = read_dataset(source, False, True, stop_when=at_pixels, specific_tags=list(TAGS))
        syntax: str | None = ExplicitVRLittleEndian
    else:
        source = _Counted(data)
        file = read_partial(source, at_pixels, force=True, specific_tags=list(TAGS))
        dataset, named = file, file.file_meta.get("TransferSyntaxUID")
        syntax = str(named) if named else None
    if not found:
        if "Rows" in dataset and "PhotometricInterpretation" in dataset:
            raise corrupt()
        raise UnsupportedFormat(
            _(
                "This DICOM file holds no image: it is a report, a document, a plan or an index. "
                "Upload the image files themselves."
            )
        )
    tag, vr, length = found[-1]
    if tag != _PIXELS:
        raise UnsupportedFormat(
            _(
                "The values of this DICOM image are of a kind that is not read here. "
                "Export it with at most 16 bits a pixel."
            )
        )
    start = source.tell() + (12 if vr in _LONG_VRS else 8)
    undefined = length == _UNDEFINED
    if syntax is None:
        if undefined:
            raise UnsupportedFormat(
                _(
                    "This DICOM file does not say how its image is compressed. "
                    "Export it uncompressed."
                )
            )
        little = dataset.original_encoding[1] is not False
        syntax = ExplicitVRLittleEndian if little else "1.2.840.10008.1.2.2"
    if not undefined and start + length > len(data):
        raise corrupt()
    end = len(data) if undefined else start + length
    return Parsed(dataset, syntax, memoryview(data)[start:end], undefined, vr or "OW")


def _inflated(data: bytes) -> bytes | None:
    """Return what lies behind the file meta information of a deflated file; None of others."""
    position = _PREAMBLE + 4
    if data[_PREAMBLE:position] != _PREFIX:
        return None
    syntax = b""
    for _element in range(100):
        if data[position : position + 2] != b"\x02\x00":
            break
        (element, vr, length) = struct.unpack_from("<H2sH", data, position + 2)
        position += 8
        if vr.decode("ascii", "replace") in _LONG_VRS:
            (length,) = struct.unpack_from("<I", data, position)
            position += 4
        if element == 0x0010:
            syntax = data[position : position + length].rstrip(b"\0 ")
        position += length
    if syntax != DeflatedExplicitVRLittleEndian.encode():
        return None
    stream = zlib.decompressobj(-zlib.MAX_WBITS)
    whole = stream.decompress(data[position:], _MOST_UNPACKED)
    if not stream.eof:
        raise corrupt()
    return whole
