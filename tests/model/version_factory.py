"""What the tests of versions look at, and do to files behind the room's back.

The site they do it to is the fixture ``own``: versions 1.0, 2.0 and 3.0 of the task "tiny".
"""

from __future__ import annotations

import json
from pathlib import Path

from core.model import VersionState, active_bundle, versions
from core.settings import Settings
from core.trust import demo_people

CLINICIAN, REVIEWER, BOSS = demo_people()


def active(settings: Settings) -> str | None:
    """Return the version that answers."""
    bundle = active_bundle(settings, "tiny")
    return None if bundle is None else bundle.card.version


def folder(settings: Settings, version: str) -> Path:
    return settings.model_roots[0] / "tiny" / version


def record(settings: Settings) -> Path:
    """Return the file in which every switch is written."""
    return settings.model_roots[0] / "tiny" / "active.jsonl"


def spoil(settings: Settings, version: str) -> None:
    """Cut the bundle's weights off."""
    path = folder(settings, version) / "model.keras"
    path.write_bytes(path.read_bytes()[:2000])


def change(settings: Settings, version: str) -> None:
    """Let the bundle's files be others, though sound ones."""
    card = folder(settings, version) / "card.json"
    value = json.loads(card.read_text(encoding="utf-8"))
    card.write_text(json.dumps(value | {"title": "Another"}), encoding="utf-8")


def states(settings: Settings) -> dict[str, VersionState]:
    return {each.version: each.state for each in versions(settings, "tiny")}
