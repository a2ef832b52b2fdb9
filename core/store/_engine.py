"""From an address to an engine that keeps its promises on SQLite and on PostgreSQL."""

from __future__ import annotations

import json
import os
import sqlite3
import time
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError

from core.errors import SettingsError, StoreUnavailable
from core.text import _

#: Seconds a writer waits for another before giving up.
LOCK_SECONDS = 15
#: Seconds to wait for a connection.
CONNECT_SECONDS = 5


def make_engine(address: str) -> Engine:
    """Return an engine for ``address``; see :meth:`core.store.Store.open`."""
    url = parse_url(address)
    common: dict[str, Any] = {
        # Values are patients' and people's: they stay out of messages and logs.
        "hide_parameters": True,
        # A number that JSON does not have must not get in.
        "json_serializer": partial(json.dumps, allow_nan=False, ensure_ascii=False),
        "pool_timeout": LOCK_SECONDS,
    }
    if url.get_backend_name() == "sqlite":
        _make_file(Path(url.database or ""))
        engine = create_engine(url, connect_args={"timeout": LOCK_SECONDS}, **common)
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    engine = create_engine(
        url,
        connect_args={"connect_timeout": CONNECT_SECONDS, "application_name": "overread"},
        # A server that was restarted must not cost a person their first click.
        pool_pre_ping=True,
        **common,
    )
    event.listen(engine, "connect", _prepare_postgresql)
    return engine


def parse_url(address: str) -> URL:
    """Return ``address`` with the driver we use, or refuse it without repeating it."""
    try:
        url = make_url(address)
    except (ArgumentError, ValueError):
        raise _unusable() from None
    if url.drivername in ("postgresql", "postgres", "postgresql+psycopg"):
        return url.set(drivername="postgresql+psycopg")
    if url.drivername in ("sqlite", "sqlite+pysqlite"):
        # In memory, every connection would have a database of its own, and none would last.
        if not url.database or url.database == ":memory:" or url.database.startswith("file:"):
            raise _unusable()
        return url.set(drivername="sqlite+pysqlite")
    raise _unusable()


def _unusable() -> SettingsError:
    return SettingsError(
        _(
            "OVERREAD_DATABASE_URL must be like sqlite:///folder/file.db or "
            "postgresql://user:password@host/database."
        )
    )


def _make_file(path: Path) -> None:
    # Patients' data: for this account only. SQLite gives its -wal and -shm files the same rights.
    try:
        if not path.parent.is_dir():
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    except OSError:
        raise StoreUnavailable(
            _("The database file cannot be made or opened. Check OVERREAD_VAR and its rights.")
        ) from None


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    # The driver must not begin transactions by itself: it would do so late, only before a write,
    # and never before DDL. We begin them, see _begin_sqlite.
    connection.isolation_level = None
    cursor = connection.cursor()
    _switch_to_wal(cursor)
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA foreign_keys=ON")
    # Without it INSERT OR REPLACE would delete rows past the append-only triggers.
    cursor.execute("PRAGMA recursive_triggers=ON")
    cursor.close()


def _switch_to_wal(cursor: Any) -> None:
    """Switch the file to its write-ahead log; two that do so at once wait for each other.

    SQLite's own waiting does not cover the switch: the second to ask is refused at once.
    """
    deadline = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
        time.sleep(0.02)


def _begin_sqlite(connection: Connection) -> None:
    # A writer takes the lock at once and waits for it there. Beginning as a reader and turning
    # into a writer later fails at once if somebody else has written in between.
    writes = connection.get_execution_options().get("overread_writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _prepare_postgresql(connection: Any, _record: Any) -> None:
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute("SET TIME ZONE 'UTC'")
        cursor.execute(f"SET lock_timeout = '{LOCK_SECONDS}s'")
        # "Saved" means on disk, also where the server was set to answer earlier.
        cursor.execute(
            "SELECT set_config('synchronous_commit', 'on', false) "
            "WHERE current_setting('synchronous_commit') = 'off'"
        )
    connection.autocommit = False
