"""Puts the gate in front of every gRPC method, of all four kinds of call."""

from __future__ import annotations

import re
import urllib.parse
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, TypeAlias, cast

import grpc
from google.protobuf.message import DecodeError, Message
from google.rpc import error_details_pb2, status_pb2

from seawall_control.api.caller import ServedCall, serving
from seawall_control.api.errors import DETAILS_KEY, Context, abort
from seawall_control.api.gate import Gate, Presented
from seawall_control.api.once import once
from seawall_control.api.roles import OPEN
from seawall_control.domain.access import MethodAccess
from seawall_control.domain.errors import ControlError, InvalidRequest

Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"
Behaviour = Callable[[Any, Context], Any]
_PEER: Final = re.compile(r"ipv[46]:\[?([^\]]*?)\]?:(\d+)")
_BY_NUMBER: Final = {code.value[0]: code.name for code in grpc.StatusCode}


def peer_of(text: str) -> tuple[str, int]:
    """Return host and port of gRPC's `ipv4:127.0.0.1:4711` or `ipv6:%5B::1%5D:4711`; for others "" and 0."""
    found = _PEER.fullmatch(urllib.parse.unquote(text))
    return (found.group(1), int(found.group(2))) if found else ("", 0)


def presented(context: Context, server_port: int, *, takes_certificates: bool) -> Presented:
    """Return what a call shows of its caller."""
    host, port = peer_of(context.peer())
    given: list[str] = [
        value if isinstance(value, str) else value.decode("latin-1")
        for key, value in context.invocation_metadata() or ()
        if key == "authorization"
    ]
    shown = context.auth_context().get("x509_pem_cert") if takes_certificates else ()
    certificates = list(shown or ())
    return Presented(
        # Two of them would leave open which one counts.
        authorization=given[0] if len(given) == 1 else "several" if given else "",
        host=host,
        port=port,
        server_port=server_port,
        certificate=certificates[0] if certificates else b"",
    )


def _outcome(code: Any) -> str:
    if isinstance(code, grpc.StatusCode):
        return code.name
    return _BY_NUMBER.get(code, "UNKNOWN") if code else "UNKNOWN"


def _reason(trailers: Any) -> str:
    details = next((value for key, value in trailers or () if key == DETAILS_KEY), b"")
    try:
        status = status_pb2.Status.FromString(details if isinstance(details, bytes) else b"")
    except DecodeError:
        return ""
    info = error_details_pb2.ErrorInfo()
    return next((info.reason for detail in status.details if detail.Unpack(info)), "")


def _refusal(call: ServedCall, request: Any) -> ControlError | None:
    """Let a call learn what its request is about; return why it is refused for that."""
    try:
        if isinstance(request, Message):
            call.asked(request)
        call.checked()
    except ControlError as error:
        return error
    return None


class _Recorded:
    """A call's context that lets the refusal of a change be recorded before its caller hears of it."""

    def __init__(self, context: Context, record: Callable[[str, str], Awaitable[None]]) -> None:
        self._context = context
        self._record = record

    def __getattr__(self, name: str) -> Any:
        return getattr(self._context, name)

    async def abort(self, code: Any, details: str = "", trailing_metadata: Any = ()) -> None:
        """End the call with a status; see `grpc.aio.ServicerContext.abort`."""
        await self._record(_outcome(code), _reason(trailing_metadata))
        await self._context.abort(code, details, trailing_metadata)


def _raising(read: Callable[[bytes], Any]) -> Callable[[bytes], Any]:
    """Return a deserialiser that says as we do what bytes it cannot read: of a stream, to the servicer."""

    def reading(raw: bytes) -> Any:
        try:
            return read(raw)
        except DecodeError as error:
            raise InvalidRequest(f"the message cannot be read: {error}") from None

    return reading


def _kept(read: Callable[[bytes], Any]) -> Callable[[bytes], Any]:
    """Return a deserialiser that gives such bytes to the handler as the error that they are: gRPC reads a
    single message before anybody has asked who calls, would say UNKNOWN, and writes a traceback into the log.
    """
    raising = _raising(read)

    def reading(raw: bytes) -> Any:
        try:
            return raising(raw)
        except InvalidRequest as error:
            return error

    return reading


class AccessInterceptor(grpc.aio.ServerInterceptor):
    """Admits or refuses each call before its servicer sees anything of it."""

    def __init__(
        self, gate: Gate, methods: Mapping[str, MethodAccess], *, takes_certificates: bool = False
    ) -> None:
        """`takes_certificates` makes a client certificate of this listener say which node calls."""
        self._gate = gate
        self._takes_certificates = takes_certificates
        self._methods = methods
        self.server_port = 0
        """Port of the listener; set when it is bound."""

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler | None:
        """Wrap the method's handler. A method that nobody serves stays unserved."""
        handler: Any = await continuation(handler_call_details)
        method: str = handler_call_details.method
        if handler is None or method in OPEN:
            return cast("Handler | None", handler)
        read = handler.request_deserializer
        codecs = {
            "request_deserializer": _raising(read) if handler.request_streaming else _kept(read),
            "response_serializer": handler.response_serializer,
        }
        if handler.unary_unary is not None:
            return grpc.unary_unary_rpc_method_handler(self._single(method, handler.unary_unary), **codecs)
        if handler.stream_unary is not None:
            return grpc.stream_unary_rpc_method_handler(self._single(method, handler.stream_unary), **codecs)
        if handler.unary_stream is not None:
            return grpc.unary_stream_rpc_method_handler(self._stream(method, handler.unary_stream), **codecs)
        return grpc.stream_stream_rpc_method_handler(self._stream(method, handler.stream_stream), **codecs)

    def _single(self, method: str, behaviour: Behaviour) -> Behaviour:
        async def call(request: Any, context: Context) -> Any:
            return await self._serve(
                method, request, context, lambda shown: behaviour(request, shown), ends_once=True
            )

        return call

    def _stream(self, method: str, behaviour: Behaviour) -> Behaviour:
        async def call(request: Any, context: Context) -> None:
            async def work(shown: Context) -> None:
                answers = behaviour(request, shown)
                if hasattr(answers, "__aiter__"):
                    async for answer in answers:
                        await shown.write(answer)
                else:
                    await answers

            await self._serve(method, request, context, work)

        return call

    async def _serve(
        self,
        method: str,
        request: Any,
        context: Context,
        work: Callable[[Context], Awaitable[Any]],
        *,
        ends_once: bool = False,
    ) -> Any:
        access = self._methods.get(method)
        try:
            shown = presented(context, self.server_port, takes_certificates=self._takes_certificates)
            call = await self._gate.admit(method, access, shown)
        except Exception as error:  # noqa: BLE001 - the table decides
            await abort(context, error)
        assert access is not None
        refusal = request if isinstance(request, InvalidRequest) else _refusal(call, request)
        if refusal is not None:
            why = refusal

            async def work(shown: Context) -> None:
                await abort(shown, why)

        elif ends_once and access.changes and isinstance(request, Message):
            work = self._once(call, request, work)
        with serving(call):
            run = self._run(call, context, work)
            return await (self._gate.carried_out(run) if ends_once and access.changes else run)

    def _once(
        self, call: ServedCall, request: Message, work: Callable[[Context], Awaitable[Any]]
    ) -> Callable[[Context], Awaitable[Any]]:
        async def repeatable(shown: Context) -> Any:
            try:
                return await once(self._gate.requests, call, request, lambda: work(shown))
            except ControlError as error:
                await abort(shown, error)

        return repeatable

    async def _run(
        self,
        call: ServedCall,
        context: Context,
        work: Callable[[Context], Awaitable[Any]],
    ) -> Any:
        async def record(outcome: str, reason: str) -> None:
            call.failure = (outcome, reason)
            await self._gate.finished(call, outcome, reason)

        try:
            shown = cast("Context", _Recorded(context, record))
            response = await self._gate.while_valid(call.caller, work(shown))
        except grpc.aio.AbortError:
            # Recorded before it was sent.
            raise
        except Exception as error:  # noqa: BLE001 - what a servicer lets through, and a credential that ended
            await self._gate.finished(call, "UNKNOWN", type(error).__name__)
            await abort(context, error)
        except BaseException:
            await self._gate.finished(call, "CANCELLED")
            raise
        if isinstance(response, Message):
            call.answered(response)
        await self._gate.finished(call, "OK")
        return response
