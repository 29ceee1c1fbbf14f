"""Scripted peers: a client on one side, servers on the other, each behind a real HTTP/2 connection.

They do what they are told and write down what they see. Both read by default and give credit back at once;
`reading = False` on a call makes a slow reader of that stream, `stop_reading` one of the whole connection.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from seawall_proxy.http2.connection import Connection
from seawall_proxy.http2.errors import CANCEL, NO_ERROR, code_name
from seawall_proxy.http2.handlers import ConnectionHandler, StreamHandler
from seawall_proxy.http2.headers import BlockCache, Field, HeaderBlock
from seawall_proxy.http2.limits import Limits
from seawall_proxy.http2.stream import Stream
from seawall_proxy.testing import transcript
from seawall_proxy.testing.network import Wire
from seawall_proxy.testing.world import World
from seawall_proxy.upstream.link import Link

Saw = Callable[[str, str], None]
"""Called with who saw it and what."""

RESPONSE_FIELDS: Final[tuple[Field, ...]] = ((b":status", b"200"), (b"content-type", b"application/grpc"))


def block_of(
    fields: Sequence[Field], never_indexed: Sequence[bytes] = ()
) -> tuple[HeaderBlock, tuple[Field, ...]]:
    """Split fields into those that may be indexed and, behind them, those that must not be."""
    stable = tuple(field for field in fields if field[0] not in never_indexed)
    return HeaderBlock(stable), tuple(field for field in fields if field[0] in never_indexed)


class ClientCall(StreamHandler):
    """One call as its client sees it."""

    def __init__(self, name: str, saw: Saw) -> None:
        self.name: str = name
        self.stream: Stream | None = None
        self.headers: tuple[Field, ...] | None = None
        self.data: bytearray = bytearray()
        self.trailers: tuple[Field, ...] | None = None
        self.trailers_only: bool = False
        self.reset_code: int | None = None
        self.ends: int = 0
        """How often it was told an end; must become 1."""
        self.reading: bool = True
        self.unread: int = 0
        self.sent: int = 0
        """Request bytes that have left the client."""
        self._saw: Saw = saw

    def on_headers(
        self, stream: Stream, block: HeaderBlock, extra: tuple[Field, ...], end_stream: bool
    ) -> None:
        fields = block.fields + extra
        self.headers = fields
        if end_stream:
            self.trailers = fields
            self.trailers_only = True
            self.ends += 1
        self._saw(self.name, transcript.response(fields, end_stream))

    def on_data(self, stream: Stream, data: bytes, end_stream: bool) -> None:
        self.data += data
        if end_stream:
            self.ends += 1
        self._saw(self.name, transcript.data(data, end_stream))
        if self.reading:
            stream.consume(len(data))
        else:
            self.unread += len(data)

    def on_trailers(self, stream: Stream, block: HeaderBlock, extra: tuple[Field, ...]) -> None:
        self.trailers = block.fields + extra
        self.ends += 1
        self._saw(self.name, transcript.trailers(self.trailers))

    def on_reset(self, stream: Stream, code: int, unprocessed: bool) -> None:
        self.reset_code = code
        if code != NO_ERROR or self.trailers is None:
            # NO_ERROR behind a whole answer only says that the rest of the request is not wanted.
            self.ends += 1
        self._saw(self.name, transcript.reset(code))

    def on_sent(self, stream: Stream, n: int) -> None:
        self.sent += n

    @property
    def ended(self) -> bool:
        """It knows how the call ended."""
        return self.ends > 0

    def field(self, name: bytes) -> bytes | None:
        """Return the first value of a trailer."""
        return None if self.trailers is None else transcript.value_of(self.trailers, name)

    @property
    def status(self) -> int | None:
        """The final gRPC status; None without one."""
        value = self.field(b"grpc-status")
        return None if value is None else int(value)

    def send(self, data: bytes, end: bool = False) -> None:
        """Send request bytes."""
        stream = self.stream
        assert stream is not None
        self.sent += stream.send_data(data, end)

    def resume(self) -> None:
        """Read what was left unread, and read on."""
        self.reading = True
        stream = self.stream
        assert stream is not None
        stream.consume(self.unread)
        self.unread = 0

    def cancel(self, code: int = CANCEL) -> None:
        """Reset the stream; it will hear no more."""
        stream = self.stream
        assert stream is not None
        stream.reset(code)
        self.ends += 1


class Client(ConnectionHandler):
    """A client with one connection to the proxy."""

    def __init__(self, name: str, world: World, saw: Saw, limits: Limits | None = None) -> None:
        self.name: str = name
        self.world: World = world
        self.goaway_code: int | None = None
        self._saw: Saw = saw
        self.connection: Connection = Connection(
            is_client=True, limits=limits or Limits(), handler=self, cache=BlockCache(), dirty=world.dirty
        )
        self.wire: Wire = world.accept(self.connection, name)

    def on_goaway(self, last_stream_id: int, code: int) -> None:
        self.goaway_code = code
        self._saw(self.name, f"GOAWAY {code_name(code)}")

    def call(
        self, call: ClientCall, fields: Sequence[Field], end: bool, never_indexed: Sequence[bytes] = ()
    ) -> ClientCall:
        """Open a stream for a call."""
        block, extra = block_of(fields, never_indexed)
        call.stream = self.connection.open_stream(call, block, extra, end)
        return call


class ServerCall(StreamHandler):
    """One request as a server sees it, and the server's verbs for its answer."""

    def __init__(
        self, name: str, stream: Stream, fields: tuple[Field, ...], end: bool, at: float, saw: Saw
    ) -> None:
        self.name: str = name
        self.stream: Stream = stream
        self.fields: tuple[Field, ...] = fields
        self.at: float = at
        self.data: bytearray = bytearray()
        self.done: bool = end
        """The request is complete."""
        self.reset_code: int | None = None
        self.reading: bool = True
        self.unread: int = 0
        self.sent: int = 0
        self.answered: bool = False
        self._saw: Saw = saw

    def field(self, name: bytes) -> bytes | None:
        """Return the first value of a request header."""
        return transcript.value_of(self.fields, name)

    @property
    def path(self) -> bytes:
        """The request's path."""
        return self.field(b":path") or b""

    def on_data(self, stream: Stream, data: bytes, end_stream: bool) -> None:
        self.data += data
        self.done = end_stream
        self._saw(self.name, transcript.data(data, end_stream))
        if self.reading:
            stream.consume(len(data))
        else:
            self.unread += len(data)

    def on_trailers(self, stream: Stream, block: HeaderBlock, extra: tuple[Field, ...]) -> None:
        self.done = True
        self._saw(self.name, "TRAILERS in a request")

    def on_reset(self, stream: Stream, code: int, unprocessed: bool) -> None:
        self.reset_code = code
        self._saw(self.name, transcript.reset(code))

    def on_sent(self, stream: Stream, n: int) -> None:
        self.sent += n

    def resume(self) -> None:
        """Read what was left unread, and read on."""
        self.reading = True
        self.stream.consume(self.unread)
        self.unread = 0

    def put_headers(self, fields: Sequence[Field] = RESPONSE_FIELDS) -> None:
        """Send response headers."""
        block, extra = block_of(fields)
        self.stream.send_headers(block, extra, False)

    def put_data(self, data: bytes, end: bool = False) -> None:
        """Send response bytes."""
        self.sent += self.stream.send_data(data, end)

    def put_trailers(self, fields: Sequence[Field]) -> None:
        """Send trailers behind a response."""
        self.answered = True
        block, extra = block_of(fields)
        self.stream.send_trailers(block, extra)

    def put_trailers_only(self, fields: Sequence[Field]) -> None:
        """Send headers that end the stream."""
        self.answered = True
        block, extra = block_of(fields)
        self.stream.send_headers(block, extra, True)

    def put_reset(self, code: int) -> None:
        """Reset the stream."""
        self.answered = True
        self.stream.reset(code)


class ServerConnection(ConnectionHandler):
    """One of a server's connections."""

    def __init__(self, server: Server) -> None:
        self.server: Server = server
        self.open: bool = True
        self.wire: Wire | None = None
        self.goaway_code: int | None = None
        self.connection: Connection = Connection(
            is_client=False,
            limits=server.limits,
            handler=self,
            cache=BlockCache(),
            dirty=server.world.dirty,
        )

    def on_request(
        self, stream: Stream, block: HeaderBlock, extra: tuple[Field, ...], end_stream: bool
    ) -> None:
        stream.handler = self.server.took(self, stream, block.fields + extra, end_stream)

    def on_goaway(self, last_stream_id: int, code: int) -> None:
        self.goaway_code = code

    def on_terminated(self, code: int, reason: str) -> None:
        self.open = False


class Server:
    """A host that the proxy may dial.

    `mode` says what a dial meets: "accept"; "refuse" (no transport); "silent" (a transport without a word);
    "blackhole" (no answer at all); "hang_up" (accepts, says SETTINGS, and closes).
    """

    def __init__(self, address: str, world: World, saw: Saw, limits: Limits | None = None) -> None:
        self.address: str = address
        self.world: World = world
        self.mode: str = "accept"
        self.reads: bool = True
        """Whether new requests are read from the start."""
        # A scripted server does not mind how often it is cancelled.
        self.limits: Limits = limits or Limits(premature_age_s=0.0)
        self.connections: list[ServerConnection] = []
        self.calls: list[ServerCall] = []
        self.dials: int = 0
        self.dial_times: list[float] = []
        self.pending: list[Link] = []
        """Dials that wait for an answer."""
        self._saw: Saw = saw
        world.hosts[address] = self

    def dialled(self, link: Link, timeout_s: float) -> None:
        self.dials += 1
        self.dial_times.append(self.world.now)
        self.pending.append(link)

    def answer_dials(self) -> bool:
        """Answer the dials that wait, as the mode says; tell whether there were any."""
        if self.mode == "blackhole" or not self.pending:
            return False
        pending = self.pending
        self.pending = []
        for link in pending:
            if link.closed:
                continue
            if self.mode == "refuse":
                link.failed(f"connecting to {self.address} failed: refused")
            else:
                self._accept(link)
        return True

    def _accept(self, link: Link) -> None:
        accepted = ServerConnection(self)
        if self.mode == "silent":
            # A transport is there, and nothing ever comes from the other side.
            far = Connection(is_client=False, limits=Limits(), handler=_DEAF, cache=BlockCache(), dirty=[])
            near = link.connection
            assert near is not None
            self.world.wire(self.address, near, far).far_reads = False
            link.opened()
            return
        self.connections.append(accepted)
        accepted.wire = self.world.connect(link, accepted.connection, self.address)
        if self.mode == "hang_up":
            accepted.connection.terminate(0, "go away")

    def took(
        self, connection: ServerConnection, stream: Stream, fields: tuple[Field, ...], end: bool
    ) -> StreamHandler:
        """Make the record of a new request."""
        name = f"{self.address}#{len(self.calls) + 1}"
        call = ServerCall(name, stream, fields, end, self.world.now, self._saw)
        call.reading = self.reads
        self.calls.append(call)
        self._saw(name, transcript.request(fields, end))
        return call

    def open_connections(self) -> list[ServerConnection]:
        """Return the connections that are open."""
        return [connection for connection in self.connections if connection.open]

    def cut(self) -> None:
        """Lose every connection, as when the host dies."""
        for connection in self.open_connections():
            if connection.wire is not None:
                connection.wire.sever()


_DEAF: Final = ConnectionHandler()
