"""Rules that tell failures of one status apart: by reason, by who says so, by their message, by their phase.

A `Failure` is what is known of one; the parts that cost something (the rich error, the decoded message) are
only made when a rule asks for them. Rules are asked in the order in which they were written, and the first
that matches counts, so the special ones come before the general ones.
"""

from __future__ import annotations

from typing import Final

from seawall_policy import status
from seawall_policy.pattern import Pattern
from seawall_policy.rich_error import RichError, decode

OWN_DOMAIN: Final = "seawall"
"""The domain of reasons that are ours."""
MAX_MESSAGE: Final = 1024
"""Bytes of a message that patterns look at."""

# Phases, numbered as in seawall.v1.
CONNECT: Final = 1
HEADERS: Final = 2
MID_STREAM: Final = 3
LOCAL: Final = 4
PHASE_NAMES: Final[tuple[str, ...]] = ("", "connect", "headers", "mid_stream", "local")

_PHASE_BY_REASON: Final[dict[str, int]] = {
    "UPSTREAM_CONNECT_FAILED": CONNECT,
    "NO_HEALTHY_BACKEND": CONNECT,
    "UPSTREAM_RESET": MID_STREAM,
    "UPSTREAM_PROTOCOL_ERROR": MID_STREAM,
    "DEADLINE_EXCEEDED": HEADERS,
    "PER_TRY_TIMEOUT": HEADERS,
    "FAULT_INJECTED": HEADERS,
}


def phase_of(reason: str, answered: bool) -> int:
    """Return where a failure happened; `answered`: response bytes had come.

    `reason` is ours and empty for a server's status, which ends a response that has begun or is all there is
    of it.
    """
    if reason == "":
        return MID_STREAM if answered else HEADERS
    phase = _PHASE_BY_REASON.get(reason, LOCAL)
    return MID_STREAM if answered and phase == HEADERS else phase


class Failure:
    """What is known of a failure. Message and details are as on the wire."""

    def __init__(
        self, code: int, reason: str, phase: int, message: bytes = b"", details: bytes = b""
    ) -> None:
        self.code: int = code
        self.reason: str = reason
        """Ours; empty when the status came from a server."""
        self.phase: int = phase
        self.message: bytes = message
        """grpc-message, percent-encoded."""
        self.details: bytes = details
        """grpc-status-details-bin, base64."""
        self._decoded: bool = False
        self._rich: RichError | None = None

    def rich(self) -> RichError | None:
        """Return the server's rich error; None without one, and for failures of our own."""
        if not self._decoded:
            self._decoded = True
            if self.reason == "" and len(self.details) > 0:
                self._rich = decode(self.details)
        return self._rich

    def error_reason(self) -> str:
        """Return why: our reason, else that of the server's ErrorInfo."""
        if self.reason != "":
            return self.reason
        rich = self.rich()
        return "" if rich is None else rich.reason

    def domain(self) -> str:
        """Return whose reason that is."""
        if self.reason != "":
            return OWN_DOMAIN
        rich = self.rich()
        return "" if rich is None else rich.domain

    def text(self) -> str:
        """Return the message, decoded and cut."""
        return status.percent_decode(self.message[:MAX_MESSAGE])


class ClassifyRule:
    """Conditions that must all hold, and what the failure is then. What is empty or 0 is no condition.

    Raises ValueError where nothing is asked or nothing is said.
    """

    def __init__(
        self,
        category: int,
        strategy: int,
        code: int = 0,
        reason: str = "",
        domain: str = "",
        message: Pattern | None = None,
        phase: int = 0,
    ) -> None:
        if code == 0 and reason == "" and domain == "" and message is None and phase == 0:
            raise ValueError("a rule needs a condition: code, reason, domain, message or phase")
        if category == 0 and strategy == 0:
            raise ValueError("a rule says what to change: category, strategy, or both")
        self.category: int = category
        self.strategy: int = strategy
        self.code: int = code
        self.reason: str = reason
        self.domain: str = domain
        self.message: Pattern | None = message
        self.phase: int = phase

    def matches(self, failure: Failure) -> bool:
        """Tell whether every condition holds; the cheap ones are asked first."""
        if self.code not in (0, failure.code):
            return False
        if self.phase not in (0, failure.phase):
            return False
        if self.reason != "" and failure.error_reason() != self.reason:
            return False
        if self.domain != "" and failure.domain() != self.domain:
            return False
        return self.message is None or self.message.search(failure.text())

    def covers(self, other: ClassifyRule) -> bool:
        """Tell whether this rule surely matches whatever the other one does."""
        pattern = self.message
        return (
            self.code in (0, other.code)
            and self.phase in (0, other.phase)
            and self.reason in ("", other.reason)
            and self.domain in ("", other.domain)
            and (pattern is None or (other.message is not None and pattern.text == other.message.text))
        )
