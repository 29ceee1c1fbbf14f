"""Clients that behave badly: connections that are reset, stall, say half of something, or nonsense.

Each opens a connection, does one odd thing and is gone; none of it may leave anything behind in the proxy,
nor touch the calls of others.
"""

from __future__ import annotations

import asyncio
import random
import socket
import struct
from collections import Counter
from contextlib import suppress

from seawall_proxy.http2.frames import PREFACE
from seawall_proxy.http2.headers import HeaderBlock
from seawall_proxy.http2.hpack.encoder import Encoder

AT_ONCE = 4
DATA, HEADERS, RST_STREAM, SETTINGS, WINDOW_UPDATE = 0, 1, 3, 4, 8


def frame(kind: int, flags: int, stream_id: int, payload: bytes = b"") -> bytes:
    """Return one frame."""
    return len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream_id.to_bytes(4, "big") + payload


def request(encoder: Encoder, stream_id: int, method: str, dice: random.Random) -> bytes:
    """Return the HEADERS of a call."""
    block = HeaderBlock(
        (
            (b":method", b"POST"),
            (b":scheme", b"http"),
            (b":path", f"/soak.v1.Echo/{method}".encode()),
            (b":authority", b"rude.local"),
            (b"te", b"trailers"),
            (b"content-type", b"application/grpc"),
        )
    )
    extra = ((b"x-request-id", b"%032x" % dice.getrandbits(128)), (b"grpc-timeout", b"3S"))
    return frame(HEADERS, 4, stream_id, encoder.encode(block, extra))


class Rude:
    """One connection that will not end well."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, dice: random.Random
    ) -> None:
        self.reader = reader
        self.writer = writer
        self.dice = dice
        self.encoder = Encoder()
        self.next_id = 1

    def say(self, data: bytes) -> None:
        self.writer.write(data)

    def greet(self, window: int = 65_535) -> None:
        self.say(PREFACE + frame(SETTINGS, 0, 0, struct.pack("!HI", 4, window)))

    def call(self, method: str, *, whole: bool) -> int:
        """Begin a call; return its stream."""
        stream_id = self.next_id
        self.next_id += 2
        self.say(request(self.encoder, stream_id, method, self.dice))
        if whole:
            self.say(frame(DATA, 1, stream_id, b"\x00\x00\x00\x00\x03abc"))
        return stream_id

    async def pause(self, most_s: float = 0.2) -> None:
        await asyncio.sleep(self.dice.uniform(0.0, most_s))

    async def reset_with_calls(self) -> None:
        """Leave by RST with calls in flight."""
        self.greet()
        for _ in range(self.dice.randrange(1, 30)):
            self.call(self.dice.choice(("Unary", "Silent", "Repeat")), whole=self.dice.random() < 0.7)
        await self.pause()

    async def cancel_many(self) -> None:
        """Take calls back at once, fewer than would be an attack."""
        self.greet()
        for _ in range(self.dice.randrange(1, 60)):
            self.say(frame(RST_STREAM, 0, self.call("Unary", whole=True), struct.pack("!I", 8)))
        await self.pause()

    async def half_a_frame(self) -> None:
        """Stop in the middle of a frame."""
        self.greet()
        data = request(self.encoder, 1, "Unary", self.dice)
        self.say(data[: self.dice.randrange(1, len(data))])
        await self.pause()

    async def nonsense(self) -> None:
        """Send bytes that are no HTTP/2, before or behind the preface."""
        if self.dice.random() < 0.5:
            self.greet()
        self.say(self.dice.randbytes(self.dice.randrange(1, 3_000)))
        await self.pause()

    async def say_nothing(self) -> None:
        """Connect and wait."""
        await self.pause(2.0)

    async def unread(self) -> None:
        """Close the window on a response, and go."""
        self.greet(window=self.dice.choice((0, 10, 1_000)))
        for _ in range(10):
            self.call("Repeat", whole=True)
        await self.pause(1.0)

    async def open_requests(self) -> None:
        """Never end the requests."""
        self.greet()
        for _ in range(20):
            stream_id = self.call("Chat", whole=False)
            self.say(frame(DATA, 0, stream_id, b"\x00\x00\x00\x00\x03abc"))
        await self.pause(1.0)


ACTS = (
    Rude.reset_with_calls,
    Rude.cancel_many,
    Rude.half_a_frame,
    Rude.nonsense,
    Rude.say_nothing,
    Rude.unread,
    Rude.open_requests,
)


async def one(host: str, port: int, dice: random.Random) -> str:
    """Open a connection, misbehave, leave by RST or FIN; return the name of what was done."""
    act = dice.choice(ACTS)
    with suppress(OSError, TimeoutError):
        async with asyncio.timeout(5):
            reader, writer = await asyncio.open_connection(host, port)
        try:
            async with asyncio.timeout(5):
                await act(Rude(reader, writer, dice))
        finally:
            if dice.random() < 0.7:
                # Linger of zero: the kernel sends RST instead of FIN and drops what is not yet sent.
                raw: socket.socket = writer.get_extra_info("socket")
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.close()
            with suppress(OSError, TimeoutError):
                async with asyncio.timeout(2):
                    await writer.wait_closed()
    return act.__name__


async def drive(target: str, seed: int, done: Counter[str], stop: asyncio.Event) -> None:
    """Misbehave until told to stop."""
    host, _, port = target.rpartition(":")

    async def lane(number: int) -> None:
        dice = random.Random(seed * 100 + number)
        while not stop.is_set():
            done[await one(host, int(port), dice)] += 1
            await asyncio.sleep(dice.uniform(0.0, 0.1))

    await asyncio.gather(*(lane(number) for number in range(AT_ONCE)))
