"""What an attacker writes: frames, header blocks without an encoder's help, raw connections."""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import hpack

from tests.kit.processes import PATIENCE_S

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = (
    range(10)
)
END_STREAM, END_HEADERS, PADDED, ACK = 1, 4, 8, 1
NO_ERROR, PROTOCOL_ERROR, FLOW_CONTROL_ERROR, STREAM_CLOSED, REFUSED_STREAM = 0, 1, 3, 5, 7
CANCEL, COMPRESSION_ERROR, ENHANCE_YOUR_CALM = 8, 9, 11

MESSAGE = b"\0\0\0\0\x05hello"
"""One gRPC message."""


def frame(kind: int, flags: int, stream_id: int, payload: bytes = b"") -> bytes:
    """Return one frame."""
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream_id.to_bytes(4, "big") + payload


def reset(stream_id: int, code: int = CANCEL) -> bytes:
    """Return RST_STREAM."""
    return frame(RST_STREAM, 0, stream_id, struct.pack(">I", code))


def window(stream_id: int, increment: int) -> bytes:
    """Return WINDOW_UPDATE."""
    return frame(WINDOW_UPDATE, 0, stream_id, struct.pack(">I", increment))


def setting(identifier: int, value: int) -> bytes:
    """Return one entry of SETTINGS."""
    return struct.pack(">HI", identifier, value)


def block(*fields: tuple[str | bytes, str | bytes]) -> bytes:
    """Return a header block that leaves the dynamic table alone."""
    return b"".join(literal(_octets(name), _octets(value)) for name, value in fields)


def _octets(text: str | bytes) -> bytes:
    return text.encode("utf-8") if isinstance(text, str) else text


def request(path: str | bytes = "/evil.Evil/Unary", *more: tuple[str | bytes, str | bytes]) -> bytes:
    """Return the header block of a gRPC request."""
    return block(
        (":method", "POST"),
        (":scheme", "http"),
        (":path", path),
        (":authority", "x"),
        ("te", "trailers"),
        ("content-type", "application/grpc"),
        *more,
    )


def literal(name: bytes, value: bytes) -> bytes:
    """Return a field as a literal without indexing, octet by octet as given."""
    return b"\x00" + integer(len(name), 7) + name + integer(len(value), 7) + value


def indexed_literal(name: bytes, value: bytes) -> bytes:
    """Return a field as a literal that enters the receiver's dynamic table."""
    return b"\x40" + integer(len(name), 7) + name + integer(len(value), 7) + value


def integer(value: int, bits: int, first: int = 0) -> bytes:
    """Return an HPACK integer with a prefix of so many bits (RFC 7541 section 5.1)."""
    limit = (1 << bits) - 1
    if value < limit:
        return bytes([first | value])
    out = bytearray([first | limit])
    value -= limit
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


class Attacker:
    """A raw connection that has said its preface."""

    def __init__(
        self, address: str, *, settings: bytes = b"", receive_bytes: int = 0, hello: bool = True
    ) -> None:
        host, _, port = address.rpartition(":")
        raw = socket.socket()
        if receive_bytes:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        raw.settimeout(5)
        raw.connect((host, int(port)))
        self.raw = raw
        self.sent = 0
        self.said = b""
        if hello:
            self.send(PREFACE + frame(SETTINGS, 0, 0, settings) + frame(SETTINGS, ACK, 0))

    def send(self, data: bytes) -> bool:
        """Send as much as is taken; False once the proxy has closed or takes no more."""
        view = memoryview(data)
        try:
            while view:
                count = self.raw.send(view[:65536])
                self.sent += count
                view = view[count:]
        except OSError:
            return False
        return True

    def read(self, limit_s: float = 5.0) -> bytes:
        """Return everything that the proxy says until it closes, or the time is up."""
        end = time.monotonic() + limit_s
        while (left := end - time.monotonic()) > 0:
            self.raw.settimeout(left)
            try:
                piece = self.raw.recv(65536)
            except TimeoutError:
                break
            except OSError:
                self.closed = True
                break
            if not piece:
                self.closed = True
                break
            self.said += piece
        return self.said

    def read_to_the_end(self) -> bytes:
        """Return everything that the proxy says until it closes, which it must."""
        said = self.read(PATIENCE_S)
        assert self.closed, "the connection is still open"
        return said

    closed = False

    def read_until(self, kind: int, limit_s: float = PATIENCE_S) -> tuple[int, int, bytes]:
        """Return flags, stream and payload of the next frame of a kind; raises AssertionError without one."""
        end = time.monotonic() + limit_s
        while True:
            for at, (found, flags, stream_id, payload) in enumerate(frames(self.said)):
                if found == kind:
                    self.said = b"".join(
                        frame(*rest[:3], rest[3]) for rest in list(frames(self.said))[at + 1 :]
                    ) + tail(self.said)
                    return flags, stream_id, payload
            left = end - time.monotonic()
            assert left > 0, f"no frame of kind {kind} came"
            self.raw.settimeout(left)
            try:
                piece = self.raw.recv(65536)
            except TimeoutError:
                continue
            assert piece, f"closed before a frame of kind {kind} came"
            self.said += piece

    def close(self) -> None:
        """Let go of it."""
        with suppress(OSError):
            self.raw.close()


@contextmanager
def attacker(address: str, **options: object) -> Iterator[Attacker]:
    """Give a connection that is closed with the block."""
    made = Attacker(address, **options)  # type: ignore[arg-type]
    try:
        yield made
    finally:
        made.close()


def frames(said: bytes) -> Iterator[tuple[int, int, int, bytes]]:
    """Yield kind, flags, stream and payload of each whole frame."""
    pos = 0
    while len(said) - pos >= 9:
        length = int.from_bytes(said[pos : pos + 3], "big")
        if len(said) - pos < 9 + length:
            return
        yield (
            said[pos + 3],
            said[pos + 4],
            int.from_bytes(said[pos + 5 : pos + 9], "big"),
            said[pos + 9 : pos + 9 + length],
        )
        pos += 9 + length


def tail(said: bytes) -> bytes:
    """Return what is left behind the last whole frame."""
    pos = 0
    while len(said) - pos >= 9:
        length = int.from_bytes(said[pos : pos + 3], "big")
        if len(said) - pos < 9 + length:
            break
        pos += 9 + length
    return said[pos:]


def goaway_code(said: bytes) -> int:
    """Return the code of the last GOAWAY among frames; -1 without one."""
    codes = [int.from_bytes(payload[4:8], "big") for kind, _, _, payload in frames(said) if kind == GOAWAY]
    return codes[-1] if codes else -1


def resets(said: bytes) -> dict[int, int]:
    """Return the code of each stream that was reset."""
    return {
        stream_id: int.from_bytes(payload, "big")
        for kind, _, stream_id, payload in frames(said)
        if kind == RST_STREAM
    }


def statuses(said: bytes) -> dict[int, dict[str, str]]:
    """Return the fields of the last header block of each stream."""
    decoder = hpack.Decoder()
    decoder.max_header_list_size = 1 << 20
    found: dict[int, dict[str, str]] = {}
    for kind, _, stream_id, payload in frames(said):
        if kind == HEADERS:
            found[stream_id] = {str(name): str(value) for name, value in decoder.decode(payload)}
    return found
