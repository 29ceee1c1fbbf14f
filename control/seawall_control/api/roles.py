"""What each method asks of its callers, read from the descriptors: the role, and whether it is audited."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from google.protobuf import descriptor_pool
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.descriptor_pb2 import MethodOptions

from seawall.v1 import options_pb2
from seawall_control.domain.access import MethodAccess, Role

OPEN: Final = frozenset({"/grpc.health.v1.Health/Check", "/grpc.health.v1.Health/Watch"})
"""Methods that anybody may call: whether the server serves is what load balancers ask, and they show no
credentials. The standard service's List names all services and takes a viewer.
"""
_STANDARD: Final[Mapping[str, MethodAccess]] = {
    "/grpc.health.v1.Health/List": MethodAccess(Role.VIEWER, changes=False),
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo": MethodAccess(Role.VIEWER, changes=False),
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo": MethodAccess(
        Role.VIEWER, changes=False
    ),
}
"""Services that are not ours cannot carry our option."""
_KNOWN: Final = frozenset(int(role) for role in Role)
_UNAUDITED: Final = frozenset({Role.NONE, Role.VIEWER, Role.REPORTER, Role.PROXY})
"""Reading, and what programs send all day long: events and streams have records of their own."""


def access_of(method: MethodDescriptor) -> MethodAccess:
    """Return what a method's options say."""
    options = method.GetOptions()
    number: int = options.Extensions[options_pb2.role]  # type: ignore[index] # the stubs know no enum here
    role = Role(number) if number in _KNOWN else Role.NONE
    reads = options.idempotency_level == MethodOptions.NO_SIDE_EFFECTS
    return MethodAccess(role, changes=role not in _UNAUDITED and not reads)


def path_of(method: MethodDescriptor) -> str:
    """Return `/package.Service/Method`."""
    return f"/{method.containing_service.full_name}/{method.name}"


def table(services: Iterable[str]) -> dict[str, MethodAccess]:
    """Return the access of every method of these services, by path."""
    found = dict(_STANDARD)
    pool = descriptor_pool.Default()
    for name in services:
        service: ServiceDescriptor = pool.FindServiceByName(name)
        found.update({path_of(method): access_of(method) for method in service.methods})
    return found
