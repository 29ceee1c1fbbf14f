"""A test server on grpcio with threads. Prints its port."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc

from tests.interop.python import server_rules as rules
from tests.interop.python.schema import SERVICE, TYPES, pb
from tests.interop.python.transport import Transport, arguments

CODES = {code.value[0]: code for code in grpc.StatusCode}
THREADS = 256


class Service:
    """The methods."""

    def empty_call(self, request: Any, context: Any) -> Any:
        return pb.Empty()

    def unary_call(self, request: Any, context: Any) -> Any:
        self._metadata(request, context)
        self._status(request, context)
        if request.HasField("response_compressed"):
            self._compress(context, request.response_compressed.value)
        return rules.simple_response(request)

    def input_call(self, requests: Iterator[Any], context: Any) -> Any:
        total = sum(len(request.payload.body) for request in requests)
        return pb.StreamingInputCallResponse(aggregated_payload_size=total)

    def output_call(self, request: Any, context: Any) -> Iterator[Any]:
        self._metadata(request, context)
        ended = threading.Event()
        context.add_callback(ended.set)
        yield from self._chunks(request, context, ended)
        self._status(request, context)

    def duplex_call(self, requests: Iterator[Any], context: Any) -> Iterator[Any]:
        self._metadata(None, context)
        ended = threading.Event()
        context.add_callback(ended.set)
        for request in requests:
            self._status(request, context)
            yield from self._chunks(request, context, ended)

    def _metadata(self, request: Any, context: Any) -> None:
        given = context.invocation_metadata()
        context.set_trailing_metadata(rules.trailing(given, request))
        initial = rules.echoed(given, rules.ECHO_INITIAL)
        if initial:
            context.send_initial_metadata(initial)

    def _status(self, request: Any, context: Any) -> None:
        asked = rules.asked_status(request)
        if asked is not None:
            context.abort(CODES[asked[0]], asked[1])

    def _chunks(self, request: Any, context: Any, ended: threading.Event) -> Iterator[Any]:
        for parameters in request.response_parameters:
            if ended.wait(parameters.interval_us / 1e6):
                return
            if parameters.HasField("compressed"):
                self._compress(context, parameters.compressed.value)
            yield rules.chunk(parameters)

    def _compress(self, context: Any, wanted: bool) -> None:
        if wanted:
            context.set_compression(grpc.Compression.Gzip)
        else:
            context.disable_next_message_compression()


def handlers(service: Any) -> grpc.GenericRpcHandler:
    """Return the methods of a service for grpcio, with threads or with asyncio."""
    made: dict[str, Any] = {}
    plan: list[tuple[str, Callable[..., Any], Any]] = [
        ("EmptyCall", grpc.unary_unary_rpc_method_handler, service.empty_call),
        ("UnaryCall", grpc.unary_unary_rpc_method_handler, service.unary_call),
        ("StreamingInputCall", grpc.stream_unary_rpc_method_handler, service.input_call),
        ("StreamingOutputCall", grpc.unary_stream_rpc_method_handler, service.output_call),
        ("FullDuplexCall", grpc.stream_stream_rpc_method_handler, service.duplex_call),
    ]
    for name, wrap, method in plan:
        request, response = TYPES[name]
        made[name] = wrap(
            method, request_deserializer=request.FromString, response_serializer=response.SerializeToString
        )
    return grpc.method_handlers_generic_handler(SERVICE.strip("/"), made)


def serve(port: int, transport: Transport) -> None:
    """Serve until killed."""
    # Gzip is what messages are compressed with when a call asks for it; nothing is by default.
    server = grpc.server(ThreadPoolExecutor(THREADS), options=rules.GRPCIO_SERVER_OPTIONS)
    server.add_generic_rpc_handlers((handlers(Service()),))
    credentials = transport.grpcio_server()
    address = f"127.0.0.1:{port}"
    bound = (
        server.add_insecure_port(address)
        if credentials is None
        else server.add_secure_port(address, credentials)
    )
    server.start()
    print(bound, flush=True)
    server.wait_for_termination()


def main() -> None:
    """Read the arguments and serve."""
    parser = arguments("test server on grpcio with threads")
    parser.add_argument("--port", type=int, default=0)
    given = parser.parse_args()
    serve(given.port, Transport(given.transport, given.certs))


if __name__ == "__main__":
    main()
