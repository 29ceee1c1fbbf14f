"""What is derived from a response's header blocks, once for each distinct block."""

from __future__ import annotations

from typing import Final

from seawall_policy import status
from seawall_policy.header_change import HeaderChange
from seawall_policy.retry import NO_PUSHBACK, parse_pushback
from seawall_policy.rich_status import NOTHING, RichStatus, read_rich_status
from seawall_proxy.call.metadata import is_grpc
from seawall_proxy.http2.headers import Field, HeaderBlock

NO_STATUS: Final = -1
_MAX_CHANGES: Final = 16


class ResponseHead:
    """The final status and the HTTP part of one block of response headers or trailers."""

    def __init__(self, block: HeaderBlock) -> None:
        self.http_status: int = 0
        self.grpc_status: int = NO_STATUS
        """-1 when the block carries none."""
        self.is_grpc: bool = False
        """Content type is application/grpc."""
        self.pushback_ms: int = NO_PUSHBACK
        self.message: bytes = b""
        self.details: bytes = b""
        """Value of grpc-status-details-bin."""
        self._changed: dict[HeaderChange, HeaderBlock] | None = None
        for name, value in block.fields:
            if name == b"grpc-status":
                self.grpc_status = status.parse_grpc_status(value)
            elif name == b":status":
                self.http_status = int(value) if value.isdigit() and len(value) == 3 else 0
            elif name == b"content-type":
                self.is_grpc = is_grpc(value)
            elif name == b"grpc-retry-pushback-ms":
                self.pushback_ms = parse_pushback(value)
            elif name == b"grpc-message":
                self.message = value
            elif name == b"grpc-status-details-bin":
                self.details = value

    def changed(self, block: HeaderBlock, change: HeaderChange) -> HeaderBlock:
        """Return `block`, which this is the head of, as a route changes it."""
        known = self._changed
        if known is None or len(known) >= _MAX_CHANGES:
            known = {}
            self._changed = known
        result = known.get(change)
        if result is None:
            result = HeaderBlock(change.of_stable(block.fields))
            known[change] = result
        return result


def response_head(block: HeaderBlock) -> ResponseHead:
    """Return the head of `block`, computed at its first use."""
    attached = block.attachment
    if isinstance(attached, ResponseHead):
        return attached
    head = ResponseHead(block)
    block.attachment = head
    return head


def find(extra: tuple[Field, ...], name: bytes) -> bytes:
    """Return the first value of `name` among per-call fields; empty when absent."""
    for field in extra:
        if field[0] == name:
            return field[1]
    return b""


def final_status(head: ResponseHead, extra: tuple[Field, ...]) -> int:
    """Return the gRPC status of trailers, or NO_STATUS."""
    if head.grpc_status != NO_STATUS:
        return head.grpc_status
    value = find(extra, b"grpc-status")
    return NO_STATUS if value == b"" else status.parse_grpc_status(value)


def pushback(head: ResponseHead, extra: tuple[Field, ...]) -> int:
    """Return the server's pushback in milliseconds, -1 for "do not retry", or NO_PUSHBACK."""
    if head.pushback_ms != NO_PUSHBACK:
        return head.pushback_ms
    for name, value in extra:
        if name == b"grpc-retry-pushback-ms":
            return parse_pushback(value)
    return NO_PUSHBACK


def rich_status(block: HeaderBlock, extra: tuple[Field, ...]) -> RichStatus:
    """Return what the details of a failure say."""
    details = response_head(block).details
    if details == b"":
        details = find(extra, b"grpc-status-details-bin")
    return NOTHING if details == b"" else read_rich_status(details)


def status_message(head: ResponseHead, extra: tuple[Field, ...]) -> bytes:
    """Return grpc-message as on the wire; empty when absent."""
    return head.message if head.message != b"" else find(extra, b"grpc-message")
