"""The composition root of the control plane: builds the parts, runs them, and takes them down in the right
order.

Order of the end: health says NOT_SERVING, streams are closed with UNAVAILABLE so that proxies come back
elsewhere or later, running requests finish, the writer commits what it accepted, the store is closed. A store
that must not be written any more ends the process with an error, so that its supervisor starts it anew and
the file is verified.
"""

from __future__ import annotations

import asyncio
import importlib.metadata
import logging
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from seawall.v1 import (
    admin_alerts_pb2_grpc,
    admin_analysis_pb2_grpc,
    admin_events_pb2_grpc,
    admin_fleet_pb2_grpc,
    admin_groups_pb2_grpc,
    admin_healing_pb2_grpc,
    admin_operations_pb2_grpc,
    admin_policies_pb2_grpc,
    admin_rollouts_pb2_grpc,
    fleet_pb2_grpc,
)
from seawall_control.access import Access, AccessSettings, check_listeners
from seawall_control.api import alert_metrics, change_metrics
from seawall_control.api.alerts import AlertServicer
from seawall_control.api.analysis import AnalysisServicer
from seawall_control.api.events import EventServicer
from seawall_control.api.fleet import FleetServicer, serialised
from seawall_control.api.fleet_operations import FleetOperationServicer
from seawall_control.api.groups import GroupServicer
from seawall_control.api.grpc_server import GrpcServer
from seawall_control.api.healing import HealingServicer
from seawall_control.api.http import HttpParts, HttpServer, bind
from seawall_control.api.operations import OperationsServicer
from seawall_control.api.policies import PolicyServicer
from seawall_control.api.registry import Registry
from seawall_control.api.rollouts import RolloutServicer
from seawall_control.domain import operations as operations_domain
from seawall_control.domain.errors import ShuttingDown, StoreRefused
from seawall_control.domain.flood import FloodLimits, Gates, Pressure
from seawall_control.domain.retention import Keeping
from seawall_control.domain.rollout import codec as rollout_codec
from seawall_control.services import group_watch, store_watch
from seawall_control.services.alerting.channels.addresses import Network
from seawall_control.services.alerting.parts import Alerting, AlertSettings
from seawall_control.services.analysis.assembly import analysis_service
from seawall_control.services.background import Background
from seawall_control.services.edge import SystemClock, TimeOrderedIds, dice
from seawall_control.services.event_views import EventViews
from seawall_control.services.events import EventService
from seawall_control.services.feed import Feed
from seawall_control.services.fleet import Fleet
from seawall_control.services.grouping import Grouping
from seawall_control.services.groups import GroupService
from seawall_control.services.healing import service as healing_runbooks
from seawall_control.services.healing.assembly import healing_service
from seawall_control.services.health import HealthService
from seawall_control.services.leadership import Leadership
from seawall_control.services.loops import kept_going
from seawall_control.services.neighbours import Neighbours
from seawall_control.services.notices import Notices
from seawall_control.services.operations import FleetOperations
from seawall_control.services.policies import PolicyService
from seawall_control.services.retention import Retention
from seawall_control.services.rollouts import Rollouts
from seawall_control.services.tail import Hub
from seawall_control.store.opening import open_store
from seawall_control.store.port import Store

EXIT_OK: Final = 0
EXIT_STORE_FAILED: Final = 3

_log = logging.getLogger("seawall.control")


class AddressInUse(Exception):
    """A listener cannot be opened; the message says which and what to do."""


def version() -> str:
    """Return the version of this installation."""
    try:
        return importlib.metadata.version("seawall")
    except importlib.metadata.PackageNotFoundError:
        return "0+source"


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlSettings:
    """What the control plane is told at its start."""

    data_dir: Path = field(default_factory=lambda: Path(".seawall"))
    """Directory of the store; created, readable by its owner only."""
    store_url: str = field(default="", repr=False)
    """`postgresql://…` keeps the store in a database instead, which several control planes may share. It may
    hold a password, so it is not shown.
    """
    grpc_address: str = "127.0.0.1:9090"
    """`host:port`; port 0 picks a free one."""
    http_address: str = "127.0.0.1:9091"
    http_origins: frozenset[str] = frozenset()
    """Origins of other sites whose pages may use the HTTP API."""
    hooks: Mapping[str, str] = field(default_factory=dict)
    """Commands that runbooks may run, by the name that they call them."""
    access: AccessSettings = field(default_factory=AccessSettings)
    """Who may call, with which credentials, on which listeners."""
    keeping: Keeping = field(default_factory=Keeping)
    """How long things are kept."""
    flood: FloodLimits = field(default_factory=FloodLimits)
    """How much of a group of events is stored."""
    stats_interval_s: float = 1.0
    """How often proxies report statistics."""
    grace_s: float = 5.0
    """How long running requests may take to finish at the end."""
    alert_networks: tuple[Network, ...] = ()
    """Networks that alert channels may reach though they are not of the internet; also without TLS."""
    alert_ca_file: str = ""
    """Certificates of authorities that alert channels trust; empty: those of the system."""
    alert_apprise: bool = False
    """Whether alert channels of the kind apprise send; they may reach any network."""


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where the control plane listens."""

    grpc: str
    http: str
    proxy_grpc: str = ""
    """Empty: proxies connect where everybody does."""
    secure: bool = False
    """Whether gRPC and HTTP speak TLS."""


class ControlPlane:
    """All parts, put together. Use `run_control`; tests use `start` and `stop`."""

    def __init__(self, settings: ControlSettings, store: Store) -> None:
        self._settings = settings
        self.store = store
        clock, ids = SystemClock(), TimeOrderedIds()
        self._background = Background()
        self.hub = Hub()
        self.feed = Feed(store, self.hub)
        self.notices = Notices()
        self._clock = clock
        self.grouping = Grouping(store, clock)
        pressure = Pressure()
        self.gates = Gates(settings.flood, clock.monotonic_s, dice(), pressure)
        self.events = EventService(
            store, clock, ids, self.hub, self.notices, self.grouping, self.gates, pressure
        )
        self.fleet = Fleet(store, self.events, clock, ids, self._background)
        self.leads = Leadership(store)
        self.rollouts = Rollouts(store, self.fleet, self.events, clock, is_leader=self.leads)
        self.operations = FleetOperations(store, self.fleet, clock, ids, is_leader=self.leads)
        self.policies = PolicyService(store, clock, self.rollouts)
        self.health = HealthService(store, self.events, self.fleet, clock)
        self.alerting = Alerting(
            store,
            self.fleet,
            self.events,
            self.hub,
            self.notices,
            self._background,
            clock,
            ids,
            AlertSettings(
                directory=settings.data_dir,
                allowed=settings.alert_networks,
                ca_file=settings.alert_ca_file,
                apprise=settings.alert_apprise,
            ),
            stored=self.feed if settings.store_url else None,
        )
        self.groups = GroupService(store, clock)
        self.healing = healing_service(
            store,
            self.fleet,
            self.policies,
            self.events,
            self.operations,
            self.groups,
            self.alerting.asker.ask,
            clock,
            self._background,
            directory=None if settings.store_url else settings.data_dir,
            hooks=settings.hooks,
            may_act=self.leads,
        )
        neighbours = Neighbours(store, self.fleet, self._background)
        neighbours.follow(rollout_codec.KIND, self.rollouts.refresh)
        neighbours.follow(operations_domain.KIND, self.operations.load)
        neighbours.follow(healing_runbooks.KIND, self.healing.reload)
        store.watch(neighbours.told)
        self.access = Access(
            settings.access,
            store,
            clock,
            self._background,
            data_dir=settings.data_dir,
            grpc=settings.grpc_address,
            http=settings.http_address,
            dismiss=self.fleet.dismiss,
        )
        self.analysis = analysis_service(
            store,
            self.events,
            self.fleet,
            self.policies,
            clock,
            self.alerting.administration,
            directory=None if settings.store_url else settings.data_dir,
        )
        found = version()
        self.served = served = Registry()
        served.add(
            fleet_pb2_grpc.add_FleetServiceServicer_to_server,
            FleetServicer(self.fleet, self.events, found, stats_interval_s=settings.stats_interval_s),
        )
        served.serialise_with("seawall.v1.FleetService", "Connect", serialised)
        served.add(
            admin_policies_pb2_grpc.add_PolicyServiceServicer_to_server,
            PolicyServicer(self.policies, self.fleet),
        )
        served.add(
            admin_rollouts_pb2_grpc.add_RolloutServiceServicer_to_server,
            RolloutServicer(self.rollouts, clock),
        )
        served.add(
            admin_operations_pb2_grpc.add_FleetOperationServiceServicer_to_server,
            FleetOperationServicer(self.operations),
        )
        served.add(
            admin_events_pb2_grpc.add_EventServiceServicer_to_server,
            EventServicer(self.events, EventViews(store, clock)),
        )
        served.add(
            admin_groups_pb2_grpc.add_GroupServiceServicer_to_server,
            GroupServicer(self.groups, self.grouping),
        )
        served.add(
            admin_fleet_pb2_grpc.add_OperationsServiceServicer_to_server,
            OperationsServicer(self.fleet, self.health, found),
        )
        served.add(admin_healing_pb2_grpc.add_HealingServiceServicer_to_server, HealingServicer(self.healing))
        served.add(
            admin_alerts_pb2_grpc.add_AlertServiceServicer_to_server,
            AlertServicer(self.alerting.administration, self.alerting.reading, clock),
        )
        served.add(
            admin_analysis_pb2_grpc.add_AnalysisServiceServicer_to_server,
            AnalysisServicer(self.analysis, clock),
        )
        methods = self.access.add_services(served)
        try:
            sock = bind(settings.http_address)
        except (OSError, ValueError, OverflowError) as error:
            raise AddressInUse(
                f"the HTTP address {settings.http_address} cannot be used ({error}); "
                "choose another with --http"
            ) from error
        try:
            self._grpc = self.access.grpc_server(served, methods, settings.grpc_address)
        except RuntimeError as error:
            sock.close()
            raise AddressInUse(
                f"the gRPC address {settings.grpc_address} cannot be used; choose another with --grpc"
            ) from error
        try:
            self._proxy_grpc = self.access.proxy_server(served, methods)
        except RuntimeError as error:
            sock.close()
            raise AddressInUse(
                f"the proxies' address {settings.access.proxy_grpc_address} cannot be used; choose another "
                "with --proxy-grpc"
            ) from error
        self._sock = sock
        self.parts = HttpParts(
            self.events,
            self.fleet,
            self.health,
            self.hub,
            self.feed,
            clock,
            served,
            found,
            self.access.gate,
            methods,
            lambda: self.alerting.evaluator.firing,
            lambda: (
                change_metrics.render(
                    self.rollouts.active, self.rollouts.ended, len(self.operations.all(active_only=True))
                )
                + alert_metrics.render(self.alerting.numbers())
            ),
            settings.access.open_metrics,
        )
        tls = self.access.protection.admin
        self._http = HttpServer(
            self.parts, sock, origins=settings.http_origins, context=tls.http_context() if tls else None
        )
        self.addresses = Addresses(
            self._grpc.address,
            self._http.address,
            self._proxy_grpc.address if self._proxy_grpc else "",
            secure=tls is not None,
        )
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Serve."""
        await self.grouping.load()
        await self.fleet.load()
        await self.leads.look()
        await self.rollouts.load()
        await self.healing.load()
        await self.operations.load()
        await self.alerting.evaluator.start()
        retention = Retention(self.store, self._settings.keeping, self._clock)
        loops: dict[str, Callable[[], Coroutine[Any, Any, None]]] = {
            "fleet": self.fleet.run,
            "leadership": self.leads.run,
            "rollouts": self.rollouts.run,
            "feed": self.feed.run,
            "healing": self.healing.run,
            "operations": self.operations.run,
            "retention": lambda: retention.run(self.leads),
            "groups": lambda: group_watch.run(
                self.store, self.notices, self.grouping, self._clock, self.leads
            ),
            "store-watch": lambda: store_watch.run(self.store, self.notices, self._clock),
            "alert-deliveries": self.alerting.deliverer.run,
            "alert-rules": self.alerting.evaluator.run,
            "analysis": self.analysis.run,
            **self.access.loops(),
        }
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(self._http.run(), name="seawall-http")]
        self._tasks += [
            loop.create_task(kept_going(name, run), name=f"seawall-{name}") for name, run in loops.items()
        ]
        for server in self._grpc_servers():
            await server.start()
        self.access.announce(self.addresses.grpc, self.addresses.http)

    def _grpc_servers(self) -> list[GrpcServer]:
        return [self._grpc, self._proxy_grpc] if self._proxy_grpc else [self._grpc]

    async def stop(self) -> None:
        """Drain and end everything but the store."""
        self.health.draining = True
        for server in self._grpc_servers():
            await server.drain()
        self.fleet.close()
        stopping = ShuttingDown("the control plane is stopping; follow again in a moment")
        for followed in (self.hub, self.feed, self.rollouts.watchers):
            followed.close(stopping)
        self.alerting.close()
        self._http.stop()
        await asyncio.gather(*(server.stop(self._settings.grace_s) for server in self._grpc_servers()))
        for task in self._tasks[1:]:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._tasks:
            await self.alerting.evaluator.aclose()
        if not self._tasks:
            self._sock.close()
        await self._background.aclose(self._settings.grace_s)


async def run_control(
    settings: ControlSettings,
    *,
    ready: Callable[[Addresses], None] | None = None,
    stop: asyncio.Event | None = None,
) -> int:
    """Run the control plane until `stop` is set; return the exit code.

    `ready` is called once with the addresses when everything is served. Raises `StoreRefused`,
    `ListenRefused`, `TlsMistake`, `AuthorityUnusable` and `AddressInUse` before anything is served.
    Cancelling drains as `stop` does. Signals are the caller's business (main.py).
    """
    stop = stop or asyncio.Event()
    check_listeners(settings.access, settings.grpc_address, settings.http_address)
    store = await open_store(settings.data_dir, settings.store_url)
    try:
        plane = ControlPlane(settings, store)
        try:
            await plane.start()
            if ready is not None:
                ready(plane.addresses)
            await _first_of(stop, store.failed)
        finally:
            await plane.stop()
    finally:
        await store.aclose()
    if store.failed.is_set():
        _log.error("the store failed; the process ends so that it is verified at the next start")
        return EXIT_STORE_FAILED
    return EXIT_OK


async def _first_of(*events: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()
    tasks = [loop.create_task(event.wait()) for event in events]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


__all__ = [
    "AddressInUse",
    "Addresses",
    "ControlPlane",
    "ControlSettings",
    "StoreRefused",
    "run_control",
    "version",
]
