"""Make the table of formats: ``python docs/make_formats.py [--check]``.

Reads a sample of every format and encoding with ``core.scan.read_scan`` and writes what came of it
to ``docs/formats.md``. A test holds the file to what this makes.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from itertools import groupby
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# The samples belong to the tests, and this is a script: neither is on the path by itself.
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "scan")]

from format_sample import FormatSample  # noqa: E402

from core.errors import ScanError  # noqa: E402
from core.scan import Note, Scan, read_scan  # noqa: E402
from core.settings import load_settings  # noqa: E402
from core.text import use_language  # noqa: E402

FILE = ROOT / "docs" / "formats.md"
NOTES = {
    Note.TRANSPARENCY_ON_BLACK: "transparent parts are laid on black",
    Note.PRINT_COLOURS: "print colours become RGB by the plain formula, without a profile",
    Note.COLOUR_DEPTH_CUT: "the upper 8 bits of each colour are kept",
    Note.BURNED_IN: "the file says that text is burned into the picture",
    Note.LOSSY: "the file says that it was compressed with loss",
}
HEAD = """\
# Formats

What `core.scan.read_scan` makes of each format and encoding. This page is written by
`python docs/make_formats.py` from a run over samples that the tests build, and a test holds it to
that: do not edit it by hand.

The content of a file decides what it is, never its name. Limits on bytes, pixels and sides hold
before anything is decoded ([settings](settings.md)). *Yes* means that every pixel is as stored, or,
where the format itself loses something, as a plain decoder gives it. *With a note* means that a
choice had to be made, which is shown with the scan. *Refused* means that the person is told the
line beside it.

- Grey of more than 8 bits keeps its values. It is first shown over its full range, unless the file
  proposes a window.
- Dots per inch in PNG, JPEG, TIFF and BMP are the size of a print: no millimetres come from them.
- Pages of a TIFF that have one size and kind are the frames of a loop. Pages the file marks as
  previews or masks are passed over; pages that differ otherwise are refused.
- Metadata does not travel: no name, date, comment or profile leaves the reader.
- PNG carries checksums. In the other formats a file that was cut off is found, while bits that
  flipped inside the image without breaking it cannot be.

Several scans come as a folder or as a ZIP archive (stored or deflated, ZIP64 included). Encrypted
files, other compressions and archives inside archives are refused one by one and stop nothing else;
hidden files and what systems leave behind are passed over.
"""


def samples() -> Iterator[FormatSample]:
    """Yield the samples of pictures, then those of DICOM."""
    import raster_samples

    yield from raster_samples.samples()
    if find_spec("dicom_samples") is not None:
        import dicom_samples

        yield from dicom_samples.samples()


def row(sample: FormatSample) -> str:
    """Return the line of a sample."""
    try:
        scan = read_scan(sample.data, settings=load_settings({}))
    except ScanError as error:
        cells = (sample.name, "refused", str(error))
    else:
        notes = [*_kept(scan), *(NOTES[note] for note in scan.notes)]
        cells = (sample.name, "with a note" if scan.notes else "yes", "; ".join(notes))
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _kept(scan: Scan) -> Iterator[str]:
    if scan.depth is not None:
        yield "values are kept"
    if scan.frames > 1:
        yield f"{scan.frames} frames"
    if scan.regions:
        yield "scale known by region"
    elif scan.spacing is not None:
        yield "scale known"


def document() -> str:
    """Return the whole page."""
    parts = [HEAD]
    with use_language("en"):
        for group, members in groupby(samples(), key=lambda sample: sample.group):
            rows = "\n".join(row(sample) for sample in members)
            parts.append(f"## {group}\n\n| Encoding | Read | Remarks |\n|---|---|---|\n{rows}\n")
    return "\n".join(parts)


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the page, or compare it, and return the exit code."""
    parser = argparse.ArgumentParser(description="Make the table of formats.")
    parser.add_argument("--check", action="store_true", help="compare only; 1 where it is stale")
    options = parser.parse_args(arguments)
    page = document()
    if options.check:
        return int(not FILE.is_file() or FILE.read_text(encoding="utf-8") != page)
    FILE.write_text(page, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
