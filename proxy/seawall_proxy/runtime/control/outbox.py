"""What is said next on the stream that is open. Answers go to the stream that asked, or nowhere, since nonces
belong to a stream (as in xDS).
"""

from __future__ import annotations

import asyncio
from collections import deque

from seawall.v1 import fleet_pb2


class Outbox:
    """Messages that go before all others, and the event that wakes whoever writes."""

    def __init__(self) -> None:
        self.session: int = 0
        """Counts the streams."""
        self.wake: asyncio.Event = asyncio.Event()
        self._messages: deque[fleet_pb2.ConnectRequest] = deque()

    def answer(self, session: int, *messages: fleet_pb2.ConnectRequest) -> None:
        """Say this if the stream of that session is still open."""
        if session == self.session:
            self._messages.extend(messages)
            self.wake.set()

    def take(self) -> fleet_pb2.ConnectRequest | None:
        """Return the next one and forget it; None when there is none."""
        return self._messages.popleft() if self._messages else None

    def stream_ended(self) -> None:
        """Forget what nobody hears any more."""
        self.session += 1
        self._messages.clear()
