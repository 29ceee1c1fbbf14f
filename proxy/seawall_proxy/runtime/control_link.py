"""The stream to the control plane: policies in, results, events and statistics out, commands answered.

One stream at a time, kept up for ever. The proxy's calls never wait for any of this: without a control
plane the policy in force stays, events go to the spool, and the link tries again (link_state says when).
On the stream, one task reads, one writes; policies are applied one after the other by a task that
outlives the stream, because a half-applied policy must not be abandoned when the stream ends. A push that
comes while one is being applied waits, and a newer one takes its place; the answer goes to the stream
that asked, or nowhere.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from math import inf
from pathlib import Path
from time import monotonic, time
from typing import Final, TypeAlias

import grpc
import grpc.aio
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from seawall.v1 import event_pb2, fleet_pb2, fleet_pb2_grpc, policy_pb2
from seawall_proxy.runtime.link_events import EventPump
from seawall_proxy.runtime.link_identity import IdentityTrouble, LinkSecurity
from seawall_proxy.runtime.link_refused import RefusedFile
from seawall_proxy.runtime.link_state import MAX_BATCH_BYTES, Backoff, Shipping, StatsClock, pushback_s
from seawall_proxy.runtime.spool_report import spool_message
from seawall_proxy.telemetry.spool import Batch

log = logging.getLogger("seawall.control")

WELCOME_LIMIT_S: Final = 10.0
STABLE_S: Final = 5.0
"""A stream that lasted this long counts as a success for the back-off."""
WRITE_LIMIT_S: Final = 30.0
FLUSH_LIMIT_S: Final = 3.0
GOODBYE_LIMIT_S: Final = 1.0
RENEW_LOOK_S: Final = 15.0
MAX_MESSAGE_BYTES: Final = 16 << 20
MAX_REASONS: Final = 50
MAX_COMMANDS: Final = 64
POISON: Final = "poison"
_IN_ORDER: Final = "OK: "
"""How the reason begins of a stream that the control plane has ended because it was old."""

_CHANNEL_OPTIONS: Final[tuple[tuple[str, int], ...]] = (
    # A black hole is found within 40 s; pings without calls are not needed, since the stream is always there.
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    # gRPC has one ping under way at a time, and waits a minute for those that measure the bandwidth: the one
    # that asks whether anybody is there would not even be sent.
    ("grpc.http2.ping_timeout_ms", 10_000),
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    # The link does its own retries and back-off; a pooled subchannel would add another one's.
    ("grpc.enable_retries", 0),
    ("grpc.use_local_subchannel_pool", 1),
    # The control plane is the proxy's own peer: never through a proxy of the environment.
    ("grpc.enable_http_proxy", 0),
)

# What a write raises when the stream is over; why it is over, the stream's status says.
_STREAM_ENDED: Final = (grpc.aio.AioRpcError, grpc.aio.UsageError, asyncio.InvalidStateError, TimeoutError)

Stream: TypeAlias = "grpc.aio.StreamStreamCall[fleet_pb2.ConnectRequest, fleet_pb2.ConnectResponse]"

ApplyPolicy: TypeAlias = Callable[[policy_pb2.PolicyDocument, int, str], Awaitable[list[str]]]
"""Puts a document in force (document, revision, hash); returns why it was refused, or nothing."""
RunCommand: TypeAlias = Callable[[fleet_pb2.Command], Awaitable[tuple[bool, str]]]
"""Does what it is told; returns whether it was done, and why not."""


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


@dataclass(frozen=True, slots=True)
class AppliedPolicy:
    """What is in force now."""

    revision: int
    digest: str
    source: str
    """`live`, `last_good`, `file`, `none`."""


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
        self._apply: ApplyPolicy = apply
        self._applied: Callable[[], AppliedPolicy] = applied
        self._stats: Callable[[], fleet_pb2.StatsReport] = stats
        self._command: RunCommand = command
        self._refused: RefusedFile | None = None if refused_path is None else RefusedFile(refused_path)
        self._security: LinkSecurity | None = security

        self._backoff: Backoff = Backoff(draw)
        self._pushback_s: float = 0.0
        """How long the control plane asked to wait before the next attempt."""
        self._shipping: Shipping = Shipping()
        self._clock: StatsClock = StatsClock()
        self._wake: asyncio.Event = asyncio.Event()
        self._outbox: deque[fleet_pb2.ConnectRequest] = deque()
        self._commands: deque[tuple[int, fleet_pb2.Command]] = deque()
        self._command_waits: asyncio.Event = asyncio.Event()
        self._push: tuple[int, fleet_pb2.PolicyPush] | None = None
        self._push_waits: asyncio.Event = asyncio.Event()
        self._session: int = 0
        self._welcomed: bool = False
        self._in_flight: Batch | None = None
        self._leaving: str | None = None
        """Why the process ends, once it does."""
        self._left: asyncio.Event = asyncio.Event()

        self._since: float = 0.0
        self._contact: float = -inf
        self._attempts: int = 0
        self._connects: int = 0
        self._last_error: str = ""
        self._pushed_revision: int = 0
        self._latest_revision: int = 0
        self._nack_revision: int = 0
        self._nack_reasons: list[str] = []
        self._events_acked: int = 0
        self._events_refused: int = 0

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
        self._pump.on_spooled(self._wake.set)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._apply_pushes())
            tasks.create_task(self._run_commands())
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
            self._wake.set()
            await asyncio.sleep(0.02)
        return False

    async def goodbye(self, reason: str, limit_s: float = GOODBYE_LIMIT_S) -> None:
        """Say that the process ends in order, finish the stream and open no other; waits until the control
        plane has heard it, at most `limit_s`.
        """
        self._leaving = reason
        if not self._welcomed:
            return
        self._wake.set()
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
            "pushed_revision": self._pushed_revision,
            "latest_revision": self._latest_revision,
            "policy_age_seconds": self.policy_age_s(),
            "last_nack_revision": self._nack_revision,
            "last_nack_reason": "; ".join(self._nack_reasons),
            "certificate_expires": None if self._security is None else self._security.expires_s,
            "certificate_trouble": "" if self._security is None else self._security.trouble,
            "events_acked": self._events_acked,
            "events_refused": self._events_refused,
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
            if self._leaving is not None:
                self._left.set()
                await asyncio.Event().wait()  # until cancelled: nobody is to be connected to any more
            spool = self._pump.spool_status()
            waiting = spool is not None and spool.depth > 0
            delay_s = self._backoff.next_delay(events_waiting=waiting)
            await asyncio.sleep(max(delay_s, self._pushback_s))
            self._pushback_s = 0.0

    def _ended(self, error: str) -> None:
        if self._welcomed:
            now = monotonic()
            # A stream that ends as soon as it is used must not be opened again at once, for ever.
            if now - self._since >= STABLE_S:
                self._backoff.reset()
            self._contact = self._since = now
            if self._leaving is not None:
                log.info("left the control plane at %s", self._target)
            elif error.startswith(_IN_ORDER):
                log.info("the control plane at %s asks to connect anew", self._target)
            else:
                log.warning("lost the control plane at %s: %s", self._target, error)
        elif error != self._last_error:
            log.warning("cannot reach the control plane at %s: %s", self._target, error)
        self._welcomed = False
        self._last_error = error
        self._session += 1
        self._clock.stop()
        self._outbox.clear()
        self._in_flight = None
        poisoned = self._shipping.stream_broke()
        if poisoned:
            log.error("event %d ended the stream again and again and is set aside", poisoned)

    async def _one_stream(self) -> str:
        """Open a stream and use it until it ends; return why it did."""
        metadata: tuple[tuple[str, str], ...] = ()
        if self._security is not None:
            await self._security.prepare()
            metadata = self._security.metadata()
        async with self._channel() as channel:
            stub = fleet_pb2_grpc.FleetServiceStub(channel)  # type: ignore[no-untyped-call]
            stream: Stream = stub.Connect(metadata=metadata)
            try:
                async with asyncio.timeout(WELCOME_LIMIT_S):
                    await stream.write(fleet_pb2.ConnectRequest(hello=self._hello()))
                    first = await stream.read()
                if isinstance(first, fleet_pb2.ConnectResponse):
                    if first.WhichOneof("kind") != "welcome":
                        return "the control plane did not begin with a welcome"
                    await self._use(stream, first)
                code = await stream.code()
                self._pushback_s = pushback_s(await stream.trailing_metadata() or ())
                return f"{code.name}: {await stream.details() or 'the stream was ended'}"
            finally:
                stream.cancel()

    @asynccontextmanager
    async def _channel(self) -> AsyncIterator[grpc.aio.Channel]:
        security = self._security
        credentials = None if security is None else security.credentials()
        if security is None or credentials is None:
            channel = grpc.aio.insecure_channel(self._target, options=_CHANNEL_OPTIONS)
        else:
            options = (*_CHANNEL_OPTIONS, *security.options())
            channel = grpc.aio.secure_channel(self._target, credentials, options=options)
        try:
            yield channel
        finally:
            await channel.close()

    def _hello(self) -> fleet_pb2.Hello:
        who = self._identity
        applied = self._applied()
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

    # ---------------------------------------------------------------------------------------- the stream

    async def _use(self, stream: Stream, first: object) -> None:
        """Read and write until the stream ends."""
        writer: asyncio.Task[None] | None = None
        try:
            message = first
            while isinstance(message, fleet_pb2.ConnectResponse):
                await self._receive(message)
                if writer is None and self._welcomed:
                    writer = asyncio.create_task(self._write(stream))
                    # A stream that cannot be written to is no stream: the reader is ended with it.
                    writer.add_done_callback(lambda _: stream.cancel())
                message = await stream.read()
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            # The stream was cancelled, not we: its status says why it ended.
        finally:
            if writer is not None:
                writer.cancel()
                (failure,) = await asyncio.gather(writer, return_exceptions=True)
                if isinstance(failure, Exception) and not isinstance(failure, _STREAM_ENDED):
                    log.error("writing to the control plane failed", exc_info=failure)

    async def _receive(self, message: fleet_pb2.ConnectResponse) -> None:
        kind = message.WhichOneof("kind")
        if kind == "welcome":
            self._welcome(message.welcome)
        elif kind == "policy":
            self._pushed_revision = message.policy.revision
            self._latest_revision = max(self._latest_revision, message.policy.revision)
            self._push = (self._session, message.policy)
            self._push_waits.set()
        elif kind == "event_ack":
            await self._acknowledged(message.event_ack)
        elif kind == "command":
            self._accept_command(message.command)

    def _welcome(self, welcome: fleet_pb2.Welcome) -> None:
        now = monotonic()
        self._welcomed = True
        self._since = now
        self._connects += 1
        self._last_error = ""
        self._latest_revision = welcome.latest_revision
        self._clock.start(welcome.stats_interval.ToTimedelta().total_seconds(), now)
        self._wake.set()
        log.info("connected to the control plane at %s (version %s)", self._target, welcome.version)

    async def _write(self, stream: Stream) -> None:
        while True:
            self._wake.clear()
            message = await self._next_message()
            if message is not None:
                async with asyncio.timeout(WRITE_LIMIT_S):
                    await stream.write(message)
                continue
            if self._leaving is not None:
                async with asyncio.timeout(WRITE_LIMIT_S):
                    goodbye = fleet_pb2.Goodbye(reason=self._leaving)
                    await stream.write(fleet_pb2.ConnectRequest(goodbye=goodbye))
                    await stream.done_writing()
                await asyncio.Event().wait()  # until the reader has seen the end
            wait_s = min(self._clock.next_deadline(), self._shipping.next_deadline()) - monotonic()
            try:
                async with asyncio.timeout(None if wait_s == inf else max(wait_s, 0.0)):
                    await self._wake.wait()
            except TimeoutError:
                pass

    async def _next_message(self) -> fleet_pb2.ConnectRequest | None:
        """Return what to say next: answers first, then statistics, then events."""
        if self._outbox:
            return self._outbox.popleft()
        if self._leaving is not None:
            return None
        now = monotonic()
        if self._clock.take(now):
            return self._stats_message()
        limit = self._shipping.limit(now)
        if limit == 0:
            return None
        status = self._pump.spool_status()
        if status is None or status.depth == 0:
            return None
        batch = await self._pump.take(limit, MAX_BATCH_BYTES)
        if batch is None:
            return None
        self._in_flight = batch
        message, first = self._encode(batch)
        self._shipping.sent(first, batch.through, len(batch.events), now)
        return fleet_pb2.ConnectRequest(events=message)

    def _stats_message(self) -> fleet_pb2.ConnectRequest | None:
        try:
            return fleet_pb2.ConnectRequest(stats=self._report())
        except Exception:
            # Numbers that cannot be told must not keep events and answers from being told.
            log.exception("the statistics report failed")
            return None

    def _report(self) -> fleet_pb2.StatsReport:
        report = self._stats()
        spool = spool_message(self._pump.spool_status(), self._pump.problem, time())
        if spool is not None:
            report.spool.CopyFrom(spool)
        return report

    def _encode(self, batch: Batch) -> tuple[fleet_pb2.EventBatch, int]:
        """Return the message of a batch, and its first number."""
        message = fleet_pb2.EventBatch(spool_id=batch.spool_id, oldest_seq=batch.oldest)
        numbers = [gap.first for gap in batch.gaps]
        for seq, payload in batch.events:
            numbers.append(seq)
            if seq in self._shipping.poisoned:
                message.gaps.append(fleet_pb2.EventGap(from_seq=seq, to_seq=seq, reason=POISON))
                continue
            entry = message.events.add(seq=seq)
            entry.event.ParseFromString(payload)
        for gap in batch.gaps:
            message.gaps.append(fleet_pb2.EventGap(from_seq=gap.first, to_seq=gap.last, reason=gap.reason))
        return message, min(numbers)

    # ---------------------------------------------------------------------------------------- events

    async def _acknowledged(self, ack: fleet_pb2.EventAck) -> None:
        batch = self._in_flight
        if batch is not None and ack.send_from_seq and await self._goes_back(batch, ack):
            return
        poisoned = self._shipping.poisoned
        if batch is None or ack.spool_id != batch.spool_id or not self._shipping.acked(ack.through_seq):
            # A late answer to a batch that was sent twice: the second answer says the same.
            return
        self._backoff.reset()
        through = min(ack.through_seq, batch.through)
        refused = {refusal.seq: refusal.reason for refusal in ack.refusals}
        done = [seq for seq, _ in batch.events if seq <= through]
        self._events_acked += sum(seq not in refused and seq not in poisoned for seq in done)
        for seq, payload in batch.events:
            if seq in refused and seq <= through:
                await self._set_aside(batch.spool_id, seq, refused[seq], payload)
            elif seq in poisoned and seq <= through:
                await self._set_aside(batch.spool_id, seq, POISON, payload)
        await self._pump.ack(batch.spool_id, through)
        if through >= batch.through:
            self._in_flight = None
        self._wake.set()

    async def _goes_back(self, batch: Batch, ack: fleet_pb2.EventAck) -> bool:
        """Send again what another store has acknowledged and this one lacks; tell whether there is such."""
        if ack.spool_id != batch.spool_id or ack.send_from_seq > batch.through:
            return False
        if not await self._pump.rewind(batch.spool_id, ack.send_from_seq - 1):
            return False
        log.warning("the control plane's store lacks events from number %d on: sent again", ack.send_from_seq)
        self._backoff.reset()
        self._in_flight = None
        self._shipping.begin_again()
        self._wake.set()
        return True

    async def _set_aside(self, spool_id: str, seq: int, reason: str, payload: bytes) -> None:
        self._events_refused += 1
        log.error("the control plane refuses event %d for good: %s", seq, reason)
        if self._refused is not None:
            event = event_pb2.ErrorEvent.FromString(payload)
            try:
                await self._pump.on_disk(self._refused.add, spool_id, seq, reason, event)
            except OSError as error:
                log.error("the dead-letter file does not take it: %s", error)  # noqa: TRY400

    # ---------------------------------------------------------------------------------------- policies

    async def _apply_pushes(self) -> None:
        while True:
            await self._push_waits.wait()
            self._push_waits.clear()
            if self._push is None:
                continue
            session, push = self._push
            self._push = None
            result = await self._result_of(push)
            if session == self._session:
                self._outbox.append(fleet_pb2.ConnectRequest(policy_result=result))
                self._wake.set()

    async def _result_of(self, push: fleet_pb2.PolicyPush) -> fleet_pb2.PolicyResult:
        began = monotonic()
        before = self._applied()
        reasons: list[str] = []
        if (before.revision, before.digest) != (push.revision, push.hash) or not push.hash:
            try:
                reasons = await self._apply(push.document, push.revision, push.hash)
            except Exception as error:
                log.exception("revision %d could not be applied", push.revision)
                reasons = [f"applying it failed in the proxy: {type(error).__name__}: {error}"]
        if reasons:
            self._nack_revision = push.revision
            self._nack_reasons = reasons[:MAX_REASONS]
            log.error(
                "revision %d is refused, the policy in force stays: %s", push.revision, "; ".join(reasons)
            )
        duration = Duration()
        duration.FromMicroseconds(int((monotonic() - began) * 1e6))
        applied = self._applied()
        return fleet_pb2.PolicyResult(
            nonce=push.nonce,
            revision=push.revision,
            verdict=fleet_pb2.POLICY_VERDICT_NACK if reasons else fleet_pb2.POLICY_VERDICT_ACK,
            reasons=reasons[:MAX_REASONS],
            applied_revision=applied.revision,
            applied_hash=applied.digest,
            apply_duration=duration,
        )

    # ---------------------------------------------------------------------------------------- commands

    def _accept_command(self, command: fleet_pb2.Command) -> None:
        if len(self._commands) >= MAX_COMMANDS:
            self._answer_command(
                command.id, self._session, False, f"{MAX_COMMANDS} commands are waiting already"
            )
            return
        self._commands.append((self._session, command))
        self._command_waits.set()

    async def _run_commands(self) -> None:
        while True:
            await self._command_waits.wait()
            self._command_waits.clear()
            while self._commands:
                session, command = self._commands.popleft()
                try:
                    ok, message = await self._command(command)
                except Exception as error:
                    log.exception("command %s failed", command.id)
                    ok, message = False, f"{type(error).__name__}: {error}"
                self._answer_command(command.id, session, ok, message)

    def _answer_command(self, command_id: str, session: int, ok: bool, message: str) -> None:
        if session == self._session:
            # The statistics first: whoever reads them after the answer sees what the command did.
            self._outbox.append(fleet_pb2.ConnectRequest(stats=self._report()))
            result = fleet_pb2.CommandResult(id=command_id, ok=ok, message=message)
            self._outbox.append(fleet_pb2.ConnectRequest(command_result=result))
            self._wake.set()
