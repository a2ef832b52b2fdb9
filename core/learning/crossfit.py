"""Cross-fitting: every training row is scored by a network that was not trained on it.

With several folds each network leaves one of them out; what they say of the rows left out fits
the calibration and the thresholds (Zadrozny and Elkan, KDD 2002; cross-fitting as Chernozhukov et
al., 2018), and all of them, averaged, are what ships. With one fold a share of the rows, by group,
is kept aside for that.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import DatasetError, LearningError
from core.learning.architectures import LESION_NET, Network
from core.learning.dataset import Arrays, load_arrays
from core.learning.forms import check_classes
from core.learning.lesion_net import FINER, average_of
from core.learning.rows import Row, fingerprint, hold_out, place
from core.learning.runs import RunRecord, alone_in
from core.learning.training import TrainingConfig, build, train
from core.learning.watching import Figures, scores_of
from core.text import _

#: Share of the training rows, by group, that only calibrates where there is one fold.
CALIBRATION_SHARE = 0.15
#: Between the seeds of two runs: more than there are folds.
_RUN_SEEDS = 1000


@dataclass(frozen=True, slots=True)
class Progress:
    """Whom a run tells how far it is.

    Attributes
    ----------
    epoch
        Called after every epoch with the number of the network, from 1, and its figures; with
        several runs those of one fold follow each other.
    batch
        Called after every batch with the number of the network, the batches done and all of this
        epoch, and the mean loss.
    decoding
        Called with the images decoded and all.
    """

    epoch: Callable[[int, Figures], None] = lambda _fold, _figures: None
    batch: Callable[[int, int, int, float], None] = lambda _fold, _done, _all, _loss: None
    decoding: Callable[[int, int], None] = lambda _done, _all: None


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """What came out of all folds.

    Attributes
    ----------
    network
        What ships.
    held
        Rows that a network scored which was not trained on them.
    logits
        (len(held), labels) float32, those scores, in their order.
    seconds
        What the training took in all, over every time it was resumed.
    """

    network: Network
    held: list[Row]
    logits: NDArray[np.float32]
    seconds: float


def folds_of(rows: Iterable[Row], folds: int, seed: int) -> list[list[Row]]:
    """Deal rows into folds of about the same size, source by source and label by label.

    No group is parted; which fold it goes to follows from a hash of its name and the seed.
    """
    groups: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in rows:
        groups[row.source, row.group].append(row)
    strata: dict[tuple[str, str], list[list[Row]]] = defaultdict(list)
    for members in groups.values():
        # A group of several labels goes by the one that most of it has.
        labels = sorted(row.label for row in members)
        strata[members[0].source, max(labels, key=labels.count)].append(members)
    dealt: list[list[Row]] = [[] for _fold in range(folds)]
    for (source, label), stratum in sorted(strata.items()):
        stratum.sort(key=lambda members: _hashed(members[0], seed))
        for members in sorted(stratum, key=len, reverse=True):
            min(dealt, key=lambda fold: _count(fold, source, label)).extend(members)
    return dealt


def _count(fold: Sequence[Row], source: str, label: str) -> tuple[int, int]:
    alike = sum((row.source, row.label) == (source, label) for row in fold)
    return alike, len(fold)


def _hashed(row: Row, seed: int) -> bytes:
    return hashlib.sha256(f"{seed}/{row.source}/{row.group}".encode()).digest()


def parts(
    rows: Sequence[Row], folds: int, config: TrainingConfig, positive: str
) -> list[tuple[list[Row], list[Row]]]:
    """Return for each network what it is trained on, and what is kept from it.

    Raises
    ------
    DatasetError
        A label has no image, or there are too few rows to train on and to calibrate with.
    """
    if not rows:
        raise DatasetError(_("Training needs rows with split train, and rows with split val."))
    # Before any part of them: a label that is missing altogether is not a matter of too few.
    check_classes(rows, config.labels)
    if folds == 1:
        found = [hold_out(rows, CALIBRATION_SHARE, config.seed)]
    else:
        dealt = folds_of(rows, folds, config.seed)
        found = [
            ([row for other in dealt if other is not held for row in other], held) for held in dealt
        ]
    if folds > 1 and any(not held for _fit, held in found):
        raise DatasetError(_("There are fewer cases than folds: train in fewer folds."))
    kept = [row for _fit, held in found for row in held]
    if any(not fit for fit, _held in found) or not kept:
        raise DatasetError(
            _("There are too few cases to keep some aside for calibration: add cases.")
        )
    if len({row.label == positive for row in kept}) < 2:
        raise DatasetError(
            _(
                "Too few training rows: those kept aside for calibration need a malignant one "
                "and another one. Add cases."
            )
        )
    for fit, _held in found:
        check_classes(fit, config.labels)
    return found


def fit_folds(
    rows: Sequence[Row],
    watched: Sequence[Row],
    config: TrainingConfig,
    folder: Path,
    *,
    folds: int,
    positive: str,
    runs: int = 1,
    start_share: float = 0.0,
    resume: bool = False,
    progress: Progress | None = None,
) -> Fitted:
    """Train a network per fold, and score with each what was kept from it.

    Networks that went on from the same weights may be averaged weight by weight, which costs
    nothing when reading (model soups: Wortsman et al., ICML 2022).

    Parameters
    ----------
    rows, watched
        Rows to train on, and rows whose figures are shown meanwhile.
    folder
        Of the run: the cache of decoded images, and a run record and a checkpoint for each fold.
    runs
        How often each network is trained, with another seed each time, before these are averaged;
        more than one only from weights that were given.
    start_share
        Share, 0..1, of the weights a network started from in those that are kept (Wortsman et al.,
        Robust fine-tuning, CVPR 2022); more than 0 only from weights that were given.

    Raises
    ------
    DatasetError
        As :func:`parts` and :func:`core.learning.load_arrays`.
    LearningError
        As :func:`core.learning.train`, or there is nothing that several runs would start from.
    """
    started = config.architecture == LESION_NET and config.weights != "none"
    if runs > 1 and not started:
        raise LearningError(
            _("Only lesion-net, going on from --weights, is trained in several runs.")
        )
    if start_share and not started:
        raise LearningError(
            _("Only lesion-net, going on from --weights, keeps a share of where it started.")
        )
    dealt = parts(rows, folds, config, positive)
    with alone_in(folder, folds, resume=resume):
        return _fit(
            dealt, watched, config, folder, runs, start_share, resume, progress or Progress()
        )


def _fit(
    dealt: Sequence[tuple[list[Row], list[Row]]],
    watched: Sequence[Row],
    config: TrainingConfig,
    folder: Path,
    runs: int,
    start_share: float,
    resume: bool,
    tell: Progress,
) -> Fitted:
    cache = folder / "cache"

    def decoded(part: Sequence[Row], size: int) -> Arrays:
        return load_arrays(part, config.labels, size, cache, tell.decoding)

    closer = config.closer > 0 and config.architecture == LESION_NET
    watch = decoded(watched, config.size)
    networks: list[Network] = []
    held_rows: list[Row] = []
    held_scores: list[NDArray[np.float32]] = []
    seconds = 0.0
    for at, (fit, held) in enumerate(dealt):
        about: dict[str, Any] = {"data": {"trained": fingerprint(fit), "kept": fingerprint(held)}}
        own = folder if len(dealt) == 1 else folder / f"fold-{at + 1}"
        shown = decoded(fit, config.size)
        fine = decoded(fit, FINER * config.size) if closer else None
        found: list[Network] = []
        for run in range(runs):
            number = at * runs + run + 1

            def epoch(figures: Figures, number: int = number) -> None:
                tell.epoch(number, figures)

            def batch(done: int, of: int, loss: float, number: int = number) -> None:
                tell.batch(number, done, of, loss)

            kept_in = own if run == 0 else own / f"run-{run + 1}"
            network = train(
                shown,
                # Another seed for each: networks that start alike make the same mistakes.
                replace(config, seed=config.seed + at + _RUN_SEEDS * run),
                kept_in,
                resume=resume,
                progress=epoch,
                during=batch,
                watch=watch,
                member=f"member_{at + 1}",
                about=about,
                fine=fine,
            )
            seconds += RunRecord.seconds_of(kept_in)
            found.append(network)
        kept = averaged(found)
        if start_share:
            kept = between(kept, build(config, f"member_{at + 1}"), start_share)
        networks.append(kept)
        # Sorted as load_arrays sorts them.
        held_rows += sorted(held, key=place)
        one = joined(networks[-1:])
        held_scores.append(scores_of(one, decoded(held, one.spec.size))[0])
    return Fitted(joined(networks), held_rows, np.concatenate(held_scores), seconds)


def averaged(networks: Sequence[Network]) -> Network:
    """Return the first network with the mean of the weights of all, which started from the same."""
    first = networks[0]
    if len(networks) > 1:
        weights = zip(*(network.model.get_weights() for network in networks), strict=True)
        first.model.set_weights([np.mean(each, axis=0, dtype=np.float64) for each in weights])
    return first


def between(trained: Network, start: Network, share: float) -> Network:
    """Return a trained network with a share of the weights it started from mixed into its own."""
    pairs = zip(trained.model.get_weights(), start.model.get_weights(), strict=True)
    trained.model.set_weights([(1 - share) * now + share * before for now, before in pairs])
    return trained


def joined(networks: Sequence[Network]) -> Network:
    """Return what is read with: several outlining networks averaged, or the one classifier."""
    first = networks[0]
    if not first.has_lesion_map:
        return first
    model = average_of([network.model for network in networks])
    return replace(first, model=model, spec=replace(first.spec, size=model.inputs[0].shape[1]))
