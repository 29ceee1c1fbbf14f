"""Secrets of channels as they are on the disk, without their key, and with another one."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest

from seawall.v1 import admin_access_pb2, admin_access_pb2_grpc
from seawall.v1 import admin_alerts_pb2 as pb
from seawall_control.access import AccessSettings
from seawall_control.domain.alerts import codec
from seawall_control.domain.alerts.channels import Channel, ChannelKind
from seawall_control.domain.records import Put
from seawall_control.server import ControlPlane, ControlSettings
from seawall_control.services.alerting.channels.addresses import parse_networks
from seawall_control.store.sqlite import open_store
from tests.integration.control.kit import Stubs
from tests.kit.processes import PATIENCE_S
from tests.kit.receivers import WebReceiver

pytestmark = pytest.mark.integration

SECRET = "canary-of-the-webhook-0123456789"
SLACK = "https://hooks.slack.com/services/T00/B00/canary-of-slack"
PASSWORD = "canary-of-mail"


@asynccontextmanager
async def started(folder: Path, key_file: Path | None = None) -> AsyncIterator[tuple[ControlPlane, Stubs]]:
    """Run a control plane on a folder."""
    settings = ControlSettings(
        data_dir=folder,
        grpc_address="127.0.0.1:0",
        http_address="127.0.0.1:0",
        grace_s=1.0,
        alert_networks=parse_networks(["127.0.0.0/8"]),
        access=AccessSettings(key_file=key_file),
    )
    store = await open_store(folder)
    plane = ControlPlane(settings, store)
    await plane.start()
    try:
        async with grpc.aio.insecure_channel(plane.addresses.grpc) as channel:
            yield plane, Stubs(channel)
    finally:
        await plane.stop()
        await store.aclose()


async def soon(holds: Callable[[], Awaitable[bool]]) -> None:
    """Wait until it does."""
    async with asyncio.timeout(PATIENCE_S):
        while not await holds():  # noqa: ASYNC110 - what goes on tells nobody
            await asyncio.sleep(0.05)


def webhook(url: str, name: str = "hook") -> pb.Channel:
    """Return a signed channel."""
    return pb.Channel(name=name, webhook=pb.WebhookSettings(url=url, secret=SECRET))


async def shown(stubs: Stubs, name: str) -> pb.Channel:
    """Return a channel as it is shown."""
    found: pb.Channel = (await stubs.alerts.GetChannel(pb.GetChannelRequest(name=name))).channel
    return found


async def works(stubs: Stubs, name: str) -> str:
    """Send a test message; return what went wrong."""
    answer = await stubs.alerts.TestChannel(pb.TestChannelRequest(name=name))
    return str(answer.error)


def on_disk(folder: Path) -> bytes:
    """Return everything that the store has written."""
    return b"".join(path.read_bytes() for path in sorted(folder.glob("control.db*")))


async def test_no_secret_is_on_the_disk(tmp_path: Path) -> None:
    """Neither of a webhook, nor of Slack, nor of mail; and the channel works, after a restart too."""
    folder = tmp_path / "control"
    async with WebReceiver() as receiver, started(folder) as (_, stubs):
        mail = pb.EmailSettings(host="mail.example.org", user="u", password=PASSWORD, to=["a@example.org"])
        setattr(mail, "from", "s@example.org")
        for channel in (
            webhook(receiver.url),
            pb.Channel(name="slack", slack=pb.SlackSettings(url=SLACK)),
            pb.Channel(name="mail", email=mail),
        ):
            await stubs.alerts.CreateChannel(pb.CreateChannelRequest(channel=channel))
        assert await works(stubs, "hook") == ""
    raw = on_disk(folder)
    assert b"mail.example.org" in raw, "the rest is in the clear, and the file is the right one"
    for secret in (SECRET, "canary-of-slack", PASSWORD):
        assert secret.encode() not in raw
    async with WebReceiver() as receiver, started(folder) as (_, stubs):
        changed = webhook(receiver.url)
        changed.webhook.secret = "***"
        await stubs.alerts.UpdateChannel(pb.UpdateChannelRequest(channel=changed))
        assert await works(stubs, "hook") == ""
        assert receiver.posts[0].headers["webhook-signature"]


async def test_without_the_key_nothing_is_sent_and_nothing_is_lost(tmp_path: Path) -> None:
    """The start says so, the channel says so, messages wait; with the file back all is as it was."""
    folder, keys = tmp_path / "control", tmp_path / "elsewhere" / "keys"
    async with WebReceiver() as receiver:
        async with started(folder, keys) as (_, stubs):
            await stubs.alerts.CreateChannel(pb.CreateChannelRequest(channel=webhook(receiver.url)))
        kept = keys.read_bytes()
        keys.unlink()
        async with started(folder, keys) as (plane, stubs):
            channel = await shown(stubs, "hook")
            assert "restore that file" in channel.unusable and channel.webhook.secret == "***"
            assert "restore that file" in await works(stubs, "hook")
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await stubs.alerts.UpdateChannel(pb.UpdateChannelRequest(channel=channel))
            assert caught.value.code() is grpc.StatusCode.FAILED_PRECONDITION
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await stubs.alerts.CreateChannel(
                    pb.CreateChannelRequest(channel=webhook(receiver.url, "second"))
                )
            assert "the store was written with key" in str(caught.value.details())
            assert not receiver.posts
            assert "which is not here" in (await plane.access.audit.verify()).problem
            keys.write_bytes(kept)

            async def usable() -> bool:
                return not (await shown(stubs, "hook")).unusable

            await soon(usable)
            assert "has no seal" in (await plane.access.audit.verify()).problem
            assert await works(stubs, "hook") == ""
    assert len(receiver.posts) == 1


async def test_secrets_of_an_older_version_are_encrypted_at_the_start(tmp_path: Path) -> None:
    """They were kept in the clear."""
    folder = tmp_path / "control"
    async with WebReceiver() as receiver:
        store = await open_store(folder)
        old = Channel(name="hook", kind=ChannelKind.WEBHOOK, url=receiver.url, secret=SECRET)
        await store.commit([Put("alert-channel", "hook", codec.to_text(old))], at_us=1)
        await store.aclose()
        async with started(folder) as (plane, stubs):
            document = await plane.store.document("alert-channel", "hook")
            assert document is not None and document.version == 2
            assert SECRET not in document.body
            assert await works(stubs, "hook") == ""


async def test_a_rotation_encrypts_everything_anew(tmp_path: Path) -> None:
    """And is on record."""
    folder = tmp_path / "control"
    async with WebReceiver() as receiver, started(folder) as (plane, stubs):
        for name in ("a", "b"):
            await stubs.alerts.CreateChannel(pb.CreateChannelRequest(channel=webhook(receiver.url, name)))
        access: Any = admin_access_pb2_grpc.AccessServiceStub(stubs.channel)  # type: ignore[no-untyped-call]
        before = await access.ListKeys(admin_access_pb2.ListKeysRequest())
        done = await access.RotateKey(admin_access_pb2.RotateKeyRequest())
        assert done.resealed == 2
        after = await access.ListKeys(admin_access_pb2.ListKeysRequest())
        assert [key.name for key in after.keys if key.current] == [done.name]
        assert len(after.keys) == len(before.keys) + 1
        for name in ("a", "b"):
            document = await plane.store.document("alert-channel", name)
            assert document is not None and json.loads(document.body)["sealed"]["key"] == done.name
            assert await works(stubs, name) == ""
        found = await plane.access.audit.verify()
        assert found.problem == "" and found.sealed == found.entries
        methods = {
            json.loads(entry.body)["method"] for entry in await plane.access.audit.page(before=0, limit=9)
        }
        assert "/seawall.v1.AccessService/RotateKey" in methods
