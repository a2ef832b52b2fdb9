"""The command line: ``python -m core <command>``.

Exit codes: 0 done, 1 the job failed (one line on stderr says why), 2 bad usage, 130 interrupted.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Sequence
from typing import TypeAlias

from core.errors import OverreadError, SettingsError
from core.settings import load_settings
from core.text import _, use_language

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Parameters
    ----------
    arguments
        Words after ``python -m core``; those of the process by default.

    Returns
    -------
    int
        0, or 1 where the job failed, or 130 where it was interrupted.

    Raises
    ------
    SystemExit
        With 2 for bad usage, with 0 after ``--help``.
    """
    _say_what_can_be_said()
    try:
        with use_language(_language()):
            options = make_parser().parse_args(arguments)
            load_settings()
            code: int = options.run(options)
            sys.stdout.flush()
            return code
    except OverreadError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # The reader (`| head`) has what it wanted; without this, Python complains at its exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def make_parser() -> argparse.ArgumentParser:
    """Return the parser with every command."""
    parser = argparse.ArgumentParser(
        prog="python -m core",
        description=_("Overread without the browser: models, training, evaluation, database."),
    )
    commands = parser.add_subparsers(metavar=_("command"), required=True)

    # They know their arguments without importing TensorFlow.
    from core.learning import commands as learning
    from core.model import commands as versions

    models = _command(commands, "models", _("list the model versions found here"))
    versions.add_models_arguments(models)
    models.set_defaults(run=versions.run_models)

    promote = _command(
        commands, "promote", _("make a version active, once it was loaded whole and checked")
    )
    versions.add_promote_arguments(promote)
    promote.set_defaults(run=versions.run_promote)

    rollback = _command(commands, "rollback", _("make the version active that was before"))
    versions.add_rollback_arguments(rollback)
    rollback.set_defaults(run=versions.run_rollback)

    audit = _command(
        commands, "audit-data", _("look for leaks and shortcuts in datasets, before training")
    )
    learning.add_audit_arguments(audit)
    audit.set_defaults(run=learning.run_audit)

    train = _command(
        commands, "train", _("train a model on dataset folders and write it as a bundle")
    )
    learning.add_train_arguments(train)
    train.set_defaults(run=learning.run_train)

    evaluate = _command(commands, "evaluate", _("evaluate a bundle on a dataset folder"))
    learning.add_evaluate_arguments(evaluate)
    evaluate.set_defaults(run=learning.run_evaluate)

    explanations = _command(
        commands,
        "evaluate-explanations",
        _("measure on a dataset folder how faithful each method of explanation is"),
    )
    learning.add_explanations_arguments(explanations)
    explanations.set_defaults(run=learning.run_explanations)

    import_model = _command(
        commands, "import-model", _("check a Keras file of your own and make a bundle of it")
    )
    learning.add_import_arguments(import_model)
    import_model.set_defaults(run=learning.run_import)

    from core.score.commands import add_score_arguments, run_score

    score = _command(
        commands, "score", _("read the scans of folders and archives into a table (CSV)")
    )
    add_score_arguments(score)
    score.set_defaults(run=run_score)

    from core.explain.commands import add_explain_arguments, run_explain

    explain = _command(
        commands, "explain", _("explain the answers to image files: pictures, values, figures")
    )
    add_explain_arguments(explain)
    explain.set_defaults(run=run_explain)

    migrate = _command(
        commands, "migrate", _("bring the database up to date, as the app does when it starts")
    )
    migrate.set_defaults(run=_migrate)
    return parser


def _say_what_can_be_said() -> None:
    """Let no letter that the terminal has no code for end a command whose work is done."""
    for stream in (sys.stdout, sys.stderr):
        # Others, of a program that called this, are its own business.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _language() -> str:
    try:
        return load_settings().language
    except SettingsError:
        # Said in a moment: help and usage errors come first and need no setting.
        return "en"


def _command(commands: Commands, name: str, about: str) -> argparse.ArgumentParser:
    return commands.add_parser(name, help=about, description=f"{about[0].upper()}{about[1:]}.")


def write(line: str) -> None:
    """Write one line of output."""
    sys.stdout.write(f"{line}\n")


def _migrate(_options: argparse.Namespace) -> int:
    from core.store import Store

    store = Store.open(load_settings())
    try:
        store.migrate()
    finally:
        store.close()
    write(_("The database is up to date."))
    return 0


if __name__ == "__main__":
    sys.exit(main())
