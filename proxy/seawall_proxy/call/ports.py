"""What a call tells the outside about itself: records of what happened, and the narrow ports that take them.

Records are only made for calls that were not plain, and for transitions of breakers; a plain call leaves
nothing but counters. Ports are called on the data path, so their implementations must return at once and
never raise.
"""

from __future__ import annotations

from typing import Final

from mypy_extensions import mypyc_attr

OUTCOME_OK: Final = 1
OUTCOME_RETRIED: Final = 2
OUTCOME_FALLBACK: Final = 3
OUTCOME_REJECTED: Final = 4
OUTCOME_FAILED: Final = 5
OUTCOME_CANCELLED: Final = 6
OUTCOME_HEDGED: Final = 7

OUTCOME_NAMES: Final[tuple[str, ...]] = (
    "",
    "ok",
    "retried",
    "fallback",
    "rejected",
    "failed",
    "cancelled",
    "hedged",
)
"""Names as in the trailer `seawall-outcome`; the numbers are those of `seawall.v1.Outcome`."""


class AttemptRecord:
    """One try: where, when (monotonic seconds), how it ended."""

    def __init__(self, number: int, started_s: float, span_id: bytes) -> None:
        self.number: int = number
        self.endpoint: str = ""
        self.code: int = -1
        """Status code; -1 while it runs."""
        self.reason: str = ""
        """Why, when the status is ours; empty when it came from the server."""
        self.started_s: float = started_s
        self.duration_s: float = 0.0
        self.hedge: bool = False
        """It was sent while another attempt was under way."""
        self.span_id: bytes = span_id
        """16 hexadecimal digits that the server saw as its parent; empty when not traced."""


class CallRecord:
    """A finished call that was failed, retried, rejected, degraded, or is traced."""

    def __init__(self, route: str, path: bytes, started_s: float) -> None:
        self.route: str = route
        """Route name; empty when none matched."""
        self.path: bytes = path
        self.started_s: float = started_s
        self.duration_s: float = 0.0
        self.code: int = 0
        """Final status code as the caller saw it."""
        self.reason: str = ""
        """Reason of a local answer; empty when the status came from upstream."""
        self.message: bytes = b""
        """grpc-message as on the wire (percent-encoded)."""
        self.outcome: int = OUTCOME_OK
        self.attempts: list[AttemptRecord] = []
        self.failed_code: int = 0
        """Status that a fallback or a retry replaced; 0 if there was none."""
        self.failed_reason: str = ""
        self.not_retried: str = ""
        """Why the last failure was not followed by another attempt (`retry.REASON_NAMES`); empty for a
        success and where the policy does not retry.
        """
        self.trace_id: bytes = b""
        """32 hexadecimal digits, when the caller sent or we made a trace context."""
        self.job_id: bytes = b""
        self.job_name: bytes = b""
        self.category: int = 0
        self.revision: int = 0


class BreakerRecord:
    """A transition of a route's breaker."""

    def __init__(
        self,
        route: str,
        from_state: int,
        to_state: int,
        at_s: float,
        trigger: str,
        calls: int,
        failures: int,
        slow: int,
    ) -> None:
        self.route: str = route
        self.from_state: int = from_state
        self.to_state: int = to_state
        self.at_s: float = at_s
        self.trigger: str = trigger
        self.calls: int = calls
        self.failures: int = failures
        self.slow: int = slow
        self.revision: int = 0


@mypyc_attr(allow_interpreted_subclasses=True)
class EventSink:
    """Takes the records that become error events. This one drops them."""

    def call_ended(self, record: CallRecord) -> None:
        """Take a call that failed, was retried, rejected or degraded."""

    def breaker_changed(self, record: BreakerRecord) -> None:
        """Take a transition."""


class CallTrace:
    """The trace context of one sampled call."""

    def __init__(self, trace_id: bytes, parent_id: bytes, trace_state: bytes) -> None:
        self.trace_id: bytes = trace_id
        """32 hexadecimal digits."""
        self.parent_id: bytes = parent_id
        """The caller's span, 16 hexadecimal digits; empty for a new trace."""
        self.trace_state: bytes = trace_state


@mypyc_attr(allow_interpreted_subclasses=True)
class TraceSink:
    """Decides about sampling when a call starts and takes its record when it has ended. This one samples
    nothing.
    """

    enabled: bool = False

    def begin(self, path: bytes, traceparent: bytes, tracestate: bytes, trace_bin: bytes) -> CallTrace | None:
        """Return the context of a sampled call, or None; header values are empty when absent."""
        return None

    def new_span_id(self) -> bytes:
        """Return 16 random hexadecimal digits."""
        return b""

    def finish(self, trace: CallTrace, record: CallRecord) -> None:
        """Take the record of a sampled call."""

    def shutdown(self) -> bool:
        """Let go of everything; may block for a few seconds. Return whether nothing was lost."""
        return True
