"""The database keeps its promises: durable, append-only and in UTC."""

import os
import stat
import subprocess
import sys
import threading
from datetime import timedelta, timezone

import pytest
from sqlalchemy import delete, exc, insert, select, update
from store_rows import EVENT, NOW, PERSON, READ, fill

from core.errors import StoreError, StoreUnavailable
from core.settings import ROOT, Settings
from core.store import Store, insert_new, schema


@pytest.mark.parametrize("name", schema.APPEND_ONLY)
@pytest.mark.parametrize("action", ["update", "delete"])
def test_the_database_itself_refuses_to_change_or_delete_what_was_said(store, name, action):
    fill(store)
    table = schema.metadata.tables[name]
    names = ("image_digest", "modality", "task")
    column = next(table.c[each] for each in names if each in table.c)
    statement = delete(table) if action == "delete" else update(table).values({column: "x"})
    with store.reading() as connection:
        before = connection.execute(select(table)).all()
    with pytest.raises(StoreError, match="contradicts"), store.writing() as connection:
        connection.execute(statement)
    with store.reading() as connection:
        assert connection.execute(select(table)).all() == before != []


def test_the_refusal_of_a_change_comes_from_the_trigger_and_not_from_a_reference(store):
    fill(store)
    with (
        pytest.raises(exc.IntegrityError, match="append-only"),
        store.engine.begin() as connection,
    ):
        connection.execute(delete(schema.case_events))


def test_what_was_said_cannot_be_replaced_or_truncated_either(store):
    fill(store)
    if store.engine.dialect.name == "sqlite":
        statement = (
            "INSERT OR REPLACE INTO case_events (id, image_digest, kind, person_id, at) "
            f"VALUES (1, '{'a' * 64}', 'closed', 'p1', '2026-01-01 00:00:00.000000')"
        )
    else:
        statement = "TRUNCATE case_events"
    with pytest.raises(StoreError), store.writing() as connection:
        connection.exec_driver_sql(statement)
    with store.reading() as connection:
        assert connection.scalars(select(schema.case_events.c.kind)).all() == ["received"]


def test_a_moment_comes_back_as_the_same_moment_in_utc(store):
    elsewhere = NOW.astimezone(timezone(timedelta(hours=8)))
    with store.writing() as connection:
        connection.execute(insert(schema.people).values(**PERSON | {"created_at": elsewhere}))
    with store.reading() as connection:
        row = connection.execute(select(schema.people)).one()
    assert row.created_at == NOW
    assert row.created_at.utcoffset() == timedelta(0)
    assert row.name == "Zoë 张"


def test_a_moment_without_a_time_zone_is_refused_rather_than_guessed(store):
    naive = NOW.replace(tzinfo=None)
    with pytest.raises(StoreError), store.writing() as connection:
        connection.execute(insert(schema.people).values(**PERSON | {"created_at": naive}))


def test_the_order_of_the_classes_survives_the_database(store):
    fill(store)
    with store.reading() as connection:
        stored = connection.execute(select(schema.reads.c.probabilities)).scalar_one()
    assert list(stored) == ["normal", "benign", "malignant"]


def test_a_number_that_is_none_is_refused_instead_of_stored(store):
    fill(store)
    row = READ | {"probabilities": {"benign": float("nan")}}
    # A room checks this before; here the last line of defence.
    with pytest.raises((StoreError, ValueError)), store.writing() as connection:
        connection.execute(insert(schema.reads).values(**row))
    with store.reading() as connection:
        assert len(connection.execute(select(schema.reads)).all()) == 1


def test_an_entry_that_points_nowhere_is_refused(store):
    with pytest.raises(StoreError, match="contradicts"), store.writing() as connection:
        connection.execute(insert(schema.case_events).values(**EVENT))


def test_a_failed_step_leaves_nothing_half_written(store):
    def two_steps():
        with store.writing() as connection:
            connection.execute(insert(schema.people).values(**PERSON))
            connection.execute(insert(schema.case_events).values(**EVENT))

    with pytest.raises(StoreError):
        two_steps()
    with store.reading() as connection:
        assert connection.execute(select(schema.people)).all() == []


def test_inserting_what_is_there_keeps_the_first(store):
    with store.writing() as connection:
        insert_new(connection, schema.people, PERSON)
        insert_new(connection, schema.people, PERSON | {"name": "Other"})
        assert connection.scalars(select(schema.people.c.name)).all() == ["Zoë 张"]


def test_many_writers_wait_for_each_other_instead_of_failing(store):
    failures = []

    def write(n):
        try:
            for i in range(5):
                with store.writing() as connection:
                    # Reading first is what makes a late lock fail.
                    connection.execute(select(schema.people)).all()
                    row = PERSON | {"id": f"{n}-{i}"}
                    connection.execute(insert(schema.people).values(**row))
        except StoreError as error:
            failures.append(error)

    threads = [threading.Thread(target=write, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    with store.reading() as connection:
        assert len(connection.execute(select(schema.people)).all()) == 40


def test_a_reader_sees_one_state_while_somebody_writes(store):
    with store.reading() as reader:
        assert reader.execute(select(schema.people)).all() == []
        with store.writing() as writer:
            writer.execute(insert(schema.people).values(**PERSON))
        assert reader.execute(select(schema.people)).all() == []
    with store.reading() as reader:
        assert len(reader.execute(select(schema.people)).all()) == 1


@pytest.mark.parametrize("store_kind", ["postgresql"], indirect=True)
def test_a_reader_cannot_write_by_accident(store):
    with pytest.raises(StoreUnavailable, match="read-only"), store.reading() as connection:
        connection.execute(insert(schema.people).values(**PERSON))


def test_every_sqlite_connection_is_durable_and_checks_references(tmp_path):
    store = Store.open(Settings(var=tmp_path, database_url=f"sqlite:///{tmp_path / 'o.db'}"))
    with store.reading() as first, store.reading() as second:
        for connection in (first, second):
            pragma = {
                name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
                for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
            }
            assert pragma["journal_mode"] == "wal"
            assert pragma["synchronous"] == 2  # FULL
            assert pragma["foreign_keys"] == 1
            assert pragma["busy_timeout"] >= 5000
    store.close()


def test_saved_means_on_disk_even_where_the_server_was_told_otherwise(postgresql, tmp_path):
    address = postgresql.database()
    name = address.rsplit("/", 1)[1]
    postgresql.sql(f"ALTER DATABASE {name} SET synchronous_commit = off")
    postgresql.sql(f"ALTER DATABASE {name} SET timezone = 'Asia/Shanghai'")
    store = Store.open(Settings(var=tmp_path, database_url=address))
    with store.reading() as connection:
        assert connection.exec_driver_sql("SHOW synchronous_commit").scalar() == "on"
        assert connection.exec_driver_sql("SHOW timezone").scalar() == "UTC"
    store.close()


def test_patients_data_lie_in_files_only_this_account_can_read(tmp_path):
    var = tmp_path / "var"
    store = Store.open(Settings(var=var, database_url=f"sqlite:///{var / 'o.db'}"))
    store.migrate()
    with store.writing() as connection:
        connection.execute(insert(schema.people).values(**PERSON))
        assert stat.S_IMODE(os.stat(var).st_mode) == 0o700
        files = list(var.iterdir())
        assert {file.name for file in files} == {"o.db", "o.db-wal", "o.db-shm"}
        assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    store.close()


def test_the_store_needs_neither_streamlit_nor_alembic_nor_tensorflow_to_open():
    code = (
        "import sys, core.store, core.trust; "
        "print([m for m in ('streamlit', 'alembic', 'tensorflow', 'keras') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
