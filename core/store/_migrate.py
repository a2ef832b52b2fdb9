"""Migrations at start: nothing but one query when the database is up to date."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, Engine, inspect, text

from core.errors import StoreError
from core.text import _

if TYPE_CHECKING:
    from alembic.config import Config

#: The newest revision. Written down so that an up-to-date start needs no Alembic; a test holds
#: it against the folder.
HEAD = "0006"
FOLDER = Path(__file__).resolve().parent / "migrations"
# Any fixed number of our own ("OVERREAD" on a telephone); only migrations take this lock.
_LOCK = 68377323


def current_revision(connection: Connection) -> str | None:
    """Return the revision the database is at; None before the first migration."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def migrate(engine: Engine, target: str = HEAD) -> None:
    """Bring the database to ``target``, one transaction per migration and its record."""
    with engine.connect() as connection, connection.begin():
        if current_revision(connection) == target:
            return
    while not _step(engine, target):
        pass


def _step(engine: Engine, target: str) -> bool:
    """Take one migration; return whether there was nothing left to do."""
    from alembic import command

    with engine.connect() as plain:
        connection = plain.execution_options(overread_writes=True)
        sqlite = connection.dialect.name == "sqlite"
        if sqlite:
            # Rebuilding a table must not cascade; the whole is checked before the commit. The
            # switch does nothing inside a transaction, so it goes straight to the driver.
            _driver(connection, "PRAGMA foreign_keys=OFF")
        try:
            with connection.begin():
                if not sqlite:
                    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
                # Only now that others wait is the answer worth anything.
                current = current_revision(connection)
                if current == target:
                    return True
                config = make_config(connection)
                following = _following(config, current)
                command.upgrade(config, following)
                if sqlite and connection.exec_driver_sql("PRAGMA foreign_key_check").first():
                    raise StoreError(
                        _("The database cannot be migrated: rows point to rows that are missing.")
                    )
        finally:
            if sqlite and not connection.closed:
                _driver(connection, "PRAGMA foreign_keys=ON")
    return following == target


def make_config(connection: Connection) -> Config:
    """Return Alembic's configuration for our migrations over ``connection``."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def _following(config: Config, current: str | None) -> str:
    from alembic.script import ScriptDirectory

    # Newest first; the history is one line.
    known = [script.revision for script in ScriptDirectory.from_config(config).walk_revisions()]
    if current is None:
        return known[-1]
    if current not in known:
        raise StoreError(
            _(
                "The database was written by a newer version of Overread. Update Overread, or "
                "restore a backup from before the update."
            )
        )
    return known[known.index(current) - 1]


def _driver(connection: Connection, statement: str) -> None:
    raw = connection.connection.driver_connection
    if raw is not None:
        raw.execute(statement)
