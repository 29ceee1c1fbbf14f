"""No stream outlives the credential that opened it, whichever way it came in."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from seawall.v1 import admin_alerts_pb2, admin_events_pb2, fleet_pb2
from seawall_control.api import gate as gate_module
from seawall_control.domain.access import Role
from seawall_control.server import ControlPlane
from seawall_control.services.edge import SystemClock
from tests.integration.control.web import streaming

DAY_US = 86_400_000_000
LIMIT_S = 60.0


class Clock:
    """This machine's clocks; the wall clock is set by the test."""

    def __init__(self) -> None:
        self._own = SystemClock()
        self.off_us = 0

    def now_us(self) -> int:
        """Return the wall clock."""
        return self._own.now_us() + self.off_us

    def monotonic_s(self) -> float:
        """Return the monotonic one."""
        return self._own.monotonic_s()


class House:
    """A control plane with tokens of a day, and the day that comes to its end."""

    def __init__(self, plane: ControlPlane, monkeypatch: pytest.MonkeyPatch) -> None:
        self.plane = plane
        self.clock = Clock()
        access = plane.access
        for holder in (access.gate, access.tokens):
            monkeypatch.setattr(holder, "_clock", self.clock)

    async def token(self, name: str, role: Role) -> str:
        """Return the header of a token that is good for a day."""
        ends = self.clock.now_us() + DAY_US
        _, secret = await self.plane.access.tokens.create(name, [role], expires_us=ends, created_by="test")
        return f"Bearer {secret}"

    def a_day_passes(self) -> None:
        """Let the tokens expire."""
        self.clock.off_us += DAY_US + 1


@pytest.fixture
def house(strict: ControlPlane, monkeypatch: pytest.MonkeyPatch) -> House:
    """Look at credentials often."""
    monkeypatch.setattr(gate_module, "RECHECK_S", 0.1)
    return House(strict, monkeypatch)


FOLLOWED = {
    "/seawall.v1.EventService/TailEvents": admin_events_pb2.TailEventsRequest(),
    "/seawall.v1.AlertService/WatchAlerts": admin_alerts_pb2.WatchAlertsRequest(),
}


@pytest.mark.parametrize("method", FOLLOWED)
async def test_followers_over_grpc(house: House, method: str) -> None:
    """They end with UNAUTHENTICATED, and with why."""
    bearer = await house.token("viewer", Role.VIEWER)
    async with grpc.aio.insecure_channel(house.plane.addresses.grpc) as channel:
        method_of: Any = channel.unary_stream(
            method, request_serializer=lambda one: one.SerializeToString(), response_deserializer=bytes
        )
        call: Any = method_of(FOLLOWED[method], metadata=(("authorization", bearer),), timeout=120)
        reading = asyncio.create_task(call.read())
        assert not (await asyncio.wait({reading}, timeout=0.5))[0]
        house.a_day_passes()
        with pytest.raises(grpc.aio.AioRpcError, match="has expired") as ended:
            await asyncio.wait_for(reading, LIMIT_S)
        assert ended.value.code() is grpc.StatusCode.UNAUTHENTICATED


async def test_a_proxys_stream(house: House) -> None:
    """A proxy that has a token instead of a certificate is told why its stream ends."""
    bearer = await house.token("proxy-1", Role.PROXY)
    async with grpc.aio.insecure_channel(house.plane.addresses.grpc) as channel:
        stream: Any = channel.stream_stream(
            "/seawall.v1.FleetService/Connect",
            request_serializer=fleet_pb2.ConnectRequest.SerializeToString,
            response_deserializer=fleet_pb2.ConnectResponse.FromString,
        )(metadata=(("authorization", bearer),), timeout=120)
        await stream.write(fleet_pb2.ConnectRequest(hello=fleet_pb2.Hello(node="proxy-1", boot_id="1")))
        assert (await stream.read()).WhichOneof("kind") == "welcome"
        assert house.plane.fleet.connected == 1
        house.a_day_passes()

        async def to_the_end() -> None:
            while await stream.read() is not grpc.aio.EOF:
                pass

        with pytest.raises(grpc.aio.AioRpcError, match="has expired") as ended:
            await asyncio.wait_for(to_the_end(), LIMIT_S)
        assert ended.value.code() is grpc.StatusCode.UNAUTHENTICATED


async def test_a_web_socket(house: House) -> None:
    """It is closed as RFC 6455 has it for a policy that is violated, with why."""
    headers = {"authorization": await house.token("viewer", Role.VIEWER)}
    address = f"ws://{house.plane.addresses.http}/api/v1/errors/ws"
    async with connect(address, additional_headers=headers) as socket:
        house.a_day_passes()
        with pytest.raises(ConnectionClosed) as closed:
            await asyncio.wait_for(socket.recv(), LIMIT_S)
        assert closed.value.rcvd is not None
        assert (closed.value.rcvd.code, "has expired" in closed.value.rcvd.reason) == (1008, True)


@pytest.mark.parametrize("path", ["/api/v1/errors/stream", "/api/v1/seawall.v1.EventService/TailEvents"])
async def test_server_sent_events(house: House, path: str) -> None:
    """The stream is cut off: its reader comes back, and is refused."""
    headers = {"authorization": await house.token("viewer", Role.VIEWER)}
    async with streaming(house.plane.addresses.http, path, headers=headers) as stream:
        assert stream.status == 200
        house.a_day_passes()

        async def to_the_end() -> str:
            try:
                return await stream.upto(b"no such end")
            except asyncio.IncompleteReadError:
                return ""

        await asyncio.wait_for(to_the_end(), LIMIT_S)
    async with streaming(house.plane.addresses.http, path, headers=headers) as stream:
        assert stream.status == 401
