"""What is served: every service once, for gRPC, for HTTP and for their descriptions alike.

Generated code registers a servicer at a server. `Registry` stands where that code expects one and keeps what
it is told, so that a service which is added here is served everywhere without another line.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import grpc
from google.protobuf import descriptor_pool
from google.protobuf.descriptor import ServiceDescriptor

Handlers: TypeAlias = Mapping[str, "grpc.RpcMethodHandler[Any, Any]"]


class Registry:
    """The services, by full name."""

    def __init__(self) -> None:
        self._services: dict[str, Handlers] = {}

    def add(self, register: Callable[[Any, Any], None], servicer: object) -> None:
        """Add a service: `register` is the generated `add_…Servicer_to_server`."""
        register(servicer, self)

    def serialise_with(self, service: str, method: str, serialiser: Callable[[Any], bytes]) -> None:
        """Have the answers of a method encoded otherwise than the generated code does it."""
        handler: Any = self._services[service][method]
        handlers = {**self._services[service], method: handler._replace(response_serializer=serialiser)}
        self._services[service] = handlers

    @property
    def services(self) -> Mapping[str, Handlers]:
        """Handlers of each method, by service."""
        return self._services

    def descriptors(self) -> list[ServiceDescriptor]:
        """Return the descriptors of the services, by name."""
        pool = descriptor_pool.Default()
        return [pool.FindServiceByName(name) for name in sorted(self._services)]

    # What generated code calls.

    def add_registered_method_handlers(self, service_name: str, method_handlers: Handlers) -> None:
        """Keep the handlers of a service. Raise ValueError for a second service of that name."""
        if service_name in self._services:
            raise ValueError(f"{service_name} is registered twice")
        self._services[service_name] = dict(method_handlers)

    def add_generic_rpc_handlers(self, handlers: tuple[grpc.GenericRpcHandler, ...]) -> None:
        """Keep nothing: it is the same again, under a form that cannot be asked for its methods."""
