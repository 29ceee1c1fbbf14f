"""What a servicer takes for a gRPC call while it answers an HTTP request."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, Final, Never

import grpc
from google.protobuf.message import DecodeError, Message
from google.rpc import status_pb2
from starlette.requests import Request

from seawall_control.api.errors import DETAILS_KEY, Aborted

Sink = Callable[[Message], Awaitable[None]]
Metadata = tuple[tuple[str, str | bytes], ...]

_NOT_METADATA: Final = frozenset(
    {"host", "connection", "content-length", "content-type", "transfer-encoding", "accept", "te", "upgrade"}
)
"""Headers that are HTTP's own business."""


def metadata_of(request: Request) -> Metadata:
    """Return the headers of a request as metadata; what is no base64 in a `-bin` header is left out."""
    found: list[tuple[str, str | bytes]] = []
    for name, value in request.headers.items():
        if name in _NOT_METADATA:
            continue
        if not name.endswith("-bin"):
            found.append((name, value))
            continue
        try:
            found.append((name, base64.b64decode(value + "=" * (-len(value) % 4), validate=True)))
        except (ValueError, binascii.Error):
            continue
    return tuple(found)


class HttpContext(grpc.aio.ServicerContext[Any, Any]):
    """A servicer's view of the call.

    `sink` takes the messages of a stream. `remaining_s` tells how long the caller waits, None for ever.
    """

    def __init__(
        self, request: Request, *, remaining_s: Callable[[], float | None], sink: Sink | None = None
    ) -> None:
        self._metadata = metadata_of(request)
        client = request.client
        self._peer = (
            f"{'ipv6' if ':' in client.host else 'ipv4'}:{client.host}:{client.port}" if client else ""
        )
        self._remaining_s = remaining_s
        self._sink = sink
        self._code: grpc.StatusCode | None = None
        self._details = ""
        self._trailers: Any = ()
        self._callbacks: list[Callable[[Any], None]] = []
        self._aborted: Aborted | None = None
        self._done = self._cancelled = False

    # ------------------------------------------------------------------------------------- what is told

    def invocation_metadata(self) -> Any:
        """Return the headers of the request."""
        return self._metadata

    def peer(self) -> str:
        """Return the address of the caller, in gRPC's form."""
        return self._peer

    def time_remaining(self) -> Any:
        """Return how many seconds the caller still waits; None for ever."""
        return self._remaining_s()

    def peer_identities(self) -> Iterable[bytes] | None:
        """Return nothing: who calls is decided in front of the application."""
        return None

    def peer_identity_key(self) -> str | None:
        """Return nothing."""
        return None

    def auth_context(self) -> Mapping[str, Iterable[bytes]]:
        """Return nothing."""
        return {}

    def cancelled(self) -> bool:
        """Whether the caller has gone."""
        return self._cancelled

    def done(self) -> bool:
        """Whether the call has ended."""
        return self._done

    def add_done_callback(self, callback: Callable[[Any], None]) -> None:
        """Call this with the context at the end."""
        self._callbacks.append(callback)

    # ------------------------------------------------------------------------------------- what is said

    async def read(self) -> Any:
        """Return the end of the stream: what there was to read is the request."""
        return grpc.aio.EOF

    async def write(self, message: Any) -> None:
        """Send a message of a stream."""
        if self._sink is None:
            raise grpc.aio.UsageError("an RPC that answers once has no stream to write to")
        await self._sink(message)

    async def send_initial_metadata(self, initial_metadata: Any) -> None:
        """Send nothing: HTTP's headers are ours."""

    def set_trailing_metadata(self, trailing_metadata: Any) -> None:
        """Keep it; a status among it is told when the call fails."""
        self._trailers = trailing_metadata

    def trailing_metadata(self) -> Any:
        """Return what was kept."""
        return self._trailers

    def set_code(self, code: grpc.StatusCode) -> None:
        """Keep the code."""
        self._code = code

    def set_details(self, details: str) -> None:
        """Keep the message."""
        self._details = details

    def code(self) -> Any:
        """Return the code that was set."""
        return self._code

    def details(self) -> str:
        """Return the message that was set."""
        return self._details

    def set_compression(self, compression: grpc.Compression) -> None:
        """Do nothing."""

    def disable_next_message_compression(self) -> None:
        """Do nothing."""

    async def abort(self, code: grpc.StatusCode, details: str = "", trailing_metadata: Any = ()) -> Never:
        """End the call with an error."""
        if (
            self._aborted is None
        ):  # the first one counts: what follows is how a servicer handles our exception
            self._aborted = Aborted(_status(code, details, trailing_metadata or self._trailers))
        raise self._aborted

    async def abort_with_status(self, status: grpc.Status) -> Never:
        """End the call with a status."""
        await self.abort(status.code, status.details, status.trailing_metadata or ())
        raise AssertionError("abort does not return")

    # ---------------------------------------------------------------------------------- what the edge does

    def finished(self, *, cancelled: bool) -> None:
        """Tell everybody who asked that the call has ended."""
        self._done, self._cancelled = True, cancelled
        for callback in self._callbacks:
            callback(self)

    def raise_set_code(self) -> None:
        """Raise `Aborted` when the servicer returned but has set a code that is no OK."""
        if self._aborted is not None:
            raise self._aborted
        if self._code not in (None, grpc.StatusCode.OK):
            raise Aborted(_status(self._code, self._details, self._trailers))


def _status(code: grpc.StatusCode, message: str, trailers: Any) -> status_pb2.Status:
    for key, value in trailers or ():
        if key == DETAILS_KEY:
            try:
                return status_pb2.Status.FromString(value)
            except DecodeError:
                break
    return status_pb2.Status(code=code.value[0], message=message)
