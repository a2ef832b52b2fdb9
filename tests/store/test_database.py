"""The database keeps its promises: durable, append-only, in UTC, and clear when it fails."""

import os
import socket
import sqlite3
import stat
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import delete, event, exc, insert, select, update

from core.errors import SettingsError, StoreError, StoreUnavailable
from core.settings import ROOT, Settings
from core.store import Store, insert_new, schema
from core.store._errors import translate

NOW = datetime(2026, 3, 1, 12, 30, 15, 123456, tzinfo=UTC)
PERSON = {"id": "p1", "name": "Zoë 张", "role": "clinician", "created_at": NOW}
IMAGE = {
    "digest": "a" * 64,
    "case_number": "AAAAA-AAAAA",
    "width": 4,
    "height": 3,
    "channels": 1,
    "modality": "US",
    "spacing_row": 0.1,
    "spacing_column": 0.2,
    "frames": 1,
    "synthetic": True,
    "blob": "b" * 64,
    "created_at": NOW,
}
READ = {
    "image_digest": "a" * 64,
    "task": "breast-ultrasound",
    "version": "1.0",
    "bundle_digest": "c" * 64,
    "probabilities": {"normal": 0.25, "benign": 0.25, "malignant": 0.5},
    "positive": "malignant",
    "probability": 0.5,
    "operating_point": "screening",
    "threshold": 0.4,
    "flagged": True,
    "answer": "malignant",
    "interval": None,
    "prevalence": 0.3,
    "heat_class": "malignant",
    "map_kind": "none",
    "controls": None,
    "lesion_threshold": None,
    "measurements": [],
    "explored_threshold": None,
    "created_at": NOW,
}
FEEDBACK = {
    "submission_key": "k",
    "fingerprint": "f" * 64,
    "image_digest": "a" * 64,
    "read_id": 1,
    "person_id": "p1",
    "task": "breast-ultrasound",
    "labels": ["normal", "benign", "malignant"],
    "verdict": "accept",
    "problems": [],
    "urgency": "routine",
    "comment": "",
    "regions": [],
    "outline_accepted": False,
    "submitted_at": NOW,
}
LABEL = {
    "submission_key": "k",
    "fingerprint": "f" * 64,
    "image_digest": "a" * 64,
    "person_id": "p1",
    "stage": "blind",
    "label": "benign",
    "origin": "opinion",
    "confidence": 3,
    "comment": "",
    "regions": [],
    "entered_at": NOW,
}
OVERRIDE = {
    "image_digest": "a" * 64,
    "person_id": "p1",
    "reason": "for teaching",
    "quality": {"checks": []},
    "at": NOW,
}
EVENT = {"image_digest": "a" * 64, "kind": "received", "person_id": "p1", "at": NOW}
PREVALENCE = {
    "task": "breast-ultrasound",
    "share": 0.05,
    "reason": "our register",
    "person_id": "p1",
    "at": NOW,
}


def fill(store):
    with store.writing() as connection:
        for table, row in (
            (schema.people, PERSON),
            (schema.images, IMAGE),
            (schema.reads, READ),
            (schema.feedback, FEEDBACK),
            (schema.label_entries, LABEL),
            (schema.case_events, EVENT),
            (schema.overrides, OVERRIDE),
            (schema.site_prevalences, PREVALENCE),
        ):
            connection.execute(insert(table).values(**row))


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


def test_the_store_needs_neither_streamlit_nor_alembic_nor_tensorflow_to_open():
    code = (
        "import sys, core.store, core.trust; "
        "print([m for m in ('streamlit', 'alembic', 'tensorflow', 'keras') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
