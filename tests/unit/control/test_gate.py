"""The gate while calls are under way."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from seawall_control.api import gate as module
from seawall_control.api.gate import Gate, GatePolicy, Presented
from seawall_control.domain.access import EVERY_ROLE, Caller, MethodAccess, Role
from seawall_control.domain.errors import ControlError, RateLimited, StoreUnavailable, Unauthenticated
from seawall_control.services.audit import AuditLog
from seawall_control.services.background import Background
from seawall_control.services.edge import SystemClock
from seawall_control.services.requests import Requests
from seawall_control.services.tokens import TokenService
from seawall_control.store.memory import MemoryStore

PROXY = Caller("node/a", "certificate", EVERY_ROLE, node="a", credential="1")


class StillClock(SystemClock):
    """Time does not go on."""

    def monotonic_s(self) -> float:
        """Return always the same."""
        return 1000.0


class Certificates:
    """Says what it is told to say, one answer after the other."""

    def __init__(self, *answers: bool | Exception) -> None:
        self.answers = list(answers)

    async def authenticate(self, shown: str, address: str) -> Caller:
        """Let everybody in."""
        return PROXY

    async def still_valid(self, caller: Caller) -> bool:
        """Give the next answer."""
        answer = self.answers.pop(0) if self.answers else True
        if isinstance(answer, Exception):
            raise answer
        return answer


def gate_with(certificates: Certificates, clock: SystemClock | None = None) -> Gate:
    """Return a gate that asks these certificates."""
    store, clock, background = MemoryStore(), clock or SystemClock(), Background()
    tokens = TokenService(store, clock, background)
    policy = GatePolicy(local_user=False)
    return Gate(
        policy,
        tokens,
        AuditLog(store, clock),
        clock,
        background,
        certificates=certificates,
        requests=Requests(store, clock),
    )


async def test_a_stream_outlives_a_store_that_cannot_be_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """A database that fails over must not cost every proxy its stream; what is revoked ends once it can be
    asked.
    """
    monkeypatch.setattr(module, "RECHECK_S", 0.01)
    away = StoreUnavailable("the database is starting up")
    certificates = Certificates(True, away, away, True)
    assert await gate_with(certificates).while_valid(PROXY, asyncio.sleep(0.2, "done")) == "done"
    with pytest.raises(Unauthenticated):
        await gate_with(Certificates(away, False)).while_valid(PROXY, asyncio.sleep(60))


async def test_a_stream_does_not_outlive_its_credential(monkeypatch: pytest.MonkeyPatch) -> None:
    """It ends when that is over, not at the next look, and also while the store cannot be asked: when it ends
    was known when it was let in.
    """
    monkeypatch.setattr(module, "RECHECK_S", 600.0)
    away = StoreUnavailable("the database is starting up")
    soon = replace(PROXY, expires_us=SystemClock().now_us() + 50_000)
    with pytest.raises(Unauthenticated, match="has expired"):
        await asyncio.wait_for(gate_with(Certificates()).while_valid(soon, asyncio.Event().wait()), 60)
    monkeypatch.setattr(module, "RECHECK_S", 0.01)
    soon = replace(PROXY, expires_us=SystemClock().now_us() + 50_000)
    gate = gate_with(Certificates(*[away] * 50))
    with pytest.raises(Unauthenticated, match="has expired"):
        await asyncio.wait_for(gate.while_valid(soon, asyncio.Event().wait()), 60)
    with pytest.raises(Unauthenticated, match="was revoked"):
        await gate_with(Certificates(False)).while_valid(PROXY, asyncio.Event().wait())


async def test_an_address_that_fails_too_often_waits_and_others_do_not() -> None:
    """Each address has its own measure, and those that are remembered are bounded."""
    gate = gate_with(Certificates(), StillClock())
    access = MethodAccess(Role.VIEWER, changes=False)

    async def attempt(host: str) -> str:
        shown = Presented(authorization="Bearer sw_wrong", host=host)
        with pytest.raises(ControlError) as caught:
            await gate.admit("/a.B/C", access, shown)
        return caught.value.reason

    seen = [await attempt("10.0.0.1") for _ in range(module.FAILURES_BURST + 5)]
    assert seen[: module.FAILURES_BURST] == ["UNAUTHENTICATED"] * module.FAILURES_BURST
    assert set(seen[module.FAILURES_BURST + 1 :]) == {RateLimited.reason}
    assert await attempt("10.0.0.2") == "UNAUTHENTICATED"
    # Whoever shows a good credential from there gets in: guessing locks nobody else out.
    shown = Presented(certificate=b"pem", host="10.0.0.1")
    call = await gate.admit("/a.B/C", access, shown)
    assert call.caller.name == "node/a"
    for number in range(module.MAX_KEYS + 50):
        gate._failures.take(f"10.1.{number // 256}.{number % 256}", 0.0)
    assert len(gate._failures._levels) <= module.MAX_KEYS
