"""Migrations: every database ends at exactly the tables of the code, whoever starts first."""

import subprocess
import sys

import numpy as np
import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text

from core.errors import StoreError
from core.review import (
    CaseContext,
    CaseFacts,
    Feedback,
    LabelDraft,
    Origin,
    Urgency,
    earlier_scans,
    image_facts,
    open_case,
    record_blind_read,
    reveal,
    seen_before,
    stored_scan,
    submit_feedback,
)
from core.scan import Scan, encode_png
from core.settings import ROOT
from core.store import Store, schema
from core.store import _migrate as migrations
from core.trust import demo_people


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
    # All of them are heard out first: one that failed must not leave the others running.
    ended = [(process.communicate(timeout=60)[1], process.returncode) for process in processes]
    assert ended == [("", 0)] * len(processes)
    store = Store.open(empty_settings)
    assert differences(store) == []
    store.close()


#: Rows as the first version wrote them; every later one must read them as they were meant.
FIRST = (
    "INSERT INTO people (id, name, role, created_at) "
    "VALUES ('demo-clinician', 'Demo clinician', 'clinician', '2026-01-02 03:04:05')",
    "INSERT INTO images (digest, case_number, width, height, channels, modality, spacing_row, "
    "spacing_column, frames, synthetic, blob, created_at) VALUES (:digest, :number, 32, 24, 1, "
    "'US', 0.1, 0.2, 3, :yes, :blob, '2026-01-02 03:04:05')",
    "INSERT INTO feedback (submission_key, fingerprint, image_digest, read_id, person_id, task, "
    "labels, verdict, label, origin, confidence, problems, urgency, comment, regions, "
    "region_image, outline_accepted, submitted_at) VALUES ('key', :mark, :digest, NULL, "
    "'demo-clinician', 'breast-ultrasound', '[\"normal\", \"benign\", \"malignant\"]', NULL, "
    "'benign', 'opinion', 4, '[]', 'soon', 'kept', '[]', NULL, :no, '2026-01-02 03:04:05')",
    "INSERT INTO case_events (image_digest, kind, person_id, at, feedback_id) "
    "VALUES (:digest, 'received', 'demo-clinician', '2026-01-02 03:04:05', 1)",
    "INSERT INTO cases (image_digest, state, urgency, rank, received_at, feedback_count, version, "
    "last_event_at) VALUES (:digest, 'open', 'soon', 1, '2026-01-02 03:04:05', 1, 1, "
    "'2026-01-02 03:04:05')",
)
#: The fingerprint the first version gave to the form of these rows.
FIRST_MARK = "ff2441a0e8d08154f8fb4e52e38704a6cb4b1b11a3b14256302da7d294164e99"


def of_the_first_version(store):
    """Fill a database of the first version with one image and one feedback on it."""
    migrations.migrate(store.engine, "0001")
    pixels = np.random.default_rng(0).integers(0, 256, (24, 32), np.uint8)
    made = Scan.from_pixels(pixels, modality="US", spacing=(0.1, 0.2), frames=3, synthetic=True)
    values = {
        "digest": made.digest,
        "number": made.case_number,
        "blob": store.blobs.put(encode_png(made)),
        "mark": FIRST_MARK,
        "yes": True,
        "no": False,
    }
    with store.writing() as connection:
        for statement in FIRST:
            connection.execute(text(statement), values)
    return made


def test_what_the_first_version_stored_reads_back_as_it_did_then(empty):
    made = of_the_first_version(empty)
    empty.migrate()
    assert differences(empty) == []
    clinician, reviewer, _administrator = demo_people()
    view = open_case(empty, reviewer, made.case_number)
    assert view.image == image_facts(made)
    assert stored_scan(view.image, view.png).digest == made.digest
    assert view.facts == CaseFacts()
    record_blind_read(
        empty, reviewer, made.case_number, LabelDraft("benign", Origin.OPINION, 4), "k"
    )
    (entry,) = reveal(empty, reviewer, made.case_number).feedback
    assert (entry.label, entry.confidence, entry.comment) == ("benign", 4, "kept")
    assert (entry.context, entry.quality, entry.override_reason, entry.measures) == (
        None, None, "", (),
    )  # fmt: skip
    (seen,) = seen_before(empty, clinician, [made.digest])
    assert (seen.by_me, seen.frame) == (True, 0)


def test_feedback_sent_to_the_first_version_and_again_to_this_one_is_one_entry(empty):
    made = of_the_first_version(empty)
    empty.migrate()
    clinician = demo_people()[0]
    said = {
        "image": image_facts(made), "png": encode_png(made), "task": "breast-ultrasound",
        "label": "benign", "origin": Origin.OPINION, "confidence": 4, "urgency": Urgency.SOON,
        "comment": "kept",
    }  # fmt: skip
    assert not submit_feedback(empty, clinician, Feedback("key", **said)).created
    assert not submit_feedback(empty, clinician, Feedback("other", **said)).created
    told = submit_feedback(empty, clinician, Feedback("b", **said, context=CaseContext(age=50)))
    assert told.created
    assert earlier_scans(empty, clinician, "P-1") == ()


@pytest.mark.parametrize("table", schema.APPEND_ONLY)
def test_after_an_update_what_was_appended_still_cannot_be_changed(empty, table):
    of_the_first_version(empty)
    empty.migrate()
    assert triggers(empty) == set(schema.APPEND_ONLY)
    column = schema.metadata.tables[table].columns.keys()[0]
    for statement in (f"UPDATE {table} SET {column} = {column}", f"DELETE FROM {table}"):
        without_rows = table in (
            "reads",
            "label_entries",
            "overrides",
            "site_prevalences",
            "embeddings",
        )
        if without_rows and empty.engine.dialect.name == "sqlite":
            # SQLite asks its triggers row by row, and there is none.
            continue
        with pytest.raises(StoreError), empty.writing() as connection:
            connection.execute(text(statement))
