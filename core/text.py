"""Gettext: every text on screen goes through :func:`_`, English is the message itself.

Shares in a text, too, are written in one way: :func:`percent`, and :func:`apart` beside a limit.

The language is asked for at the moment a text is needed, because one server process serves
people with different languages at once and Streamlit reruns fragments without ``app.py``.
``core.ui`` therefore installs a function that knows the current session's language; everywhere
else (command line, tests, background work) the language of the context applies.
"""

from __future__ import annotations

import gettext
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from pathlib import Path

DOMAIN = "overread"
LOCALES = Path(__file__).resolve().parent.parent / "assets" / "locale"
#: Language code to its own name, in the order the switch shows them.
LANGUAGES = {"en": "English", "zh_CN": "简体中文"}

_context: ContextVar[str] = ContextVar("overread_language", default="en")
_session_language: Callable[[], str | None] = lambda: None  # noqa: E731


def install_session_language(source: Callable[[], str | None]) -> None:
    """Let ``source`` name the language of the session that is running, or none.

    Parameters
    ----------
    source
        Called for every text; returns a key of :data:`LANGUAGES`, or None outside a session.
    """
    global _session_language  # noqa: PLW0603 - the process has one source, set once at start
    _session_language = source


@contextmanager
def use_language(code: str) -> Iterator[None]:
    """Speak ``code`` (a key of :data:`LANGUAGES`) inside the ``with`` block."""
    token = _context.set(code)
    try:
        yield
    finally:
        _context.reset(token)


def language() -> str:
    """Return the language in force: the session's, else the context's."""
    return _session_language() or _context.get()


@cache
def _catalogue(code: str) -> gettext.NullTranslations:
    return gettext.translation(DOMAIN, LOCALES, languages=[code], fallback=True)


def _(message: str) -> str:
    """Return ``message`` in the language in force; the English text is the key."""
    return message if not message else _catalogue(language()).gettext(message)


def translated(message: str) -> str:
    """Return a message that was made elsewhere, in English, in the language in force.

    For text that comes from a background thread, which speaks for nobody's session. Only a
    message without figures in it is found in the catalogue; any other stays as it is.
    """
    return _catalogue(language()).gettext(message) if message else message


def ngettext(singular: str, plural: str, n: int) -> str:
    """Return the form of a message that suits ``n``, in the language in force."""
    return _catalogue(language()).ngettext(singular, plural, n)


def percent(share: float, decimals: int = 0) -> str:
    """Return a share (0..1) in percent, whole unless told otherwise; never rounded to certainty."""
    value, step = share * 100, 10.0**-decimals
    if 0 < value < step:
        return f"<{step:.{decimals}f}%"
    if 100 - step < value < 100:
        return f">{100 - step:.{decimals}f}%"
    return f"{value:.{decimals}f}%"


def apart(probability: float, threshold: float) -> tuple[str, str]:
    """Return both in percent, with as many decimals as it takes to tell them apart."""
    most = 0 if probability == threshold else 3
    for decimals in range(most + 1):
        pair = percent(probability, decimals), percent(threshold, decimals)
        if pair[0] != pair[1]:
            break
    return pair


def columns(text: str) -> int:
    """Return how many columns of a terminal a text takes: a Chinese character takes two."""
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1
        for c in text
    )


def padded(text: str, wide: int) -> str:
    """Return a text followed by spaces up to ``wide`` columns of a terminal."""
    return text + " " * (wide - columns(text))
