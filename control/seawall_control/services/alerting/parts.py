"""The parts of alerting, put together."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path

from seawall_control.domain.alerts.channels import Channel, ChannelKind
from seawall_control.domain.errors import ShuttingDown
from seawall_control.domain.events import Severity
from seawall_control.services.alerting.administration import AlertAdministration
from seawall_control.services.alerting.asking import Asker
from seawall_control.services.alerting.channels.addresses import Guard, Network
from seawall_control.services.alerting.channels.apprise import AppriseSender
from seawall_control.services.alerting.channels.email import EmailSender
from seawall_control.services.alerting.channels.https import Poster
from seawall_control.services.alerting.channels.local import FileSender, LogSender
from seawall_control.services.alerting.channels.webhook import SlackSender, WebhookSender
from seawall_control.services.alerting.claims import Claims
from seawall_control.services.alerting.continuity import Continuity
from seawall_control.services.alerting.deliverer import Deliverer
from seawall_control.services.alerting.evaluator import Evaluator
from seawall_control.services.alerting.feed import Feed
from seawall_control.services.alerting.group_changes import GroupChanges
from seawall_control.services.alerting.reading import AlertReading
from seawall_control.services.alerting.records import AlertRecords
from seawall_control.services.alerting.signals import Signals
from seawall_control.services.background import Background
from seawall_control.services.edge import Clock, Ids
from seawall_control.services.events import EventService
from seawall_control.services.feed import Feed as StoredEvents
from seawall_control.services.fleet import Fleet
from seawall_control.services.machine import Machine
from seawall_control.services.notices import Notices
from seawall_control.services.steady_clock import SteadyClock
from seawall_control.services.tail import Hub
from seawall_control.services.vault import Vault
from seawall_control.store.port import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertSettings:
    """What alerting is told at the start of the process."""

    directory: Path
    """For channels of files."""
    allowed: tuple[Network, ...] = ()
    """Networks that channels may reach though they are not of the internet."""
    ca_file: str = ""
    """Certificates of authorities that channels trust; empty: those of the system."""
    apprise: bool = False
    """Whether channels of the kind apprise send."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertNumbers:
    """Numbers for metrics; counted since the start but for what waits and rests."""

    fired: int = 0
    pending: int = 0
    sent: int = 0
    failures: int = 0
    given_up: int = 0
    resting: int = 0
    missed: int = 0
    overflow: int = 0


class Alerting:
    """Everything about alerts. `stored` is given where several control planes share the store: events are
    then those that any of them stores.
    """

    def __init__(  # noqa: PLR0913 - what is watched, and what is told
        self,
        store: Store,
        fleet: Fleet,
        events: EventService,
        hub: Hub,
        notices: Notices,
        background: Background,
        clock: Clock,
        ids: Ids,
        settings: AlertSettings,
        machine: Machine,
        *,
        vault: Vault,
        stored: StoredEvents | None,
        ages: Clock,
    ) -> None:
        def trouble(channel: Channel, error: str) -> None:
            background.start(
                events.report_own(
                    component="alerts",
                    error_type="alert_channel_failing",
                    message=f"Channel {channel.name} takes no messages: {error}. They wait and are tried "
                    "again; `seawall alerts deliveries` shows them.",
                    severity=Severity.MEDIUM,
                ),
                "seawall-event-alert-channel",
            )

        guard = Guard(settings.allowed)
        tls = ssl.create_default_context(cafile=settings.ca_file or None)
        poster = Poster(guard, tls)
        self._clock = clock
        self._records = records = AlertRecords(store, vault, ages)
        webhooks = WebhookSender(poster)
        self.asker = Asker(records, webhooks, clock)
        shared = stored is not None
        # Intervals are those of a clock that nobody sets; `tick` lets it follow the one on the wall.
        steady = SteadyClock(clock)
        own = ids.new()
        self.deliverer = Deliverer(
            records,
            steady,
            ids,
            {
                ChannelKind.EMAIL: EmailSender(guard, tls),
                ChannelKind.SLACK: SlackSender(poster),
                ChannelKind.WEBHOOK: webhooks,
                ChannelKind.FILE: FileSender(settings.directory / "alerts"),
                ChannelKind.LOG: LogSender(),
                ChannelKind.APPRISE: AppriseSender(is_on=settings.apprise),
            },
            trouble=trouble,
            claims=Claims(records, clock, own) if shared else None,
        )
        self._feed = Feed()
        self._signals = signals = Signals(
            store,
            fleet,
            hub,
            notices,
            self.deliverer,
            steady,
            machine,
            GroupChanges(store, clock, shared=shared),
            feed=stored,
        )
        continuity = Continuity(records, store, steady, shared=shared)
        self.evaluator = Evaluator(records, signals, self.deliverer, self._feed, steady, ids, continuity)
        self.administration = AlertAdministration(records, self.evaluator, self.deliverer, clock, ids)
        self.reading = AlertReading(records, self.evaluator, self._feed, clock)

    async def reseal(self) -> int:
        """Seal the secrets of channels with the current key, and use those that can be read again; return of
        how many documents.
        """
        number = await self._records.reseal(at_us=self._clock.now_us())
        await self.evaluator.reload()
        return number

    def numbers(self) -> AlertNumbers:
        """Return the numbers."""
        return AlertNumbers(
            fired=self.evaluator.fired,
            pending=self.deliverer.pending,
            sent=self.deliverer.sent,
            failures=self.deliverer.failures,
            given_up=self.deliverer.given_up,
            resting=len(self.deliverer.resting()),
            missed=self._signals.missed,
            overflow=self.evaluator.overflow,
        )

    def close(self) -> None:
        """End the streams of those who follow."""
        self._feed.close(ShuttingDown("the control plane is stopping; follow again in a moment"))
