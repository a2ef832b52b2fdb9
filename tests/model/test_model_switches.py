"""A switch of versions: refused where it would do harm, else recorded, whole and in order."""

from __future__ import annotations

import os
import shutil
import threading
from itertools import pairwise
from pathlib import Path
from typing import Any

import bundle_factory
import pytest
from version_factory import BOSS, CLINICIAN, REVIEWER, active, change, folder, record, spoil

from core.errors import (
    BundleInvalid,
    BundleNotFound,
    ModelBusy,
    ModelError,
    PermissionDenied,
    SwitchRefused,
)
from core.model import (
    Calibration,
    Predictor,
    keep_active,
    promote,
    read_switches,
    resolve,
    rollback,
    versions,
)
from core.settings import Settings

SPOILT: list[tuple[str, Any, str]] = [
    ("cut weights", lambda s: spoil(s, "1.0"), "weights cannot be read"),
    ("no card", lambda s: (folder(s, "1.0") / "card.json").unlink(), "card.json is missing"),
    ("gone", lambda s: shutil.rmtree(folder(s, "1.0")), "not here"),
    (
        "card of other weights",
        lambda s: shutil.copy(three_classes(s) / "model.keras", folder(s, "1.0") / "model.keras"),
        "another number of classes",
    ),
]


def three_classes(settings: Settings) -> Path:
    """Return a bundle whose network has four classes."""
    labels, plain = ("a", "b", "c", "malignant"), Calibration()
    other = bundle_factory.lesion_card("other", "1.0", labels=labels, calibration=plain)
    return bundle_factory.write(settings.var / "elsewhere", card=other).folder


@pytest.mark.parametrize(("spoilt", "part"), [s[1:] for s in SPOILT], ids=[s[0] for s in SPOILT])
def test_a_version_that_does_not_load_is_never_made_active(
    own: Settings, spoilt: Any, part: str
) -> None:
    promote(own, BOSS, "tiny", "2.0")
    held = record(own).read_bytes()
    spoilt(own)
    with pytest.raises(ModelError, match=part) as caught:
        promote(own, BOSS, "tiny", "1.0")
    assert "\n" not in str(caught.value)
    assert record(own).read_bytes() == held
    assert active(own) == "2.0"


def test_a_version_that_answers_with_no_number_is_never_made_active(
    own: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    from core.errors import PredictionFailed

    def broken(*_args: Any) -> None:
        raise PredictionFailed("The model gave no usable answer.")

    monkeypatch.setattr(Predictor, "read", broken)
    with pytest.raises(BundleInvalid, match="phantom"):
        promote(own, BOSS, "tiny", "1.0")
    assert active(own) == "3.0"


def test_a_busy_server_refuses_a_switch_and_does_not_call_the_model_broken(
    own: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def busy(*_args: Any) -> None:
        raise ModelBusy("Too many reads are waiting.")

    with monkeypatch.context() as patched:
        patched.setattr(Predictor, "read", busy)
        with pytest.raises(ModelBusy):
            promote(own, BOSS, "tiny", "1.0")
    assert promote(own, BOSS, "tiny", "1.0").changed


def test_what_was_repaired_in_place_can_be_promoted_without_a_restart(own: Settings) -> None:
    kept = (folder(own, "1.0") / "model.keras").read_bytes()
    spoil(own, "1.0")
    with pytest.raises(BundleInvalid):
        promote(own, BOSS, "tiny", "1.0")
    (folder(own, "1.0") / "model.keras").write_bytes(kept)
    assert promote(own, BOSS, "tiny", "1.0").changed


def test_a_version_is_not_gone_back_to_when_its_files_have_changed(own: Settings) -> None:
    promote(own, BOSS, "tiny", "1.0")
    promote(own, BOSS, "tiny", "2.0")
    change(own, "1.0")
    with pytest.raises(SwitchRefused, match=r"1\.0 cannot be active again: Its files have changed"):
        rollback(own, BOSS, "tiny")
    assert active(own) == "2.0"


@pytest.mark.parametrize("person", [CLINICIAN, REVIEWER], ids=lambda p: p.role)
def test_only_an_administrator_switches(own: Settings, person: Any) -> None:
    promote(own, BOSS, "tiny", "1.0")
    promote(own, BOSS, "tiny", "2.0")
    for attempt in (
        lambda: promote(own, person, "tiny", "3.0"),
        lambda: rollback(own, person, "tiny"),
        lambda: keep_active(own, person, "tiny"),
    ):
        with pytest.raises(PermissionDenied):
            attempt()
    assert len(read_switches(own, "tiny")) == 2


def test_nobody_switches_on_a_list_that_is_out_of_date(own: Settings) -> None:
    seen = resolve("tiny", settings=own).digest
    promote(own, BOSS, "tiny", "1.0", expected=seen)
    with pytest.raises(SwitchRefused, match="Another version is active"):
        promote(own, BOSS, "tiny", "2.0", expected=seen)
    assert active(own) == "1.0"
    with pytest.raises(BundleNotFound, match="have changed"):
        promote(own, BOSS, "tiny", "2.0", digest="0" * 64)


@pytest.mark.parametrize("reason", ["x" * 501, "two\nlines", "a\x1b[31mcolour"])
def test_a_reason_is_one_plain_line(own: Settings, reason: str) -> None:
    with pytest.raises(SwitchRefused, match="one line"):
        promote(own, BOSS, "tiny", "1.0", reason)
    assert not record(own).exists()


@pytest.mark.parametrize("torn", [b"", b'{"format": 1, "at": "2026', b'{"format": 1}'])
def test_a_switch_that_was_cut_off_never_happened(own: Settings, torn: bytes) -> None:
    promote(own, BOSS, "tiny", "1.0")
    whole = record(own).read_bytes()
    record(own).write_bytes(whole + torn)
    assert active(own) == "1.0"
    promote(own, BOSS, "tiny", "2.0")
    assert record(own).read_bytes().startswith(whole)
    assert [s.version for s in read_switches(own, "tiny")] == ["1.0", "2.0"]
    assert torn == b"" or torn not in record(own).read_bytes().splitlines()


def test_a_record_whose_last_line_is_damaged_is_not_guessed_at(own: Settings) -> None:
    promote(own, BOSS, "tiny", "1.0")
    promote(own, BOSS, "tiny", "2.0")
    lines = record(own).read_bytes().splitlines(keepends=True)
    record(own).write_bytes(lines[0] + b"spoilt\n")
    with pytest.raises(BundleInvalid, match="damaged"):
        Predictor.load("tiny", settings=own)
    with pytest.raises(BundleInvalid, match=r"Which version of tiny .* damaged"):
        versions(own)
    # Somebody who says which one it is to be mends it.
    promote(own, BOSS, "tiny", "2.0")
    assert active(own) == "2.0"


def test_a_record_that_may_not_be_read_is_not_guessed_at(
    own: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    promote(own, BOSS, "tiny", "1.0")
    os.utime(record(own))

    def refused(_path: Path) -> bytes:
        raise PermissionError

    monkeypatch.setattr(Path, "read_bytes", refused)
    with pytest.raises(BundleInvalid, match="check its rights"):
        resolve("tiny", settings=own)


@pytest.mark.parametrize("place", ["write", "fsync", "open"])
def test_a_full_disk_leaves_the_active_version_and_its_record(
    own: Settings, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    promote(own, BOSS, "tiny", "1.0")
    held = record(own).read_bytes()
    write = os.write

    def half(handle: int, data: bytes) -> int:
        write(handle, data[:20])
        raise OSError(28, "No space left on device")

    def full(*_args: Any, **_more: Any) -> Any:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, place, half if place == "write" else full)
        with pytest.raises(SwitchRefused, match="active version stays"):
            promote(own, BOSS, "tiny", "2.0")
    assert record(own).read_bytes() == held
    assert active(own) == "1.0"
    assert promote(own, BOSS, "tiny", "2.0").changed


def test_switches_at_the_same_moment_are_all_recorded_one_after_the_other(own: Settings) -> None:
    for version in ("1.0", "2.0", "3.0"):
        Predictor.load("tiny", version, settings=own)
    chosen = ["1.0", "2.0", "3.0"] * 4
    threads = [
        threading.Thread(target=promote, args=(own, BOSS, "tiny", version)) for version in chosen
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    switches = read_switches(own, "tiny")
    assert active(own) == switches[-1].version
    for earlier, later in pairwise(switches):
        assert later.before == earlier.which
