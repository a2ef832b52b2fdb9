"""From bytes to a :class:`Scan`: decoding with limits, encoding, and synthetic phantoms.

``read_scan`` decides by content and never by extension, holds the limits before anything is
decoded, and hands on pixels only: metadata stays behind. ``open_archive`` and ``files_of`` take
files out of archives and folders under the same limits. ``core.scan.phantom`` makes synthetic
scans with the exact lesion mask, ``core.scan.samples`` the ones that ship for the demo.
"""

from __future__ import annotations

from core.scan._archive import ArchiveMember, files_of, is_archive, open_archive
from core.scan._bare import Bare, bare_picture
from core.scan._correct import (
    contrast,
    crop,
    flip,
    replay,
    rewindow,
    rotate,
    split_panels,
    trim,
)
from core.scan._encode import encode_png, pixels_from_png, restore_scan, thumbnail
from core.scan._names import (
    check_figure,
    check_name,
    correction_words,
    failed_checks,
    findings,
    hardly_a_scan,
    note_line,
    untested_words,
)
from core.scan._parts import (
    Box,
    Correction,
    Depth,
    Loop,
    Note,
    Region,
    Spacing,
    Window,
    one_spacing,
    spacing_within,
)
from core.scan._quality import Check, CheckName, Outcome, QualityReport, check_quality
from core.scan._read import read_scan, readable_formats
from core.scan._scan import Scan, case_number
from core.scan.phantom import LesionSpec, Phantom, PhantomSpec, make_phantom
from core.scan.samples import Sample, list_samples, open_sample

__all__ = [
    "ArchiveMember",
    "Bare",
    "Box",
    "Check",
    "CheckName",
    "Correction",
    "Depth",
    "LesionSpec",
    "Loop",
    "Note",
    "Outcome",
    "Phantom",
    "PhantomSpec",
    "QualityReport",
    "Region",
    "Sample",
    "Scan",
    "Spacing",
    "Window",
    "bare_picture",
    "case_number",
    "check_figure",
    "check_name",
    "check_quality",
    "contrast",
    "correction_words",
    "crop",
    "encode_png",
    "failed_checks",
    "files_of",
    "findings",
    "flip",
    "hardly_a_scan",
    "is_archive",
    "list_samples",
    "make_phantom",
    "note_line",
    "one_spacing",
    "open_archive",
    "open_sample",
    "pixels_from_png",
    "read_scan",
    "readable_formats",
    "replay",
    "restore_scan",
    "rewindow",
    "rotate",
    "spacing_within",
    "split_panels",
    "thumbnail",
    "trim",
    "untested_words",
]
