"""The last good responses of a route, to be served while it fails (stale-if-error, RFC 5861 section 4).

Least recently used ones go first when there are too many, or too many bytes; one that is older than any step
of the policy would serve goes when it is met. Times are monotonic seconds, told by the caller, so an age
survives a change of the wall clock.

Responses to calls with `authorization` or `cookie` metadata belong to one caller (RFC 9111 section 3.5): they
are only kept where the key has metadata in it, or where the policy says that responses are shared.
"""

from __future__ import annotations

from typing import Final

from seawall_policy.kept_answer import KeptAnswer, identity, optional

MAX_BODY_BYTES: Final = 64 * 1024
"""Largest message that is kept."""
MAX_ENTRIES: Final = 1000
MEMORY_BYTES: Final = 16 * 1024 * 1024
PRIVATE: Final[tuple[bytes, ...]] = (b"authorization", b"cookie")
"""Metadata that makes a response its caller's own."""


class LastGoodOptions:
    """What a step of a fallback serves, and what a route keeps for it."""

    def __init__(
        self,
        max_age_s: float,
        by_request: bool = True,
        metadata: tuple[bytes, ...] = (),
        max_entries: int = MAX_ENTRIES,
        memory_bytes: int = MEMORY_BYTES,
        shared: bool = False,
    ) -> None:
        if not max_age_s > 0.0 or max_entries < 1 or memory_bytes < 1:
            raise ValueError("last_good needs a max_age above 0, and room for one entry and one byte")
        self.max_age_s: float = max_age_s
        self.by_request: bool = by_request
        """The request's bytes are part of the key."""
        self.metadata: tuple[bytes, ...] = metadata
        """Metadata keys whose values are part of the key."""
        self.max_entries: int = max_entries
        self.memory_bytes: int = memory_bytes
        self.shared: bool = shared
        """The response is the same for all callers, whoever they are."""

    def spec(self) -> tuple[bool, tuple[bytes, ...], bool]:
        """Return what makes the key, and for whom: the same in all steps of a policy."""
        return self.by_request, self.metadata, self.shared

    def key(self, path: bytes, values: list[bytes | None], request: bytes) -> bytes:
        """Return the key of a call: `values` are those of `metadata`, `request` is the digest of the request
        (not looked at unless `by_request`).
        """
        parts = [path, request if self.by_request else b""]
        for index in range(len(self.metadata)):
            parts.append(self.metadata[index])
            parts.append(optional(values[index]))
        return identity(parts)


class GoodAnswer:
    """A kept response and the moment at which it came."""

    def __init__(self, answer: KeptAnswer, at: float) -> None:
        self.answer: KeptAnswer = answer
        self.at: float = at


class LastGoodStore:
    """Responses by key, bounded in number, bytes and age."""

    def __init__(self, max_entries: int, memory_bytes: int, max_age_s: float) -> None:
        self.max_entries: int = max_entries
        self.memory_bytes: int = memory_bytes
        self.max_age_s: float = max_age_s
        """The longest age that any step serves."""
        self.bytes: int = 0
        self._kept: dict[bytes, GoodAnswer] = {}
        """Those that were used last come last."""

    def __len__(self) -> int:
        return len(self._kept)

    def resize(self, max_entries: int, memory_bytes: int, max_age_s: float) -> None:
        """Take other bounds; what is too much then goes at once."""
        self.max_entries = max_entries
        self.memory_bytes = memory_bytes
        self.max_age_s = max_age_s
        self._shrink()

    def keep(self, key: bytes, answer: KeptAnswer, now: float) -> bool:
        """Keep a response in place of the one under the same key; return whether there is room for it."""
        self._drop(key)
        if answer.size > self.memory_bytes:
            return False
        self._kept[key] = GoodAnswer(answer, now)
        self.bytes += answer.size
        self._shrink()
        return True

    def find(self, key: bytes, now: float, max_age_s: float) -> GoodAnswer | None:
        """Return the response under a key unless it is older than `max_age_s`; one that nobody would serve
        any more is forgotten.
        """
        found = self._kept.get(key)
        if found is None:
            return None
        age = now - found.at
        if age > self.max_age_s:
            self._drop(key)
            return None
        if age > max_age_s:
            return None
        del self._kept[key]
        self._kept[key] = found
        return found

    def _drop(self, key: bytes) -> None:
        found = self._kept.pop(key, None)
        if found is not None:
            self.bytes -= found.answer.size

    def _shrink(self) -> None:
        while len(self._kept) > self.max_entries or self.bytes > self.memory_bytes:
            self._drop(next(iter(self._kept)))
