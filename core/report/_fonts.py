"""The letters of a PDF: which there are, and text made safe to be set in them.

Opens with a safety choice: reportlab reads text as markup. Every text therefore passes through
:func:`markup`, which escapes it and adds the only tags there are. What the fonts lack is shown as
``□`` and the document says so; nothing is left out in silence.
"""

from __future__ import annotations

from functools import cache
from itertools import groupby
from typing import Final
from xml.sax.saxutils import escape

from core.errors import ReportError
from core.report._document import Words
from core.report._text import clean
from core.settings import ROOT
from core.text import _

REGULAR: Final = "OverreadSansSC-Regular"
BOLD: Final = "OverreadSansSC-Bold"
REPLACEMENT: Final = "□"
_FOLDER = ROOT / "assets" / "fonts"
#: Join and part letters; seen by nobody, so no words are lost without them.
_UNSEEN: Final = frozenset(map(chr, (0xAD, *range(0x200B, 0x2010), 0x2060, 0xFE0E, 0xFE0F, 0xFEFF)))


def shown(text: str) -> str:
    """Return cleaned text with what the fonts lack replaced by ``□``."""
    letters = _letters(REGULAR)
    return "".join(
        c if c == "\n" or ord(c) in letters else REPLACEMENT
        for c in clean(text)
        if c not in _UNSEEN
    )


def lacks(text: str) -> bool:
    """Tell whether some character of ``text`` cannot be printed."""
    return shown(text) != "".join(c for c in clean(text) if c not in _UNSEEN)


def markup(words: Words) -> str:
    """Return words in reportlab's markup: escaped, each letter in a font that has it."""
    return "".join(_run(shown(run.text), bold=run.strong) for run in words)


def register() -> None:
    """Make the fonts known to reportlab; again is free.

    Raises
    ------
    ReportError
        They are missing from the installation.
    """
    _letters(REGULAR)
    _letters(BOLD)


def _run(text: str, *, bold: bool) -> str:
    heavy = _letters(BOLD) if bold else frozenset[int]()
    parts = []
    for is_heavy, letters in groupby(text, key=lambda c: ord(c) in heavy or (bold and c == "\n")):
        name = BOLD if is_heavy else REGULAR
        body = escape("".join(letters)).replace("\n", "<br/>")
        parts.append(f'<font name="{name}">{body}</font>')
    return "".join(parts)


@cache
def _letters(name: str) -> frozenset[int]:
    from reportlab.pdfbase import pdfmetrics
    from reportlab.pdfbase.ttfonts import TTFError, TTFont

    try:
        font = TTFont(name, str(_FOLDER / f"{name}.ttf"))
    except TTFError as error:
        raise ReportError(
            _("The fonts of the report are missing: install the program again.")
        ) from error
    pdfmetrics.registerFont(font)
    return frozenset(font.face.charToGlyph)
