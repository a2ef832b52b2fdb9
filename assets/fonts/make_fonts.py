"""Make the fonts the reports are written in; run by hand, never by the application.

A PDF carries the shapes of its letters with it, and reportlab embeds TrueType outlines only. Noto
Sans CJK has the letters, but in CFF outlines and 20 MB a weight. So this takes the faces for
simplified Chinese, keeps the characters of :func:`characters`, turns their curves into quadratic
ones (within one unit of 1000, below what a printer resolves) and leaves out what reportlab does not
read: hinting, vertical metrics, layout rules.

Noto Sans CJK is under the SIL Open Font License 1.1 (``OFL.txt``), without a reserved font name.
What is made here is changed, so it is called by another name.

Run it where Noto Sans CJK and fontTools are installed (Debian: ``fonts-noto-cjk``)::

    python assets/fonts/make_fonts.py [FOLDER WITH NotoSansCJK-*.ttc]
"""

from __future__ import annotations

import sys
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fontTools.pens.boundsPen import BoundsPen
from fontTools.pens.cu2quPen import Cu2QuPen
from fontTools.pens.recordingPen import RecordingPen
from fontTools.pens.reverseContourPen import ReverseContourPen
from fontTools.pens.transformPen import TransformPen
from fontTools.pens.ttGlyphPen import TTGlyphPen
from fontTools.subset import Options, Subsetter
from fontTools.ttLib import TTCollection, TTFont, newTable

HERE = Path(__file__).resolve().parent
SOURCE = Path("/usr/share/fonts/opentype/noto")
#: Place of "Noto Sans CJK SC" in the collection.
SIMPLIFIED_CHINESE = 2
#: "Noto Sans CJK KR", which has these signs as narrow as Latin text needs them; the Chinese face
#: has them a whole square wide, which tears English apart ("doctor ’ s").
KOREAN = 1
NARROW = "·•‘’“”"
#: Largest distance between the old and the new curve, in units of 1000 to the em.
TOLERANCE = 1.0
#: In people's names but in neither national set.
IN_NAMES = (
    "喆堃玥镕珺翀焜垚犇骉昇旸曌彧祎祺煊璟晞晟晗翾赟頔韡莜珮钘淏浠琤玙邨禤冼鎏晸瑀璠瑄垲婳翙翯"
)

#: Entries of "maxp" that CFF does not have; the ones about outlines are counted when it is saved.
_NOT_USED = (
    "maxTwilightPoints",
    "maxStorage",
    "maxFunctionDefs",
    "maxInstructionDefs",
    "maxStackElements",
    "maxSizeOfInstructions",
    "maxComponentElements",
    "maxPoints",
    "maxContours",
    "maxCompositePoints",
    "maxCompositeContours",
    "maxComponentDepth",
)

#: Where each accent is found, by the mark that decomposition gives: over a letter, or alone. (The
#: accents that stand alone in a Chinese face are tone marks, and look otherwise.)
_ACCENTS = {
    "\u0301": "á",
    "\u0302": "â",
    "\u0303": "ã",
    "\u0304": "ā",
    "\u0306": "ă",
    "\u0307": "i",
    "\u030a": "å",
    "\u030b": "áá",
    "\u030c": "ě",
    "\u0327": "¸",
    "\u0328": "¸",
}
#: Marks that hang below a letter.
_BELOW = ("\u0327", "\u0328")


def characters(*, whole: bool) -> set[int]:
    """Return the code points to keep.

    Latin (Basic, Latin-1, Extended-A), Greek and Cyrillic, punctuation, the signs of measures and
    arithmetic, and Chinese: GB 2312 (6,763 characters, kana too) and the common half of Big5
    where ``whole``, else level 1 of GB 2312 (3,755 characters), which is enough for headings.
    """
    ranges = [
        (0x20, 0x7E),
        (0xA0, 0x17F),
        (0x2C6, 0x2DD),
        (0x370, 0x3FF),
        (0x400, 0x45F),
        (0x2010, 0x205E),
        (0x2070, 0x209F),
        (0x20A0, 0x20BF),
        (0x2100, 0x214F),
        (0x2150, 0x218F),
        (0x2190, 0x2199),
        (0x2200, 0x22FF),
        (0x2460, 0x249B),
        (0x25A0, 0x25FF),
        (0x2600, 0x2606),
        (0x3000, 0x303F),
        (0xFF00, 0xFFEF),
    ]
    kept = {code for low, high in ranges for code in range(low, high + 1)}
    kept |= _from_rows("gb2312", range(0xA1, 0xF8 if whole else 0xD8), range(0xA1, 0xFF))
    if whole:
        trail = [*range(0x40, 0x7F), *range(0xA1, 0xFF)]
        kept |= _from_rows("big5", range(0xA1, 0xC7), trail)
        kept |= set(map(ord, IN_NAMES))
    return kept


def _from_rows(codec: str, lead: range, trail: range | list[int]) -> set[int]:
    found = set()
    for first in lead:
        for second in trail:
            text = bytes((first, second)).decode(codec, "ignore")
            if len(text) == 1:
                found.add(ord(text))
    return found


def make(source: Path, weight: str, kept: set[int], target: Path) -> None:
    """Write one weight."""
    faces = TTCollection(str(source / f"NotoSansCJK-{weight}.ttc")).fonts
    font, narrow = faces[SIMPLIFIED_CHINESE], faces[KOREAN].getBestCmap()
    for table in font["cmap"].tables:
        # The faces share their glyphs, so a glyph's name means the same in both.
        table.cmap.update({ord(c): narrow[ord(c)] for c in NARROW if ord(c) in table.cmap})
    options = Options()
    options.layout_features = []
    options.hinting = False
    options.notdef_outline = True
    options.name_IDs = [0, 13, 14]
    options.drop_tables += ["GSUB", "GPOS", "GDEF", "BASE", "VORG", "vhea", "vmtx"]
    subsetter = Subsetter(options)
    subsetter.populate(unicodes=kept)
    subsetter.subset(font)
    _to_quadratic(font)
    _compose(font)
    _rename(font, weight)
    # The date of making would change the file without changing the font.
    font.recalcTimestamp = False
    font.save(target)


def _to_quadratic(font: TTFont) -> None:
    order, glyphs = font.getGlyphOrder(), font.getGlyphSet()
    made = {}
    for name in order:
        pen = TTGlyphPen(None)
        glyphs[name].draw(Cu2QuPen(pen, TOLERANCE, reverse_direction=True))
        made[name] = pen.glyph()
    del font["CFF "]
    font["loca"] = newTable("loca")
    glyf = font["glyf"] = newTable("glyf")
    glyf.glyphOrder, glyf.glyphs = order, made
    for name in order:
        made[name].recalcBounds(glyf)
        width, _ = font["hmtx"][name]
        font["hmtx"][name] = (width, getattr(made[name], "xMin", 0))
    maxp = font["maxp"]
    maxp.tableVersion = 0x00010000
    maxp.maxZones = 1
    for field in _NOT_USED:
        setattr(maxp, field, 0)
    post = font["post"]
    post.formatType, post.extraNames, post.mapping, post.glyphOrder = 3.0, [], {}, order
    font["head"].glyphDataFormat = 0
    font.sfntVersion = "\000\001\000\000"


def _compose(font: TTFont) -> None:
    """Make letters of Latin Extended-A that the face lacks, out of letters and accents it has.

    Names in Polish, Czech, Hungarian, Turkish and others need them. An accent made for small
    letters is raised over capitals. A few stay missing (ĸ, ŋ, ŧ, ſ and old ligatures).
    """
    known, glyphs = font.getBestCmap(), font.getGlyphSet()

    def contours(letter: str) -> list[RecordingPen]:
        return _contours(glyphs[known[ord(letter)]])

    small = _extent(contours("x"))[3]
    dotless = [part for part in contours("i") if _extent([part])[1] < small / 2]
    made: dict[int, tuple[list[RecordingPen], str]] = {0x131: (dotless, "i")}
    for code in range(0x100, 0x180):
        parts = unicodedata.normalize("NFD", chr(code))
        if code not in known and len(parts) == 2 and parts[1] in _ACCENTS:
            base = dotless if parts[0] == "i" and parts[1] not in _BELOW else contours(parts[0])
            made[code] = (base + _placed(base, parts[1], contours, small), parts[0])
    for code, base in ((0x141, "L"), (0x142, "l")):
        made[code] = ([*contours(base), _stroke(_extent(contours("l")), base == "L")], base)
    order = list(font.getGlyphOrder())
    for code, (pieces, base) in made.items():
        name, pen = f"uni{code:04X}", TTGlyphPen(None)
        for piece in pieces:
            piece.replay(pen)
        glyph = pen.glyph()
        glyph.recalcBounds(font["glyf"])
        order.append(name)
        font["glyf"].glyphs[name] = glyph
        font["hmtx"][name] = (font["hmtx"][known[ord(base)]][0], glyph.xMin)
        for table in font["cmap"].tables:
            if table.isUnicode():
                table.cmap[code] = name
    font.setGlyphOrder(order)
    font["glyf"].glyphOrder = order


def _placed(
    base: list[RecordingPen],
    mark: str,
    contours: Callable[[str], list[RecordingPen]],
    small: float,
) -> list[RecordingPen]:
    """Return the contours of an accent where they belong on a letter."""
    source = _ACCENTS[mark]
    found = contours(source[0])
    if source.isalpha():
        found = [part for part in found if _extent([part])[1] > small]
    if len(source) == 2:
        left, _, right, _ = _extent(found)
        found = found + [_moved(part, (right - left) * 0.75, 0) for part in found]
    left, _, right, _ = _extent(found)
    letter_left, _, letter_right, letter_top = _extent(base)
    across = (letter_left + letter_right - left - right) / 2
    if mark == "\u0328":
        # An ogonek is a cedilla that turns the other way, under the right foot of the letter.
        return [_moved(part, letter_right + left, 0, mirrored=True) for part in found]
    return [_moved(part, across, 0 if mark in _BELOW else letter_top - small) for part in found]


def _stroke(stem: tuple[float, float, float, float], capital: bool) -> RecordingPen:
    """Return the slanted stroke through the stem of an l."""
    left, _, right, top = stem
    middle, half, thick = (left + right) / 2 + (20 if capital else 0), right - left, 66
    height = top * 0.5
    pen = RecordingPen()
    pen.moveTo((middle - half, height - half * 0.6))
    pen.lineTo((middle - half, height - half * 0.6 + thick))
    pen.lineTo((middle + half, height + half * 0.6 + thick))
    pen.lineTo((middle + half, height + half * 0.6))
    pen.closePath()
    return pen


def _contours(glyph: Any) -> list[RecordingPen]:
    whole = RecordingPen()
    glyph.draw(whole)
    parts = [RecordingPen()]
    for step in whole.value:
        parts[-1].value.append(step)
        if step[0] == "closePath":
            parts.append(RecordingPen())
    return [part for part in parts if part.value]


def _moved(part: RecordingPen, x: float, y: float, *, mirrored: bool = False) -> RecordingPen:
    pen = RecordingPen()
    if mirrored:
        # Mirroring turns a contour inside out, so it is drawn the other way round as well.
        part.replay(ReverseContourPen(TransformPen(pen, (-1, 0, 0, 1, x, y))))
    else:
        part.replay(TransformPen(pen, (1, 0, 0, 1, x, y)))
    return pen


def _extent(parts: list[RecordingPen]) -> tuple[float, float, float, float]:
    pen = BoundsPen(None)
    for part in parts:
        part.replay(pen)
    return pen.bounds


def _rename(font: TTFont, weight: str) -> None:
    names = font["name"]
    called = {
        1: "Overread Sans SC",
        2: weight,
        3: f"OverreadSansSC-{weight}",
        4: f"Overread Sans SC {weight}",
        5: "Version 1.0; made from Noto Sans CJK SC 2.004",
        6: f"OverreadSansSC-{weight}",
    }
    for number, text in called.items():
        names.setName(text, number, 3, 1, 0x409)


def main(arguments: list[str]) -> None:
    """Make both weights from the folder given, or from where Debian has them."""
    source = Path(arguments[0]) if arguments else SOURCE
    for weight, whole in (("Regular", True), ("Bold", False)):
        target = HERE / f"OverreadSansSC-{weight}.ttf"
        make(source, weight, characters(whole=whole), target)
        font = TTFont(target)
        sys.stdout.write(
            f"{target.name}: {len(font.getBestCmap())} characters, "
            f"{target.stat().st_size / 2**20:.1f} MB\n"
        )


if __name__ == "__main__":
    main(sys.argv[1:])
