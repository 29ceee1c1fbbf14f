"""Faults that are injected on purpose: which attempts get which, and when it is over.

Each kind of fault draws for itself (gRFC A33): with 20 % delays and 5 % aborts, 24 % of the attempts meet
something. A fault has an end that it cannot do without; from then on it does nothing. No more than
`max_active` attempts of a route are under a fault at once, so that a slow or stalled experiment cannot take
all of a proxy.

The end is wall-clock time, since a person writes it down. The data path knows monotonic time only, so
whoever puts a document in force says once how the two clocks stand (`monotonic_end`); a clock that is set
afterwards moves nothing.

Sources: gRFC A33 (independent draws, max_active_faults); Polly (faults innermost, so that everything else is
exercised); grpc-go #9201 (an abort with status OK is refused).
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf, isfinite
from typing import Final

from seawall_policy import status

# Kinds, as indexes of statistics; the bit of kind k in a mask is 1 << k.
ABORT: Final = 0
DELAY: Final = 1
BANDWIDTH: Final = 2
STREAM: Final = 3
KINDS: Final = 4
KIND_NAMES: Final[tuple[str, ...]] = ("abort", "delay", "bandwidth", "stream")

# How a response breaks, numbered as in seawall.v1.
STREAM_ABORT: Final = 1
STREAM_STALL: Final = 2
STREAM_DROP_TRAILERS: Final = 3

LEAST_BYTES_PER_SECOND: Final = 1024
MAX_MESSAGES: Final = 1_000_000
MAX_ACTIVE: Final = 1_000_000
DEFAULT_ACTIVE: Final = 100
LONGEST_DELAY_S: Final = 3600.0


class FaultOptions:
    """What is broken, and until when. Raises ValueError for a number that makes no sense.

    Shares are 0 to 1 of the attempts; a share of 0 leaves that kind out. `until_s` is Unix time in seconds.
    `metadata` are names and values that a call must carry.
    """

    def __init__(  # noqa: PLR0913 - one keyword per setting
        self,
        *,
        until_s: float,
        abort_share: float = 0.0,
        abort_code: int = status.UNAVAILABLE,
        abort_message: str = "",
        delay_share: float = 0.0,
        delay_s: float = 0.0,
        bandwidth_share: float = 0.0,
        bytes_per_second: int = LEAST_BYTES_PER_SECOND,
        stream_share: float = 0.0,
        stream_kind: int = STREAM_ABORT,
        stream_after: int = 1,
        stream_code: int = status.UNAVAILABLE,
        metadata: tuple[tuple[bytes, bytes], ...] = (),
        max_active: int = DEFAULT_ACTIVE,
        shadow: bool = False,
    ) -> None:
        for share in (abort_share, delay_share, bandwidth_share, stream_share):
            _require(0.0 <= share <= 1.0, f"a share is {share}; use 0 to 1")
        _require(isfinite(until_s), "until_s must be a moment; a fault always has an end")
        _require_failure(abort_code)
        _require_failure(stream_code)
        _require(0.0 <= delay_s <= LONGEST_DELAY_S, f"delay_s is {delay_s}; use 0 to 3600")
        _require(
            bytes_per_second >= LEAST_BYTES_PER_SECOND,
            f"bytes_per_second is {bytes_per_second}; use 1024 or more",
        )
        _require(
            STREAM_ABORT <= stream_kind <= STREAM_DROP_TRAILERS, f"there is no stream fault {stream_kind}"
        )
        _require(0 <= stream_after <= MAX_MESSAGES, f"stream_after is {stream_after}; use 0 to 1000000")
        _require(1 <= max_active <= MAX_ACTIVE, f"max_active is {max_active}; use 1 to 1000000")
        self.until_s: float = until_s
        self.abort_code: int = abort_code
        self.abort_message: str = abort_message
        self.delay_s: float = delay_s
        self.bytes_per_second: int = bytes_per_second
        self.stream_kind: int = stream_kind
        self.stream_after: int = stream_after
        self.stream_code: int = stream_code
        self.metadata: tuple[tuple[bytes, bytes], ...] = metadata
        self.max_active: int = max_active
        self.shadow: bool = shadow
        """Only count what would have been injected."""
        self.shares: tuple[float, float, float, float] = (
            abort_share,
            delay_share,
            bandwidth_share,
            stream_share,
        )
        """By kind."""


class FaultStatistics:
    """What was injected on one route; outlives policy documents."""

    def __init__(self) -> None:
        self.injected: list[int] = [0] * KINDS
        """Faults that took effect, by kind; only grows."""
        self.would: list[int] = [0] * KINDS
        """Faults that shadow mode did not inject, by kind; only grows."""
        self.active: int = 0
        """Attempts that are under a fault now."""
        self.capped: int = 0
        """Attempts that were spared because `max_active` were under a fault."""

    def count(self, kind: int) -> None:
        """Count a fault that takes effect."""
        self.injected[kind] += 1

    def ended(self) -> None:
        """Count an attempt out that was under a fault."""
        self.active -= 1


class Faults:
    """The faults of one route. Times are monotonic seconds."""

    def __init__(self, options: FaultOptions, until: float, statistics: FaultStatistics) -> None:
        self.options: FaultOptions = options
        self.until: float = until
        """When it is over."""
        self.statistics: FaultStatistics = statistics

    def choose(self, now: float, draw: Callable[[], float]) -> int:
        """Return the mask of the faults for a new attempt; 0 for none.

        One number is drawn for each kind that there is, whatever the others gave. An attempt that gets any is
        active until `FaultStatistics.ended` is called for it, once. In shadow mode what it would have got is
        counted, and it gets nothing.
        """
        if now >= self.until:
            return 0
        mask = 0
        shares = self.options.shares
        for kind in range(KINDS):
            share = shares[kind]
            if share > 0.0 and draw() < share:
                mask |= 1 << kind
        if mask == 0:
            return 0
        statistics = self.statistics
        if self.options.shadow:
            for kind in range(KINDS):
                statistics.would[kind] += (mask >> kind) & 1
            return 0
        if statistics.active >= self.options.max_active:
            statistics.capped += 1
            return 0
        statistics.active += 1
        return mask


def monotonic_end(until_s: float, wall_offset_s: float) -> float:
    """Return the end in monotonic seconds; `wall_offset_s` is wall-clock minus monotonic time."""
    return until_s - wall_offset_s


def names_of(mask: int) -> str:
    """Return the names of the kinds in a mask, joined by commas."""
    return ",".join([KIND_NAMES[kind] for kind in range(KINDS) if (mask >> kind) & 1 == 1])


class MessageEdge:
    """Finds the end of the n-th message in a response's bytes (gRPC's length-prefixed messages)."""

    def __init__(self, messages: int) -> None:
        self._left: int = messages
        """Messages that have not ended."""
        self._body: int = 0
        """Bytes of the current message that are still to come."""
        self._prefix: bytes = b""

    def find(self, data: bytes) -> int:
        """Return where in the next bytes the last wanted message ends; -1 when it does not end there."""
        pos = 0
        size = len(data)
        while self._left > 0:
            if self._body == 0:
                more = data[pos : pos + 5 - len(self._prefix)]
                self._prefix += more
                pos += len(more)
                if len(self._prefix) < 5:
                    return -1
                self._body = int.from_bytes(self._prefix[1:5], "big")
                self._prefix = b""
            step = min(self._body, size - pos)
            self._body -= step
            pos += step
            if self._body > 0:
                return -1
            self._left -= 1
        return pos


class Pace:
    """A link of so many bytes a second: says when a piece that is sent now has arrived."""

    def __init__(self, bytes_per_second: int) -> None:
        self.quantum: int = max(256, min(16_384, bytes_per_second // 20))
        """Bytes of a piece: a twentieth of a second's worth, where that is neither tiny nor huge."""
        self._rate: float = float(bytes_per_second)
        self._free_at: float = -inf

    def arrival(self, now: float, size: int) -> float:
        """Return when `size` bytes have passed that come at `now`, behind all that came before."""
        start = max(now, self._free_at)
        self._free_at = start + size / self._rate
        return self._free_at


def _require(fine: bool, message: str) -> None:
    if not fine:
        raise ValueError(f"fault: {message}")


def _require_failure(code: int) -> None:
    _require(status.OK < code <= status.MAX_CODE, f"status {code} is no failure; use 1 to {status.MAX_CODE}")
