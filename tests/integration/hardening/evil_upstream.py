"""An upstream that speaks HTTP/2 up to the first request, and then says what it is told to."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from contextlib import suppress

from tests.integration.hardening.wire import ACK, HEADERS, PREFACE, RST_STREAM, SETTINGS, frame
from tests.kit.processes import PATIENCE_S


class EvilUpstream:
    """Listens on a port of its own; answers the n-th request of a connection with `answer(stream)`."""

    def __init__(self, answer: Callable[[int], bytes], settings: bytes = b"") -> None:
        self._answer = answer
        self._settings = settings
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self.connections = 0
        self.requests = 0
        self.resets = 0
        self.sent = 0
        self._open: list[socket.socket] = []
        self._accepts = threading.Thread(target=self._accept, daemon=True)
        self._accepts.start()

    def close(self) -> None:
        """End it with its connections."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._accepts.join(PATIENCE_S)
        for raw in [self._listener, *self._open]:
            with suppress(OSError):
                raw.shutdown(socket.SHUT_RDWR)
            raw.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                raw, _ = self._listener.accept()
                self._open.append(raw)
                self.connections += 1
                threading.Thread(target=self._serve, args=(raw,), daemon=True).start()

    def _serve(self, raw: socket.socket) -> None:
        with suppress(OSError, ValueError):
            raw.sendall(frame(SETTINGS, 0, 0, self._settings) + frame(SETTINGS, ACK, 0))
            stream = raw.makefile("rb")
            stream.read(len(PREFACE))
            while head := stream.read(9):
                stream.read(int.from_bytes(head[:3], "big"))
                if head[3] == RST_STREAM:
                    self.resets += 1
                if head[3] == HEADERS:
                    self.requests += 1
                    data = self._answer(int.from_bytes(head[5:9], "big"))
                    self.sent += len(data)
                    raw.sendall(data)
