"""Every RPC of AccessService as a value; see `seawall.client.calls`."""

from __future__ import annotations

from collections.abc import Iterable

from seawall.client.calls import Call, Seconds, duration
from seawall.v1 import admin_access_pb2 as pb

ROLES = ("viewer", "operator", "editor", "admin", "reporter", "proxy")
"""Roles that a token may have."""


def role(name: str) -> str:
    """Return the name of a role in the contract; raise ValueError for another."""
    if name not in ROLES:
        raise ValueError(f"role must be one of {', '.join(ROLES)}, not {name!r}")
    return f"ROLE_{name.upper()}"


def create_token(
    name: str, roles: Iterable[str], ttl: Seconds | None, policy_sets: Iterable[str], owner: str = ""
) -> Call[pb.CreateTokenResponse]:
    """Make a token."""
    request = pb.CreateTokenRequest(
        name=name, roles=[role(item) for item in roles], policy_sets=policy_sets, owner=owner
    )
    if ttl is not None:
        request.ttl.CopyFrom(duration(ttl))
    return Call("/seawall.v1.AccessService/CreateToken", request, pb.CreateTokenResponse)


def list_tokens(page_size: int, page_token: str) -> Call[pb.ListTokensResponse]:
    """One page of tokens."""
    request = pb.ListTokensRequest(page_size=page_size, page_token=page_token)
    return Call("/seawall.v1.AccessService/ListTokens", request, pb.ListTokensResponse)


def revoke_token(name: str) -> Call[pb.RevokeTokenResponse]:
    """Make a token useless."""
    request = pb.RevokeTokenRequest(name=name)
    return Call("/seawall.v1.AccessService/RevokeToken", request, pb.RevokeTokenResponse)


def create_enrolment_token(node: str, ttl: Seconds | None) -> Call[pb.CreateEnrolmentTokenResponse]:
    """Make a token with which a proxy enrols once."""
    request = pb.CreateEnrolmentTokenRequest(node=node)
    if ttl is not None:
        request.ttl.CopyFrom(duration(ttl))
    return Call("/seawall.v1.AccessService/CreateEnrolmentToken", request, pb.CreateEnrolmentTokenResponse)


def list_certificates(page_size: int, page_token: str, node: str) -> Call[pb.ListCertificatesResponse]:
    """One page of proxies' certificates."""
    request = pb.ListCertificatesRequest(page_size=page_size, page_token=page_token, node=node)
    return Call("/seawall.v1.AccessService/ListCertificates", request, pb.ListCertificatesResponse)


def revoke_certificates(node: str, serial: str) -> Call[pb.RevokeCertificatesResponse]:
    """Refuse a proxy's certificates from now on."""
    request = pb.RevokeCertificatesRequest(node=node, serial=serial)
    return Call("/seawall.v1.AccessService/RevokeCertificates", request, pb.RevokeCertificatesResponse)


def get_authority() -> Call[pb.GetAuthorityResponse]:
    """The control plane's certificate authority."""
    request = pb.GetAuthorityRequest()
    return Call("/seawall.v1.AccessService/GetAuthority", request, pb.GetAuthorityResponse)


def get_authority_rotation() -> Call[pb.GetAuthorityRotationResponse]:
    """Where a change of the authority is."""
    request = pb.GetAuthorityRotationRequest()
    return Call("/seawall.v1.AccessService/GetAuthorityRotation", request, pb.GetAuthorityRotationResponse)


def rotate_authority(*, prepare_only: bool) -> Call[pb.RotateAuthorityResponse]:
    """Begin to change the authority."""
    request = pb.RotateAuthorityRequest(prepare_only=prepare_only)
    return Call("/seawall.v1.AccessService/RotateAuthority", request, pb.RotateAuthorityResponse)


def finish_authority_rotation(*, force: bool) -> Call[pb.FinishAuthorityRotationResponse]:
    """End a change of the authority."""
    request = pb.FinishAuthorityRotationRequest(force=force)
    return Call(
        "/seawall.v1.AccessService/FinishAuthorityRotation", request, pb.FinishAuthorityRotationResponse
    )


def export_audit(after: int, page_token: str) -> Call[pb.ListAuditEntriesResponse]:
    """One page of the audit journal as it is chained, the oldest first."""
    request = pb.ListAuditEntriesRequest(
        page_size=1000, page_token=page_token, with_body=True, oldest_first=True, after=after
    )
    return Call("/seawall.v1.AccessService/ListAuditEntries", request, pb.ListAuditEntriesResponse)


def list_keys(page_token: str = "") -> Call[pb.ListKeysResponse]:
    """One page of the keys of the store."""
    request = pb.ListKeysRequest(page_token=page_token)
    return Call("/seawall.v1.AccessService/ListKeys", request, pb.ListKeysResponse)


def rotate_key(*, prepare_only: bool, accept_loss: bool) -> Call[pb.RotateKeyResponse]:
    """Make a new key the current one."""
    request = pb.RotateKeyRequest(prepare_only=prepare_only, accept_loss=accept_loss)
    return Call("/seawall.v1.AccessService/RotateKey", request, pb.RotateKeyResponse, 60.0)


def list_audit(page_size: int, page_token: str, actor: str, method: str) -> Call[pb.ListAuditEntriesResponse]:
    """One page of the audit journal."""
    request = pb.ListAuditEntriesRequest(
        page_size=page_size, page_token=page_token, actor=actor, method=method
    )
    return Call("/seawall.v1.AccessService/ListAuditEntries", request, pb.ListAuditEntriesResponse)


def verify_audit() -> Call[pb.VerifyAuditResponse]:
    """Walk the audit journal."""
    request = pb.VerifyAuditRequest()
    return Call("/seawall.v1.AccessService/VerifyAudit", request, pb.VerifyAuditResponse, 60.0)
