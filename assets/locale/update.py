"""Bring the translation catalogues up to the messages in the code.

``python assets/locale/update.py`` collects every ``_()`` and ``ngettext()`` message, adds what is
new to each catalogue (untranslated), drops what no page uses any more, and compiles. It needs
what ``tests/requirements.txt`` installs. Nothing in its output depends on the day or the machine.
``--check`` writes nothing and exits with 1 where a run would change a file.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import polib
from babel.messages.extract import extract_from_file

LOCALES = Path(__file__).resolve().parent
ROOT = LOCALES.parent.parent
DOMAIN = "overread"
#: Catalogues kept here, and how many forms a count has in each (English is the message itself).
PLURALS = {"zh_CN": "nplurals=1; plural=0;"}
_KEYWORDS: dict[str, tuple[int, ...] | None] = {"_": None, "ngettext": (1, 2)}


@dataclass(frozen=True, slots=True)
class Message:
    """A text in the code: its English, its English plural if it has one, and where it is used."""

    text: str
    plural: str | None
    files: tuple[str, ...]


def sources(root: Path = ROOT) -> Iterator[Path]:
    """Give every file that may hold messages, in a fixed order."""
    yield root / "app.py"
    for folder in ("core", "pages"):
        yield from sorted((root / folder).rglob("*.py"))


def collect(root: Path = ROOT) -> dict[str, Message]:
    """Return the messages in the code by their English, in the order they are met."""
    found: dict[str, Message] = {}
    for path in sources(root):
        name = path.relative_to(root).as_posix()
        for _line, text, _comments, _context in extract_from_file("python", path, _KEYWORDS):
            singular, plural = (text[0], text[1]) if isinstance(text, tuple) else (text, None)
            known = found.get(singular, Message(singular, plural, ()))
            files = known.files if name in known.files else (*known.files, name)
            found[singular] = Message(singular, known.plural or plural, files)
    return found


def read(path: Path) -> polib.POFile:
    """Read a catalogue; an empty one where there is none."""
    return polib.pofile(str(path), wrapwidth=99) if path.exists() else polib.POFile(wrapwidth=99)


def merge(
    messages: dict[str, Message], old: polib.POFile, code: str
) -> tuple[polib.POFile, list[str], list[str]]:
    """Return the catalogue of ``messages`` with the translations of ``old``.

    Returns
    -------
    The new catalogue, the messages that have no translation, and the ones dropped.
    """
    known = {entry.msgid: entry for entry in old if not entry.obsolete and not entry.fuzzy}
    new = polib.POFile(wrapwidth=99)
    new.metadata = {
        "Project-Id-Version": "Overread",
        "Language": code,
        "MIME-Version": "1.0",
        "Content-Type": "text/plain; charset=UTF-8",
        "Content-Transfer-Encoding": "8bit",
        "Plural-Forms": PLURALS[code],
    }
    for message in messages.values():
        entry = polib.POEntry(
            msgid=message.text, occurrences=[(file, "") for file in message.files]
        )
        before = known.get(message.text)
        if message.plural is not None:
            entry.msgid_plural = message.plural
            kept = before is not None and before.msgid_plural == message.plural
            entry.msgstr_plural = dict(before.msgstr_plural) if kept and before else {0: ""}
        elif before is not None and not before.msgid_plural:
            entry.msgstr = before.msgstr
        new.append(entry)
    missing = [entry.msgid for entry in new if not entry.translated()]
    dropped = [text for text in known if text not in messages]
    return new, missing, dropped


def compiled(catalogue: polib.POFile) -> bytes:
    """Return a catalogue as gettext reads it."""
    return catalogue.to_binary()


def main(arguments: Sequence[str] | None = None) -> int:
    """Update or check every catalogue, and return the exit code."""
    parser = argparse.ArgumentParser(description="Bring the catalogues up to the code.")
    parser.add_argument("--check", action="store_true", help="write nothing; 1 if out of date")
    options = parser.parse_args(arguments)
    messages, changed = collect(), False
    for code in PLURALS:
        po = LOCALES / code / "LC_MESSAGES" / f"{DOMAIN}.po"
        catalogue, missing, dropped = merge(messages, read(po), code)
        for path, content in (
            (po, f"{catalogue}\n".encode()),
            (po.with_suffix(".mo"), compiled(catalogue)),
        ):
            if path.exists() and path.read_bytes() == content:
                continue
            changed = True
            if not options.check:
                path.parent.mkdir(parents=True, exist_ok=True)
                _replace(path, content)
        sys.stdout.write(
            f"{code}: {len(messages)} messages, {len(dropped)} dropped, {len(missing)} missing\n"
        )
        sys.stdout.writelines(f"  missing: {text!r}\n" for text in missing)
    return 1 if options.check and changed else 0


def _replace(path: Path, content: bytes) -> None:
    """Write a file whole, so that a running app never reads half a catalogue."""
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as stream:
        stream.write(content)
    written = Path(stream.name)
    written.chmod(0o644)
    written.replace(path)


if __name__ == "__main__":
    sys.exit(main())
