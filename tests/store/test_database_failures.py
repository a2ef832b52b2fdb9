"""Where the database fails it says what to do in one line, and what was there is kept."""

import socket
import sqlite3

import pytest
from sqlalchemy import event, exc, insert, select
from store_rows import PERSON

from core.errors import SettingsError, StoreUnavailable
from core.settings import Settings
from core.store import Store, schema
from core.store._errors import translate


@pytest.mark.parametrize(
    "address",
    ["", "mysql://u:hunter2@h/d", "sqlite://", "sqlite:///:memory:", "sqlite:///file:x?uri=true",
     "not an address hunter2", "postgresql://u:hunter2@h:port/d"],
)  # fmt: skip
def test_an_unusable_address_is_refused_without_repeating_its_password(tmp_path, address):
    with pytest.raises(SettingsError) as refused:
        Store.open(Settings(var=tmp_path, database_url=address))
    assert "OVERREAD_DATABASE_URL" in str(refused.value)
    assert "hunter2" not in str(refused.value)


def test_the_plain_postgresql_address_works(postgresql, tmp_path):
    address = postgresql.database()
    assert address.startswith("postgresql://")
    store = Store.open(Settings(var=tmp_path, database_url=address))
    with store.reading() as connection:
        assert connection.dialect.driver == "psycopg"
    store.close()


def one_line_without(error, *secrets):
    text = str(error)
    assert "\n" not in text
    for secret in (*secrets, "INSERT", "SELECT", "PRAGMA", "sqlalche.me"):
        assert secret not in text
    # Neither does a log that prints the chain.
    assert error.__cause__ is None
    assert error.__suppress_context__


def test_a_server_that_is_down_says_so_without_the_password(tmp_path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    address = f"postgresql://somebody:hunter2@127.0.0.1:{port}/d"
    store = Store.open(Settings(var=tmp_path, database_url=address))
    with pytest.raises(StoreUnavailable, match="cannot be reached") as failed:
        store.migrate()
    one_line_without(failed.value, "hunter2", "somebody", str(port))


def test_a_wrong_password_names_the_setting_to_check(postgresql, tmp_path):
    address = postgresql.database().replace(postgresql.password, "hunter2")
    store = Store.open(Settings(var=tmp_path, database_url=address))
    with pytest.raises(StoreUnavailable) as failed, store.reading():
        pass
    one_line_without(failed.value, "hunter2")
    assert "OVERREAD_DATABASE_URL" in str(failed.value)


def test_a_read_only_database_says_that_nothing_was_saved(store):
    if store.engine.dialect.name == "sqlite":
        event.listen(
            store.engine, "connect", lambda raw, _: raw.execute("PRAGMA query_only=ON") and None
        )
    else:
        event.listen(
            store.engine, "begin",
            lambda c: c.exec_driver_sql("SET TRANSACTION READ ONLY") and None,
        )  # fmt: skip
    with pytest.raises(StoreUnavailable, match="read-only") as failed, store.writing() as c:
        c.execute(insert(schema.people).values(**PERSON))
    one_line_without(failed.value, "Zoë")


def test_a_full_disk_says_so_and_keeps_what_was_there(tmp_path, sqlite_template):
    path = tmp_path / "o.db"
    path.write_bytes(sqlite_template.read_bytes())
    store = Store.open(Settings(var=tmp_path, database_url=f"sqlite:///{path}"))
    event.listen(
        store.engine, "connect",
        lambda raw, _: raw.execute("PRAGMA max_page_count=1").fetchall() and None,
    )  # fmt: skip
    with pytest.raises(StoreUnavailable, match="full") as failed, store.writing() as connection:
        connection.execute(insert(schema.people).values(**PERSON | {"name": "n" * 100_000}))
    one_line_without(failed.value, "nnn")
    with store.reading() as connection:
        assert connection.execute(select(schema.people)).all() == []
    store.close()


def impatient(raw, _record):
    """Make a new connection wait 50 ms for a lock instead of 15 s."""
    if isinstance(raw, sqlite3.Connection):
        raw.execute("PRAGMA busy_timeout=50")
    else:
        raw.execute("SET lock_timeout = '50ms'")
        raw.commit()


def write_person(store):
    with store.writing() as connection:
        connection.execute(insert(schema.people).values(**PERSON))


def test_a_writer_that_never_finishes_makes_others_give_up_with_a_clear_line(store):
    event.listen(store.engine, "connect", impatient)
    with store.writing() as holder:
        holder.execute(insert(schema.people).values(**PERSON))
        with pytest.raises(StoreUnavailable, match="busy") as failed:
            write_person(store)
    one_line_without(failed.value, "Zoë")


def test_a_file_that_is_no_database_is_not_overwritten(tmp_path):
    path = tmp_path / "o.db"
    path.write_bytes(b"these are somebody's notes " * 100)
    before = path.read_bytes()
    store = Store.open(Settings(var=tmp_path, database_url=f"sqlite:///{path}"))
    with pytest.raises(StoreUnavailable, match="damaged"):
        store.migrate()
    assert path.read_bytes() == before


def test_a_folder_that_cannot_be_made_says_which_setting_to_check(tmp_path):
    (tmp_path / "file").write_text("in the way")
    address = f"sqlite:///{tmp_path / 'file' / 'var' / 'o.db'}"
    with pytest.raises(StoreUnavailable, match="OVERREAD_VAR"):
        Store.open(Settings(var=tmp_path, database_url=address))


def test_an_unknown_failure_still_becomes_one_line():
    odd = exc.OperationalError("SELECT secret", {"a": "Zoë"}, sqlite3.OperationalError("odd"))
    text = str(translate(odd))
    assert "\n" not in text
    assert not any(word in text for word in ("Zoë", "secret", "odd"))


def test_a_connection_lost_between_two_clicks_costs_none(postgresql, tmp_path):
    store = Store.open(Settings(var=tmp_path, database_url=postgresql.migrated()))
    with store.reading() as connection:
        pid = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar()
    postgresql.sql(f"SELECT pg_terminate_backend({pid}, 5000)")
    with store.writing() as connection:
        connection.execute(insert(schema.people).values(**PERSON))
    store.close()
