"""A steady load on the shop, and what its callers see.

    python -m examples.shop.load --target 127.0.0.1:8080 --rate 60 --seconds 30

Of every twenty calls fifteen read the catalogue, two place an order, two follow one (server streaming) and
one is a conversation with support (bidirectional). Calls start at the given rate whether earlier ones have
ended or not, as callers do; at most MAX_IN_FLIGHT are open at once, and a call that would be one more is
counted as not started.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import signal
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import grpc
import grpc.aio

from examples.shop import shop_pb2

MAX_IN_FLIGHT = 512
DEADLINE_S = 3.0
MIX = ("list", "get", "list", "get", "buy", "list", "get", "list", "watch", "get") * 2
UNARY = frozenset({"list", "get", "buy"})


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one call ended for its caller."""

    kind: str
    """`list`, `get`, `buy`, `watch` or `chat`."""
    code: str
    latency_s: float
    outcome: str
    """The trailer `seawall-outcome`; `ok` without one."""
    attempts: int
    """The trailer `seawall-attempts`; 1 without one."""
    reason: str
    """The trailer `seawall-reason`, or the status message."""
    served_by: str
    notice: str


@dataclass
class Tally:
    """Outcomes added up."""

    calls: int = 0
    ok: int = 0
    retries: int = 0
    not_started: int = 0
    codes: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    served_by: Counter[str] = field(default_factory=Counter)
    latencies_s: list[float] = field(default_factory=list)
    """Of unary calls; a stream lasts as long as it has something to say."""

    def add(self, outcome: Outcome) -> None:
        """Count one call."""
        self.calls += 1
        self.ok += outcome.code == "OK"
        self.retries += max(0, outcome.attempts - 1)
        self.codes[outcome.code] += 1
        self.outcomes[outcome.outcome] += 1
        if outcome.served_by:
            self.served_by[outcome.served_by] += 1
        if outcome.kind in UNARY:
            self.latencies_s.append(outcome.latency_s)

    @property
    def success(self) -> float:
        """Share of calls that ended with OK, 1 when there were none."""
        return self.ok / self.calls if self.calls else 1.0

    def percentile(self, share: float) -> float:
        """Return a latency percentile in seconds, 0 when there were no calls."""
        if not self.latencies_s:
            return 0.0
        ordered = sorted(self.latencies_s)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


class Load:
    """Starts calls at a steady rate and hands every outcome to `record`."""

    def __init__(self, target: str, rate: float, record: Callable[[Outcome], None]) -> None:
        self.rate = rate
        self.not_started = 0
        self._record = record
        self._open: set[asyncio.Task[None]] = set()
        self._channel = grpc.aio.insecure_channel(target, options=[("grpc.enable_http_proxy", 0)])

    async def run(self, stop: asyncio.Event) -> None:
        """Run until `stop` is set; then wait for the calls that are open."""
        loop = asyncio.get_running_loop()
        begun, number = loop.time(), 0
        while not stop.is_set():
            wait = begun + number / self.rate - loop.time()
            if wait > 0:
                await asyncio.sleep(wait)
            elif wait < -1:  # we were held up: go on from here, do not make up for it with a burst
                begun, number = loop.time(), 0
            self._start("chat" if number % len(MIX) == len(MIX) - 1 else MIX[number % len(MIX)])
            number += 1
        if self._open:
            await asyncio.wait(self._open, timeout=DEADLINE_S + 1)
        await self._channel.close()

    def _start(self, kind: str) -> None:
        if len(self._open) >= MAX_IN_FLIGHT:
            self.not_started += 1
            return
        task = asyncio.create_task(self._call(kind))
        self._open.add(task)
        task.add_done_callback(self._open.discard)

    async def _call(self, kind: str) -> None:
        begun = time.perf_counter()
        served_by = notice = reason = ""
        try:
            call = getattr(self, f"_{kind}")()
            answer = await call if kind in UNARY else await _drain(call)
            trailers = await call.trailing_metadata()
            code = "OK"
            served_by, notice = getattr(answer, "served_by", ""), getattr(answer, "notice", "")
        except grpc.aio.AioRpcError as error:
            code, reason, trailers = error.code().name, error.details() or "", error.trailing_metadata()
        latency_s = time.perf_counter() - begun
        told = {key: value for key, value in trailers or () if key.startswith("seawall-")}
        self._record(
            Outcome(
                kind,
                code,
                latency_s,
                str(told.get("seawall-outcome", "ok" if code == "OK" else "failed")),
                int(told.get("seawall-attempts", 1)),
                str(told.get("seawall-reason", reason)),
                served_by,
                notice,
            )
        )

    def _unary(self, path: str, request: Any, response: Any) -> Any:
        send = self._channel.unary_unary(
            path,
            request_serializer=type(request).SerializeToString,
            response_deserializer=response.FromString,
        )
        return send(request, timeout=DEADLINE_S)

    def _list(self) -> Any:
        return self._unary(
            "/shop.v1.CatalogService/ListItems", shop_pb2.ListItemsRequest(), shop_pb2.ListItemsResponse
        )

    def _get(self) -> Any:
        request = shop_pb2.GetItemRequest(id="buoy")
        return self._unary("/shop.v1.CatalogService/GetItem", request, shop_pb2.GetItemResponse)

    def _buy(self) -> Any:
        request = shop_pb2.PlaceOrderRequest(item_id="lamp", quantity=1)
        return self._unary("/shop.v1.OrderService/PlaceOrder", request, shop_pb2.PlaceOrderResponse)

    def _watch(self) -> Any:
        send = self._channel.unary_stream(
            "/shop.v1.OrderService/WatchOrder",
            request_serializer=shop_pb2.WatchOrderRequest.SerializeToString,
            response_deserializer=shop_pb2.WatchOrderResponse.FromString,
        )
        return send(shop_pb2.WatchOrderRequest(order_id="1", step_ms=20), timeout=DEADLINE_S)

    def _chat(self) -> Any:
        send = self._channel.stream_stream(
            "/shop.v1.SupportService/Chat",
            request_serializer=shop_pb2.ChatRequest.SerializeToString,
            response_deserializer=shop_pb2.ChatResponse.FromString,
        )
        return send(_questions(), timeout=DEADLINE_S)


async def _questions() -> AsyncIterator[shop_pb2.ChatRequest]:
    for text in ("hello", "where is my order?", "thank you"):
        yield shop_pb2.ChatRequest(text=text)


async def _drain(call: AsyncIterator[Any]) -> Any:
    last = None
    async for answer in call:
        last = answer
    return last


def line(tally: Tally) -> str:
    """Return a tally of one second as a line."""
    codes = ", ".join(f"{code} {number}" for code, number in tally.codes.most_common() if code != "OK")
    saved = ", ".join(f"{name} {number}" for name, number in sorted(tally.outcomes.items()) if name != "ok")
    return (
        f"{tally.calls:4d} calls  {tally.success * 100:6.2f}% ok  p50 {tally.percentile(0.5) * 1e3:6.1f} ms  "
        f"p99 {tally.percentile(0.99) * 1e3:6.1f} ms  {saved}{'  ' if codes else ''}{codes}"
    ).rstrip()


def merge(tallies: Iterable[Tally]) -> Tally:
    """Return the sum of tallies."""
    total = Tally()
    for tally in tallies:
        total.calls += tally.calls
        total.ok += tally.ok
        total.retries += tally.retries
        total.not_started += tally.not_started
        total.codes += tally.codes
        total.outcomes += tally.outcomes
        total.served_by += tally.served_by
        total.latencies_s += tally.latencies_s
    return total


async def run(target: str, rate: float, seconds: float) -> Tally:
    """Run a load, print a line a second, and return the sum."""
    seconds_: list[Tally] = [Tally()]
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)

    def record(outcome: Outcome) -> None:
        seconds_[-1].add(outcome)

    load = Load(target, rate, record)
    running = asyncio.create_task(load.run(stop))
    ends = loop.time() + seconds
    while not stop.is_set() and loop.time() < ends:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(1):
                await stop.wait()
        print(line(seconds_[-1]), flush=True)
        seconds_.append(Tally())
    stop.set()
    await running
    total = merge(seconds_)
    total.not_started = load.not_started
    return total


def main() -> int:
    """Read the command line, run, and say how it was."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--target", default="127.0.0.1:8080")
    parser.add_argument("--rate", type=float, default=60, help="calls per second, at most 2000")
    parser.add_argument("--seconds", type=float, default=30, help="at most 3600")
    options = parser.parse_args()
    total = asyncio.run(run(options.target, min(options.rate, 2000), min(options.seconds, 3600)))
    print(f"total: {line(total).strip()}; {total.not_started} not started", file=sys.stderr)
    return 0 if total.ok == total.calls else 1


if __name__ == "__main__":
    sys.exit(main())
