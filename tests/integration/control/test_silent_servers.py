"""Servers that say nothing, of as many channels as there may be, hold up nobody else."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest

from seawall.v1 import admin_alerts_pb2 as pb
from tests.integration.control.kit import Stubs, until
from tests.integration.control.test_process import Process
from tests.kit import preloading
from tests.kit.processes import PATIENCE_S, ROOT
from tests.kit.receivers import WebReceiver

pytestmark = pytest.mark.integration

MANY = 34
"""Channels: more than asyncio has threads for everybody on the largest machine."""


@pytest.fixture
async def process(tmp_path: Path) -> AsyncIterator[Process]:
    """A control plane in whose world the names below `silent.test` have no server."""
    library = preloading.built(ROOT / "tests" / "kit" / "silent_names.c", tmp_path)
    networks = ("--alert-allow-net", "127.0.0.0/8", "--alert-allow-net", "::1/128")
    process = await Process(
        tmp_path / "control", "--grpc", "127.0.0.1:0", "--http", "127.0.0.1:0", *networks,
        env={"LD_PRELOAD": str(library)},
    ).start()  # fmt: skip
    yield process
    if process.process.returncode is None:
        await process.end(signal.SIGKILL)


def webhook(name: str, url: str) -> pb.Channel:
    """Return a channel with the longest time there is."""
    channel = pb.Channel(name=name, webhook=pb.WebhookSettings(url=url, secret="s" * 16))
    channel.timeout.FromSeconds(60)
    return channel


def mail(name: str, port: int) -> pb.Channel:
    """Return a channel of mail, likewise."""
    channel = pb.Channel(
        name=name,
        email=pb.EmailSettings(
            host="127.0.0.1",
            port=port,
            security=pb.SMTP_SECURITY_NONE,
            to=["a@example.com"],
            **{"from": "seawall@example.com"},
        ),
    )
    channel.timeout.FromSeconds(60)
    return channel


async def test_a_name_that_nobody_answers_for(process: Process) -> None:
    """Other names are looked up meanwhile, and the process ends when it is told to."""
    async with WebReceiver() as receiver, grpc.aio.insecure_channel(process.addresses["grpc"]) as channel:
        stubs = Stubs(channel)
        wanted = [webhook(f"silent-{number}", f"https://{number}.silent.test/") for number in range(4)]
        wanted.append(webhook("good", receiver.url.replace("127.0.0.1", "localhost")))
        for one in wanted:
            await stubs.alerts.CreateChannel(pb.CreateChannelRequest(channel=one))
        waiting = [
            asyncio.ensure_future(stubs.alerts.TestChannel(pb.TestChannelRequest(name=one.name)))
            for one in wanted
        ]
        *silent, good = waiting
        async with asyncio.timeout(PATIENCE_S):
            assert (await good).ok
        assert not any(one.done() for one in silent)
        code = await process.end(signal.SIGTERM)
        await asyncio.gather(*silent, return_exceptions=True)
    assert code == 0


async def test_mail_servers_that_say_nothing(process: Process) -> None:
    """All of them are asked at once, and callers who come then are served."""
    left = asyncio.Event()
    came = 0

    async def silent(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal came
        came += 1
        await left.wait()
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with grpc.aio.insecure_channel(process.addresses["grpc"]) as channel:
        stubs = Stubs(channel)
        names = [f"mail-{number}" for number in range(MANY)]
        for name in names:
            await stubs.alerts.CreateChannel(pb.CreateChannelRequest(channel=mail(name, port)))
        waiting = [
            asyncio.ensure_future(stubs.alerts.TestChannel(pb.TestChannelRequest(name=name)))
            for name in names
        ]

        async def all_came() -> bool:
            return came == MANY

        await until(all_came, what="all connections to the mail server")
        # Who is behind a new connection is looked up in a thread that everybody shares.
        options = [("grpc.use_local_subchannel_pool", 1)]
        async with grpc.aio.insecure_channel(process.addresses["grpc"], options=options) as other:
            await Stubs(other).alerts.ListChannels(pb.ListChannelsRequest(), timeout=PATIENCE_S / 2)
        assert not any(one.done() for one in waiting)
        left.set()
        with contextlib.suppress(grpc.aio.AioRpcError):
            await asyncio.gather(*waiting)
    server.close()
