"""The errors of the client library: one root, branches by what the caller can do about it.

The control plane answers failures with `google.rpc.Status` in the trailing metadata (AIP-193): an `ErrorInfo`
with a stable reason, and for bad input a `BadRequest` with every violation. `from_status` turns code, text
and details into the class that fits and adds a remedy, so a caller never needs to look into gRPC.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Final

DETAILS_KEY: Final = "grpc-status-details-bin"

_NEVER_SENT: Final = ("failed to connect to all addresses", "DNS resolution failed", "empty address list")
"""How gRPC begins what it says of a call for which there was no connection."""
_PREFIX: Final = re.compile(r"^UNKNOWN: (?:ipv[46]|unix|dns):\S+: ")


@dataclass(frozen=True, slots=True)
class FieldViolation:
    """One mistake in what was sent: the field's path, and what is wrong with it."""

    field: str
    message: str
    code: str = ""

    def __str__(self) -> str:
        """Say it in one line."""
        prefix = f"{self.field}: " if self.field else ""
        return f"{prefix}{self.message}" + (f" [{self.code}]" if self.code else "")


class SeawallError(Exception):
    """Root of everything that this library raises on purpose."""

    default_remedy: ClassVar[str] = ""

    def __init__(
        self,
        message: str,
        *,
        code: str = "",
        reason: str = "",
        violations: tuple[FieldViolation, ...] = (),
        remedy: str | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        """gRPC status code name; empty when the failure never was an RPC's."""
        self.reason = reason
        """Stable reason in upper snake case, from the server's `ErrorInfo`; empty when it gave none."""
        self.violations = violations
        self.remedy = self.default_remedy if remedy is None else remedy
        """What to do about it, one sentence; may be empty."""
        self.metadata: dict[str, str] = dict(metadata or {})

    def __str__(self) -> str:
        """Say what is wrong, each violation in a line of its own, and the remedy last."""
        lines = self._mistakes()
        if self.remedy:
            lines.append(self.remedy)
        return "\n".join(lines)

    def _mistakes(self) -> list[str]:
        """Return the message and the violations; a single one that the message says already adds its code."""
        if len(self.violations) == 1 and self.violations[0].message in self.message:
            code = self.violations[0].code
            return [f"{self.message} [{code}]" if code else self.message]
        return [self.message, *(f"  {violation}" for violation in self.violations)]


class Unreachable(SeawallError):
    """There is no connection to the control plane."""

    sent: bool = True
    """Whether the call may have reached it all the same: the connection was lost before the answer."""
    default_remedy = (
        "Is it running? Start it with `seawall up`, or name another with --control or SEAWALL_CONTROL."
    )


class TimedOut(SeawallError):
    """No answer came in time; what was asked may have happened all the same."""

    default_remedy = "Ask again with a longer time; a repeated apply with the same request_id is done once."


class NotFound(SeawallError):
    """There is no such thing."""


class Conflict(SeawallError):
    """Somebody else changed it first, or there is one of that name already."""


class Invalid(SeawallError):
    """What was sent has mistakes; `violations` names them."""


class NotPossibleNow(SeawallError):
    """The request is right, the state of the system is not."""


class Overloaded(SeawallError):
    """A limit was reached."""

    default_remedy = "Wait a moment, or ask for less at once."


class Denied(SeawallError):
    """The caller is not known or not allowed; the message says what it takes."""


class BadCredentials(SeawallError):
    """A token or a file of a certificate cannot be used; nothing was sent."""


class Failed(SeawallError):
    """The control plane failed; its log says more."""


_BY_CODE: Final[Mapping[str, type[SeawallError]]] = {
    "INVALID_ARGUMENT": Invalid,
    "OUT_OF_RANGE": Invalid,
    "NOT_FOUND": NotFound,
    "ABORTED": Conflict,
    "ALREADY_EXISTS": Conflict,
    "FAILED_PRECONDITION": NotPossibleNow,
    "RESOURCE_EXHAUSTED": Overloaded,
    "DEADLINE_EXCEEDED": TimedOut,
    "UNAVAILABLE": Unreachable,
    "UNAUTHENTICATED": Denied,
    "PERMISSION_DENIED": Denied,
}


_REMEDIES: Final[Mapping[str, str]] = {
    "ETAG_MISMATCH": "Look at the newest revision (`seawall diff FILE`) and apply again.",
    "REQUEST_RUNNING": "Look at what there is before you ask anew.",
}
"""What to do, by reasons that mean one thing only."""


def from_status(code: str, text: str, details: bytes | None, *, target: str) -> SeawallError:
    """Return the error for a status: its code's name, its text, and the serialized `google.rpc.Status` if
    there was one.
    """
    reason, metadata, violations = _read_details(details) if details else ("", {}, ())
    cls = _BY_CODE.get(code, Failed)
    if cls is Unreachable and reason:
        cls = NotPossibleNow  # the control plane itself answered
    message = text or code
    if cls is Unreachable:
        message = f"cannot reach the control plane at {target}: {_shorten(text)}"
    elif cls is TimedOut and not reason:
        message = f"the control plane at {target} did not answer in time"
    elif cls is Failed and code == "UNIMPLEMENTED":
        message = f"{target} does not speak the Seawall API: {text}"
    remedy = _tls_remedy(text) if cls is Unreachable else _REMEDIES.get(reason)
    found = cls(message, code=code, reason=reason, violations=violations, metadata=metadata, remedy=remedy)
    if isinstance(found, Unreachable):
        found.sent = not text.startswith(_NEVER_SENT)
    return found


def _tls_remedy(text: str) -> str | None:
    """Return what to do about a connection that TLS, or its absence, has ended."""
    if "Hostname Verification" in text:
        return (
            "Its certificate is for other names than this target's: use one of those, or add this one where "
            "the control plane starts (--tls-name)."
        )
    if "CERTIFICATE_VERIFY_FAILED" in text:
        return (
            "Its certificate is not of an authority that this machine knows: name the authority with "
            "--ca-file (`seawall enrol ca`, on the control plane's machine, prints its own)."
        )
    if "WRONG_VERSION_NUMBER" in text:
        return "It does not speak TLS: leave out --tls and --ca-file."
    if "Socket closed" in text:
        return f"{Unreachable.default_remedy} If it speaks TLS, say so: --ca-file FILE, or --tls."
    return None


def _shorten(text: str) -> str:
    """Keep what a person needs of grpc's connection errors, which begin with what is known and repeat the
    address.
    """
    text = text.removeprefix("failed to connect to all addresses; last error: ")
    return _PREFIX.sub("", text)[:200] or "no connection"


def _read_details(details: bytes) -> tuple[str, dict[str, str], tuple[FieldViolation, ...]]:
    from google.protobuf.message import DecodeError  # noqa: PLC0415 (only on the way of an error)
    from google.rpc import error_details_pb2, status_pb2  # noqa: PLC0415

    reason = ""
    metadata: dict[str, str] = {}
    violations: list[FieldViolation] = []
    try:
        status = status_pb2.Status.FromString(details)
        for detail in status.details:
            info = error_details_pb2.ErrorInfo()
            bad = error_details_pb2.BadRequest()
            if detail.Unpack(info):
                reason, metadata = info.reason, dict(info.metadata)
            elif detail.Unpack(bad):
                violations.extend(
                    FieldViolation(item.field, item.description, item.reason) for item in bad.field_violations
                )
    except DecodeError:
        return "", {}, ()
    return reason, metadata, tuple(violations)
