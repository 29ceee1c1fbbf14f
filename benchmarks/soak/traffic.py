"""gRPC calls of every kind, with what each of them may end with.

Run as `python -m benchmarks.soak.traffic TARGET SEED`: it calls until its standard input ends, then prints
one line of JSON: by kind of call the final statuses, and the calls whose status could not be explained.

The upstream is `tests.kit.upstream`, which does what a call's method and metadata ask for. While upstreams
are killed and frozen any call may end UNAVAILABLE or DEADLINE_EXCEEDED; no call may end with anything else
that its kind does not explain, and none may hang.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field

import grpc

SERVICE = "/soak.v1.Echo/"
AT_ONCE = 24
CALLS_A_CHANNEL = (20, 400)
HANG_S = 30.0

TROUBLE = frozenset({"UNAVAILABLE", "DEADLINE_EXCEEDED", "RESOURCE_EXHAUSTED"})
"""An upstream is away, too slow, or a breaker or the concurrency limit says so."""

BROKEN_WRITE = "Internal error from Core"
"""What grpc.aio says, as INTERNAL, when a stream ends while a message is being written: the status that the
call really ended with is not read any more."""

Metadata = list[tuple[str, str | bytes]]


@dataclass
class Tally:
    """What became of the calls."""

    by_kind: dict[str, Counter[str]] = field(default_factory=dict)
    unexplained: Counter[str] = field(default_factory=Counter)

    def add(self, kind: str, code: str, expected: frozenset[str], detail: str) -> None:
        """Count one call."""
        broken = code == "INTERNAL" and detail == BROKEN_WRITE
        self.by_kind.setdefault(kind, Counter())["BROKEN WRITE" if broken else code] += 1
        if code not in expected and code not in TROUBLE and not broken:
            what = f"{kind}: {code}: {detail[:200]}"
            self.unexplained[what if len(self.unexplained) < 50 else "others"] += 1


class Caller:
    """Makes calls on one channel."""

    def __init__(self, channel: grpc.aio.Channel, dice: random.Random, tally: Tally) -> None:
        self.channel = channel
        self.dice = dice
        self.tally = tally

    def metadata(self) -> Metadata:
        """Return metadata of many shapes: fixed, changing, binary, long, and names never seen before."""
        dice = self.dice
        fields: Metadata = []
        if dice.random() < 0.7:
            fields.append(("traceparent", f"00-{dice.getrandbits(128):032x}-{dice.getrandbits(64):016x}-01"))
        if dice.random() < 0.5:
            fields.append(("x-request-id", f"{dice.getrandbits(128):032x}"))
        if dice.random() < 0.3:
            fields.append(("authorization", f"Bearer {dice.getrandbits(256):064x}"))
        if dice.random() < 0.2:
            fields.append((f"x-odd-{dice.getrandbits(20)}", "v" * dice.randrange(1, 200)))
        if dice.random() < 0.1:
            fields.append(("x-blob-bin", dice.randbytes(dice.randrange(1, 2000))))
        return fields

    async def unary(self, extra: Metadata, *, size: int = 0, timeout: float = 4.0) -> None:
        """Make one unary call."""
        call: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = self.channel.unary_unary(SERVICE + "Unary")
        message = self.dice.randbytes(size or self.dice.randrange(1, 2_000))
        reply = await call(message, metadata=(*self.metadata(), *extra), timeout=timeout)
        if reply != message:
            raise AssertionError("the answer is not the one to this request")

    async def plain(self) -> None:
        await self.unary([])

    async def large(self) -> None:
        await self.unary([], size=self.dice.choice((70_000, 300_000, 1_500_000)))

    async def not_found(self) -> None:
        await self.unary([("fail", "5")])

    async def unavailable(self) -> None:
        await self.unary([("fail", "14")])

    async def too_slow(self) -> None:
        await self.unary([("sleep", "0.5")], timeout=self.dice.uniform(0.01, 0.1))

    async def cancelled(self) -> None:
        call: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = self.channel.unary_unary(SERVICE + "Silent")
        running = call(b"x", metadata=self.metadata(), timeout=10)
        await asyncio.sleep(self.dice.uniform(0.0, 0.2))
        running.cancel()
        await running

    async def repeat(self) -> None:
        call: grpc.aio.UnaryStreamMultiCallable[bytes, bytes] = self.channel.unary_stream(SERVICE + "Repeat")
        message = self.dice.randbytes(self.dice.choice((10, 1_000, 60_000)))
        count = 0
        async for reply in call(message, metadata=self.metadata(), timeout=4):
            count += reply == message
        if count != 5:
            raise AssertionError(f"{count} of 5 messages are right")

    async def count(self) -> None:
        sizes = [self.dice.randrange(1, 50_000) for _ in range(self.dice.randrange(1, 12))]

        async def requests() -> AsyncIterator[bytes]:
            for size in sizes:
                yield b"x" * size

        call: grpc.aio.StreamUnaryMultiCallable[bytes, bytes] = self.channel.stream_unary(SERVICE + "Count")
        reply = await call(requests(), metadata=self.metadata(), timeout=4)
        if reply != str(sum(sizes)).encode():
            raise AssertionError("the sum is wrong")

    async def chat(self) -> None:
        """Send and receive in turn, and leave in the middle now and then."""
        call: grpc.aio.StreamStreamMultiCallable[bytes, bytes] = self.channel.stream_stream(SERVICE + "Chat")
        running = call(metadata=self.metadata(), timeout=4)
        # A call that has ended meanwhile refuses to be written to; its code says what happened.
        with suppress(asyncio.InvalidStateError):
            for _ in range(self.dice.randrange(1, 10)):
                message = self.dice.randbytes(self.dice.randrange(1, 5_000))
                await running.write(message)
                if await running.read() not in (message, grpc.aio.EOF):
                    raise AssertionError("an answer is not the one to its request")
                if self.dice.random() < 0.05:
                    running.cancel()
            await running.done_writing()
            while await running.read() is not grpc.aio.EOF:
                pass
        if await running.code() is not grpc.StatusCode.OK:
            raise await _error_of(running)

    async def one(self) -> None:
        """Make one call of some kind and count it."""
        kind, (work, expected) = self.dice.choice(WEIGHTED)
        code, detail = "OK", ""
        try:
            async with asyncio.timeout(HANG_S):
                await work(self)
        except grpc.aio.AioRpcError as error:
            code, detail = error.code().name, error.details() or ""
        except asyncio.CancelledError:
            code = "CANCELLED"
        except TimeoutError:
            code, detail = "HANGS", f"no end within {HANG_S:g} s"
        except Exception as error:  # noqa: BLE001 - whatever it is, it is told
            code, detail = "WRONG", repr(error)
        self.tally.add(kind, code, expected, detail)


async def _error_of(call: grpc.aio.StreamStreamCall[bytes, bytes]) -> grpc.aio.AioRpcError:
    return grpc.aio.AioRpcError(
        await call.code(), await call.initial_metadata(), await call.trailing_metadata(), await call.details()
    )


Work = Callable[[Caller], Awaitable[None]]
_OK = frozenset({"OK"})
KINDS: dict[str, tuple[int, Work, frozenset[str]]] = {
    "unary": (10, Caller.plain, _OK),
    "unary, large": (1, Caller.large, _OK),
    "unary, not found": (2, Caller.not_found, frozenset({"NOT_FOUND"})),
    "unary, retried in vain": (1, Caller.unavailable, frozenset({"UNAVAILABLE"})),
    "unary, deadline": (2, Caller.too_slow, frozenset({"DEADLINE_EXCEEDED"})),
    "unary, cancelled": (3, Caller.cancelled, frozenset({"CANCELLED"})),
    "server stream": (3, Caller.repeat, _OK),
    "client stream": (2, Caller.count, _OK),
    "bidirectional stream": (2, Caller.chat, frozenset({"OK", "CANCELLED"})),
}
"""By name: how often, how it is made, how it may end when nothing is in trouble."""

WEIGHTED = [(name, (work, codes)) for name, (weight, work, codes) in KINDS.items() for _ in range(weight)]


async def lane(target: str, dice: random.Random, tally: Tally, stop: asyncio.Event) -> None:
    """Call one after another, on a new channel now and then."""
    # A pool of one's own: channels with the same arguments share a connection.
    options = [("grpc.use_local_subchannel_pool", 1), ("grpc.initial_reconnect_backoff_ms", 100)]
    while not stop.is_set():
        async with grpc.aio.insecure_channel(target, options=options) as channel:
            caller = Caller(channel, dice, tally)
            for _ in range(dice.randrange(*CALLS_A_CHANNEL)):
                if stop.is_set():
                    break
                await caller.one()
                await asyncio.sleep(dice.uniform(0.0, 0.05))


async def drive(target: str, seed: int) -> Tally:
    """Call until standard input ends."""
    tally, stop = Tally(), asyncio.Event()
    lanes = [lane(target, random.Random(seed * 1000 + number), tally, stop) for number in range(AT_ONCE)]
    running = [asyncio.ensure_future(work) for work in lanes]
    await asyncio.to_thread(sys.stdin.read)
    stop.set()
    await asyncio.gather(*running)
    return tally


def main() -> None:
    """Run the traffic."""
    tally = asyncio.run(drive(sys.argv[1], int(sys.argv[2])))
    print(json.dumps({"by_kind": tally.by_kind, "unexplained": tally.unexplained}), flush=True)


if __name__ == "__main__":
    main()
