"""Finds the RPC that a request names, calls its servicer in this process, and answers.

The servicer is the one that gRPC calls, so an RPC does, checks and refuses the same whichever way it came. A
request that needs nobody's answer any more is cancelled, as gRPC cancels it.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any, Final

from google.protobuf import json_format, message_factory
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.descriptor_pb2 import MethodOptions
from google.protobuf.message import Message
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from seawall.v1 import options_pb2
from seawall_control.api.caller import current
from seawall_control.api.errors import Aborted
from seawall_control.api.http.access import calls_by_path
from seawall_control.api.http.answers import (
    CLIENT_GONE,
    error_response,
    failure,
    guarded,
    status_response,
    tagged,
)
from seawall_control.api.http.deadline import timeout_s
from seawall_control.api.http.parts import HttpParts
from seawall_control.api.http.reading import LARGE_BYTES, json_body, only, parse_json
from seawall_control.api.http.rpc.carrying import clock, to_its_end, within
from seawall_control.api.http.rpc.context import HttpContext
from seawall_control.api.http.rpc.reading import fill, from_query
from seawall_control.api.http.streaming import Emit, Streaming, gone
from seawall_control.domain.errors import NotFound

MAX_BODY_BYTES: Final = 16 * 1024 * 1024
"""What gRPC takes: the largest policy document, and what surrounds it, twice."""
PATH: Final = "/api/v1/{service}/{method}"
NDJSON: Final = "application/x-ndjson"
SSE: Final = "text/event-stream"


def changes_nothing(method: MethodDescriptor) -> bool:
    """Whether an RPC may be asked with GET: it is for those who look, or says that it has no side effects."""
    options: Any = method.GetOptions()
    role = options.Extensions[options_pb2.role]
    return bool(role == options_pb2.ROLE_VIEWER or options.idempotency_level == MethodOptions.NO_SIDE_EFFECTS)


def as_json(message: Message) -> dict[str, Any]:
    """Return a message in the proto3 JSON mapping, with the proto's names and with empty fields."""
    found: dict[str, Any] = json_format.MessageToDict(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    return found


def _dumped(content: object) -> bytes:
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()


async def _encoded(message: Message) -> bytes:
    if message.ByteSize() > LARGE_BYTES:
        return await asyncio.to_thread(lambda: _dumped(as_json(message)))
    return _dumped(as_json(message))


def _failed(error: Exception) -> Response:
    return (
        status_response(error.status, error.reason) if isinstance(error, Aborted) else error_response(error)
    )


def _words(error: Exception) -> dict[str, Any]:
    """Return the error as what a stream ends with."""
    body = _failed(error).body
    found: dict[str, Any] = json.loads(bytes(body))
    return found


class Methods:
    """The RPCs."""

    def __init__(self, parts: HttpParts) -> None:
        self._parts = parts

    def routes(self) -> list[Route]:
        """Return the table of routes."""
        return [Route(PATH, calls_by_path(guarded(self.call)), methods=["GET", "POST", "OPTIONS"])]

    def _service(self, name: str) -> ServiceDescriptor:
        for service in self._parts.served.descriptors():
            if service.full_name == name:
                return service
        known = ", ".join(service.full_name for service in self._parts.served.descriptors())
        raise NotFound(f"there is no service {name[:64]!r}; there are {known}")

    def _method(self, service_name: str, name: str) -> MethodDescriptor:
        service = self._service(service_name)
        method = service.methods_by_name.get(name)
        if method is None:
            known = ", ".join(method.name for method in service.methods)
            raise NotFound(f"{service.full_name} has no method {name[:64]!r}; it has {known}")
        return method

    async def call(self, request: Request) -> Response:
        """Answer a call of an RPC."""
        method = self._method(request.path_params["service"], request.path_params["method"])
        allowed = "GET, HEAD, OPTIONS, POST" if changes_nothing(method) else "OPTIONS, POST"
        if method.client_streaming:
            return failure(
                501, "UNIMPLEMENTED", f"{method.full_name} takes a stream of messages; call it over gRPC"
            )
        if request.method == "OPTIONS":
            return Response(status_code=204, headers={"allow": allowed})
        if request.method not in allowed:
            raise HTTPException(
                405, f"{method.full_name} changes something: use POST", headers={"allow": allowed}
            )
        handler: Any = self._parts.served.services[method.containing_service.full_name][method.name]
        left_s = clock(timeout_s(request.headers))
        message = await _message(request, method)
        served = current()
        if served is not None:
            served.asked(message)
            served.checked()
        if method.server_streaming:
            return _stream(request, handler.unary_stream, message, left_s)
        servicer = handler.unary_unary
        if not changes_nothing(method):
            servicer = to_its_end(self._parts.gate, servicer)
        return await _unary(request, servicer, message, left_s)


async def _message(request: Request, method: MethodDescriptor) -> Message:
    message: Message = message_factory.GetMessageClass(method.input_type)()
    if request.method != "POST":
        fill(message, from_query(method.input_type, request.query_params.multi_items()))
        return message
    only(request)
    raw = await json_body(request, most=MAX_BODY_BYTES)
    if len(raw) > LARGE_BYTES:
        await asyncio.to_thread(lambda: fill(message, parse_json(raw)))
    else:
        fill(message, parse_json(raw))
    return message


async def _unary(
    request: Request,
    servicer: Callable[[Message, HttpContext], Any],
    message: Message,
    left_s: Callable[[], float | None],
) -> Response:
    context = HttpContext(request, remaining_s=left_s)

    async def work() -> bytes:
        async with within(left_s):
            answer = await servicer(message, context)
        context.raise_set_code()
        served = current()
        if served is not None:
            served.answered(answer)
        return await _encoded(answer)

    loop = asyncio.get_running_loop()
    working, leaving = loop.create_task(work()), loop.create_task(gone(request.receive))
    try:
        await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
        left = not working.done()
    finally:
        working.cancel()
        leaving.cancel()
        result, _ = await asyncio.gather(working, leaving, return_exceptions=True)
        context.finished(cancelled=isinstance(result, asyncio.CancelledError))
    if left:
        return Response(status_code=CLIENT_GONE)
    if isinstance(result, Exception):
        return _failed(result)
    if isinstance(result, BaseException):
        raise result
    return tagged(request, result)


def _stream(
    request: Request,
    servicer: Callable[[Message, HttpContext], Any],
    message: Message,
    left_s: Callable[[], float | None],
) -> Response:
    accept = request.headers.get("accept", "*/*")
    events = SSE in accept
    if not events and not any(
        kind in accept for kind in (NDJSON, "application/json", "application/*", "*/*")
    ):
        raise HTTPException(406, f"a stream is answered as {NDJSON} or {SSE}")
    if request.method == "HEAD":
        return Response(media_type=SSE if events else NDJSON)

    async def produce(emit: Emit) -> None:
        async def sink(item: Message) -> None:
            text = await _encoded(item)
            await emit(b"data: " + text + b"\n\n" if events else b'{"result":' + text + b"}\n")

        context = HttpContext(request, remaining_s=left_s, sink=sink)
        finished = False
        try:
            async with within(left_s):
                answer = servicer(message, context)
                if hasattr(answer, "__aiter__"):
                    async for item in answer:
                        await sink(item)
                else:
                    await answer
            context.raise_set_code()
            finished = True
        finally:
            context.finished(cancelled=not finished)

    def last_words(error: Exception) -> bytes:
        text = _dumped(_words(error))
        return b"event: error\ndata: " + text + b"\n\n" if events else text + b"\n"

    return Streaming(
        produce,
        media_type=SSE if events else NDJSON,
        failed=_failed,
        last_words=last_words,
        heartbeat=(lambda: b": still here\n\n") if events else None,
    )
