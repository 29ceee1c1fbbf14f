"""Access to the control plane without asyncio. `access_aio` is its twin, word for word."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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
    from seawall.client.run_sync import Run

_PAGE: Final = 200


class Access:
    """Tokens, certificates of proxies and the audit journal; see `Seawall.access`.

    Reading certificates and the journal takes the role viewer, everything else admin.
    """

    def __init__(self, run: Run) -> None:
        self._run = run

    def create_token(
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
        return self._run.unary(calls.create_token(name, roles, ttl, policy_sets, owner))

    def tokens(self) -> Iterator[Token]:
        """Yield the tokens by name, without their secrets."""
        token = ""
        while True:
            page = self._run.unary(calls.list_tokens(_PAGE, token))
            yield from page.tokens
            token = page.next_page_token
            if not token:
                return

    def revoke_token(self, name: str) -> None:
        """Make a token useless; `NotFound` when there is none of this name."""
        self._run.unary(calls.revoke_token(name))

    def create_enrolment_token(
        self, node: str, *, ttl: Seconds | None = None
    ) -> CreateEnrolmentTokenResponse:
        """Make a token with which one proxy enrols as `node`, once, within `ttl` (1 min to 7 days; None: 10
        minutes). `secret` in the answer cannot be had again.
        """
        return self._run.unary(calls.create_enrolment_token(node, ttl))

    def certificates(self, *, node: str = "") -> Iterator[NodeCertificate]:
        """Yield the certificates of proxies, of one node or of all, by node."""
        token = ""
        while True:
            page = self._run.unary(calls.list_certificates(_PAGE, token, node))
            yield from page.certificates
            token = page.next_page_token
            if not token:
                return

    def revoke_certificates(self, node: str, *, serial: str = "") -> int:
        """Refuse a proxy's certificates from now on, all or the one with a serial number; return how many.
        Its stream ends. `NotFound` when it has none that is good.
        """
        return (self._run.unary(calls.revoke_certificates(node, serial))).revoked

    def authority(self) -> GetAuthorityResponse:
        """Return the control plane's certificate authority: what `Credentials.ca_file` takes."""
        return self._run.unary(calls.get_authority())

    def audit(self, *, actor: str = "", method: str = "", limit: int = 100) -> Iterator[AuditEntry]:
        """Yield entries of the audit journal, newest first, of one actor or whose method ends so."""
        token, left = "", limit
        while left > 0:
            page = self._run.unary(calls.list_audit(min(left, _PAGE), token, actor, method))
            yield from page.entries[:left]
            left -= len(page.entries)
            token = page.next_page_token
            if not token:
                return

    def verify_audit(self) -> VerifyAuditResponse:
        """See that every entry of the audit journal follows from the one before it."""
        return self._run.unary(calls.verify_audit())

    def export_audit(self, *, after: int = 0) -> Iterator[AuditEntry]:
        """Yield the whole audit journal as it is chained, the oldest first, from the entry after a number."""
        token = ""
        while True:
            page = self._run.unary(calls.export_audit(after, token))
            yield from page.entries
            token = page.next_page_token
            if not token:
                return

    def keys(self) -> ListKeysResponse:
        """Return the keys of the store, by name, without the keys themselves."""
        found = self._run.unary(calls.list_keys())
        while found.next_page_token:
            page = self._run.unary(calls.list_keys(found.next_page_token))
            found.keys.extend(page.keys)
            found.next_page_token = page.next_page_token
        return found

    def rotate_key(self, *, prepare_only: bool = False, accept_loss: bool = False) -> RotateKeyResponse:
        """Make a new key of the store the current one and encrypt all secrets anew; or only add it to the
        file, so that it can be copied to other control planes first. `accept_loss` begins anew without a file
        that is lost.
        """
        return self._run.unary(calls.rotate_key(prepare_only=prepare_only, accept_loss=accept_loss))

    def authority_rotation(self) -> AuthorityRotation:
        """Return where a change of the authority is, and which nodes have not renewed yet."""
        return self._run.unary(calls.get_authority_rotation()).rotation

    def rotate_authority(self, *, prepare_only: bool = False) -> AuthorityRotation:
        """Make another authority beside the one that serves, for proxies that renew; or only prepare it, so
        that the folder can be copied to other control planes first.
        """
        return self._run.unary(calls.rotate_authority(prepare_only=prepare_only)).rotation

    def finish_authority_rotation(self, *, force: bool = False) -> AuthorityRotation:
        """Trust the next authority alone; `force` also while nodes have not renewed."""
        return self._run.unary(calls.finish_authority_rotation(force=force)).rotation
