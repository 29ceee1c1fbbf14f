"""What a case needs of a client library; one adapter for each library gives it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol

OK = 0
CANCELLED = 1
UNKNOWN = 2
DEADLINE_EXCEEDED = 4
UNIMPLEMENTED = 12
UNAVAILABLE = 14

Metadata = Sequence[tuple[str, Any]]


@dataclass
class Outcome:
    """How a call ended."""

    code: int = OK
    details: str = ""
    message: Any = None
    """The answer of a call with one answer."""
    initial: list[tuple[str, Any]] = field(default_factory=list)
    trailing: list[tuple[str, Any]] = field(default_factory=list)


class Stream(Protocol):
    """A call whose answers come one by one."""

    async def send(self, message: Any) -> None:
        """Send a request message."""

    async def end(self) -> None:
        """Say that there are no more."""

    async def receive(self) -> Any | None:
        """Return the next answer; None behind the last one, whatever the status is."""

    async def cancel(self) -> None:
        """Give the call up."""

    async def outcome(self) -> Outcome:
        """Wait for the end."""


class Caller(Protocol):
    """One channel."""

    missing: ClassVar[dict[str, str]]
    """Cases that the library cannot do, each with the reason."""
    hides_load_reports: bool
    """The library keeps the trailer endpoint-load-metrics-bin for itself."""

    async def unary(
        self,
        method: str,
        request: Any,
        metadata: Metadata = (),
        timeout_s: float | None = None,
        *,
        compressed: bool = False,
    ) -> Outcome:
        """Make a call with one request and one answer."""

    async def client_stream(
        self,
        method: str,
        requests: Sequence[Any],
        timeout_s: float | None = None,
        *,
        compressed: bool = False,
    ) -> Outcome:
        """Make a call with several requests and one answer."""

    async def server_stream(self, method: str, request: Any, timeout_s: float | None = None) -> Stream:
        """Begin a call with one request and several answers."""

    async def duplex(self, method: str, metadata: Metadata = (), timeout_s: float | None = None) -> Stream:
        """Begin a call with several requests and answers."""

    async def close(self) -> None:
        """Close the channel."""
