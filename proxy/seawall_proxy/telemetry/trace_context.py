"""Trace context of a request: W3C `traceparent`, read strictly, and gRPC's binary `grpc-trace-bin`.

A header that breaks the rules counts as absent, as W3C Trace Context level 1 demands (section 4.3): a new
trace is begun rather than a wrong one continued. W3C wins when both are there (gRFC A72).
"""

from __future__ import annotations

import re
from binascii import Error as Base64Error
from binascii import a2b_base64
from typing import Final

MAX_TRACE_STATE_BYTES: Final = 1024
"""Longer ones are dropped; W3C wants at least 512 to pass."""

_TRACEPARENT: Final = re.compile(rb"(?!ff)[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?")
_ZERO_TRACE: Final = b"0" * 32
_ZERO_SPAN: Final = b"0" * 16


class Parent:
    """The caller's span."""

    def __init__(self, trace_id: bytes, span_id: bytes, *, sampled: bool) -> None:
        self.trace_id: bytes = trace_id
        """32 hexadecimal digits."""
        self.span_id: bytes = span_id
        """16 hexadecimal digits."""
        self.sampled: bool = sampled


def parse_traceparent(value: bytes) -> Parent | None:
    """Return the span that a `traceparent` names, None when it is not valid.

    A later version of the format may add fields at its end; version 00 may not.
    """
    match = _TRACEPARENT.fullmatch(value)
    if match is None or (len(value) != 55 and value.startswith(b"00")):
        return None
    trace_id, span_id, flags = match.groups()
    if trace_id == _ZERO_TRACE or span_id == _ZERO_SPAN:
        return None
    return Parent(trace_id, span_id, sampled=int(flags, 16) & 1 == 1)


def parse_trace_bin(value: bytes) -> Parent | None:
    """Return the span that a `grpc-trace-bin` header names (base64), None when it is not valid.

    Version 0, then field 0 with 16 bytes of trace id, field 1 with 8 bytes of span id, field 2 with the flags
    (OpenCensus binary format).
    """
    if len(value) > 64:
        return None
    try:
        raw = a2b_base64(value + b"=" * (-len(value) % 4))
    except Base64Error:
        return None
    if len(raw) != 29 or raw[0] != 0 or raw[1] != 0 or raw[18] != 1 or raw[27] != 2:
        return None
    trace_id = raw[2:18].hex().encode("ascii")
    span_id = raw[19:27].hex().encode("ascii")
    if trace_id == _ZERO_TRACE or span_id == _ZERO_SPAN:
        return None
    return Parent(trace_id, span_id, sampled=raw[28] & 1 == 1)
