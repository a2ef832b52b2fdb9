"""DICOM (PS3.3, PS3.5, PS3.10): images and loops, compressed or not, without what names anybody.

What is read, and what is refused with a remedy, stands in ``docs/formats.md``. Grey of more than
eight bits keeps its values (:class:`~core.scan.Depth`); a file of several frames holds its pixel
data alone and decodes a frame when it is asked for. Where a file proposes both windows and a
table (C.11.2.1.1 leaves the choice), the first window is taken, because a person can move it.

Overlays, annotations and presentation states are not drawn. Orientation is not changed: the rows
and columns are those that were stored.

This module knows a DICOM file when it sees one; pydicom and the decoders are loaded when the
first one is opened, because they would cost every start.
"""

from __future__ import annotations

import struct

from core.scan._formats import Format, Opened

_PREAMBLE, _PREFIX = 128, b"DICM"
_VRS = frozenset(
    b"AE AS AT CS DA DS DT FD FL IS LO LT OB OD OF OL OV OW PN SH SL SQ SS ST SV TM UC UI UL UN "
    b"UR US UT UV".split()
)


def _matches(data: bytes) -> bool:
    """Tell a DICOM file by its prefix (PS3.10 7.1), or by a first element as only DICOM begins."""
    if data[_PREAMBLE : _PREAMBLE + len(_PREFIX)] == _PREFIX:
        return True
    if len(data) < 16:
        return False
    for order in "<>":
        group, element = struct.unpack_from(f"{order}HH", data)
        if group not in (0x0002, 0x0008) or element > 0x0100:
            continue
        if data[4:6] in _VRS:
            return True
        (length,) = struct.unpack_from("<I", data, 4)
        if order == "<" and length % 2 == 0 and 8 + length + 8 <= len(data):
            next_group, next_element = struct.unpack_from("<HH", data, 8 + length)
            return bool(next_group == group and next_element > element)
    return False


def _open(data: bytes) -> Opened:
    from core.scan._dicom_file import open_dicom

    return open_dicom(data)


DICOM = Format("DICOM", _matches, _open)
