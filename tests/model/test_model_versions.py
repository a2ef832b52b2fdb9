"""Which version answers: what was promoted, and the last good one where that cannot be used."""

from __future__ import annotations

import json
import logging
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import bundle_factory
import pytest
from version_factory import BOSS, active, change, folder, record, spoil, states

from core.__main__ import main
from core.errors import (
    BundleInvalid,
    SwitchRefused,
)
from core.model import (
    ModelVersion,
    Predictor,
    VersionState,
    before,
    checked_versions,
    find_bundle,
    keep_active,
    list_bundles,
    promote,
    read_switches,
    resolve,
    rollback,
    versions,
)
from core.settings import Settings


def test_without_a_choice_the_highest_version_is_active(own: Settings) -> None:
    assert active(own) == "3.0"
    assert not any(each.chosen for each in versions(own, "tiny"))


def test_the_list_says_what_answers_and_not_what_was_merely_copied_in(
    own: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    spoil(own, "3.0")
    monkeypatch.setenv("OVERREAD_VAR", str(own.var))
    assert main(["models", "tiny", "--json"]) == 0
    listed = {each["version"]: each for each in json.loads(capsys.readouterr().out)}
    assert [name for name, each in listed.items() if each["state"] == "active"] == ["2.0"]
    assert listed["3.0"]["problem"] == "The model's weights cannot be read."
    assert Predictor.load("tiny", settings=own).card.version == "2.0"


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


def test_the_listing_of_bundles_stays_whatever_is_promoted(own: Settings) -> None:
    promote(own, BOSS, "tiny", "1.0")
    assert [entry.version for entry in list_bundles(own, "tiny")] == ["3.0", "2.0", "1.0"]


def test_going_back_leads_to_what_answered_and_not_to_what_is_gone(own: Settings) -> None:
    promote(own, BOSS, "tiny", "1.0")
    promote(own, BOSS, "tiny", "2.0")
    shutil.rmtree(folder(own, "2.0"))
    # The last good one answers, and is what the next switch comes from.
    assert active(own) == "1.0"
    promote(own, BOSS, "tiny", "3.0")
    assert before(own, "tiny").version == "1.0"
    rollback(own, BOSS, "tiny")
    assert active(own) == "1.0"
    # Before that 2.0 was chosen, which is gone; what was active before anybody chose is not.
    assert before(own, "tiny").version == "3.0"
    rollback(own, BOSS, "tiny")
    assert active(own) == "3.0"


def test_going_back_to_what_is_active_says_that_it_is(own: Settings) -> None:
    for version in ("1.0", "2.0"):
        promote(own, BOSS, "tiny", version)
    with pytest.raises(SwitchRefused, match="made active last"):
        rollback(own, BOSS, "tiny", to="2.0")
    assert active(own) == "2.0"


def test_a_damaged_bundle_that_was_copied_in_is_not_called_active(own: Settings) -> None:
    shutil.copytree(folder(own, "3.0"), folder(own, "4.0"))
    card = folder(own, "4.0") / "card.json"
    card.write_text(card.read_text().replace('"3.0"', '"4.0"'))
    spoil(own, "4.0")
    found = {each.version: each.state for each in checked_versions(own, "tiny")}
    assert found["4.0"] is VersionState.UNUSABLE
    assert found["3.0"] is VersionState.ACTIVE


def test_going_back_leads_to_what_stood_in_for_a_damaged_version(own: Settings) -> None:
    promote(own, BOSS, "tiny", "1.0")
    promote(own, BOSS, "tiny", "2.0")
    (folder(own, "2.0") / "card.json").write_text("{}")
    assert active(own) == "1.0"
    promote(own, BOSS, "tiny", "3.0")
    rollback(own, BOSS, "tiny")
    assert active(own) == "1.0"
