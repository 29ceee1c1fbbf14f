"""Operations on the fleet: at those who are there, at those who come, until they end or are cancelled."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration

from seawall.v1 import admin_operations_pb2 as pb
from seawall.v1 import fleet_pb2, policy_pb2, stats_pb2
from seawall_control.domain.errors import StoreUnavailable
from seawall_control.domain.operations import KIND, State, decoded
from seawall_control.server import ControlPlane, ControlSettings
from seawall_control.store.sqlite import open_store
from tests.integration.control.kit import Proxy, Stubs, until
from tests.kit.processes import PATIENCE_S

pytestmark = pytest.mark.integration

HOLD = pb.OperationAction(
    hold_breaker=pb.HoldBreakerAction(breaker="pay", state=stats_pb2.BREAKER_STATE_FORCED_OPEN)
)


class Obedient:
    """A proxy that does what it is told, and remembers it."""

    def __init__(self, proxy: Proxy, why_not: str = "") -> None:
        self.proxy = proxy
        self.why_not = why_not
        self.told: list[Any] = []

    @property
    def kinds(self) -> list[str]:
        """Return what it was told, in order."""
        return [command.WhichOneof("action") for command in self.told]

    async def listen(self) -> None:
        """Answer every command."""
        while True:
            message = await self.proxy.call.read()
            if message is grpc.aio.EOF:
                return
            if message.WhichOneof("kind") == "command":
                self.told.append(message.command)
                result = fleet_pb2.CommandResult(
                    id=message.command.id, ok=not self.why_not, message=self.why_not
                )
                await self.proxy.say(command_result=result)


@asynccontextmanager
async def there(stubs: Stubs, node: str, *, why_not: str = "", **hello: Any) -> AsyncIterator[Obedient]:
    """Connect a proxy."""
    proxy = Proxy(stubs, node, **hello)
    await proxy.hello()
    obedient = Obedient(proxy, why_not)
    task = asyncio.create_task(obedient.listen())
    try:
        yield obedient
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError, grpc.aio.AioRpcError, asyncio.InvalidStateError):
            await task
        proxy.call.cancel()


async def start(stubs: Stubs, action: pb.OperationAction = HOLD, *, seconds: float = 600, **more: Any) -> Any:
    """Begin an operation."""
    length = Duration()
    length.FromMilliseconds(int(seconds * 1000))
    given = {"actor": "ann", "reason": "incident 7"} | more
    request = pb.StartOperationRequest(action=action, duration=length, **given)
    return (await stubs.fleet_operations.StartOperation(request)).operation


async def get(stubs: Stubs, operation: Any) -> Any:
    """Return an operation as it is now."""
    answer = await stubs.fleet_operations.GetOperation(pb.GetOperationRequest(id=operation.id))
    return answer.operation


async def told(proxy: Obedient, *kinds: str) -> None:
    """Wait until a proxy has been told these."""

    async def check() -> bool:
        return proxy.kinds == list(kinds)

    await until(check, what=f"told {kinds}, not {proxy.kinds}")


async def test_those_who_are_there_and_those_who_come(stubs: Stubs) -> None:
    """Each run of a proxy once, for what is left of the time, and what it said is shown."""
    async with there(stubs, "one") as one, there(stubs, "two", why_not="no breaker 'pay' here") as two:
        begun = await start(stubs)
        assert (begun.done, begun.failed, begun.pending) == (1, 1, 0)
        assert begun.title == "breaker pay FORCED_OPEN"
        assert [(a.proxy, a.ok, a.message) for a in begun.acks] == [
            ("one", True, ""),
            ("two", False, "no breaker 'pay' here"),
        ]
        trip = one.told[0].trip_breaker
        assert (trip.breaker, trip.actor, trip.reason) == ("pay", "ann", "incident 7")
        assert 600 - PATIENCE_S < trip.duration.seconds <= 600
        assert two.kinds == ["trip_breaker"]
        async with there(stubs, "three") as three:
            await told(three, "trip_breaker")
        async with there(stubs, "three") as again:
            await asyncio.sleep(1.5)
            assert again.kinds == [], "this run of it has done it"
        async with there(stubs, "three", boot_id="boot-2") as anew:
            await told(anew, "trip_breaker")


async def test_cancelled_is_ended_everywhere_also_at_those_who_were_away(stubs: Stubs) -> None:
    """Who did it is told to end it; who comes later is told nothing."""
    action = pb.OperationAction(drain=pb.DrainAction(cluster="up", address="127.0.0.1:1"))
    async with there(stubs, "one") as one:
        async with there(stubs, "away"):
            begun = await start(stubs, action)
            assert begun.done == 2
        await stubs.fleet_operations.CancelOperation(
            pb.CancelOperationRequest(id=begun.id, actor="bob", reason="done")
        )
        assert one.kinds == ["drain", "undrain"]
        async with there(stubs, "away") as back, there(stubs, "new") as new:
            await told(back, "undrain")
            assert new.kinds == []

            async def all_undone() -> bool:
                return all(ack.undone for ack in (await get(stubs, begun)).acks)

            await until(all_undone, what="everybody has ended it")
        found = await get(stubs, begun)
        assert (found.state, found.cancelled_by) == (pb.OPERATION_STATE_CANCELLED, "bob: done")
        with pytest.raises(grpc.aio.AioRpcError) as twice:
            await stubs.fleet_operations.CancelOperation(pb.CancelOperationRequest(id=begun.id))
        assert twice.value.code() is grpc.StatusCode.FAILED_PRECONDITION


async def test_who_went_away_before_it_answered_is_told_again(stubs: Stubs) -> None:
    """The same run of a proxy: nobody knows whether it has done it."""
    proxy = Proxy(stubs, "one")
    await proxy.hello()
    beginning = asyncio.create_task(start(stubs))
    await proxy.hear("command")
    proxy.call.cancel()
    begun = await beginning
    assert (begun.done, begun.failed) == (0, 0)
    async with there(stubs, "one") as again:
        await told(again, "trip_breaker")


async def test_who_has_answered_is_not_told_again_while_others_are_waited_for(
    plane: ControlPlane, stubs: Stubs
) -> None:
    """Its answer is recorded together with theirs, and it is looked at once a second who is to be told: a
    breaker that had opened meanwhile was reset once more.
    """
    slow = Proxy(stubs, "slow")
    await slow.hello()
    async with there(stubs, "quick") as quick:
        beginning = asyncio.create_task(start(stubs))
        command = (await slow.hear("command")).command

        async def has_answered() -> bool:
            return quick.kinds != [] and not plane.fleet.sessions["quick"].waiting_commands

        await until(has_answered, what="the quick one has answered")
        await plane.operations._tick()
        assert quick.kinds == ["trip_breaker"]
        await slow.say(command_result=fleet_pb2.CommandResult(id=command.id, ok=True))
        begun = await beginning
        assert begun.acks[0].proxy == "quick"
        await plane.operations._tick()
        assert quick.kinds == ["trip_breaker"]


async def test_labels_choose_the_proxies_and_its_end_is_its_end(stubs: Stubs) -> None:
    """Others hear nothing; when it is over, newcomers do not either."""
    fault = pb.FaultAction(
        route="pay", fault=policy_pb2.Fault(abort=policy_pb2.FaultAbort(code="UNAVAILABLE", percent=5))
    )
    async with (
        there(stubs, "a", labels={"zone": "a"}) as a,
        there(stubs, "b", labels={"zone": "b"}) as b,
    ):
        dry = await start(stubs, pb.OperationAction(fault=fault), selector="zone=a", validate_only=True)
        assert [ack.proxy for ack in dry.acks] == ["a"]
        begun = await start(stubs, pb.OperationAction(fault=fault), selector="zone=a", seconds=2)
        assert (a.kinds, b.kinds) == (["start_fault"], [])

        async def is_over() -> bool:
            return bool((await get(stubs, begun)).state == pb.OPERATION_STATE_ENDED)

        await until(is_over, what="it is over")
    async with there(stubs, "c", labels={"zone": "a"}) as late:
        await asyncio.sleep(1.2)
        assert late.kinds == []
    listed = (await stubs.fleet_operations.ListOperations(pb.ListOperationsRequest())).operations
    assert [(o.id, len(o.acks)) for o in listed] == [(begun.id, 0)]
    active = await stubs.fleet_operations.ListOperations(pb.ListOperationsRequest(active_only=True))
    assert not active.operations


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"actor": ""}, "actor must say who"),
        ({"reason": " "}, "reason must say why"),
        ({"seconds": 0}, "duration must be 1 s to 24 h, not 0 s"),
        ({"seconds": 90_000}, "duration must be 1 s to 24 h"),
        ({"proxy": "x", "selector": "a=b"}, "a proxy or a selector, not both"),
        ({"selector": "(("}, "selector"),
        ({"proxy": "nobody"}, "there is no proxy 'nobody'"),
        ({"action": pb.OperationAction()}, "action must be"),
        ({"action": pb.OperationAction(hold_breaker=pb.HoldBreakerAction(breaker="x"))}, "state must be"),
        ({"action": pb.OperationAction(reset_breaker=pb.ResetBreakerAction())}, "must name a breaker"),
        ({"action": pb.OperationAction(drain=pb.DrainAction(cluster="x"))}, "or neither"),
        ({"action": pb.OperationAction(fault=pb.FaultAction(route="x"))}, "says nothing to break"),
        (
            {
                "action": pb.OperationAction(
                    fault=pb.FaultAction(fault=policy_pb2.Fault(abort=policy_pb2.FaultAbort(percent=1)))
                )
            },
            "name the status",
        ),
    ],
)
async def test_without_an_end_a_name_and_a_reason_nothing_is_done(
    stubs: Stubs, more: dict[str, Any], words: str
) -> None:
    """The error says what is missing."""
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await start(stubs, **more)
    assert refused.value.code() in (grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND)
    assert words in (refused.value.details() or "")


async def test_a_restart_forgets_nothing(tmp_path: Path) -> None:
    """What is in effect is told to newcomers afterwards, and not again to those that do it."""
    settings = ControlSettings(
        data_dir=tmp_path / "control", grpc_address="127.0.0.1:0", http_address="127.0.0.1:0", grace_s=1.0
    )

    @asynccontextmanager
    async def running() -> AsyncIterator[Stubs]:
        store = await open_store(settings.data_dir)
        control = ControlPlane(settings, store)
        await control.start()
        try:
            async with grpc.aio.insecure_channel(control.addresses.grpc) as channel:
                yield Stubs(channel)
        finally:
            await control.stop()
            await store.aclose()

    request_id = "00000000-0000-4000-8000-000000000001"
    async with running() as stubs, there(stubs, "one"):
        begun = await start(stubs, request_id=request_id)
        assert begun.id == request_id
    async with running() as stubs, there(stubs, "one") as one, there(stubs, "two") as two:
        await told(two, "trip_breaker")
        assert one.kinds == []

        async def both() -> bool:
            return [ack.proxy for ack in (await get(stubs, begun)).acks] == ["one", "two"]

        await until(both, what="both have said so")
        again = await start(stubs, request_id=request_id)
        assert again.create_time == begun.create_time
        await stubs.fleet_operations.CancelOperation(pb.CancelOperationRequest(id=begun.id))
        await told(one, "reset_breaker")


async def test_what_begins_while_the_record_is_read_is_not_forgotten(
    plane: ControlPlane, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another control plane's change makes this one read all operations; one of ours was lost to it."""
    true = plane.store.documents

    async def slow(kind: str, **named: Any) -> Any:
        found = await true(kind, **named)
        # Others read documents too.
        if kind == KIND:
            monkeypatch.setattr(plane.store, "documents", true)
            await plane.operations.start(HOLD, length_s=60, actor="ann", reason="test")
        return found

    monkeypatch.setattr(plane.store, "documents", slow)
    await plane.operations.load()
    assert [operation.actor for operation in plane.operations.all(active_only=True)] == ["ann"]


async def test_one_operation_that_cannot_be_looked_after_holds_up_no_other(
    plane: ControlPlane, stubs: Stubs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its document is of a newer version, or the store refuses it: the next one reaches its proxies."""
    first = await plane.operations.start(HOLD, length_s=60, actor="ann", reason="test")
    second = await plane.operations.start(HOLD, length_s=60, actor="bob", reason="test")
    carried: list[str] = []

    async def carry_out(operation_id: str) -> None:
        carried.append(operation_id)
        if operation_id == first.id:
            raise KeyError("of a newer version")

    monkeypatch.setattr(plane.operations, "_carry_out", carry_out)
    await plane.operations._tick()
    # The operations' own look, once a second, may come in between.
    assert list(dict.fromkeys(carried)) == [first.id, second.id]


async def test_an_end_that_could_not_be_stored_is_stored_later(
    plane: ControlPlane, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was noted in memory first, and so never tried again."""
    operation = await plane.operations.start(HOLD, length_s=1, actor="ann", reason="test")

    async def away(*_: Any, **__: Any) -> Any:
        raise StoreUnavailable("away")

    with monkeypatch.context() as patched:
        patched.setattr(plane.store, "commit", away)
        await asyncio.sleep(1.1)
        await plane.operations._tick()
    await plane.operations._tick()
    document = await plane.store.document(KIND, operation.id)
    assert document is not None
    assert decoded(document.body).state is State.ENDED
