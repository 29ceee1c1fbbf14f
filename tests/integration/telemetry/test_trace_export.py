"""Spans leave over OTLP, as the environment says."""

from __future__ import annotations

import asyncio
import gzip
import os
import random
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import monotonic, time

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1 import trace_pb2

from seawall_proxy.call.ports import OUTCOME_OK, AttemptRecord, CallRecord
from seawall_proxy.telemetry.clock import ClockAnchor
from seawall_proxy.telemetry.traces import OtelTraceSink, make_trace_sink
from tests.kit.processes import PATIENCE_S

pytestmark = pytest.mark.integration


@asynccontextmanager
async def collector(received: list[ExportTraceServiceRequest]) -> AsyncIterator[int]:
    """Take OTLP over HTTP on a port of its own."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:] if line)
                body = await reader.readexactly(int(fields[b"content-length"]))
                if fields.get(b"content-encoding") == b"gzip":
                    body = gzip.decompress(body)
                assert head.startswith(b"POST /v1/traces ")
                received.append(ExportTraceServiceRequest.FromString(body))
                writer.write(
                    b"HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\n\r\n"
                )
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


async def test_calls_arrive_at_the_collector(monkeypatch: pytest.MonkeyPatch) -> None:
    """Resource, scope, ids and parents are those of the calls, and shutting down exports what is queued."""
    received: list[ExportTraceServiceRequest] = []
    async with collector(received) as port:
        environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port}"}
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        sink = make_trace_sink(
            environment,
            node="node-1",
            version="9",
            bits=random.Random(5).getrandbits,
            clock=lambda: ClockAnchor(monotonic(), time()),
        )
        assert isinstance(sink, OtelTraceSink)
        for number in range(3):
            trace = sink.begin(b"/a.B/C", b"", b"", b"")
            assert trace is not None
            record = CallRecord("r", b"/a.B/C", monotonic() - 1.0)
            record.outcome = OUTCOME_OK
            attempt = AttemptRecord(1, monotonic() - 0.5, sink.new_span_id())
            attempt.code = 0
            attempt.endpoint = f"127.0.0.1:{5000 + number}"
            record.attempts = [attempt]
            sink.finish(trace, record)
        assert await asyncio.to_thread(sink.shutdown)
    spans: list[trace_pb2.Span] = []
    for request in received:
        for resource_spans in request.resource_spans:
            about = {a.key: a.value.string_value for a in resource_spans.resource.attributes}
            assert about["service.name"] == "seawall-proxy"
            assert about["service.instance.id"] == "node-1"
            for scope_spans in resource_spans.scope_spans:
                assert scope_spans.scope.name == "seawall.proxy"
                spans.extend(scope_spans.spans)
    assert len(spans) == 6
    by_id = {span.span_id: span for span in spans}
    clients = [span for span in spans if span.kind == trace_pb2.Span.SPAN_KIND_CLIENT]
    assert len(clients) == 3
    for span in clients:
        assert by_id[span.parent_span_id].kind == trace_pb2.Span.SPAN_KIND_SERVER
        assert by_id[span.parent_span_id].trace_id == span.trace_id


async def test_without_tracing_the_sdk_is_not_imported() -> None:
    """A proxy that traces nothing does not pay for the SDK."""
    code = (
        "import sys\n"
        "from seawall_proxy.telemetry.traces import make_trace_sink\n"
        "make_trace_sink({}, node='n', version='1', bits=lambda n: 1, clock=lambda: None)\n"
        "sys.exit(any(name.startswith('opentelemetry') for name in sys.modules))\n"
    )
    paths = os.pathsep.join(path for path in sys.path if path)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, env={**os.environ, "PYTHONPATH": paths}
    )
    async with asyncio.timeout(PATIENCE_S):
        assert await process.wait() == 0
