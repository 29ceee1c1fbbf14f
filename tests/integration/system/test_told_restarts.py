"""Restarts of proxies and of the control plane, as processes: what is stored of them, and who is told."""

from __future__ import annotations

import re
import signal
from pathlib import Path
from typing import Any

import grpc
import pytest

from seawall.client import AsyncSeawall
from seawall.v1 import admin_alerts_pb2, event_pb2
from tests.integration.control.kit import Stubs
from tests.integration.system.test_both_planes import document, following, until
from tests.kit.processes import PATIENCE_S, free_port
from tests.kit.stand import Control, Proxy, Stand

pytestmark = pytest.mark.integration

LOW, MEDIUM = event_pb2.SEVERITY_LOW, event_pb2.SEVERITY_MEDIUM


async def told(seawall: AsyncSeawall, error_type: str, number: int) -> list[event_pb2.ErrorEvent]:
    """Return the events of a type, the oldest first, once there are so many."""

    async def check() -> list[event_pb2.ErrorEvent] | None:
        found = [event async for event in seawall.events.list(filter=f"error_type = {error_type}")]
        return found[::-1] if len(found) >= number else None

    found: list[event_pb2.ErrorEvent] = await until(f"{number} of {error_type}", check)
    assert len(found) == number
    return found


async def connected(seawall: AsyncSeawall, node: str) -> Any:
    """Wait until a proxy is there."""

    async def check() -> bool:
        return any([proxy.connected async for proxy in seawall.operations.proxies() if proxy.node == node])

    return await until(f"{node} is connected", check)


async def raised(control: Control, rule: str) -> list[admin_alerts_pb2.Alert]:
    """Return the alerts of a rule, once there are some; those about restarts are over soon."""

    async def check() -> list[admin_alerts_pb2.Alert]:
        request = admin_alerts_pb2.ListAlertsRequest(rule=rule)
        async with grpc.aio.insecure_channel(control.grpc) as channel:
            return list((await Stubs(channel).alerts.ListAlerts(request)).alerts)

    found: list[admin_alerts_pb2.Alert] = await until(f"{rule} has fired", check)
    return found


def restarted(stand: Stand, control: Control, proxy: Proxy, config: Path, number: signal.Signals) -> Proxy:
    """End a proxy by a signal and start it again."""
    proxy.child.process.send_signal(number)
    proxy.child.process.wait(PATIENCE_S)
    return following(stand, control, config, "p1")


async def test_a_proxy_that_stops_dies_and_starts_again_and_again(stand: Stand) -> None:
    """A stop is told with its signal; a start with how the run before ended; the third is a loop."""
    _, address = stand.upstream()
    control = stand.control()
    config = stand.policy(document(address))
    proxy = following(stand, control, config, "p1")
    async with AsyncSeawall(control.grpc) as seawall:
        await connected(seawall, "p1")
        proxy = restarted(stand, control, proxy, config, signal.SIGTERM)
        (stop,) = await told(seawall, "proxy_stopped", 1)
        assert (stop.severity, stop.message, stop.proxy) == (LOW, "Proxy p1 stopped: SIGTERM", "p1")
        (start,) = await told(seawall, "proxy_restarted", 1)
        assert (start.severity, start.component) == (LOW, "proxy/p1")
        assert "it was stopped (SIGTERM)" in start.message
        assert start.details["ending"] == "clean"
        assert 0 < float(str(start.details["downtime_s"])) < 600
        (alert,) = await raised(control, "builtin/restart")
        assert alert.subject.proxy == "p1"

        proxy = restarted(stand, control, proxy, config, signal.SIGKILL)
        _, unclean = await told(seawall, "proxy_restarted", 2)
        assert (unclean.severity, unclean.details["ending"]) == (MEDIUM, "unclean")
        assert "ended without a word" in unclean.message
        await told(seawall, "proxy_stopped", 1)
        assert unclean.fingerprint == start.fingerprint

        restarted(stand, control, proxy, config, signal.SIGKILL)
        (loop,) = await raised(control, "builtin/restart-loop")
        assert (loop.severity, loop.subject.proxy) == (event_pb2.SEVERITY_HIGH, "p1")
        assert loop.summary == "3 times proxy_restarted in proxy/p1 within 15 min (allowed less than 3)"


async def test_a_control_plane_that_stops_and_dies(stand: Stand) -> None:
    """The next start says how the run before ended and for how long nobody was there; the first start ever
    says nothing. A proxy that only lost its control plane has not restarted.
    """
    _, address = stand.upstream()
    at = f"127.0.0.1:{free_port()}"
    control = stand.control(grpc=at)
    following(stand, control, stand.policy(document(address)), "p1")
    async with AsyncSeawall(at) as seawall:
        await connected(seawall, "p1")
        assert [event async for event in seawall.events.list()] == []
    assert control.child.terminate() == 0
    control = stand.control(grpc=at)
    async with AsyncSeawall(at) as seawall:
        (stop,) = await told(seawall, "control_plane_stopped", 1)
        assert (stop.severity, stop.message) == (LOW, "The control plane stopped: SIGTERM")
        (start,) = await told(seawall, "control_plane_started", 1)
        assert (start.severity, start.details["ending"]) == (LOW, "clean")
        assert (await raised(control, "builtin/restart"))[0].summary.startswith(
            "control_plane_started in control (low), away for "
        )
    control.child.kill()
    control = stand.control(grpc=at)
    async with AsyncSeawall(at) as seawall:
        _, start = await told(seawall, "control_plane_started", 2)
        assert (start.severity, start.details["ending"]) == (MEDIUM, "unclean")
        await connected(seawall, "p1")
        assert [event async for event in seawall.events.list(filter="error_type = proxy_restarted")] == []


async def test_a_proxy_that_stops_while_nobody_listens_is_not_called_unclean(stand: Stand) -> None:
    """The control plane was away itself: it does not know, and says so."""
    _, address = stand.upstream()
    at = f"127.0.0.1:{free_port()}"
    control = stand.control(grpc=at)
    config = stand.policy(document(address))
    proxy = following(stand, control, config, "p1")
    async with AsyncSeawall(at) as seawall:
        await connected(seawall, "p1")
    control.child.kill()
    assert proxy.child.terminate() == 0
    control = stand.control(grpc=at)
    following(stand, control, config, "p1")
    async with AsyncSeawall(at) as seawall:
        (start,) = await told(seawall, "proxy_restarted", 1)
        assert (start.severity, start.details["ending"]) == (LOW, "unknown")


async def test_a_proxy_that_hands_over_is_told_as_that(stand: Stand) -> None:
    """The new process is another run of the same proxy: in order, and nobody's double."""
    _, address = stand.upstream()
    control = stand.control()
    proxy = following(stand, control, stand.policy(document(address)), "p1")
    async with AsyncSeawall(control.grpc) as seawall:
        await connected(seawall, "p1")
        proxy.child.process.send_signal(signal.SIGUSR2)
        proxy.child.wait_for_log("is to take over")
        successor = re.search(r"process (\d+) is to take over", proxy.child.log())
        assert successor is not None
        stand.others.append(int(successor.group(1)))
        (start,) = await told(seawall, "proxy_restarted", 1)
        assert (start.severity, start.details["ending"]) == (LOW, "clean")
        assert "it was stopped (handover)" in start.message
        assert [event async for event in seawall.events.list(filter="error_type = duplicate_node")] == []
