"""How a conformance probe is written: what is sent, in steps, and what must be seen.

A probe says the same whether it is judged by a connection in memory or by a whole proxy behind a socket:
after its last step it sends a PING as a marker, so a verdict never waits for silence.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from hpack import Encoder, HeaderTuple

from seawall_proxy.http2.headers import Field
from tests.unit.http2.wire import (
    ACK,
    DATA,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HEADERS,
    PING,
    RST_STREAM,
    SETTINGS,
    Frame,
    frame,
)

MARKER = b"\x00probe\x00\x00"
REQUEST: tuple[Field, ...] = (
    (b":method", b"POST"),
    (b":scheme", b"http"),
    (b":path", b"/echo.Echo/Call"),
    (b":authority", b"echo:8443"),
    (b"te", b"trailers"),
    (b"content-type", b"application/grpc"),
)
MESSAGE = b"\x00\x00\x00\x00\x04ping"


class Speaker:
    """One end's header compression; shares no code with what is tested."""

    def __init__(self) -> None:
        self._encoder = Encoder()

    def block(self, fields: Sequence[Field] = REQUEST) -> bytes:
        """Encode a header list."""
        return self._encoder.encode([HeaderTuple(*pair) for pair in fields], huffman=False)

    def headers(
        self,
        stream_id: int = 1,
        fields: Sequence[Field] = REQUEST,
        flags: int = END_HEADERS | END_STREAM,
        *,
        before: bytes = b"",
        behind: bytes = b"",
    ) -> bytes:
        """Build HEADERS; `before` and `behind` stand around the block in its payload."""
        return frame(HEADERS, flags, stream_id, before + self.block(fields) + behind)

    def open(self, stream_id: int = 1, *extra: Field) -> bytes:
        """Begin a request whose body is still to come."""
        return self.headers(stream_id, (*REQUEST, *extra), END_HEADERS)

    def whole(self, stream_id: int = 1) -> bytes:
        """Send a request that is complete with its headers."""
        return self.headers(stream_id)


Step = Callable[[Speaker], bytes]


@dataclass(frozen=True)
class Ended:
    """Wait until the other side has ended a stream."""

    stream_id: int

    def seen(self, frames: Sequence[Frame]) -> bool:
        """Whether it has."""
        return any(
            sent.stream_id == self.stream_id and sent.kind in (DATA, HEADERS) and sent.flags & END_STREAM
            for sent in frames
        )


@dataclass(frozen=True)
class Octets:
    """See DATA of exactly these sizes on stream 1."""

    sizes: tuple[int, ...]

    def seen(self, frames: Sequence[Frame]) -> bool:
        """Whether they are there."""
        sizes = tuple(len(sent.payload) for sent in frames if sent.kind == DATA and sent.stream_id == 1)
        return sizes == self.sizes


@dataclass(frozen=True)
class ConnectionFault:
    """See GOAWAY with one of these codes."""

    codes: tuple[int, ...]

    def seen(self, frames: Sequence[Frame]) -> bool:
        """Whether it came."""
        return goaway_code(frames) in self.codes


@dataclass(frozen=True)
class StreamError:
    """See RST_STREAM with one of these codes, and the connection goes on."""

    stream_id: int
    codes: tuple[int, ...]

    def seen(self, frames: Sequence[Frame]) -> bool:
        """Whether it came."""
        return Alive().seen(frames) and any(
            sent.kind == RST_STREAM
            and sent.stream_id == self.stream_id
            and int.from_bytes(sent.payload, "big") in self.codes
            for sent in frames
        )


@dataclass(frozen=True)
class Alive:
    """See the marker's answer and no GOAWAY."""

    def seen(self, frames: Sequence[Frame]) -> bool:
        """Whether it came."""
        return Frame(PING, ACK, 0, MARKER) in frames and goaway_code(frames) is None


@dataclass(frozen=True)
class Answered:
    """See a response on a stream, and the connection goes on."""

    stream_id: int = 1

    def seen(self, frames: Sequence[Frame]) -> bool:
        """Whether it came."""
        return Alive().seen(frames) and any(
            sent.kind == HEADERS and sent.stream_id == self.stream_id for sent in frames
        )


@dataclass(frozen=True)
class Acknowledged:
    """See a SETTINGS acknowledgement for each SETTINGS frame, and the connection goes on."""

    count: int

    def seen(self, frames: Sequence[Frame]) -> bool:
        """Whether they came."""
        acks = [sent for sent in frames if sent.kind == SETTINGS and sent.flags & ACK]
        return Alive().seen(frames) and len(acks) == self.count


Expectation = Ended | ConnectionFault | StreamError | Alive | Answered | Acknowledged | Octets


@dataclass(frozen=True)
class Probe:
    """One rule of an RFC, as bytes and what they must lead to."""

    group: str
    name: str
    expect: Expectation
    steps: tuple[Step | Ended | Octets, ...]

    @property
    def id(self) -> str:
        """Name the probe in a report."""
        return f"{self.group}: {self.name}"


def goaway_code(frames: Sequence[Frame]) -> int | None:
    """Return the code of the first GOAWAY."""
    for sent in frames:
        if sent.kind == GOAWAY:
            return int.from_bytes(sent.payload[4:8], "big")
    return None


def fault(*codes: int) -> ConnectionFault:
    """Expect the end of the connection."""
    return ConnectionFault(codes)


def reset(*codes: int, stream_id: int = 1) -> StreamError:
    """Expect the end of a stream."""
    return StreamError(stream_id, codes)


def probe(group: str, name: str, expect: Expectation, *steps: Step | Ended | Octets | bytes) -> Probe:
    """Write a probe; plain bytes are a step that needs no speaker."""
    return Probe(group, name, expect, tuple(_step(step) for step in steps))


def _step(step: Step | Ended | Octets | bytes) -> Step | Ended | Octets:
    if isinstance(step, bytes):
        fixed = step
        return lambda _: fixed
    return step
