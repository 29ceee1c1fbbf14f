"""The control link against a real gRPC server that loses, repeats, refuses and dies."""

from __future__ import annotations

import asyncio
import json
import os
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from time import monotonic, time
from typing import Any, TypeAlias

import grpc
import grpc.aio
import pytest

from seawall.v1 import event_pb2, fleet_pb2, fleet_pb2_grpc, policy_pb2
from seawall_proxy.call.ports import OUTCOME_FAILED, CallRecord
from seawall_proxy.runtime.control.link import ControlLink, LinkIdentity
from seawall_proxy.runtime.control.pushes import AppliedPolicy
from seawall_proxy.runtime.event_pump import EventPump
from seawall_proxy.telemetry.counters import ProxyCounters
from seawall_proxy.telemetry.recorder import EventRecorder
from seawall_proxy.telemetry.spool import SpoolLimits, SpoolStatus
from tests.kit.processes import PATIENCE_S, free_port

pytestmark = pytest.mark.integration

Context: TypeAlias = "grpc.aio.ServicerContext[fleet_pb2.ConnectRequest, fleet_pb2.ConnectResponse]"
LIMIT_S = PATIENCE_S
NO_SPOOL = SpoolStatus(
    spool_id="",
    last=-1,
    acked=0,
    bytes=0,
    segments=0,
    oldest_s=0.0,
    unsynced=0,
    dropped={},
    sync_errors=0,
    write_errors=0,
    degraded=False,
)


async def until(condition: Callable[[], bool], what: str) -> None:
    """Wait for a condition."""
    end = monotonic() + LIMIT_S
    while not condition():
        assert monotonic() < end, f"waited {LIMIT_S} s for: {what}"
        await asyncio.sleep(0.01)


class ControlPlane(fleet_pb2_grpc.FleetServiceServicer):
    """A control plane that remembers what it was told; `stored` survives its restarts, as a database does."""

    def __init__(self) -> None:
        self.hellos: list[fleet_pb2.Hello] = []
        self.results: list[fleet_pb2.PolicyResult] = []
        self.command_results: list[fleet_pb2.CommandResult] = []
        self.stats: list[fleet_pb2.StatsReport] = []
        self.stored: dict[tuple[str, int], event_pb2.ErrorEvent] = {}
        self.gaps: dict[tuple[str, int], str] = {}
        self.positions: list[fleet_pb2.SpoolPosition] = []
        self.batches = 0
        self.duplicates = 0
        self.lose_acks = 0
        """Acknowledgements that will not be sent."""
        self.break_on: Callable[[fleet_pb2.EventBatch], bool] = lambda _batch: False
        self.refuse: Callable[[event_pb2.ErrorEvent], str] = lambda _event: ""
        self.pushes: list[fleet_pb2.PolicyPush] = []
        """Sent after the welcome of each stream."""
        self.port = free_port()
        self._server: grpc.aio.Server | None = None
        self._streams: list[Context] = []

    async def start(self) -> None:
        """Listen, on the same port as before."""
        self._server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
        fleet_pb2_grpc.add_FleetServiceServicer_to_server(self, self._server)  # type: ignore[no-untyped-call]
        self.port = self._server.add_insecure_port(f"127.0.0.1:{self.port}")
        await self._server.start()

    async def stop(self) -> None:
        """Die without a word to the streams."""
        if self._server is not None:
            server, self._server = self._server, None
            self._streams.clear()
            await server.stop(None)

    async def send(self, message: fleet_pb2.ConnectResponse) -> None:
        """Say something on the newest stream."""
        await self._streams[-1].write(message)

    async def Connect(
        self, request_iterator: AsyncIterator[fleet_pb2.ConnectRequest], context: Context
    ) -> None:
        async for message in request_iterator:
            kind = message.WhichOneof("kind")
            if kind == "hello":
                self.hellos.append(message.hello)
                welcome = fleet_pb2.Welcome(version="1", latest_revision=7)
                welcome.stats_interval.FromMilliseconds(100)
                await context.write(fleet_pb2.ConnectResponse(welcome=welcome))
                self._streams.append(context)
                for push in self.pushes:
                    await context.write(fleet_pb2.ConnectResponse(policy=push))
            elif kind == "policy_result":
                self.results.append(message.policy_result)
            elif kind == "command_result":
                self.command_results.append(message.command_result)
            elif kind == "stats":
                self.stats.append(message.stats)
            elif kind == "spool_position":
                self.positions.append(message.spool_position)
                missing = message.spool_position.spool_id not in {spool for spool, _ in self.stored}
                if missing:
                    ack = fleet_pb2.EventAck(
                        spool_id=message.spool_position.spool_id,
                        send_from_seq=message.spool_position.oldest_seq,
                    )
                    await context.write(fleet_pb2.ConnectResponse(event_ack=ack))
            elif kind == "events":
                if self.break_on(message.events):
                    await context.abort(grpc.StatusCode.INTERNAL, "cannot digest")
                await self._store(message.events, context)

    async def _store(self, batch: fleet_pb2.EventBatch, context: Context) -> None:
        self.batches += 1
        refusals: list[fleet_pb2.EventRefusal] = []
        through = 0
        for item in batch.events:
            through = max(through, item.seq)
            reason = self.refuse(item.event)
            if reason:
                refusals.append(fleet_pb2.EventRefusal(seq=item.seq, reason=reason))
            elif (batch.spool_id, item.seq) in self.stored:
                self.duplicates += 1
                assert self.stored[batch.spool_id, item.seq] == item.event
            else:
                self.stored[batch.spool_id, item.seq] = item.event
        for gap in batch.gaps:
            through = max(through, gap.to_seq)
            for seq in range(gap.from_seq, gap.to_seq + 1):
                self.gaps[batch.spool_id, seq] = gap.reason
        if self.lose_acks > 0:
            self.lose_acks -= 1
            return
        ack = fleet_pb2.EventAck(spool_id=batch.spool_id, through_seq=through, refusals=refusals)
        await context.write(fleet_pb2.ConnectResponse(event_ack=ack))


class Proxy:
    """The part of a proxy that speaks to a control plane."""

    def __init__(
        self, port: int, directory: Path, limits: SpoolLimits | None = None, capacity: int = 10_000
    ) -> None:
        self.counters = ProxyCounters()
        self.recorder = EventRecorder(self.counters, capacity)
        self.directory = directory
        self.pump = EventPump(self.recorder, self.counters, "node-1", os.urandom, directory / "spool", limits)
        self.applied = AppliedPolicy(3, "old", "last_good")
        self.apply_reasons: list[str] = []
        self.apply_gate: Callable[[], Awaitable[object]] | None = None
        self.applies: list[int] = []
        self.commands: list[fleet_pb2.Command] = []
        self.link = ControlLink(
            f"127.0.0.1:{port}",
            LinkIdentity(node="node-1", boot_id="b1", version="0.1", start_s=time(), labels={"zone": "a"}),
            self.pump,
            apply=self.apply,
            applied=lambda: self.applied,
            stats=lambda: fleet_pb2.StatsReport(events_produced=self.counters.events_produced),
            command=self.command,
            draw=random.Random(1).random,
            refused_path=directory / "refused.jsonl",
        )

    async def apply(self, document: policy_pb2.PolicyDocument, revision: int, digest: str) -> list[str]:
        self.applies.append(revision)
        if self.apply_gate is not None:
            await self.apply_gate()
        if self.apply_reasons:
            return self.apply_reasons
        self.applied = AppliedPolicy(revision, digest, "live")
        return []

    async def command(self, command: fleet_pb2.Command) -> tuple[bool, str]:
        self.commands.append(command)
        if command.reset_breaker.breaker == "boom":
            raise RuntimeError("no such breaker")
        return True, "done"

    def spool(self) -> SpoolStatus:
        """Return how the spool is doing; before it is open, how an empty one does."""
        return self.pump.spool_status() or NO_SPOOL

    def fail_calls(self, count: int, message: bytes = b"boom") -> None:
        for _ in range(count):
            record = CallRecord("checkout", b"/shop.v1.Checkout/PlaceOrder", monotonic())
            record.code = 14
            record.outcome = OUTCOME_FAILED
            record.message = message
            self.recorder.call_ended(record)


@asynccontextmanager
async def running(proxy: Proxy) -> AsyncIterator[Proxy]:
    """Run the pump and the link, and stop them as the proxy does."""
    pump = asyncio.create_task(proxy.pump.run())
    link = asyncio.create_task(proxy.link.run())
    try:
        yield proxy
    finally:
        for task in (link, pump):
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


@asynccontextmanager
async def control_plane() -> AsyncIterator[ControlPlane]:
    """Run a control plane."""
    plane = ControlPlane()
    await plane.start()
    try:
        yield plane
    finally:
        await plane.stop()


def accounted(plane: ControlPlane, proxy: Proxy) -> bool:
    """Tell whether everything that was produced is stored, or declared as a gap, and nothing is both."""
    assert not plane.stored.keys() & plane.gaps.keys()
    return len(plane.stored) + len(plane.gaps) == proxy.counters.events_produced


async def test_hello_says_what_is_in_force_and_statistics_come_at_the_asked_interval(tmp_path: Path) -> None:
    """The first message names the node and the policy in force; reports follow every 100 ms as asked."""
    async with control_plane() as plane, running(Proxy(plane.port, tmp_path)) as proxy:
        await until(lambda: len(plane.stats) >= 4, "four reports")
        hello = plane.hellos[0]
        assert (hello.node, hello.applied_revision, hello.applied_hash) == ("node-1", 3, "old")
        assert (hello.policy_source, dict(hello.labels)) == ("last_good", {"zone": "a"})
        status = proxy.link.status()
        assert status["connected"] is True
        assert status["policy_age_seconds"] == 0.0
        assert status["latest_revision"] == 7


async def test_each_event_is_stored_once(tmp_path: Path) -> None:
    """Many events arrive in order, in bounded batches, and the spool is empty after."""
    async with control_plane() as plane, running(Proxy(plane.port, tmp_path)) as proxy:
        proxy.fail_calls(1200)
        await until(lambda: len(plane.stored) == 1200, "all events")
        await until(lambda: proxy.spool().depth == 0, "the last acknowledgement")
        assert accounted(plane, proxy)
        assert plane.duplicates == 0
        assert len({event.id for event in plane.stored.values()}) == 1200
        assert proxy.link.status()["events_acked"] == 1200
        assert await proxy.link.flush()


async def test_what_waits_on_disk_is_reported(tmp_path: Path) -> None:
    """How many, how large, since when; nothing waits once all is acknowledged, which also is told."""
    async with control_plane() as plane, running(Proxy(plane.port, tmp_path)) as proxy:
        plane.lose_acks = 1
        proxy.fail_calls(5)
        await until(lambda: any(report.spool.depth == 5 for report in plane.stats), "a report of what waits")
        report = next(report for report in plane.stats if report.spool.depth == 5)
        assert report.spool.bytes > 0
        assert 0.0 <= report.spool.oldest_age.ToTimedelta().total_seconds() < LIMIT_S
        await plane.stop()
        plane.stats.clear()
        await plane.start()
        await until(lambda: proxy.spool().depth == 0, "the last acknowledgement")
        await until(
            lambda: any(not report.spool.HasField("oldest_age") for report in plane.stats), "nothing waits"
        )


async def test_lost_acknowledgements_cost_a_repetition_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A batch whose acknowledgement never comes is sent again, and stored once."""
    monkeypatch.setattr("seawall_proxy.runtime.control.shipping.ACK_TIMEOUT_S", 0.2)
    async with control_plane() as plane, running(Proxy(plane.port, tmp_path)) as proxy:
        plane.lose_acks = 2
        proxy.fail_calls(10)
        await until(lambda: plane.batches >= 3, "the repetitions")
        await until(lambda: proxy.spool().depth == 0, "the acknowledgement")
        assert plane.duplicates > 0
        assert accounted(plane, proxy)


async def test_a_late_acknowledgement_of_a_repeated_batch_is_harmless(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Acknowledgements that come twice, or for another spool, move nothing."""
    async with control_plane() as plane, running(Proxy(plane.port, tmp_path)) as proxy:
        proxy.fail_calls(5)
        await until(lambda: len(plane.stored) == 5 and proxy.spool().depth == 0, "events")
        spool_id = proxy.spool().spool_id
        for spool, through in ((spool_id, 5), (spool_id, 900), ("ff" * 16, 900)):
            ack = fleet_pb2.EventAck(spool_id=spool, through_seq=through)
            await plane.send(fleet_pb2.ConnectResponse(event_ack=ack))
        proxy.fail_calls(5)
        await until(lambda: len(plane.stored) == 10, "the events after")
        assert accounted(plane, proxy)


async def test_control_plane_that_dies_is_found_again_and_gets_what_it_missed(tmp_path: Path) -> None:
    """While it is away events wait on disk; when it is back they arrive once."""
    async with control_plane() as plane, running(Proxy(plane.port, tmp_path)) as proxy:
        proxy.fail_calls(20)
        await until(lambda: len(plane.stored) == 20, "events before")
        for count in (30, 40):
            await plane.stop()
            await until(lambda: not proxy.link.connected, "the loss to be noticed")
            proxy.fail_calls(count)
            await until(lambda: proxy.spool().depth > 0, "events on disk")
            assert (proxy.link.policy_age_s() or 0.0) > 0.0
            await plane.start()
            await until(lambda: accounted(plane, proxy), "events after")
        assert len(plane.stored) == 90
        assert len(plane.hellos) >= 3


async def test_spool_survives_a_restart_of_the_proxy(tmp_path: Path) -> None:
    """What could not be sent by one process is sent by the next, under the same numbers."""
    plane = ControlPlane()
    await plane.start()
    await plane.stop()
    async with running(Proxy(plane.port, tmp_path)) as proxy:
        proxy.fail_calls(7)
        await until(lambda: proxy.spool().depth == 7, "disk")
    await plane.start()
    try:
        async with running(Proxy(plane.port, tmp_path)):
            await until(lambda: len(plane.stored) == 7, "events of the first process")
        assert [seq for _, seq in sorted(plane.stored)] == list(range(1, 8))
        assert not plane.gaps
    finally:
        await plane.stop()


async def test_overflow_is_declared_and_the_sum_is_exact(tmp_path: Path) -> None:
    """With a ring of 100 and a spool of 64 KiB most of a flood is dropped, and every drop is declared."""
    limits = SpoolLimits(max_bytes=65536, segment_bytes=16384)
    plane = ControlPlane()
    await plane.start()
    await plane.stop()
    async with running(Proxy(plane.port, tmp_path, limits, capacity=100)) as proxy:
        for _ in range(10):
            proxy.fail_calls(150)
            await until(lambda: len(proxy.recorder) == 0, "the ring to empty")
        await until(lambda: proxy.spool().last == 1500, "everything to be numbered")
        await plane.start()
        await until(lambda: accounted(plane, proxy), "the whole account")
        reasons = set(plane.gaps.values())
        assert reasons == {"ring_full", "spool_full"}
        assert proxy.counters.events_dropped == len(plane.gaps)
        assert 0 < len(plane.stored) < 1000
    await plane.stop()


async def test_refused_events_go_to_the_dead_letter_file(tmp_path: Path) -> None:
    """An event that can never be stored is kept for a person, and the ones around it arrive."""
    async with control_plane() as plane, running(Proxy(plane.port, tmp_path)) as proxy:
        plane.refuse = lambda event: "too strange" if event.message == "odd" else ""
        proxy.fail_calls(2)
        proxy.fail_calls(1, b"odd")
        proxy.fail_calls(2)
        await until(lambda: proxy.spool().acked == 5, "acknowledgement")
        lines = (tmp_path / "refused.jsonl").read_text().splitlines()
        assert [(json.loads(line)["seq"], json.loads(line)["reason"]) for line in lines] == [
            (3, "too strange")
        ]
        assert json.loads(lines[0])["event"]["message"] == "odd"
        assert len(plane.stored) == 4
        assert proxy.link.status()["events_refused"] == 1


async def test_an_event_that_breaks_the_stream_is_isolated_and_set_aside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Poison costs itself only: the events before and after it are stored."""
    monkeypatch.setattr("seawall_proxy.runtime.control.backoff.BACKOFF_MAX_WAITING_S", 0.05)
    monkeypatch.setattr("seawall_proxy.runtime.control.backoff.QUICK_RETRY_S", 0.01)
    async with control_plane() as plane, running(Proxy(plane.port, tmp_path)) as proxy:
        plane.break_on = lambda batch: any(item.event.message == "poison" for item in batch.events)
        proxy.fail_calls(3)
        proxy.fail_calls(1, b"poison")
        proxy.fail_calls(3)
        await until(lambda: accounted(plane, proxy), "the account")
        assert list(plane.gaps.values()) == ["poison"]
        assert len(plane.stored) == 6
        await until(lambda: proxy.spool().depth == 0, "acknowledgement")
        assert "poison" in (tmp_path / "refused.jsonl").read_text()


def push(nonce: int, revision: int) -> fleet_pb2.PolicyPush:
    """Return a push of an empty document."""
    return fleet_pb2.PolicyPush(
        nonce=nonce, revision=revision, hash=f"hash-{revision}", document={"version": "v1"}
    )


async def test_policy_push_is_applied_and_acknowledged(tmp_path: Path) -> None:
    """The answer repeats the nonce and says what is in force now."""
    async with control_plane() as plane:
        plane.pushes = [push(1, 8)]
        async with running(Proxy(plane.port, tmp_path)) as proxy:
            await until(lambda: len(plane.results) == 1, "the result")
            result = plane.results[0]
            assert (result.nonce, result.revision) == (1, 8)
            assert result.verdict == fleet_pb2.POLICY_VERDICT_ACK
            assert (result.applied_revision, result.applied_hash) == (8, "hash-8")
            assert proxy.applied.revision == 8


async def test_refused_policy_leaves_the_old_one_and_is_answered_once_a_push(tmp_path: Path) -> None:
    """A NACK carries the reasons and the revision that stays in force; the link asks for nothing again."""
    async with control_plane() as plane:
        plane.pushes = [push(1, 8)]
        proxy = Proxy(plane.port, tmp_path)
        proxy.apply_reasons = ["routes[a]: no such cluster", "policies[b]: bad"]
        async with running(proxy):
            await until(lambda: len(plane.stats) >= 3 and plane.results != [], "the result and time to go on")
            assert len(plane.results) == 1
            assert plane.results[0].verdict == fleet_pb2.POLICY_VERDICT_NACK
            assert list(plane.results[0].reasons) == proxy.apply_reasons
            assert plane.results[0].applied_revision == 3
            assert proxy.applies == [8]
            assert proxy.link.status()["last_nack_revision"] == 8


async def test_an_apply_that_raises_is_a_refusal(tmp_path: Path) -> None:
    """A defect in applying must not end the link."""

    async def fail() -> None:
        raise RuntimeError("defect")

    async with control_plane() as plane:
        plane.pushes = [push(1, 8)]
        proxy = Proxy(plane.port, tmp_path)
        proxy.apply_gate = fail
        async with running(proxy):
            await until(lambda: len(plane.results) == 1, "the result")
            assert "defect" in plane.results[0].reasons[0]
            assert proxy.link.connected


async def test_newest_push_wins_while_one_is_being_applied(tmp_path: Path) -> None:
    """Pushes that were overtaken while another was applied are neither applied nor answered."""
    gate = asyncio.Event()
    async with control_plane() as plane:
        plane.pushes = [push(1, 8)]
        proxy = Proxy(plane.port, tmp_path)
        proxy.apply_gate = gate.wait
        async with running(proxy):
            await until(lambda: proxy.applies == [8], "the first push")
            for number in (9, 10, 11):
                await plane.send(fleet_pb2.ConnectResponse(policy=push(number, number)))
            await until(lambda: proxy.link.status()["pushed_revision"] == 11, "the newest push")
            gate.set()
            await until(lambda: len(plane.results) == 2, "two results")
            assert proxy.applies == [8, 11]
            assert [result.nonce for result in plane.results] == [1, 11]


async def test_answer_to_a_stream_that_has_ended_goes_nowhere(tmp_path: Path) -> None:
    """A nonce belongs to its stream: what was asked on the old one is not answered on the new one."""
    gate = asyncio.Event()
    async with control_plane() as plane:
        plane.pushes = [push(1, 8)]
        proxy = Proxy(plane.port, tmp_path)
        proxy.apply_gate = gate.wait
        async with running(proxy):
            await until(lambda: proxy.applies == [8], "the push")
            plane.pushes = []
            await plane.stop()
            await until(lambda: not proxy.link.connected, "the loss")
            gate.set()
            await until(lambda: proxy.applied.revision == 8, "the policy to take effect all the same")
            await plane.start()
            await until(lambda: len(plane.hellos) == 2, "the new stream")
            seen = len(plane.stats)
            await until(lambda: len(plane.stats) >= seen + 2, "reports on it")
            assert plane.results == []
            assert plane.hellos[1].applied_revision == 8


async def test_commands_are_run_and_answered(tmp_path: Path) -> None:
    """Each command is answered with its id; one that fails says why."""
    async with control_plane() as plane, running(Proxy(plane.port, tmp_path)) as proxy:
        await until(lambda: proxy.link.connected and plane.stats != [], "the stream")
        for name in ("checkout", "boom"):
            command = fleet_pb2.Command(id=name, reset_breaker=fleet_pb2.ResetBreakerCommand(breaker=name))
            await plane.send(fleet_pb2.ConnectResponse(command=command))
        await until(lambda: len(plane.command_results) == 2, "two answers")
        assert [(r.id, r.ok) for r in plane.command_results] == [("checkout", True), ("boom", False)]
        assert "no such breaker" in plane.command_results[1].message


async def test_nobody_there_changes_nothing(tmp_path: Path) -> None:
    """Without a control plane the link says why and goes on trying; events wait."""
    plane = ControlPlane()
    await plane.start()
    await plane.stop()
    async with running(Proxy(plane.port, tmp_path)) as proxy:
        proxy.fail_calls(3)
        await until(lambda: int(str(proxy.link.status()["attempts"])) >= 2, "a second attempt")
        status = proxy.link.status()
        assert status["connected"] is False
        assert "UNAVAILABLE" in str(status["last_error"])
        assert status["policy_age_seconds"] is None
        await until(lambda: proxy.spool().depth == 3, "events on disk")
        assert [event.message for event in proxy.pump.recent(2)] == ["boom", "boom"]


async def test_a_control_plane_that_is_asked_by_too_many_is_left_alone_for_a_while(tmp_path: Path) -> None:
    """Its pushback is kept, however soon the next attempt would come otherwise."""
    async with control_plane() as plane:
        refused: list[float] = []

        async def full(self: Any, request_iterator: Any, context: Any) -> None:
            refused.append(monotonic())
            trailers = (("grpc-retry-pushback-ms", "1200"),)
            await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "too many", trailers)

        await plane.stop()
        usual, ControlPlane.Connect = ControlPlane.Connect, full  # type: ignore[method-assign]
        try:
            await plane.start()
            async with running(Proxy(plane.port, tmp_path)):
                await until(lambda: len(refused) == 2, "a second attempt")
        finally:
            ControlPlane.Connect = usual  # type: ignore[method-assign]
        assert refused[1] - refused[0] >= 1.2


async def test_stand_alone_proxy_keeps_the_recent_events(tmp_path: Path) -> None:
    """Without a control plane there is no spool; the newest events can be read, bounded, newest first."""
    counters = ProxyCounters()
    proxy = Proxy(1, tmp_path)
    pump = EventPump(proxy.recorder, counters, "node-1", os.urandom)
    for number in range(1100):
        proxy.fail_calls(1, str(number).encode())
    await pump.drain()
    page = json.loads(pump.recent_json())
    assert len(page["events"]) == 1000
    assert (page["events"][0]["message"], page["events"][-1]["message"]) == ("1099", "100")
    assert [event.message for event in pump.recent(2)] == ["1099", "1098"]
    assert pump.recent(0) == []
    assert pump.spool_status() is None
    assert counters.events_dropped == 0


async def test_spool_that_cannot_be_opened_costs_events_and_says_why(tmp_path: Path) -> None:
    """Two proxies with one name: the second one counts what it drops and shows the reason."""
    async with running(Proxy(1, tmp_path)) as first:
        await until(lambda: first.spool().last == 0, "the first one's spool")
        async with running(Proxy(1, tmp_path)) as second:
            second.fail_calls(4)
            await until(lambda: second.counters.events_dropped == 4, "the drops to be counted")
            assert "in use by another process" in str(second.link.status()["spool_problem"])
            assert second.link.status()["spool"] is None


async def test_a_store_that_lost_events_is_given_them_though_nothing_happens(tmp_path: Path) -> None:
    """A proxy with nothing to send says where its spool stands, and sends again what it is asked for."""
    async with control_plane() as plane, running(Proxy(plane.port, tmp_path)) as proxy:
        proxy.fail_calls(20)
        await until(lambda: proxy.spool().acked == 20, "all is acknowledged")
        before = dict(plane.stored)
        await plane.stop()
        plane.stored.clear()
        await plane.start()
        await until(lambda: proxy.spool().acked == 20 and plane.stored == before, "all is there again")
        (position,) = plane.positions
        assert (position.oldest_seq, position.next_seq) == (1, 21)
        await plane.stop()
        await plane.start()
        await until(lambda: len(plane.positions) == 2, "the next stream hears it too")
        proxy.fail_calls(1)
        await until(lambda: len(plane.stored) == 21, "what happens then")
        assert plane.duplicates == 0
