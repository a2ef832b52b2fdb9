"""Kill -9 right after "saved" loses nothing, and never leaves half an entry."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from review_forms import assert_projection_equals_history
from sqlalchemy import select

from core.errors import StoreUnavailable
from core.review import rebuild_projection
from core.settings import ROOT, Settings
from core.store import Store, schema

HERE = Path(__file__).parent


def sender(settings, base):
    paths = os.pathsep.join([str(ROOT), str(HERE)])
    return subprocess.Popen(
        [sys.executable, str(HERE / "send_until_killed.py"), str(settings.var),
         settings.database_url, str(base)],
        env=os.environ | {"PYTHONPATH": paths}, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip


def acknowledged(process, wanted):
    """Return what the program says was saved: ``wanted`` lines, then kill it in the same breath."""
    lines = [process.stdout.readline() for _ in range(wanted)]
    process.kill()
    lines += process.stdout.readlines()
    process.stdout.close()
    process.wait()
    return dict(line.split() for line in lines if line.endswith("\n"))


def assert_all_there_and_whole(store, told):
    with store.reading() as connection:
        entries = connection.execute(select(schema.feedback)).all()
        reads = {row.id for row in connection.execute(select(schema.reads))}
        images = {row.digest: row.blob for row in connection.execute(select(schema.images))}
        events = connection.scalars(select(schema.case_events.c.feedback_id)).all()
        cases = set(connection.scalars(select(schema.cases.c.image_digest)))
    saved = {entry.submission_key: str(entry.id) for entry in entries}
    assert told.items() <= saved.items()
    # Whole or not at all, also for what was under way and never acknowledged.
    assert reads == {entry.read_id for entry in entries}
    assert sorted(events) == sorted(entry.id for entry in entries)
    assert set(images) == cases == {entry.image_digest for entry in entries}
    for blob in images.values():
        assert store.blobs.get(blob)
    assert_projection_equals_history(store)


def test_what_was_acknowledged_survives_killing_the_app(store, settings):
    told = {}
    for turn, wanted in enumerate((1, 1, 2, 5)):
        told |= acknowledged(sender(settings, base=1000 * turn), wanted)
    assert len(told) >= 9
    assert_all_there_and_whole(store, told)


def test_what_was_acknowledged_survives_killing_the_database_server(postgresql, tmp_path):
    settings = Settings(var=tmp_path, database_url=postgresql.migrated())
    store = Store.open(settings)
    told = {}
    for turn, wanted in enumerate((1, 3)):
        process = sender(settings, base=1000 * turn)
        lines = [process.stdout.readline() for _ in range(wanted)]
        pids = postgresql.server_processes()
        postgresql.kill(pids)
        try:
            told |= dict(line.split() for line in lines)
            told |= acknowledged(process, 0)
            with pytest.raises(StoreUnavailable):
                rebuild_projection(store)
        finally:
            postgresql.start()
        assert_all_there_and_whole(store, told)
    assert len(told) >= 4
    store.close()
