"""Reading the access log's settings. The keys of a line are fixed here, so that a file with a wrong one is
refused before anything starts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from seawall.v1 import policy_pb2
from seawall_policy.compile import codes
from seawall_policy.compile.scope import Scope
from seawall_policy.suggest import did_you_mean, quoted

FIELDS: Final[dict[str, str]] = {
    "time": "When the call came, RFC 3339 with microseconds, UTC.",
    "route": "Route; empty when none matched.",
    "method": "`package.Service/Method`. Of a call that no route knows it is redacted.",
    "status": "Final status as the caller saw it, by name.",
    "outcome": "`ok`, `retried`, `hedged`, `fallback`, `rejected`, `failed` or `cancelled`.",
    "reason": "[Reason](errors.md) of an answer of the proxy's own; empty for a server's.",
    "flags": "What was not plain: reasons, also of what was covered; RETRIED, HEDGED, FALLBACK, CANCELLED.",
    "message": "grpc-message of a failure, decoded and redacted.",
    "attempts": "Attempts that were made.",
    "endpoint": "Address that the last attempt went to; empty without one.",
    "duration_ms": "From the request's headers to the final status.",
    "first_message_ms": "Until the first response message was passed on; null when there was none.",
    "deadline_ms": "Time that the call had when it came, the policy's timeout included; null when unlimited.",
    "request_bytes": "Bytes of the request's messages, each with its prefix of 5.",
    "request_messages": "Messages of the request.",
    "response_bytes": "Bytes of the response's messages, as passed on.",
    "response_messages": "Messages of the response.",
    "peer": "The client's address. Except for loopback only its network (/24, IPv6: /48).",
    "peer_address": "The client's whole address with its port. Only when it is asked for by name.",
    "authority": "`:authority` of the request, redacted.",
    "user_agent": "User agent of the request, redacted.",
    "trace_id": "32 hexadecimal digits; empty without a trace.",
    "revision": "Revision of the policy that decided; 0 for a file.",
}
"""Every key of a line, in the order of a line, with its meaning."""

ON_REQUEST: Final = frozenset({"peer_address"})
"""Keys that a line has only when `fields` names them: they identify people."""

DEFAULT_FIELDS: Final = tuple(name for name in FIELDS if name not in ON_REQUEST)


@dataclass(frozen=True, slots=True)
class AccessLogOptions:
    """What is logged where."""

    path: str
    """A file, or `-` for standard output."""
    share: float
    """Share of the calls that are drawn, above 0 to 1."""
    failures_only: bool
    fields: tuple[str, ...]
    """Keys of a line in their order."""


def read_access_log(scope: Scope, document: policy_pb2.PolicyDocument) -> AccessLogOptions | None:
    """Return the settings of the access log, None when there is to be none."""
    if not document.HasField("access_log"):
        return None
    log = document.access_log
    if not log.path:
        (scope / "path").error(
            codes.MISSING, "say where to write; add `path: access.log`, or `-` for standard output"
        )
    elif "\0" in log.path or log.path.endswith("/"):
        (scope / "path").error(codes.BAD_ADDRESS, f"{quoted(log.path)} is no name of a file")
    (scope / "format").choice(log.format, (policy_pb2.ACCESS_LOG_FORMAT_JSON,), 1)
    only = (scope / "only").choice(
        log.only,
        (policy_pb2.ACCESS_LOG_ONLY_ALL, policy_pb2.ACCESS_LOG_ONLY_FAILURES),
        policy_pb2.ACCESS_LOG_ONLY_ALL,
    )
    percent = (scope / "sample").number(
        log.sample if log.HasField("sample") else None, 0.0, 100.0, 100.0, unit="%"
    )
    fields = _read_fields(scope / "fields", log)
    if percent == 0.0 or not log.path:
        return None
    return AccessLogOptions(
        log.path, percent / 100.0, only == policy_pb2.ACCESS_LOG_ONLY_FAILURES, fields or DEFAULT_FIELDS
    )


def _read_fields(scope: Scope, log: policy_pb2.AccessLog) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for index, name in enumerate(log.fields):
        if name not in FIELDS:
            scope.at(index).error(
                codes.BAD_ENUM, f"{quoted(name)} is no key of a line.{did_you_mean(name, FIELDS)}"
            )
        elif name in found:
            scope.at(index).warn(codes.REPEATED, f"{quoted(name)} is already in the list; remove it")
        else:
            found[name] = None
    return tuple(found)
