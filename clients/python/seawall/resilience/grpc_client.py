"""Policies around gRPC stubs, as client interceptors; needs grpcio.

    reading = policy("builtin/read")
    channel = grpc.intercept_channel(grpc.insecure_channel(target), policy_interceptor(reading))
    channel = grpc.aio.insecure_channel(target, interceptors=aio_policy_interceptors(reading))

Calls with one response get the whole policy but its fallback, which would need to know the message; each
attempt is told the time that is left. Calls with a stream of responses get its deadline, its bulkhead and
its breaker, which hears of the status at the end of the stream. What a policy refuses is an RpcError with a
status, as callers of stubs expect; its `__cause__` is the rejection. The channel's own retries are best
turned off (`("grpc.enable_retries", 0)`).
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, NamedTuple, TypeVar

import grpc
import grpc.aio

from seawall.errors import SeawallError
from seawall.resilience.breaker import CircuitBreaker, Permit
from seawall.resilience.deadline import time_left
from seawall.resilience.errors import DeadlineExceeded, Rejected
from seawall.resilience.limits import Bulkhead
from seawall.resilience.policy import Pipeline, Policy
from seawall.resilience.strategy import CallInfo

T = TypeVar("T")

Policies = Policy | Mapping[str, Policy]
"""One policy for every method, or policies by method (`/shop.v1.Catalog/GetItem`), by service
(`/shop.v1.Catalog/`), and under `""` for the rest. A method without a policy is left alone."""

_CODES: Final = {code.name: code for code in grpc.StatusCode}


class PolicyRpcError(grpc.RpcError):
    """A call that a policy has refused or cut short: code and details like any other failed call."""

    def __init__(self, error: SeawallError) -> None:
        super().__init__(error.message)
        self._error = error

    def code(self) -> grpc.StatusCode:
        """Return the status."""
        return _CODES[self._error.code]

    def details(self) -> str:
        """Return the text."""
        return self._error.message

    def trailing_metadata(self) -> Any:
        """Return when to come back, as the proxy says it."""
        return _trailers(self._error)


def _trailers(error: SeawallError) -> tuple[tuple[str, str], ...]:
    found = (("seawall-reason", error.reason),)
    if isinstance(error, Rejected) and 0.0 < error.retry_after < float("inf"):
        return (*found, ("grpc-retry-pushback-ms", str(round(error.retry_after * 1000.0))))
    return found


class _Details(NamedTuple):
    """Call details with another timeout."""

    method: Any
    timeout: Any
    metadata: Any
    credentials: Any
    wait_for_ready: Any
    compression: Any


class _SyncDetails(_Details, grpc.ClientCallDetails):
    """For grpc, which asks for this base."""


class _Chosen:
    """A policy, and the parts of it that fit calls of both kinds."""

    def __init__(self, policy: Policy) -> None:
        self.unary = Pipeline(*(one for one in policy.strategies if one is not policy.fallback))
        self.bulkhead: Bulkhead | None = policy.bulkhead
        self.breaker: CircuitBreaker | None = policy.breaker
        self.timeout_s = policy.timeout_s


class _Chooser:
    """The policy of a method."""

    def __init__(self, policies: Policies) -> None:
        by_path = {"": policies} if isinstance(policies, Policy) else dict(policies)
        self._by_path = {path: _Chosen(policy) for path, policy in by_path.items()}

    def choose(self, method: str | bytes) -> tuple[str, _Chosen | None]:
        path = method.decode() if isinstance(method, bytes) else method
        for key in (path, path[: path.rfind("/") + 1], ""):
            found = self._by_path.get(key)
            if found is not None:
                return path, found
        return path, None


def _shorter(own: float | None, limit: float | None) -> float | None:
    return limit if own is None else own if limit is None else min(own, limit)


def _sync_details(details: Any, timeout: float | None) -> Any:
    return _SyncDetails(
        details.method,
        _shorter(details.timeout, timeout),
        details.metadata,
        details.credentials,
        getattr(details, "wait_for_ready", None),
        getattr(details, "compression", None),
    )


def _aio_details(details: Any, timeout: float | None) -> Any:
    return grpc.aio.ClientCallDetails(
        details.method,
        _shorter(details.timeout, timeout),
        details.metadata,
        details.credentials,
        details.wait_for_ready,
    )


class _Stream:
    """What a stream holds until it ends: a place in the bulkhead (taken already), a permit of the breaker."""

    def __init__(self, chosen: _Chosen) -> None:
        self._bulkhead = chosen.bulkhead
        self._breaker = chosen.breaker
        self._lock = threading.Lock()
        self._ended = False
        try:
            self._permit: Permit | None = None if self._breaker is None else self._breaker.acquire()
        except Rejected:
            if self._bulkhead is not None:
                self._bulkhead.release()
            raise

    def end(self, error: BaseException | None) -> None:
        """Give everything back, once."""
        with self._lock:
            if self._ended:
                return
            self._ended = True
        if self._breaker is not None and self._permit is not None:
            self._breaker.settle(self._permit, error)
        if self._bulkhead is not None:
            self._bulkhead.release()


def _open(chosen: _Chosen) -> _Stream:
    if chosen.bulkhead is not None:
        chosen.bulkhead.acquire()
    return _Stream(chosen)


async def _aopen(chosen: _Chosen) -> _Stream:
    if chosen.bulkhead is not None:
        await chosen.bulkhead.aacquire()
    return _Stream(chosen)


class _Status(Exception):
    """The end of a stream, as a failure to classify."""

    def __init__(self, code: grpc.StatusCode) -> None:
        super().__init__(code.name)
        self.code = code.name


def _failure(code: grpc.StatusCode | None) -> BaseException | None:
    """Return what the breaker is told at the end of a stream; a cancelled one says nothing."""
    return None if code is grpc.StatusCode.OK else _Status(code or grpc.StatusCode.UNKNOWN)


class PolicyInterceptor(
    grpc.UnaryUnaryClientInterceptor,
    grpc.UnaryStreamClientInterceptor,
    grpc.StreamUnaryClientInterceptor,
    grpc.StreamStreamClientInterceptor,
):
    """For `grpc.intercept_channel`. `stub.Method.future` only returns when the attempts are over."""

    def __init__(self, policies: Policies) -> None:
        self._chooser = _Chooser(policies)

    def intercept_unary_unary(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        """Make a call under its policy."""
        path, chosen = self._chooser.choose(client_call_details.method)
        if chosen is None:
            return continuation(client_call_details, request)

        def attempt() -> Any:
            call = continuation(_sync_details(client_call_details, time_left()), request)
            error = call.exception()
            if error is not None:
                raise error
            return call

        return _spoken(lambda: chosen.unary.run(attempt, CallInfo(path)))

    def intercept_unary_stream(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        """Open a stream under the deadline and breaker of its policy."""
        return self._stream(continuation, client_call_details, request)

    def intercept_stream_unary(
        self, continuation: Any, client_call_details: Any, request_iterator: Any
    ) -> Any:
        """Send a stream under the deadline and breaker of its policy: it cannot be sent twice."""
        return self._stream(continuation, client_call_details, request_iterator)

    def intercept_stream_stream(
        self, continuation: Any, client_call_details: Any, request_iterator: Any
    ) -> Any:
        """Open a stream under the deadline and breaker of its policy."""
        return self._stream(continuation, client_call_details, request_iterator)

    def _stream(self, continuation: Any, details: Any, request: Any) -> Any:
        _, chosen = self._chooser.choose(details.method)
        if chosen is None:
            return continuation(details, request)
        stream = _spoken(lambda: _open(chosen))
        limit = _shorter(time_left(), chosen.timeout_s if chosen.timeout_s < float("inf") else None)
        try:
            call = continuation(_sync_details(details, limit), request)
            watched = call.add_callback(lambda: stream.end(_failure(call.code())))
        except BaseException as error:
            stream.end(error)
            raise
        if not watched:  # it has ended already
            stream.end(_failure(call.code()))
        return call


def _spoken(work: Callable[[], T]) -> T:
    """Do the work; say what our side refuses as a failed call."""
    try:
        return work()
    except (Rejected, DeadlineExceeded) as error:
        raise PolicyRpcError(error) from error


def policy_interceptor(policies: Policies) -> PolicyInterceptor:
    """Return the interceptor for a channel of grpc."""
    return PolicyInterceptor(policies)


class _AioUnary(grpc.aio.UnaryUnaryClientInterceptor):
    def __init__(self, chooser: _Chooser) -> None:
        self._chooser = chooser

    async def intercept_unary_unary(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        path, chosen = self._chooser.choose(client_call_details.method)
        if chosen is None:
            return await continuation(client_call_details, request)

        async def attempt() -> Any:
            call = await continuation(_aio_details(client_call_details, time_left()), request)
            await call
            return call

        return await _aspoken(chosen.unary.arun(attempt, CallInfo(path)))


class _AioStreams:
    """What the three kinds of call with a stream share."""

    def __init__(self, chooser: _Chooser) -> None:
        self._chooser = chooser
        self._ending: set[asyncio.Task[None]] = set()

    async def stream(self, continuation: Any, details: Any, request: Any) -> Any:
        _, chosen = self._chooser.choose(details.method)
        if chosen is None:
            return await continuation(details, request)
        stream = await _aspoken(_aopen(chosen))
        limit = _shorter(time_left(), chosen.timeout_s if chosen.timeout_s < float("inf") else None)
        try:
            call = await continuation(_aio_details(details, limit), request)
        except BaseException as error:
            stream.end(error)
            raise

        def ended(_: Any) -> None:
            # The status is there, but grpc.aio only tells it to those who await.
            task = asyncio.get_running_loop().create_task(self._end(stream, call))
            self._ending.add(task)
            task.add_done_callback(self._ending.discard)

        call.add_done_callback(ended)
        return call

    async def _end(self, stream: _Stream, call: Any) -> None:
        stream.end(_failure(await call.code()))


class _AioUnaryStream(_AioStreams, grpc.aio.UnaryStreamClientInterceptor):
    async def intercept_unary_stream(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        return await self.stream(continuation, client_call_details, request)


class _AioStreamUnary(_AioStreams, grpc.aio.StreamUnaryClientInterceptor):
    async def intercept_stream_unary(
        self, continuation: Any, client_call_details: Any, request_iterator: Any
    ) -> Any:
        return await self.stream(continuation, client_call_details, request_iterator)


class _AioStreamStream(_AioStreams, grpc.aio.StreamStreamClientInterceptor):
    async def intercept_stream_stream(
        self, continuation: Any, client_call_details: Any, request_iterator: Any
    ) -> Any:
        return await self.stream(continuation, client_call_details, request_iterator)


async def _aspoken(work: Awaitable[T]) -> T:
    try:
        return await work
    except (Rejected, DeadlineExceeded) as error:
        raise grpc.aio.AioRpcError(
            _CODES[error.code],
            grpc.aio.Metadata(),
            grpc.aio.Metadata(*_trailers(error)),
            details=error.message,
        ) from error


def aio_policy_interceptors(policies: Policies) -> list[grpc.aio.ClientInterceptor]:
    """Return the interceptors for a channel of grpc.aio: one for each kind of call."""
    chooser = _Chooser(policies)
    return [_AioUnary(chooser), _AioUnaryStream(chooser), _AioStreamUnary(chooser), _AioStreamStream(chooser)]
