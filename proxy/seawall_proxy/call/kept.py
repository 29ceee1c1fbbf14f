"""Answers that may serve other calls, gathered as they go to the client.

Only routes that keep answers (a `last_good` fallback, a journal of idempotency keys) have keepers, and what
is gathered is no more than one message up to a limit: a second message shows a stream, which is not kept.
"""

from __future__ import annotations

from typing import Final

from seawall_policy.kept_answer import Field, content, first_message_end
from seawall_policy.last_good import PRIVATE, LastGoodOptions
from seawall_proxy.call.request import RequestHead
from seawall_proxy.http2.headers import HeaderBlock

_KEPT_OF_HEAD: Final = frozenset((b":status", b"content-type", b"grpc-encoding"))
_COMPRESSED: Final = 1


class AnswerKeeper:
    """Gathers one response."""

    def __init__(self, limit: int, good: LastGoodOptions | None, head: RequestHead) -> None:
        self.limit: int = limit
        """Bytes of a message that is kept."""
        self.good: LastGoodOptions | None = good
        """None when the response is not kept as the last good one."""
        self.good_key: bytes = b""
        """Of the request, known when the response begins; empty when the request was not complete by then."""
        self.fields: tuple[Field, ...] = ()
        """Initial metadata as the server sent it."""
        self.size: int = 0
        self._head: RequestHead = head
        self._pieces: list[bytes] = []
        self._prefix: bytes = b""
        self._end: int = 0
        self._lost: bool = False

    def begin(
        self,
        block: HeaderBlock,
        extra: tuple[Field, ...],
        request_extra: tuple[Field, ...],
        request: list[bytes] | None,
    ) -> None:
        """Take initial metadata; `request` is the whole request, None when it is not all there."""
        self.fields = (*block.fields, *extra)
        if self.good is not None:
            self.good_key = good_key(self.good, self._head, request_extra, request)

    def data(self, piece: bytes) -> None:
        """Take response bytes."""
        if self._lost:
            return
        self.size += len(piece)
        if self._end == 0:
            self._prefix += piece[: 5 - len(self._prefix)]
            self._end = first_message_end(self._prefix)
        if self.size > self.limit or (self._end > 0 and (self.size > self._end or self._end > self.limit)):
            self._lost = True
            self.size = 0
            self._pieces = []
        else:
            self._pieces.append(piece)

    def body(self) -> bytes | None:
        """Return the response's only message with its prefix; None when it is not exactly one."""
        if self._lost or self._end == 0 or self.size != self._end:
            return None
        return b"".join(self._pieces)


def keeps_good(good: LastGoodOptions, head: RequestHead, extra: tuple[Field, ...]) -> bool:
    """Tell whether the response to a call may be served to others (RFC 9111 section 3.5)."""
    if good.shared or len(good.metadata) > 0:
        return True
    for name in PRIVATE:  # noqa: SIM110 - no generator on the hot path
        if head.value_of(name, extra) is not None:
            return False
    return True


def good_key(
    good: LastGoodOptions, head: RequestHead, extra: tuple[Field, ...], request: list[bytes] | None
) -> bytes:
    """Return the key of a call, empty when its request is needed and not all there."""
    digest = b""
    if good.by_request:
        if request is None:
            return b""
        digest = content(request)
    return good.key(head.path, values_of(good.metadata, head, extra), digest)


def values_of(names: tuple[bytes, ...], head: RequestHead, extra: tuple[Field, ...]) -> list[bytes | None]:
    """Return what a call says under each of these metadata keys."""
    return [head.value_of(name, extra) for name in names]


def reads(head: RequestHead, extra: tuple[Field, ...], fields: tuple[Field, ...], body: bytes) -> bool:
    """Tell whether the client takes a message in the compression that it was kept in."""
    if len(body) == 0 or body[0] != _COMPRESSED:
        return True
    used = b""
    for name, value in fields:
        if name == b"grpc-encoding":
            used = value
    taken = head.value_of(b"grpc-accept-encoding", extra)
    return taken is not None and used in [word.strip() for word in taken.split(b",")]


def plain_head(fields: tuple[Field, ...]) -> tuple[Field, ...]:
    """Return what initial metadata says of the message itself: the rest belonged to one call."""
    return tuple([field for field in fields if field[0] in _KEPT_OF_HEAD])
