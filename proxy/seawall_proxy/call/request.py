"""What is derived from a request's header block, once for each distinct block.

A client's header block repeats from call to call, so everything that depends on it alone is computed at its
first use and kept in the block's attachment: whether it is a valid gRPC request, its path, the headers to
send upstream, and the routes that may match. Every field with a meaning in gRPC is validated here, since a
malformed value that reaches a shared upstream connection can fail other clients' calls (CVE-2023-32732).
"""

from __future__ import annotations

from typing import Final

from seawall_policy.header_change import HeaderChange
from seawall_proxy.call.metadata import is_base64, is_encoding_list, is_grpc
from seawall_proxy.call.routing import RouteState, RoutingTable
from seawall_proxy.http2.headers import Field, HeaderBlock
from seawall_proxy.telemetry.counters import MethodCounters

VALID: Final = 0
NOT_GRPC: Final = 1
NOT_POST: Final = 2
BAD_PATH: Final = 3
BAD_FIELD: Final = 4

_MAX_AUTHORITIES: Final = 64


class RequestHead:
    """The unchanging part of a request."""

    def __init__(self, block: HeaderBlock) -> None:
        self.block: HeaderBlock = block
        self.path: bytes = b""
        self.error: int = VALID
        self.error_detail: str = ""
        self.content_type: bytes = b""
        self.authority: bytes = b""
        self.user_agent: bytes = b""
        self.metadata: dict[bytes, list[bytes]] = {}
        self.job_id: bytes = b""
        self.job_name: bytes = b""
        self.has_previous_attempts: bool = False
        self.slot: MethodCounters | None = None
        """The statistics of the method on the route that the last call took, once it is kept apart."""
        self._upstream: dict[bytes, HeaderBlock] = {}
        self._secure: dict[bytes, HeaderBlock] = {}
        """The same for upstreams under TLS."""
        self._changed: dict[tuple[HeaderChange, bytes, bool], HeaderBlock] = {}
        self._renamed: dict[bytes, RequestHead] = {}
        """By the path of a fallback's method."""
        self._table: RoutingTable | None = None
        self._candidates: tuple[RouteState, ...] = ()
        self._inspect(block)

    def _inspect(self, block: HeaderBlock) -> None:
        method = b""
        for name, value in block.fields:
            if name == b":path":
                self.path = value
            elif name == b":method":
                method = value
            elif name == b"content-type":
                self.content_type = value
            elif name == b":authority":
                self.authority = value
            elif not name.startswith(b":"):
                self._inspect_metadata(name, value)
        if not is_grpc(self.content_type):
            self.error = NOT_GRPC
        elif method != b"POST":
            self.error = NOT_POST
        elif not is_method_path(self.path):
            self.error = BAD_PATH

    def _inspect_metadata(self, name: bytes, value: bytes) -> None:
        detail = field_error(name, value)
        if detail != "" and self.error == VALID:
            self.error = BAD_FIELD
            self.error_detail = detail
        values = self.metadata.get(name)
        if values is None:
            self.metadata[name] = [value]
        else:
            values.append(value)
        if name == b"user-agent":
            self.user_agent = value
        elif name == b"x-job-id":
            self.job_id = value
        elif name == b"x-job-name":
            self.job_name = value
        elif name == b"grpc-previous-rpc-attempts":
            self.has_previous_attempts = True

    def value_of(self, name: bytes, extra: tuple[Field, ...]) -> bytes | None:
        """Return the values of a metadata key, joined by commas, those of the call's own fields `extra` too;
        None when there is none.
        """
        values = self.metadata.get(name)
        found: list[bytes] = [] if values is None else list(values)
        for field, value in extra:
            if field == name:
                found.append(value)
        return b",".join(found) if len(found) > 0 else None

    def candidates(self, table: RoutingTable) -> tuple[RouteState, ...]:
        """Return the routes whose service and method match, best first."""
        if self._table is not table:
            self._candidates = table.candidates(self.path)
            self._table = table
        return self._candidates

    def upstream_block(
        self, authority: bytes, change: HeaderChange | None = None, secure: bool = False
    ) -> HeaderBlock:
        """Return the headers for an upstream, which is `secure` under TLS; `authority` replaces the client's
        unless it is empty.
        """
        if change is not None:
            return self._changed_block(authority, change, secure)
        blocks = self._secure if secure else self._upstream
        block = blocks.get(authority)
        if block is None:
            block = HeaderBlock(self._upstream_fields(authority, secure))
            if len(blocks) >= _MAX_AUTHORITIES:
                blocks.clear()
            blocks[authority] = block
        return block

    def renamed(self, path: bytes) -> RequestHead:
        """Return the same request to another method."""
        head = self._renamed.get(path)
        if head is None:
            fields = tuple([(name, path if name == b":path" else value) for name, value in self.block.fields])
            head = RequestHead(HeaderBlock(fields))
            if len(self._renamed) >= _MAX_AUTHORITIES:
                self._renamed.clear()
            self._renamed[path] = head
        return head

    def _changed_block(self, authority: bytes, change: HeaderChange, secure: bool) -> HeaderBlock:
        key = (change, authority, secure)
        block = self._changed.get(key)
        if block is None:
            block = HeaderBlock(change.of_stable(self._upstream_fields(authority, secure)))
            if len(self._changed) >= _MAX_AUTHORITIES:
                self._changed.clear()
            self._changed[key] = block
        return block

    def _upstream_fields(self, authority: bytes, secure: bool) -> tuple[Field, ...]:
        host = b""
        rest: list[Field] = []
        for name, value in self.block.fields:
            if name == b":authority" or (name == b"host" and host == b""):
                host = value
            elif not name.startswith(b":") and name not in _REPLACED:
                rest.append((name, value))
        fields: list[Field] = [
            (b":method", b"POST"),
            (b":scheme", b"https" if secure else b"http"),
            (b":path", self.path),
            (b":authority", authority if authority != b"" else host),
            (b"te", b"trailers"),
            (b"content-type", self.content_type),
        ]
        fields.extend(rest)
        return tuple(fields)


_ENCODINGS: Final = frozenset((b"grpc-encoding", b"grpc-accept-encoding"))
_REPLACED: Final = frozenset((b"te", b"content-type", b"host", b"grpc-timeout"))


def is_method_path(path: bytes) -> bool:
    """Tell whether `path` is `/Service/Method` with both parts present and nothing that another parser may
    read otherwise.
    """
    if not path.startswith(b"/"):
        return False
    slash = path.find(b"/", 1)
    if slash <= 1 or slash == len(path) - 1:
        return False
    return path.find(b"/", slash + 1) < 0 and b"?" not in path and b"#" not in path and b"%" not in path


def field_error(name: bytes, value: bytes) -> str:
    """Return what is wrong with one metadata field that gRPC gives a meaning, or an empty string."""
    if name.endswith(b"-bin"):
        return "" if is_base64(value) else "malformed base64 in " + name.decode("ascii", "replace")
    if name.startswith(b"grpc-"):
        if name in _ENCODINGS:
            return "" if is_encoding_list(value) else "malformed " + name.decode("ascii")
        if name == b"grpc-previous-rpc-attempts":
            return "" if value.isdigit() and len(value) <= 9 else "malformed grpc-previous-rpc-attempts"
    return ""
