"""Another authority in the place of the one that is there, and who still depends on the old one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from seawall_control.domain import enrolment
from seawall_control.domain.enrolment import CERTIFICATE_KIND, NodeCertificate
from seawall_control.domain.errors import PreconditionFailed
from seawall_control.services.authorities import Authorities
from seawall_control.services.authority import AuthorityUnusable, utc
from seawall_control.services.edge import Clock
from seawall_control.store.port import RecordStore

PAGE: Final = 1000
NAMED: Final = 5


class Phase(IntEnum):
    """Where a rotation is; the numbers are those of `seawall.v1.AuthorityPhase`."""

    NONE = 1
    PREPARED = 2
    RENEWING = 3


@dataclass(frozen=True, slots=True)
class RotationStatus:
    """Where a rotation is."""

    phase: Phase
    fingerprint: str
    next_fingerprint: str
    behind: tuple[NodeCertificate, ...]
    """Newest certificates that nodes are known to have, where they are not of the next authority, by node."""
    renewed: int
    """Nodes that are known to have one of the next authority."""


class AuthorityRotation:
    """The use cases of a rotation. `reissue` renews the control plane's own certificate if that is due; for a
    thread. `own` says that proxies are known by certificates of these authorities.
    """

    def __init__(
        self,
        store: RecordStore,
        authorities: Authorities,
        clock: Clock,
        reissue: Callable[[], None],
        *,
        own: bool,
    ) -> None:
        self._store = store
        self._clock = clock
        self._reissue = reissue
        self._own = own
        self._changing = asyncio.Lock()
        self.authorities = authorities

    async def status(self) -> RotationStatus:
        """Return where the rotation is, and who has not renewed yet."""
        found = self.authorities
        if found.next is None:
            return RotationStatus(Phase.NONE, found.serving.fingerprint, "", (), 0)
        newest = await self._newest()
        behind = tuple(c for c in newest if c.authority != found.next.fingerprint)
        phase = Phase.RENEWING if found.has_begun else Phase.PREPARED
        return RotationStatus(
            phase, found.serving.fingerprint, found.next.fingerprint, behind, len(newest) - len(behind)
        )

    async def _newest(self) -> list[NodeCertificate]:
        """Return the newest good certificate that each node is known to have, by node."""
        now_us = self._clock.now_us()
        newest: dict[str, NodeCertificate] = {}
        after = ""
        while page := await self._store.documents(CERTIFICATE_KIND, after=after, limit=PAGE):
            after = page[-1].name
            for document in page:
                one = enrolment.decoded_certificate(document.name, document.body)
                if one.revoked_us or one.expires_us <= now_us or not one.confirmed:
                    continue
                if one.node not in newest or newest[one.node].created_us < one.created_us:
                    newest[one.node] = one
        return [newest[node] for node in sorted(newest)]

    async def rotate(self, *, prepare_only: bool) -> RotationStatus:
        """Begin a rotation, or only prepare it. Raise `PreconditionFailed`."""
        async with self._changing:
            step = self.authorities.prepare if prepare_only else self.authorities.begin
            await self._do(lambda: step(utc(self._clock.now_us())))
        return await self.status()

    async def finish(self, *, force: bool) -> RotationStatus:
        """End a rotation. Raise `PreconditionFailed`, also while nodes have not renewed, unless it is forced:
        those have to be enrolled again.
        """
        async with self._changing:
            before = await self.status()
            if before.behind and self._own and not force:
                names = ", ".join(one.node for one in before.behind[:NAMED])
                more = f" and {len(before.behind) - NAMED} more" if len(before.behind) > NAMED else ""
                raise PreconditionFailed(
                    f"{names}{more} have not renewed yet and could not connect any more; wait (proxies renew "
                    "at half of their certificate's time), revoke those that are gone, or enrol them again "
                    "(--force)"
                )
            await self._do(lambda: self.authorities.finish(utc(self._clock.now_us())))
        return await self.status()

    async def _do(self, step: Callable[[], None]) -> None:
        def both() -> None:
            step()
            self._reissue()

        try:
            await asyncio.to_thread(both)
        except (OSError, AuthorityUnusable) as error:
            raise PreconditionFailed(f"{self.authorities.folder} cannot be changed: {error}") from error
