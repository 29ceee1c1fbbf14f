"""AccessService: decode, call the use case, encode."""

from __future__ import annotations

from typing import Final

from seawall.v1 import admin_access_pb2 as pb
from seawall.v1 import admin_access_pb2_grpc, options_pb2
from seawall_control.api import codec
from seawall_control.api.caller import current
from seawall_control.api.errors import Context, answered
from seawall_control.domain import audit, paging
from seawall_control.domain.access import Role
from seawall_control.domain.enrolment import DEFAULT_TTL_S, NodeCertificate
from seawall_control.domain.errors import InvalidRequest
from seawall_control.domain.events import MICROS
from seawall_control.domain.records import Entry
from seawall_control.domain.tokens import Token
from seawall_control.services.audit import AuditLog
from seawall_control.services.edge import Clock
from seawall_control.services.enrolment import EnrolmentService
from seawall_control.services.tokens import TokenService

_SHORTEST_S: Final = 60.0
_LONGEST_S: Final = 10 * 365 * 86400.0
_LONGEST_WAIT_S: Final = 7 * 86400.0
MOST_SEARCHED: Final = 5000
"""Entries that one page with a condition looks at; the next page goes on from there."""


def _token(token: Token) -> pb.Token:
    return pb.Token(
        name=token.name,
        roles=[options_pb2.Role.Name(role) for role in sorted(token.roles)],
        create_time=codec.optional_time(token.created_us),
        creator=token.created_by,
        expire_time=codec.optional_time(token.expires_us),
        last_use_time=codec.optional_time(token.last_used_us),
        id=token.id,
    )


def _certificate(item: NodeCertificate) -> pb.NodeCertificate:
    return pb.NodeCertificate(
        node=item.node,
        serial=item.serial,
        create_time=codec.optional_time(item.created_us),
        expire_time=codec.optional_time(item.expires_us),
        revoke_time=codec.optional_time(item.revoked_us),
    )


def _entry(entry: Entry, record: audit.AuditRecord) -> pb.AuditEntry:
    return pb.AuditEntry(
        number=entry.number,
        time=codec.optional_time(entry.time_us),
        actor=record.actor,
        actor_kind=record.kind,
        roles=record.roles,
        address=record.address,
        method=record.method,
        resource=dict(record.resource),
        request_id=record.request_id,
        outcome=record.outcome,
        reason=record.reason,
        result=dict(record.result),
        suppressed=record.suppressed,
        credential=record.credential,
        chain=entry.chain,
        call=record.call,
        step=record.step,
        changes=[pb.AuditChange(what=c.what, before=c.before, after=c.after) for c in record.changes],
        more_changes=record.more_changes,
    )


def _roles(numbers: list[int]) -> list[Role]:
    try:
        return [Role(number) for number in numbers]
    except ValueError as error:
        raise InvalidRequest(f"roles: {error}") from None


def who() -> str:
    """Return the name of the caller, for the record of who made something."""
    call = current()
    return call.caller.name if call else ""


class AccessServicer(admin_access_pb2_grpc.AccessServiceServicer):
    """seawall.v1.AccessService."""

    def __init__(
        self, tokens: TokenService, enrolment: EnrolmentService, log: AuditLog, clock: Clock
    ) -> None:
        self._tokens = tokens
        self._enrolment = enrolment
        self._audit = log
        self._clock = clock

    async def CreateToken(self, request: pb.CreateTokenRequest, context: Context) -> pb.CreateTokenResponse:
        """Make a token."""

        async def work() -> pb.CreateTokenResponse:
            ttl_s = codec.checked_seconds(
                request.ttl, name="ttl", default_s=0.0, low_s=_SHORTEST_S, high_s=_LONGEST_S
            )
            expires_us = self._clock.now_us() + int(ttl_s * MICROS) if ttl_s else 0
            token, secret = await self._tokens.create(
                request.name, _roles(list(request.roles)), expires_us=expires_us, created_by=who()
            )
            return pb.CreateTokenResponse(token=_token(token), secret=secret)

        return await answered(context, work())

    async def ListTokens(self, request: pb.ListTokensRequest, context: Context) -> pb.ListTokensResponse:
        """Return tokens by name."""

        async def work() -> pb.ListTokensResponse:
            size = paging.page_size(request.page_size, default=200, most=1000)
            after = str(paging.decode(request.page_token, ("tokens",))[0]) if request.page_token else ""
            found = [token for token in await self._tokens.list() if token.name > after]
            page = found[:size]
            more = paging.encode((page[-1].name,), ("tokens",)) if len(found) > size else ""
            return pb.ListTokensResponse(tokens=[_token(token) for token in page], next_page_token=more)

        return await answered(context, work())

    async def RevokeToken(self, request: pb.RevokeTokenRequest, context: Context) -> pb.RevokeTokenResponse:
        """Make a token useless."""

        async def work() -> pb.RevokeTokenResponse:
            await self._tokens.revoke(request.name)
            return pb.RevokeTokenResponse()

        return await answered(context, work())

    async def CreateEnrolmentToken(
        self, request: pb.CreateEnrolmentTokenRequest, context: Context
    ) -> pb.CreateEnrolmentTokenResponse:
        """Make a token with which one proxy enrols once."""

        async def work() -> pb.CreateEnrolmentTokenResponse:
            ttl_s = codec.checked_seconds(
                request.ttl, name="ttl", default_s=DEFAULT_TTL_S, low_s=_SHORTEST_S, high_s=_LONGEST_WAIT_S
            )
            token, secret = await self._enrolment.create_token(request.node, ttl_s=ttl_s, created_by=who())
            return pb.CreateEnrolmentTokenResponse(
                secret=secret, expire_time=codec.optional_time(token.expires_us)
            )

        return await answered(context, work())

    async def ListCertificates(
        self, request: pb.ListCertificatesRequest, context: Context
    ) -> pb.ListCertificatesResponse:
        """Return certificates of proxies."""

        async def work() -> pb.ListCertificatesResponse:
            size = paging.page_size(request.page_size, default=200, most=1000)
            scope = ("certificates", request.node)
            after = str(paging.decode(request.page_token, scope)[0]) if request.page_token else ""
            found = await self._enrolment.certificates(after=after, limit=size + 1, node=request.node)
            page = found[:size]
            more = paging.encode((page[-1].name,), scope) if len(found) > size else ""
            return pb.ListCertificatesResponse(
                certificates=[_certificate(item) for item in page], next_page_token=more
            )

        return await answered(context, work())

    async def RevokeCertificates(
        self, request: pb.RevokeCertificatesRequest, context: Context
    ) -> pb.RevokeCertificatesResponse:
        """Refuse a proxy's certificates from now on."""

        async def work() -> pb.RevokeCertificatesResponse:
            number = await self._enrolment.revoke(request.node, request.serial.lower().lstrip("0"))
            return pb.RevokeCertificatesResponse(revoked=number)

        return await answered(context, work())

    async def GetAuthority(
        self, request: pb.GetAuthorityRequest, context: Context
    ) -> pb.GetAuthorityResponse:
        """Return the authority's certificate."""
        authority = self._enrolment.authority
        return pb.GetAuthorityResponse(certificate=authority.pem, fingerprint=authority.fingerprint)

    async def ListAuditEntries(
        self, request: pb.ListAuditEntriesRequest, context: Context
    ) -> pb.ListAuditEntriesResponse:
        """Return entries, newest first."""

        async def work() -> pb.ListAuditEntriesResponse:
            size = paging.page_size(request.page_size, default=100, most=1000)
            scope = ("audit", request.actor, request.method)
            before = int(paging.decode(request.page_token, scope)[0]) if request.page_token else 0
            found: list[pb.AuditEntry] = []
            searched = 0
            while True:
                page = await self._audit.page(before=before, limit=size)
                for entry in page:
                    record = audit.decoded(entry)
                    if request.actor in {"", record.actor} and record.method.endswith(request.method):
                        found.append(_entry(entry, record))
                    before = entry.number
                    if len(found) == size:
                        break
                searched += len(page)
                over = len(page) < size or before <= 1
                if len(found) == size or over or searched >= MOST_SEARCHED:
                    break
            # The page may have ended with the journal's last entry: then the next one is empty, and says so.
            token = "" if over and len(found) < size else paging.encode((before,), scope)
            return pb.ListAuditEntriesResponse(entries=found, next_page_token=token if before > 1 else "")

        return await answered(context, work())

    async def VerifyAudit(self, request: pb.VerifyAuditRequest, context: Context) -> pb.VerifyAuditResponse:
        """Walk the journal."""

        async def work() -> pb.VerifyAuditResponse:
            found = await self._audit.verify()
            return pb.VerifyAuditResponse(
                intact=found.broken is None,
                entries=found.entries,
                first=found.first,
                last=found.last,
                head=found.head,
                broken=found.broken.number if found.broken else 0,
            )

        return await answered(context, work())
