"""How proxies become known: one-time tokens, certificates, their renewal and revocation.

Every certificate is registered before it is handed out, and one that is not registered is refused although
the authority signed it. Whether a node has the one that it was sent is known when it shows it. Revoked ones
are held in memory and read again every two seconds, so that a revocation on another control plane with the
same store is heard.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from seawall_control.domain import enrolment, tokens
from seawall_control.domain.access import Caller, Role
from seawall_control.domain.enrolment import (
    CERTIFICATE_KIND,
    REVOKED_KIND,
    WAITING_KIND,
    EnrolmentToken,
    NodeCertificate,
)
from seawall_control.domain.errors import ControlError, NotFound, PreconditionFailed, Unauthenticated
from seawall_control.domain.events import MICROS
from seawall_control.domain.fleet import checked_node
from seawall_control.domain.records import Change, Delete, DocumentConflict, Put
from seawall_control.services.authorities import Authorities
from seawall_control.services.authority import Authority, Issued, expiry_us, node_and_serial, utc
from seawall_control.services.edge import Clock
from seawall_control.store.port import RecordStore

FRESH_S: Final = 2.0
LIFE: Final = timedelta(days=7)
"""Of a proxy's certificate. Renewed at half of it, so that a control plane may be away for half a week."""
RENEWALS_AT_ONCE: Final = 8
"""Renewals of one certificate that may meet in the store."""
PAGE: Final = 1000
TIDY_EVERY_S: Final = 3600.0


@dataclass(frozen=True, slots=True)
class Welcome:
    """What a proxy is given."""

    issued: Issued
    authority: str


class EnrolmentService:
    """Tokens and certificates of proxies. `dismiss` ends the stream of a node."""

    def __init__(
        self,
        store: RecordStore,
        authorities: Authorities,
        clock: Clock,
        dismiss: Callable[[str], None],
        *,
        life: timedelta = LIFE,
    ) -> None:
        """`life` is how long a proxy's certificate is valid."""
        self._store = store
        self._clock = clock
        self._dismiss = dismiss
        self._revoked: frozenset[str] = frozenset()
        self._read_at = float("-inf")
        self._reading = asyncio.Lock()
        self._life = life
        self.authorities = authorities

    # ------------------------------------------------------------------------------------------------ tokens

    async def create_token(self, node: str, *, ttl_s: float, created_by: str) -> tuple[EnrolmentToken, str]:
        """Make a token for a node; return it and what the proxy is to be given.

        Raise `InvalidRequest` or `PreconditionFailed`.
        """
        checked_node(node)
        now_us = self._clock.now_us()
        waiting = await self._store.documents(WAITING_KIND, limit=enrolment.MAX_WAITING)
        if len(waiting) >= enrolment.MAX_WAITING:
            raise PreconditionFailed(
                f"{enrolment.MAX_WAITING} enrolment tokens wait already; use some, or wait until they expire"
            )
        secret = tokens.secret_of(tokens.ENROLMENT_PREFIX, os.urandom(tokens.SECRET_BYTES))
        token = EnrolmentToken(
            digest=tokens.hashed(secret),
            node=node,
            created_us=now_us,
            created_by=created_by,
            expires_us=now_us + int(ttl_s * MICROS),
        )
        put = Put(WAITING_KIND, token.digest, enrolment.encoded_token(token), expected=0)
        await self._store.commit([put], at_us=now_us)
        return token, enrolment.pinned(secret, self.authorities.serving.fingerprint)

    async def enrol(self, caller: Caller, csr_pem: str) -> Welcome:
        """Use a token up and issue the first certificate, both or neither. Raise `InvalidRequest` (the token
        stays good) or `Unauthenticated`.
        """
        document = await self._store.document(WAITING_KIND, caller.credential)
        if document is None:
            raise _used()
        serving = self.authorities.serving
        # By the one that the token names and the control plane shows; the next is learnt by renewing.
        issued, put = self._issue(serving, csr_pem, caller.node)
        spend = Delete(WAITING_KIND, caller.credential, expected=document.version)
        try:
            await self._store.commit([spend, put], at_us=self._clock.now_us())
        except DocumentConflict:
            raise _used() from None
        return Welcome(issued, serving.pem)

    async def renew(self, caller: Caller, csr_pem: str, *, confirms: bool = False) -> Welcome:
        """Issue the next certificate of a node; `confirms`: it counts once the node has shown it. Raise
        `InvalidRequest` or `PreconditionFailed`, and `Unauthenticated` when the one that was shown is revoked
        meanwhile.
        """
        if caller.kind != "certificate":
            raise PreconditionFailed("a certificate is renewed on a connection that shows the one before it")
        issued, put = self._issue(self.authorities.renewing, csr_pem, caller.node, confirmed=not confirms)
        shown = f"{caller.node}:{caller.credential}"
        for _ in range(RENEWALS_AT_ONCE):
            changes: list[Change] = [put]
            document = await self._store.document(CERTIFICATE_KIND, shown)
            if document is not None:
                if enrolment.decoded_certificate(shown, document.body).revoked_us:
                    raise Unauthenticated(f"the certificate of node {caller.node!r} was revoked")
                # Written as it is: whoever revokes it at this moment makes one of us go again.
                changes.append(Put(CERTIFICATE_KIND, shown, document.body, expected=document.version))
            try:
                await self._store.commit(changes, at_us=self._clock.now_us())
            except DocumentConflict:
                continue
            return Welcome(issued, self.authorities.trusted_pem)
        raise PreconditionFailed(
            f"the certificate of node {caller.node!r} is being renewed by several at once; do two proxies "
            "share a folder of identity?"
        )

    async def confirm(self, node: str, serial: str) -> None:
        """Note that a node has its certificate. Raise `ControlError` when that cannot be noted."""
        name = f"{node}:{serial}"
        while (document := await self._store.document(CERTIFICATE_KIND, name)) is not None:
            record = enrolment.decoded_certificate(name, document.body)
            if record.confirmed:
                return
            body = enrolment.encoded_certificate(replace(record, confirmed=True))
            try:
                await self._store.commit(
                    [Put(CERTIFICATE_KIND, name, body, expected=document.version)], at_us=self._clock.now_us()
                )
            except DocumentConflict:
                # It was revoked, renewed or confirmed at this moment: what it is now decides.
                continue
            return

    def _issue(
        self, authority: Authority, csr_pem: str, node: str, *, confirmed: bool = True
    ) -> tuple[Issued, Put]:
        now_us = self._clock.now_us()
        issued = authority.issue_node(csr_pem, node, now=utc(now_us), life=self._life)
        record = NodeCertificate(
            node=node,
            serial=issued.serial,
            created_us=now_us,
            expires_us=issued.expires_us,
            authority=authority.fingerprint,
            confirmed=confirmed,
        )
        return issued, Put(CERTIFICATE_KIND, record.name, enrolment.encoded_certificate(record), expected=0)

    # ------------------------------------------------------------------------------------------ certificates

    async def certificates(self, *, after: str, limit: int, node: str = "") -> list[NodeCertificate]:
        """Return registered certificates by name, those after a name; of one node, or of all."""
        start = max(after, f"{node}:") if node else after
        found = await self._store.documents(CERTIFICATE_KIND, after=start, limit=limit)
        records = [enrolment.decoded_certificate(document.name, document.body) for document in found]
        return [record for record in records if not node or record.node == node]

    async def revoke(self, node: str, serial: str = "", *, validate_only: bool = False) -> int:
        """Refuse certificates of a node from now on, or only look; return how many. Raise `NotFound`."""
        now_us = self._clock.now_us()
        changes = await self._revocations(node, serial, now_us)
        revoked = len(changes) // 2
        if not serial:
            for document in await self._store.documents(WAITING_KIND, limit=enrolment.MAX_WAITING):
                if enrolment.decoded_token(document.name, document.body).node == node:
                    changes.append(Delete(WAITING_KIND, document.name))
        if not changes:
            raise NotFound(
                f"node {node[:64]!r} has no certificate that is good"
                + (f" with serial number {serial[:64]}" if serial else "")
                + "; `seawall enrol list` shows them"
            )
        if validate_only:
            return revoked
        while changes:
            await self._store.commit(changes, at_us=now_us)
            # Whoever has the node's key may have renewed meanwhile; what is revoked now renews no more.
            changes = await self._revocations(node, serial, now_us)
            revoked += len(changes) // 2
        await self._read()
        if revoked:
            self._dismiss(node)
        return revoked

    async def _revocations(self, node: str, serial: str, now_us: int) -> list[Change]:
        """Return what revokes the certificates of a node that are good, two changes for each."""
        changes: list[Change] = []
        after = ""
        while page := await self.certificates(after=after, limit=PAGE, node=node):
            after = page[-1].name
            for record in page:
                if serial in {"", record.serial} and not record.revoked_us:
                    body = enrolment.encoded_certificate(replace(record, revoked_us=now_us))
                    changes += [
                        Put(CERTIFICATE_KIND, record.name, body, facts=(("revoked", record.serial),)),
                        Put(REVOKED_KIND, record.name, body),
                    ]
        return changes

    async def tidy(self, now_us: int) -> int:
        """Forget what has expired by a time; return how many documents that were."""
        changes: list[Change] = []
        for kind in (CERTIFICATE_KIND, REVOKED_KIND):
            after = ""
            while page := await self._store.documents(kind, after=after, limit=PAGE):
                after = page[-1].name
                changes += [
                    Delete(kind, document.name)
                    for document in page
                    if enrolment.decoded_certificate(document.name, document.body).expires_us <= now_us
                ]
        changes += [
            Delete(WAITING_KIND, document.name)
            for document in await self._store.documents(WAITING_KIND, limit=enrolment.MAX_WAITING)
            if enrolment.decoded_token(document.name, document.body).expires_us <= now_us
        ]
        for start in range(0, len(changes), PAGE):
            await self._store.commit(changes[start : start + PAGE], at_us=self._clock.now_us())
        return len(changes)

    # ----------------------------------------------------------------------------------------------- inside

    async def is_revoked(self, node: str, serial: str) -> bool:
        """Tell whether a certificate was revoked, at most two seconds late."""
        if self._clock.monotonic_s() - self._read_at >= FRESH_S:
            async with self._reading:
                if self._clock.monotonic_s() - self._read_at >= FRESH_S:
                    await self._read()
        return f"{node}:{serial}" in self._revoked

    async def _read(self) -> None:
        at = self._clock.monotonic_s()
        names: set[str] = set()
        after = ""
        while page := await self._store.documents(REVOKED_KIND, after=after, limit=PAGE):
            after = page[-1].name
            names.update(document.name for document in page)
        self._revoked = frozenset(names)
        self._read_at = at

    async def waiting(self, digest: str) -> EnrolmentToken | None:
        """Return the token with this digest."""
        document = await self._store.document(WAITING_KIND, digest)
        return None if document is None else enrolment.decoded_token(digest, document.body)

    async def registered(self, node: str, serial: str) -> NodeCertificate | None:
        """Return a certificate of the register."""
        document = await self._store.document(CERTIFICATE_KIND, f"{node}:{serial}")
        return None if document is None else enrolment.decoded_certificate(document.name, document.body)


class EnrolmentCredentials:
    """Enrolment tokens, as the gate takes them."""

    def __init__(self, service: EnrolmentService, clock: Clock) -> None:
        self._service = service
        self._clock = clock

    async def authenticate(self, shown: str, address: str) -> Caller:
        """Return the enrollee whose token this is. Raise `Unauthenticated`."""
        if not tokens.is_well_formed(tokens.ENROLMENT_PREFIX, shown):
            raise Unauthenticated("the enrolment token is damaged; copy it again as it was shown")
        digest = tokens.hashed(shown)
        token = await self._service.waiting(digest)
        if token is None:
            raise _used()
        if token.expires_us <= self._clock.now_us():
            raise Unauthenticated(
                f"the enrolment token for node {token.node!r} has expired; make another with "
                f"`seawall enrol token create --node {token.node}`"
            )
        return Caller(
            f"node/{token.node}",
            "enrolment",
            frozenset({Role.ENROLLEE}),
            address,
            token.node,
            digest,
        )

    async def still_valid(self, caller: Caller) -> bool:
        """Tell nothing: enrolling is no long call."""
        return True


class CertificateCredentials:
    """Client certificates, as the gate takes them. `own` says that they come from our authority, which
    registers what it issues; those of another are taken as they are unless they were revoked.
    """

    def __init__(self, service: EnrolmentService, clock: Clock, *, own: bool) -> None:
        self._service = service
        self._clock = clock
        self._own = own

    async def authenticate(self, shown: str, address: str) -> Caller:
        """Return the proxy whose certificate TLS has verified. Raise `Unauthenticated`."""
        node, serial = node_and_serial(shown)
        if not node:
            raise Unauthenticated(
                "the certificate names no node: it needs exactly one URI seawall://node/NAME among its "
                "alternative names"
            )
        if await self._service.is_revoked(node, serial):
            raise Unauthenticated(
                f"the certificate of node {node!r} was revoked; to enrol the proxy again, put a new token "
                f"(seawall enrol token create --node {node}) into its control.enrol_token_file"
            )
        if self._own:
            record = await self._service.registered(node, serial)
            if record is None:
                raise Unauthenticated(
                    f"the certificate of node {node!r} is not registered here: it has expired, or the store "
                    "was restored from before it was issued; enrol the proxy again"
                )
            if not record.confirmed:
                # A full store is no reason to turn the proxy away; it is noted by a later call.
                with contextlib.suppress(ControlError):
                    await self._service.confirm(node, serial)
        ends_us = expiry_us(shown.encode())
        if ends_us <= self._clock.now_us():
            # TLS has looked when the connection was made, which may be long ago.
            raise Unauthenticated(
                f"the certificate of node {node!r} has expired; connect anew with the next one, or enrol the "
                "proxy again"
            )
        roles = frozenset({Role.PROXY})
        return Caller(f"node/{node}", "certificate", roles, address, node, serial, expires_us=ends_us)

    async def still_valid(self, caller: Caller) -> bool:
        """Tell whether the certificate was not revoked since."""
        return not await self._service.is_revoked(caller.node, caller.credential)


def _used() -> Unauthenticated:
    return Unauthenticated(
        "the enrolment token is not known: it was used already, has expired, or is of another control plane; "
        "make another with `seawall enrol token create --node NAME`"
    )


async def run_tidy(service: EnrolmentService, ages: Clock) -> None:
    """Forget what has expired, now and every hour, until cancelled. By a clock that does not leap: a proxy
    whose certificate is forgotten while the wall clock is wrong has to be enrolled again by hand.
    """
    while True:
        # The store may be full or busy; an hour later is soon enough.
        with contextlib.suppress(ControlError):
            await service.tidy(ages.now_us())
        await asyncio.sleep(TIDY_EVERY_S)
