"""Every text on screen exists in every language, with its numbers in place."""

import ast
import gettext
import importlib.util
import io
import re
import string
import sys
from pathlib import Path

import polib
import pytest

from core.text import DOMAIN, LANGUAGES, LOCALES, _, ngettext, use_language

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = LOCALES / "update.py"


def load_update():
    spec = importlib.util.spec_from_file_location("locale_update", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # its dataclass looks itself up
    spec.loader.exec_module(module)
    return module


update = load_update()
MESSAGES = update.collect()
CODES = sorted(set(LANGUAGES) - {"en"})
CODE = sorted(update.sources())


def path_of(code: str) -> Path:
    return LOCALES / code / "LC_MESSAGES" / f"{DOMAIN}.po"


def catalogue(code: str) -> polib.POFile:
    return polib.pofile(str(path_of(code)))


def listed(texts) -> str:
    """One text to a line, for whoever has to translate them."""
    return "\n".join(f"  {text!r}  ({', '.join(MESSAGES[text].files)})" for text in texts)


def test_the_languages_offered_are_the_ones_kept():
    assert set(update.PLURALS) == set(CODES)


@pytest.mark.parametrize("code", CODES)
def test_nobody_meets_a_text_in_another_language(code):
    """Fails with the list of what is to translate; ``python assets/locale/update.py`` adds it."""
    done = {entry.msgid for entry in catalogue(code) if entry.translated()}
    missing = [text for text in MESSAGES if text not in done]
    if missing:
        pytest.fail(f"{len(missing)} texts have no {code} translation:\n{listed(missing)}", False)


@pytest.mark.parametrize("code", CODES)
def test_nothing_is_half_translated(code):
    entries = catalogue(code)
    assert [entry.msgid for entry in entries if entry.fuzzy or entry.obsolete] == []
    for entry in entries:
        if entry.msgid_plural:
            assert set(entry.msgstr_plural) == {0}, entry.msgid
            assert MESSAGES[entry.msgid].plural == entry.msgid_plural


@pytest.mark.parametrize("code", CODES)
def test_the_catalogue_holds_nothing_that_no_page_says(code):
    stale = [entry.msgid for entry in catalogue(code) if entry.msgid not in MESSAGES]
    assert stale == [], "run python assets/locale/update.py"


def fields(text: str) -> list[str]:
    """Every ``{placeholder}`` with its format, in alphabetical order."""
    return sorted(
        f"{name}!{conversion}:{spec}"
        for _literal, name, spec, conversion in string.Formatter().parse(text)
        if name is not None
    )


def translations(code: str) -> list[tuple[str, str]]:
    """Return every translated text: the English it is made from, and the translation."""
    pairs = []
    for entry in catalogue(code):
        if entry.msgid_plural:
            pairs += [(entry.msgid_plural, text) for text in entry.msgstr_plural.values()]
        else:
            pairs.append((entry.msgid, entry.msgstr))
    return [(english, text) for english, text in pairs if text]


@pytest.mark.parametrize("code", CODES)
def test_no_number_is_lost_in_translation(code):
    assert [pair for pair in translations(code) if fields(pair[0]) != fields(pair[1])] == []


@pytest.mark.parametrize("code", CODES)
def test_markup_survives_translation(code):
    """Bold marks, icons and code come in the same number; so do lines and outer spaces."""

    def marks(text: str) -> tuple[object, ...]:
        outer = (text[:1].isspace(), text[-1:].isspace())
        return text.count("**"), text.count("`"), re.findall(r":material/\w+:", text), outer

    assert [pair for pair in translations(code) if marks(pair[0]) != marks(pair[1])] == []


@pytest.mark.parametrize("text", MESSAGES)
def test_the_forms_of_a_count_name_the_same_things(text):
    plural = MESSAGES[text].plural
    if plural is not None:
        assert set(fields(text)) <= set(fields(plural))


@pytest.mark.parametrize("code", CODES)
def test_what_is_shown_is_what_was_translated(code):
    compiled = path_of(code).with_suffix(".mo")
    assert compiled.read_bytes() == update.compiled(catalogue(code)), (
        "run python assets/locale/update.py"
    )


@pytest.mark.parametrize("code", CODES)
def test_python_reads_the_compiled_catalogue(code):
    read = gettext.GNUTranslations(io.BytesIO(path_of(code).with_suffix(".mo").read_bytes()))
    known = {entry.msgid: entry for entry in catalogue(code) if entry.translated()}
    with use_language(code):
        for text, entry in known.items():
            if entry.msgid_plural:
                assert ngettext(text, entry.msgid_plural, 3) == entry.msgstr_plural[0]
            else:
                assert _(text) == entry.msgstr == read.gettext(text)


def test_updating_twice_changes_nothing_and_names_no_day(tmp_path):
    for code in CODES:
        old = catalogue(code)
        first, _missing, _dropped = update.merge(MESSAGES, old, code)
        (tmp_path / "once.po").write_text(f"{first}\n", encoding="utf-8")
        again, _missing, _dropped = update.merge(MESSAGES, update.read(tmp_path / "once.po"), code)
        assert str(again) == str(first)
        assert not re.search(r"\d{4}-\d\d-\d\d", path_of(code).read_text("utf-8").split("\n\n")[0])


def test_an_update_keeps_translations_drops_the_stale_and_lists_the_new():
    message = update.Message
    messages = {
        "kept": message("kept", None, ("a.py",)),
        "new": message("new", None, ("a.py",)),
        "{n} case": message("{n} case", "{n} cases", ("a.py",)),
    }
    old = polib.POFile()
    old.append(polib.POEntry(msgid="kept", msgstr="留"))
    old.append(polib.POEntry(msgid="stale", msgstr="旧"))
    old.append(
        polib.POEntry(msgid="{n} case", msgid_plural="{n} cases", msgstr_plural={0: "{n} 例"})
    )
    merged, missing, dropped = update.merge(messages, old, "zh_CN")
    assert {e.msgid: e.msgstr or e.msgstr_plural for e in merged} == {
        "kept": "留",
        "new": {},
        "{n} case": {0: "{n} 例"},
    }
    assert (missing, dropped) == (["new"], ["stale"])


def test_every_text_can_be_found_by_the_translator():
    """A text that is put together, or that comes in a variable, is in no catalogue."""
    wrong = []
    for path in CODE:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            name = getattr(node.func, "id", None) if isinstance(node, ast.Call) else None
            count = {"_": 1, "ngettext": 2}.get(name or "", 0)
            for argument in node.args[:count] if isinstance(node, ast.Call) else []:
                literal = isinstance(argument, ast.Constant) and isinstance(argument.value, str)
                if not literal or not argument.value:
                    wrong.append(f"{path.relative_to(ROOT)}:{node.lineno}")
    assert wrong == []


def test_no_text_hides_inside_an_f_string():
    """The extractor does not look into ``f"{_('…')}"``: such a text would stay English."""
    wrong = [
        f"{path.relative_to(ROOT)}:{call.lineno}"
        for path in CODE
        for text in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(text, ast.JoinedStr)
        for call in ast.walk(text)
        if isinstance(call, ast.Call) and getattr(call.func, "id", None) in ("_", "ngettext")
    ]
    assert wrong == []


def test_no_loop_variable_hides_the_translator():
    """``for _ in …`` in a module that translates makes a later ``_()`` fail."""
    wrong = []
    for path in CODE:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        imports = [n for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)]
        if not any(a.name == "_" for n in imports if n.module == "core.text" for a in n.names):
            continue
        # A comprehension keeps its variables to itself.
        own = {
            id(name)
            for node in ast.walk(tree)
            if isinstance(node, ast.comprehension)
            for name in ast.walk(node.target)
        }
        wrong += [
            f"{path.relative_to(ROOT)}:{node.lineno}"
            for node in ast.walk(tree)
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
            if node.id == "_" and id(node) not in own
        ]
    assert wrong == []


def test_a_language_without_a_translation_falls_back_to_english():
    with use_language("xx"):
        assert _("The database is up to date.") == "The database is up to date."
