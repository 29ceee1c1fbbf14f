"""OperationsService: the fleet, its statistics and breakers, and health."""

from __future__ import annotations

from typing import Final

from google.protobuf.duration_pb2 import Duration

from seawall.v1 import admin_fleet_pb2 as pb
from seawall.v1 import admin_fleet_pb2_grpc, fleet_pb2, stats_pb2
from seawall_control.api import codec, stats_codec
from seawall_control.api.caller import author, begun, scope
from seawall_control.api.errors import Context, answered
from seawall_control.domain import paging
from seawall_control.domain.errors import InvalidRequest
from seawall_control.domain.events import MICROS
from seawall_control.domain.fleet import ProxyRecord, is_drifted, no_proxy
from seawall_control.domain.fleet_share import NodeNumbers
from seawall_control.domain.scopes import is_visible
from seawall_control.domain.statistics import LATENCY_BOUNDS_S
from seawall_control.services.fleet import Fleet
from seawall_control.services.health import HealthService

_DEFAULT_WINDOW_S: Final = 10.0
_DEFAULT_TRIP_S: Final = 300.0
_MAX_REASON: Final = 512
_MAX_ACTOR: Final = 128
_PASSING: Final = (stats_pb2.BREAKER_STATE_DISABLED, stats_pb2.BREAKER_STATE_METRICS_ONLY)
_WORST: Final = (
    stats_pb2.BREAKER_STATE_UNSPECIFIED,
    stats_pb2.BREAKER_STATE_DISABLED,
    stats_pb2.BREAKER_STATE_METRICS_ONLY,
    stats_pb2.BREAKER_STATE_CLOSED,
    stats_pb2.BREAKER_STATE_RAMP,
    stats_pb2.BREAKER_STATE_HALF_OPEN,
    stats_pb2.BREAKER_STATE_OPEN,
    stats_pb2.BREAKER_STATE_FORCED_OPEN,
)
"""From the best to the worst for callers."""


def worst(states: list[stats_pb2.BreakerState]) -> stats_pb2.BreakerState:
    """Return the state that is worst for callers."""
    known = [state for state in states if state in _WORST]
    return max(known, key=_WORST.index, default=stats_pb2.BREAKER_STATE_UNSPECIFIED)


def _breaker_name(name: str) -> str:
    if not name:
        raise InvalidRequest("breaker must be named; `seawall breaker list` shows them")
    return name


def _hold_s(duration: Duration) -> float:
    """Return how long to hold a breaker."""
    return codec.checked_seconds(
        duration, name="duration", default_s=_DEFAULT_TRIP_S, low_s=1.0, high_s=86400.0
    )


def _spool(numbers: NodeNumbers) -> fleet_pb2.SpoolStatus:
    spool = fleet_pb2.SpoolStatus(
        depth=numbers.spooled, bytes=numbers.spool_bytes, max_bytes=numbers.spool_max_bytes
    )
    if numbers.spooled:
        spool.oldest_age.FromMicroseconds(int(numbers.spool_age_s * MICROS))
    return spool


class OperationsServicer(admin_fleet_pb2_grpc.OperationsServiceServicer):
    """seawall.v1.OperationsService."""

    def __init__(self, fleet: Fleet, health: HealthService, version: str) -> None:
        self._fleet = fleet
        self._health = health
        self._version = version

    def _proxy(self, record: ProxyRecord) -> pb.Proxy:
        sight = self._fleet.view.sight(record.node)
        message = codec.proxy_message(
            record,
            connected=sight.connected,
            drifted=is_drifted(record, self._fleet.pushes.wanted_hash(record)),
        )
        message.control_plane = sight.plane
        message.stale = sight.is_stale
        message.events_produced = sight.numbers.events_produced
        message.events_dropped = sight.numbers.events_dropped
        message.connections = sight.numbers.connections
        if sight.plane:
            if sight.numbers.spool_max_bytes or sight.numbers.spooled:
                message.spool.CopyFrom(_spool(sight.numbers))
            return message
        report = self._fleet.stats.report_of(record.node)
        if scope() is None:
            # The report may be of before, when the proxy followed another set.
            message.endpoints.extend(report.endpoints)
        if report.HasField("spool"):
            message.spool.CopyFrom(report.spool)
        return message

    async def ListProxies(self, request: pb.ListProxiesRequest, context: Context) -> pb.ListProxiesResponse:
        """Return known proxies by name."""

        async def work() -> pb.ListProxiesResponse:
            limit = paging.page_size(request.page_size, default=50, most=1000)
            after = str(paging.decode(request.page_token, ("proxies",))[0]) if request.page_token else ""
            limits = scope()
            found = [
                record
                for record in self._fleet.known()
                if record.node > after and is_visible(limits, record.policy_set)
            ]
            page = found[:limit]
            token = paging.encode((page[-1].node,), ("proxies",)) if len(found) > limit else ""
            return pb.ListProxiesResponse(
                proxies=[self._proxy(record) for record in page], next_page_token=token
            )

        return await answered(context, work())

    async def GetProxy(self, request: pb.GetProxyRequest, context: Context) -> pb.GetProxyResponse:
        """Return one proxy."""

        async def work() -> pb.GetProxyResponse:
            record = self._fleet.proxy(request.node)
            if not is_visible(scope(), record.policy_set):
                # As if there were none: whoever may not see it does not learn that it is there.
                raise no_proxy(request.node)
            return pb.GetProxyResponse(proxy=self._proxy(record))

        return await answered(context, work())

    async def ListRouteStats(
        self, request: pb.ListRouteStatsRequest, context: Context
    ) -> pb.ListRouteStatsResponse:
        """Return statistics of routes over the fleet."""

        async def work() -> pb.ListRouteStatsResponse:
            window_s = codec.checked_seconds(
                request.window, name="window", default_s=_DEFAULT_WINDOW_S, low_s=1.0, high_s=600.0
            )
            states: dict[str, list[stats_pb2.BreakerState]] = {}
            for breaker in self._fleet.view.breakers(request.proxy):
                states.setdefault(breaker.route or breaker.name, []).append(breaker.state)
            summaries = self._fleet.view.routes(window_s, LATENCY_BOUNDS_S, request.proxy)
            page, token = paging.page_of(
                sorted(summaries, key=lambda one: one.route),
                lambda one: (one.route,),
                limit=paging.page_size(request.page_size, default=500, most=1000),
                token=request.page_token,
                scope=("route-stats", request.proxy, str(window_s)),
            )
            return pb.ListRouteStatsResponse(
                routes=[stats_codec.route_message(s, worst(states.get(s.route, [])), window_s) for s in page],
                next_page_token=token,
            )

        return await answered(context, work())

    async def ListClusterStats(
        self, request: pb.ListClusterStatsRequest, context: Context
    ) -> pb.ListClusterStatsResponse:
        """Return statistics of clusters over the fleet."""

        async def work() -> pb.ListClusterStatsResponse:
            page, token = paging.page_of(
                self._fleet.view.clusters(request.proxy),
                lambda one: (one[0],),
                limit=paging.page_size(request.page_size, default=500, most=1000),
                token=request.page_token,
                scope=("cluster-stats", request.proxy),
            )
            return pb.ListClusterStatsResponse(
                clusters=[stats_codec.cluster_stats_message(*one) for one in page], next_page_token=token
            )

        return await answered(context, work())

    async def ListBreakers(
        self, request: pb.ListBreakersRequest, context: Context
    ) -> pb.ListBreakersResponse:
        """Return breakers by name, then proxy."""

        async def work() -> pb.ListBreakersResponse:
            page, token = paging.page_of(
                self._fleet.view.breakers(request.proxy),
                lambda one: (one.name, one.proxy),
                limit=paging.page_size(request.page_size, default=1000, most=5000),
                token=request.page_token,
                scope=("breakers", request.proxy),
            )
            return pb.ListBreakersResponse(breakers=page, next_page_token=token)

        return await answered(context, work())

    async def _commanded(
        self,
        request: pb.ResetBreakerRequest | pb.TripBreakerRequest | pb.HoldBreakerRequest,
        command: fleet_pb2.Command,
    ) -> list[pb.ProxyCommandResult]:
        if not request.validate_only:
            await begun()
        outcomes = await self._fleet.command(request.proxy, command, validate_only=request.validate_only)
        return [pb.ProxyCommandResult(proxy=o.proxy, ok=o.ok, message=o.message) for o in outcomes]

    async def ResetBreaker(
        self, request: pb.ResetBreakerRequest, context: Context
    ) -> pb.ResetBreakerResponse:
        """Close a breaker."""

        async def work() -> pb.ResetBreakerResponse:
            command = fleet_pb2.Command(
                reset_breaker=fleet_pb2.ResetBreakerCommand(
                    breaker=_breaker_name(request.breaker),
                    reason=request.reason[:_MAX_REASON],
                    actor=author(request.actor)[:_MAX_ACTOR],
                )
            )
            return pb.ResetBreakerResponse(results=await self._commanded(request, command))

        return await answered(context, work())

    async def TripBreaker(self, request: pb.TripBreakerRequest, context: Context) -> pb.TripBreakerResponse:
        """Hold a breaker open."""

        async def work() -> pb.TripBreakerResponse:
            length_s = _hold_s(request.duration)
            trip = fleet_pb2.TripBreakerCommand(
                breaker=_breaker_name(request.breaker),
                duration=codec.seconds(length_s),
                reason=request.reason[:_MAX_REASON],
                actor=author(request.actor)[:_MAX_ACTOR],
            )
            command = fleet_pb2.Command(trip_breaker=trip)
            return pb.TripBreakerResponse(results=await self._commanded(request, command))

        return await answered(context, work())

    async def HoldBreaker(self, request: pb.HoldBreakerRequest, context: Context) -> pb.HoldBreakerResponse:
        """Let everything pass a breaker."""

        async def work() -> pb.HoldBreakerResponse:
            if request.state not in _PASSING:
                raise InvalidRequest("state must be BREAKER_STATE_DISABLED or BREAKER_STATE_METRICS_ONLY")
            hold = fleet_pb2.HoldBreakerCommand(
                breaker=_breaker_name(request.breaker),
                state=request.state,
                duration=codec.seconds(_hold_s(request.duration)),
                reason=request.reason[:_MAX_REASON],
                actor=author(request.actor)[:_MAX_ACTOR],
            )
            command = fleet_pb2.Command(hold_breaker=hold)
            return pb.HoldBreakerResponse(results=await self._commanded(request, command))

        return await answered(context, work())

    async def GetSystemHealth(
        self, request: pb.GetSystemHealthRequest, context: Context
    ) -> pb.GetSystemHealthResponse:
        """Return the health of all parts."""

        async def work() -> pb.GetSystemHealthResponse:
            report = await self._health.report()
            return pb.GetSystemHealthResponse(
                status=report.status.label,
                components=[
                    pb.ComponentHealth(name=c.name, status=c.status.label, message=c.message)
                    for c in report.components
                ],
                version=self._version,
                uptime=codec.seconds(report.uptime_s),
            )

        return await answered(context, work())
