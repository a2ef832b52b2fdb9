"""Which version answers: what was promoted, and the last good one where that cannot be used."""

from __future__ import annotations

import json
import logging
import os
import shutil
import threading
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import bundle_factory
import pytest

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
    ModelVersion,
    Predictor,
    VersionState,
    WarmUp,
    active_bundle,
    before,
    find_bundle,
    keep_active,
    list_bundles,
    promote,
    read_switches,
    resolve,
    rollback,
    versions,
    warm_up,
)
from core.settings import Settings
from core.trust import demo_people

CLINICIAN, REVIEWER, BOSS = demo_people()


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Model folders of three versions with other weights each."""
    root = tmp_path_factory.mktemp("three") / "models"
    for seed, version in enumerate(("1.0", "2.0", "3.0")):
        card = bundle_factory.lesion_card("tiny", version)
        bundle_factory.write(root, bundle_factory.lesion_net(seed=seed), card)
    return root


@pytest.fixture
def own(three: Path, tmp_path: Path) -> Settings:
    settings = bundle_factory.settings_for(tmp_path, task="tiny")
    shutil.copytree(three, settings.model_roots[0])
    return settings


def active(settings: Settings) -> str | None:
    bundle = active_bundle(settings, "tiny")
    return None if bundle is None else bundle.card.version


def folder(settings: Settings, version: str) -> Path:
    return settings.model_roots[0] / "tiny" / version


def record(settings: Settings) -> Path:
    return settings.model_roots[0] / "tiny" / "active.jsonl"


def spoil(settings: Settings, version: str) -> None:
    path = folder(settings, version) / "model.keras"
    path.write_bytes(path.read_bytes()[:2000])


def change(settings: Settings, version: str) -> None:
    """Let the bundle's files be others, though sound ones."""
    card = folder(settings, version) / "card.json"
    value = json.loads(card.read_text(encoding="utf-8"))
    card.write_text(json.dumps(value | {"title": "Another"}), encoding="utf-8")


def states(settings: Settings) -> dict[str, VersionState]:
    return {each.version: each.state for each in versions(settings, "tiny")}


def test_without_a_choice_the_highest_version_is_active(own: Settings) -> None:
    assert active(own) == "3.0"
    assert not any(each.chosen for each in versions(own, "tiny"))


def test_the_promoted_version_answers_and_says_who_when_and_why(own: Settings) -> None:
    done = promote(own, BOSS, "tiny", "1.0", " simpler ")
    assert (done.changed, done.now.version) == (True, "1.0")
    assert done.before is not None
    assert done.before.version == "3.0"
    assert Predictor.load("tiny", settings=own).card.version == "1.0"
    assert resolve("tiny", settings=own).card.version == "1.0"
    (switch,) = read_switches(own, "tiny")
    assert (switch.action, switch.by, switch.reason) == ("promote", BOSS.id, "simpler")
    assert abs(datetime.now(UTC) - switch.at) < timedelta(minutes=5)
    assert switch.digest == resolve("tiny", "1.0", settings=own).digest
    # Others can still be asked for by name.
    assert Predictor.load("tiny", "2.0", settings=own).card.version == "2.0"


def test_a_promoted_version_stays_active_when_a_higher_one_is_copied_in(own: Settings) -> None:
    promote(own, BOSS, "tiny", "2.0")
    shutil.copytree(folder(own, "3.0"), folder(own, "4.0"))
    card = folder(own, "4.0") / "card.json"
    card.write_text(card.read_text().replace('"3.0"', '"4.0"'))
    assert resolve("tiny", "4.0", settings=own).card.version == "4.0"
    assert active(own) == "2.0"


def test_going_back_goes_through_what_was_active_and_no_further(own: Settings) -> None:
    promote(own, BOSS, "tiny", "1.0")
    promote(own, BOSS, "tiny", "2.0")
    assert before(own, "tiny").version == "1.0"
    rollback(own, BOSS, "tiny", reason="worse")
    assert active(own) == "1.0"
    assert states(own)["2.0"] is VersionState.WITHDRAWN
    # 3.0 was active before anybody chose.
    rollback(own, BOSS, "tiny")
    assert active(own) == "3.0"
    with pytest.raises(SwitchRefused, match="No version was active before"):
        rollback(own, BOSS, "tiny")
    assert [s.action for s in read_switches(own, "tiny")] == ["promote"] * 2 + ["rollback"] * 2


def test_going_back_to_a_named_version_skips_those_between(own: Settings) -> None:
    for version in ("1.0", "2.0", "3.0"):
        promote(own, BOSS, "tiny", version)
    rollback(own, BOSS, "tiny", to="1.0")
    assert active(own) == "1.0"
    assert states(own)["2.0"] is VersionState.WITHDRAWN
    with pytest.raises(SwitchRefused, match="was not active before"):
        rollback(own, BOSS, "tiny", to="2.0")
    # What was taken back can be chosen again.
    promote(own, BOSS, "tiny", "2.0")
    assert active(own) == "2.0"
    assert before(own, "tiny").version == "1.0"


def test_promoting_what_is_active_changes_nothing_but_holds_it(own: Settings) -> None:
    assert promote(own, BOSS, "tiny", "3.0").changed
    assert not promote(own, BOSS, "tiny", "3.0").changed
    assert len(read_switches(own, "tiny")) == 1
    with pytest.raises(SwitchRefused):
        rollback(own, BOSS, "tiny")


@pytest.mark.parametrize("spoilt", ["weights", "card", "gone", "changed"])
def test_where_the_promoted_version_cannot_be_used_the_last_good_one_stays(
    own: Settings, spoilt: str, caplog: pytest.LogCaptureFixture
) -> None:
    promote(own, BOSS, "tiny", "1.0")
    promote(own, BOSS, "tiny", "2.0")
    if spoilt == "weights":
        spoil(own, "2.0")
    elif spoilt == "card":
        (folder(own, "2.0") / "card.json").write_text("{}")
    elif spoilt == "gone":
        shutil.rmtree(folder(own, "2.0"))
    else:
        change(own, "2.0")
    with caplog.at_level(logging.WARNING):
        # Not 3.0, which nobody chose after 1.0.
        assert Predictor.load("tiny", settings=own).card.version == "1.0"
    assert active(own) == "1.0"
    found = {each.version: each for each in versions(own, "tiny")}
    assert found["2.0"].state is VersionState.FAILED
    assert found["2.0"].chosen
    assert found["2.0"].reason
    assert found["1.0"].state is VersionState.ACTIVE
    said = [r.getMessage() for r in caplog.records if "active but not used" in r.getMessage()]
    assert len(said) == 1
    assert found["2.0"].reason in said[0]
    # Said once, though a server asks every few seconds.
    caplog.clear()
    assert active(own) == "1.0"
    assert not caplog.records


def test_nothing_that_nobody_chose_takes_the_place_of_what_fails(own: Settings) -> None:
    (folder(own, "3.0")).rename(own.var / "aside")
    promote(own, BOSS, "tiny", "2.0")
    (own.var / "aside").rename(folder(own, "3.0"))
    shutil.rmtree(folder(own, "2.0"))
    with pytest.raises(BundleInvalid, match="not here any more"):
        Predictor.load("tiny", settings=own)
    assert active(own) is None
    assert states(own) == {
        "3.0": VersionState.USABLE, "2.0": VersionState.FAILED, "1.0": VersionState.USABLE,
    }  # fmt: skip


def test_what_ships_takes_the_place_of_what_fails_unless_it_was_taken_back(
    own: Settings, three: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.settings.ROOT", tmp_path)
    shipped = tmp_path / "assets" / "models" / "tiny"
    shipped.mkdir(parents=True)
    for version in ("2.0", "3.0"):
        folder(own, version).rename(shipped / version)
    promote(own, BOSS, "tiny", "3.0")
    rollback_to = folder(own, "1.0")
    promote(own, BOSS, "tiny", "1.0")
    rollback_to.rename(tmp_path / "gone")
    assert active(own) == "3.0"
    (tmp_path / "gone").rename(rollback_to)
    record(own).unlink()
    promote(own, BOSS, "tiny", "1.0")
    promote(own, BOSS, "tiny", "3.0")
    rollback(own, BOSS, "tiny", to="1.0")
    shutil.rmtree(rollback_to)
    assert active(own) == "2.0"


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
    with pytest.raises(SwitchRefused, match="Somebody else"):
        promote(own, BOSS, "tiny", "2.0", expected=seen)
    assert active(own) == "1.0"
    with pytest.raises(BundleNotFound, match="have changed"):
        promote(own, BOSS, "tiny", "2.0", digest="0" * 64)


@pytest.mark.parametrize("reason", ["x" * 501, "two\nlines", "a\x1b[31mcolour"])
def test_a_reason_is_one_plain_line(own: Settings, reason: str) -> None:
    with pytest.raises(SwitchRefused, match="one line"):
        promote(own, BOSS, "tiny", "1.0", reason)
    assert not record(own).exists()


def test_an_imported_version_does_not_take_the_place_of_what_was_never_promoted(
    own: Settings,
) -> None:
    held = keep_active(own, BOSS, "tiny")
    assert held is not None
    assert held.now.version == "3.0"
    shutil.copytree(folder(own, "1.0"), folder(own, "9.0"))
    card = folder(own, "9.0") / "card.json"
    card.write_text(card.read_text().replace('"1.0"', '"9.0"'))
    assert active(own) == "3.0"
    assert keep_active(own, BOSS, "tiny") is None
    assert keep_active(own, BOSS, "no-such-task") is None


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
    with pytest.raises(BundleInvalid, match="damaged"):
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


def test_nothing_is_read_again_while_nothing_has_changed(
    own: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    promote(own, BOSS, "tiny", "1.0")
    first = versions(own, "tiny")

    def read(*_args: Any, **_more: Any) -> Any:
        raise AssertionError("a file was read")

    monkeypatch.setattr(Path, "read_bytes", read)
    monkeypatch.setattr(Path, "open", read)
    again = versions(own, "tiny")
    assert [(v.version, v.state) for v in again] == [(v.version, v.state) for v in first]
    assert all(a.bundle is b.bundle for a, b in zip(first, again, strict=True))


def test_the_bundle_that_made_a_result_is_found_whether_it_is_active_or_not(own: Settings) -> None:
    made = resolve("tiny", "2.0", settings=own)
    promote(own, BOSS, "tiny", "1.0")
    found = find_bundle(own, "tiny", "2.0", made.digest)
    assert found is not None
    assert found.folder == made.folder
    change(own, "2.0")
    assert find_bundle(own, "tiny", "2.0", made.digest) is None
    assert find_bundle(own, "../tiny", "2.0", made.digest) is None


def test_the_list_shows_the_figures_of_a_card_and_nothing_where_it_has_none(own: Settings) -> None:
    auc = {"value": 0.9, "low": 0.8, "high": 0.95, "n": 10}

    def auc_of(metrics: dict[str, Any]) -> Any:
        card = bundle_factory.lesion_card("tiny", "5.0", metrics=metrics)
        bundle_factory.write_bundle(
            folder(own, "5.0"), folder(own, "1.0") / "model.keras", card,
            bundle_factory.reference(), replace=True,
        )  # fmt: skip
        (found,) = [each for each in versions(own, "tiny") if each.version == "5.0"]
        assert isinstance(found, ModelVersion)
        return found.auc

    assert auc_of({"val": {"roc_auc": auc}}) == (0.9, 0.8, 0.95)
    assert auc_of({"roc_auc": auc}) == (0.9, 0.8, 0.95)
    assert auc_of({}) is None
    assert auc_of({"val": {"roc_auc": {"value": "high"}}}) is None
    assert auc_of({"val": 3}) is None


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


def test_the_listing_of_bundles_stays_whatever_is_promoted(own: Settings) -> None:
    promote(own, BOSS, "tiny", "1.0")
    assert [entry.version for entry in list_bundles(own, "tiny")] == ["3.0", "2.0", "1.0"]
