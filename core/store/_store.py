"""The store: one engine, one folder of objects, and transactions that fail with one clear line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, Table
from sqlalchemy.dialects import postgresql, sqlite

from core.settings import Settings
from core.store import _engine, _migrate
from core.store._blobs import BlobStore
from core.store._errors import translated


class Store:
    """Database and objects of one site. Thread-safe; open it once and share it.

    Attributes
    ----------
    engine
        For tests and tools; rooms use :meth:`reading` and :meth:`writing`.
    blobs
        Stored pixels.
    """

    def __init__(self, engine: Engine, blobs: BlobStore) -> None:
        self.engine = engine
        self.blobs = blobs

    @classmethod
    def open(cls, settings: Settings) -> Store:
        """Open the store that ``settings`` name, making an SQLite file (0600) if there is none.

        Raises
        ------
        SettingsError
            The address is not one of SQLite or PostgreSQL.
        StoreUnavailable
            The file or its folder cannot be made.
        """
        return cls(_engine.make_engine(settings.database_url), BlobStore(settings.blobs))

    def migrate(self) -> None:
        """Bring the database to the schema of this code; nothing happens if it is there.

        Two processes may do it at the same time: each step is one transaction that takes the
        lock first and looks where the database stands after that.

        Raises
        ------
        StoreError
            The database was written by a newer version of Overread.
        StoreUnavailable
            It cannot be reached or written.
        """
        with translated():
            _migrate.migrate(self.engine)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Give a connection that sees one consistent state and writes nothing.

        Raises
        ------
        StoreUnavailable
            The database cannot be reached.
        """
        with translated(), self.engine.connect() as connection:
            if connection.dialect.name == "postgresql":
                connection = connection.execution_options(  # noqa: PLW2901
                    isolation_level="REPEATABLE READ", postgresql_readonly=True
                )
            with connection.begin():
                yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Give a connection in a transaction; leaving the block commits, an error rolls back.

        After the block everything is on disk. On SQLite the transaction begins by taking the
        write lock, so that writers wait for each other; on PostgreSQL writers who touch the same
        rows lock them first (``with_for_update``).

        Raises
        ------
        StoreUnavailable
            The database cannot be reached or written; nothing was saved.
        StoreError
            What was to be written contradicts what is stored; nothing was saved.
        """
        with translated(), self.engine.connect() as connection:
            connection = connection.execution_options(overread_writes=True)  # noqa: PLW2901
            with connection.begin():
                yield connection

    def close(self) -> None:
        """Close every connection that is not in use."""
        self.engine.dispose()


def insert_new(
    connection: Connection,
    table: Table,
    values: Mapping[str, Any],
    unique: Sequence[str] | None = None,
) -> None:
    """Insert a row unless its key is there already; wait for whoever is inserting it.

    The key is the primary one, or the columns ``unique`` of a unique constraint.
    """
    make = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    keys = [column.name for column in table.primary_key] if unique is None else [*unique]
    connection.execute(make(table).values(**values).on_conflict_do_nothing(index_elements=keys))
