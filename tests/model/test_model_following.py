"""A running server follows what was promoted, and goes on with what it has where it cannot."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path
from typing import Any

import bundle_factory
import pytest
from version_factory import BOSS, folder, record

from core.errors import (
    BundleNotFound,
)
from core.model import (
    Predictor,
    WarmUp,
    promote,
    rollback,
    warm_up,
)
from core.settings import Settings


@pytest.fixture
def server(own: Settings) -> WarmUp:
    """What a server holds, with 1.0 promoted and ready."""
    promote(own, BOSS, "tiny", "1.0")
    warming = warm_up(own)
    assert warming.get_predictor().card.version == "1.0"
    return warming


def test_a_server_takes_over_the_new_version_and_old_reads_end_with_the_old_one(
    own: Settings, server: WarmUp
) -> None:
    assert not server.follow(timeout=60)
    old = server.get_predictor()
    promote(own, BOSS, "tiny", "2.0")
    assert server.follow(timeout=60)
    assert server.get_predictor().card.version == "2.0"
    assert server.status().coming is None
    # Whoever was handed the old one reads to the end with it.
    scan = bundle_factory.scan()
    assert (old.read(scan).version, server.get_predictor().read(scan).version) == ("1.0", "2.0")
    rollback(own, BOSS, "tiny")
    assert server.follow(timeout=60)
    assert server.get_predictor() is old


def test_nobody_waits_while_the_new_version_is_got_ready(
    own: Settings, server: WarmUp, monkeypatch: pytest.MonkeyPatch
) -> None:
    promote(own, BOSS, "tiny", "2.0")
    go_on = threading.Event()
    load = Predictor.load.__func__  # type: ignore[attr-defined]

    def slowly(cls: Any, *args: Any, **more: Any) -> Predictor:
        go_on.wait(60)
        found: Predictor = load(cls, *args, **more)
        return found

    monkeypatch.setattr(Predictor, "load", classmethod(slowly))
    assert server.follow()
    assert (server.status().state, server.status().coming) == ("ready", "2.0")
    assert server.get_predictor(timeout=0).card.version == "1.0"
    # Asking again does not begin again.
    assert server.follow()
    go_on.set()
    server.follow(timeout=60)
    assert server.get_predictor().card.version == "2.0"


def test_a_server_keeps_what_answers_when_files_rot_under_it(own: Settings, server: WarmUp) -> None:
    old = server.get_predictor()
    shutil.rmtree(folder(own, "1.0"))
    assert not server.follow(timeout=60)
    assert server.get_predictor() is old
    record(own).write_bytes(b"spoilt\n")
    assert not server.follow(timeout=60)
    assert server.get_predictor() is old


def test_a_server_whose_new_version_does_not_load_goes_on_with_the_old_one(
    own: Settings, server: WarmUp, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = server.get_predictor()
    promote(own, BOSS, "tiny", "2.0")
    tries = []

    def fails(*_args: Any, **_more: Any) -> None:
        tries.append(1)
        raise MemoryError

    monkeypatch.setattr(Predictor, "load", fails)
    for _time in range(3):
        server.follow(timeout=60)
    assert server.get_predictor() is old
    # Tried once and not every two seconds.
    assert len(tries) == 1


def test_a_server_without_a_model_gets_one_as_soon_as_there_is_one(
    own: Settings, three: Path
) -> None:
    shutil.rmtree(own.model_roots[0] / "tiny")
    warming = warm_up(own)
    with pytest.raises(BundleNotFound):
        warming.get_predictor()
    assert not warming.follow(timeout=60)
    shutil.copytree(three, own.model_roots[0], dirs_exist_ok=True)
    assert warming.follow(timeout=60)
    assert warming.get_predictor().card.version == "3.0"
