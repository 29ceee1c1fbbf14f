"""The stream to the control plane is kept up for ever, one at a time.

The proxy's calls never wait for any of this: without a control plane the policy in force stays, events go to
the spool, and the link tries again (`backoff` says when).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf
from pathlib import Path
from time import monotonic
from typing import Final

import grpc
import grpc.aio
from google.protobuf.timestamp_pb2 import Timestamp

from seawall.v1 import fleet_pb2, fleet_pb2_grpc
from seawall_proxy.runtime.control.backoff import Backoff, pushback_s
from seawall_proxy.runtime.control.commands import Commands, RunCommand
from seawall_proxy.runtime.control.delivery import Delivery
from seawall_proxy.runtime.control.identity import IdentityTrouble, LinkSecurity
from seawall_proxy.runtime.control.outbox import Outbox
from seawall_proxy.runtime.control.pushes import AppliedPolicy, ApplyPolicy, Pushes
from seawall_proxy.runtime.control.reports import Reports
from seawall_proxy.runtime.control.stream import Call, Stream, opened
from seawall_proxy.runtime.event_pump import EventPump

log = logging.getLogger("seawall.control")

WELCOME_LIMIT_S: Final = 10.0
STABLE_S: Final = 5.0
"""A stream that lasted this long counts as a success for the back-off."""
FLUSH_LIMIT_S: Final = 3.0
GOODBYE_LIMIT_S: Final = 1.0
RENEW_LOOK_S: Final = 15.0
_IN_ORDER: Final = "OK: "
"""How the reason begins of a stream that the control plane has ended because it was old."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkIdentity:
    """Who connects: what a Hello says that does not change."""

    node: str
    boot_id: str
    version: str
    start_s: float
    """Wall-clock seconds."""
    labels: dict[str, str] = field(default_factory=dict)
    policy_set: str = ""
    admin_address: str = ""
    schema_version: int = 1


class ControlLink:
    """Keeps the stream. `apply`, `applied`, `stats` and `command` are the runtime's; `draw` gives [0, 1)."""

    def __init__(
        self,
        target: str,
        identity: LinkIdentity,
        pump: EventPump,
        *,
        apply: ApplyPolicy,
        applied: Callable[[], AppliedPolicy],
        stats: Callable[[], fleet_pb2.StatsReport],
        command: RunCommand,
        draw: Callable[[], float],
        refused_path: Path | None = None,
        security: LinkSecurity | None = None,
    ) -> None:
        self._target: str = target
        self._identity: LinkIdentity = identity
        self._pump: EventPump = pump
        self._security: LinkSecurity | None = security
        self._outbox: Outbox = Outbox()
        self._pushes: Pushes = Pushes(self._outbox, apply, applied)
        self._reports: Reports = Reports(stats, pump)
        self._commands: Commands = Commands(self._outbox, self._reports, command)
        self._backoff: Backoff = Backoff(draw)
        self._delivery: Delivery = Delivery(pump, self._outbox, refused_path, self._backoff.reset)
        self._stream: Stream = Stream(
            self._outbox, self._pushes, self._commands, self._reports, self._delivery
        )
        self._pushback_s: float = 0.0
        """How long the control plane asked to wait before the next attempt."""
        self._welcomed: bool = False
        self._left: asyncio.Event = asyncio.Event()
        self._since: float = 0.0
        self._contact: float = -inf
        self._attempts: int = 0
        self._connects: int = 0
        self._last_error: str = ""

    def __repr__(self) -> str:
        state = "connected" if self._welcomed else "away"
        return f"ControlLink({self._target}: {state}, {self._connects} connects)"

    @property
    def connected(self) -> bool:
        """Whether the control plane has welcomed us on the stream that is open."""
        return self._welcomed

    async def run(self) -> None:
        """Keep the stream up until cancelled."""
        self._since = monotonic()
        self._pump.on_spooled(self._outbox.wake.set)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._pushes.run())
            tasks.create_task(self._commands.run())
            tasks.create_task(self._renew())
            await self._keep_connected()

    async def _renew(self) -> None:
        """Keep the identity fresh while a stream is open; without one it is looked at before the next."""
        while self._security is not None:
            await asyncio.sleep(RENEW_LOOK_S)
            if self._welcomed:
                await self._security.renew_if_due()

    async def flush(self, limit_s: float = FLUSH_LIMIT_S) -> bool:
        """Wait until the control plane has every event that is spooled, at most `limit_s`; tell whether
        it has.
        """
        until = monotonic() + limit_s
        await self._pump.drain()
        while monotonic() < until:
            status = self._pump.spool_status()
            if status is None or status.depth == 0:
                return True
            if not self._welcomed:
                return False
            self._outbox.wake.set()
            await asyncio.sleep(0.02)
        return False

    async def goodbye(self, reason: str, limit_s: float = GOODBYE_LIMIT_S) -> None:
        """Say that the process ends in order, finish the stream and open no other; waits until the control
        plane has heard it, at most `limit_s`.
        """
        self._stream.leaving = reason
        if not self._welcomed:
            return
        self._outbox.wake.set()
        try:
            async with asyncio.timeout(limit_s):
                await self._left.wait()
        except TimeoutError:
            log.info("the control plane has not heard within %g s that this process ends", limit_s)

    def status(self) -> dict[str, object]:
        """Return what /status says about the link and the spool."""
        now = monotonic()
        spool = self._pump.spool_status()
        return {
            "target": self._target,
            "connected": self._welcomed,
            "since_seconds": round(now - self._since, 3),
            "connects": self._connects,
            "attempts": self._attempts,
            "last_error": self._last_error,
            "pushed_revision": self._pushes.pushed_revision,
            "latest_revision": self._pushes.latest_revision,
            "policy_age_seconds": self.policy_age_s(),
            "last_nack_revision": self._pushes.nack_revision,
            "last_nack_reason": "; ".join(self._pushes.nack_reasons),
            "certificate_expires": None if self._security is None else self._security.expires_s,
            "certificate_trouble": "" if self._security is None else self._security.trouble,
            "events_acked": self._delivery.acked,
            "events_refused": self._delivery.refused,
            "spool_problem": self._pump.problem,
            "spool": None
            if spool is None
            else {
                "id": spool.spool_id,
                "depth": spool.depth,
                "bytes": spool.bytes,
                "segments": spool.segments,
                "oldest": spool.oldest_s,
                "dropped": spool.dropped,
                "degraded": spool.degraded,
            },
        }

    def policy_age_s(self) -> float | None:
        """Return for how long nobody has confirmed the policy in force: 0 while connected, None if nobody
        ever has.
        """
        if self._welcomed:
            return 0.0
        return None if self._contact == -inf else round(monotonic() - self._contact, 3)

    # ---------------------------------------------------------------------------------------- connecting

    async def _keep_connected(self) -> None:
        while True:
            self._attempts += 1
            try:
                error = await self._one_stream()
            except grpc.aio.AioRpcError as failure:
                error = f"{failure.code().name}: {failure.details()}"
                self._pushback_s = pushback_s(failure.trailing_metadata() or ())
            except IdentityTrouble as trouble:
                error = str(trouble)
            except TimeoutError:
                error = f"the control plane did not answer within {WELCOME_LIMIT_S:g} s"
            except (OSError, ValueError, grpc.aio.UsageError, asyncio.InvalidStateError) as failure:
                error = f"{type(failure).__name__}: {failure}"
            except Exception as failure:
                # Whatever it was, the link goes on: nobody would open another one.
                log.exception("the stream to the control plane failed")
                error = f"{type(failure).__name__}: {failure}"
            self._ended(error)
            if self._stream.leaving is not None:
                self._left.set()
                await asyncio.Event().wait()  # until cancelled: nobody is to be connected to any more
            delay_s = self._backoff.next_delay(events_waiting=self._delivery.waits)
            await asyncio.sleep(max(delay_s, self._pushback_s))
            self._pushback_s = 0.0

    def _ended(self, error: str) -> None:
        if self._welcomed:
            now = monotonic()
            # A stream that ends as soon as it is used must not be opened again at once, for ever.
            if now - self._since >= STABLE_S:
                self._backoff.reset()
            self._contact = self._since = now
            if self._stream.leaving is not None:
                log.info("left the control plane at %s", self._target)
            elif error.startswith(_IN_ORDER):
                log.info("the control plane at %s asks to connect anew", self._target)
            else:
                log.warning("lost the control plane at %s: %s", self._target, error)
        elif error != self._last_error:
            log.warning("cannot reach the control plane at %s: %s", self._target, error)
        self._welcomed = False
        self._last_error = error
        self._reports.clock.stop()
        self._outbox.stream_ended()
        self._delivery.stream_broke()

    async def _one_stream(self) -> str:
        """Open a stream and use it until it ends; return why it did."""
        metadata: tuple[tuple[str, str], ...] = ()
        if self._security is not None:
            await self._security.prepare()
            metadata = self._security.metadata()
        async with opened(self._target, self._security) as channel:
            stub = fleet_pb2_grpc.FleetServiceStub(channel)  # type: ignore[no-untyped-call]
            call: Call = stub.Connect(metadata=metadata)
            try:
                async with asyncio.timeout(WELCOME_LIMIT_S):
                    await call.write(fleet_pb2.ConnectRequest(hello=self._hello()))
                    first = await call.read()
                if isinstance(first, fleet_pb2.ConnectResponse):
                    if first.WhichOneof("kind") != "welcome":
                        return "the control plane did not begin with a welcome"
                    self._welcome(first.welcome)
                    await self._stream.use(call)
                code = await call.code()
                self._pushback_s = pushback_s(await call.trailing_metadata() or ())
                return f"{code.name}: {await call.details() or 'the stream was ended'}"
            finally:
                call.cancel()

    def _welcome(self, welcome: fleet_pb2.Welcome) -> None:
        now = monotonic()
        self._welcomed = True
        self._since = now
        self._connects += 1
        self._last_error = ""
        self._pushes.latest_revision = welcome.latest_revision
        self._reports.clock.start(welcome.stats_interval.ToTimedelta().total_seconds(), now)
        self._outbox.wake.set()
        log.info("connected to the control plane at %s (version %s)", self._target, welcome.version)

    def _hello(self) -> fleet_pb2.Hello:
        who = self._identity
        applied = self._pushes.applied()
        start = Timestamp()
        start.FromMicroseconds(int(who.start_s * 1e6))
        return fleet_pb2.Hello(
            node=who.node,
            labels=who.labels,
            boot_id=who.boot_id,
            version=who.version,
            policy_set=who.policy_set,
            applied_revision=applied.revision,
            applied_hash=applied.digest,
            policy_source=applied.source,
            start_time=start,
            schema_version=who.schema_version,
            admin_address=who.admin_address,
            says_goodbye=True,
        )
