"""A recommendation is tried on a real proxy with real calls, judged by what it promised, and taken back when
it does not do so; tighter limits and an ejected endpoint by runbooks, end to end.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf import json_format

from seawall.v1 import admin_operations_pb2 as pb
from seawall.v1 import policy_pb2, stats_pb2
from seawall_control.domain.events import MICROS
from seawall_control.domain.healing.actions import Action
from seawall_control.domain.healing.codec import case_of
from seawall_control.domain.healing.conditions import Condition
from seawall_control.domain.healing.engine import Case, State
from seawall_control.domain.healing.runbooks import Mode, Runbook
from seawall_control.server import ControlPlane
from seawall_control.services.edge import SystemClock
from seawall_control.services.healing.journal import TOPIC
from tests.integration.control.kit import Later as Movable
from tests.integration.control.kit import running_plane
from tests.kit.processes import PATIENCE_S
from tests.kit.rpc import unary_unary
from tests.kit.stand import Proxy, Stand

pytestmark = pytest.mark.integration

TUNE = Runbook(
    name="tune",
    condition=Condition.TUNABLE,
    threshold=0.02,
    action=Action.TUNE,
    parameters={"kinds": "retry", "first_share": 0.5, "bake_s": 1.0},
    lasting_s=0.0,
    mode=Mode.APPROVE,
    # Slow machines make the 50 calls that are judged in ten seconds.
    verify_after_s=10.0,
)


class Later(SystemClock):
    """Two minutes ahead: the minute with the failures is complete for whoever asks the record."""

    def now_us(self) -> int:
        """See `Clock.now_us`."""
        return super().now_us() + 120_000_000


class Flaky(grpc.GenericRpcHandler):
    """Fails with UNAVAILABLE: every call, or every second one."""

    def __init__(self, *, always: bool) -> None:
        self._always = always
        self._served = 0

    def service(self, _: Any) -> Any:
        """Serve every method."""
        return grpc.unary_unary_rpc_method_handler(self._answer)

    async def _answer(self, request: bytes, context: Any) -> bytes:
        self._served += 1
        if self._always or self._served % 2:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "not now")
        return request


async def upstream(*, always: bool) -> tuple[grpc.aio.Server, str]:
    """Start one."""
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((Flaky(always=always),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    return server, f"127.0.0.1:{port}"


@pytest.fixture
async def plane(tmp_path: Path) -> AsyncIterator[ControlPlane]:
    """Run a control plane in this process."""
    async with running_plane(tmp_path) as control:
        yield control


@pytest.fixture
async def stand(tmp_path: Path) -> AsyncIterator[Stand]:
    """Give a stand."""
    stand = Stand(tmp_path)
    yield stand
    await asyncio.to_thread(stand.close)


def document(*addresses: str) -> policy_pb2.PolicyDocument:
    """Return a policy with one idempotent route that tries nothing again."""
    found = policy_pb2.PolicyDocument(version="v1")
    found.clusters.add(name="shop", endpoints=[policy_pb2.Endpoint(address=address) for address in addresses])
    found.policies["plain"].timeout.seconds = 20
    found.routes.add(name="checkout", cluster="shop", policy="plain", idempotent=True)
    return found


async def proxies(stand: Stand, plane: ControlPlane, *nodes: str) -> list[Proxy]:
    """Start proxies of the control plane."""
    found = []
    for node in nodes:
        control = {"target": plane.addresses.grpc, "node": node}
        config = stand.policy({"control": control}, name=f"{node}.yaml")
        found.append(await asyncio.to_thread(stand.proxy, config, data=node))
    await until(lambda: all(plane.fleet.is_connected(node) for node in nodes), "the proxies are connected")
    return found


async def until(
    holds: Callable[[], bool | Awaitable[bool]], what: str, limit_s: float = 2 * PATIENCE_S
) -> None:
    """Wait until something holds."""
    try:
        async with asyncio.timeout(limit_s):
            while True:
                found = holds()
                if found if isinstance(found, bool) else await found:
                    return
                await asyncio.sleep(0.1)
    except TimeoutError:
        pytest.fail(f"it never was that {what}")


@contextlib.asynccontextmanager
async def load(proxies: list[Proxy]) -> AsyncIterator[dict[str, int]]:
    """Call all proxies all the time; count what comes back."""
    seen: dict[str, int] = {}

    async def calls(proxy: Proxy) -> None:
        async with grpc.aio.insecure_channel(proxy.address) as channel:
            call = unary_unary(channel, "/any.Service/Unary")
            while True:
                try:
                    await call(b"x", timeout=PATIENCE_S)
                    code = "OK"
                except grpc.aio.AioRpcError as error:
                    code = error.code().name
                seen[code] = seen.get(code, 0) + 1
                await asyncio.sleep(0.01)

    tasks = [asyncio.create_task(calls(proxy)) for proxy in proxies for _ in range(2)]
    try:
        yield seen
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def cases(plane: ControlPlane) -> list[Case]:
    """Return what became of cases, newest first."""
    return [case_of(entry.body) for entry in await plane.store.entries(TOPIC)]


async def ended(plane: ControlPlane, state: State, limit_s: float = 3 * PATIENCE_S) -> Case:
    """Let healing look until a case has ended so."""
    found: list[Case] = []

    async def there() -> bool:
        await plane.healing.look()
        found[:] = [case for case in await cases(plane) if case.state is state]
        return bool(found)

    await until(there, f"a case is {state}", limit_s)
    return found[0]


async def approved(plane: ControlPlane) -> Case:
    """Wait for the proposal, and approve it."""
    # The record counts by whole minutes.
    plane.analysis.recommender._clock = Later()
    await plane.healing.books.put(TUNE)

    async def proposed() -> bool:
        plane.healing._observe.__self__._tuned_s = float("-inf")  # type: ignore[attr-defined]
        await plane.healing.look()
        return bool(plane.healing.open_cases)

    await until(proposed, "something is proposed")
    (case,) = plane.healing.open_cases
    await plane.healing.approve(case.id, actor="ann")
    return case


@pytest.mark.slow
async def test_what_helps_is_kept(plane: ControlPlane, stand: Stand) -> None:
    """Half of the calls fail and a second try saves them: it is proposed with its numbers, goes from half of
    the proxies to all, and stays.
    """
    server, address = await upstream(always=False)
    try:
        await plane.policies.apply(document(address))
        async with load(await proxies(stand, plane, "one", "two")) as seen:
            await until(lambda: seen.get("UNAVAILABLE", 0) > 150, "many calls fail")
            case = await approved(plane)
            assert case.subject == "route/checkout"
            assert case.plan.startswith(
                "would try on 50% of the proxies for 1 s, then on all: Retry UNAVAILABLE"
            )
            assert "end with UNAVAILABLE" in case.plan
            end = await ended(plane, State.HELPED)
        assert "end with UNAVAILABLE" in end.outcome
        assert end.actor == "ann"
        newest = await plane.policies.revision()
        assert (newest.revision, newest.author) == (2, "seawall-healing")
        rollout = await plane.rollouts.get("default")
        assert [stage.share for stage in rollout.strategy.stages] == [0.5]
        states = [one.state for one in reversed(await cases(plane))]
        assert states == [State.PROPOSED, *[State.RUNNING] * 3, State.VERIFYING, State.HELPED]
    finally:
        await server.stop(0)


@pytest.mark.slow
async def test_what_does_not_help_is_taken_back(plane: ControlPlane, stand: Stand) -> None:
    """Every call fails, so a second try saves none; the policy is as before."""
    server, address = await upstream(always=True)
    try:
        await plane.policies.apply(document(address))
        async with load(await proxies(stand, plane, "one", "two")) as seen:
            await until(lambda: seen.get("UNAVAILABLE", 0) > 150, "many calls fail")
            await approved(plane)
            end = await ended(plane, State.NOT_HELPED)
            assert "at least 10% less was promised" in end.outcome

            async def back() -> bool:
                return (await plane.policies.revision()).rollback_of == 1

            await until(back, "the policy is taken back")
        newest = await plane.policies.revision()
        assert (newest.revision, newest.author) == (3, "seawall-healing")
        await until(lambda: _said(plane, "taken back: back to the content of revision 1"), "the case says so")
    finally:
        await server.stop(0)


async def _said(plane: ControlPlane, words: str) -> bool:
    return words in (await cases(plane))[0].outcome


@pytest.mark.slow
async def test_what_others_have_applied_since_is_not_taken_back(plane: ControlPlane, stand: Stand) -> None:
    """An operator was quicker: the revision of the trial is not the newest any more."""
    server, address = await upstream(always=True)
    try:
        await plane.policies.apply(document(address))
        async with load(await proxies(stand, plane, "one", "two")) as seen:
            await until(lambda: seen.get("UNAVAILABLE", 0) > 150, "many calls fail")
            await approved(plane)
            await ended(plane, State.VERIFYING)
            changed = document(address)
            changed.policies["plain"].timeout.seconds = 30
            await plane.policies.apply(changed, author="bob")
            await ended(plane, State.NOT_HELPED)
            await until(lambda: _said(plane, "revision 3 of bob has taken its place"), "the case says so")
        assert (await plane.policies.revision()).revision == 3
    finally:
        await server.stop(0)


async def test_tighter_limits(plane: ControlPlane, stand: Stand) -> None:
    """A revision that was prepared takes effect at the proxy and refuses what is too much; then it is taken
    back, and everything gets through.
    """
    _, address = await asyncio.to_thread(stand.upstream)
    tight = document(address)
    tight.policies["plain"].limit.max_in_flight = 1
    await plane.policies.apply(tight)
    await plane.policies.apply(document(address))
    (proxy,) = await proxies(stand, plane, "one")
    book = Runbook(
        name="tight",
        condition=Condition.BACKLOG,
        threshold=0.0,
        action=Action.APPLY_REVISION,
        parameters={"revision": 1.0},
        lasting_s=0.0,
        mode=Mode.OFF,
        verify_after_s=600.0,
    )
    clock = plane.healing._clock = Movable()
    await plane.healing.books.put(book)
    tried = await plane.healing.run_now("tight", validate_only=True)
    assert tried.plan == "would put the content of revision 1 in effect instead of revision 2"
    async with grpc.aio.insecure_channel(proxy.address) as channel:
        call = unary_unary(channel, "/any.Service/Unary")

        async def refused() -> bool:
            slow = [call(b"x", timeout=PATIENCE_S, metadata=(("sleep", "0.2"),)) for _ in range(4)]
            found = await asyncio.gather(*slow, return_exceptions=True)
            return any(isinstance(one, grpc.aio.AioRpcError) for one in found)

        await until(lambda: _applied(plane, "one"), "the proxy has the policy")
        assert not await refused()
        await plane.healing.run_now("tight", actor="ann")
        await until(refused, "the limit is in effect")
        clock.by_us = 601 * MICROS
        await ended(plane, State.NOT_HELPED)

        async def not_refused() -> bool:
            return not await refused()

        await until(not_refused, "the limit is gone again")
    assert (await plane.policies.revision()).rollback_of == 2


def _known(plane: ControlPlane, endpoints: int) -> bool:
    return len(plane.fleet.stats.report_of("one").endpoints) == endpoints


async def over(plane: ControlPlane) -> pb.OperationAction:
    """End what lasts for hours, so that nothing has to be seen in time; return what it was."""
    (operation,) = plane.operations.all(active_only=True)
    await plane.operations.cancel(operation.id)
    return json_format.Parse(operation.action, pb.OperationAction())


async def briefly(plane: ControlPlane, action: pb.OperationAction) -> None:
    """Do something for some seconds, which the proxy says that it has begun."""

    async def begun() -> bool:
        operation = await plane.operations.start(action, length_s=5.0, actor="ann", reason="briefly")
        return "one" in operation.acks and operation.acks["one"].ok

    await until(begun, "the proxy does it")


async def _applied(plane: ControlPlane, node: str) -> bool:
    newest = (await plane.policies.revision()).hash
    return any(record.node == node and record.applied_hash == newest for record in plane.fleet.known())


async def test_an_endpoint_is_ejected_and_readmitted(plane: ControlPlane, stand: Stand) -> None:
    """While it is drained no call reaches it; when that is over it gets its share again, and so when the time
    is over.
    """
    _, first = await asyncio.to_thread(stand.upstream, "a")
    _, second = await asyncio.to_thread(stand.upstream, "b")
    await plane.policies.apply(document(first, second))
    (proxy,) = await proxies(stand, plane, "one")
    await until(lambda: _applied(plane, "one"), "the proxy has the policy")
    book = Runbook(
        name="eject",
        condition=Condition.ENDPOINT_EJECTED,
        threshold=0.5,
        subject="endpoint/shop/*",
        action=Action.DRAIN_ENDPOINT,
        parameters={"duration_s": 3600.0},
        lasting_s=0.0,
        mode=Mode.OFF,
    )
    await plane.healing.books.put(book)
    subject = f"endpoint/shop/{first}"
    async with grpc.aio.insecure_channel(proxy.address) as channel:
        call = unary_unary(channel, "/any.Service/Unary")

        async def served() -> set[str]:
            found = set()
            for _ in range(12):
                one = call(b"x", timeout=PATIENCE_S)
                await one
                found.add(str(dict(await one.trailing_metadata())["served-by"]))
            return found

        async def both() -> bool:
            return await served() == {"a", "b"}

        await until(both, "both are called")
        await until(lambda: _known(plane, 2), "both are reported")
        tried = await plane.healing.run_now("eject", subject=subject, validate_only=True)
        assert tried.plan == f"would keep 1 proxy from choosing {first} of shop for 3600 s"
        case = await plane.healing.run_now("eject", subject=subject, actor="ann")

        async def only_b() -> bool:
            return await served() == {"b"}

        await until(only_b, "only the other one is called")
        assert case.id
        action = await over(plane)
        await until(both, "it is back")
        await briefly(plane, action)
        await until(both, "it is back by itself")


async def test_a_breaker_is_held_and_let_go(plane: ControlPlane, stand: Stand) -> None:
    """Open on every proxy while the operation lasts, and closed when it is over, or its time is."""
    _, address = await asyncio.to_thread(stand.upstream)
    wanted = document(address)
    wanted.policies["plain"].breaker.mode = policy_pb2.BREAKER_MODE_ENFORCE
    await plane.policies.apply(wanted)
    (proxy,) = await proxies(stand, plane, "one")
    await until(lambda: _applied(plane, "one"), "the proxy has the policy")
    hold = replace(
        TUNE,
        name="hold",
        condition=Condition.ERROR_RATE,
        action=Action.HOLD_BREAKER_OPEN,
        parameters={"duration_s": 3600.0},
        mode=Mode.OFF,
        verify_after_s=600.0,
    )
    await plane.healing.books.put(hold)
    await plane.healing.run_now("hold", subject="route/checkout", actor="ann")

    def state() -> int:
        return next(
            (b.state for b in plane.fleet.stats.report_of("one").breakers),
            stats_pb2.BREAKER_STATE_UNSPECIFIED,
        )

    await until(lambda: state() == stats_pb2.BREAKER_STATE_FORCED_OPEN, "it is held open")
    async with grpc.aio.insecure_channel(proxy.address) as channel:
        with pytest.raises(grpc.aio.AioRpcError):
            await unary_unary(channel, "/any.Service/Unary")(b"x", timeout=PATIENCE_S)
        action = await over(plane)
        await until(lambda: state() != stats_pb2.BREAKER_STATE_FORCED_OPEN, "it is let go")

        async def passes() -> bool:
            try:
                return await unary_unary(channel, "/any.Service/Unary")(b"x", timeout=PATIENCE_S) == b"x"
            except grpc.aio.AioRpcError:
                return False

        await until(passes, "calls pass again")
        await briefly(plane, action)
        await until(passes, "calls pass again by themselves")
