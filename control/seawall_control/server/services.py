"""The use cases, put together over one store: who is given whom."""

from __future__ import annotations

import socket

from seawall_control.access import Access, store_keys
from seawall_control.domain import operations as operations_domain
from seawall_control.domain.flood import Gates, Pressure
from seawall_control.domain.rollout import codec as rollout_codec
from seawall_control.server.settings import ControlSettings, version
from seawall_control.services.alerting.parts import Alerting, AlertSettings
from seawall_control.services.analysis.assembly import analysis_service, queues_of
from seawall_control.services.analysis.filling import Filling
from seawall_control.services.analysis.recovery import RecoveryReports
from seawall_control.services.archives import Archives
from seawall_control.services.background import Background
from seawall_control.services.edge import SystemClock, TimeOrderedIds, dice
from seawall_control.services.event_views import EventViews
from seawall_control.services.events import EventService
from seawall_control.services.feed import Feed
from seawall_control.services.fleet import Fleet
from seawall_control.services.fleet_door import Door
from seawall_control.services.fleet_sharing import FleetSharing
from seawall_control.services.grouping import Grouping
from seawall_control.services.groups import GroupService
from seawall_control.services.healing import runbooks as healing_runbooks
from seawall_control.services.healing.assembly import healing_service
from seawall_control.services.health import HealthService
from seawall_control.services.leadership import Leadership
from seawall_control.services.machine import Machine
from seawall_control.services.neighbours import Neighbours
from seawall_control.services.notices import Notices
from seawall_control.services.operations import FleetOperations
from seawall_control.services.policies import PolicyService
from seawall_control.services.proposals import ProposalService
from seawall_control.services.retention import Retention
from seawall_control.services.rollouts import Rollouts
from seawall_control.services.runs import Runs
from seawall_control.services.settled_clock import SettledClock
from seawall_control.services.tail import Hub
from seawall_control.services.vault import Vault
from seawall_control.store.port import Store


class Services:
    """The use cases. Raise `TlsMistake` or `AuthorityUnusable` for credentials that cannot be."""

    def __init__(self, settings: ControlSettings, store: Store) -> None:
        self.settings = settings
        self.store = store
        self.clock = clock = SystemClock()
        self.ages = SettledClock(clock)
        # A machine's own file and what depends on it; a shared database says nothing about this machine.
        self.machine = Machine(clock, None if settings.store_url else settings.data_dir)
        ids = TimeOrderedIds()
        self.background = Background()
        self.hub = Hub()
        self.feed = Feed(store, self.hub)
        self.notices = Notices()
        self.grouping = Grouping(store, clock)
        pressure = Pressure()
        self.gates = Gates(settings.flood, clock.monotonic_s, dice(), pressure)
        self.events = EventService(
            store, clock, ids, self.hub, self.notices, self.grouping, self.gates, pressure
        )
        if store.is_shared:
            self.events.tail_from(self.feed)
        self.event_views = EventViews(store, clock)
        run_id = ids.new()
        name = _name(settings, run_id)
        self.runs = Runs(
            store,
            self.events,
            clock,
            self.background,
            name=name,
            run_id=run_id,
            version=version(),
        )
        door = Door(clock, dice(), age_s=settings.stream_age_s)
        self.fleet = Fleet(store, self.events, clock, ids, self.background, self.runs, door)
        self.leads = Leadership(store)
        self.rollouts = Rollouts(store, self.fleet, self.events, clock, is_leader=self.leads)
        self.sharing = FleetSharing(store, self.fleet, self.rollouts.judged, clock, name=name, run_id=run_id)
        self.operations = FleetOperations(store, self.fleet, clock, ids, is_leader=self.leads)
        self.policies = PolicyService(store, clock, self.rollouts, two_person=settings.access.two_person)
        self.proposals = ProposalService(store, store, clock, ids)
        self.health = HealthService(store, self.events, self.fleet, clock, settings.event_limits)
        self.keys = store_keys(settings.access, store, clock, settings.data_dir)
        self.alerting = Alerting(
            store,
            self.fleet,
            self.events,
            self.hub,
            self.notices,
            self.background,
            clock,
            ids,
            AlertSettings(
                directory=settings.data_dir,
                allowed=settings.alert_networks,
                ca_file=settings.alert_ca_file,
                apprise=settings.alert_apprise,
            ),
            self.machine,
            vault=Vault(self.keys.keys),
            stored=self.feed if settings.store_url else None,
            ages=self.ages,
        )
        self.groups = GroupService(store, clock)
        self.archives = Archives(settings.data_dir / "archives", store, clock)
        self.filling = Filling(self.machine, self.fleet, clock, queues_of(store, self.alerting.deliverer))
        self.analysis = analysis_service(
            store,
            self.events,
            self.fleet,
            self.policies,
            clock,
            self.alerting.administration,
            filling=self.filling,
        )
        self.healing = healing_service(
            store,
            self.events,
            self.fleet,
            self.policies,
            self.archives,
            self.operations,
            self.groups,
            self.alerting.asker,
            clock,
            self.background,
            rollouts=self.rollouts,
            recommender=self.analysis.recommender,
            machine=self.machine,
            hooks=settings.hooks,
            may_act=self.leads,
            ages=self.ages,
        )
        neighbours = Neighbours(store, self.fleet, self.background)
        neighbours.follow(rollout_codec.KIND, self.rollouts.refresh)
        neighbours.follow(operations_domain.KIND, self.operations.load)
        neighbours.follow(healing_runbooks.KIND, self.healing.books.load)
        store.watch(neighbours.told)
        self.access = Access(
            settings.access,
            store,
            clock,
            self.background,
            data_dir=settings.data_dir,
            grpc=settings.grpc_address,
            http=settings.http_address,
            dismiss=self.fleet.dismiss,
            keys=self.keys,
            reseal=self.alerting.reseal,
            ages=self.ages,
        )
        self.recovery = RecoveryReports(store, self.fleet, clock, self.healing.journal.since)
        self.retention = Retention(store, settings.keeping, self.ages, self.archives)

    async def load(self) -> None:
        """Read from the store what is kept in memory, in the order in which one stands on the other."""
        await self.ages.load(self.store)
        await self.keys.begin(self.alerting.reseal)
        await self.grouping.load()
        await self.fleet.load()
        await self.leads.look()
        await self.rollouts.load()
        await self.healing.load()
        await self.operations.load()
        await self.alerting.evaluator.start()
        await self.runs.begin()


def _name(settings: ControlSettings, run_id: str) -> str:
    """Return what this control plane is called among others on its store: its machine and port. One that has
    the store for itself needs no name of its own, and a port that was picked says nothing at the next start.
    """
    if not settings.store_url:
        return "control"
    address = settings.grpc_address
    return f"{socket.gethostname()}/{run_id if address.endswith(':0') else address}"[:128]
