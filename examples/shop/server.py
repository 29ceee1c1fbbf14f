"""One process of the shop: some of its services on one port, and the switch that breaks them.

    python -m examples.shop.server --port 50051 --name catalog-1 --services catalog

The switch (`shop.v1.SwitchService`) is served beside the others and is never switched itself.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import grpc
import grpc.aio
from grpc_reflection.v1alpha import reflection, reflection_pb2

from examples.shop import shop_pb2, shop_pb2_grpc

REFLECTION_V1 = "grpc.reflection.v1.ServerReflection"
ITEMS = (
    shop_pb2.Item(id="buoy", name="Buoy, orange", price_cents=4900),
    shop_pb2.Item(id="anchor", name="Anchor, 12 kg", price_cents=8900),
    shop_pb2.Item(id="lamp", name="Storm lamp", price_cents=3500),
)
STEPS = ("placed", "packed", "shipped", "delivered")

if TYPE_CHECKING:
    Context: TypeAlias = grpc.aio.ServicerContext[Any, Any]


@dataclass
class Switch:
    """How this process behaves."""

    mode: shop_pb2.Mode = shop_pb2.MODE_SERVE
    delay_s: float = 0.0
    code: grpc.StatusCode = grpc.StatusCode.UNAVAILABLE
    percent: int = 100
    calls: int = 0

    async def pass_through(self, context: Context) -> None:
        """Let a call go on, or end it as the switch says."""
        if self.mode == shop_pb2.MODE_HANG:
            await asyncio.Event().wait()  # until the caller gives up
        if self.delay_s:
            await asyncio.sleep(self.delay_s)
        if self.mode == shop_pb2.MODE_FAIL:
            self.calls += 1
            if self.calls * self.percent // 100 != (self.calls - 1) * self.percent // 100:
                await context.abort(self.code, "switched to fail")


class Catalog(shop_pb2_grpc.CatalogServiceServicer):
    """What there is to buy."""

    def __init__(self, name: str, switch: Switch) -> None:
        self.name = name
        self.switch = switch

    async def GetItem(self, request: shop_pb2.GetItemRequest, context: Context) -> shop_pb2.GetItemResponse:
        await self.switch.pass_through(context)
        for item in ITEMS:
            if item.id == request.id:
                return shop_pb2.GetItemResponse(item=item, served_by=self.name)
        await context.abort(grpc.StatusCode.NOT_FOUND, f"no item {request.id!r}")
        raise AssertionError

    async def ListItems(
        self, request: shop_pb2.ListItemsRequest, context: Context
    ) -> shop_pb2.ListItemsResponse:
        await self.switch.pass_through(context)
        return shop_pb2.ListItemsResponse(items=ITEMS, served_by=self.name)


class Orders(shop_pb2_grpc.OrderServiceServicer):
    """Orders and their way to the customer."""

    def __init__(self, name: str, switch: Switch) -> None:
        self.name = name
        self.switch = switch
        self.placed = 0

    async def PlaceOrder(
        self, request: shop_pb2.PlaceOrderRequest, context: Context
    ) -> shop_pb2.PlaceOrderResponse:
        await self.switch.pass_through(context)
        self.placed += 1
        return shop_pb2.PlaceOrderResponse(order_id=f"{self.name}-{self.placed}", served_by=self.name)

    async def WatchOrder(
        self, request: shop_pb2.WatchOrderRequest, context: Context
    ) -> AsyncIterator[shop_pb2.WatchOrderResponse]:
        for step in STEPS:
            await self.switch.pass_through(context)
            yield shop_pb2.WatchOrderResponse(order_id=request.order_id, step=step)
            await asyncio.sleep((request.step_ms or 100) / 1000)


class Support(shop_pb2_grpc.SupportServiceServicer):
    """A conversation."""

    def __init__(self, switch: Switch) -> None:
        self.switch = switch

    async def Chat(
        self, request_iterator: AsyncIterator[shop_pb2.ChatRequest], context: Context
    ) -> AsyncIterator[shop_pb2.ChatResponse]:
        async for question in request_iterator:
            await self.switch.pass_through(context)
            yield shop_pb2.ChatResponse(text=f"You said: {question.text}")


class SwitchBoard(shop_pb2_grpc.SwitchServiceServicer):
    """Sets the switch."""

    def __init__(self, name: str, switch: Switch) -> None:
        self.name = name
        self.switch = switch

    async def SetSwitch(
        self, request: shop_pb2.SetSwitchRequest, context: Context
    ) -> shop_pb2.SetSwitchResponse:
        if request.mode == shop_pb2.MODE_DIE:
            os.kill(os.getpid(), signal.SIGKILL)
        if request.code and request.code not in grpc.StatusCode.__members__:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"{request.code!r} is no status code")
        self.switch.mode = request.mode or shop_pb2.MODE_SERVE
        self.switch.delay_s = request.delay_ms / 1000
        self.switch.code = grpc.StatusCode[request.code or "UNAVAILABLE"]
        self.switch.percent = min(request.percent or 100, 100)
        return shop_pb2.SetSwitchResponse(name=self.name)


def build(server: grpc.aio.Server, name: str, services: list[str]) -> None:
    """Add the services to a server, with reflection under both of its names."""
    switch = Switch()
    described = shop_pb2.DESCRIPTOR.services_by_name
    names = [described["SwitchService"].full_name]
    shop_pb2_grpc.add_SwitchServiceServicer_to_server(SwitchBoard(name, switch), server)  # type: ignore[no-untyped-call]
    if "catalog" in services:
        shop_pb2_grpc.add_CatalogServiceServicer_to_server(Catalog(name, switch), server)  # type: ignore[no-untyped-call]
        names.append(described["CatalogService"].full_name)
    if "orders" in services:
        shop_pb2_grpc.add_OrderServiceServicer_to_server(Orders(name, switch), server)  # type: ignore[no-untyped-call]
        names.append(described["OrderService"].full_name)
    if "support" in services:
        shop_pb2_grpc.add_SupportServiceServicer_to_server(Support(switch), server)  # type: ignore[no-untyped-call]
        names.append(described["SupportService"].full_name)
    names.append(reflection.SERVICE_NAME)
    reflection.enable_server_reflection(names, server)
    # Newer clients ask for v1 first; its messages are the same on the wire as v1alpha's.
    servicer = reflection.ReflectionServicer(names)
    handler = grpc.stream_stream_rpc_method_handler(
        servicer.ServerReflectionInfo,
        request_deserializer=reflection_pb2.ServerReflectionRequest.FromString,
        response_serializer=reflection_pb2.ServerReflectionResponse.SerializeToString,
    )
    methods = {"ServerReflectionInfo": handler}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(REFLECTION_V1, methods),))


async def serve(name: str, address: str, services: list[str]) -> None:
    """Serve until SIGTERM or SIGINT."""
    server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
    build(server, name, services)
    server.add_insecure_port(address)
    await server.start()
    print(f"{name} serves {', '.join(services)} on {address}", file=sys.stderr, flush=True)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await stop.wait()
    await server.stop(grace=0.5)


def main() -> None:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--name", default="shop")
    parser.add_argument("--services", default="catalog,orders,support", help="comma-separated")
    options = parser.parse_args()
    asyncio.run(serve(options.name, f"{options.host}:{options.port}", options.services.split(",")))


if __name__ == "__main__":
    main()
