"""What the access log is told about a call: one record, filled while the call runs, handed over at its end.

A record exists only for a call that was drawn for the log, so a proxy without one pays a test for None. What
a client chose is cut to `MAX_TEXT_BYTES` here: records wait in a queue, and nobody may make it heavy.
"""

from __future__ import annotations

from typing import Final

from mypy_extensions import mypyc_attr

from seawall_proxy.call.ports import OUTCOME_OK

MAX_TEXT_BYTES: Final = 512
UNKNOWN_TIME: Final = -1.0

_PREFIX_BYTES: Final = 5


class MessageCounter:
    """Counts the bytes and messages of one direction (gRPC's length-prefixed messages)."""

    def __init__(self) -> None:
        self.size: int = 0
        """Bytes of all messages with their prefixes."""
        self.messages: int = 0
        """Messages whose prefix was seen."""
        self._left: int = 0
        self._prefix: bytes = b""

    def count(self, data: bytes) -> None:
        """Take the next bytes of the stream."""
        size = len(data)
        self.size += size
        if self._left >= size:
            self._left -= size
            return
        pos = self._left
        self._left = 0
        while pos < size:
            prefix = self._prefix + data[pos : pos + _PREFIX_BYTES - len(self._prefix)]
            pos += len(prefix) - len(self._prefix)
            if len(prefix) < _PREFIX_BYTES:
                self._prefix = prefix
                return
            self._prefix = b""
            self.messages += 1
            body = prefix[1] << 24 | prefix[2] << 16 | prefix[3] << 8 | prefix[4]
            if pos + body > size:
                self._left = pos + body - size
                return
            pos += body


class AccessRecord:
    """One call. Times are monotonic seconds, texts are as on the wire and cut."""

    def __init__(self, route: str, path: bytes, started_s: float, peer: str) -> None:
        self.route: str = route
        """Empty when no route matched."""
        self.path: bytes = path[:MAX_TEXT_BYTES]
        self.started_s: float = started_s
        self.peer: str = peer
        """The client's address; empty when it has none."""
        self.duration_s: float = 0.0
        self.first_message_s: float = UNKNOWN_TIME
        """From the start until the first response bytes went to the client; -1 when none did."""
        self.deadline_s: float = UNKNOWN_TIME
        """What was left of the call's time when it came; -1 without a deadline."""
        self.code: int = 0
        self.reason: str = ""
        """Reason of a local answer; empty for a server's."""
        self.message: bytes = b""
        self.outcome: int = OUTCOME_OK
        self.failed_code: int = 0
        """Status that a retry or a fallback covered; 0 if there was none."""
        self.failed_reason: str = ""
        self.attempts: int = 0
        self.endpoint: str = ""
        """Where the last attempt went; empty without one."""
        self.request: MessageCounter = MessageCounter()
        self.response: MessageCounter = MessageCounter()
        self.authority: bytes = b""
        self.user_agent: bytes = b""
        self.trace_id: bytes = b""
        self.revision: int = 0
        self.faults: int = 0
        """Mask of the injected faults that the call has met."""

    def answered(self, data: bytes, now: float) -> None:
        """Take response bytes on their way to the client."""
        if self.first_message_s < 0.0:
            self.first_message_s = now - self.started_s
        self.response.count(data)


@mypyc_attr(allow_interpreted_subclasses=True)
class AccessSink:
    """Takes the records of ended calls; called on the data path, so it returns at once and never raises."""

    share: float = 1.0
    """Share of the calls that get a record, 0 to 1."""

    def call_ended(self, record: AccessRecord) -> None:
        """Take the record of a call; it is not changed afterwards."""
