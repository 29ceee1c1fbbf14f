"""Scripted conversations: who says what, and what the others must have seen of it.

A playbook is a context manager. Its verbs act at once and let all bytes move until nothing more happens
without time passing; `expect` then compares everything that peers have *seen* since the last `expect` with
the lines it is given. When they differ, the whole conversation so far is shown with a diff of the part in
question. At its end a playbook insists that nothing was seen that was not expected, and that calls,
permits, timers and buffers have gone back to nothing.

    with Playbook(snapshot) as play:
        call = play.call("/shop.v1.Orders/Get", b"ping")
        play.expect('a#1 <- HEADERS /shop.v1.Orders/Get', 'a#1 <- DATA "ping" END')
        play.server("a").last.reply(b"pong")
        play.expect('client#1 <- HEADERS', 'client#1 <- DATA "pong"', 'client#1 <- TRAILERS OK')

Idea: mitmproxy's playbooks (test/mitmproxy/proxy/tutils.py).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from difflib import ndiff
from types import TracebackType
from typing import Final, Self

from seawall_policy.model import Snapshot
from seawall_proxy.call.ports import TraceSink
from seawall_proxy.http2.errors import NO_ERROR
from seawall_proxy.http2.headers import Field
from seawall_proxy.http2.limits import Limits
from seawall_proxy.testing import transcript
from seawall_proxy.testing.peers import RESPONSE_FIELDS, Client, ClientCall, Server, ServerCall
from seawall_proxy.testing.world import World

_MOST_DIALS: Final = 1000
_UNFINISHED: list[Playbook] = []


def unfinished() -> list[Playbook]:
    """Return the playbooks that were begun and not ended, and forget them; a test suite asks after
    each test.
    """
    begun = list(_UNFINISHED)
    _UNFINISHED.clear()
    return begun


class PlaybookMismatch(AssertionError):
    """A conversation that went otherwise."""


class ScriptedCall:
    """The client's verbs for one call of a playbook."""

    def __init__(self, play: Playbook, seen: ClientCall) -> None:
        self._play: Playbook = play
        self.seen: ClientCall = seen

    def send(self, data: bytes, *, end: bool = False) -> None:
        """Send request bytes."""
        self._play.said(self.seen.name, transcript.data(data, end))
        self.seen.send(data, end)
        self._play.settle()

    def end(self) -> None:
        """Half-close with an empty DATA frame."""
        self.send(b"", end=True)

    def cancel(self) -> None:
        """Reset the stream with CANCEL."""
        self._play.said(self.seen.name, "RST CANCEL")
        self.seen.cancel()
        self._play.settle()

    def stop_reading(self) -> None:
        """Give no more credit for this stream."""
        self._play.said(self.seen.name, "stops reading")
        self.seen.reading = False

    def resume(self) -> None:
        """Read again."""
        self._play.said(self.seen.name, "reads again")
        self.seen.resume()
        self._play.settle()


class ScriptedRequest:
    """The server's verbs for one request of a playbook."""

    def __init__(self, play: Playbook, seen: ServerCall) -> None:
        self._play: Playbook = play
        self.seen: ServerCall = seen

    def headers(
        self, *fields: Field, status: bytes = b"200", content_type: bytes = b"application/grpc"
    ) -> None:
        """Send response headers."""
        whole = ((b":status", status), (b"content-type", content_type), *fields)
        self._do(transcript.response(whole, False), lambda: self.seen.put_headers(whole))

    def data(self, data: bytes, *, end: bool = False) -> None:
        """Send response bytes; `end` ends the stream without trailers, which gRPC forbids."""
        self._do(transcript.data(data, end), lambda: self.seen.put_data(data, end))

    def trailers(self, code: int, *fields: Field) -> None:
        """Send trailers with a status."""
        whole = ((b"grpc-status", b"%d" % code), *fields)
        self._do(transcript.trailers(whole), lambda: self.seen.put_trailers(whole))

    def raw_trailers(self, *fields: Field) -> None:
        """Send trailers with just these fields."""
        self._do(transcript.trailers(fields), lambda: self.seen.put_trailers(fields))

    def trailers_only(self, code: int, *fields: Field) -> None:
        """Send a response that is nothing but a status."""
        whole = (*RESPONSE_FIELDS, (b"grpc-status", b"%d" % code), *fields)
        self._do(transcript.response(whole, True), lambda: self.seen.put_trailers_only(whole))

    def raw_headers(self, *fields: Field, end: bool = False) -> None:
        """Send just these fields as response headers."""
        send = self.seen.put_trailers_only if end else self.seen.put_headers
        self._do(transcript.response(fields, end), lambda: send(fields))

    def reply(self, data: bytes, *fields: Field, code: int = 0) -> None:
        """Send headers, one message and trailers in one write, as servers do with unary answers."""
        trailers = ((b"grpc-status", b"%d" % code), *fields)

        def send() -> None:
            self.seen.put_headers()
            self.seen.put_data(data)
            self.seen.put_trailers(trailers)

        self._do(f"HEADERS, {transcript.data(data, False)}, {transcript.trailers(trailers)}", send)

    def reset(self, code: int) -> None:
        """Reset the stream."""
        self._do(transcript.reset(code), lambda: self.seen.put_reset(code))

    def stop_reading(self) -> None:
        """Give no more credit for this stream."""
        self._play.said(self.seen.name, "stops reading")
        self.seen.reading = False

    def resume(self) -> None:
        """Read again."""
        self._do("reads again", self.seen.resume)

    def _do(self, line: str, action: Callable[[], None]) -> None:
        self._play.said(self.seen.name, line)
        action()
        self._play.settle()


class ScriptedServer:
    """The verbs of one host of a playbook."""

    def __init__(self, play: Playbook, server: Server) -> None:
        self._play: Playbook = play
        self.server: Server = server

    @property
    def last(self) -> ScriptedRequest:
        """The latest request."""
        return ScriptedRequest(self._play, self.server.calls[-1])

    def request(self, number: int) -> ScriptedRequest:
        """Return a request by its number, from 1."""
        return ScriptedRequest(self._play, self.server.calls[number - 1])

    @property
    def count(self) -> int:
        """How many requests it has seen."""
        return len(self.server.calls)

    @property
    def dials(self) -> int:
        """How often it was dialled."""
        return self.server.dials

    def set_mode(self, mode: str) -> None:
        """Say what the next dial meets; see `Server`."""
        self._play.said(self.server.address, f"from now on: {mode}")
        self.server.mode = mode
        self._play.settle()

    def goaway(self, last_stream_id: int = -1, code: int = NO_ERROR) -> None:
        """Send GOAWAY on every connection; -1: everything that was seen will be finished."""
        self._play.said(self.server.address, f"GOAWAY {last_stream_id}")
        for connection in self.server.open_connections():
            connection.connection.goaway(code, last_stream_id)
        self._play.settle()

    def close(self) -> None:
        """Close every connection properly."""
        self._play.said(self.server.address, "closes")
        for connection in self.server.open_connections():
            connection.connection.terminate(NO_ERROR, "bye")
        self._play.settle()

    def cut(self) -> None:
        """Lose every connection without a word."""
        self._play.said(self.server.address, "is cut off")
        self.server.cut()
        self._play.settle()


class Playbook:
    """A conversation; see the module."""

    def __init__(
        self,
        snapshot: Snapshot,
        *,
        world: World | None = None,
        server_limits: Limits | None = None,
        client_limits: Limits | None = None,
        host_limits: Limits | None = None,
        tracer: TraceSink | None = None,
        warm: bool = True,
    ) -> None:
        self.world: World = world or World(
            server_limits=server_limits, client_limits=client_limits, tracer=tracer
        )
        self.log: list[str] = []
        self._seen: list[str] = []
        """What was seen since the last `expect`."""
        self._servers: dict[str, ScriptedServer] = {}
        self._host_limits: Limits | None = host_limits
        self._calls: int = 0
        self._clients: dict[str, Client] = {}
        self._entered: bool = False
        _UNFINISHED.append(self)
        self._ensure_servers(snapshot)
        self.world.apply(snapshot)
        if warm:
            self.world.clusters.warm()
            self.settle()

    # the frame of a playbook

    def __enter__(self) -> Self:
        self._entered = True
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self in _UNFINISHED:
            _UNFINISHED.remove(self)
        if kind is not None:
            return
        self.settle()
        if self._seen:
            self._mismatch([], self._seen)
        left = self.world.leftovers()
        if left:
            raise PlaybookMismatch(self._conversation() + "\nleft over at the end: " + "; ".join(left))

    # what is written down

    def said(self, who: str, what: str) -> None:
        """Note what a peer does."""
        self.log.append(f"{who} -> {what}")

    def saw(self, who: str, what: str) -> None:
        """Note what a peer sees."""
        line = f"{who} <- {what}"
        self.log.append(line)
        self._seen.append(line)

    def expect(self, *lines: str) -> None:
        """Compare what peers have seen since the last time; the lines may also come as one indented text."""
        wanted = [line.strip() for part in lines for line in part.splitlines() if line.strip()]
        seen = self._seen
        self._seen = []
        if seen != wanted:
            self._mismatch(wanted, seen)

    def expect_nothing(self) -> None:
        """Nobody has seen anything since the last `expect`."""
        self.expect()

    def forget(self) -> list[str]:
        """Leave out what was seen since the last `expect`, where it is not what the scenario is about."""
        seen = self._seen
        self._seen = []
        return seen

    def _mismatch(self, wanted: list[str], seen: list[str]) -> None:
        difference = "\n".join("  " + line for line in ndiff(wanted, seen))
        raise PlaybookMismatch(
            self._conversation() + f"\nexpected (-) and seen (+) since the last expectation:\n{difference}"
        )

    def _conversation(self) -> str:
        return "the conversation so far:\n" + "\n".join("  " + line for line in self.log)

    # time and bytes

    def settle(self) -> None:
        """Let all bytes move, dials be answered and held calls be settled, without time passing."""
        for _ in range(_MOST_DIALS):
            self.world.pump()
            if not self._answer_dials():
                return
            self.world.batch()
        raise PlaybookMismatch(self._conversation() + "\nthe proxy dials without end")

    def _answer_dials(self) -> bool:
        answered = False
        for scripted in self._servers.values():
            answered = scripted.server.answer_dials() or answered
        return answered

    def advance(self, seconds: float) -> None:
        """Let time pass, from timer to timer."""
        self.log.append(f"-- {seconds * 1000:g} ms pass --")
        until = self.world.now + seconds
        self.settle()
        while True:
            at = min(self.world.next_event(), until)
            self.world.advance(max(0.0, at - self.world.now))
            self.settle()
            if at >= until:
                return

    @property
    def now(self) -> float:
        """Monotonic seconds."""
        return self.world.now

    # the cast

    def _ensure_servers(self, snapshot: Snapshot) -> None:
        for spec in snapshot.clusters.values():
            for address in spec.endpoints:
                if address not in self._servers:
                    self.add_server(address)

    def add_server(self, address: str, limits: Limits | None = None) -> ScriptedServer:
        """Put a host at an address, in place of the one that was there."""
        server = Server(address, self.world, self.saw, limits or self._host_limits)
        self._servers[address] = ScriptedServer(self, server)
        return self._servers[address]

    def server(self, address: str = "a") -> ScriptedServer:
        """Return the host at an address."""
        return self._servers[address]

    def client(self, name: str = "client", limits: Limits | None = None) -> Client:
        """Return a client by its name; made when it is first asked for."""
        client = self._clients.get(name)
        if client is None:
            client = Client(name, self.world, self.saw, limits)
            self._clients[name] = client
            self.settle()
        return client

    def apply(self, snapshot: Snapshot, *, warm: bool = True) -> None:
        """Put another policy in force."""
        self.log.append(f"-- policy {snapshot.revision} --")
        self._ensure_servers(snapshot)
        self.world.apply(snapshot)
        if warm:
            self.world.clusters.warm()
        self.settle()

    def call(
        self,
        path: str = "/shop.v1.Orders/Get",
        body: bytes | None = None,
        *fields: Field,
        end: bool = True,
        timeout: bytes = b"",
        client: str = "client",
        never_indexed: Sequence[bytes] = (),
        raw: Sequence[Field] | None = None,
    ) -> ScriptedCall:
        """Start a call: headers, with `body` also a DATA frame, in one write; `end` half-closes behind
        them.
        """
        sender = self.client(client)
        self._calls += 1
        name = f"{client}#{self._calls}"
        whole = raw if raw is not None else request_fields(path, fields, timeout)
        self.said(name, transcript.request(tuple(whole), end and body is None))
        seen = sender.call(ClientCall(name, self.saw), whole, end and body is None, never_indexed)
        if body is not None:
            self.said(name, transcript.data(body, end))
            seen.send(body, end)
        self.settle()
        return ScriptedCall(self, seen)

    def disconnect(self, client: str = "client") -> None:
        """Close a client's connection."""
        self.said(client, "closes its connection")
        self._clients.pop(client).connection.terminate(NO_ERROR, "bye")
        self.settle()


def request_fields(path: str, fields: Sequence[Field] = (), timeout: bytes = b"") -> list[Field]:
    """Return the fields of an ordinary gRPC request."""
    whole: list[Field] = [
        (b":method", b"POST"),
        (b":scheme", b"http"),
        (b":path", path.encode()),
        (b":authority", transcript.AUTHORITY),
        (b"te", b"trailers"),
        (b"content-type", b"application/grpc"),
    ]
    if timeout:
        whole.append((b"grpc-timeout", timeout))
    whole.extend(fields)
    return whole
