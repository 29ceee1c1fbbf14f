"""Tokens over their life, on one control plane and on two of one store."""

from __future__ import annotations

import pytest

from seawall_control.domain import tokens
from seawall_control.domain.access import Role
from seawall_control.domain.errors import Unauthenticated
from seawall_control.services.background import Background
from seawall_control.services.tokens import FRESH_S, TokenService
from seawall_control.store.memory import MemoryStore


class Clock:
    """A clock that is set."""

    def __init__(self) -> None:
        self.now = 1000.0

    def now_us(self) -> int:
        """Return microseconds."""
        return int(self.now * 1e6)

    def monotonic_s(self) -> float:
        """Return seconds."""
        return self.now


def service(store: MemoryStore, clock: Clock) -> TokenService:
    """Return the tokens of one control plane."""
    return TokenService(store, clock, Background())


async def test_a_revocation_on_another_control_plane_is_heard_in_time() -> None:
    """Well within five seconds, and at once where it was made."""
    store, clock = MemoryStore(), Clock()
    one, two = service(store, clock), service(store, clock)
    _, secret = await one.create("a", [Role.VIEWER], expires_us=0, created_by="t")
    caller = await two.authenticate(secret, "10.0.0.1")
    await one.revoke("a")
    with pytest.raises(Unauthenticated, match="revoked"):
        await one.authenticate(secret, "10.0.0.1")
    clock.now += FRESH_S
    with pytest.raises(Unauthenticated, match="revoked"):
        await two.authenticate(secret, "10.0.0.1")
    assert not await two.still_valid(caller)
    assert FRESH_S < 5


async def test_every_letter_of_a_secret_counts() -> None:
    """Also when its check sum is right; and a secret of enrolment is no token."""
    store, clock = MemoryStore(), Clock()
    held = service(store, clock)
    raw = bytes(range(32))
    secret = tokens.secret_of(tokens.API_PREFIX, raw)
    _, good = await held.create("a", [Role.VIEWER], expires_us=0, created_by="t")
    assert (await held.authenticate(good, "")).name == "a"
    for at in range(32):
        other = bytes(byte ^ (index == at) for index, byte in enumerate(raw))
        assert tokens.secret_of(tokens.API_PREFIX, other) != secret
        with pytest.raises(Unauthenticated, match="not known"):
            await held.authenticate(tokens.secret_of(tokens.API_PREFIX, other), "")
    with pytest.raises(Unauthenticated, match="damaged"):
        await held.authenticate(tokens.secret_of(tokens.ENROLMENT_PREFIX, raw), "")


async def test_the_store_holds_no_secret() -> None:
    """What is kept is a hash, under the name."""
    store, clock = MemoryStore(), Clock()
    held = service(store, clock)
    _, secret = await held.create("a", [Role.ADMIN], expires_us=0, created_by="t")
    for document in await store.documents(tokens.KIND):
        assert secret not in document.body and secret[3:46] not in document.body
        assert tokens.hashed(secret) in document.body
