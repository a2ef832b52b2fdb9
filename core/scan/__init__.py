"""From bytes to a :class:`Scan`: decoding with limits, encoding, and synthetic phantoms.

``read_scan`` decides by content and never by extension, holds the limits before anything is
decoded, and hands on pixels only: metadata stays behind. ``core.scan.phantom`` makes synthetic
scans with the exact lesion mask, ``core.scan.samples`` the ones that ship for the demo.
"""

from __future__ import annotations

from core.scan._doubts import Doubt, doubt_line, doubts
from core.scan._encode import encode_png, pixels_from_png, restore_scan, thumbnail
from core.scan._parts import Box, Correction, Depth, Loop, Note, Region, Spacing, Window
from core.scan._read import read_scan, readable_formats
from core.scan._scan import Scan, case_number
from core.scan.phantom import LesionSpec, Phantom, PhantomSpec, make_phantom
from core.scan.samples import Sample, list_samples, open_sample

__all__ = [
    "Box",
    "Correction",
    "Depth",
    "Doubt",
    "LesionSpec",
    "Loop",
    "Note",
    "Phantom",
    "PhantomSpec",
    "Region",
    "Sample",
    "Scan",
    "Spacing",
    "Window",
    "case_number",
    "doubt_line",
    "doubts",
    "encode_png",
    "list_samples",
    "make_phantom",
    "open_sample",
    "pixels_from_png",
    "read_scan",
    "readable_formats",
    "restore_scan",
    "thumbnail",
]
