"""grpc.health.v1 for the proxied services.

The empty name is the proxy itself: SERVING while a policy is in force and it does not drain. A service is
SERVING while one of its routes has a cluster with a usable endpoint; a route for every service makes every
name known. Breakers are not looked at: an open one means that calls are answered, by a fallback perhaps, and
closes again only because calls come. While the proxy drains everything is NOT_SERVING.

Watches are looked at about once a second. A client that does not read is told the latest state when it does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from google.protobuf.message import DecodeError
from grpc_health.v1 import health_pb2

from seawall_policy import status
from seawall_policy.health import UNHEALTHY
from seawall_proxy.call.local import LocalCall, LocalHandler
from seawall_proxy.upstream.endpoint import BACKOFF, CONNECTING, Endpoint

if TYPE_CHECKING:
    from seawall_proxy.call.routing import RoutingTable
    from seawall_proxy.runtime.worker import Worker
    from seawall_proxy.upstream.clusters import ClusterSet

SERVICE: Final = "grpc.health.v1.Health"
CHECK: Final = f"/{SERVICE}/Check".encode()
WATCH: Final = f"/{SERVICE}/Watch".encode()
LIST: Final = f"/{SERVICE}/List".encode()

MAX_LISTED: Final = 100
"""gRFC A90: a longer list is RESOURCE_EXHAUSTED."""

SERVING: Final[int] = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING: Final[int] = health_pb2.HealthCheckResponse.NOT_SERVING
SERVICE_UNKNOWN: Final[int] = health_pb2.HealthCheckResponse.SERVICE_UNKNOWN


class HealthBoard:
    """What is SERVING."""

    def __init__(self, worker: Worker, clusters: ClusterSet, own: tuple[str, ...]) -> None:
        self.draining: bool = False
        self.parked: bool = False
        """A person has taken the proxy out of service for a while."""
        self.watches: dict[_Watch, None] = {}
        self._worker: Worker = worker
        self._clusters: ClusterSet = clusters
        self._own: tuple[str, ...] = own
        """Services that the proxy answers itself."""
        self._table: RoutingTable | None = None
        self._by_service: dict[str, set[str]] = {}
        self._usable: dict[Endpoint, bool] = {}

    def of(self, service: str) -> int:
        """Return the state of a service; SERVICE_UNKNOWN when no route is for it."""
        table = self._worker.context.table
        if service == "" or service in self._own:
            return NOT_SERVING if table is None or self.draining or self.parked else SERVING
        if table is None:
            return SERVICE_UNKNOWN
        names = self._clusters_of(table, service)
        if not names:
            return SERVICE_UNKNOWN
        if self.draining or self.parked:
            return NOT_SERVING
        return SERVING if any(self._is_usable(name) for name in names) else NOT_SERVING

    def services(self) -> list[str]:
        """Return every name that is known for certain: the proxy, and services that routes name."""
        table = self._worker.context.table
        if table is not None:
            self._clusters_of(table, "")
        return ["", *sorted({*self._own, *self._by_service} - {""})]

    def refresh(self) -> None:
        """Look at the endpoints and tell the watches what has changed."""
        before = self._usable
        self._usable = {
            endpoint: self._judge(endpoint, before.get(endpoint, True))
            for cluster in self._clusters.clusters.values()
            for endpoint in cluster.endpoints
        }
        for watch in list(self.watches):
            watch.look()

    def end_watches(self) -> None:
        """End every watch, so that connections can be closed."""
        for watch in list(self.watches):
            watch.end()

    def _clusters_of(self, table: RoutingTable, service: str) -> set[str]:
        if self._table is not table:
            self._table = table
            self._by_service = {}
            for route in table.snapshot.routes:
                self._by_service.setdefault(route.service, set()).update(name for name, _ in route.backends)
        return self._by_service.get(service, set()) | self._by_service.get("", set())

    def _is_usable(self, cluster: str) -> bool:
        found = self._clusters.clusters.get(cluster)
        if found is None:
            return False
        return any(self._judge(endpoint, self._usable.get(endpoint, True)) for endpoint in found.endpoints)

    @staticmethod
    def _judge(endpoint: Endpoint, before: bool) -> bool:
        """Tell whether calls may go there. While it is dialled again the last verdict stands, so that a host
        that is away does not come and go with every dial.
        """
        if endpoint.health == UNHEALTHY or endpoint.state == BACKOFF or endpoint.parked:
            return False
        return before if endpoint.state == CONNECTING else True


class HealthHandler(LocalHandler):
    """One call of Check or List."""

    def __init__(self, board: HealthBoard) -> None:
        self._board: HealthBoard = board

    def message(self, call: LocalCall, payload: bytes) -> None:
        """Answer."""
        if call.path == LIST:
            self._list(call)
            return
        service = requested_service(call, payload)
        if service is None:
            return
        state = self._board.of(service)
        if state == SERVICE_UNKNOWN:
            call.finish(status.NOT_FOUND, "no route is for this service")
            return
        call.send(health_pb2.HealthCheckResponse(status=state).SerializeToString())
        call.finish(status.OK, "")

    def half_closed(self, call: LocalCall) -> None:
        """A call without a request."""
        call.finish(status.INTERNAL, "a request message is missing")

    def _list(self, call: LocalCall) -> None:
        names = self._board.services()
        if len(names) > MAX_LISTED:
            call.finish(status.RESOURCE_EXHAUSTED, f"{len(names)} services; {MAX_LISTED} can be listed")
            return
        reply = health_pb2.HealthListResponse()
        for name in names:
            reply.statuses[name].status = self._board.of(name)
        call.send(reply.SerializeToString())
        call.finish(status.OK, "")


class _Watch(LocalHandler):
    """One call of Watch: the state now, and each one that differs from the last that was told."""

    def __init__(self, board: HealthBoard) -> None:
        self._board: HealthBoard = board
        self._call: LocalCall | None = None
        self._service: str = ""
        self._told: int = -1

    def message(self, call: LocalCall, payload: bytes) -> None:
        """Begin to watch."""
        service = requested_service(call, payload)
        if service is None:
            return
        self._call = call
        self._service = service
        self._board.watches[self] = None
        self.look()

    def half_closed(self, call: LocalCall) -> None:
        """The client has said all that it will."""
        if self._call is None:
            call.finish(status.INTERNAL, "a request message is missing")

    def look(self) -> None:
        """Tell the state if it is another one."""
        call = self._call
        if call is None or call.is_backed_up():
            return
        state = self._board.of(self._service)
        if state != self._told:
            self._told = state
            call.send(health_pb2.HealthCheckResponse(status=state).SerializeToString())

    def drained(self, call: LocalCall) -> None:
        """Tell what has changed meanwhile."""
        self.look()

    def end(self) -> None:
        """End because the proxy goes away."""
        if self._call is not None:
            self._call.finish(status.UNAVAILABLE, "the proxy is shutting down")

    def ended(self) -> None:
        """Stop watching."""
        self._call = None
        self._board.watches.pop(self, None)


def watch(board: HealthBoard) -> LocalHandler:
    """Return the handler of a Watch."""
    return _Watch(board)


def requested_service(call: LocalCall, payload: bytes) -> str | None:
    """Return the service that a request names; None after the call was ended because it is no request."""
    try:
        name: str = health_pb2.HealthCheckRequest.FromString(payload).service
    except DecodeError:
        call.finish(status.INTERNAL, "the request is no grpc.health.v1.HealthCheckRequest")
        return None
    return name
