"""Errors of real gRPC calls as events: told apart by status and reason, not by class."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from google.protobuf import json_format
from google.protobuf.any_pb2 import Any as AnyMessage
from google.rpc import error_details_pb2, status_pb2

from seawall.client import from_exception
from seawall.rpc_error import status_of


def refuse(_request: bytes, context: grpc.ServicerContext) -> bytes:
    """End every call with a rich error."""
    status = status_pb2.Status(code=8, message="no more umbrellas")
    for detail in (
        error_details_pb2.ErrorInfo(reason="STOCK_EXHAUSTED", domain="shop", metadata={"sku": "7"}),
        error_details_pb2.BadRequest(
            field_violations=[error_details_pb2.BadRequest.FieldViolation(field="n")]
        ),
    ):
        packed = AnyMessage()
        packed.Pack(detail)
        status.details.append(packed)
    context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
    context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "no more umbrellas")
    raise AssertionError("abort does not return")


@pytest.fixture
def address() -> Iterator[str]:
    """A server that refuses."""
    from concurrent.futures import ThreadPoolExecutor

    server = grpc.server(ThreadPoolExecutor(1))
    handler: Any = grpc.unary_unary_rpc_method_handler(refuse)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("shop.Shop", {"Buy": handler}),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"127.0.0.1:{port}"
    server.stop(None).wait()


def test_event_of_a_grpc_error_has_its_status_and_reason(address: str) -> None:
    """Type and code are the status, the message is the server's, the details what it said beside."""
    with grpc.insecure_channel(address) as channel:
        buy: Any = channel.unary_unary("/shop.Shop/Buy")
        with pytest.raises(grpc.RpcError) as raised:
            buy(b"")
    event = from_exception(raised.value, component="billing")
    assert (event.error_type, event.code, event.message) == (
        "RESOURCE_EXHAUSTED",
        "RESOURCE_EXHAUSTED",
        "no more umbrellas",
    )
    details = json_format.MessageToDict(event.details)
    assert (details["error_reason"], details["error_domain"]) == ("STOCK_EXHAUSTED", "shop")
    assert details["status_details"]["metadata"]["sku"] == "7"
    assert details["status_details"]["bad_fields"] == ["n"]


async def test_asynchronous_errors_are_the_same(address: str) -> None:
    """grpc.aio has another class and the same methods."""
    async with grpc.aio.insecure_channel(address) as channel:
        buy: Any = channel.unary_unary("/shop.Shop/Buy")
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await buy(b"")
    assert from_exception(raised.value).details["error_reason"] == "STOCK_EXHAUSTED"


def test_other_exceptions_are_left_alone() -> None:
    """Also those that have a `code` of their own, or one that raises."""

    class Odd(Exception):
        def code(self) -> str:
            raise RuntimeError

    for error in (ValueError("x"), Odd("y"), SystemExit(3)):
        assert status_of(error) is None
    assert from_exception(ValueError("x")).error_type == "ValueError"
