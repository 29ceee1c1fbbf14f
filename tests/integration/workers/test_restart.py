"""A new generation takes over from the old one while clients call."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys

import psutil
import pytest

from tests.integration.workers.load import Load
from tests.kit.processes import PATIENCE_S, ROOT, environment, http_get, wait_until
from tests.kit.stand import Proxy, Stand

pytestmark = pytest.mark.integration


def one_route(address: str) -> dict[str, object]:
    """Return a document with one route."""
    return {
        "clusters": [{"name": "up", "endpoints": [address]}],
        "routes": [{"name": "all", "match": {}, "cluster": "up"}],
    }


def alive(pid: int) -> bool:
    """Tell whether a process is running; an ended one that nobody waited for is not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def wait_for_end(pid: int) -> None:
    """Wait until a process has ended."""
    wait_until(lambda: not alive(pid), f"process {pid} ends")


def end_all(proxy: Proxy) -> None:
    """End every generation and its workers."""
    for pid in proxy.generations():
        if alive(pid):
            family = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
            for process in family:
                process.kill()


@pytest.mark.parametrize("workers", ["1", "2"])
async def test_three_restarts_under_load_fail_no_call(stand: Stand, workers: str) -> None:
    """Clients on a dozen channels call without a pause while SIGUSR2 replaces the proxy three times: no call
    fails, and each old generation ends by itself with everything that it had.
    """
    _, address = stand.upstream()
    proxy = stand.proxy(
        stand.policy(one_route(address)), "--workers", workers, "--drain-grace", "0.3", "--drain-limit", "10"
    )
    try:
        async with Load(proxy.address, 12) as load:
            for turn in range(3):
                old = proxy.generations()[-1]
                os.kill(old, signal.SIGUSR2)
                await asyncio.to_thread(proxy.wait_for_generation, turn + 2)
                await load.calls(24)
                await asyncio.to_thread(wait_for_end, old)
            await load.calls(24)
        assert load.failures == []
        newest = proxy.generations()[-1]
        status = json.loads((await asyncio.to_thread(http_get, proxy.admin, "/status"))[1])
        assert status["listeners"] == [proxy.address]
        os.kill(newest, signal.SIGTERM)
        await asyncio.to_thread(wait_for_end, newest)
    finally:
        end_all(proxy)


async def test_a_stop_during_a_handover_stops_both(stand: Stand) -> None:
    """Whoever stops the proxy while its successor is starting finds no proxy afterwards."""
    _, address = stand.upstream()
    proxy = stand.proxy(stand.policy(one_route(address)), "--drain-grace", "0.1")
    old = proxy.child.process
    os.kill(old.pid, signal.SIGUSR2)
    await asyncio.to_thread(proxy.child.wait_for_log, "is to take over")
    (successor,) = psutil.Process(old.pid).children()
    os.kill(old.pid, signal.SIGTERM)
    try:
        assert await asyncio.to_thread(old.wait, PATIENCE_S) == 0
        await asyncio.to_thread(wait_for_end, successor.pid)
        assert proxy.generations() == [old.pid]
    finally:
        if alive(successor.pid):
            successor.kill()
        end_all(proxy)


async def test_a_new_process_that_does_not_start_changes_nothing(stand: Stand) -> None:
    """When the new generation ends before it is ready the old one serves on, and a later SIGUSR2 works."""
    _, address = stand.upstream()
    config = stand.policy(one_route(address))
    proxy = stand.proxy(config, "--drain-grace", "0.2")
    good = config.read_text()
    config.write_text(good + "nonsense: true\n")
    os.kill(proxy.child.process.pid, signal.SIGUSR2)
    try:
        async with Load(proxy.address, 4) as load:
            await asyncio.to_thread(proxy.child.wait_for_log, "this one serves on")
            assert (await asyncio.to_thread(http_get, proxy.admin, "/ready"))[0] == 200
            await load.calls(8)
            config.write_text(good)
            os.kill(proxy.child.process.pid, signal.SIGUSR2)
            assert await asyncio.to_thread(proxy.child.process.wait, 2 * PATIENCE_S) == 0
            await load.calls(8)
        assert load.failures == []
        assert len(proxy.generations()) == 2
    finally:
        end_all(proxy)


ACTIVATED = """
import os, runpy, sys
os.dup2(int(sys.argv.pop(1)), 3)
os.environ["LISTEN_PID"] = str(os.getpid())
runpy.run_module("seawall_proxy", run_name="__main__", alter_sys=True)
"""


@pytest.mark.parametrize("workers", ["1", "2"])
async def test_systemd_hands_in_the_socket_and_is_told(stand: Stand, workers: str) -> None:
    """A proxy under socket activation serves on the socket that it was given, also connections that came
    before it, binds nothing itself, and tells the manager when it is ready, reloads and stops.
    """
    _, address = stand.upstream()
    document = {**one_route(address), "listeners": [{"name": "main", "address": "127.0.0.1:1"}]}
    said = stand.folder / "notify"
    with (
        socket.socket() as listening,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager,
        socket.socket() as early,
    ):
        listening.bind(("127.0.0.1", 0))
        listening.listen(64)
        manager.bind(str(said))
        manager.settimeout(2 * PATIENCE_S)
        early.connect(listening.getsockname())
        early.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0]))
        command = [
            sys.executable,
            "-c",
            ACTIVATED,
            str(listening.fileno()),
            "--config",
            str(stand.policy(document)),
        ]
        command += ["--data-dir", str(stand.folder / "data"), "--workers", workers, "--drain-grace", "0.1"]
        variables = {"LISTEN_FDS": "1", "LISTEN_FDNAMES": "main", "NOTIFY_SOCKET": str(said)}
        child = await asyncio.to_thread(
            subprocess.Popen,
            command,
            cwd=ROOT,
            env={**environment(), **variables},
            pass_fds=[listening.fileno()],
            stderr=subprocess.DEVNULL,
        )
        try:
            ready = (await asyncio.to_thread(manager.recv, 4096)).decode()
            assert "READY=1" in ready.splitlines()
            assert f"MAINPID={child.pid}" in ready
            early.settimeout(PATIENCE_S)
            assert len(await asyncio.to_thread(early.recv, 9)) == 9
            async with Load(f"127.0.0.1:{listening.getsockname()[1]}", 2) as load:
                child.send_signal(signal.SIGHUP)
                assert (await asyncio.to_thread(manager.recv, 4096)).startswith(
                    b"RELOADING=1\nMONOTONIC_USEC="
                )
                assert await asyncio.to_thread(manager.recv, 4096) == b"READY=1"
            assert load.failures == []
            child.send_signal(signal.SIGTERM)
            assert await asyncio.to_thread(manager.recv, 4096) == b"STOPPING=1"
            assert await asyncio.to_thread(child.wait, PATIENCE_S) == 0
        finally:
            child.kill()
            child.wait()
