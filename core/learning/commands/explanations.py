"""What ``python -m core evaluate-explanations`` does."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from core.errors import LearningError, ScanError
from core.learning.commands.common import (
    Steps,
    add_model_and_data,
    at_least_one,
    note,
    write,
)
from core.learning.commands.evaluate import origin, rows_of
from core.learning.explained import (
    METHODS,
    SCHEMA,
    SLOW,
    Kept,
    Measured,
    Plan,
    explained_markdown,
    explained_report,
    headline_lines,
    measure,
    randomised_figures,
    stratified,
)
from core.learning.rows import Row
from core.learning.whole_file import check_writable, write_whole
from core.model import Predictor, attach_evaluation, evaluation_name, resolve
from core.settings import load_settings
from core.text import _

_REPORT, _TABLE, _KEPT = "explanations.json", "explanations.md", "measured.jsonl"
#: Scans of the methods that take seconds for each.
LIMIT = 60
#: Scans that are explained by networks with shuffled weights.
RANDOMISED = 4


def add_explanations_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what ``evaluate-explanations`` takes."""
    add_model_and_data(parser)
    parser.add_argument(
        "--methods",
        nargs="+",
        choices=METHODS,
        default=list(METHODS),
        metavar="METHOD",
        help=_("methods, of: {methods}; all if left out").format(methods=", ".join(METHODS)),
    )
    parser.add_argument(
        "--limit",
        type=at_least_one,
        default=LIMIT,
        help=_("scans for {methods}, which take seconds each; drawn by source and label").format(
            methods=", ".join(SLOW)
        ),
    )
    parser.add_argument(
        "--scans", type=at_least_one, help=_("scans in all, drawn the same way; all if left out")
    )
    parser.add_argument(
        "--randomise",
        type=int,
        choices=range(33),
        default=RANDOMISED,
        metavar="N",
        help=_(
            "scans whose maps are followed as the network's weights are shuffled layer by layer; "
            "{n} by default, 0 for none"
        ).format(n=RANDOMISED),
    )
    parser.add_argument(
        "--out",
        type=Path,
        required=True,
        help=_("folder for explanations.json and explanations.md; a stopped run goes on there"),
    )
    parser.add_argument(
        "--attach",
        action="store_true",
        help=_("put the figures beside the model, where the app shows them"),
    )
    parser.add_argument("--json", action="store_true", help=_("print JSON, not a table"))


def run_explanations(args: argparse.Namespace) -> int:
    """Measure the explanations of a bundle on datasets.

    Raises
    ------
    OverreadError
        The bundle or the data cannot be used, or nothing can be written.
    """
    settings = load_settings()
    # What is wrong with the command is said before anything that takes time.
    rows = rows_of(args, resolve(args.model, args.version, settings=settings).card)
    check_writable(args.out)
    predictor = Predictor.load(args.model, args.version, settings=settings)
    if args.attach:
        check_writable(predictor.bundle.folder)
    # One that cannot be explained at all says so now.
    predictor.probe()
    plan = Plan()
    made_of = origin(predictor.bundle, rows, args.split)
    methods = [name for name in METHODS if name in args.methods]
    chosen = stratified(rows, args.scans, plan.seed)
    slow = _slow(rows, chosen, args.limit, plan.seed)
    if set(methods) <= set(SLOW):
        chosen = [place for place in chosen if place in slow]
    parameters: dict[str, Any] = plan.parameters | {
        "methods": methods,
        "limit": args.limit,
        "scans": args.scans,
    }
    # Not how many scans and by which methods: what was measured of a scan holds for any of them.
    what = plan.parameters | {"model": made_of["model"], "data": made_of["data"], "schema": SCHEMA}
    kept = Kept(args.out / _KEPT, what)
    wanted = {
        place: [name for name in methods if name not in SLOW or place in slow] for place in chosen
    }
    _measure_all(predictor, rows, wanted, plan, kept)
    found = {place: _only(kept.found[place], names) for place, names in wanted.items()}
    if not any(each is not None for each in found.values()):
        raise LearningError(_("None of the {n} scans could be read.").format(n=len(found)))
    card = predictor.card
    report = {"schema": SCHEMA, **made_of, "parameters": parameters}
    report |= explained_report(rows, found, card.labels, card.positive, plan.seed)
    if args.randomise:
        # Those the class is true of first: something must speak for it.
        first = sorted(chosen, key=lambda place: (rows[place].label != card.positive, place))
        known = [entry["method"] for entry in report["methods"]]
        report["randomised"] = _randomised(
            predictor, [rows[place] for place in first], known, args.randomise, plan.seed
        )
    text, table = json.dumps(report, indent=1, allow_nan=False), explained_markdown(report)
    write_whole(args.out / _REPORT, text.encode(), replace=True)
    write_whole(args.out / _TABLE, table.encode(), replace=True)
    name = evaluation_name(report["data"]["name"], report["data"]["split"])
    if args.attach:
        files = {"report.json": text.encode(), _TABLE: table.encode()}
        attach_evaluation(predictor.bundle, name, files, "explanations")
    if args.json:
        write(text)
        return 0
    for line in headline_lines(report):
        write(line)
    if report["unread"]:
        write(_("Scans that could not be read and are left out: {n}.").format(n=report["unread"]))
    if args.attach:
        write(_("Attached to the model as “{name}”.").format(name=name))
    write(_("Decision support, not a medical device."))
    return 0


def _randomised(
    predictor: Predictor, rows: Sequence[Row], methods: Sequence[str], count: int, seed: int
) -> dict[str, Any] | None:
    progress: list[Steps] = []

    def watch(done: int, total: int) -> None:
        if not progress:
            progress.append(Steps(_("Shuffling weights"), total))
        progress[0](done)

    return randomised_figures(predictor, rows, methods, count, seed, watch)


def _slow(rows: Sequence[Row], chosen: Sequence[int], limit: int, seed: int) -> set[int]:
    """Return the places of the scans that the methods which take long are measured on."""
    among = [rows[place] for place in chosen]
    return {chosen[at] for at in stratified(among, limit, seed + 1)}


def _only(measured: Measured | None, methods: Sequence[str]) -> Measured | None:
    """Return what was measured by these methods; an earlier run may have asked more."""
    if measured is None:
        return None
    return replace(
        measured,
        methods={name: each for name, each in measured.methods.items() if name in methods},
        pairs={
            names: each
            for names, each in measured.pairs.items()
            if set(names.split()) <= set(methods)
        },
    )


def _measure_all(
    predictor: Predictor,
    rows: Sequence[Row],
    wanted: Mapping[int, Sequence[str]],
    plan: Plan,
    kept: Kept,
) -> None:
    """Measure each scan by the methods wanted of it, unless it was before."""
    left = [place for place, methods in wanted.items() if not kept.has(place, methods)]
    if len(left) < len(wanted):
        note(
            _("Measured before: {n} of {all} scans. Going on from there.").format(
                n=len(wanted) - len(left), all=len(wanted)
            )
        )
    # Those of which the most is asked first: what is left then goes faster, and not slower.
    left.sort(key=lambda place: -len(wanted[place]))
    progress = Steps(_("Explaining"), len(left))
    done = 0
    try:
        for place in left:
            try:
                measured = measure(predictor, rows[place], wanted[place], plan)
            except ScanError:
                measured = None
            kept.add(place, wanted[place], measured)
            done += 1
            progress(done)
    except KeyboardInterrupt:
        note(
            _("Stopped after {n} of {all} scans. The same command goes on from there.").format(
                n=len(wanted) - len(left) + done, all=len(wanted)
            )
        )
        raise
