"""Proxies that are nothing but their stream, many in one process, each with its part of the history."""

from __future__ import annotations

import asyncio
import contextlib
import random
from typing import Any

import grpc

from seawall.v1 import event_pb2, fleet_pb2, fleet_pb2_grpc
from tests.kit.history import Recorder
from tests.kit.processes import PATIENCE_S

OPTIONS = [
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.max_receive_message_length", -1),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
]


class Streamer:
    """One proxy's stream. Keeps what it has in effect over reconnects, as a process would."""

    def __init__(self, note: Recorder, channel: grpc.aio.Channel, node: str, *, boot: str = "boot") -> None:
        self.node = node
        self.revision = 0
        self.hash = ""
        self.acked: dict[str, int] = {}
        """The highest number that is acknowledged, of each spool."""
        self.refusals: dict[int, str] = {}
        self.connects = 0
        self._note = note
        self._boot = boot
        self._stub: Any = fleet_pb2_grpc.FleetServiceStub(channel)  # type: ignore[no-untyped-call]
        self._call: Any = None
        self._turn = asyncio.Lock()
        self._heard = asyncio.Condition()
        self._task: asyncio.Task[None] | None = None
        self._welcomed = asyncio.Event()

    async def open(self) -> None:
        """Connect, and wait for the welcome."""
        self._task = asyncio.create_task(self.run())
        async with asyncio.timeout(PATIENCE_S):
            await self._welcomed.wait()

    async def close(self) -> None:
        """End."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def run(self) -> None:
        """Keep the stream up until cancelled, with waits as a proxy has them."""
        dice = random.Random(self.node)
        while True:
            with contextlib.suppress(grpc.aio.AioRpcError, asyncio.InvalidStateError, grpc.aio.UsageError):
                await self._one_stream()
            self._welcomed.clear()
            await asyncio.sleep(dice.uniform(0.05, 1.0))

    async def _one_stream(self) -> None:
        call = self._call = self._stub.Connect()
        source = "live" if self.revision else "file"
        hello = fleet_pb2.Hello(
            node=self.node,
            boot_id=self._boot,
            applied_revision=self.revision,
            applied_hash=self.hash,
            policy_source=source,
        )
        try:
            await self._say(hello=hello)
            while (message := await call.read()) is not grpc.aio.EOF:
                await self._take(message, hello)
        finally:
            call.cancel()

    async def _say(self, **kind: Any) -> None:
        async with self._turn:
            await self._call.write(fleet_pb2.ConnectRequest(**kind))

    async def _take(self, message: fleet_pb2.ConnectResponse, hello: fleet_pb2.Hello) -> None:
        match message.WhichOneof("kind"):
            case "welcome":
                self.connects += 1
                self._note(
                    "hello",
                    node=self.node,
                    boot=self._boot,
                    revision=hello.applied_revision,
                    hash=hello.applied_hash,
                    source=hello.policy_source,
                )
                self._welcomed.set()
            case "policy":
                push = message.policy
                self._note("pushed", node=self.node, revision=push.revision, hash=push.hash)
                self.revision, self.hash = push.revision, push.hash
                self._note(
                    "answered", node=self.node, accepted=True, revision=push.revision, hash=push.hash,
                    applied=push.revision,
                )  # fmt: skip
                await self._say(
                    policy_result=fleet_pb2.PolicyResult(
                        nonce=push.nonce,
                        revision=push.revision,
                        verdict=fleet_pb2.POLICY_VERDICT_ACK,
                        applied_revision=push.revision,
                        applied_hash=push.hash,
                    )
                )
            case "event_ack":
                ack = message.event_ack
                refused = {refusal.seq: refusal.reason for refusal in ack.refusals}
                self._note(
                    "acked", node=self.node, spool=ack.spool_id, through=ack.through_seq,
                    refused=sorted(refused),
                )  # fmt: skip
                async with self._heard:
                    self.refusals.update(refused)
                    self.acked[ack.spool_id] = max(ack.through_seq, self.acked.get(ack.spool_id, 0))
                    self._heard.notify_all()

    async def send(
        self,
        spool: str,
        events: list[tuple[int, event_pb2.ErrorEvent]],
        gaps: list[tuple[int, int, str]] | None = None,
    ) -> None:
        """Send a batch; wait for the stream first."""
        async with asyncio.timeout(PATIENCE_S):
            await self._welcomed.wait()
        told = [[number, event.id, event.job_id] for number, event in events]
        self._note("sent", node=self.node, spool=spool, events=told, gaps=gaps or [])
        batch = fleet_pb2.EventBatch(
            spool_id=spool,
            events=[fleet_pb2.SequencedEvent(seq=number, event=event) for number, event in events],
            gaps=[fleet_pb2.EventGap(from_seq=a, to_seq=b, reason=why) for a, b, why in gaps or []],
        )
        await self._say(events=batch)

    async def acknowledged(self, spool: str, through: int, limit_s: float = 2 * PATIENCE_S) -> None:
        """Wait for an acknowledgement up to a number."""
        async with asyncio.timeout(limit_s), self._heard:
            await self._heard.wait_for(lambda: self.acked.get(spool, 0) >= through)
