"""A migrated store on SQLite and on a real PostgreSQL, one fresh database per test."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from core.settings import Settings
from core.store import Store

START_SECONDS = 60


class Cluster:
    """A private PostgreSQL cluster on loopback, in a temporary folder."""

    def __init__(self, programs: Path) -> None:
        self.programs = programs
        self.folder = Path(tempfile.mkdtemp(prefix="overread-postgresql-"))
        self.password = secrets.token_hex(12)
        # PostgreSQL refuses to run as root.
        self.account: dict[str, object] = {}
        if hasattr(os, "geteuid") and os.geteuid() == 0:
            self.account = {"user": "postgres", "group": "postgres", "extra_groups": []}
            shutil.chown(self.folder, "postgres", "postgres")
        secret = self.folder / "password"
        secret.write_text(self.password)
        secret.chmod(0o644)
        self.data = self.folder / "data"
        self._run(
            "initdb", "--pgdata", self.data, "--username=overread", f"--pwfile={secret}",
            "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync",
        )  # fmt: skip
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.process: subprocess.Popen[bytes] | None = None
        self.count = 0
        self.template: str | None = None

    def _run(self, program: str, *arguments: object) -> None:
        subprocess.run(
            [self.programs / program, *map(str, arguments)],
            check=True, capture_output=True, cwd=self.folder, **self.account,
        )  # fmt: skip

    def start(self) -> None:
        until = time.monotonic() + START_SECONDS
        while not self._answers():
            if self.process is None or self.process.poll() is not None:
                # Also again: after a kill, the server refuses to start while the last of its
                # old processes still holds the shared memory.
                self._launch()
            if time.monotonic() > until:
                raise RuntimeError((self.folder / "log").read_text())
            time.sleep(0.1)

    def _launch(self) -> None:
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [
                    self.programs / "postgres", "-D", self.data, "-p", str(self.port),
                    "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=",
                    "-c", "fsync=on", "-c", "shared_buffers=32MB", "-c", "max_connections=60",
                ],
                stdout=log, stderr=log, cwd=self.folder, **self.account,
            )  # fmt: skip

    def _answers(self) -> bool:
        try:
            psycopg.connect(self._address("postgres"), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            # At once and without a last checkpoint: nothing of it is kept.
            self.process.send_signal(signal.SIGQUIT)
            self.process.wait(START_SECONDS)

    def server_processes(self) -> list[int]:
        with psycopg.connect(self._address("postgres")) as connection:
            return [pid for (pid,) in connection.execute("SELECT pid FROM pg_stat_activity")]

    def kill(self, pids: list[int]) -> None:
        """Kill the server and ``pids`` at once, as if the machine had stopped."""
        assert self.process is not None
        self.process.kill()
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        self.process.wait(START_SECONDS)

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def sql(self, statement: str) -> None:
        with psycopg.connect(self._address("postgres"), autocommit=True) as connection:
            connection.execute(statement)

    def _address(self, database: str) -> str:
        return f"postgresql://overread:{self.password}@127.0.0.1:{self.port}/{database}"

    def database(self, template: str = "template0") -> str:
        """Make a database and return its address."""
        self.count += 1
        name = f"test_{self.count}"
        self.sql(f"CREATE DATABASE {name} TEMPLATE {template}")
        return self._address(name)

    def migrated(self) -> str:
        """Make a database that is migrated already and return its address."""
        if self.template is None:
            address = self.database()
            made = Store.open(Settings(var=self.folder, database_url=address))
            made.migrate()
            made.close()
            self.template = address.rsplit("/", 1)[1]
        return self.database(self.template)


def find_programs() -> Path | None:
    """Return the folder of PostgreSQL's programs: the newest of Debian's, or on the PATH."""
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda p: p.parts[-3])
    found = debian[-1:] or [Path(p) for p in [shutil.which("initdb")] if p]
    return found[0].parent if found else None


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Cluster]:
    programs = find_programs()
    if programs is None:
        pytest.skip("PostgreSQL is not installed (Debian: apt-get install postgresql)")
    cluster = Cluster(programs)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.remove()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sqlite") / "template.db"
    made = Store.open(Settings(var=path.parent, database_url=f"sqlite:///{path}"))
    made.migrate()
    made.close()
    return path


@pytest.fixture(params=["sqlite", "postgresql"])
def store_kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def empty_settings(store_kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    """Settings of a site whose database has no tables yet."""
    var = tmp_path / "var"
    if store_kind == "sqlite":
        return Settings(var=var, database_url=f"sqlite:///{var / 'overread.db'}")
    cluster = request.getfixturevalue("postgresql")
    return Settings(var=var, database_url=cluster.database())


@pytest.fixture
def settings(store_kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    """Settings of a site whose database is migrated."""
    var = tmp_path / "var"
    if store_kind == "sqlite":
        var.mkdir(mode=0o700)
        shutil.copy(request.getfixturevalue("sqlite_template"), var / "overread.db")
        return Settings(var=var, database_url=f"sqlite:///{var / 'overread.db'}")
    return Settings(var=var, database_url=request.getfixturevalue("postgresql").migrated())


@pytest.fixture
def store(settings: Settings) -> Iterator[Store]:
    opened = Store.open(settings)
    yield opened
    opened.close()
