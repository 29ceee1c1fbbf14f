"""Calls of servicers from a path: within the caller's time, and to their end when they change something."""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any, TypeVar

from google.protobuf.message import Message
from starlette.requests import Request

from seawall_control.api.caller import current
from seawall_control.api.gate import Gate
from seawall_control.api.http.deadline import timeout_s
from seawall_control.api.http.parts import HttpParts
from seawall_control.api.http.rpc.context import HttpContext
from seawall_control.api.once import once
from seawall_control.domain.errors import DeadlineExceeded

T = TypeVar("T")


def to_its_end(gate: Gate, servicer: Callable[[Message, HttpContext], Any]) -> Callable[..., Any]:
    """Return the servicer of an RPC that changes something; see `Gate.carried_out` and `once`."""

    def carried(message: Message, context: HttpContext) -> Any:
        call = current()
        work = once(gate.requests, call, message, lambda: servicer(message, context))
        return gate.carried_out(work, call)

    return carried


async def changed(gate: Gate, asked: Message, work: Coroutine[Any, Any, T]) -> T:
    """Return what a change gives that a path makes without a servicer. `asked` is the request of the RPC that
    it stands for: the audit says what it was about.
    """
    call = current()
    if call is not None:
        call.asked(asked)
        call.checked()
    return await gate.carried_out(work, call)


async def called(parts: HttpParts, request: Request, service: str, method: str, message: Message) -> Message:
    """Return what an RPC of `seawall.v1` answers, for a path that is written by hand. Raise `Aborted`."""
    name = f"seawall.v1.{service}"
    servicer: Any = parts.served.services[name][method].unary_unary
    call = current()
    if call is not None:
        call.asked(message)
        call.checked()
    if parts.methods[f"/{name}/{method}"].changes:
        servicer = to_its_end(parts.gate, servicer)
    left_s = clock(timeout_s(request.headers))
    context = HttpContext(request, remaining_s=left_s)
    async with within(left_s):
        answer: Message = await servicer(message, context)
    context.raise_set_code()
    if call is not None:
        call.answered(answer)
    return answer


def clock(limit_s: float) -> Callable[[], float | None]:
    """Return a function that tells how much of the caller's time is left."""
    if math.isinf(limit_s):
        return lambda: None
    loop = asyncio.get_running_loop()
    end = loop.time() + limit_s
    return lambda: max(0.0, end - loop.time())


@contextlib.asynccontextmanager
async def within(left_s: Callable[[], float | None]) -> AsyncIterator[None]:
    """Raise `DeadlineExceeded` when the caller's time is up."""
    limit = asyncio.timeout(left_s())
    try:
        async with limit:
            yield
    except TimeoutError:
        if not limit.expired():
            raise
        raise DeadlineExceeded("the time that the request gave has passed") from None
