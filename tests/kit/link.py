"""A bad network between a proxy and its control plane, with a witness on it.

Forwards TCP connections of the loopback interface, in a thread of its own, and does to them what it is told:
be slow, narrow, cut into slices, deaf in one direction or both, refuse, reset, lose acknowledgements. The
kinds are those of Toxiproxy (https://github.com/Shopify/toxiproxy). What is said is noted before it goes on,
so a message that the fault swallows is in the history as said, which is what its speaker knows.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import struct
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from tests.kit.history.lines import Recorder
from tests.kit.processes import PATIENCE_S
from tests.kit.tap import Tap

Way = Literal["up", "down"]
CHUNK = 65536


@dataclass(slots=True)
class Weather:
    """What is done to connections. Changes hold at once, also for connections that are open."""

    latency_s: float = 0.0
    jitter_s: float = 0.0
    bytes_per_s: float = 0.0
    """0: as fast as can be. Of each direction of each connection."""
    slice_bytes: int = 0
    """Bytes are handed on in pieces of at most so many, with a turn for everybody else in between."""
    silent: set[Way] = field(default_factory=set)
    """Directions whose bytes vanish; the connection stays open."""
    mute_after: bytes = b""
    """On a connection that has carried these bytes upwards, what comes down vanishes; it stays open."""
    refuse: bool = False
    """New connections are closed at once."""
    lose_acks: int = 0
    """So many connections are cut with an acknowledgement in hand, which does not arrive."""
    cut_after: int = 0
    """Each connection is cut after so many bytes upwards."""


class _Pipe:
    """One connection, both ends."""

    def __init__(self, here: asyncio.StreamWriter, there: asyncio.StreamWriter) -> None:
        self.writers = (here, there)
        self.sent_up = 0
        self.is_mute = False

    def cut(self, *, reset: bool = False) -> None:
        for writer in self.writers:
            if reset:
                raw = writer.get_extra_info("socket")
                if raw is not None:
                    # Closing with a linger of 0 sends RST.
                    with contextlib.suppress(OSError):
                        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()


class Link:
    """Listens on a port and forwards to another one. `start` and `close` block; all else holds at once."""

    def __init__(self, port: int, note: Recorder | None = None, *, seed: int = 1) -> None:
        self.weather = Weather()
        self.port = 0
        self.accepted = 0
        self.felt: Counter[str] = Counter()
        """How often each kind of weather was felt by what was on its way, by the names of its fields."""
        self.applied: dict[str, int] = {}
        """The revision that each proxy has said last to have in effect."""
        self._to = port
        self._note = note
        self._dice = random.Random(seed)
        self._pipes: set[_Pipe] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        self._server: asyncio.Server | None = None
        self._thread = threading.Thread(target=self._loop.run_forever, name="test-link", daemon=True)

    @property
    def address(self) -> str:
        """Where it listens."""
        return f"127.0.0.1:{self.port}"

    def start(self) -> Link:
        """Listen."""
        self._thread.start()
        self._ask(self._listen())
        return self

    def move(self, port: int) -> None:
        """Lead to another port from now on; what is open is cut."""
        self._to = port
        self.cut()

    def cut(self, *, reset: bool = False) -> None:
        """Cut every connection that is open."""

        async def cut() -> None:
            for pipe in list(self._pipes):
                pipe.cut(reset=reset)

        self._ask(cut())

    def close(self) -> None:
        """Cut everything and end the thread."""
        if not self._thread.is_alive():
            return

        async def end() -> None:
            if self._server is not None:
                self._server.close()
            for pipe in list(self._pipes):
                pipe.cut()
            for task in list(self._tasks):
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

        self._ask(end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE_S)
        self._loop.close()

    def _ask(self, work: object) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE_S)  # type: ignore[arg-type]

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._accepted, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    def _begin(self, work: Callable[[], object]) -> None:
        task = self._loop.create_task(work())  # type: ignore[arg-type, var-annotated]
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        if self.weather.refuse:
            self.felt["refuse"] += 1
            writer.close()
            return
        try:
            there_reader, there = await asyncio.open_connection("127.0.0.1", self._to)
        except OSError:
            writer.transport.abort()
            return
        tap = None if self._note is None else Tap(self._note, self.applied)
        pipe = _Pipe(writer, there)
        self._pipes.add(pipe)
        self._begin(lambda: self._carry("up", reader, there, pipe, tap))
        self._begin(lambda: self._carry("down", there_reader, writer, pipe, tap))

    async def _carry(
        self,
        way: Way,
        source: asyncio.StreamReader,
        target: asyncio.StreamWriter,
        pipe: _Pipe,
        tap: Tap | None,
    ) -> None:
        try:
            while data := await source.read(CHUNK):
                weather = self.weather
                acks = 0
                if tap is not None:
                    if way == "up":
                        tap.up(data)
                    else:
                        acks = tap.down(data)
                if acks and weather.lose_acks:
                    weather.lose_acks -= 1
                    self.felt["lose_acks"] += 1
                    return
                if way == "up" and weather.mute_after and weather.mute_after in data:
                    pipe.is_mute = True
                if way in weather.silent:
                    self.felt[f"silent {way}"] += 1
                    continue
                if way == "down" and pipe.is_mute:
                    self.felt["mute_after"] += 1
                    continue
                if weather.latency_s or weather.jitter_s:
                    self.felt["latency_s"] += 1
                    await asyncio.sleep(weather.latency_s + weather.jitter_s * self._dice.random())
                await self._hand_on(data, target)
                if way == "up":
                    pipe.sent_up += len(data)
                    if weather.cut_after and pipe.sent_up >= weather.cut_after:
                        self.felt["cut_after"] += 1
                        return
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            self._pipes.discard(pipe)
            pipe.cut()

    async def _hand_on(self, data: bytes, target: asyncio.StreamWriter) -> None:
        size = self.weather.slice_bytes or len(data)
        for at in range(0, len(data), size):
            piece = data[at : at + size]
            target.write(piece)
            await target.drain()
            if len(piece) < len(data):
                self.felt["slice_bytes"] += 1
            if self.weather.bytes_per_s:
                self.felt["bytes_per_s"] += 1
                await asyncio.sleep(len(piece) / self.weather.bytes_per_s)
            elif self.weather.slice_bytes:
                await asyncio.sleep(0)
