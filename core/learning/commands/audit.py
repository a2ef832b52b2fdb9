"""What ``python -m core audit-data`` does."""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

from core.learning.audit import (
    Verdict,
    audit_listing,
    list_sources,
    make_split,
    manifest_paths,
    table,
    to_html,
    write_manifests,
)
from core.learning.commands.common import add_label_names, held_share, note, seed_number, write
from core.learning.forms import VAL_SHARE
from core.learning.whole_file import check_writable, write_whole
from core.text import _

#: Seconds before the first line about how far it is, and between two: one is written over on a
#: terminal.
_QUIET, _LINE_SECONDS, _TERMINAL_SECONDS = 2.0, 5.0, 0.25
#: Share that val and test may take together.
_MOST_HELD = 0.8


def add_audit_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what ``audit-data`` takes."""
    parser.add_argument(
        "data", nargs="+", type=_path, metavar="DIR", help=_("datasets: folders or .npz files")
    )
    add_label_names(parser)
    parser.add_argument(
        "--out",
        type=Path,
        help=_("folder for audit.html and audit.json; the HTML shows parts of scans"),
    )
    parser.add_argument("--json", action="store_true", help=_("print JSON, not a table"))
    parser.add_argument(
        "--files", action="store_true", help=_("name files beside entries in the HTML and JSON")
    )
    parser.add_argument(
        "--embeddings",
        type=_model,
        metavar="TASK[@VERSION]",
        help=_("compare by what this model sees, too; needs TensorFlow and takes far longer"),
    )
    parser.add_argument(
        "--make-split",
        action="store_true",
        help=_(
            "write a manifest with a split that does not leak, into --out or beside the images as "
            "manifest.split.csv"
        ),
    )
    parser.add_argument(
        "--val-share",
        type=held_share,
        default=VAL_SHARE,
        help=_("how much becomes val, of data without a split and of a new one; {share:g}").format(
            share=VAL_SHARE
        ),
    )
    parser.add_argument(
        "--test-share", type=_share_or_none, default=0.0, help=_("how much becomes test; 0")
    )
    parser.set_defaults(usage=parser.error)
    parser.add_argument("--seed", type=seed_number, default=0, help=_("another one, another split"))


def _path(text: str) -> Path:
    path = Path(text)
    if not path.exists():
        raise argparse.ArgumentTypeError(_("there is no such file or folder"))
    return path


def _model(text: str) -> tuple[str, str | None]:
    task, _at, version = text.partition("@")
    if not task:
        raise argparse.ArgumentTypeError(_("must be TASK or TASK@VERSION, as `models` lists them"))
    return task, version or None


def _share_or_none(text: str) -> float:
    return 0.0 if float(text) == 0 else held_share(text)


def run_audit(args: argparse.Namespace) -> int:
    """Audit datasets; 1 where a split leaks and no new one was asked for.

    Raises
    ------
    OverreadError
        The data are no datasets, or a file cannot be written.
    """
    if args.val_share + args.test_share > _MOST_HELD:
        args.usage(_("too little is left to train on: val and test take too much together"))
    progress = _Progress()
    listing = list_sources(args.data, args.label_names, args.val_share)
    # Before an hour's work, not behind it.
    if args.make_split:
        manifest_paths(listing, args.out)
    if args.out:
        check_writable(args.out)
    audit = audit_listing(listing, progress, args.embeddings)
    found = audit.to_dict(files=args.files)
    leaks = audit.verdict is Verdict.LEAK
    lines = [table(audit)]
    new = None
    if args.make_split:
        new = make_split(
            audit,
            val_share=args.val_share,
            test_share=args.test_share,
            seed=args.seed,
            progress=progress,
        )
        written = write_manifests(audit, new, args.out)
        counts = {split: new.splits.count(split) for split in ("train", "val", "test")}
        found["new_split"] = {
            "counts": counts,
            "left_out": new.splits.count(None),
            "uneven": new.uneven,
            "files": [path.name for path in written],
        }
        lines += [
            _("New split: {counts}; it parts no case and no duplicates.").format(
                counts=", ".join(f"{split} {n}" for split, n in counts.items() if n)
            ),
            *(_("Not balanced: {what}").format(what=each) for each in new.uneven),
            *(str(path) for path in written),
        ]
    if args.out:
        html = to_html(audit, files=args.files, progress=progress)
        text = json.dumps(found, indent=1)
        write_whole(args.out / "audit.json", text.encode(), replace=True)
        write_whole(args.out / "audit.html", html, replace=True)
    progress.end()
    write(json.dumps(found, indent=1) if args.json else "\n".join(lines))
    return 1 if leaks and new is None else 0


class _Progress:
    """Says on stderr how far it is, once it takes longer than people wait in silence."""

    def __init__(self) -> None:
        self._began = self._said = time.monotonic()
        self._over = sys.stderr.isatty()
        self._open = False

    def __call__(self, what: str, done: int, total: int) -> None:
        now = time.monotonic()
        pause = _TERMINAL_SECONDS if self._over else _LINE_SECONDS
        if now - self._began < _QUIET or (self._open and now - self._said < pause):
            return
        self._said, self._open = now, True
        line = _("{what}: {done} of {total}").format(what=what, done=done, total=total)
        if self._over:
            sys.stderr.write(f"\r{line}\x1b[K")
            sys.stderr.flush()
        else:
            note(line)

    def end(self) -> None:
        """Take the line away, so that what is printed begins a line."""
        if self._over and self._open:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
