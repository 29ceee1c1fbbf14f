"""What one proxy's stream is sent of its policy set, and what its answers mean.

Rules, after the xDS protocol (https://www.envoyproxy.io/docs/envoy/latest/api-docs/xds_protocol) with its
known traps closed:

- every push has a nonce that is valid on its stream only; an answer with any other nonce teaches nothing (X1,
  X4);
- ACK and NACK are said, never inferred from a version (X2);
- a reconnecting proxy states what it has in effect, and the same revision is not sent again (X3, X5); equal
  content under a newer number is, since what a proxy records names the revision that decided;
- refused content is never sent again by itself to the same run of the process; it is parked until the content
  changes (X5), or until somebody applies it again: what the proxy missed (descriptors of a service that was
  away) may be there by then. Whoever refuses everything for ever is sent each content once per request;
- one push is under way at a time. What is published meanwhile waits, and only the newest is sent then. A
  proxy that does not answer within the limit may be sent newer content, but not the same again.

The machine is pure: it is told what happened and the time, and returns what is to be done.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeAlias

ANSWER_LIMIT_S: Final = 10.0
"""Compiling takes milliseconds; a proxy that is silent for this long is stuck or of a kind that does not
answer.
"""
MAX_REFUSED: Final = 256
"""Refused contents remembered per run of a proxy; the oldest are forgotten first."""


@dataclass(frozen=True, slots=True)
class Published:
    """The newest revision of the set."""

    revision: int
    hash: str


@dataclass(frozen=True, slots=True)
class Answered:
    """A proxy's answer to a push."""

    nonce: int
    accepted: bool
    reasons: tuple[str, ...] = ()
    applied_revision: int = 0
    applied_hash: str = ""


@dataclass(frozen=True, slots=True)
class Overdue:
    """Time has passed; maybe too much."""


Input: TypeAlias = Published | Answered | Overdue


@dataclass(frozen=True, slots=True)
class Push:
    """Send this."""

    nonce: int
    revision: int
    hash: str


@dataclass(frozen=True, slots=True)
class Accepted:
    """The proxy has this in effect now."""

    revision: int
    hash: str


@dataclass(frozen=True, slots=True)
class Refused:
    """The proxy refused this; what it had before stays in effect."""

    revision: int
    hash: str
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Unanswered:
    """The proxy has not answered this push in time."""

    push: Push


@dataclass(frozen=True, slots=True)
class Stray:
    """An answer to no push of this stream that waits for one."""

    nonce: int


Output: TypeAlias = Push | Accepted | Refused | Unanswered | Stray


class Subscription:
    """One stream's view of a policy set."""

    def __init__(
        self, *, applied_revision: int = 0, applied_hash: str = "", refused: tuple[str, ...] = ()
    ) -> None:
        self.applied_revision = applied_revision
        self.applied_hash = applied_hash
        self._refused: dict[str, None] = dict.fromkeys(refused)
        self._target: Published | None = None
        self._waiting: Push | None = None
        self._silent: Push | None = None
        self._answer_by: float | None = None
        self._last_nonce = 0

    def __repr__(self) -> str:
        target = f"{self._target.revision}" if self._target else "none"
        waiting = f", waits for answer {self._waiting.nonce}" if self._waiting else ""
        numbers = f"in effect {self.applied_revision}, newest {target}{waiting}, {len(self._refused)} refused"
        return f"<Subscription {numbers}>"

    @property
    def refused(self) -> tuple[str, ...]:
        """Hashes of refused contents, the oldest first."""
        return tuple(self._refused)

    @property
    def is_pending(self) -> bool:
        """Whether a push has not been answered yet."""
        return self._waiting is not None or self._silent is not None

    @property
    def is_waiting(self) -> bool:
        """Whether a push may still be answered in time."""
        return self._waiting is not None

    def next_deadline(self) -> float | None:
        """When to call with `Overdue`, in monotonic seconds."""
        return self._answer_by

    def forget_refusal(self, content_hash: str) -> None:
        """Let refused content be sent once more, because somebody has asked for it again."""
        self._refused.pop(content_hash, None)

    def withdraw(self, nonce: int) -> None:
        """Take back a push that was not sent: no answer will come, and another revision is the target."""
        if self._waiting is not None and self._waiting.nonce == nonce:
            self._waiting = self._answer_by = self._target = None

    def handle(self, happened: Input, *, now: float) -> tuple[Output, ...]:
        """Return what is to be done about what happened."""
        match happened:
            case Published():
                if self._target is not None and happened.revision < self._target.revision:
                    return ()
                self._target = happened
                return self._push(now)
            case Answered():
                return self._answered(happened, now)
            case Overdue():
                if self._waiting is None or self._answer_by is None or now < self._answer_by:
                    return ()
                late, self._silent, self._waiting, self._answer_by = self._waiting, self._waiting, None, None
                return (Unanswered(late), *self._push(now))

    def _push(self, now: float) -> tuple[Output, ...]:
        target = self._target
        if target is None or self._waiting is not None:
            return ()
        if (target.revision, target.hash) == (self.applied_revision, self.applied_hash):
            return ()
        if target.hash in self._refused:
            return ()
        if self._silent is not None and self._silent.hash == target.hash:
            return ()
        self._silent = None
        self._last_nonce += 1
        self._waiting = Push(self._last_nonce, target.revision, target.hash)
        self._answer_by = now + ANSWER_LIMIT_S
        return (self._waiting,)

    def _answered(self, answer: Answered, now: float) -> tuple[Output, ...]:
        pushed = self._waiting or self._silent
        if pushed is None or answer.nonce != pushed.nonce:
            return (Stray(answer.nonce),)
        self._waiting = self._silent = self._answer_by = None
        if answer.accepted and answer.applied_hash in ("", pushed.hash):
            self.applied_revision, self.applied_hash = pushed.revision, pushed.hash
            return (Accepted(pushed.revision, pushed.hash), *self._push(now))
        reasons = answer.reasons or ("no reason was given",)
        if answer.accepted:
            reasons = (f"accepted, but reports {answer.applied_hash} in effect instead of {pushed.hash}",)
        if answer.applied_hash:
            self.applied_revision, self.applied_hash = answer.applied_revision, answer.applied_hash
        self._refused.pop(pushed.hash, None)
        self._refused[pushed.hash] = None
        while len(self._refused) > MAX_REFUSED:
            del self._refused[next(iter(self._refused))]
        return (Refused(pushed.revision, pushed.hash, reasons), *self._push(now))
