"""AccessService: decode, call the use case, encode."""

from __future__ import annotations

from typing import Final

from seawall.v1 import admin_access_pb2 as pb
from seawall.v1 import admin_access_pb2_grpc, options_pb2
from seawall_control.api import audit_pages, codec
from seawall_control.api.caller import begun, current, person
from seawall_control.api.errors import Context, answered
from seawall_control.domain import paging
from seawall_control.domain.access import Role
from seawall_control.domain.enrolment import DEFAULT_TTL_S, NodeCertificate
from seawall_control.domain.errors import InvalidRequest
from seawall_control.domain.events import MICROS
from seawall_control.domain.tokens import Token
from seawall_control.services.audit import AuditLog
from seawall_control.services.authority_rotation import AuthorityRotation, RotationStatus
from seawall_control.services.edge import Clock
from seawall_control.services.enrolment import EnrolmentService
from seawall_control.services.store_keys import Reseal, StoreKeys
from seawall_control.services.tokens import TokenService

_SHORTEST_S: Final = 60.0
_LONGEST_S: Final = 10 * 365 * 86400.0
MOST_NAMED: Final = 1000
"""Nodes that have not renewed, of which an answer names each."""
_LONGEST_WAIT_S: Final = 7 * 86400.0


def _token(token: Token) -> pb.Token:
    return pb.Token(
        name=token.name,
        roles=[options_pb2.Role.Name(role) for role in sorted(token.roles)],
        create_time=codec.optional_time(token.created_us),
        creator=token.created_by,
        expire_time=codec.optional_time(token.expires_us),
        last_use_time=codec.optional_time(token.last_used_us),
        id=token.id,
        policy_sets=sorted(token.policy_sets),
        owner=token.owner,
    )


def _certificate(item: NodeCertificate) -> pb.NodeCertificate:
    return pb.NodeCertificate(
        node=item.node,
        serial=item.serial,
        create_time=codec.optional_time(item.created_us),
        expire_time=codec.optional_time(item.expires_us),
        revoke_time=codec.optional_time(item.revoked_us),
        authority=item.authority,
    )


def _rotation(found: RotationStatus) -> pb.AuthorityRotation:
    return pb.AuthorityRotation(
        phase=codec.enum(pb.AuthorityPhase, found.phase),
        fingerprint=found.fingerprint,
        next_fingerprint=found.next_fingerprint,
        behind=[_certificate(item) for item in found.behind[:MOST_NAMED]],
        behind_count=len(found.behind),
        renewed_count=found.renewed,
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
        self,
        tokens: TokenService,
        enrolment: EnrolmentService,
        rotation: AuthorityRotation,
        log: AuditLog,
        keys: StoreKeys,
        reseal: Reseal,
        clock: Clock,
    ) -> None:
        """`reseal` seals all secrets with the current key."""
        self._rotation = rotation
        self._keys = keys
        self._reseal = reseal
        self._tokens = tokens
        self._enrolment = enrolment
        self._audit = log
        self._clock = clock

    async def CreateToken(self, request: pb.CreateTokenRequest, context: Context) -> pb.CreateTokenResponse:
        """Make a token."""

        async def work() -> pb.CreateTokenResponse:
            if request.HasField("ttl") and codec.duration_us(request.ttl) == 0:
                raise InvalidRequest("ttl is 0 s; leave it out for a token that works until it is revoked")
            ttl_s = codec.checked_seconds(
                request.ttl, name="ttl", default_s=0.0, low_s=_SHORTEST_S, high_s=_LONGEST_S
            )
            expires_us = self._clock.now_us() + int(ttl_s * MICROS) if ttl_s else 0
            token, secret = await self._tokens.create(
                request.name,
                _roles(list(request.roles)),
                expires_us=expires_us,
                created_by=who(),
                owner=request.owner,
                maker=person(),
                policy_sets=request.policy_sets,
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
            number = await self._enrolment.revoke(
                request.node, request.serial.lower().lstrip("0"), validate_only=request.validate_only
            )
            return pb.RevokeCertificatesResponse(revoked=number)

        return await answered(context, work())

    async def GetAuthority(
        self, request: pb.GetAuthorityRequest, context: Context
    ) -> pb.GetAuthorityResponse:
        """Return the certificates of the authorities that are trusted."""
        found = self._enrolment.authorities
        return pb.GetAuthorityResponse(certificate=found.trusted_pem, fingerprint=found.serving.fingerprint)

    async def GetAuthorityRotation(
        self, request: pb.GetAuthorityRotationRequest, context: Context
    ) -> pb.GetAuthorityRotationResponse:
        """Return where a rotation is."""

        async def work() -> pb.GetAuthorityRotationResponse:
            return pb.GetAuthorityRotationResponse(rotation=_rotation(await self._rotation.status()))

        return await answered(context, work())

    async def RotateAuthority(
        self, request: pb.RotateAuthorityRequest, context: Context
    ) -> pb.RotateAuthorityResponse:
        """Begin a rotation."""

        async def work() -> pb.RotateAuthorityResponse:
            await begun()
            found = await self._rotation.rotate(prepare_only=request.prepare_only)
            return pb.RotateAuthorityResponse(rotation=_rotation(found))

        return await answered(context, work())

    async def FinishAuthorityRotation(
        self, request: pb.FinishAuthorityRotationRequest, context: Context
    ) -> pb.FinishAuthorityRotationResponse:
        """End a rotation."""

        async def work() -> pb.FinishAuthorityRotationResponse:
            await begun()
            found = await self._rotation.finish(force=request.force)
            return pb.FinishAuthorityRotationResponse(rotation=_rotation(found))

        return await answered(context, work())

    async def ListAuditEntries(
        self, request: pb.ListAuditEntriesRequest, context: Context
    ) -> pb.ListAuditEntriesResponse:
        """Return entries, newest first."""
        return await answered(context, audit_pages.page(self._audit, request))

    async def VerifyAudit(self, request: pb.VerifyAuditRequest, context: Context) -> pb.VerifyAuditResponse:
        """Walk the journal."""

        async def work() -> pb.VerifyAuditResponse:
            found = await self._audit.verify()
            return pb.VerifyAuditResponse(
                intact=not found.problem,
                entries=found.entries,
                first=found.first,
                last=found.last,
                head=found.head,
                broken=found.broken.number if found.broken else 0,
                problem=found.problem,
                sealed=found.sealed,
            )

        return await answered(context, work())

    async def ListKeys(self, request: pb.ListKeysRequest, context: Context) -> pb.ListKeysResponse:
        """Return the keys of the store."""

        async def work() -> pb.ListKeysResponse:
            known, next_token = paging.short_page(
                await self._keys.known(),
                lambda key: (key.name,),
                size=request.page_size,
                token=request.page_token,
                scope=("keys",),
            )
            return pb.ListKeysResponse(
                keys=[pb.Key(name=key.name, current=key.is_current, available=key.is_here) for key in known],
                next_page_token=next_token,
                problem=self._keys.keys.problem,
                file=str(self._keys.keys.path),
            )

        return await answered(context, work())

    async def RotateKey(self, request: pb.RotateKeyRequest, context: Context) -> pb.RotateKeyResponse:
        """Make a new key the current one."""

        async def work() -> pb.RotateKeyResponse:
            done = await self._keys.rotate(
                self._reseal, prepare_only=request.prepare_only, accept_loss=request.accept_loss
            )
            return pb.RotateKeyResponse(name=done.name, resealed=done.resealed)

        return await answered(context, work())
