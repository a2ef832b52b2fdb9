"""Archives of arrays (``.npz``) as datasets: opened safely, unpacked to disk and not to memory."""

from __future__ import annotations

import math
import shutil
import tempfile
import tokenize
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import IO

import numpy as np
from numpy.typing import NDArray

from core.errors import DatasetError
from core.text import _

SPLITS = ("train", "val", "test")
#: Arrays an archive may hold for each split: the large ones are mapped, the small ones loaded.
_LARGE, _SMALL = ("images", "masks"), ("labels", "groups")
#: Bytes that the labels or the groups of a split may have: they are held in memory.
_MOST_WORDS = 2**28


def npz_arrays(path: Path) -> Mapping[str, NDArray[np.generic]]:
    """Return the arrays of an ``.npz`` that make a dataset, by name, all read-only.

    Images and masks are unpacked to a nameless temporary file that is gone when the process ends,
    however it ends, and mapped from there: they take no memory until they are read. Eight archives
    stay open.

    Raises
    ------
    DatasetError
        It is none, is damaged, holds Python objects, which are never loaded, or there is no room
        on the disk to unpack it.
    """
    try:
        facts = path.stat()
        return _loaded(path, facts.st_ino, facts.st_mtime_ns, facts.st_size)
    except (
        OSError,
        EOFError,
        ValueError,
        RuntimeError,  # encrypted, or packed in a way that is not known here
        zlib.error,
        zipfile.BadZipFile,
        zipfile.LargeZipFile,
    ) as error:
        raise DatasetError(
            _("This is no archive of arrays (.npz), or it is damaged: it cannot be read.")
        ) from error


@lru_cache(maxsize=8)
def _loaded(
    path: Path, _inode: int, _changed: int, _size: int
) -> Mapping[str, NDArray[np.generic]]:
    arrays: dict[str, NDArray[np.generic]] = {}
    with zipfile.ZipFile(path) as archive:
        inside = set(archive.namelist())
        for name in (f"{split}_{kind}" for split in SPLITS for kind in (*_LARGE, *_SMALL)):
            if f"{name}.npy" not in inside:
                continue
            with archive.open(f"{name}.npy") as member:
                dtype, order, shape = _header(member)
                wanted = dtype.itemsize * math.prod(shape)
                # Before anything is made room for: a header may promise whatever it likes.
                if archive.getinfo(f"{name}.npy").file_size - member.tell() != wanted:
                    raise EOFError
                if name.endswith(_LARGE):
                    array = _mapped(member, dtype, order, shape)
                elif wanted <= _MOST_WORDS:
                    words = np.frombuffer(member.read(), dtype) if wanted else np.empty(0, dtype)
                    array = words.reshape(shape, order="F" if order == "F" else "C")
                else:
                    raise EOFError
            array.flags.writeable = False
            arrays[name] = array
    return MappingProxyType(arrays)


def _header(member: IO[bytes]) -> tuple[np.dtype[np.generic], str, tuple[int, ...]]:
    version = np.lib.format.read_magic(member)
    try:
        if version == (1, 0):
            shape, fortran, dtype = np.lib.format.read_array_header_1_0(member)
        elif version == (2, 0):
            shape, fortran, dtype = np.lib.format.read_array_header_2_0(member)
        else:  # only for names of fields that are not Latin: no picture and no label
            raise _no_numbers()
    except (SyntaxError, TypeError, OverflowError, MemoryError, tokenize.TokenError) as error:
        # What NumPy's reader of headers lets through beside its own ValueError.
        raise ValueError from error
    if any(type(side) is not int or side < 0 for side in shape):
        raise ValueError
    if dtype.hasobject or dtype.names is not None:
        # Python objects could run anything when they are loaded.
        raise _no_numbers()
    return dtype, "F" if fortran else "C", shape


def _mapped(
    member: IO[bytes], dtype: np.dtype[np.generic], order: str, shape: tuple[int, ...]
) -> NDArray[np.generic]:
    """Unpack what is left of a member and map it."""
    wanted = dtype.itemsize * math.prod(shape)
    try:
        # Little may unpack to a great deal: others need the disk too.
        if shutil.disk_usage(tempfile.gettempdir()).free < wanted:
            raise _no_room()
        unpacked = tempfile.TemporaryFile()  # noqa: SIM115 (the mapping keeps its own handle)
    except OSError as error:
        raise _no_room() from error
    with unpacked:
        while piece := member.read(1 << 20):
            _append(unpacked, piece)
        try:
            unpacked.flush()
        except OSError as error:
            raise _no_room() from error
        if unpacked.tell() != wanted:
            raise EOFError
        if not wanted:  # nothing cannot be mapped
            return np.empty(shape, dtype)
        return np.memmap(unpacked, dtype, "r", 0, shape, "F" if order == "F" else "C")


def _append(file: IO[bytes], piece: bytes) -> None:
    try:
        file.write(piece)
    except OSError as error:
        raise _no_room() from error


def _no_numbers() -> DatasetError:
    return DatasetError(_("The archive of arrays holds something else than numbers and words."))


def _no_room() -> DatasetError:
    return DatasetError(
        _("The archive of arrays cannot be unpacked: the disk for temporary files is full.")
    )


def check_arrays(
    images: NDArray[np.generic],
    truth: NDArray[np.generic],
    masks: NDArray[np.generic] | None,
    groups: NDArray[np.generic] | None,
) -> None:
    """Hold the arrays of one split against each other.

    Raises
    ------
    DatasetError
        They have another shape, type or length than they should.
    """
    grey = images.ndim == 3 or (images.ndim == 4 and images.shape[3] in (1, 3))
    if images.dtype != np.uint8 or not grey or 0 in images.shape[1:]:
        raise DatasetError(
            _("The images of the archive must be N x H x W or N x H x W x 3, in 8 bits.")
        )
    n = len(images)
    if truth.ndim == 2 and truth.shape[0] == n and truth.shape[1] > 1:
        raise DatasetError(_("The archive has several labels to an image; give each image one."))
    if truth.size != n or any(
        each is not None and (each.ndim == 0 or len(each) != n) for each in (masks, groups)
    ):
        raise DatasetError(_("The arrays of the archive have different lengths."))
    if masks is not None and masks.dtype not in (np.uint8, np.bool_):
        raise DatasetError(_("The masks of the archive must be in 8 bits: 0 or 1, or 0 or 255."))
    if masks is not None and masks.shape != images.shape[:3]:
        raise DatasetError(_("The masks of the archive have another size than its images."))
    if groups is not None and groups.size != n:
        raise DatasetError(_("The arrays of the archive have different lengths."))


def named(truth: NDArray[np.generic], names: Sequence[str] | None) -> list[str]:
    """Return the label of each image, (N,) words or numbers from 0, as ``names`` has it.

    Raises
    ------
    DatasetError
        They are neither words nor whole numbers, or a number has no name.
    """
    if truth.dtype.kind in "US":
        try:
            words = [str(label) for label in truth.astype(np.str_)]
        except UnicodeDecodeError:
            words = [""]
        if all(words):
            return words
    if truth.dtype.kind not in "iu":
        raise DatasetError(_("The labels of the archive must be whole numbers or words."))
    if names is None:
        return [str(int(number)) for number in truth]
    if truth.min(initial=0) < 0 or truth.max(initial=0) >= len(names):
        raise DatasetError(
            _("The archive has more labels than names were given; name every number from 0.")
        )
    return [names[int(number)] for number in truth]
