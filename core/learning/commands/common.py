"""What the commands of learning share: lines of output, and arguments about data."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from core.text import _


def write(text: str) -> None:
    """Write one line of output."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def note(text: str) -> None:
    """Say how far it is, where it does not mix with what a program reads."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def add_label_names(parser: argparse.ArgumentParser) -> None:
    """Say what the numbers of an archive may be called."""
    parser.add_argument(
        "--label-names",
        nargs="+",
        metavar="NAME",
        help=_("what the numbers in an .npz stand for, from 0"),
    )


def table_of(name: str, report: dict[str, Any]) -> str:
    """Return the headline figures of a report with their intervals, one to a line."""
    lines = [f"{name}: n={report['n']}"]
    for key, value in report.items():
        if isinstance(value, dict) and "value" in value:
            lines.append(
                f"  {key:18} {value['value']:.3f} [{value['low']:.3f}, {value['high']:.3f}]"
            )
    return "\n".join(lines)
