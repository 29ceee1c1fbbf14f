"""Access to the control plane for asyncio. `access_sync` is its twin, word for word."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING, Final

from seawall.client import access_calls as calls
from seawall.client.calls import Seconds
from seawall.v1.admin_access_pb2 import (
    AuditEntry,
    AuthorityRotation,
    CreateEnrolmentTokenResponse,
    CreateTokenResponse,
    GetAuthorityResponse,
    ListKeysResponse,
    NodeCertificate,
    RotateKeyResponse,
    Token,
    VerifyAuditResponse,
)

if TYPE_CHECKING:
    from seawall.client.run_aio import AsyncRun

_PAGE: Final = 200


class AsyncAccess:
    """Tokens, certificates of proxies and the audit journal; see `AsyncSeawall.access`.

    Reading certificates and the journal takes the role viewer, everything else admin.
    """

    def __init__(self, run: AsyncRun) -> None:
        self._run = run

    async def create_token(
        self,
        name: str,
        roles: Sequence[str] = ("viewer",),
        *,
        ttl: Seconds | None = None,
        policy_sets: Sequence[str] = (),
        owner: str = "",
    ) -> CreateTokenResponse:
        """Make a token for `name` that works for `ttl` (1 min to 10 years; None: for ever).

        `secret` in the answer cannot be had again. Roles are viewer, operator, editor, admin, reporter, or
        proxy alone; raise ValueError for another. With `policy_sets` a viewer or editor sees and changes the
        revisions of those alone. `owner` is the person that it stands for; empty: whoever makes it.
        """
        return await self._run.unary(calls.create_token(name, roles, ttl, policy_sets, owner))

    async def tokens(self) -> AsyncIterator[Token]:
        """Yield the tokens by name, without their secrets."""
        token = ""
        while True:
            page = await self._run.unary(calls.list_tokens(_PAGE, token))
            for item in page.tokens:
                yield item
            token = page.next_page_token
            if not token:
                return

    async def revoke_token(self, name: str) -> None:
        """Make a token useless; `NotFound` when there is none of this name."""
        await self._run.unary(calls.revoke_token(name))

    async def create_enrolment_token(
        self, node: str, *, ttl: Seconds | None = None
    ) -> CreateEnrolmentTokenResponse:
        """Make a token with which one proxy enrols as `node`, once, within `ttl` (1 min to 7 days; None: 10
        minutes). `secret` in the answer cannot be had again.
        """
        return await self._run.unary(calls.create_enrolment_token(node, ttl))

    async def certificates(self, *, node: str = "") -> AsyncIterator[NodeCertificate]:
        """Yield the certificates of proxies, of one node or of all, by node."""
        token = ""
        while True:
            page = await self._run.unary(calls.list_certificates(_PAGE, token, node))
            for item in page.certificates:
                yield item
            token = page.next_page_token
            if not token:
                return

    async def revoke_certificates(self, node: str, *, serial: str = "") -> int:
        """Refuse a proxy's certificates from now on, all or the one with a serial number; return how many.
        Its stream ends. `NotFound` when it has none that is good.
        """
        return (await self._run.unary(calls.revoke_certificates(node, serial))).revoked

    async def authority(self) -> GetAuthorityResponse:
        """Return the control plane's certificate authority: what `Credentials.ca_file` takes."""
        return await self._run.unary(calls.get_authority())

    async def audit(
        self, *, actor: str = "", method: str = "", limit: int = 100
    ) -> AsyncIterator[AuditEntry]:
        """Yield entries of the audit journal, newest first, of one actor or whose method ends so."""
        token, left = "", limit
        while left > 0:
            page = await self._run.unary(calls.list_audit(min(left, _PAGE), token, actor, method))
            for entry in page.entries[:left]:
                yield entry
            left -= len(page.entries)
            token = page.next_page_token
            if not token:
                return

    async def verify_audit(self) -> VerifyAuditResponse:
        """See that every entry of the audit journal follows from the one before it."""
        return await self._run.unary(calls.verify_audit())

    async def export_audit(self, *, after: int = 0) -> AsyncIterator[AuditEntry]:
        """Yield the whole audit journal as it is chained, the oldest first, from the entry after a number."""
        token = ""
        while True:
            page = await self._run.unary(calls.export_audit(after, token))
            for entry in page.entries:
                yield entry
            token = page.next_page_token
            if not token:
                return

    async def keys(self) -> ListKeysResponse:
        """Return the keys of the store, by name, without the keys themselves."""
        found = await self._run.unary(calls.list_keys())
        while found.next_page_token:
            page = await self._run.unary(calls.list_keys(found.next_page_token))
            found.keys.extend(page.keys)
            found.next_page_token = page.next_page_token
        return found

    async def rotate_key(self, *, prepare_only: bool = False, accept_loss: bool = False) -> RotateKeyResponse:
        """Make a new key of the store the current one and encrypt all secrets anew; or only add it to the
        file, so that it can be copied to other control planes first. `accept_loss` begins anew without a file
        that is lost.
        """
        return await self._run.unary(calls.rotate_key(prepare_only=prepare_only, accept_loss=accept_loss))

    async def authority_rotation(self) -> AuthorityRotation:
        """Return where a change of the authority is, and which nodes have not renewed yet."""
        return (await self._run.unary(calls.get_authority_rotation())).rotation

    async def rotate_authority(self, *, prepare_only: bool = False) -> AuthorityRotation:
        """Make another authority beside the one that serves, for proxies that renew; or only prepare it, so
        that the folder can be copied to other control planes first.
        """
        return (await self._run.unary(calls.rotate_authority(prepare_only=prepare_only))).rotation

    async def finish_authority_rotation(self, *, force: bool = False) -> AuthorityRotation:
        """Trust the next authority alone; `force` also while nodes have not renewed."""
        return (await self._run.unary(calls.finish_authority_rotation(force=force))).rotation
