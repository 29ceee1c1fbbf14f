"""Builds the gRPC server: our services, standard health, and where it is wanted reflection under both of its
names.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any, Final

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection, reflection_pb2

from seawall_control.api.interceptor import AccessInterceptor
from seawall_control.api.registry import Registry

REFLECTION_V1: Final = "grpc.reflection.v1.ServerReflection"
MAX_RECEIVE_BYTES: Final = 16 * 1024 * 1024
"""The largest policy document (8 MiB) and what surrounds it, twice."""
_OPTIONS: Final = (
    # Two control planes on one port would each get some of the proxies.
    ("grpc.so_reuseport", 0),
    ("grpc.max_receive_message_length", MAX_RECEIVE_BYTES),
    ("grpc.max_send_message_length", MAX_RECEIVE_BYTES),
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    # Also for the pings that gRPC sends for its own ends; by itself it waits a minute for them.
    ("grpc.http2.ping_timeout_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
    ("grpc.max_concurrent_streams", 1000),
)


class _Health(health.aio.HealthServicer):  # type: ignore[misc] # the package has no types
    """Standard health with `List`, which the package's asyncio servicer leaves out."""

    def __init__(self, services: Iterable[str]) -> None:
        super().__init__()
        self._names = ("", *services)

    async def List(
        self, request: health_pb2.HealthListRequest, context: Any
    ) -> health_pb2.HealthListResponse:
        """Return the state of the server and of each service."""
        found = {
            name: await self.Check(health_pb2.HealthCheckRequest(service=name), context)
            for name in self._names
        }
        return health_pb2.HealthListResponse(statuses=found)


class GrpcServer:
    """The gRPC side of the control plane."""

    def __init__(
        self,
        served: Registry,
        address: str,
        access: AccessInterceptor,
        *,
        credentials: grpc.ServerCredentials | None = None,
        only: Collection[str] | None = None,
        without: Collection[str] = (),
        reflects: bool = False,
    ) -> None:
        """Serve what is registered: `only` some services, or all `without` some. Plaintext without
        `credentials`; `reflects`: say what there is to viewers who ask.
        """
        self._server: grpc.aio.Server = grpc.aio.server(options=_OPTIONS, interceptors=(access,))
        wanted = {
            name: handlers
            for name, handlers in served.services.items()
            if (only is None or name in only) and name not in without
        }
        self._services = tuple(wanted)
        for name, handlers in wanted.items():
            self._server.add_registered_method_handlers(name, dict(handlers))
            self._server.add_generic_rpc_handlers(
                (grpc.method_handlers_generic_handler(name, dict(handlers)),)
            )
        self._health = _Health(self._services)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        if reflects:
            self._add_reflection()
        self._host = address.rpartition(":")[0]
        if credentials is None:
            self._port = self._server.add_insecure_port(address)
        else:
            self._port = self._server.add_secure_port(address, credentials)
        access.server_port = self._port

    @property
    def address(self) -> str:
        """Where it listens."""
        return f"{self._host}:{self._port}"

    def _add_reflection(self) -> None:
        names = (*self._services, health.SERVICE_NAME, reflection.SERVICE_NAME, REFLECTION_V1)
        reflection.enable_server_reflection(names, self._server)
        # The messages of v1 are those of v1alpha under another name; some clients know only the one, some
        # only the other.
        servicer: Any = reflection.aio.ReflectionServicer(names)
        handler = grpc.stream_stream_rpc_method_handler(
            servicer.ServerReflectionInfo,
            request_deserializer=reflection_pb2.ServerReflectionRequest.FromString,
            response_serializer=reflection_pb2.ServerReflectionResponse.SerializeToString,
        )
        self._server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler(REFLECTION_V1, {"ServerReflectionInfo": handler}),)
        )

    async def start(self) -> None:
        """Serve."""
        for name in self._services:
            await self._health.set(name, health_pb2.HealthCheckResponse.SERVING)
        await self._server.start()

    async def drain(self) -> None:
        """Tell health checks that we are about to stop."""
        await self._health.enter_graceful_shutdown()

    async def stop(self, grace_s: float) -> None:
        """Take no new calls, wait for those that run, cancel the rest."""
        await self._server.stop(grace_s)
