"""A control plane in this process, on free ports and a real file."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest

from seawall_control.access import AccessSettings
from seawall_control.api.gate import GatePolicy
from seawall_control.domain.flood import Pressure
from seawall_control.domain.machine import Disk
from seawall_control.server import ControlPlane, ControlSettings
from seawall_control.services import machine
from seawall_control.services.alerting.channels.addresses import parse_networks
from seawall_control.store.opening import open_store
from tests.integration.control.kit import Stubs, running_plane, until
from tests.kit.postgres import PostgresServer


@pytest.fixture(autouse=True)
def quick_store(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the store for quick enough: a slow one keeps fewer events of a flood, and disks are shared."""
    monkeypatch.setattr(Pressure, "TARGET_S", 60.0)


@pytest.fixture(autouse=True)
def _roomy_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """How full the disk under the tests is is not their business; a built-in rule would tell of it."""
    monkeypatch.setattr(machine, "disk_at", lambda _: Disk(1 << 30, 99 << 30))


@pytest.fixture
async def plane(tmp_path: Path) -> AsyncIterator[ControlPlane]:
    """A running control plane."""
    async with running_plane(tmp_path, alert_networks=parse_networks(["127.0.0.0/8"])) as control:
        yield control


@pytest.fixture
async def strict(tmp_path: Path) -> AsyncIterator[ControlPlane]:
    """A running control plane that asks the local user for a credential, too."""
    async with running_plane(tmp_path, access=AccessSettings(gate=GatePolicy(local_user=False))) as control:
        yield control


@pytest.fixture
async def stubs(plane: ControlPlane) -> AsyncIterator[Stubs]:
    """Stubs on a channel to it."""
    async with grpc.aio.insecure_channel(plane.addresses.grpc) as channel:
        yield Stubs(channel)


@pytest.fixture
async def url(postgres_server: PostgresServer) -> str:
    """The URL of an empty database."""
    return postgres_server.url_of(await postgres_server.new_database())


@pytest.fixture
async def planes(url: str, tmp_path: Path) -> AsyncIterator[list[ControlPlane]]:
    """Two running control planes on one database; the first leads."""
    found = []
    for _ in range(2):
        settings = ControlSettings(
            data_dir=tmp_path,
            store_url=url,
            grpc_address="127.0.0.1:0",
            http_address="127.0.0.1:0",
            grace_s=1.0,
            alert_networks=parse_networks(["127.0.0.0/8"]),
        )
        plane = ControlPlane(settings, await open_store(settings.data_dir, settings.store_url))
        await plane.start()
        found.append(plane)
        await until(found[0].store.leads, what="the first leads")

    async def asks() -> bool:
        # What was counted before somebody asks the rules for the first time is not told.
        return found[0].alerting.evaluator._leading

    await until(asks, what="the first asks the rules of alerts")
    yield found
    for plane in found:
        await plane.stop()
        await plane.store.aclose()
