"""Enrolment over the reference store: once, in time, both or neither, and revoked for good."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from seawall_control.domain import tokens
from seawall_control.domain.access import Role
from seawall_control.domain.enrolment import unpinned
from seawall_control.domain.errors import InvalidRequest, NotFound, PreconditionFailed, Unauthenticated
from seawall_control.services.authorities import Authorities
from seawall_control.services.authority import utc
from seawall_control.services.authority_rotation import AuthorityRotation
from seawall_control.services.enrolment import (
    CertificateCredentials,
    EnrolmentCredentials,
    EnrolmentService,
    Welcome,
)
from seawall_control.services.settled_clock import SettledClock
from seawall_control.store.memory import MemoryStore
from tests.unit.control.test_authority import request_for


class Clock:
    """A clock that is set."""

    def __init__(self) -> None:
        self.now = 1_790_000_000.0
        self.off_s = 0.0
        """By how much the wall clock is wrong."""

    def now_us(self) -> int:
        """Return microseconds."""
        return int((self.now + self.off_s) * 1e6)

    def monotonic_s(self) -> float:
        """Return seconds."""
        return self.now


class House:
    """Everything that enrolment needs."""

    def __init__(self, folder: Path) -> None:
        self.clock = Clock()
        self.store = MemoryStore()
        self.dismissed: list[str] = []
        authority = Authorities(folder, utc(self.clock.now_us()))
        self.service = EnrolmentService(self.store, authority, self.clock, self.dismissed.append)
        self.tokens = EnrolmentCredentials(self.service, self.clock)
        self.certificates = CertificateCredentials(self.service, self.clock, own=True)

    async def token(self, node: str = "proxy-1", ttl_s: float = 600.0) -> str:
        """Return the secret of a new token."""
        _, text = await self.service.create_token(node, ttl_s=ttl_s, created_by="test")
        secret, fingerprint = unpinned(text)
        assert fingerprint == self.service.authorities.serving.fingerprint
        return secret

    async def enrol(self, secret: str) -> Welcome:
        """Use a token as a proxy would."""
        caller = await self.tokens.authenticate(secret, "10.0.0.9")
        assert caller.roles == {Role.ENROLLEE}
        return await self.service.enrol(caller, csr())


def csr() -> str:
    """Return a request of a new key."""
    return request_for(ec.generate_private_key(ec.SECP256R1()))


@pytest.fixture
def house(tmp_path: Path) -> House:
    """Build one."""
    return House(tmp_path)


async def test_a_token_makes_one_proxy_known_once(house: House) -> None:
    """The certificate is accepted, the token is not again."""
    secret = await house.token()
    welcome = await house.enrol(secret)
    caller = await house.certificates.authenticate(welcome.issued.pem, "10.0.0.9")
    assert (caller.node, caller.kind) == ("proxy-1", "certificate")
    assert caller.roles == {Role.PROXY}
    with pytest.raises(Unauthenticated, match="used already"):
        await house.enrol(secret)


async def test_two_that_use_one_token_at_once(house: House) -> None:
    """One of them gets in."""
    secret = await house.token()
    caller = await house.tokens.authenticate(secret, "")
    results = await asyncio.gather(
        *(house.service.enrol(caller, csr()) for _ in range(5)), return_exceptions=True
    )
    assert sum(isinstance(result, Welcome) for result in results) == 1
    assert sum(isinstance(result, Unauthenticated) for result in results) == 4
    assert len(await house.service.certificates(after="", limit=10)) == 1


async def test_a_bad_request_does_not_use_the_token_up(house: House) -> None:
    """Both or neither."""
    secret = await house.token()
    caller = await house.tokens.authenticate(secret, "")
    with pytest.raises(InvalidRequest):
        await house.service.enrol(caller, "nonsense")
    await house.enrol(secret)


async def test_a_token_waits_no_longer_than_it_says(house: House) -> None:
    """The message says how to get another."""
    secret = await house.token(ttl_s=60)
    house.clock.now += 61
    with pytest.raises(Unauthenticated, match="expired; make another with"):
        await house.tokens.authenticate(secret, "")


@pytest.mark.parametrize("secret", ["swe_", "swe_short", "swe_" + "0" * 49])
async def test_made_up_tokens(house: House, secret: str) -> None:
    """Damaged or not known."""
    with pytest.raises(Unauthenticated):
        await house.tokens.authenticate(secret, "")


async def test_the_store_holds_no_secret(house: House) -> None:
    """Nor does a certificate's document."""
    secret = await house.token()
    kept = [d.name + d.body for d in await house.store.documents("access.enrolment")]
    assert kept
    assert not any(secret in text for text in kept)
    assert tokens.hashed(secret) in kept[0]


async def test_renewal_takes_the_certificate_before_it(house: House) -> None:
    """A token of the role proxy does not do, and the old certificate stays good beside the new one."""
    welcome = await house.enrol(await house.token())
    caller = await house.certificates.authenticate(welcome.issued.pem, "")
    house.clock.now += 3 * 86400
    renewed = await house.service.renew(caller, csr())
    assert renewed.issued.expires_us > welcome.issued.expires_us
    for pem in (welcome.issued.pem, renewed.issued.pem):
        assert (await house.certificates.authenticate(pem, "")).node == "proxy-1"
    enrollee = await house.tokens.authenticate(await house.token(), "")
    with pytest.raises(PreconditionFailed):
        await house.service.renew(enrollee, csr())


async def test_a_node_has_renewed_when_it_has_shown_the_new_certificate(house: House) -> None:
    """One that was lost on its way must not let the authority of the one before be taken away."""
    caller = await house.certificates.authenticate((await house.enrol(await house.token())).issued.pem, "")
    rotation = AuthorityRotation(house.store, house.service.authorities, house.clock, lambda: None, own=True)
    await rotation.rotate(prepare_only=False)
    house.clock.now += 60
    _lost, kept = [await house.service.renew(caller, csr(), confirms=True) for _ in range(2)]
    assert [one.node for one in (await rotation.status()).behind] == ["proxy-1"]
    with pytest.raises(PreconditionFailed, match="have not renewed yet"):
        await rotation.finish(force=False)
    await house.certificates.authenticate(kept.issued.pem, "")
    status = await rotation.status()
    assert (status.behind, status.renewed) == ((), 1)
    await rotation.finish(force=False)


async def test_a_proxy_of_before_has_renewed_when_it_is_answered(house: House) -> None:
    """It does not say that it will show the certificate, and its stream stays open."""
    caller = await house.certificates.authenticate((await house.enrol(await house.token())).issued.pem, "")
    rotation = AuthorityRotation(house.store, house.service.authorities, house.clock, lambda: None, own=True)
    await rotation.rotate(prepare_only=False)
    house.clock.now += 60
    await house.service.renew(caller, csr())
    assert (await rotation.status()).behind == ()


async def test_a_certificate_that_is_revoked_before_it_is_shown_stays_so(house: House) -> None:
    """Confirming it brings nothing back."""
    caller = await house.certificates.authenticate((await house.enrol(await house.token())).issued.pem, "")
    renewed = await house.service.renew(caller, csr(), confirms=True)
    await house.service.revoke("proxy-1")
    await house.service.confirm("proxy-1", renewed.issued.serial)
    with pytest.raises(Unauthenticated, match="was revoked"):
        await house.certificates.authenticate(renewed.issued.pem, "")
    await house.service.confirm("proxy-1", "none")


async def test_revoked_is_revoked(house: House) -> None:
    """All certificates of the node, tokens that wait for it, and its stream; others are left alone."""
    first = await house.enrol(await house.token())
    second = await house.enrol(await house.token())
    other = await house.enrol(await house.token("proxy-10"))
    waiting = await house.token()
    caller = await house.certificates.authenticate(first.issued.pem, "")
    assert await house.certificates.still_valid(caller)
    assert await house.service.revoke("proxy-1") == 2
    assert house.dismissed == ["proxy-1"]
    assert not await house.certificates.still_valid(caller)
    for welcome in (first, second):
        with pytest.raises(Unauthenticated, match="was revoked"):
            await house.certificates.authenticate(welcome.issued.pem, "")
    with pytest.raises(Unauthenticated):
        await house.tokens.authenticate(waiting, "")
    assert (await house.certificates.authenticate(other.issued.pem, "")).node == "proxy-10"
    with pytest.raises(NotFound, match="enrol list"):
        await house.service.revoke("proxy-1")
    # Enrolled again it is back.
    again = await house.enrol(await house.token())
    assert (await house.certificates.authenticate(again.issued.pem, "")).node == "proxy-1"


async def test_nobody_renews_out_of_a_revocation(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever has the key of a node renews all the time, also at the moment at which it is revoked."""
    first = await house.enrol(await house.token())
    caller = await house.certificates.authenticate(first.issued.pem, "")
    renewed: list[Welcome] = []
    true = house.store.commit

    async def between(changes: Any, *, at_us: int) -> Any:
        monkeypatch.setattr(house.store, "commit", true)
        renewed.append(await house.service.renew(caller, csr()))
        return await true(changes, at_us=at_us)

    monkeypatch.setattr(house.store, "commit", between)
    assert await house.service.revoke("proxy-1") == 2
    with pytest.raises(Unauthenticated, match="was revoked"):
        await house.certificates.authenticate(renewed[0].issued.pem, "")

    # And a renewal that was let in before, and is stored after.
    other = await house.enrol(await house.token())
    caller = await house.certificates.authenticate(other.issued.pem, "")

    async def late(changes: Any, *, at_us: int) -> Any:
        monkeypatch.setattr(house.store, "commit", true)
        await house.service.revoke("proxy-1")
        return await true(changes, at_us=at_us)

    monkeypatch.setattr(house.store, "commit", late)
    with pytest.raises(Unauthenticated, match="was revoked"):
        await house.service.renew(caller, csr())


async def test_renewals_of_one_certificate_may_meet(house: House) -> None:
    """A proxy whose answer was lost asks again while the first is still under way."""
    first = await house.enrol(await house.token())
    caller = await house.certificates.authenticate(first.issued.pem, "")
    both = await asyncio.gather(*(house.service.renew(caller, csr()) for _ in range(4)))
    for welcome in both:
        assert (await house.certificates.authenticate(welcome.issued.pem, "")).node == "proxy-1"


async def test_one_serial_number_is_revoked(house: House) -> None:
    """The other certificate of the node stays good."""
    first = await house.enrol(await house.token())
    second = await house.enrol(await house.token())
    assert await house.service.revoke("proxy-1", first.issued.serial) == 1
    with pytest.raises(Unauthenticated):
        await house.certificates.authenticate(first.issued.pem, "")
    await house.certificates.authenticate(second.issued.pem, "")


async def test_a_revocation_elsewhere_is_heard(house: House) -> None:
    """Another control plane on the same store, two seconds later."""
    welcome = await house.enrol(await house.token())
    caller = await house.certificates.authenticate(welcome.issued.pem, "")
    elsewhere = EnrolmentService(house.store, house.service.authorities, house.clock, lambda _: None)
    await elsewhere.revoke("proxy-1")
    house.clock.now += 2
    assert not await house.certificates.still_valid(caller)


async def test_a_connection_that_outlives_its_certificate(house: House) -> None:
    """TLS looks at the handshake only: a call on a connection of before is refused, whoever issued it."""
    welcome = await house.enrol(await house.token())
    caller = await house.certificates.authenticate(welcome.issued.pem, "")
    assert caller.expires_us == welcome.issued.expires_us // 1_000_000 * 1_000_000
    foreign = CertificateCredentials(house.service, house.clock, own=False)
    await foreign.authenticate(welcome.issued.pem, "")
    house.clock.now += 7 * 86400
    for credentials in (house.certificates, foreign):
        with pytest.raises(Unauthenticated, match="has expired"):
            await credentials.authenticate(welcome.issued.pem, "")


async def test_a_certificate_that_nobody_registered_is_refused(house: House) -> None:
    """Although the authority signed it: whoever stole only the key makes no proxy unnoticed."""
    issued = house.service.authorities.serving.issue_node(
        csr(), "ghost", now=utc(house.clock.now_us()), life=timedelta(days=1)
    )
    with pytest.raises(Unauthenticated, match="not registered"):
        await house.certificates.authenticate(issued.pem, "")
    # With an authority of the operator's there is no register.
    foreign = CertificateCredentials(house.service, house.clock, own=False)
    assert (await foreign.authenticate(issued.pem, "")).node == "ghost"
    with pytest.raises(Unauthenticated, match="names no node"):
        await foreign.authenticate("nonsense", "")


async def test_what_has_expired_is_forgotten(house: House) -> None:
    """Certificates, revocations and tokens alike."""
    await house.enrol(await house.token())
    await house.service.revoke("proxy-1")
    await house.token("proxy-2", ttl_s=60)
    assert await house.service.tidy(house.clock.now_us()) == 0
    house.clock.now += 8 * 86400
    assert await house.service.tidy(house.clock.now_us()) == 3
    for kind in ("access.certificate", "access.revoked", "access.enrolment"):
        assert not await house.store.documents(kind)


async def test_a_proxy_is_not_forgotten_because_the_clock_was_wrong(house: House) -> None:
    """A year ahead for a minute: its certificate, and what was revoked, are there when the clock is right."""
    welcome = await house.enrol(await house.token())
    await house.token("proxy-2", ttl_s=60)
    ages = SettledClock(house.clock)
    ages.now_us()
    house.clock.off_s = 365 * 86400.0
    assert await house.service.tidy(ages.now_us()) == 0
    house.clock.off_s = 0.0
    assert (await house.certificates.authenticate(welcome.issued.pem, "")).node == "proxy-1"
