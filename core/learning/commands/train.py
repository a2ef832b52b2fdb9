"""What ``python -m core train`` does."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from core.errors import DatasetError, LearningError
from core.learning.architectures import LESION_NET, SEED_CNN
from core.learning.commands.about import check_sources, read_about
from core.learning.commands.bundle import APPROVED, POSITIVE, card_of_run, write_bundle_of
from core.learning.commands.common import (
    add_label_names,
    at_least_one,
    held_share,
    note,
    number,
    read_datasets,
    seed_number,
    whole_number,
    write,
)
from core.learning.crossfit import Progress, fit_folds
from core.learning.forms import VAL_SHARE
from core.learning.rows import (
    Row,
    as_known,
    fingerprint,
    held_out,
    known_labels,
    not_positive,
)
from core.learning.training import TrainingConfig
from core.learning.watching import Figures
from core.model import (
    InputSpec,
    OperatingPoint,
    Outputs,
    read_bundle,
)
from core.text import _


def _decoding(done: int, total: int) -> None:
    # Every 500th: a small set is decoded before anybody has read a line about it.
    if done % 500 == 0:
        note(_("{done} of {total} images decoded").format(done=done, total=total))


def _rows(args: argparse.Namespace, labels: Sequence[str] | None) -> list[Row]:
    """Read all datasets; what has no rows to watch keeps some of its training rows for that."""
    rows = read_datasets(args.data, labels, args.label_names, args.val_share)
    if any(row.split == "val" for row in rows):
        return rows
    training = [row for row in rows if row.split == "train"]
    others = [row for row in rows if row.split != "train"]
    # Another seed than that of the rows kept aside for calibration, which would be the same ones.
    return held_out(training, args.val_share, args.seed + 1, "val") + others


def add_train_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what ``train`` takes."""
    defaults = TrainingConfig()
    parser.add_argument("data", nargs="+", type=Path, help=_("datasets: folders or .npz files"))
    add_label_names(parser)
    parser.add_argument(
        "--val-share",
        type=held_share,
        default=VAL_SHARE,
        help=_(
            "how much becomes val where the data does not say what does; {share:g} by default"
        ).format(share=VAL_SHARE),
    )
    parser.add_argument("--out", type=Path, required=True, help=_("folder of the run"))
    parser.add_argument("--task", default="breast-ultrasound", help=_("task of the bundle"))
    parser.add_argument("--version", default="1.0", help=_("version of the bundle"))
    parser.add_argument(
        "--architecture",
        default=defaults.architecture,
        help=_("lesion-net, seed-cnn, or a network of keras.applications such as resnet50"),
    )
    parser.add_argument(
        "--labels",
        nargs="+",
        default=defaults.labels,
        metavar="LABEL",
        help=_("classes in order; {labels} by default").format(labels=" ".join(defaults.labels)),
    )
    parser.add_argument(
        "--weights",
        default=defaults.weights,
        help=_(
            "what a network starts from: none, imagenet, or a file of its weights; for lesion-net "
            "the model.keras of a bundle"
        ),
    )
    parser.add_argument(
        "--frozen-epochs",
        type=_count,
        default=defaults.frozen_epochs,
        help=_("epochs before weights that were given are tuned too"),
    )
    parser.add_argument(
        "--folds",
        type=at_least_one,
        default=1,
        help=_("train so many networks, each without one part of the cases, and average them"),
    )
    parser.add_argument(
        "--runs",
        type=at_least_one,
        default=1,
        help=_("train each network so often from --weights, and average its weights"),
    )
    parser.add_argument(
        "--start-share",
        type=_share,
        default=0.0,
        help=_("share of the weights of --weights that is mixed into the trained ones; 0 for none"),
    )
    parser.add_argument("--epochs", type=at_least_one, default=defaults.epochs)
    parser.add_argument("--batch", type=at_least_one, default=defaults.batch)
    parser.add_argument("--learning-rate", type=_rate, default=defaults.learning_rate)
    parser.add_argument(
        "--patience",
        type=_count,
        default=defaults.patience,
        help=_("stop after so many epochs without a better one on val; 0 never stops"),
    )
    parser.add_argument(
        "--augmentation", choices=("ultrasound", "none"), default=defaults.augmentation
    )
    parser.add_argument(
        "--closer",
        type=_share,
        default=defaults.closer,
        help=_(
            "share of the pictures shown to lesion-net as a square around the lesion; "
            "{share:g} by default"
        ).format(share=defaults.closer),
    )
    parser.add_argument(
        "--precision",
        choices=("float32", "bfloat16"),
        default=defaults.precision,
        help=_("bfloat16 is quicker on processors with a unit for it"),
    )
    parser.add_argument(
        "--size",
        type=_side,
        help=_(
            "input side, pixels: a multiple of 16 ({size} by default), or 150 for seed-cnn"
        ).format(size=defaults.size),
    )
    parser.add_argument(
        "--coverage",
        type=_coverage,
        default=0.9,
        help=_("share of the scans whose right answer stays possible where it says not sure"),
    )
    parser.add_argument("--seed", type=seed_number, default=defaults.seed)
    parser.add_argument("--resume", action="store_true", help=_("go on from the checkpoint"))
    parser.add_argument("--about", type=Path, help=_("JSON file with the card's texts"))


def _count(text: str) -> int:
    return whole_number(text, 0)


def _rate(text: str) -> float:
    value = number(text)
    if not 0 < value < 1:
        raise argparse.ArgumentTypeError(_("must be more than 0 and less than 1"))
    return value


def _share(text: str) -> float:
    value = number(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(_("must be from 0 to 1"))
    return value


def _coverage(text: str) -> float:
    value = number(text)
    if not 0.5 <= value < 1:
        raise argparse.ArgumentTypeError(_("must be from 0.5 to less than 1"))
    return value


def _side(text: str) -> int:
    value = whole_number(text, 1)
    # 150 is the textbook network's.
    if value != 150 and (not 32 <= value <= 1024 or value % 16):
        raise argparse.ArgumentTypeError(_("must be a multiple of 16 from 32 to 1024"))
    return value


def run_train(args: argparse.Namespace) -> int:
    """Train, calibrate, measure, and write the bundle under ``--out``/models.

    Raises
    ------
    OverreadError
        The data or the run cannot be used.
    """
    about = read_about(args.about)
    config = _config(args)
    # What the card would refuse is said now, and not after hours of training.
    card_of_run(
        args, config, about, (OperatingPoint(APPROVED, 0.5),), Outputs(), InputSpec(config.size)
    )
    rows = _rows(args, known_labels(config.labels, POSITIVE))
    check_sources(about, rows)
    rows = [as_known(row, config.labels, POSITIVE) for row in rows]
    training = [row for row in rows if row.split == "train"]
    watched = [row for row in rows if row.split == "val"]
    if not training or not watched:
        raise DatasetError(_("Training needs rows with split train, and rows with split val."))
    _check_start(config, args.folds, rows)
    try:
        fitted = fit_folds(
            training,
            watched,
            config,
            args.out,
            folds=args.folds,
            positive=POSITIVE,
            runs=args.runs,
            start_share=args.start_share,
            resume=args.resume,
            progress=_progress(args, config),
        )
    except KeyboardInterrupt:
        words = _("Interrupted: --resume goes on from the last whole epoch.")
        sys.stderr.write(f"\n{words}\n")
        raise
    write_bundle_of(fitted, config, rows, args, about)
    return 0


def _check_start(config: TrainingConfig, folds: int, rows: Sequence[Row]) -> None:
    """Refuse to go on from a model that learned these very rows in other folds.

    Its networks would score rows they have seen, and the calibration would believe them.
    """
    card = Path(config.weights).parent / "card.json"
    if config.architecture != LESION_NET or not card.is_file():
        return
    before = read_bundle(card.parent).card
    learned = {source.digest for source in before.data}
    here = {
        fingerprint([row for row in rows if row.source == source])
        for source in {row.source for row in rows}
    }
    dealt = (before.training.get("folds"), before.training.get("config", {}).get("seed"))
    if learned & here and (learned != here or dealt != (folds, config.seed)):
        raise LearningError(
            _(
                "The model to start from was trained on some of these data in other folds: give "
                "the same data, --folds {folds} and --seed {seed}, or other data."
            ).format(folds=dealt[0], seed=dealt[1])
        )


def _config(args: argparse.Namespace) -> TrainingConfig:
    one_unit = args.architecture == SEED_CNN
    if args.folds > 1 and args.architecture != LESION_NET:
        raise LearningError(_("Only lesion-net is trained in several folds: leave --folds out."))
    return TrainingConfig(
        architecture=args.architecture,
        labels=(not_positive(POSITIVE), POSITIVE) if one_unit else tuple(args.labels),
        size=args.size or (150 if one_unit else TrainingConfig().size),
        epochs=args.epochs,
        batch=args.batch,
        learning_rate=args.learning_rate,
        patience=args.patience,
        augmentation=args.augmentation,
        closer=args.closer,
        weights=args.weights,
        frozen_epochs=args.frozen_epochs,
        precision=args.precision,
        seed=args.seed,
    )


def _progress(args: argparse.Namespace, config: TrainingConfig) -> Progress:
    started, said = time.monotonic(), [time.monotonic()]
    fresh: list[float] = []

    def epoch(number: int, figures: Figures) -> None:
        fresh.append(figures["seconds"])
        left = (args.folds * args.runs - number + 1) * config.epochs - figures["epoch"]
        minutes = left * sum(fresh) / len(fresh) / 60
        line = " ".join(f"{name}={value:.4g}" for name, value in figures.items())
        head = _head(args, number)
        write(f"{head}{line} minutes_left={minutes:.1f}")

    def batch(number: int, done: int, of: int, loss: float) -> None:
        # Between epochs only to a person who watches, and not faster than can be read.
        if sys.stderr.isatty() and time.monotonic() - said[0] > 1:
            said[0] = time.monotonic()
            networks, seconds = args.folds * args.runs, said[0] - started
            sys.stderr.write(f"\r{number}/{networks} {done}/{of} loss={loss:.4f} {seconds:.0f} s ")
            sys.stderr.flush()

    return Progress(epoch, batch, _decoding)


def _head(args: argparse.Namespace, number: int) -> str:
    """Return which network a line is about, where there are several."""
    fold, run = divmod(number - 1, args.runs)
    head = f"fold={fold + 1} " if args.folds > 1 else ""
    return head + (f"run={run + 1} " if args.runs > 1 else "")
