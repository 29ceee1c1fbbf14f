"""What a call tells the outside about itself: records of what happened, and the narrow ports that take them.

Records are only made for calls that were not plain, and for transitions of breakers; a plain call leaves
nothing but counters. Ports are called on the data path, so their implementations must return at once and
never raise.
"""

from __future__ import annotations

from typing import Final

from mypy_extensions import mypyc_attr

from seawall_policy.breaker import Transition
from seawall_policy.classify_rules import Failure

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
        self.faults: int = 0
        """Mask of the injected faults that it has met."""
        self.strategy: int = 0
        """What is best done about the failure; 0 where nothing failed."""
        self.rule: int = -1
        """Index of the policy's rule that classified it; -1: its code did."""
        self.error_reason: str = ""
        """ErrorInfo of a server's failure: why."""
        self.error_domain: str = ""
        """ErrorInfo of a server's failure: whose reason."""
        self.breaker_state: int = -1
        """Of the route's breaker when the call ended; -1 without one."""
        self.fallback: str = ""
        """What answered instead: `cluster/NAME`, or another kind of fallback; empty without one."""


class BreakerRecord:
    """A transition of a breaker of a route."""

    def __init__(self, route: str, change: Transition) -> None:
        self.route: str = route
        self.from_state: int = change.from_state
        self.to_state: int = change.to_state
        self.at_s: float = change.at
        self.trigger: str = change.trigger
        self.calls: int = change.calls
        self.failures: int = change.failures
        self.slow: int = change.slow
        self.revision: int = 0
        self.key: str = route
        """The breaker's; that of the route's own is the route's name."""


class RouteRecord:
    """A route that has come to live on its fallbacks, or that does without them again."""

    def __init__(self, route: str, degraded: bool, at_s: float, since_s: float) -> None:
        self.route: str = route
        self.degraded: bool = degraded
        self.at_s: float = at_s
        self.since_s: float = since_s
        """When the degradation began."""
        self.calls: int = 0
        """Calls that fallbacks have answered since then."""
        self.step: int = 0
        """Index of the fallback that answered last."""
        self.kind: str = ""
        """What that fallback gives: static, cluster, method, last_good, empty."""
        self.code: int = 0
        """Status that it covered."""
        self.reason: str = ""
        """Our reason for it; empty when it came from upstream."""
        self.revision: int = 0


class EjectionRecord:
    """An endpoint that was left out as an outlier, or that is back."""

    def __init__(self, cluster: str, endpoint: str, ejected: bool, reason: str, at_s: float) -> None:
        self.cluster: str = cluster
        self.endpoint: str = endpoint
        self.ejected: bool = ejected
        self.reason: str = reason
        """Why it was ejected (`seawall_policy.outlier.standing`)."""
        self.at_s: float = at_s
        self.seconds: float = 0.0
        """For how long it is out."""
        self.times_out: int = 0
        """Ejections in a row, this one included."""
        self.why: str = ""
        """Why it is back."""
        self.revision: int = 0


@mypyc_attr(allow_interpreted_subclasses=True)
class EventSink:
    """Takes the records that become error events. This one drops them."""

    def call_ended(self, record: CallRecord) -> None:
        """Take a call that failed, was retried, rejected or degraded."""

    def breaker_changed(self, record: BreakerRecord) -> None:
        """Take a transition."""

    def route_changed(self, record: RouteRecord) -> None:
        """Take the begin or the end of a route's degradation."""

    def endpoint_changed(self, record: EjectionRecord) -> None:
        """Take an ejection, or the end of one."""


@mypyc_attr(allow_interpreted_subclasses=True)
class StrategyBook:
    """Custom strategies: asked about failures that are recorded, before the policy's own classification."""

    def classify(self, failure: Failure, route: str, path: bytes) -> tuple[int, int]:
        """Return category and strategy; (0, 0) where no custom strategy has an opinion."""
        return 0, 0


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
