"""Changes whose caller leaves, or runs out of time, while they are made."""

from __future__ import annotations

import asyncio
import math
import uuid
from collections.abc import Callable
from typing import Any

import grpc
import pytest
from google.protobuf.json_format import MessageToDict

from seawall.v1 import admin_operations_pb2, admin_policies_pb2
from seawall_control.domain.audit import TOPIC, decoded
from seawall_control.domain.errors import StoreUnavailable
from seawall_control.server import ControlPlane
from tests.integration.control.kit import Stubs, document
from tests.integration.control.web import ask
from tests.kit.processes import PATIENCE_S

pytestmark = pytest.mark.integration


@pytest.fixture(autouse=True)
def everything_is_kept(plane: ControlPlane) -> None:
    """No proxy follows what these tests change, and what nobody follows is dropped once a minute."""
    plane.fleet.pushes._prune_at = math.inf


class Held:
    """Holds back the answers of the store to a change that is durable."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, plane: ControlPlane, name: str) -> None:
        self.made, self.go = asyncio.Event(), asyncio.Event()
        true = getattr(plane.store, name)

        async def late(*given: Any, **named: Any) -> Any:
            found = await true(*given, **named)
            self.made.set()
            await self.go.wait()
            return found

        monkeypatch.setattr(plane.store, name, late)

    async def leave(self, call: Any) -> None:
        """Leave a call when its change is durable, before it is answered."""
        async with asyncio.timeout(PATIENCE_S):
            await self.made.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        self.go.set()


async def until(holds: Callable[[], bool]) -> None:
    """Wait until it does."""
    async with asyncio.timeout(PATIENCE_S):
        while not holds():  # noqa: ASYNC110 - what goes on tells nobody
            await asyncio.sleep(0.02)


def handed_out(plane: ControlPlane) -> int:
    """Return the revision that proxies are given."""
    newest = plane.fleet.pushes._targets.kept("default")
    return newest.revision if newest else 0


async def test_a_revision_is_handed_out_though_its_author_has_left(
    plane: ControlPlane, stubs: Stubs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was durable and reached no proxy: not then, and not when its author sent it again."""
    held = Held(monkeypatch, plane, "apply_all")
    await held.leave(stubs.policies.ApplyPolicy(admin_policies_pb2.ApplyPolicyRequest(document=document(1))))
    await until(lambda: handed_out(plane) == 1)

    async def recorded() -> list[str]:
        return [decoded(entry).outcome for entry in await plane.store.entries(TOPIC)]

    async with asyncio.timeout(PATIENCE_S):
        while not await recorded():  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    assert await recorded() == ["OK"], "the audit says what came of it, not that its caller left"


async def test_over_http_too(plane: ControlPlane, monkeypatch: pytest.MonkeyPatch) -> None:
    """A caller's deadline ends the answer and not the change."""
    held = Held(monkeypatch, plane, "apply_all")
    for limit in ("2s", "10s", "50s"):
        answer = await ask(
            plane.addresses.http,
            "/api/v1/seawall.v1.PolicyService/ApplyPolicy",
            method="POST",
            headers={"seawall-timeout": limit},
            body={"document": MessageToDict(document(1))},
        )
        assert answer.status == 504
        # Over before it was made, on a machine that is slow: there is nothing to be seen of it.
        if held.made.is_set():
            break
    assert held.made.is_set()
    held.go.set()
    await until(lambda: handed_out(plane) == 1)


async def test_an_operation_is_carried_out(
    plane: ControlPlane, stubs: Stubs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was stored and not known before the next start, which then began it out of nowhere."""
    held = Held(monkeypatch, plane, "commit")
    request = admin_operations_pb2.StartOperationRequest(actor="ann", reason="test")
    request.action.drain.SetInParent()
    request.duration.seconds = 60
    await held.leave(stubs.fleet_operations.StartOperation(request))
    await until(lambda: len(plane.operations.all()) == 1)


async def test_a_revision_whose_fate_was_unknown_is_handed_out_when_it_is_sent_again(
    plane: ControlPlane, stubs: Stubs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A database that fails over during a commit cannot say; the second answer must be more than words."""
    true = plane.store.apply_all

    async def unknown(drafts: Any) -> Any:
        await true(drafts)
        raise StoreUnavailable("whether the change was made is not known; repeating it is safe")

    request = admin_policies_pb2.ApplyPolicyRequest(document=document(1), request_id=str(uuid.uuid4()))
    with monkeypatch.context() as patched:
        patched.setattr(plane.store, "apply_all", unknown)
        with pytest.raises(grpc.aio.AioRpcError):
            await stubs.policies.ApplyPolicy(request)
    assert (await stubs.policies.ApplyPolicy(request)).revision.revision == 1
    await until(lambda: handed_out(plane) == 1)
