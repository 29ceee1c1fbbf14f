"""An upstream that says, frame by frame, what a test wants it to say.

`Rude` listens and hands each connection to a script in a thread of its own. `Conn` is the script's end of it:
it reads frames, acknowledges SETTINGS and PING unless told not to, remembers what it saw, and sends whatever
it is given, right or wrong. `answering` makes the script of an upstream that behaves until the first request.
"""

from __future__ import annotations

import select
import socket
import struct
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

import hpack

from tests.kit.processes import PATIENCE_S

PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = (
    range(10)
)
END_STREAM, END_HEADERS, PADDED, ACK = 0x1, 0x4, 0x8, 0x1
MAX_CONCURRENT_STREAMS, INITIAL_WINDOW_SIZE, MAX_FRAME_SIZE = 3, 4, 5

Fields = Sequence[tuple[str, str]]
OK_HEADERS: Final = ((":status", "200"), ("content-type", "application/grpc"))
OK_TRAILERS: Final = (("grpc-status", "0"),)


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """Return one frame."""
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


def block(fields: Fields) -> bytes:
    """Return a header block that leaves the dynamic table alone."""
    encoder = hpack.Encoder()
    encoder.header_table_size = 0
    return encoder.encode(list(fields))


def message(payload: bytes, flag: int = 0, length: int | None = None) -> bytes:
    """Return a gRPC message; `length` may lie."""
    return struct.pack(">BI", flag, len(payload) if length is None else length) + payload


@dataclass
class Frame:
    """A frame that came."""

    kind: int
    flags: int
    stream: int
    payload: bytes


class Gone(Exception):
    """The other side has closed."""


@dataclass
class Request:
    """A request that came."""

    stream: int
    fields: dict[str, str]
    ended: bool


@dataclass
class Conn:
    """One connection, at the script's end."""

    raw: socket.socket
    number: int
    """How many connections came before."""
    answers_pings: bool = True
    seen: list[Frame] = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self._buffer = b""
        self._decoder = hpack.Decoder()
        self._pending: list[Request] = []

    def send(self, data: bytes) -> None:
        """Send bytes, whatever they are; a peer that has gone ends the script."""
        try:
            self.raw.sendall(data)
        except OSError as error:
            raise Gone from error

    def close(self) -> None:
        """Close without a word."""
        with suppress(OSError):
            self.raw.shutdown(socket.SHUT_RDWR)
        self.raw.close()

    def preface(self) -> None:
        """Read the client's preface."""
        if self._take(len(PREFACE)) != PREFACE:
            raise Gone

    def _take(self, size: int) -> bytes:
        while len(self._buffer) < size:
            try:
                got = self.raw.recv(65536)
            except OSError as error:
                raise Gone from error
            if not got:
                raise Gone
            self._buffer += got
        taken, self._buffer = self._buffer[:size], self._buffer[size:]
        return taken

    def settings(self, *pairs: tuple[int, int]) -> None:
        """Send SETTINGS."""
        self.send(frame(SETTINGS, 0, 0, b"".join(struct.pack(">HI", key, value) for key, value in pairs)))

    def read(self) -> Frame:
        """Return the next frame; requests are put aside for `request`."""
        head = self._take(9)
        payload = self._take(int.from_bytes(head[:3], "big"))
        got = Frame(head[3], head[4], int.from_bytes(head[5:9], "big"), payload)
        self.seen.append(got)
        if got.kind == SETTINGS and not got.flags & ACK:
            self.send(frame(SETTINGS, ACK, 0))
        elif got.kind == PING and not got.flags & ACK and self.answers_pings:
            self.send(frame(PING, ACK, 0, got.payload))
        elif got.kind == HEADERS:
            self._pending.append(self._request(got))
        return got

    def _request(self, got: Frame) -> Request:
        encoded = got.payload[5:] if got.flags & 0x20 else got.payload
        while not self.seen[-1].flags & END_HEADERS:
            encoded += self.read().payload
        fields = {str(name): str(value) for name, value in self._decoder.decode(encoded)}
        return Request(got.stream, fields, bool(got.flags & END_STREAM))

    def request(self) -> Request:
        """Return the next request."""
        while not self._pending:
            self.read()
        return self._pending.pop(0)

    def wait_for(self, kind: int, stream: int | None = None, flags: int = 0) -> Frame:
        """Read on until a frame of a kind, with these flags among its own, has come."""
        while True:
            got = self.read()
            if got.kind == kind and stream in (None, got.stream) and got.flags & flags == flags:
                return got

    def waiting(self) -> bool:
        """Tell whether a request has come that nobody has asked for yet."""
        return bool(self._pending)

    def linger(self, time_s: float) -> None:
        """Read what comes within a time."""
        until = time.monotonic() + time_s
        while (left := until - time.monotonic()) > 0:
            if self._buffer or select.select([self.raw], [], [], left)[0]:
                self.read()

    def credit(self, stream: int) -> int:
        """Return how many octets may be sent in all on a stream; 0 stands for the connection."""
        total = 65535
        for got in self.seen:
            if got.kind == WINDOW_UPDATE and got.stream == stream:
                total += int.from_bytes(got.payload, "big")
            elif got.kind == SETTINGS and stream > 0:
                for at in range(0, len(got.payload), 6):
                    key, value = struct.unpack_from(">HI", got.payload, at)
                    total += value - 65535 if key == INITIAL_WINDOW_SIZE else 0
        return total

    def wait_for_end(self, request: Request) -> None:
        """Read on until the request is complete."""
        if not request.ended and not self.has_seen(DATA, request.stream, END_STREAM):
            self.wait_for(DATA, request.stream, END_STREAM)

    def has_seen(self, kind: int, stream: int | None = None, flags: int = 0) -> bool:
        """Tell whether such a frame has come."""
        return any(
            got.kind == kind and stream in (None, got.stream) and got.flags & flags == flags
            for got in self.seen
        )

    def headers(self, stream: int, fields: Fields = OK_HEADERS, *, end: bool = False) -> None:
        """Send a header block in one frame."""
        self.send(frame(HEADERS, END_HEADERS | (END_STREAM if end else 0), stream, block(fields)))

    def data(self, stream: int, payload: bytes, *, end: bool = False) -> None:
        """Send DATA."""
        self.send(frame(DATA, END_STREAM if end else 0, stream, payload))

    def reset(self, stream: int, code: int) -> None:
        """Send RST_STREAM."""
        self.send(frame(RST_STREAM, 0, stream, struct.pack(">I", code)))

    def window(self, stream: int, size: int) -> None:
        """Send WINDOW_UPDATE."""
        self.send(frame(WINDOW_UPDATE, 0, stream, struct.pack(">I", size)))

    def goaway(self, last: int, code: int = 0, debug: bytes = b"") -> None:
        """Send GOAWAY."""
        self.send(frame(GOAWAY, 0, 0, struct.pack(">II", last, code) + debug))

    def good(self, stream: int, payload: bytes = b"fine", trailers: Fields = OK_TRAILERS) -> None:
        """Answer as one should."""
        self.headers(stream)
        self.data(stream, message(payload))
        self.headers(stream, trailers, end=True)


Script = Callable[[Conn], None]
Answer = Callable[[Conn, Request], None]


def answering(answer: Answer, *settings: tuple[int, int]) -> Script:
    """Return a script that greets as one should and gives each request, once complete, to `answer`."""

    def script(conn: Conn) -> None:
        conn.preface()
        conn.settings(*settings)
        while True:
            answer(conn, conn.request())

    return script


class Rude:
    """A listening upstream."""

    def __init__(self, script: Script) -> None:
        self._script = script
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self.conns: list[Conn] = []
        self.broken: list[BaseException] = []
        """What scripts raised that they should not have."""
        self._accepts = threading.Thread(target=self._accept, daemon=True)
        self._accepts.start()

    def close(self) -> None:
        """End it with its connections."""
        with suppress(OSError):
            # Wakes `accept`, which a mere close would not.
            self._listener.shutdown(socket.SHUT_RDWR)
        self._accepts.join(PATIENCE_S)
        self._listener.close()
        for conn in self.conns:
            conn.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                raw, _ = self._listener.accept()
                raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                conn = Conn(raw, len(self.conns))
                self.conns.append(conn)
                threading.Thread(target=self._run, args=(conn,), daemon=True).start()

    def _run(self, conn: Conn) -> None:
        try:
            self._script(conn)
        except (Gone, OSError, ValueError):
            # Closed by the proxy, by the script itself, or by the end of the test.
            conn.close()
        except Exception as error:  # noqa: BLE001 - shown by the fixture that owns it
            self.broken.append(error)
