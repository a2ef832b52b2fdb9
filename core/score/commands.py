"""What ``python -m core score`` does."""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import TextIO

from core.errors import ScoreError
from core.lesion import PRESETS, LesionControls
from core.score._run import Options, Progress, Summary, check_reason, score
from core.score._sources import Frames
from core.settings import load_settings
from core.text import _, language, use_language

_MODEL = re.compile(r"([a-z0-9][a-z0-9-]{0,63})(?:@(\d{1,6}(?:\.\d{1,6}){0,3}))?")
#: Seconds between two lines about how far it is, so that a busy machine, too, has one every second;
#: on a terminal one line is written over.
_LINE_SECONDS, _TERMINAL_SECONDS = 0.75, 0.25
_MOST_BATCH = 256


def add_score_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what ``score`` takes."""
    parser.add_argument(
        "paths", nargs="+", type=_path, metavar="PATH", help=_("files, folders or archives")
    )
    parser.add_argument("--out", type=Path, required=True, help=_("CSV to write, one row per scan"))
    there = parser.add_mutually_exclusive_group()
    there.add_argument(
        "--resume", action="store_true", help=_("go on behind the rows an earlier run wrote")
    )
    there.add_argument("--overwrite", action="store_true", help=_("replace a file that is there"))
    parser.add_argument(
        "--frames",
        type=_frames,
        default="first",
        metavar="first|all|N",
        help=_("frames of a loop: the first (default), all, or N spread evenly"),
    )
    parser.add_argument(
        "--model",
        type=_model,
        default=None,
        metavar="TASK[@VERSION]",
        help=_("model; the newest of the task in the settings if left out"),
    )
    parser.add_argument(
        "--preset",
        choices=("page", *PRESETS),
        default="page",
        help=_("lesion controls: those a page starts with (default), or a preset"),
    )
    parser.add_argument(
        "--batch", type=_batch, default=16, help=_("scans read at once (default 16)")
    )
    parser.add_argument(
        "--read-failing",
        type=_reason,
        default=None,
        metavar="REASON",
        help=_(
            "read scans that fail the quality check or that the model does not know too, and say "
            "in their rows why"
        ),
    )
    parser.add_argument("--json", action="store_true", help=_("print a summary as JSON"))


def _path(text: str) -> Path:
    path = Path(text)
    if not path.exists():
        raise argparse.ArgumentTypeError(_("there is no such file or folder"))
    return path


def _frames(text: str) -> Frames:
    if text == "first":
        return "first"
    if text == "all":
        return "all"
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 100_000:
        raise argparse.ArgumentTypeError(_("must be first, all, or a number from 1 to 100000"))
    return int(text)


def _model(text: str) -> tuple[str, str | None]:
    found = _MODEL.fullmatch(text)
    if found is None:
        raise argparse.ArgumentTypeError(_("must be TASK or TASK@VERSION, as `models` lists them"))
    return found[1], found[2]


def _batch(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= _MOST_BATCH:
        raise argparse.ArgumentTypeError(
            _("must be a number from 1 to {most}").format(most=_MOST_BATCH)
        )
    return int(text)


def _reason(text: str) -> str:
    reason = text.strip()
    if not reason:
        raise argparse.ArgumentTypeError(_("say why such scans are read all the same"))
    try:
        check_reason(reason)
    except ScoreError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    return reason


def run_score(args: argparse.Namespace) -> int:
    """Read the scans and say what came of them.

    Raises
    ------
    OverreadError
        The model cannot be used, or the table cannot be written.
    """
    from core.model import Predictor

    settings = load_settings()
    options = Options(
        frames=args.frames,
        controls=LesionControls() if args.preset == "page" else PRESETS[args.preset],
        batch_size=args.batch,
        resume=args.resume,
        overwrite=args.overwrite,
        read_failing=args.read_failing or "",
    )
    task, version = args.model or (settings.task, None)
    sys.stderr.write(_("Loading the model…") + "\n")
    predictor = Predictor.load(task, version, settings=settings)
    progress = Progress()
    with showing(progress, sys.stderr):
        summary = score(args.paths, args.out, predictor, settings, options, progress)
    if args.json:
        sys.stdout.write(json.dumps(summary.to_dict(), indent=1) + "\n")
    else:
        sys.stdout.write(_summary(summary) + "\n")
    return 0


@contextmanager
def showing(progress: Progress, to: TextIO) -> Iterator[None]:
    """Say at least once a second how far it is, whatever the work is doing.

    One line that is written over on a terminal; lines of their own elsewhere, as in a log.
    """
    over, stop, spoken = to.isatty(), Event(), language()

    def show() -> None:
        with use_language(spoken):
            line = progress_line(progress)
        to.write(f"\r{line}\x1b[K" if over else f"{line}\n")
        to.flush()

    def keep_showing() -> None:
        due = time.monotonic()
        while True:
            # Against the clock, so that writing a line does not push the next one back.
            due += _TERMINAL_SECONDS if over else _LINE_SECONDS
            if stop.wait(max(due - time.monotonic(), 0.0)):
                return
            show()

    shower = Thread(target=keep_showing, name="score-progress", daemon=True)
    shower.start()
    try:
        yield
    finally:
        stop.set()
        shower.join()
        show()
        if over:
            to.write("\n")


def progress_line(progress: Progress) -> str:
    """Return one line: files done of all, rate, problems, and time left."""
    parts = [
        _("{done} of {n} files").format(done=progress.files_done, n=progress.files),
        _("{rate} scans/s").format(rate=f"{progress.per_second:.1f}"),
    ]
    if progress.not_read:
        parts.append(_("{n} not read for their quality").format(n=progress.not_read))
    if progress.not_known:
        parts.append(_("{n} no scan the model knows").format(n=progress.not_known))
    if progress.problems:
        parts.append(_("{n} with a problem").format(n=progress.problems))
    left = progress.seconds_left
    if left is not None and progress.files_done < progress.files:
        parts.append(_("{seconds} s left").format(seconds=round(left)))
    return " · ".join(parts)


def _summary(summary: Summary) -> str:
    lines = [
        _("{rows} rows from {files} files in {seconds} s ({rate} scans/s).").format(
            rows=summary.rows,
            files=summary.files - summary.files_before,
            seconds=f"{summary.seconds:.1f}",
            rate=f"{summary.per_second:.1f}",
        )
    ]
    if summary.files_before:
        lines.append(_("{n} files were there from an earlier run.").format(n=summary.files_before))
    if summary.not_read:
        lines.append(
            _(
                "{n} rows fail the quality check and were not read: correct those scans, or give a "
                "reason with --read-failing."
            ).format(n=summary.not_read)
        )
    if summary.not_known:
        lines.append(
            _(
                "{n} rows are no scan the model knows and have no answer: give a reason with "
                "--read-failing to have one."
            ).format(n=summary.not_known)
        )
    if summary.unsure:
        lines.append(_("{n} answers are not sure.").format(n=summary.unsure))
    lines.append(
        _("{flagged} flagged, {problems} with a problem; model {task} {version}.").format(
            flagged=summary.flagged,
            problems=summary.problems,
            task=summary.task,
            version=summary.version,
        )
    )
    lines.append(_("Decision support, not a medical device."))
    return "\n".join(lines)
