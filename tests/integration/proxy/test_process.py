"""The proxy as a process: start, reload, drain, bad input, admin."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import subprocess
import sys

import grpc
import pytest
import yaml

from tests.kit.processes import PATIENCE_S, ROOT, environment, http_get, wait_until
from tests.kit.rpc import stream_stream, unary_unary
from tests.kit.stand import Stand

pytestmark = pytest.mark.integration


def one_route(address: str, timeout: str = "5s") -> dict[str, object]:
    """Return a document with one route."""
    return {
        "clusters": [{"name": "up", "endpoints": [address]}],
        "policies": {"p": {"timeout": timeout}},
        "routes": [{"name": "all", "match": {}, "cluster": "up", "policy": "p"}],
    }


def test_a_policy_file_with_mistakes_names_each_place(stand: Stand) -> None:
    """A proxy that is given a bad file ends with 1 and names every mistake with file, line, column and a
    suggestion.
    """
    path = stand.folder / "bad.yaml"
    path.write_text(
        "version: v1\n"
        "listeners: [{name: main, address: 127.0.0.1:0}]\n"
        "clusters:\n"
        "  - {name: up, endpoints: [127.0.0.1:50051], balence: round_robin}\n"
        "policies:\n"
        "  p:\n"
        "    timeout: 5\n"
        "    retry: {max_attempts: 3, codes: [UNAVAILABL]}\n"
        "routes:\n"
        "  - {name: all, match: {}, cluster: upp, policy: p}\n"
    )
    arguments = [
        sys.executable,
        "-m",
        "seawall_proxy",
        "--config",
        str(path),
        "--data-dir",
        str(stand.folder),
    ]
    done = subprocess.run(
        arguments, cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1
    for place, words in (
        ("bad.yaml:4:", "balance"),
        ("bad.yaml:7:", "5s"),
        ("bad.yaml:8:", "UNAVAILABLE"),
        ("bad.yaml:10:", "up"),
    ):
        lines = [line for line in done.stderr.splitlines() if place in line and ": error " in line]
        assert any(words in line for line in lines), done.stderr


def test_a_taken_port_is_said(stand: Stand) -> None:
    """A listener whose port is taken ends the start with 1 and says which address."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        config = stand.policy(one_route("127.0.0.1:1"))
        arguments = [
            sys.executable,
            "-m",
            "seawall_proxy",
            "--config",
            str(config),
            "--listen",
            f"127.0.0.1:{port}",
        ]
        arguments += ["--data-dir", str(stand.folder)]
        done = subprocess.run(
            arguments, cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=60, check=False
        )
    assert done.returncode == 1
    assert f"cannot listen on 127.0.0.1:{port}" in done.stderr


async def test_reload_on_change_and_last_good_on_mistakes(stand: Stand) -> None:
    """A changed file takes effect; a broken one changes nothing and is reported; SIGHUP reads it at once."""
    _, address = stand.upstream()
    config = stand.policy(one_route(address, "30s"))
    proxy = stand.proxy(config)
    before = proxy.status()["policy"]["hash"]
    document = yaml.safe_load(config.read_text())
    document["policies"]["p"]["timeout"] = "2s"
    config.write_text(yaml.safe_dump(document))
    wait_until(lambda: proxy.status()["policy"]["hash"] != before, "the change is noticed")
    async with grpc.aio.insecure_channel(proxy.address) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await unary_unary(channel, "/any.Service/Unary")(b"", metadata=(("sleep", "60"),))
        assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        good = proxy.status()["policy"]["hash"]
        config.write_text(config.read_text().replace("2s", "soon"))
        proxy.child.process.send_signal(signal.SIGHUP)
        wait_until(lambda: proxy.status()["policy"]["refused"], "the refusal is reported")
        assert proxy.status()["policy"]["hash"] == good
        assert await unary_unary(channel, "/any.Service/Unary")(b"x", timeout=PATIENCE_S) == b"x"
    document["listeners"] = [{"name": "elsewhere", "address": "127.0.0.1:1"}]
    config.write_text(yaml.safe_dump(document))
    proxy.child.process.send_signal(signal.SIGHUP)
    proxy.child.wait_for_log("listeners changed in the file; that takes effect at the next start")


async def test_sigterm_lets_calls_finish(stand: Stand) -> None:
    """On SIGTERM calls in flight end well, then the process ends with 0; readiness goes first."""
    _, address = stand.upstream()
    proxy = stand.proxy(stand.policy(one_route(address, "20s")), "--drain-grace", "1")
    async with grpc.aio.insecure_channel(proxy.address) as channel:
        slow = unary_unary(channel, "/any.Service/Unary")(b"slow", metadata=(("sleep", "5"),))
        chat = stream_stream(channel, "/any.Service/Chat")()
        await chat.write(b"one")
        assert await chat.read() == b"one"
        await asyncio.to_thread(
            wait_until, lambda: proxy.status()["clusters"]["up"]["in_flight"] == 2, "both are under way"
        )
        proxy.child.process.send_signal(signal.SIGTERM)
        await asyncio.to_thread(
            wait_until, lambda: http_get(proxy.admin, "/ready")[0] == 503, "readiness goes first"
        )
        assert await slow == b"slow"
        await chat.write(b"two")
        assert await chat.read() == b"two"
        await chat.done_writing()
        assert await chat.code() == grpc.StatusCode.OK
    assert await asyncio.to_thread(proxy.child.process.wait, PATIENCE_S) == 0


async def test_restart_under_load_fails_no_call(stand: Stand) -> None:
    """Clients that follow GOAWAY see no failure when one proxy drains and another one takes the calls."""
    _, address = stand.upstream()
    config = stand.policy(one_route(address, "20s"))
    first = stand.proxy(config, "--drain-grace", "1", data="first")
    second = stand.proxy(config, data="second")
    target = f"ipv4:{first.address},{second.address}"
    failures: list[str] = []
    done = 0
    async with grpc.aio.insecure_channel(target) as channel:
        unary = unary_unary(channel, "/any.Service/Unary")
        stopped, left = False, 600
        while left:
            try:
                await unary(b"x", timeout=PATIENCE_S)
                done += 1
            except grpc.aio.AioRpcError as error:
                failures.append(f"{error.code().name}: {error.details()}")
            if not stopped and done > 200:
                first.child.process.send_signal(signal.SIGTERM)
                stopped = True
            # On for some time after it has gone.
            left -= stopped and first.child.process.poll() is not None
            await asyncio.sleep(0.002)
    assert failures == []


async def test_a_malformed_connection_disturbs_nobody(stand: Stand) -> None:
    """Garbage, HTTP/1.1 and broken frames end their own connection; calls on others go on."""
    _, address = stand.upstream()
    proxy = stand.proxy(stand.policy(one_route(address)))
    host, _, port = proxy.address.rpartition(":")
    bad = [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\x00" * 100,
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\x00\x00\x01\x04\x00\x00\x00\x00\x00\x00",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\xff\xff\xff\x00\x00\x00\x00\x00\x01" + b"x" * 100,
    ]
    async with grpc.aio.insecure_channel(proxy.address) as channel:
        unary = unary_unary(channel, "/any.Service/Unary")
        for payload in bad:
            reader, writer = await asyncio.open_connection(host, int(port))
            writer.write(payload)
            await writer.drain()
            async with asyncio.timeout(PATIENCE_S):
                while await reader.read(65536):
                    pass
            writer.close()
            assert await unary(b"fine", timeout=PATIENCE_S) == b"fine"


async def test_admin_pages(stand: Stand) -> None:
    """Health, readiness, metrics and status answer, and count what was called."""
    _, address = stand.upstream()
    proxy = stand.proxy(stand.policy(one_route(address)))
    async with grpc.aio.insecure_channel(proxy.address) as channel:
        for _ in range(3):
            await unary_unary(channel, "/any.Service/Unary")(b"", timeout=PATIENCE_S)
        with pytest.raises(grpc.aio.AioRpcError):
            await unary_unary(channel, "/any.Service/Unary")(
                b"", timeout=PATIENCE_S, metadata=(("fail", "13"),)
            )
    assert http_get(proxy.admin, "/health")[0] == 200
    assert http_get(proxy.admin, "/ready")[0] == 200
    assert http_get(proxy.admin, "/nothing")[0] == 404
    status = proxy.status()
    assert status["policy"]["source"] == "file"
    assert (status["routes"][0]["calls"], status["routes"][0]["ok"]) == (4, 3)
    code, text = http_get(proxy.admin, "/metrics")
    assert code == 200
    assert 'route="all"' in text
    received = next(line for line in text.splitlines() if line.startswith("seawall_received_bytes_total "))
    assert int(received.split()[1]) > 100, "counted while the connection is open"

    def recorded() -> bool:
        code, events = http_get(proxy.admin, "/events")
        assert code == 200
        return any(event.get("code") == "INTERNAL" for event in json.loads(events)["events"])

    wait_until(recorded, "the failed call is among the recent events")
