"""What the policies raise themselves. Failures of the protected code pass through as they are."""

from __future__ import annotations

from math import inf
from typing import ClassVar

from seawall.errors import SeawallError


class Rejected(SeawallError):
    """The call was refused before it began; the protected code did not run.

    `retry_after` is how many seconds from now another try makes sense: infinity where only a person can
    tell. Retries do not repeat a rejected call unless they name it.
    """

    status: ClassVar[str] = "UNAVAILABLE"
    why: ClassVar[str] = "REJECTED"

    def __init__(self, message: str, *, name: str = "", retry_after: float = 0.0) -> None:
        super().__init__(message, code=self.status, reason=self.why)
        self.name = name
        """Of the breaker or bulkhead that refused."""
        self.retry_after = retry_after


class BreakerOpen(Rejected):
    """The circuit breaker is open, or half open with all its probes under way."""

    why: ClassVar[str] = "BREAKER_OPEN"

    def __init__(self, message: str = "", *, name: str = "", retry_after: float = 0.0) -> None:
        when = "until it is reset" if retry_after == inf else f"for {retry_after:.3g} s"
        super().__init__(
            message or f"circuit breaker {name!r} is open {when}", name=name, retry_after=retry_after
        )


class BulkheadFull(Rejected):
    """As many calls as allowed are at work, and no place came free in time."""

    status: ClassVar[str] = "RESOURCE_EXHAUSTED"
    why: ClassVar[str] = "CONCURRENCY_LIMITED"


class DeadlineExceeded(SeawallError, TimeoutError):
    """Time ran out: that of the whole call, or (`per_try`) that of one attempt."""

    def __init__(self, message: str, *, per_try: bool = False) -> None:
        super().__init__(
            message, code="DEADLINE_EXCEEDED", reason="PER_TRY_TIMEOUT" if per_try else "DEADLINE_EXCEEDED"
        )
        self.per_try = per_try
