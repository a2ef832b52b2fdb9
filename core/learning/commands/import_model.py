"""What ``python -m core import-model`` does."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import get_args

from core.errors import DatasetError
from core.learning.commands.common import add_label_names, note, table_of, whole_number, write
from core.learning.import_calibration import calibrate, calibration_rows, write_file
from core.learning.importing import Findings, Wishes, look_at
from core.learning.whole_file import check_writable
from core.model import (
    Bundle,
    Card,
    Intensity,
    Resize,
    active_bundle,
    at_the_shell,
    keep_active,
    list_bundles,
)
from core.settings import Settings, load_settings
from core.text import _, ngettext


def add_import_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what ``import-model`` takes; what is missing is said with everything else."""
    parser.add_argument("file", type=Path, help=_("a .keras file"))
    parser.add_argument("--task", default="", help=_("what the model is for, like chest-xray"))
    parser.add_argument(
        "--labels", nargs="+", default=[], help=_("classes, in the order of the outputs")
    )
    parser.add_argument("--positive", default="", help=_("the label that is looked for"))
    parser.add_argument(
        "--intensity",
        choices=get_args(Intensity),
        default="",
        help=_("how grey levels became the model's numbers when it was trained"),
    )
    parser.add_argument(
        "--resize",
        choices=get_args(Resize),
        default="stretch",
        help=_("stretch fills the square (default), letterbox keeps the aspect"),
    )
    parser.add_argument("--pad", type=float, default=0.0, help=_("value around a letterboxed scan"))
    parser.add_argument("--input-size", type=_side, help=_("side of the input, where it is open"))
    parser.add_argument("--channels", type=int, choices=(1, 3), help=_("grey or colour"))
    parser.add_argument("--class-output", metavar="NAME", help=_("output that holds the classes"))
    parser.add_argument("--lesion-output", metavar="NAME", help=_("output with a lesion map, 0..1"))
    parser.add_argument("--cam-layer", metavar="NAME", help=_("layer that Grad-CAM explains"))
    parser.add_argument("--version", default="", help=_("of the bundle; the next one if left out"))
    parser.add_argument("--title", default="", help=_("what the model is called on screen"))
    parser.add_argument("--intended-use", default="", help=_("what it is for, one sentence"))
    parser.add_argument("--limits", nargs="+", default=[], help=_("what it cannot do, a line each"))
    parser.add_argument(
        "--data", type=Path, help=_("dataset to calibrate and measure on: not what it learned from")
    )
    add_label_names(parser)
    parser.add_argument("--split", help=_("only rows of this split; val if left out"))
    parser.add_argument("--out", type=Path, help=_("folder of models; the site's own if left out"))
    parser.add_argument("--check", action="store_true", help=_("only say what is missing or wrong"))
    parser.add_argument("--json", action="store_true", help=_("print JSON, not lines"))


def _side(text: str) -> int:
    return whole_number(text, 8, 2048)


def run_import(args: argparse.Namespace) -> int:
    """Make a bundle of a Keras file, or say everything that keeps it from being one.

    Raises
    ------
    OverreadError
        The data cannot be used, or the bundle cannot be written.
    """
    settings = load_settings()
    root: Path = args.out or settings.model_roots[0]
    found = look_at(args.file, _wishes(args, settings))
    if found.card is not None and (root / found.card.task / found.card.version).exists():
        found.problems.append(_("This version of the model exists already: choose a new version."))
        found.card = None
    rows = None
    if args.data is not None and args.positive in args.labels:
        # Before the long part, and with everything else.
        try:
            rows = calibration_rows(
                args.data, args.labels, args.positive, args.split, args.label_names
            )
        except DatasetError as error:
            found.problems.append(str(error))
            found.card = None
    card = found.card
    if card is None:
        return _refuse(found, as_json=args.json)
    if args.check:
        return _fits(found, card, as_json=args.json)
    if args.out is not None:
        check_writable(args.out)
    for line in [] if args.json else found.notes:
        write(line)
    reference = None
    if rows is not None:
        total = len(rows[0]) + len(rows[1])
        card, reference = calibrate(args.file, card, *rows, lambda done: _progress(done, total))
    held = None if args.out else _hold(settings, card.task)
    bundle = write_file(root, args.file, card, reference)
    _tell(bundle, settings, as_json=args.json, elsewhere=args.out is not None, held=held)
    return 0


def _wishes(args: argparse.Namespace, settings: Settings) -> Wishes:
    return Wishes(
        task=args.task,
        version=args.version or _next_version(settings, args.task),
        labels=tuple(args.labels),
        positive=args.positive,
        size=args.input_size,
        channels=args.channels,
        resize=args.resize,
        intensity=args.intensity,
        pad=args.pad,
        class_output=args.class_output,
        lesion_output=args.lesion_output,
        cam_layer=args.cam_layer,
        title=args.title,
        intended_use=args.intended_use,
        limits=tuple(args.limits),
    )


def _next_version(settings: Settings, task: str) -> str:
    taken = [int(each.version.split(".")[0]) for each in list_bundles(settings, task)]
    return f"{max(taken, default=0) + 1}.0"


def _hold(settings: Settings, task: str) -> bool:
    """Keep what is active: a file that is brought answers nobody before it is promoted."""
    keep_active(settings, at_the_shell(), task)
    return active_bundle(settings, task) is not None


def _progress(done: int, total: int) -> None:
    # Every 50th: a line for each would drown what matters.
    if done % 50 == 0 or done == total:
        note(_("{done} of {total} scans read").format(done=done, total=total))


def _refuse(found: Findings, *, as_json: bool) -> int:
    if as_json:
        told = {"problems": found.problems, "notes": found.notes}
        write(json.dumps(told, ensure_ascii=False, indent=2))
        return 1
    n = len(found.problems)
    head = ngettext("{n} thing is missing or wrong:", "{n} things are missing or wrong:", n)
    note(head.format(n=n) if n > 1 else found.problems[0])
    for problem in found.problems if n > 1 else []:
        note(f"- {problem}")
    return 1


def _fits(found: Findings, card: Card, *, as_json: bool) -> int:
    if as_json:
        told = {"problems": [], "notes": found.notes, "card": json.loads(card.to_json())}
        write(json.dumps(told, ensure_ascii=False, indent=2))
        return 0
    for line in found.notes:
        write(line)
    write(
        _("Nothing is missing: it would become {task} {version}. Nothing was written.").format(
            task=card.task, version=card.version
        )
    )
    return 0


def _tell(
    bundle: Bundle, settings: Settings, *, as_json: bool, elsewhere: bool, held: bool | None
) -> None:
    card = bundle.card
    words = {"task": card.task, "version": card.version, "digest": bundle.digest[:12]}
    if as_json:
        active = None if elsewhere else active_bundle(settings, card.task)
        told = words | {
            "digest": bundle.digest,
            "active": active is not None and active.digest == bundle.digest,
            "calibrated": card.calibration.method != "none",
            "metrics": dict(card.metrics),
        }
        write(json.dumps(told, ensure_ascii=False, indent=2))
        return
    write(_("Written: {task} {version}, digest {digest}.").format(**words))
    if "val" in card.metrics:
        write(table_of("val", dict(card.metrics["val"])))
    else:
        write(
            _(
                "It is neither calibrated nor measured: its scores are shown as no probability. "
                "Import it with --data to change that."
            )
        )
    if held:
        write(
            _("It is not active. To make it so: python -m core promote {task} {version}").format(
                **words
            )
        )
    elif not elsewhere:
        write(_("It is active: there is no other model for this task."))
