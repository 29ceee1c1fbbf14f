"""What is no message at all is refused over gRPC as every other mistake is."""

from __future__ import annotations

import asyncio

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2

from seawall_control.server import ControlPlane
from tests.integration.control.kit import Stubs
from tests.kit.processes import PATIENCE_S

pytestmark = pytest.mark.integration

EVENTS = "/seawall.v1.EventService"


def raw(data: bytes) -> bytes:
    """Return what is sent, as it is."""
    return data


def refused(error: grpc.aio.AioRpcError) -> tuple[grpc.StatusCode, str, str]:
    """Return code, reason and message."""
    details = dict(error.trailing_metadata() or ()).get("grpc-status-details-bin", b"")
    status = status_pb2.Status.FromString(details if isinstance(details, bytes) else b"")
    info = error_details_pb2.ErrorInfo()
    assert status.details and status.details[0].Unpack(info)
    return error.code(), info.reason, error.details() or ""


@pytest.mark.parametrize("data", [b"\xff\xff\xff", b"\x0a\x02\xff\xfe", b"\x0a\x05abc"])
async def test_bytes_that_are_no_message(
    plane: ControlPlane, stubs: Stubs, data: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """A broken wire, a string that is no UTF-8, a message that is cut off: in all kinds of call, without a
    word in the log.
    """
    channel = stubs.channel
    unary = channel.unary_unary(f"{EVENTS}/ListEvents", request_serializer=raw, response_deserializer=raw)
    stream = channel.unary_stream(f"{EVENTS}/TailEvents", request_serializer=raw, response_deserializer=raw)
    both = channel.stream_stream(
        "/seawall.v1.FleetService/Connect", request_serializer=raw, response_deserializer=raw
    )

    async def all_of(call: grpc.aio.UnaryStreamCall[bytes, bytes]) -> None:
        async for _ in call:
            pass

    connected = both()
    await connected.write(data)
    async with asyncio.timeout(PATIENCE_S):
        for call in (unary(data), all_of(stream(data)), connected.read()):
            with pytest.raises(grpc.aio.AioRpcError) as raised:
                await call
            code, reason, message = refused(raised.value)
            assert (code, reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST")
            assert "cannot be read" in message
    assert [
        record.getMessage() for record in caplog.records if record.levelname in ("ERROR", "CRITICAL")
    ] == []
