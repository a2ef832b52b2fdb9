"""What the commands of learning share: lines of output, and arguments about data."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from core.errors import DatasetError
from core.learning.forms import VAL_SHARE, read_dataset
from core.learning.rows import Row
from core.text import _

#: Seconds before the first line about how far it is, and between two of them: in a log, and on a
#: terminal, where one line is written over.
_FIRST, _LOG, _TERMINAL = 1.5, 2.0, 0.2


def write(text: str) -> None:
    """Write one line of output."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def note(text: str) -> None:
    """Say how far it is, where it does not mix with what a program reads."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def read_datasets(
    paths: Iterable[Path],
    labels: Sequence[str] | None,
    names: Sequence[str] | None,
    val_share: float = VAL_SHARE,
) -> list[Row]:
    """List the images of several datasets, in the order they are given.

    Raises
    ------
    DatasetError
        One cannot be read, or two have the same name, as one that is given twice.
    """
    found: list[Row] = []
    for path in paths:
        rows = read_dataset(path, labels, names=names, val_share=val_share)
        if rows and any(row.source == rows[0].source for row in found):
            # Their cases would be taken for the same people's.
            raise DatasetError(
                _("Two of the datasets have the same name; rename the folder of one of them.")
            )
        found += rows
    return found


class Steps:
    """Says how far a piece of work over many scans is, where it takes longer than a moment.

    Parameters
    ----------
    title
        What is done.
    total
        How many there are.
    """

    def __init__(self, title: str, total: int) -> None:
        self._title = title
        self._total = total
        self._began = time.monotonic()
        self._due = self._began + _FIRST
        self._over = sys.stderr.isatty()
        self._shown = False

    def __call__(self, done: int) -> None:
        """Tell that so many are done."""
        now = time.monotonic()
        last = done == self._total and self._shown
        if now < self._due and not last:
            return
        self._due, self._shown = now + (_TERMINAL if self._over else _LOG), True
        rate = done / max(1e-9, now - self._began)
        line = _("{title}: {done} of {n} scans · {rate} scans/s · {seconds} s left").format(
            title=self._title,
            done=done,
            n=self._total,
            rate=f"{rate:.1f}",
            seconds=round((self._total - done) / max(rate, 1e-9)),
        )
        end = "" if self._over and done < self._total else "\n"
        sys.stderr.write(f"\r{line}\x1b[K{end}" if self._over else f"{line}\n")
        sys.stderr.flush()


def add_label_names(parser: argparse.ArgumentParser) -> None:
    """Say what the numbers of an archive may be called."""
    parser.add_argument(
        "--label-names",
        nargs="+",
        metavar="NAME",
        help=_("what the numbers in an .npz stand for, from 0"),
    )


def add_model_and_data(parser: argparse.ArgumentParser) -> None:
    """Say which model is measured, and on which scans."""
    parser.add_argument("--model", default="breast-ultrasound", help=_("task of the bundle"))
    parser.add_argument("--version", help=_("version; the active one if left out"))
    parser.add_argument(
        "--data",
        type=Path,
        required=True,
        nargs="+",
        action="extend",
        help=_("datasets: folders or .npz files"),
    )
    add_label_names(parser)
    parser.add_argument("--split", help=_("only rows of this split"))


def number(text: str) -> float:
    """Read a number of an option."""
    try:
        return float(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(_("must be a number")) from error


def whole_number(text: str, least: int, most: int | None = None) -> int:
    """Read a whole number of an option, within its bounds."""
    try:
        value = int(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(_("must be a whole number")) from error
    if value < least:
        raise argparse.ArgumentTypeError(_("must be {n} or more").format(n=least))
    if most is not None and value > most:
        raise argparse.ArgumentTypeError(_("must be {n} or less").format(n=most))
    return value


def at_least_one(text: str) -> int:
    """Read how many: one or more."""
    return whole_number(text, 1)


def seed_number(text: str) -> int:
    """Read a seed: what every generator of random numbers takes."""
    return whole_number(text, 0, 2**32 - 1)


def held_share(text: str) -> float:
    """Read the share of the data that is held out: more than 0 and at most 0.5."""
    value = number(text)
    if not 0 < value <= 0.5:
        raise argparse.ArgumentTypeError(_("must be more than 0 and at most 0.5"))
    return value


def table_of(name: str, report: dict[str, Any]) -> str:
    """Return the headline figures of a report with their intervals, one to a line."""
    lines = [f"{name}: n={report['n']}"]
    for key, value in report.items():
        if isinstance(value, dict) and "value" in value:
            lines.append(
                f"  {key:22} {value['value']:.3f} [{value['low']:.3f}, {value['high']:.3f}]"
            )
    return "\n".join(lines)
