"""Tracing: decides about sampling when a call starts, and hands finished calls to OpenTelemetry's exporter.

Configured by the standard OTEL_* environment and by nothing of our own. On the data path a call that is not
sampled costs one comparison, and one that is costs an object and a place in a queue: spans are built from the
call's record in the exporter's thread. Without an exporter nothing is decided at all, and trace headers pass
through as they came.

Only W3C trace context is propagated (`grpc-trace-bin` is read, baggage passes untouched). Spans leave over
HTTP by default and never through the proxy itself, so exporting cannot trace itself.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from threading import Thread
from typing import TYPE_CHECKING, Final

from seawall_proxy.call.ports import CallRecord, CallTrace, TraceSink
from seawall_proxy.telemetry import names
from seawall_proxy.telemetry.clock import ClockAnchor
from seawall_proxy.telemetry.trace_context import (
    MAX_TRACE_STATE_BYTES,
    Parent,
    parse_trace_bin,
    parse_traceparent,
)
from seawall_proxy.telemetry.trace_sampling import Sampling, sampling_from

if TYPE_CHECKING:
    from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

log = logging.getLogger("seawall.traces")

SHUTDOWN_LIMIT_S: Final = 5.0
EXPORTERS: Final[tuple[str, ...]] = ("otlp", "console", "none")
PROTOCOLS: Final[tuple[str, ...]] = ("http/protobuf", "grpc")

_ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")


class OtelTraceSink(TraceSink):
    """Samples calls and queues the finished ones. `bits(n)` gives n random bits."""

    def __init__(
        self, sampling: Sampling, bits: Callable[[int], int], emit: Callable[[CallTrace, CallRecord], None]
    ) -> None:
        super().__init__()
        self.enabled = True
        self._sampling: Sampling = sampling
        self._bits: Callable[[int], int] = bits
        self._emit: Callable[[CallTrace, CallRecord], None] = emit
        self._close: Callable[[], None] | None = None

    def begin(self, path: bytes, traceparent: bytes, tracestate: bytes, trace_bin: bytes) -> CallTrace | None:
        """Return the context of a sampled call, or None; header values are empty when absent."""
        parent: Parent | None = None
        if traceparent:
            parent = parse_traceparent(traceparent)
        elif trace_bin:
            parent = parse_trace_bin(trace_bin)
        if parent is not None:
            if not self._sampling.decide(parent, int(parent.trace_id[16:], 16)):
                return None
            state = tracestate if len(tracestate) <= MAX_TRACE_STATE_BYTES else b""
            return CallTrace(parent.trace_id, parent.span_id, state)
        trace_id = self._bits(128) or 1
        if not self._sampling.decide(None, trace_id):
            return None
        return CallTrace(b"%032x" % trace_id, b"", b"")

    def new_span_id(self) -> bytes:
        """Return 16 random hexadecimal digits."""
        return b"%016x" % (self._bits(64) or 1)

    def finish(self, trace: CallTrace, record: CallRecord) -> None:
        """Queue the record of a sampled call."""
        self._emit(trace, record)

    def on_shutdown(self, close: Callable[[], None]) -> None:
        """Have `close` called by `shutdown`; it may block."""
        self._close = close

    def shutdown(self, limit_s: float = SHUTDOWN_LIMIT_S) -> bool:
        """Export what is queued, blocking at most `limit_s`; tell whether it was done. Nothing is taken
        after.
        """
        self.enabled = False
        close, self._close = self._close, None
        if close is None:
            return True
        # The exporter may be in the middle of a request that nobody answers; its thread is left behind then.
        worker = Thread(target=close, name="seawall-trace-shutdown", daemon=True)
        worker.start()
        worker.join(limit_s)
        if worker.is_alive():
            log.warning("spans that could not be exported within %g s are lost", limit_s)
        return not worker.is_alive()


def make_trace_sink(
    environment: Mapping[str, str],
    *,
    node: str,
    version: str,
    bits: Callable[[int], int],
    clock: Callable[[], ClockAnchor],
) -> TraceSink:
    """Return what the OTEL_* environment asks for: a sink that exports, or one that samples nothing.

    Raises ValueError, with the variable and what it may be, for a setting that cannot be followed.
    """
    if environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return TraceSink()
    kind = _exporter_kind(environment)
    if kind == "none":
        return TraceSink()
    sampling = sampling_from(
        environment.get("OTEL_TRACES_SAMPLER", ""), environment.get("OTEL_TRACES_SAMPLER_ARG", "")
    )
    propagators = [name.strip() for name in environment.get("OTEL_PROPAGATORS", "tracecontext").split(",")]
    if "tracecontext" not in propagators:
        log.warning("OTEL_PROPAGATORS=%s: this proxy propagates tracecontext only", ",".join(propagators))
    return _start(_exporter(kind, environment), sampling, environment, node, version, bits, clock)


def _exporter_kind(environment: Mapping[str, str]) -> str:
    named = environment.get("OTEL_TRACES_EXPORTER", "").strip().lower()
    if not named:
        return "otlp" if any(environment.get(name) for name in _ENDPOINTS) else "none"
    if named not in EXPORTERS:
        raise ValueError(f"OTEL_TRACES_EXPORTER={named} is not known; use one of {', '.join(EXPORTERS)}")
    return named


def _exporter(kind: str, environment: Mapping[str, str]) -> SpanExporter:
    # Imported here: the SDK costs a tenth of a second and megabytes that a proxy without tracing does not
    # need.
    if kind == "console":
        from opentelemetry.sdk.trace.export import ConsoleSpanExporter  # noqa: PLC0415

        return ConsoleSpanExporter()
    protocol = (
        environment.get("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL")
        or environment.get("OTEL_EXPORTER_OTLP_PROTOCOL")
        or "http/protobuf"
    ).strip()
    if protocol not in PROTOCOLS:
        raise ValueError(
            f"OTEL_EXPORTER_OTLP_PROTOCOL={protocol} is not known; use one of {', '.join(PROTOCOLS)}"
        )
    if protocol == "grpc":
        try:
            from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import (  # noqa: PLC0415
                OTLPSpanExporter as GrpcSpanExporter,
            )
        except ImportError as error:
            raise ValueError(
                "OTEL_EXPORTER_OTLP_PROTOCOL=grpc needs `pip install 'seawall[otlp-grpc]'`"
            ) from error
        over_grpc: SpanExporter = GrpcSpanExporter()
        return over_grpc
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415

    return OTLPSpanExporter()


def _start(
    exporter: SpanExporter,
    sampling: Sampling,
    environment: Mapping[str, str],
    node: str,
    version: str,
    bits: Callable[[int], int],
    clock: Callable[[], ClockAnchor],
) -> OtelTraceSink:
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
    from opentelemetry.sdk.trace import ReadableSpan  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter  # noqa: PLC0415
    from opentelemetry.trace import SpanContext, TraceFlags  # noqa: PLC0415

    from seawall_proxy.telemetry.trace_spans import SpanBuilder  # noqa: PLC0415

    about = {"service.version": version, "service.instance.id": node}
    if not environment.get("OTEL_SERVICE_NAME") and "service.name=" not in environment.get(
        "OTEL_RESOURCE_ATTRIBUTES", ""
    ):
        about["service.name"] = names.SERVICE
    builder = SpanBuilder(Resource.create(about), version, lambda: b"%016x" % (bits(64) or 1))

    class FinishedCall(ReadableSpan):
        """A call on its way to the exporter's thread; the processor takes it for a span."""

        def __init__(self, trace: CallTrace, record: CallRecord) -> None:
            self.trace: CallTrace = trace
            self.record: CallRecord = record

        @property
        def context(self) -> SpanContext:
            return sampled

    class Building(SpanExporter):
        """Builds the spans of the calls that it is given and passes them on."""

        def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
            now = clock()
            built: list[ReadableSpan] = []
            for call in spans:
                if isinstance(call, FinishedCall):
                    built.extend(builder.build(call.trace, call.record, now))
            return exporter.export(built)

        def shutdown(self) -> None:
            exporter.shutdown()

        def force_flush(self, timeout_millis: int = 30_000) -> bool:
            return exporter.force_flush(timeout_millis)

    sampled = SpanContext(1, 1, is_remote=False, trace_flags=TraceFlags(TraceFlags.SAMPLED))
    processor = BatchSpanProcessor(Building())
    sink = OtelTraceSink(sampling, bits, lambda trace, record: processor.on_end(FinishedCall(trace, record)))
    sink.on_shutdown(processor.shutdown)
    return sink
