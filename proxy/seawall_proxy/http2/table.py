"""Which streams exist, and what an id without a stream means (RFC 9113 sections 5.1 and 5.1.1).

Only open and half-closed streams have an object. Ids are used upwards, so every other id is told apart by
comparing it: above the highest used it is idle, below it is closed. Remembered beside that, in bounded
memory, are the exceptions that change the answer to a late frame: ids we reset (the peer may not know yet)
and ranges a client skipped (closed without ever having been open).
"""

from __future__ import annotations

from typing import Final

from seawall_proxy.http2.frames import MAX_STREAM_ID
from seawall_proxy.http2.stream import Stream

LAST_OPENED_ID: Final = 2**30
"""A client opens no stream above this id: its pool dials a new connection long before ids run out. A server
sends a client away that comes to it.
"""

MAX_GAPS: Final = 16


class StreamTable:
    """Hold the open streams of a connection and the history of its ids."""

    def __init__(self, *, is_client: bool, remembered_resets: int) -> None:
        self._is_client: bool = is_client
        self._max_resets: int = remembered_resets
        self._resets: dict[int, bool] = {}
        self._forgotten_id: int = 0
        self._gaps: list[tuple[int, int]] = []
        self.streams: dict[int, Stream] = {}
        self.highest_id: int = 0
        """The highest id a client used (server role)."""
        self.next_id: int = 1
        """The id of our next stream (client role)."""
        self.goaway_sent_id: int = -1
        """The last stream id of our GOAWAY, -1 before it."""
        self.peer_last_id: int = MAX_STREAM_ID
        """The last stream id of the peer's GOAWAY."""

    def is_idle(self, stream_id: int) -> bool:
        """Whether this id was never used; ids of pushed streams never are."""
        if stream_id & 1 == 0:
            return True
        return stream_id >= self.next_id if self._is_client else stream_id > self.highest_id

    def is_ignored(self, stream_id: int) -> bool:
        """Whether our GOAWAY said that this stream of a client will not be processed."""
        return not self._is_client and 0 <= self.goaway_sent_id < stream_id

    def use_id(self, stream_id: int) -> None:
        """Record that a client used this id, the highest so far."""
        if stream_id > self.highest_id + 2:
            if len(self._gaps) >= MAX_GAPS:
                del self._gaps[0]
            self._gaps.append((self.highest_id, stream_id))
        self.highest_id = stream_id

    def was_skipped(self, stream_id: int) -> bool:
        """Whether a client used higher ids, but never this one, as far as we remember."""
        return any(below < stream_id < above for below, above in self._gaps)

    def add_reset(self, stream_id: int) -> None:
        """Remember that we sent RST_STREAM for this id."""
        if len(self._resets) >= self._max_resets:
            oldest = next(iter(self._resets))
            del self._resets[oldest]
            self._forgotten_id = max(self._forgotten_id, oldest)
        self._resets[stream_id] = True

    def reset_answered(self, stream_id: int) -> None:
        """Learn that the peer reset this stream too: nothing more of it can be under way."""
        self._resets.pop(stream_id, None)

    def was_reset(self, stream_id: int) -> bool:
        """Whether we sent RST_STREAM for this id, as far as we remember."""
        return stream_id in self._resets

    def was_ended_by_peer(self, stream_id: int) -> bool:
        """Whether a closed stream was surely ended by its peer, so that no frame of it can be late."""
        return stream_id > self._forgotten_id and stream_id not in self._resets
