"""Whatever bytes come, reading ends and stays in its bounds, and it agrees with protobuf on messages."""

from __future__ import annotations

import base64

from google.protobuf.duration_pb2 import Duration
from google.rpc import error_details_pb2, status_pb2
from hypothesis import given, settings
from hypothesis import strategies as st

from seawall_policy.rich_error import MAX_ENTRIES, MAX_TEXT_BYTES, NO_DELAY, decode, decode_status

TEXT = st.text(max_size=20)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes(data: bytes) -> None:
    """Nothing raises, and what is kept is bounded."""
    for found in (decode(data), decode_status(data), decode(base64.b64encode(data))):
        if found is not None:
            assert len(found.metadata) <= MAX_ENTRIES
            assert len(found.reason.encode("utf-8", "replace")) <= 3 * MAX_TEXT_BYTES
            assert found.retry_delay_s == NO_DELAY or found.retry_delay_s >= 0.0


@settings(max_examples=100, deadline=None)
@given(
    st.integers(0, 2**31 - 1),
    TEXT,
    TEXT,
    TEXT,
    st.dictionaries(TEXT, TEXT, max_size=4),
    st.integers(0, 10**6),
    st.integers(0, 10**9 - 1),
    st.lists(TEXT.filter(bool), max_size=3),
)
def test_agrees_with_protobuf(
    code: int,
    message: str,
    reason: str,
    domain: str,
    metadata: dict[str, str],
    seconds: int,
    nanos: int,
    fields: list[str],
) -> None:
    """What protobuf writes is what is read."""
    status = status_pb2.Status(code=code, message=message)
    status.details.add().Pack(error_details_pb2.ErrorInfo(reason=reason, domain=domain, metadata=metadata))
    delay = Duration(seconds=seconds, nanos=nanos)
    status.details.add().Pack(error_details_pb2.RetryInfo(retry_delay=delay))
    bad = error_details_pb2.BadRequest()
    for name in fields:
        bad.field_violations.add(field=name)
    status.details.add().Pack(bad)
    found = decode(base64.b64encode(status.SerializeToString()))
    assert found is not None
    assert (found.code, found.message) == (code, message)
    assert (found.reason, found.domain, found.metadata) == (reason, domain, metadata)
    assert found.retry_delay_s == seconds + nanos / 1e9
    assert found.bad_fields == fields
