"""Traces as a collector receives them, over OTLP, from a real proxy."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import grpc
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.kit.processes import PATIENCE_S, wait_until
from tests.kit.rpc import trailing, unary_unary
from tests.kit.stand import Stand

pytestmark = pytest.mark.integration

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = "b7ad6b7169203331"


class Collector:
    """Takes spans over OTLP/HTTP."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                if self.headers.get("content-encoding") == "gzip":
                    import gzip

                    body = gzip.decompress(body)
                request = ExportTraceServiceRequest.FromString(body)
                for resource in request.resource_spans:
                    for scope in resource.scope_spans:
                        collector.spans.extend(scope.spans)
                self.send_response(200)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the base class's word)
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}"

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    def of(self, trace_id: str) -> list[Span]:
        return [span for span in list(self.spans) if span.trace_id.hex() == trace_id]


@pytest.fixture
def collector() -> Iterator[Collector]:
    """Give a collector on a free port."""
    made = Collector()
    yield made
    made.close()


async def test_spans_of_a_call_with_retries(stand: Stand, collector: Collector) -> None:
    """A sampled call makes a SERVER span under the caller's, a CLIENT span, and a span for each of several
    attempts.
    """
    _, address = stand.upstream()
    document = {
        "clusters": [{"name": "up", "endpoints": [address]}],
        "policies": {"p": {"retry": {"max_attempts": 2, "backoff": {"initial": "1ms"}}}},
        "routes": [{"name": "all", "match": {}, "cluster": "up", "policy": "p", "idempotent": True}],
    }
    environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_BSP_SCHEDULE_DELAY": "100"}
    proxy = stand.proxy(stand.policy(document), env=environment)
    async with grpc.aio.insecure_channel(proxy.address) as channel:
        with pytest.raises(grpc.aio.AioRpcError):
            await unary_unary(channel, "/any.Service/Unary")(
                b"", timeout=PATIENCE_S, metadata=(("traceparent", f"00-{TRACE}-{PARENT}-01"), ("fail", "14"))
            )
    wait_until(lambda: len(collector.of(TRACE)) == 4, "four spans arrive")
    spans = collector.of(TRACE)
    server = next(span for span in spans if span.kind == Span.SPAN_KIND_SERVER)
    assert server.parent_span_id.hex() == PARENT
    assert server.name == "any.Service/Unary"
    attempts = [span for span in spans if span.name.startswith("Attempt.")]
    client = next(
        span for span in spans if span.kind == Span.SPAN_KIND_CLIENT and not span.name.startswith("Attempt.")
    )
    assert client.parent_span_id == server.span_id
    assert [span.parent_span_id for span in attempts] == [client.span_id] * 2
    attributes = {item.key: item.value for item in server.attributes}
    assert attributes["rpc.system.name"].string_value == "grpc"
    assert attributes["rpc.status_code"].string_value == "UNAVAILABLE"
    assert attributes["seawall.attempts"].int_value == 2


async def test_the_upstream_sees_the_attempt_as_its_parent(stand: Stand, collector: Collector) -> None:
    """What leaves names the caller's trace and our span; an unsampled traceparent passes untouched."""
    _, address = stand.upstream()
    document = {
        "clusters": [{"name": "up", "endpoints": [address]}],
        "routes": [{"name": "all", "match": {}, "cluster": "up"}],
    }
    environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_BSP_SCHEDULE_DELAY": "100"}
    proxy = stand.proxy(stand.policy(document), env=environment)
    async with grpc.aio.insecure_channel(proxy.address) as channel:

        async def seen(parent: str) -> str:
            call = unary_unary(channel, "/any.Service/Unary")(
                b"", timeout=PATIENCE_S, metadata=(("traceparent", parent),)
            )
            await call
            return str((await trailing(call))["saw-traceparent"])

        sampled = await seen(f"00-{TRACE}-{PARENT}-01")
        unsampled = f"00-{TRACE[::-1]}-{PARENT}-00"
        assert await seen(unsampled) == unsampled
    version, trace, span, flags = sampled.split("-")
    assert (version, trace, flags) == ("00", TRACE, "01")
    assert span != PARENT
    wait_until(lambda: len(collector.of(TRACE)) == 2, "both spans arrive")
    assert span in {found.span_id.hex() for found in collector.of(TRACE)}
    assert not collector.of(TRACE[::-1])
