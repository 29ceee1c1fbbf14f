"""The journal of idempotency keys: what was answered to a call, for those that come with the same key.

A key is either at work (one call carries it out, the others with the same key wait for its answer), or
answered (the answer is kept for `ttl`), or unknown. A call with a known key and another request is refused.
An owner that ends without an answer worth keeping hands the work to the one that has waited longest. After
draft-ietf-httpapi-idempotency-key-header, sections 2.6 and 2.7.

What is kept is bounded in number and bytes; the oldest answers go first. Keys at work are as many as there
are calls, and are refused room (FULL) beyond `max_entries`: forgetting one would carry its call out twice.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from mypy_extensions import mypyc_attr

from seawall_policy import status
from seawall_policy.kept_answer import OVERHEAD_BYTES, KeptAnswer, identity, optional

TTL_S: Final = 86_400.0
MAX_ENTRIES: Final = 10_000
MEMORY_BYTES: Final = 64 * 1024 * 1024
DEFAULT_KEY: Final = b"idempotency-key"
DEFAULT_SCOPE: Final[tuple[bytes, ...]] = (b"authorization",)
MAX_KEY_BYTES: Final = 256
"""Longest key that the journal takes."""
MAX_REQUEST_BYTES: Final = 1 << 20
"""Largest request that can be compared: what is kept to be sent again."""
MAX_BODY_BYTES: Final = 1 << 20
"""Largest answer that is kept."""

OWNED: Final = 0
"""Nobody has asked: carry the call out."""
BUSY: Final = 1
"""Another call with this key is at work: wait for it."""
ANSWERED: Final = 2
"""The answer is there: `answer`."""
REUSED: Final = 3
"""The key belongs to another request."""
FULL: Final = 4
"""As many keys as may be are at work."""

TRANSIENT: Final = status.code_mask(
    (
        status.CANCELLED,
        status.DEADLINE_EXCEEDED,
        status.RESOURCE_EXHAUSTED,
        status.ABORTED,
        status.UNAVAILABLE,
        status.UNAUTHENTICATED,
    )
)
"""Statuses that say nothing final about the call: the next one with the key is carried out."""


class JournalOptions:
    """How long and how much."""

    def __init__(
        self,
        ttl_s: float = TTL_S,
        max_entries: int = MAX_ENTRIES,
        memory_bytes: int = MEMORY_BYTES,
        scope: tuple[bytes, ...] = DEFAULT_SCOPE,
    ) -> None:
        if not ttl_s > 0.0 or max_entries < 1 or memory_bytes < 1:
            raise ValueError("a journal needs a ttl above 0, and room for one entry and one byte")
        self.ttl_s: float = ttl_s
        self.max_entries: int = max_entries
        """Answers kept, and keys at work; each at most so many."""
        self.memory_bytes: int = memory_bytes
        """Of the kept answers."""
        self.scope: tuple[bytes, ...] = scope
        """Metadata keys whose values tell callers apart."""

    def key(self, path: bytes, key: bytes, values: list[bytes | None]) -> bytes:
        """Return what a call is known by: its method, its key, and the values of `scope`."""
        parts = [path, key]
        for index in range(len(self.scope)):
            parts.append(self.scope[index])
            parts.append(optional(values[index]))
        return identity(parts)


class IdempotencyOptions:
    """What keys mean on a route."""

    def __init__(
        self,
        key: bytes = DEFAULT_KEY,
        generate: bool = False,
        server_honours: bool = False,
        journal: JournalOptions | None = None,
    ) -> None:
        if key == b"":
            raise ValueError("an idempotency key needs a metadata key to travel in")
        self.key: bytes = key
        """The metadata key."""
        self.generate: bool = generate
        self.server_honours: bool = server_honours
        self.journal: JournalOptions | None = journal


@mypyc_attr(allow_interpreted_subclasses=True)
class Waiter:
    """A call as the journal sees it."""

    def answered(self, answer: KeptAnswer) -> None:
        """Take the answer that another call got; the journal has forgotten this one."""

    def take_over(self) -> None:
        """Carry the call out: the one that was at work has no answer. Must not do so before it returns."""

    def close(self) -> None:
        """Leave the journal, whether waiting or at work."""


class _Work:
    """A key at work."""

    def __init__(self, request: bytes) -> None:
        self.request: bytes = request
        self.waiters: dict[Waiter, None] = {}
        """In the order in which they came."""


class _Entry:
    """A kept answer."""

    def __init__(self, request: bytes, answer: KeptAnswer, at: float, size: int) -> None:
        self.request: bytes = request
        self.answer: KeptAnswer = answer
        self.at: float = at
        self.size: int = size


class Journal:
    """Keys of one route with what is known of them."""

    def __init__(self, options: JournalOptions) -> None:
        self.options: JournalOptions = options
        self.bytes: int = 0
        """Of the kept answers."""
        self._work: dict[bytes, _Work] = {}
        self._kept: dict[bytes, _Entry] = {}
        """The oldest first."""

    def __len__(self) -> int:
        return len(self._kept)

    def at_work(self) -> int:
        """Return how many keys are at work."""
        return len(self._work)

    def waiting(self) -> int:
        """Return how many calls wait for another."""
        total = 0
        for work in self._work.values():
            total += len(work.waiters)
        return total

    def resize(self, options: JournalOptions, now: float) -> None:
        """Take other options; what is too much or too old then goes at once."""
        self.options = options
        self._shrink(now)

    def ask(self, key: bytes, request: bytes, now: float) -> int:
        """Tell what is to be done with a call; `request` is the digest of its request.

        After OWNED the caller must end with `settle` or `abandon`, exactly once; after BUSY it calls `wait`;
        after ANSWERED the answer is `answer(key)`.
        """
        work = self._work.get(key)
        if work is not None:
            return BUSY if work.request == request else REUSED
        self._shrink(now)
        kept = self._kept.get(key)
        if kept is not None:
            return ANSWERED if kept.request == request else REUSED
        if len(self._work) >= self.options.max_entries:
            return FULL
        self._work[key] = _Work(request)
        return OWNED

    def answer(self, key: bytes) -> KeptAnswer:
        """Return the answer under a key that `ask` has just called ANSWERED."""
        return self._kept[key].answer

    def wait(self, key: bytes, waiter: Waiter) -> None:
        """Wait for the call that is at work under a key."""
        self._work[key].waiters[waiter] = None

    def leave(self, key: bytes, waiter: Waiter) -> None:
        """Wait no longer."""
        work = self._work.get(key)
        if work is not None:
            work.waiters.pop(waiter, None)

    def settle(self, key: bytes, answer: KeptAnswer, now: float) -> bool:
        """Take the owner's answer: keep it, and give it to all that wait; return whether it was kept."""
        work = self._work.pop(key)
        size = OVERHEAD_BYTES + answer.size
        kept = size <= self.options.memory_bytes
        if kept:
            self._kept[key] = _Entry(work.request, answer, now, size)
            self.bytes += size
            self._shrink(now)
        for waiter in list(work.waiters):
            waiter.answered(answer)
        return kept

    def abandon(self, key: bytes) -> None:
        """Take note that the owner has no answer to keep: the next one that waits becomes the owner."""
        work = self._work[key]
        if len(work.waiters) == 0:
            del self._work[key]
            return
        heir = next(iter(work.waiters))
        del work.waiters[heir]
        heir.take_over()

    def _shrink(self, now: float) -> None:
        options = self.options
        kept = self._kept
        while len(kept) > 0:
            oldest = next(iter(kept))
            entry = kept[oldest]
            if (
                now - entry.at < options.ttl_s
                and len(kept) <= options.max_entries
                and self.bytes <= options.memory_bytes
            ):
                return
            del kept[oldest]
            self.bytes -= entry.size


def make_key(draw: Callable[[], float]) -> bytes:
    """Return a key of 122 random bits, written as a UUID of version 4 (RFC 9562 section 5.4)."""
    value = 0
    for _ in range(4):
        value = value << 32 | int(draw() * 4294967296.0)
    value = value & ~(0xF << 76) | 0x4 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}".encode("ascii")
