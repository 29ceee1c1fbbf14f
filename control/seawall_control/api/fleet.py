"""FleetService.Connect: one stream a proxy, in three concurrent halves.

The reader takes messages in; events go to a short queue, so that a slow or full store stops the reading (and,
by flow control, the proxy) without an acknowledgement. The keeper stores batches in order, retries while the
disk is full, and acknowledges after COMMIT. The sender sends pushes, acknowledgements and commands. Whichever
half fails ends the stream, with a status that says why.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Final, TypeAlias

import grpc

from seawall.v1 import fleet_pb2 as pb
from seawall.v1 import fleet_pb2_grpc
from seawall_control.api import codec, stats_codec
from seawall_control.api.caller import current
from seawall_control.api.errors import Context, abort
from seawall_control.domain.access import check_node
from seawall_control.domain.errors import HelloMissing, InvalidRequest, StoreFull, StoreUnavailable
from seawall_control.domain.events import Gap
from seawall_control.domain.fleet import bounded_reasons
from seawall_control.domain.subscription import Answered
from seawall_control.services.event_intake import Receipt, Reported
from seawall_control.services.events import EventService
from seawall_control.services.fleet import Fleet
from seawall_control.services.hello import HelloFacts
from seawall_control.services.session import Outgoing, SendAck, SendCommand, SendPush, Session

HELLO_LIMIT_S: Final = 10.0
QUEUED_BATCHES: Final = 4
SLICE: Final = 500
"""Events stored in one transaction at most; a larger batch is stored in parts."""
MAX_ROUTES: Final = 10_000
MAX_CLUSTERS: Final = 10_000
_LENGTH_DELIMITED: Final = 2
_RETRY_S: Final = (0.2, 0.5, 1.0, 2.0, 5.0)


def _hello(message: pb.Hello) -> HelloFacts:
    return HelloFacts(
        node=message.node,
        boot_id=message.boot_id,
        labels=dict(message.labels),
        version=message.version,
        policy_set=message.policy_set,
        applied_revision=min(message.applied_revision, 2**62),
        applied_hash=message.applied_hash,
        policy_source=message.policy_source,
        start_time_us=codec.time_us(message.start_time),
        admin_address=message.admin_address,
        says_goodbye=message.says_goodbye,
    )


def _answer(message: pb.PolicyResult) -> Answered:
    if message.verdict not in (pb.POLICY_VERDICT_ACK, pb.POLICY_VERDICT_NACK):
        raise InvalidRequest("policy_result.verdict must be POLICY_VERDICT_ACK or POLICY_VERDICT_NACK")
    return Answered(
        nonce=message.nonce,
        accepted=message.verdict == pb.POLICY_VERDICT_ACK,
        reasons=bounded_reasons(message.reasons),
        applied_revision=min(message.applied_revision, 2**62),
        applied_hash=message.applied_hash[:128],
    )


def push_bytes(nonce: int, body: bytes) -> bytes:
    """Return an encoded `ConnectResponse` with a push, of which only the nonce is encoded anew.

    Encoded messages may be put one behind the other, and then are one message
    (https://protobuf.dev/programming-guides/encoding/#last-one-wins).
    """
    length = len(body)
    front = pb.PolicyPush(nonce=nonce).SerializeToString()
    length += len(front)
    head = bytearray([pb.ConnectResponse.POLICY_FIELD_NUMBER << 3 | _LENGTH_DELIMITED])
    while length > 0x7F:
        head.append(length & 0x7F | 0x80)
        length >>= 7
    head.append(length)
    return b"".join((head, front, body))


def serialised(message: pb.ConnectResponse | bytes) -> bytes:
    """Return the bytes of a message, or what is encoded already."""
    return message if isinstance(message, bytes) else message.SerializeToString()


def _encoded(item: Outgoing) -> pb.ConnectResponse | bytes:
    match item:
        case SendPush(push, body):
            return push_bytes(push.nonce, body)
        case SendAck(spool_id, through_seq, refusals, send_from):
            return pb.ConnectResponse(
                event_ack=pb.EventAck(
                    spool_id=spool_id,
                    through_seq=through_seq,
                    refusals=[pb.EventRefusal(seq=r.seq, reason=r.reason) for r in refusals],
                    send_from_seq=send_from,
                )
            )
        case SendCommand(command):
            return pb.ConnectResponse(command=command)


Spooled: TypeAlias = pb.EventBatch | pb.SpoolPosition
"""What a proxy says of its spool."""


class FleetServicer(fleet_pb2_grpc.FleetServiceServicer):
    """seawall.v1.FleetService."""

    def __init__(self, fleet: Fleet, events: EventService, version: str, *, stats_interval_s: float) -> None:
        self._fleet = fleet
        self._events = events
        self._version = version
        self._stats_interval_s = stats_interval_s

    async def Connect(self, request_iterator: AsyncIterator[pb.ConnectRequest], context: Context) -> None:
        """Serve one proxy's stream."""
        session: Session | None = None
        try:
            hello = _hello(await self._first(context))
            call = current()
            if call is not None:
                check_node(call.caller, hello.node)
            session = await self._fleet.attach(hello)
            newest = await self._fleet.pushes.newest(session.record.policy_set)
            welcome = pb.Welcome(
                version=self._version,
                latest_revision=newest.revision if newest else 0,
                stats_interval=codec.seconds(self._stats_interval_s),
            )
            await context.write(pb.ConnectResponse(welcome=welcome))
            await self._converse(session, context)
        except Exception as error:  # noqa: BLE001 - the table decides
            await abort(context, error)
        finally:
            if session is not None:
                self._fleet.detach(session)

    async def _first(self, context: Context) -> pb.Hello:
        try:
            async with asyncio.timeout(HELLO_LIMIT_S):
                message = await context.read()
        except TimeoutError:
            raise HelloMissing(f"no Hello within {HELLO_LIMIT_S:g} s") from None
        if not isinstance(message, pb.ConnectRequest) or message.WhichOneof("kind") != "hello":
            raise HelloMissing("the first message of the stream must be a Hello")
        hello: pb.Hello = message.hello
        return hello

    async def _converse(self, session: Session, context: Context) -> None:
        batches: asyncio.Queue[Spooled | None] = asyncio.Queue(QUEUED_BATCHES)
        loop = asyncio.get_running_loop()
        sender = loop.create_task(self._send(session, context), name="seawall-fleet-send")
        others = [
            loop.create_task(self._read(session, context, batches), name="seawall-fleet-read"),
            loop.create_task(self._keep(session, batches), name="seawall-fleet-keep"),
            loop.create_task(session.closed(), name="seawall-fleet-closed"),
        ]
        tasks = [sender, *others]
        try:
            # The sender ends by itself when the proxy has finished and everything is acknowledged; anybody
            # may end by an error.
            waiting = set(tasks)
            while not sender.done() and not any(t.done() and t.exception() for t in tasks):
                _, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            results = await asyncio.gather(*tasks, return_exceptions=True)
        for result in results:
            if isinstance(result, Exception):
                raise result

    async def _send(self, session: Session, context: Context) -> None:
        while (item := await session.next()) is not None:
            await context.write(_encoded(item))

    async def _read(self, session: Session, context: Context, batches: asyncio.Queue[Spooled | None]) -> None:
        while True:
            message = await context.read()
            if message is grpc.aio.EOF:
                await batches.put(None)
                return
            self._fleet.heard(session)
            kind = message.WhichOneof("kind")
            if kind == "events":
                session.batches += 1
                await batches.put(message.events)
            elif kind == "spool_position":
                session.batches += 1
                await batches.put(message.spool_position)
            elif kind == "policy_result":
                self._fleet.pushes.answered(session, _answer(message.policy_result))
            elif kind == "stats":
                self._stats(session, message.stats)
            elif kind == "command_result":
                self._fleet.command_answered(session, message.command_result)
            elif kind == "goodbye":
                session.goodbye = message.goodbye.reason
            elif kind == "hello":
                raise InvalidRequest("a stream has one Hello, at its start")
            # Anything else is of a newer version and is no reason to lose the stream.

    def _stats(self, session: Session, report: pb.StatsReport) -> None:
        if len(report.routes) > MAX_ROUTES:
            raise InvalidRequest(f"statistics of {len(report.routes)} routes; at most {MAX_ROUTES} are taken")
        if len(report.clusters) > MAX_CLUSTERS:
            raise InvalidRequest(
                f"statistics of {len(report.clusters)} clusters; at most {MAX_CLUSTERS} are taken"
            )
        self._fleet.reported(
            session,
            report,
            {route.route: stats_codec.counters_of(route) for route in report.routes},
            {cluster.cluster: stats_codec.cluster_counters_of(cluster) for cluster in report.clusters},
        )

    async def _keep(self, session: Session, batches: asyncio.Queue[Spooled | None]) -> None:
        met: set[str] = set()
        while (said := await batches.get()) is not None:
            if not 1 <= len(said.spool_id) <= 128:
                raise InvalidRequest("events.spool_id must have 1 to 128 characters")
            if len(met) > 64:
                raise InvalidRequest("a stream carries one spool; this one has had more than 64")
            if isinstance(said, pb.EventBatch):
                gaps = [Gap(gap.from_seq, gap.to_seq, gap.reason) for gap in said.gaps]
                begins = said.spool_id not in met
                for start in range(0, max(1, len(said.events)), SLICE):
                    receipt = await self._keep_part(
                        session,
                        said,
                        start,
                        gaps if start == 0 else [],
                        starts_stream=begins and start == 0,
                    )
                    session.send_ack(said.spool_id, receipt.through_seq, receipt.refusals, receipt.send_from)
                    met.add(said.spool_id)
            elif said.spool_id not in met:
                receipt = await self._kept(
                    session, said, [], [], starts_stream=True, next_seq=max(1, said.next_seq)
                )
                if receipt.send_from:
                    session.send_ack(said.spool_id, receipt.through_seq, (), receipt.send_from)
                met.add(said.spool_id)
            session.batches -= 1
        session.finish()

    async def _keep_part(
        self, session: Session, batch: pb.EventBatch, start: int, gaps: list[Gap], *, starts_stream: bool
    ) -> Receipt:
        events = [(item.seq, codec.event_of(item.event)) for item in batch.events[start : start + SLICE]]
        return await self._kept(session, batch, events, gaps, starts_stream=starts_stream)

    async def _kept(
        self,
        session: Session,
        said: Spooled,
        events: list[tuple[int, Reported]],
        gaps: list[Gap],
        *,
        starts_stream: bool,
        next_seq: int = 0,
    ) -> Receipt:
        """Store what was said, however long that takes."""
        tries = 0
        while True:
            try:
                return await self._events.ingest(
                    session.node,
                    said.spool_id,
                    events,
                    gaps,
                    starts_stream=starts_stream,
                    oldest_seq=said.oldest_seq,
                    next_seq=next_seq,
                )
            except (StoreFull, StoreUnavailable):
                # No acknowledgement and no reading on: the proxy keeps the events, and knows by the missing
                # answer.
                await asyncio.sleep(_RETRY_S[min(tries, len(_RETRY_S) - 1)])
                tries += 1
