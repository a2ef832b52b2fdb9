"""Making another version active: looked at whole first, recorded, and taken back as easily."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING, Any

from core.errors import BundleInvalid, BundleNotFound, ModelError, PredictionFailed, SwitchRefused
from core.model._bundle import Bundle, bundle_digest
from core.model._card import TASK
from core.model._predictor import Predictor, cached
from core.model._registry import (
    BundleEntry,
    candidates,
    forget_rejections,
    list_bundles,
    problem_of,
    task_names,
)
from core.model._switches import (
    LONGEST_REASON,
    Action,
    Switch,
    Which,
    append_switch,
    approved,
    now,
    read_switches,
)
from core.settings import Settings
from core.text import _

if TYPE_CHECKING:
    from core.scan import Scan
    from core.trust import Person


class VersionState(StrEnum):
    """What a version is used for."""

    #: It answers.
    ACTIVE = "active"
    #: It was made active and cannot be used; another one answers.
    FAILED = "failed"
    #: It can be made active.
    USABLE = "usable"
    #: It was active and was taken back; it can be made active again.
    WITHDRAWN = "withdrawn"
    #: It cannot be used.
    UNUSABLE = "unusable"


@dataclass(frozen=True, slots=True, eq=False)
class ModelVersion:
    """One version of a task as a list shows it.

    Attributes
    ----------
    shipped
        Whether it comes with Overread; else it is the site's own.
    state
        What it is used for.
    chosen
        Whether it is what was made active last, usable or not.
    bundle
        The bundle, or None where it cannot be used.
    reason
        One line why it cannot be used, or None.
    """

    task: str
    version: str
    shipped: bool
    state: VersionState
    chosen: bool
    bundle: Bundle | None
    reason: str | None

    @property
    def figures(self) -> Mapping[str, Any]:
        """Figures on validation scans by name, each with ``value``, ``low``, ``high``; or none."""
        metrics: Mapping[str, Any] = {} if self.bundle is None else self.bundle.card.metrics
        inner = metrics.get("val", metrics)
        return inner if isinstance(inner, Mapping) else {}

    @property
    def auc(self) -> tuple[float, float, float] | None:
        """ROC-AUC on validation scans and its 95 % interval, where the card has it."""
        found: Any = self.figures.get("roc_auc")
        try:
            return (float(found["value"]), float(found["low"]), float(found["high"]))
        except (TypeError, KeyError, ValueError):
            return None


@dataclass(frozen=True, slots=True)
class Change:
    """What a switch came to.

    Attributes
    ----------
    now
        What is active.
    before
        What was active; None where nothing was.
    changed
        Whether anything was recorded: False where it was active already.
    """

    task: str
    now: Which
    before: Which | None
    changed: bool


def versions(settings: Settings, task: str | None = None) -> tuple[ModelVersion, ...]:
    """List the versions of a task, or of all tasks, the highest first, and which one is active.

    Raises
    ------
    BundleInvalid
        Which version is active cannot be read.
    """
    names = task_names(settings) if task is None else [task]
    return tuple(version for name in names for version in _of_task(settings, name))


def checked_versions(settings: Settings, task: str | None = None) -> tuple[ModelVersion, ...]:
    """List the versions as :func:`versions` does; what is said to be active was loaded.

    What was made active was loaded then, and what ships is tested; of what was only copied into
    the folder, nothing but loading it tells whether it is what answers.
    """
    found = versions(settings, task)
    untried = [
        each
        for each in found
        if each.state is VersionState.ACTIVE and not (each.chosen or each.shipped)
    ]
    for each in untried:
        with suppress(ModelError):
            Predictor.load(each.task, settings=settings)
    return versions(settings, task) if untried else found


def _of_task(settings: Settings, task: str) -> list[ModelVersion]:
    if not TASK.fullmatch(task):
        return []
    said = approved(read_switches(settings, task))
    active = active_bundle(settings, task)
    entries = list_bundles(settings, task)
    problem = None if said.chosen is None else problem_of(entries, said.chosen)
    stands = _entry_of(entries, said.chosen, problem)
    found = []
    for entry in entries:
        bundle, reason, chosen = entry.bundle, entry.reason, entry is stands
        if chosen and problem is not None:
            reason = problem
        if active is not None and bundle is not None and bundle.folder == active.folder:
            state = VersionState.ACTIVE
        elif chosen and problem is not None:
            state = VersionState.FAILED
        elif bundle is None:
            state = VersionState.UNUSABLE
        elif bundle.digest in said.withdrawn:
            state = VersionState.WITHDRAWN
        else:
            state = VersionState.USABLE
        found.append(
            ModelVersion(task, entry.version, entry.shipped, state, chosen, bundle, reason)
        )
    if said.chosen is not None and stands is None:
        gone = VersionState.FAILED
        found.insert(0, ModelVersion(task, said.chosen.version, False, gone, True, None, problem))
    return found


def _entry_of(
    entries: Sequence[BundleEntry], chosen: Which | None, problem: str | None
) -> BundleEntry | None:
    """Return the place that stands for what was made active; of several the exact one."""
    same = [entry for entry in entries if chosen is not None and entry.version == chosen.version]
    if chosen is None or problem is not None:
        return next(iter(same), None)
    return next(entry for entry in same if entry.bundle and entry.bundle.digest == chosen.digest)


def active_bundle(settings: Settings, task: str) -> Bundle | None:
    """Return the bundle that answers for a task; None where there is none that can be used."""
    try:
        return candidates(settings, task, None)[0]
    except (BundleNotFound, BundleInvalid):
        return None


def check_bundle(bundle: Bundle, concurrent_reads: int) -> Predictor:
    """Load a bundle whole and let it read phantoms, as it would read scans.

    Raises
    ------
    BundleInvalid
        The weights cannot be used, contradict the card, or give no usable answer.
    ModelBusy
        Too many reads are waiting; try again.
    """
    predictor = cached(bundle, concurrent_reads)
    try:
        for scan in _phantoms():
            predictor.read(scan)
    except PredictionFailed as error:
        raise BundleInvalid(
            _("The model cannot be used: it gives no usable answer for a phantom.")
        ) from error
    return predictor


@cache
def _phantoms() -> tuple[Scan, ...]:
    from core.scan import LesionSpec, PhantomSpec, make_phantom

    specs = (PhantomSpec(320, 256, lesion=lesion) for lesion in (None, LesionSpec()))
    return tuple(make_phantom(spec, seed=1).scan for spec in specs)


def promote(
    settings: Settings,
    person: Person,
    task: str,
    version: str,
    reason: str = "",
    *,
    digest: str | None = None,
    expected: str | None = None,
) -> Change:
    """Make a version active once it was loaded whole and has read phantoms.

    Parameters
    ----------
    person
        Who does it; needs ``MANAGE``.
    reason
        At most 500 characters; kept with the switch.
    digest
        Which of two bundles of the same version; if left out, the site's own before what ships.
    expected
        Digest of what was active when the person decided; where another one is by now, nothing
        is switched.

    Raises
    ------
    PermissionDenied
        The role does not allow it.
    BundleNotFound, BundleInvalid
        There is no such version, or it cannot be used; the active one stays.
    SwitchRefused
        Somebody else was quicker, or it cannot be recorded; the active one stays.
    """
    said = _checked(person, reason)
    forget_rejections(settings, task)
    here = candidates(settings, task, version)
    bundle = next((each for each in here if digest in (None, each.digest)), None)
    if bundle is None:
        raise BundleNotFound(_("The files of this version have changed. Look at the list again."))
    check_bundle(bundle, settings.concurrent_reads)
    return _record(settings, person, bundle, "promote", said, expected)


def rollback(
    settings: Settings,
    person: Person,
    task: str,
    to: str | None = None,
    reason: str = "",
    *,
    expected: str | None = None,
) -> Change:
    """Make the version active again that was active before, or an earlier one.

    Parameters
    ----------
    to
        A version that was active before; the last one if left out.
    person, reason, expected
        As for :func:`promote`.

    Raises
    ------
    As for :func:`promote`; SwitchRefused also where no such version was active before.
    """
    said = _checked(person, reason)
    forget_rejections(settings, task)
    which = before(settings, task, to)
    entries = list_bundles(settings, task)
    problem = problem_of(entries, which)
    if problem is not None:
        raise SwitchRefused(
            _(
                "Version {version} cannot be active again: {problem} Choose another one of the "
                "list and promote it."
            ).format(version=which.version, problem=problem)
        )
    bundle = next(
        entry.bundle
        for entry in entries
        if entry.bundle is not None and (entry.version, entry.bundle.digest) == which
    )
    check_bundle(bundle, settings.concurrent_reads)
    return _record(settings, person, bundle, "rollback", said, expected)


def before(settings: Settings, task: str, to: str | None = None) -> Which:
    """Return what a rollback would make active.

    Raises
    ------
    SwitchRefused
        Nothing was active before, or not this version.
    """
    line = approved(read_switches(settings, task)).line if TASK.fullmatch(task) else ()
    if len(line) < 2:
        raise SwitchRefused(
            _("No version was active before this one. Choose one of the list and promote it.")
        )
    if to == line[-1].version:
        raise SwitchRefused(_("This version was made active last; there is no way back to it."))
    earlier = [which for which in line[:-1] if which != line[-1] and to in (None, which.version)]
    if not earlier:
        raise SwitchRefused(
            _("This version was not active before. Promote it, or choose one that was.")
        )
    # What was deleted is no way back. What is there and damaged is named, and not passed over.
    here = {entry.version for entry in list_bundles(settings, task)}
    return ([which for which in earlier if which.version in here] or earlier)[-1]


def keep_active(settings: Settings, person: Person, task: str) -> Change | None:
    """Hold what is active by itself, so that a version that is added does not take its place.

    Nothing happens where a version was chosen, or none is active.
    """
    _checked(person, "")
    bundle = active_bundle(settings, task)
    if bundle is None or read_switches(settings, task):
        return None
    return _record(settings, person, bundle, "keep", "", None)


def _checked(person: Person, reason: str) -> str:
    from core.trust import Permission, require

    require(person, Permission.MANAGE)
    said = reason.strip()
    if len(said) > LONGEST_REASON or not said.isprintable():
        raise SwitchRefused(
            _("The reason must be one line of at most {n} characters.").format(n=LONGEST_REASON)
        )
    return said


def _record(
    settings: Settings,
    person: Person,
    bundle: Bundle,
    action: Action,
    reason: str,
    expected: str | None,
) -> Change:
    task = bundle.card.task
    which = Which(bundle.card.version, bundle.digest)
    was: list[Which | None] = []

    def decide(switches: tuple[Switch, ...]) -> Switch | None:
        chosen = approved(switches).chosen
        active = active_bundle(settings, task)
        active_now = None if active is None else Which(active.card.version, active.digest)
        was.append(active_now)
        if expected is not None and (active_now is None or active_now.digest != expected):
            raise SwitchRefused(
                _("Another version is active by now than you saw. Look again, then decide.")
            )
        if bundle_digest(bundle.folder) != which.digest:
            raise SwitchRefused(
                _("The files of this version changed while they were checked. Try again.")
            )
        if chosen == which or (action == "keep" and chosen is not None):
            return None
        earlier = active_now or Which("", "")
        return Switch(
            now(), action, *which, earlier.version, earlier.digest, by=person.id, reason=reason
        )

    done = append_switch(settings, task, decide)
    return Change(task, which, was[0], done is not None)
