"""Migrations: every database ends at exactly the tables of the code, whoever starts first."""

import subprocess
import sys

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text

from core.errors import StoreError
from core.settings import ROOT
from core.store import Store, schema
from core.store import _migrate as migrations


def revisions():
    """Every revision, oldest first."""
    config = Config()
    config.set_main_option("script_location", str(migrations.FOLDER))
    scripts = ScriptDirectory.from_config(config)
    assert scripts.get_heads() == [migrations.HEAD]
    return [script.revision for script in scripts.walk_revisions()][::-1]


def differences(store):
    with store.engine.connect() as connection:
        options = {"compare_type": True, "compare_server_default": True}
        context = MigrationContext.configure(connection, opts=options)
        return compare_metadata(context, schema.metadata)


def triggers(store):
    query = (
        "SELECT DISTINCT tbl_name FROM sqlite_master WHERE type = 'trigger'"
        if store.engine.dialect.name == "sqlite"
        else "SELECT DISTINCT event_object_table FROM information_schema.triggers"
    )
    with store.engine.connect() as connection:
        return set(connection.scalars(text(query)))


@pytest.fixture
def empty(empty_settings):
    opened = Store.open(empty_settings)
    yield opened
    opened.close()


def test_the_newest_revision_is_the_one_the_code_expects():
    assert revisions()[-1] == migrations.HEAD


def test_a_new_database_gets_exactly_the_tables_of_the_code(empty):
    empty.migrate()
    assert differences(empty) == []
    assert triggers(empty) == set(schema.APPEND_ONLY)


def test_the_comparison_would_see_a_missing_column(empty):
    empty.migrate()
    with empty.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE people DROP COLUMN name")
    assert differences(empty) != []


@pytest.mark.parametrize("start", revisions())
def test_a_database_of_any_earlier_version_becomes_todays(empty, start):
    migrations.migrate(empty.engine, start)
    with empty.engine.connect() as connection:
        assert migrations.current_revision(connection) == start
    empty.migrate()
    assert differences(empty) == []


def test_starting_again_changes_nothing_and_keeps_what_is_there(empty):
    empty.migrate()
    with empty.writing() as connection:
        connection.execute(text("INSERT INTO people VALUES ('p', 'n', 'r', '2026-01-01')"))
    empty.migrate()
    with empty.reading() as connection:
        assert connection.execute(text("SELECT count(*) FROM people")).scalar() == 1


def test_a_database_of_a_newer_version_is_left_alone(empty):
    empty.migrate()
    with empty.writing() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(StoreError, match="newer version"):
        empty.migrate()
    with empty.reading() as connection:
        assert migrations.current_revision(connection) == "9999"


def test_a_migration_that_fails_leaves_neither_tables_nor_its_record(empty):
    with empty.writing() as connection:
        # The last table the migration makes is in its way.
        connection.execute(text("CREATE TABLE case_events (x INTEGER)"))
    with pytest.raises(StoreError) as failed:
        empty.migrate()
    assert "case_events" not in str(failed.value)
    with empty.engine.connect() as connection:
        assert set(inspect(connection).get_table_names()) <= {"case_events", "alembic_version"}
        assert migrations.current_revision(connection) is None
    with empty.writing() as connection:
        connection.execute(text("DROP TABLE case_events"))
    empty.migrate()
    assert differences(empty) == []


@pytest.mark.parametrize("store_kind", ["sqlite"], indirect=True)
def test_references_are_checked_again_after_a_migration(empty):
    empty.migrate()
    with empty.engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1


def test_two_processes_that_start_at_once_both_find_a_migrated_database(empty_settings):
    code = (
        "import sys; from pathlib import Path; from core.settings import Settings; "
        "from core.store import Store; import alembic.command; "
        "print('ready', flush=True); sys.stdin.readline(); "
        "Store.open(Settings(var=Path(sys.argv[1]), database_url=sys.argv[2])).migrate()"
    )
    arguments = [str(empty_settings.var), empty_settings.database_url]
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", code, *arguments],
            cwd=ROOT, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )
        for _ in range(3)
    ]  # fmt: skip
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        _, errors = process.communicate(timeout=60)
        assert (process.returncode, errors) == (0, "")
    store = Store.open(empty_settings)
    assert differences(store) == []
    store.close()
