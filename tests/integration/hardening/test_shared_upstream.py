"""One client's bad bytes never harm another client's calls on the upstream connection that both share: T9,
T10, and what was seen to bring down services behind other proxies. The upstream is a real grpcio server with
one connection; the good client's calls and the bad ones are mixed on it.
"""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.integration.hardening.ground import Ground
from tests.integration.hardening.wire import (
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    HEADERS,
    MESSAGE,
    Attacker,
    frame,
    indexed_literal,
    integer,
    literal,
    request,
    resets,
    statuses,
    window,
)
from tests.kit.processes import wait_until

pytestmark = pytest.mark.integration

CASES: list[tuple[str, bytes, bytes, bool]] = [
    # name, value, and whether it may pass
    ("grpc-timeout without a unit", b"grpc-timeout", b"1", False),
    ("grpc-timeout, 9 digits", b"grpc-timeout", b"123456789S", False),
    ("grpc-timeout, negative", b"grpc-timeout", b"-1S", False),
    ("grpc-timeout, space", b"grpc-timeout", b"1 S", False),
    ("grpc-timeout, letters", b"grpc-timeout", b"soon", False),
    ("grpc-timeout, high octets", b"grpc-timeout", b"\xff\xff\xffS", False),
    ("grpc-timeout, empty", b"grpc-timeout", b"", False),
    ("grpc-timeout, 99999999H", b"grpc-timeout", b"99999999H", True),
    ("grpc-encoding, unknown", b"grpc-encoding", b"brotli", True),
    ("grpc-encoding, not a token", b"grpc-encoding", b"gz ip\xff", False),
    ("grpc-encoding, empty", b"grpc-encoding", b"", False),
    ("grpc-accept-encoding, nonsense", b"grpc-accept-encoding", b"\xfe,\xff", False),
    ("grpc-previous-rpc-attempts, word", b"grpc-previous-rpc-attempts", b"many", False),
    ("grpc-previous-rpc-attempts, negative", b"grpc-previous-rpc-attempts", b"-1", False),
    ("grpc-previous-rpc-attempts, huge", b"grpc-previous-rpc-attempts", b"9" * 40, False),
    ("bad base64", b"x-data-bin", b"!!!!", False),
    ("base64 cut off", b"x-data-bin", b"A", False),
    ("base64 with high octets", b"x-data-bin", b"QUJD\xff", False),
    ("base64, padding inside", b"x-data-bin", b"QQ==QQ==", False),
    ("base64, two values", b"x-data-bin", b"QUJD,QUJD", True),
    ("grpc-trace-bin", b"grpc-trace-bin", b"not base64 at all", False),
    ("grpc-tags-bin", b"grpc-tags-bin", b"***", False),
    ("grpc-status-details-bin", b"grpc-status-details-bin", b"\xff", False),
    ("high octets in metadata", b"x-name", b"caf\xe9", True),
    ("reserved grpc- name", b"grpc-internal-encoding-request", b"gzip", True),
    ("grpclb stats", b"grpclb_client_stats", b"x" * 9000, True),
    ("metadata of 12 KB", b"x-large", b"y" * 12_000, True),
    ("metadata of 20 KB", b"x-large", b"y" * 15_000, True),
    (":path with a high octet", b":path", b"/evil.Evil/\xff", False),
    (":path with a space", b":path", b"/evil.Evil/Un ary", False),
    (":path with a control character", b":path", b"/evil.Evil/\x01", False),
]


def head_with(name: bytes, value: bytes, *, indexed: bool = False) -> bytes:
    """Return a request's header block with one more field, or another path."""
    path = value if name == b":path" else b"/evil.Evil/Unary"
    out = b"\x83\x86" + literal(b":path", path) + literal(b":authority", b"x")
    out += literal(b"te", b"trailers") + literal(b"content-type", b"application/grpc")
    if name == b":path":
        return out
    return out + (indexed_literal if indexed else literal)(name, value)


def unary(stream_id: int, head: bytes) -> bytes:
    """Return a whole call."""
    if len(head) <= 16384:
        out = frame(HEADERS, END_HEADERS, stream_id, head)
    else:
        out = frame(HEADERS, 0, stream_id, head[:16384]) + frame(
            CONTINUATION, END_HEADERS, stream_id, head[16384:]
        )
    return out + frame(DATA, END_STREAM, stream_id, MESSAGE)


def connections(ground: Ground) -> set[int]:
    """Return the proxy's own ports of its connections to the shared upstream: a new one has a new port."""
    _, _, port = ground.upstream.rpartition(":")
    found = {
        one.laddr.port
        for one in ground.process.net_connections("tcp")
        if one.status == "ESTABLISHED" and one.raddr[1] == int(port)
    }
    assert found, "the upstream is connected"
    return found


@pytest.mark.parametrize("indexed", [False, True], ids=["literal", "indexed"])
def test_bad_fields_harm_their_own_call(ground: Ground, indexed: bool) -> None:
    """Each malformed field is refused at the door or answered by the server; the connection that it would
    have travelled on stays, and every other call on it is well.
    """
    name = f"shared upstream: {len(CASES)} fields, {'indexed' if indexed else 'literal'}"
    before = connections(ground)
    with ground.attack(name) as tally:
        for _ in range(3):
            attacker = tally.note(Attacker(ground.main))
            for number, (_, field, value, _) in enumerate(CASES):
                attacker.send(unary(2 * number + 1, head_with(field, value, indexed=indexed)))
            answers: dict[int, dict[str, str]] = {}
            codes: dict[int, int] = {}

            def finished(attacker: Attacker = attacker, answers=answers, codes=codes) -> bool:  # type: ignore[no-untyped-def]
                said = attacker.read(0.05)
                answers.update(statuses(said))
                codes.update(resets(said))
                return all(
                    2 * n + 1 in codes or "grpc-status" in answers.get(2 * n + 1, {})
                    for n in range(len(CASES))
                )

            wait_until(finished, "every call has ended")
            assert not attacker.closed
            for number, (what, _, _, may_pass) in enumerate(CASES):
                status = answers.get(2 * number + 1, {}).get("grpc-status")
                if not may_pass:
                    assert status != "0", what
    assert connections(ground) == before
    ground.assert_calm()


def test_t9_poisoned_table(ground: Ground) -> None:
    """A client that breaks its own compression in every way loses its connection; what it had put into its
    table is in nobody else's (CVE-2024-7246).
    """
    poison = [
        head_with(b"x-a", b"1", indexed=True) + b"\xbe\xbf\xc0",
        b"\x20" + head_with(b"x-a", b"2", indexed=True) + b"\xbe",
        b"\x3f\xe1\x1f" + indexed_literal(b"grpc-status", b"0") * 30 + head_with(b"x", b"y"),
        head_with(b"grpc-timeout", b"1S", indexed=True) + b"\x5f\x80" + integer(3, 7) + b"abc",
        head_with(b":authority", b"other", indexed=True),
        head_with(b"content-type", b"application/grpc+evil", indexed=True),
    ]
    before = connections(ground)
    with ground.attack("T9 poisoned compression tables") as tally:
        for _ in range(5):
            for head in poison:
                attacker = tally.note(Attacker(ground.main))
                attacker.send(unary(1, head) + unary(3, b"\xbe" + head_with(b"x", b"y")) + window(0, 1000))
                attacker.read(0.02)
    assert connections(ground) == before
    ground.assert_calm()


FIELD_NAMES = st.sampled_from(
    [
        b"grpc-timeout",
        b"grpc-encoding",
        b"grpc-accept-encoding",
        b"grpc-previous-rpc-attempts",
        b"grpc-message",
        b"grpc-status",
        b"x-data-bin",
        b"grpc-trace-bin",
        b"user-agent",
        b"x-any",
        b":path",
        b"te",
        b"host",
        b"content-length",
        b"content-type",
        b":authority",
    ]
)
HOSTILE = st.one_of(
    st.binary(max_size=40),
    st.text("0123456789HMSmun+- ", max_size=12).map(str.encode),
    st.sampled_from([b"", b"\xff", b"1S", b"0n", b"gzip", b"identity", b"A", b"AA==", b"AAA,", b"a" * 3000]),
)


def test_any_fields_harm_their_own_call(ground: Ground) -> None:
    """Whatever a client puts into the fields that gRPC gives a meaning, and however it encodes them, others'
    calls on the shared connection end well.
    """
    before = connections(ground)
    with ground.attack("shared upstream: generated fields") as tally:

        @settings(
            max_examples=60,
            deadline=None,
            database=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        )
        @given(st.lists(st.tuples(FIELD_NAMES, HOSTILE, st.booleans()), min_size=1, max_size=6))
        def bad_calls(fields: list[tuple[bytes, bytes, bool]]) -> None:
            attacker = Attacker(ground.main)
            try:
                head = request()
                for name, value, indexed in fields:
                    head += (indexed_literal if indexed else literal)(name, value)
                attacker.send(unary(1, head))
                attacker.read(0.01)
            finally:
                tally.sent_bytes += attacker.sent
                attacker.close()

        bad_calls()
    assert connections(ground) == before
    ground.assert_calm()
