"""Header blocks as shared, memoised values.

A client repeats its header fields on almost every call. The decoder therefore splits a header list in two:
the *stable* fields become one `HeaderBlock`, the same object each time the same fields come, and the *extra*
fields, which differ on each call, travel beside it as a plain tuple. Everything that can be derived from the
stable fields (validity, route, encoded form for one upstream connection) is then looked up by the identity of
the block and not computed again.

Rules of the split: pseudo-headers and `STANDARD_NAMES` are stable, `VOLATILE_NAMES` are extra, and any other
field is extra exactly if its sender asked for it not to be indexed. One name never occurs in both parts, so
the order among values of one name is kept.
"""

from __future__ import annotations

from typing import Final

Field = tuple[bytes, bytes]

FIELD_OVERHEAD: Final = 32
"""Bytes added to each field when the size of a header list is counted (RFC 9113 section 10.5.1)."""

VOLATILE_NAMES: Final[frozenset[bytes]] = frozenset(
    {
        b"age",
        b"authorization",
        b"b3",
        b"baggage",
        b"content-length",
        b"cookie",
        b"date",
        b"etag",
        b"expires",
        b"grpc-previous-rpc-attempts",
        b"grpc-retry-pushback-ms",
        b"grpc-status-details-bin",
        b"grpc-tags-bin",
        b"grpc-timeout",
        b"grpc-trace-bin",
        b"idempotency-key",
        b"last-modified",
        b"proxy-authorization",
        b"request-id",
        b"sentry-trace",
        b"server-timing",
        b"set-cookie",
        b"traceparent",
        b"tracestate",
        b"uber-trace-id",
        b"x-amzn-trace-id",
        b"x-b3-parentspanid",
        b"x-b3-sampled",
        b"x-b3-spanid",
        b"x-b3-traceid",
        b"x-cloud-trace-context",
        b"x-correlation-id",
        b"x-datadog-parent-id",
        b"x-datadog-trace-id",
        b"x-envoy-expected-rq-timeout-ms",
        b"x-envoy-upstream-service-time",
        b"x-forwarded-for",
        b"x-request-id",
    }
)

STANDARD_NAMES: Final[frozenset[bytes]] = frozenset(
    {
        b":authority",
        b":method",
        b":path",
        b":protocol",
        b":scheme",
        b":status",
        b"accept",
        b"accept-encoding",
        b"content-encoding",
        b"content-type",
        b"grpc-accept-encoding",
        b"grpc-encoding",
        b"grpc-message",
        b"grpc-status",
        b"host",
        b"server",
        b"te",
        b"user-agent",
    }
)

GRPC_MESSAGE: Final = b"grpc-message"
MAX_STABLE_MESSAGE_BYTES: Final = 64
"""A longer grpc-message is taken for one of a kind, and is an extra field."""

UNKNOWN: Final = 0
VALID: Final = 1
MALFORMED: Final = 2


class HeaderBlock:
    """Hold one immutable list of stable header fields; compare and hash it by identity only.

    `attachment` belongs to the layer above, which keeps there what it derived from the fields. The verdicts
    belong to `validate`: they memoise whether the fields are well formed as a request, response or trailers.
    """

    def __init__(self, fields: tuple[Field, ...]) -> None:
        size = 0
        for name, value in fields:
            size += len(name) + len(value) + FIELD_OVERHEAD
        self.fields: tuple[Field, ...] = fields
        self.attachment: object | None = None
        self.size: int = size
        self.request_verdict: int = UNKNOWN
        self.response_verdict: int = UNKNOWN
        self.trailers_verdict: int = UNKNOWN
        self.problem: str = ""
        self.pseudo_count: int = 0
        self.status: int = 0
        self.is_head: bool = False

    def __repr__(self) -> str:
        return f"HeaderBlock({self.fields!r})"


EMPTY_BLOCK: Final[HeaderBlock] = HeaderBlock(())


class BlockCache:
    """Intern field tuples to `HeaderBlock`s, one cache for all connections of a worker.

    Bounded in entries and bytes, and emptied when full: a cleared cache costs one decode per distinct block.
    A block above `max_block_bytes` is never kept.
    """

    def __init__(
        self, *, max_entries: int = 4096, max_bytes: int = 4 * 1024 * 1024, max_block_bytes: int = 4096
    ) -> None:
        self._blocks: dict[tuple[Field, ...], HeaderBlock] = {}
        self._max_entries: int = max_entries
        self._max_bytes: int = max_bytes
        self._max_block_bytes: int = max_block_bytes
        self.size_bytes: int = 0
        self.clears: int = 0

    def __len__(self) -> int:
        return len(self._blocks)

    def intern(self, fields: tuple[Field, ...]) -> HeaderBlock:
        """Return the one block for these fields, pseudo-headers first."""
        block = self._blocks.get(fields)
        if block is not None:
            return block
        block = HeaderBlock(fields)
        if block.size > self._max_block_bytes:
            return block
        if len(self._blocks) >= self._max_entries or self.size_bytes + block.size > self._max_bytes:
            self._blocks.clear()
            self.size_bytes = 0
            self.clears += 1
        self._blocks[fields] = block
        self.size_bytes += block.size
        return block
