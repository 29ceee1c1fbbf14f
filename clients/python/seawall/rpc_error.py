"""What a gRPC error says beside its text, read without importing gRPC: status, message, and
`google.rpc.Status`.

All gRPC errors of Python are of two or three classes, so a class tells nothing about the cause; the status
and the reason that a server gives do.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from seawall_policy.rich_error import RichError, decode_status
from seawall_policy.status import CODE_BY_NAME

_KEY: Final = "grpc-status-details-bin"


@dataclass(frozen=True, slots=True)
class RpcStatus:
    """The status of a call that failed."""

    code: str
    """Status name, such as UNAVAILABLE."""
    message: str
    """What the server, or gRPC itself, said."""
    details: Mapping[str, Any] = field(default_factory=dict)
    """`error_reason`, `error_domain` and `status_details`, each where the server sent it."""


def status_of(error: BaseException) -> RpcStatus | None:
    """Return the status of a gRPC error; None for any other exception. Never raises."""
    try:
        name = error.code().name  # type: ignore[attr-defined]
        if name not in CODE_BY_NAME:
            return None
        message = error.details() or ""  # type: ignore[attr-defined]
        trailers = error.trailing_metadata() or ()  # type: ignore[attr-defined]
        raw = next((value for key, value in trailers if key == _KEY), b"")
    except Exception:  # noqa: BLE001 - not a gRPC error, or one that is not finished
        return None
    found = decode_status(bytes(raw)) if isinstance(raw, bytes) and 0 < len(raw) <= 16_384 else None
    return RpcStatus(name, str(message), {} if found is None else _told(found))


def _told(found: RichError) -> Mapping[str, Any]:
    told: dict[str, Any] = {}
    if found.reason:
        told["error_reason"] = found.reason
    if found.domain:
        told["error_domain"] = found.domain
    more: dict[str, Any] = {}
    if found.metadata:
        more["metadata"] = dict(found.metadata)
    if found.retry_delay_s >= 0.0:
        more["retry_delay_s"] = found.retry_delay_s
    if found.quotas:
        more["quotas"] = [{"subject": subject, "description": text} for subject, text in found.quotas]
    if found.bad_fields:
        more["bad_fields"] = list(found.bad_fields)
    if more:
        told["status_details"] = more
    return told
