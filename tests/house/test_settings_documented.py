"""docs/settings.md against the code: a setting nobody can find does not exist."""

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import fields
from pathlib import Path

import pytest

from core.errors import OverreadError, SettingsError
from core.settings import PREFIX, Settings, load_settings
from core.store import Store

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
CONFIG = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text(encoding="utf-8"))


class Asked(Mapping[str, str]):
    """An empty environment that remembers what was asked for."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def __getitem__(self, name: str) -> str:
        self.names.append(name)
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        raise AssertionError("settings are read by name")

    def __len__(self) -> int:
        return 0


def rows(heading: str) -> dict[str, list[str]]:
    """Return the table under a heading: first column, without its ticks, to the others."""
    section = re.search(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", DOCUMENT, re.M | re.S)
    assert section, f"docs/settings.md has no section {heading}"
    table = [line for line in section.group(1).splitlines() if line.startswith("| `")]
    cells = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in table]
    return {first.strip("` "): rest for first, *rest in cells}


DOCUMENTED = rows("Environment")
STREAMLIT = rows("`.streamlit/config.toml`")


def asked_for() -> list[str]:
    environment = Asked()
    load_settings(environment)
    return environment.names


def test_every_setting_that_is_read_is_documented_and_the_other_way_round():
    assert set(asked_for()) == set(DOCUMENTED)
    assert len(DOCUMENTED) == len(fields(Settings))
    assert all(name.startswith(PREFIX) for name in DOCUMENTED)


def test_only_the_settings_file_reads_the_environment():
    readers = [
        path.relative_to(ROOT).as_posix()
        for path in [
            ROOT / "app.py",
            *(ROOT / "core").rglob("*.py"),
            *(ROOT / "pages").rglob("*.py"),
        ]
        if re.search(
            r"os\.getenv|os\.environ\.get|os\.environ\[[^]]+\](?! *=[^=])", path.read_text("utf-8")
        )
    ]
    assert [reader for reader in readers if reader != "core/settings.py"] == []


@pytest.mark.parametrize("name", DOCUMENTED)
def test_a_default_is_the_one_in_the_documentation(name, monkeypatch):
    monkeypatch.chdir(ROOT)
    said = DOCUMENTED[name][0].strip("`").replace("{var}", str(load_settings({}).var))
    assert load_settings({name: said}) == load_settings({})
    assert load_settings({name: ""}) == load_settings({})


@pytest.mark.parametrize(
    ("name", "other", "field", "value"),
    [
        ("OVERREAD_DATABASE_URL", "postgresql+psycopg://h/d", "database_url", None),
        ("OVERREAD_MAX_UPLOAD_MB", "2000", "max_upload_bytes", 2000 * 2**20),
        ("OVERREAD_MAX_MEGAPIXELS", "1", "max_pixels", 1_000_000),
        ("OVERREAD_TASK", "chest-xray", "task", None),
        ("OVERREAD_LANGUAGE", "zh_CN", "language", None),
        ("OVERREAD_DEMO_ON_NETWORK", "On", "demo_on_network", True),
        ("OVERREAD_CONCURRENT_READS", "64", "concurrent_reads", 64),
    ],
)
def test_a_setting_does_what_it_says(name, other, field, value):
    got = getattr(load_settings({name: other}), field)
    assert got == (other if value is None else value)


def test_moving_the_folder_moves_everything_the_site_keeps(tmp_path):
    settings = load_settings({"OVERREAD_VAR": str(tmp_path / "site")})
    assert settings.var == tmp_path / "site"
    assert settings.database_url == f"sqlite:///{tmp_path / 'site' / 'overread.db'}"
    assert settings.var in settings.blobs.parents
    assert settings.var in settings.model_roots[0].parents


def numbers() -> list[tuple[str, str, str]]:
    found = []
    for name, (_default, accepts, *_rest) in DOCUMENTED.items():
        bounds = re.fullmatch(r"(\d+) to (\d+)", accepts)
        if bounds:
            found.append((name, bounds.group(1), bounds.group(2)))
    return found


@pytest.mark.parametrize(("name", "low", "high"), numbers())
def test_the_documented_range_is_the_accepted_one(name, low, high):
    load_settings({name: low})
    load_settings({name: high})
    for bad in (str(int(low) - 1), str(int(high) + 1), "-5", "2.5", "many", "1e3"):
        with pytest.raises(SettingsError, match=f"^{name} must be .*{low} to {high}"):
            load_settings({name: bad})


@pytest.mark.parametrize(
    ("name", "bad"), [("OVERREAD_LANGUAGE", "fr"), ("OVERREAD_DEMO_ON_NETWORK", "perhaps")]
)
def test_a_mistyped_choice_is_refused_and_the_line_names_every_choice(name, bad):
    with pytest.raises(SettingsError, match=f"^{name} must be ") as caught:
        load_settings({name: bad})
    assert bad not in str(caught.value)
    for choice in re.findall(r"`(\w+)`", DOCUMENTED[name][1]):
        assert choice in str(caught.value)


@pytest.mark.parametrize("address", ["mysql://host/name", "no address at all"])
def test_a_database_that_is_not_supported_is_refused_in_one_line(address):
    with pytest.raises(SettingsError) as caught:
        Store.open(load_settings({"OVERREAD_DATABASE_URL": address}))
    assert isinstance(caught.value, OverreadError)
    assert "\n" not in str(caught.value)
    assert address not in str(caught.value)


def shown(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return ", ".join(value) if isinstance(value, list) else str(value)


def test_streamlits_own_settings_are_documented_as_they_ship():
    shipped = {
        f"{section}.{name}": shown(value)
        for section, entries in CONFIG.items()
        if section != "theme"
        for name, value in entries.items()
    }
    assert {name: cells[0].strip("`") for name, cells in STREAMLIT.items()} == shipped


def test_streamlit_knows_every_entry():
    """A misspelled entry would be ignored, and what it protects against would be open."""
    from streamlit import config

    known = set(config._config_options_template)
    theme = CONFIG["theme"]
    names = set(STREAMLIT) | {f"theme.{k}" for k, v in theme.items() if not isinstance(v, dict)}
    for side in ("dark", "light"):
        for name, value in theme[side].items():
            inner = [f"{name}.{k}" for k in value] if isinstance(value, dict) else [name]
            names |= {f"theme.{side}.{n}" for n in inner}
    assert names - known == set()


def test_nobody_but_this_machine_can_open_the_demo():
    server = CONFIG["server"]
    assert server["address"] == "127.0.0.1"
    assert set(server["allowedHosts"]) == {"127.0.0.1", "localhost"}
    assert server["enableXsrfProtection"] is True
    assert server["enableCORS"] is True


def test_an_error_shows_no_trace_and_nothing_is_reported_to_anybody():
    assert CONFIG["client"]["showErrorDetails"] == "none"
    assert CONFIG["client"]["showErrorLinks"] is False
    assert CONFIG["browser"]["gatherUsageStats"] is False


def test_the_server_takes_what_the_scan_room_takes():
    assert CONFIG["server"]["maxUploadSize"] * 2**20 == load_settings({}).max_upload_bytes


def test_both_themes_set_the_same_colours():
    dark, light = CONFIG["theme"]["dark"], CONFIG["theme"]["light"]
    for name in ("primaryColor", "backgroundColor", "secondaryBackgroundColor", "textColor"):
        assert name in dark
        assert name in light
    assert set(dark["sidebar"]) == set(light["sidebar"])


def luminance(colour: str) -> float:
    """Relative luminance, WCAG 2.2."""
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("side", ["dark", "light"])
def test_text_can_be_read_on_its_ground(side):
    theme = CONFIG["theme"][side]
    grounds = [theme["backgroundColor"], theme["secondaryBackgroundColor"]]
    grounds += theme["sidebar"].values()
    inks = [v for k, v in theme.items() if k.endswith("TextColor") or k == "textColor"]
    inks.append(theme["linkColor"])
    worst = {(ink, ground): contrast(ink, ground) for ink in inks for ground in grounds}
    assert {pair: round(ratio, 2) for pair, ratio in worst.items() if ratio < 4.5} == {}


@pytest.mark.parametrize("side", ["dark", "light"])
def test_the_word_mark_shows_on_both_grounds(side):
    """One file for both themes: no colour reaches 4.5 on both; 3 is what graphics need."""
    for name in ("logo.svg", "mark.svg"):
        text = (ROOT / "assets" / "brand" / name).read_text(encoding="utf-8")
        colours = set(re.findall(r"#[0-9a-f]{6}", text))
        assert colours
        assert "<text" not in text
        theme = CONFIG["theme"][side]
        for ground in (theme["backgroundColor"], theme["sidebar"]["backgroundColor"]):
            assert min(contrast(ink, ground) for ink in colours) >= 3.7
