"""What a test server does, as far as that is the same for every library."""

from __future__ import annotations

from typing import Any

from tests.interop.python.schema import pb, zeros

ECHO_INITIAL = "x-grpc-test-echo-initial"
ECHO_TRAILING = "x-grpc-test-echo-trailing-bin"
LOAD_REPORT = "endpoint-load-metrics-bin"
LOAD_COPY = "x-load-report-bin"
MAX_STREAMS = 100
"""What every server here allows on one connection, so that cases can go over it."""
BIG = 64 << 20
MAX_METADATA = 128 << 10

GRPCIO_SERVER_OPTIONS = [
    ("grpc.so_reuseport", 0),
    ("grpc.max_concurrent_streams", MAX_STREAMS),
    ("grpc.max_receive_message_length", BIG),
    ("grpc.max_send_message_length", BIG),
    ("grpc.max_metadata_size", MAX_METADATA),
    ("grpc.absolute_max_metadata_size", MAX_METADATA),
    # The soak case makes connections by the hundred; nobody is to be told to calm down.
    ("grpc.http2.min_ping_interval_without_data_ms", 1),
    ("grpc.http2.max_ping_strikes", 0),
]


def echoed(metadata: Any, name: str) -> list[tuple[str, Any]]:
    """Return the pairs of a key that are to be sent back."""
    return [(key, value) for key, value in metadata if key == name]


def trailing(metadata: Any, request: Any) -> list[tuple[str, Any]]:
    """Return the trailing metadata of an answer to `request`."""
    result = echoed(metadata, ECHO_TRAILING)
    if isinstance(request, pb.SimpleRequest) and request.HasField("orca_per_query_report"):
        report = request.orca_per_query_report.SerializeToString(deterministic=True)
        result += [(LOAD_REPORT, report), (LOAD_COPY, report)]
    return result


def asked_status(request: Any) -> tuple[int, str] | None:
    """Return the status that the request asks for; None when it asks for none, or for OK."""
    if request.HasField("response_status") and request.response_status.code != 0:
        return request.response_status.code, request.response_status.message
    return None


def simple_response(request: Any) -> Any:
    """Return the answer to a UnaryCall."""
    return pb.SimpleResponse(payload=zeros(request.response_size))


def chunk(parameters: Any) -> Any:
    """Return one message of a streamed answer."""
    return pb.StreamingOutputCallResponse(payload=zeros(parameters.size))
