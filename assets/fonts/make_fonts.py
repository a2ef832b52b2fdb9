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
from pathlib import Path

from fontTools.pens.cu2quPen import Cu2QuPen
from fontTools.pens.ttGlyphPen import TTGlyphPen
from fontTools.subset import Options, Subsetter
from fontTools.ttLib import TTCollection, TTFont, newTable

HERE = Path(__file__).resolve().parent
SOURCE = Path("/usr/share/fonts/opentype/noto")
#: Place of "Noto Sans CJK SC" in the collection.
SIMPLIFIED_CHINESE = 2
#: "Noto Sans CJK KR", which has these signs as narrow as Latin text needs them; the Chinese face has
#: them a whole square wide, which tears English apart ("doctor ’ s").
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


def characters(*, whole: bool) -> set[int]:
    """Return the code points to keep.

    Latin (Basic, Latin-1, Extended-A), Greek and Cyrillic, punctuation, the signs of measures and
    arithmetic, and Chinese: GB 2312 (6,763 characters, kana too) and the common half of Big5
    where ``whole``, else level 1 of GB 2312 (3,755 characters), which is enough for headings.
    """
    ranges = [
        (0x20, 0x7E),
        (0xA0, 0x17F),
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
