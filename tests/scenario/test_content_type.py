"""Which answers are gRPC answers: by their content-type."""

from __future__ import annotations

import pytest

from seawall_policy import status
from tests.scenario.scenes import begin, plain

CONTENT_TYPES = [
    (b"application/grpc", True),
    (b"application/grpc+proto", True),
    (b"application/grpc+json", True),
    (b"application/grpc;charset=utf-8", True),
    (b"application/grpc-web", False),
    (b"application/grpc-web+proto", False),
    (b"application/grpcfoo", False),
    (b"application/json", False),
    (b"", False),
]


@pytest.mark.parametrize(("content_type", "fine"), CONTENT_TYPES)
def test_only_grpc_is_passed_on(content_type: bytes, fine: bool) -> None:
    """`application/grpc`, alone or followed by + or ;, is gRPC (PROTOCOL-HTTP2, Content-Type); gRPC-Web has
    other frames and is not.
    """
    with plain() as play:
        call = begin(play)
        play.server().last.raw_headers((b":status", b"200"), (b"content-type", content_type))
        if fine:
            play.server().last.data(b"pong")
            play.server().last.trailers(0)
        play.forget()
        assert call.seen.status == (status.OK if fine else status.UNKNOWN)
