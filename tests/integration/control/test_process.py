"""The control plane as a process: kill -9 in the middle of ingest, a second process, signals, a full disk."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sqlite3
import ssl
import stat
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

import grpc
import pytest

from seawall.v1 import admin_events_pb2 as events_pb
from seawall.v1 import fleet_pb2
from tests.integration.control.kit import Proxy, Stubs, event, until
from tests.kit.processes import PATIENCE_S, READY_LIMIT_S

pytestmark = pytest.mark.integration

ROOT = Path(__file__).resolve().parents[3]
KEEPS_ALL = ("--grpc", "127.0.0.1:0", "--http", "127.0.0.1:0", "--group-rate", "0")
"""On free ports, and of what is alike everything is stored, however quick the store is."""


class Process:
    """`python -m seawall_control` on free ports, or another `program`."""

    def __init__(
        self,
        data_dir: Path,
        *more: str,
        program: tuple[str, ...] = ("-m", "seawall_control"),
        env: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        path = os.pathsep.join(str(ROOT / part) for part in ("proxy", "control", "clients/python"))
        self._command = [
            sys.executable,
            *program,
            "--data-dir",
            str(data_dir),
            "--log",
            "json",
        ]
        self._command += more or ("--grpc", "127.0.0.1:0", "--http", "127.0.0.1:0")
        self._environment = {**os.environ, "PYTHONPATH": path, **env}
        self.lines: list[str] = []
        self.addresses: dict[str, str] = {}

    async def start(self) -> Process:
        """Start and wait until it is ready or has ended."""
        self.process = await asyncio.create_subprocess_exec(
            *self._command, env=self._environment, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL
        )
        assert self.process.stderr is not None
        async with asyncio.timeout(READY_LIMIT_S):
            while line := (await self.process.stderr.readline()).decode():
                self.lines.append(line)
                said = json.loads(line) if line.startswith("{") else {}
                if said.get("event") == "ready":
                    self.addresses = said
                    break
        self._drain = asyncio.ensure_future(self._read_on())
        return self

    async def _read_on(self) -> None:
        assert self.process.stderr is not None
        while line := (await self.process.stderr.readline()).decode():
            self.lines.append(line)

    @property
    def log(self) -> str:
        return "".join(self.lines)

    async def end(self, number: int | None = None) -> int:
        """Send a signal, if any, and return the exit code."""
        if number is not None:
            self.process.send_signal(number)
        async with asyncio.timeout(PATIENCE_S):
            code = await self.process.wait()
            await self._drain
        return code


@pytest.fixture
async def processes() -> AsyncIterator[list[Process]]:
    """Processes of a test, killed at its end."""
    started: list[Process] = []
    yield started
    for process in started:
        if process.process.returncode is None:
            await process.end(signal.SIGKILL)


async def test_kill_9_loses_no_acknowledged_event_and_repeats_none(
    tmp_path: Path, processes: list[Process]
) -> None:
    """Killed in the middle of a stream of batches, several times: what was acknowledged is there, nothing is
    there twice.
    """
    next_seq, acked = 1, 0
    for round_number in range(4):
        process = await Process(tmp_path / "data", *KEEPS_ALL).start()
        processes.append(process)
        async with grpc.aio.insecure_channel(process.addresses["grpc"]) as channel:
            stubs = Stubs(channel)
            proxy = Proxy(stubs, "p1", boot_id=f"boot-{round_number}")
            await proxy.hello()
            # As a proxy does: from the lowest number without an acknowledgement, many batches under way.
            next_seq = acked + 1

            async def send(proxy: Proxy = proxy) -> None:
                nonlocal next_seq
                try:
                    while True:
                        await proxy.send("s", *((i, event(i)) for i in range(next_seq, next_seq + 20)))
                        next_seq += 20
                except (grpc.aio.AioRpcError, asyncio.InvalidStateError, asyncio.CancelledError):
                    return

            sending = asyncio.ensure_future(send())
            for _ in range(3 + round_number):
                acked = (await proxy.hear("event_ack")).event_ack.through_seq
            process.process.send_signal(signal.SIGKILL)
            while True:
                try:
                    message = await proxy.call.read()
                except grpc.aio.AioRpcError:
                    break
                if message is grpc.aio.EOF:
                    break
                # An acknowledgement that was on its way counts as well.
                acked = max(acked, message.event_ack.through_seq)
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)
            assert await process.end() == -signal.SIGKILL
    assert acked > 100
    with sqlite3.connect(tmp_path / "data" / "control.db") as db:
        assert db.execute("PRAGMA quick_check").fetchall() == [("ok",)]
        seqs = [row[0] for row in db.execute("SELECT seq FROM events WHERE seq IS NOT NULL ORDER BY seq")]
        ids = [row[0] for row in db.execute("SELECT id FROM events WHERE seq IS NOT NULL ORDER BY seq")]
        counted = db.execute("SELECT sum(events) FROM event_counts").fetchone()[0]
        told = db.execute("SELECT count(*) FROM events WHERE seq IS NULL").fetchone()[0]  # restarts
    db.close()
    assert seqs == list(range(1, len(seqs) + 1)) and len(seqs) >= acked
    assert ids == [event(i).id for i in seqs]
    assert counted == len(seqs) + told


async def test_second_control_plane_on_one_directory_is_refused(
    tmp_path: Path, processes: list[Process]
) -> None:
    """The second process ends at once, with exit code 2 and a message that names the first; the first lives
    on.
    """
    first = await Process(tmp_path / "data").start()
    second = await Process(tmp_path / "data").start()
    processes += [first, second]
    assert await second.end() == 2
    assert f"in use by another control plane (process {first.process.pid})" in second.log
    assert first.process.returncode is None
    # The lock is the kernel's, so a killed process does not leave it behind.
    await first.end(signal.SIGKILL)
    third = await Process(tmp_path / "data").start()
    processes.append(third)
    assert third.addresses
    assert await third.end(signal.SIGTERM) == 0


@pytest.mark.parametrize("program", [("-m", "seawall_control"), ("-m", "seawall", "control")])
async def test_taken_address_is_named(
    tmp_path: Path, processes: list[Process], program: tuple[str, ...]
) -> None:
    """A port that somebody else has is exit code 2 and a message, for both listeners; every line of the log
    is JSON, whoever has something to say.
    """
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        for option in ("--grpc", "--http"):
            other = "--http" if option == "--grpc" else "--grpc"
            process = await Process(
                tmp_path / "data", option, address, other, "127.0.0.1:0", program=program
            ).start()
            processes.append(process)
            assert await process.end() == 2
            assert address in process.log
            assert [line for line in process.lines if not line.startswith("{")] == []


async def test_signals_that_mean_nothing_end_nothing(tmp_path: Path, processes: list[Process]) -> None:
    """Rotation of logs sends SIGHUP, and a script that hands proxies over may reach us with SIGUSR2."""
    process = await Process(tmp_path / "data").start()
    processes.append(process)
    for number in (signal.SIGHUP, signal.SIGUSR2):
        process.process.send_signal(number)
    async with asyncio.timeout(PATIENCE_S):
        while process.log.count("nothing to read again") < 2:  # noqa: ASYNC110 - lines of a pipe
            await asyncio.sleep(0.02)
    async with grpc.aio.insecure_channel(process.addresses["grpc"]) as channel:
        await Stubs(channel).events.GetEventStats(events_pb.GetEventStatsRequest())
    assert await process.end(signal.SIGTERM) == 0


async def test_sigterm_drains_and_stores_what_was_sent(tmp_path: Path, processes: list[Process]) -> None:
    """SIGTERM ends streams as UNAVAILABLE, leaves a checkpointed file without a log, private to its owner,
    exit code 0.
    """
    process = await Process(tmp_path / "data", *KEEPS_ALL).start()
    processes.append(process)
    async with grpc.aio.insecure_channel(process.addresses["grpc"]) as channel:
        stubs = Stubs(channel)
        proxy = Proxy(stubs, "p1")
        await proxy.hello()
        await stubs.events.ReportEvents(events_pb.ReportEventsRequest(events=[event(i) for i in range(100)]))
        process.process.send_signal(signal.SIGTERM)
        assert await proxy.end() is grpc.StatusCode.UNAVAILABLE
        assert await process.end() == 0
    assert sorted(p.name for p in (tmp_path / "data").iterdir()) == [
        "authority",
        "control.db",
        "control.lock",
    ]
    assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "data" / "control.db").stat().st_mode) == 0o600
    with sqlite3.connect(tmp_path / "data" / "control.db") as db:
        kinds = "SELECT component, count(*) FROM events GROUP BY 1"
        assert dict(db.execute(kinds).fetchall()) == {"control": 1, "route/all": 100}
    db.close()


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of a few MiB."""
    target = tmp_path / "disk"
    target.mkdir()
    try:
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(target)],
            check=True,
            capture_output=True,
            timeout=30,
        )
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"a tmpfs cannot be mounted here (needs root): {error}")
    yield target
    subprocess.run(["umount", "-l", str(target)], check=True, timeout=30)


async def test_idle_tls_connections_do_not_hold_up_the_end(tmp_path: Path, processes: list[Process]) -> None:
    """A client that has a connection in its pool hears no good-bye, and answers none."""
    process = await Process(
        tmp_path / "data", "--grpc", "127.0.0.1:0", "--http", "127.0.0.1:0", "--tls"
    ).start()
    processes.append(process)
    trust = ssl.create_default_context(cafile=str(tmp_path / "data" / "authority" / "trusted.pem"))
    host, _, port = process.addresses["http"].rpartition(":")

    def asked() -> socket.socket:
        plain = socket.create_connection((host, int(port)), PATIENCE_S)
        pooled = trust.wrap_socket(plain, server_hostname=host)
        pooled.sendall(b"GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n")
        assert pooled.recv(8) == b"HTTP/1.1"
        return pooled

    pool = [await asyncio.to_thread(asked) for _ in range(3)]
    assert await process.end(signal.SIGTERM) == 0
    assert "graceful shutdown exceeded" not in process.log
    for pooled in pool:
        pooled.close()


async def test_full_disk_stops_acknowledgements_and_resumes(
    tiny_disk: Path, processes: list[Process]
) -> None:
    """With a full disk nothing is acknowledged and callers are told; with room again everything waiting is
    stored, once.
    """
    process = await Process(tiny_disk / "data", *KEEPS_ALL).start()
    processes.append(process)
    ballast = tiny_disk / "ballast"
    async with grpc.aio.insecure_channel(process.addresses["grpc"]) as channel:
        stubs = Stubs(channel)
        proxy = Proxy(stubs, "p1")
        await proxy.hello()
        await proxy.send("s", *((i, event(i)) for i in range(1, 11)))
        assert (await proxy.hear("event_ack")).event_ack.through_seq == 10
        with ballast.open("wb", buffering=0) as file:
            try:
                while True:
                    file.write(b"x" * 4096)
            except OSError:
                pass
        refused = await _fill(stubs)
        assert refused.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert dict(refused.trailing_metadata())["grpc-retry-pushback-ms"] == "5000"
        await proxy.send("s", *((i, event(i)) for i in range(11, 200)))
        reading = asyncio.ensure_future(proxy.hear("event_ack"))
        done, _ = await asyncio.wait([reading], timeout=1.0)
        assert not done, "acknowledged without room to store"
        listed = await stubs.events.ListEvents(events_pb.ListEventsRequest(filter="proxy = p1"))
        assert len(listed.events) == 10, "readers go on"
        ballast.unlink()
        ack: fleet_pb2.ConnectResponse = await reading
        assert ack.event_ack.through_seq == 199

        async def takes() -> bool:
            try:
                await stubs.events.ReportEvents(events_pb.ReportEventsRequest(events=[event(900_000)]))
            except grpc.aio.AioRpcError:
                return False
            return True

        await until(takes, what="changes are taken again")
        found = await stubs.events.ListEvents(
            events_pb.ListEventsRequest(filter="proxy = p1", page_size=1000)
        )
        assert len(found.events) == 199
    assert await process.end(signal.SIGTERM) == 0


async def _fill(stubs: Stubs) -> grpc.aio.AioRpcError:
    """Report events until one is refused."""
    number = 1_000_000
    async with asyncio.timeout(PATIENCE_S):
        while True:
            batch = [event(number + i) for i in range(100)]
            for item in batch:
                item.message = "x" * 1000
            try:
                await stubs.events.ReportEvents(events_pb.ReportEventsRequest(events=batch))
            except grpc.aio.AioRpcError as error:
                return error
            number += 100
