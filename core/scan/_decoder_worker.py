"""The process in which foreign decoders run: ``python -m core.scan._decoder_worker``.

Reads requests from standard input and answers on standard output until the input ends. A request
is a JSON header with its length in front, then the frame; an answer is a JSON header in the same
way, then the samples. Nothing else is ever unpacked from either.
"""

from __future__ import annotations

import json
import os
import struct
import sys
from typing import Any, BinaryIO

import numpy as np

LENGTH = struct.Struct("<I")
#: Address space the decoders may take, where the system can limit it: a frame is far smaller.
_MOST_BYTES = 8 * 2**30


def read_exactly(pipe: BinaryIO, length: int) -> bytes:
    """Return ``length`` bytes.

    Raises
    ------
    EOFError
        The other side has gone.
    """
    data = pipe.read(length)
    if len(data) != length:
        raise EOFError
    return data


def write_message(pipe: BinaryIO, header: dict[str, Any], body: bytes) -> None:
    """Write a header and what belongs to it."""
    text = json.dumps(header | {"bytes": len(body)}).encode()
    pipe.write(LENGTH.pack(len(text)) + text)
    pipe.write(body)
    pipe.flush()


def read_message(pipe: BinaryIO) -> tuple[dict[str, Any], bytes]:
    """Read a header and what belongs to it.

    Raises
    ------
    EOFError
        The other side has gone.
    """
    (length,) = LENGTH.unpack(read_exactly(pipe, LENGTH.size))
    header: dict[str, Any] = json.loads(read_exactly(pipe, length))
    return header, read_exactly(pipe, int(header["bytes"]))


def _decode(header: dict[str, Any], frame: bytes) -> tuple[dict[str, Any], bytes]:
    from pydicom.encaps import encapsulate
    from pydicom.pixels.decoders.base import get_decoder
    from pydicom.uid import UID

    stored, properties = get_decoder(UID(header["syntax"])).as_array(
        encapsulate([frame], has_bot=False),
        index=0,
        raw=True,
        decoding_plugin=header["plugin"],
        **header["options"],
    )
    answer = {
        "decoded": True,
        "dtype": stored.dtype.str,
        "shape": list(stored.shape),
        "photometric": str(properties["photometric_interpretation"]),
    }
    return answer, np.ascontiguousarray(stored).tobytes()


def main() -> None:
    """Serve until the other side closes the pipe."""
    # Decoders print what they please: the pipe is for answers alone.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    _limit_memory()
    from core.scan import _dicom_parse  # noqa: F401  # takes the decoders' voices out

    while True:
        try:
            header, frame = read_message(sys.stdin.buffer)
        except EOFError:
            return
        try:
            answer, body = _decode(header, frame)
        except BaseException:  # noqa: BLE001  # decoders raise whatever there is, panics of Rust too
            answer, body = {"decoded": False}, b""
        write_message(answers, answer, body)


def _limit_memory() -> None:
    if sys.platform != "win32":
        import resource

        _soft, hard = resource.getrlimit(resource.RLIMIT_AS)
        most = _MOST_BYTES if hard == resource.RLIM_INFINITY else min(_MOST_BYTES, hard)
        resource.setrlimit(resource.RLIMIT_AS, (most, hard))


if __name__ == "__main__":
    main()
