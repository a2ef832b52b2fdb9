"""The one place that reads the environment.

Every setting is an environment variable that begins with ``OVERREAD_``; ``docs/settings.md``
documents each one, and a test holds the two together.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from core.errors import SettingsError

ROOT = Path(__file__).resolve().parent.parent
PREFIX = "OVERREAD_"


@dataclass(frozen=True, slots=True)
class Settings:
    """What a site can set.

    Attributes
    ----------
    var
        Folder for everything the site keeps: database, stored images, its own models
        (``OVERREAD_VAR``, default ``var`` beside ``app.py``).
    database_url
        SQLAlchemy address of the store (``OVERREAD_DATABASE_URL``; default SQLite in ``var``).
    max_upload_bytes
        Largest file that is read, in bytes (``OVERREAD_MAX_UPLOAD_MB``, default 300).
    max_pixels
        Most pixels an image may have, told by its header (``OVERREAD_MAX_MEGAPIXELS``, 40).
    max_files
        Most files taken out of one folder or archive (``OVERREAD_MAX_FILES``, 2000).
    session_bytes
        Memory one session's open scans may take (``OVERREAD_SESSION_MB``, default 2048).
    task
        The model task the read page uses (``OVERREAD_TASK``, default ``breast-ultrasound``).
    language
        Language before a person chooses one (``OVERREAD_LANGUAGE``, ``en`` or ``zh_CN``).
    demo_on_network
        Whether demo mode, which asks for no password, may be served beyond this machine
        (``OVERREAD_DEMO_ON_NETWORK``, default off).
    concurrent_reads
        Reads the model computes at the same time (``OVERREAD_CONCURRENT_READS``, default 2).
    """

    var: Path
    database_url: str
    max_upload_bytes: int = 300 * 2**20
    max_pixels: int = 40_000_000
    max_files: int = 2000
    session_bytes: int = 2048 * 2**20
    task: str = "breast-ultrasound"
    language: str = "en"
    demo_on_network: bool = False
    concurrent_reads: int = 2

    @property
    def blobs(self) -> Path:
        """Folder of the stored pixels."""
        return self.var / "blobs"

    @property
    def model_roots(self) -> tuple[Path, ...]:
        """Folders of model bundles: the site's own first, then what ships."""
        return (self.var / "models", ROOT / "assets" / "models")


def load_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """Read the settings from ``environ`` (the process environment by default).

    Raises
    ------
    SettingsError
        A value cannot be used; the message names the variable and what it accepts.
    """
    env = os.environ if environ is None else environ
    var = Path(env.get(f"{PREFIX}VAR") or ROOT / "var").expanduser().resolve()
    language = env.get(f"{PREFIX}LANGUAGE") or "en"
    if language not in ("en", "zh_CN"):
        raise SettingsError(f"{PREFIX}LANGUAGE must be en or zh_CN.")
    return Settings(
        var=var,
        database_url=env.get(f"{PREFIX}DATABASE_URL") or f"sqlite:///{var / 'overread.db'}",
        max_upload_bytes=_number(env, "MAX_UPLOAD_MB", 300, 1, 2000) * 2**20,
        max_pixels=_number(env, "MAX_MEGAPIXELS", 40, 1, 1000) * 1_000_000,
        max_files=_number(env, "MAX_FILES", 2000, 1, 100_000),
        session_bytes=_number(env, "SESSION_MB", 2048, 16, 1_000_000) * 2**20,
        task=env.get(f"{PREFIX}TASK") or "breast-ultrasound",
        language=language,
        demo_on_network=_switch(env, "DEMO_ON_NETWORK"),
        concurrent_reads=_number(env, "CONCURRENT_READS", 2, 1, 64),
    )


def _number(env: Mapping[str, str], name: str, default: int, low: int, high: int) -> int:
    text = env.get(f"{PREFIX}{name}") or str(default)
    try:
        value = int(text)
    except ValueError:
        value = low - 1
    if not low <= value <= high:
        raise SettingsError(f"{PREFIX}{name} must be a whole number from {low} to {high}.")
    return value


def _switch(env: Mapping[str, str], name: str) -> bool:
    text = (env.get(f"{PREFIX}{name}") or "off").strip().lower()
    if text in ("1", "on", "true", "yes"):
        return True
    if text in ("0", "off", "false", "no"):
        return False
    raise SettingsError(f"{PREFIX}{name} must be on or off.")
