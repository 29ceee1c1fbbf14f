"""What can go wrong in the control plane, by what the caller can do about it.

Every class has a stable `reason`; api/errors.py holds the one table that maps classes to gRPC and HTTP
statuses. Messages name the place and the remedy and are safe to show to a caller.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Final, Self

MAX_PROBLEMS: Final = 100
"""Problems of one request that are told one by one."""


class ControlError(Exception):
    """Root of the errors that the control plane reports to callers."""

    reason: ClassVar[str] = "INTERNAL"


@dataclass(frozen=True, slots=True)
class FieldProblem:
    """One field of a request that cannot be used, and why."""

    field: str
    message: str
    code: str = ""


class InvalidRequest(ControlError):
    """The request is wrong whatever the state of the system; only another request helps."""

    reason = "INVALID_REQUEST"

    def __init__(self, message: str, problems: tuple[FieldProblem, ...] = ()) -> None:
        super().__init__(message)
        self.problems = problems

    @classmethod
    def of(cls, problems: Sequence[FieldProblem], outcome: str = "") -> Self:
        """Return the error of one or more problems: the message has the first, how many others there are, and
        what came of the request.
        """
        first, others = problems[0], len(problems) - 1
        said = [f"{first.field}: {first.message}" + (f", and {others} more" if others else ""), outcome]
        return cls("; ".join(filter(None, said)), tuple(problems[:MAX_PROBLEMS]))


class InvalidFilter(InvalidRequest):
    """A filter does not parse or names an unknown field or value."""

    reason = "INVALID_FILTER"


class InvalidPageToken(InvalidRequest):
    """A page token is damaged or belongs to another request."""

    reason = "INVALID_PAGE_TOKEN"


class PolicyInvalid(InvalidRequest):
    """A policy document has mistakes; `problems` lists all of them."""

    reason = "POLICY_INVALID"


class NotFound(ControlError):
    """The named thing does not exist."""

    reason = "NOT_FOUND"


class PositionLost(ControlError):
    """So much was deleted that what was stored after a position is not known any more; read the list anew."""

    reason = "POSITION_LOST"

    def __init__(self, number: int) -> None:
        super().__init__(
            f"what was stored after event number {number} is not known any more, since it was deleted with "
            "what followed; read the list of events, and follow from now on"
        )


class EtagMismatch(ControlError):
    """The change was based on a state that is no longer the newest; read again, merge, repeat."""

    reason = "ETAG_MISMATCH"

    def __init__(self, expected: str, actual: str) -> None:
        super().__init__(
            f"The newest revision has hash {actual or '(there is no revision yet)'}, not {expected}: "
            "somebody changed the policy in the meantime. Read it again, repeat the change, "
            "and send the new etag."
        )
        self.expected = expected
        self.actual = actual


class StaleEtag(EtagMismatch):
    """A document was changed since its etag was read."""

    reason = "STALE_ETAG"

    def __init__(self, what: str, expected: str, actual: str) -> None:
        ControlError.__init__(
            self,
            f"{what} is at version {actual or '0 (there is none)'}, not {expected}: somebody changed it in "
            "the meantime. Read it again, repeat the change, and send the new etag.",
        )
        self.expected = expected
        self.actual = actual


class PreconditionFailed(ControlError):
    """The request is fine but the state does not allow it."""

    reason = "PRECONDITION_FAILED"


class NotKnownYet(PreconditionFailed):
    """What it takes to decide has to be measured first, as after a start; ask again."""

    reason = "NOT_KNOWN_YET"


class RequestRunning(ControlError):
    """The same request is being carried out already; ask again for its answer."""

    reason = "REQUEST_RUNNING"
    retry_after_s: ClassVar[float] = 1.0

    def __init__(self, request_id: str) -> None:
        super().__init__(
            f"request {request_id} is being carried out; nothing was done a second time. Ask again for its "
            "answer"
        )


class RequestUnanswered(PreconditionFailed):
    """The same request was carried out, as a whole or in part, and its answer is not known."""

    reason = "REQUEST_UNANSWERED"

    def __init__(self, request_id: str, why: str) -> None:
        super().__init__(
            f"request {request_id} is not carried out again, and there is no answer to repeat: {why}. "
            "Look at what there is now; what is still wanted takes a new request_id"
        )


class StoreFull(ControlError):
    """The disk is full. Nothing of the request was stored; what was stored before is intact."""

    reason = "STORE_FULL"
    retry_after_s: ClassVar[float] = 5.0


class StoreUnavailable(ControlError):
    """The store cannot be used now; nothing of the request was stored."""

    reason = "STORE_UNAVAILABLE"
    retry_after_s: ClassVar[float] = 1.0


class BaseMoved(StoreUnavailable):
    """What a policy set extends, or who extends it, changed before it was written; compute anew."""

    reason = "BASE_MOVED"

    def __init__(self, policy_set: str) -> None:
        super().__init__(
            f"what policy set {policy_set} extends, or a set that extends it, was changed by somebody else "
            "at this moment; nothing was stored, try again"
        )


class ChangedElsewhere(StoreUnavailable):
    """Another control plane has written the same thing since this one read it; look at it, and try again."""

    reason = "CHANGED_ELSEWHERE"


class StoreBusy(ControlError):
    """A query took longer than the store allows; narrow the filter."""

    reason = "QUERY_TOO_SLOW"


class StoreRefused(ControlError):
    """The store file cannot be opened by this control plane; the message says why and what to do."""

    reason = "STORE_REFUSED"


class ShuttingDown(ControlError):
    """The control plane is about to stop; connect again in a moment."""

    reason = "DRAINING"
    retry_after_s: ClassVar[float] = 1.0


class Superseded(ControlError):
    """A newer connection of the same node took this one's place."""

    reason = "SUPERSEDED"


class HelloMissing(ControlError):
    """A stream said nothing, or something else than Hello, at its start."""

    reason = "HELLO_MISSING"


class TooManyStreams(ControlError):
    """A bounded resource of the control plane is used up; try later."""

    reason = "TOO_MANY_STREAMS"

    def __init__(self, message: str, retry_after_s: float = 5.0) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class DeadlineExceeded(ControlError):
    """The caller's time is up; whether anything was changed is not known."""

    reason = "DEADLINE_EXCEEDED"


class AlreadyExists(ControlError):
    """There is one of this name; choose another name or remove the old one."""

    reason = "ALREADY_EXISTS"


class Unauthenticated(ControlError):
    """Nobody knows who calls: no credential, or one that is not, or no longer, good."""

    reason = "UNAUTHENTICATED"


class PermissionDenied(ControlError):
    """It is known who calls, and they may not."""

    reason = "PERMISSION_DENIED"


class RateLimited(ControlError):
    """The caller asks more often than it may; `retry_after_s` says when the next call will do."""

    reason = "RATE_LIMITED"

    def __init__(self, message: str, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s
