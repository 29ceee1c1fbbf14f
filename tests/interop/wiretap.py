"""A relay between two peers that writes down what passes, and reads it as calls: headers and messages as on
the wire.

No gRPC library tells its user whether a message came compressed; the octets do.
"""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import hpack

from tests.kit.processes import PATIENCE_S

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, CONTINUATION = 0, 1, 9
END_HEADERS, PADDED, PRIORITY = 0x4, 0x8, 0x20


@dataclass
class Half:
    """One direction of a call."""

    fields: list[tuple[str, str]] = field(default_factory=list)
    data: bytes = b""

    def value(self, name: str) -> str:
        """Return a header; empty without it."""
        return dict(self.fields).get(name, "")

    def messages(self) -> list[tuple[int, bytes]]:
        """Return flag and payload of each message."""
        result, at = [], 0
        while at < len(self.data):
            flag, length = struct.unpack_from(">BI", self.data, at)
            result.append((flag, self.data[at + 5 : at + 5 + length]))
            at += 5 + length
        return result


@dataclass
class Call:
    """A call, as its messages and the encodings that were named."""

    path: str
    request_encoding: str
    accepted: str
    requests: list[tuple[int, bytes]]
    response_encoding: str
    responses: list[tuple[int, bytes]]


def read(octets: bytes) -> dict[int, Half]:
    """Return what one direction of a connection says, by stream."""
    decoder = hpack.Decoder()
    decoder.max_header_list_size = 1 << 20
    halves: dict[int, Half] = {}
    at = len(PREFACE) if octets.startswith(PREFACE) else 0
    block = b""
    while at + 9 <= len(octets):
        length, kind, flags = int.from_bytes(octets[at : at + 3], "big"), octets[at + 3], octets[at + 4]
        stream = int.from_bytes(octets[at + 5 : at + 9], "big")
        payload = octets[at + 9 : at + 9 + length]
        at += 9 + length
        if kind not in (DATA, HEADERS, CONTINUATION):
            continue
        half = halves.setdefault(stream, Half())
        if kind != CONTINUATION and flags & PADDED:
            payload = payload[1 : len(payload) - payload[0]]
        if kind == DATA:
            half.data += payload
            continue
        block += payload[5:] if kind == HEADERS and flags & PRIORITY else payload
        if flags & END_HEADERS:
            half.fields += [(str(name), str(value)) for name, value in decoder.decode(block)]
            block = b""
    return halves


class Wiretap:
    """Relays connections to `target`."""

    def __init__(self, target: str = "") -> None:
        self.target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self._sockets: list[socket.socket] = []
        self._passed: list[tuple[bytearray, bytearray]] = []
        self._threads: list[threading.Thread] = []
        self._start(self._accept)

    def _start(self, work: Any, *arguments: Any) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                host, _, port = self.target.rpartition(":")
                far = socket.create_connection((host, int(port)), timeout=PATIENCE_S)
                far.settimeout(None)
                there, back = bytearray(), bytearray()
                self._passed.append((there, back))
                self._sockets += [near, far]
                self._start(self._pump, near, far, there)
                self._start(self._pump, far, near, back)

    def _pump(self, source: socket.socket, sink: socket.socket, passed: bytearray) -> None:
        with suppress(OSError):
            while piece := source.recv(65536):
                passed += piece
                sink.sendall(piece)
        with suppress(OSError):
            sink.shutdown(socket.SHUT_WR)

    def calls(self) -> list[Call]:
        """Return the calls that have passed, in an order that does not depend on the connections they
        took.
        """
        result = []
        for there, back in self._passed:
            answers = read(bytes(back))
            for stream, request in read(bytes(there)).items():
                answer = answers.get(stream, Half())
                result.append(
                    Call(
                        request.value(":path"),
                        request.value("grpc-encoding"),
                        request.value("grpc-accept-encoding"),
                        request.messages(),
                        answer.value("grpc-encoding"),
                        answer.messages(),
                    )
                )
        return sorted(result, key=repr)

    def close(self) -> None:
        """End everything."""
        for each in [self._listener, *self._sockets]:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
        for thread in self._threads:
            thread.join(PATIENCE_S)


@contextmanager
def tapping(target: str) -> Iterator[Wiretap]:
    """Relay to `target` for the length of the block."""
    tap = Wiretap(target)
    try:
        yield tap
    finally:
        tap.close()
