"""The reader of status details agrees with the protobuf runtime on whatever both can read, and never
raises.
"""

from __future__ import annotations

from base64 import b64encode

from google.protobuf.any_pb2 import Any
from google.protobuf.message import DecodeError
from google.rpc.error_details_pb2 import ErrorInfo
from google.rpc.status_pb2 import Status
from hypothesis import given, settings
from hypothesis import strategies as st

from seawall_policy.rich_status import MAX_TEXT, read_rich_status

SEEDS = [
    Status(code=3, message="m", details=[_any]).SerializeToString()
    for _any in (Any(type_url="type.googleapis.com/google.rpc.ErrorInfo", value=b"\x0a\x02AB\x12\x01d"),)
]


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=60) | st.tuples(st.sampled_from(SEEDS), st.integers(0, 60), st.binary(max_size=3)))
def test_bytes(raw: bytes | tuple[bytes, int, bytes]) -> None:
    """Any bytes, and small damage to valid ones."""
    if isinstance(raw, tuple):
        whole, at, put = raw
        raw = whole[:at] + put + whole[at + len(put) :]
    found = read_rich_status(b64encode(raw))
    try:
        told = Status.FromString(raw)
        reasons = [
            ErrorInfo.FromString(detail.value).reason
            for detail in told.details
            if detail.type_url.endswith("/google.rpc.ErrorInfo")
        ]
    except DecodeError:
        return
    reasons = [reason for reason in reasons if reason and len(reason.encode()) <= MAX_TEXT]
    # Where the runtime reads, this reader says the same or nothing (it knows fewer wire types).
    assert found.reason in {"", *reasons}


@settings(max_examples=100, deadline=None)
@given(reason=st.text("ABC_", max_size=70), domain=st.text("abc.", max_size=20))
def test_error_info(reason: str, domain: str) -> None:
    """Whatever ErrorInfo the runtime writes."""
    detail = Any()
    detail.Pack(ErrorInfo(reason=reason, domain=domain))
    found = read_rich_status(b64encode(Status(details=[detail]).SerializeToString()))
    assert found.reason == (reason if len(reason) <= MAX_TEXT else "")
    assert found.domain == domain
