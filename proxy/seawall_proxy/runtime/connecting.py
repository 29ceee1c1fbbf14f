"""Opening a TCP connection to a name: its addresses are tried in turn, overlapping (RFC 8305).

A name with one dead address of two must not use up the whole time for connecting. The families take turns,
and the next address is tried 250 ms after the one before, or at once when that has failed. What connects
first is kept.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

NEXT_TRY_S: Final = 0.25
"""RFC 8305 section 5 recommends 250 ms."""
MAX_ADDRESSES: Final = 16

Address = tuple[str, int] | tuple[str, int, int, int] | tuple[int, bytes]
Info = tuple[socket.AddressFamily, socket.SocketKind, int, str, Address]
LookUp = Callable[[str, int], Awaitable[list[Info]]]
"""Gives the addresses of a host. Raises OSError and UnicodeError."""


def interleave(infos: Sequence[Info]) -> list[Info]:
    """Return at most 16 addresses in the resolver's order, families by turns (RFC 8305 section 4)."""
    by_family: dict[int, list[Info]] = {}
    for info in infos:
        by_family.setdefault(info[0], []).append(info)
    queues = list(by_family.values())
    result: list[Info] = []
    turn = 0
    while len(result) < min(len(infos), MAX_ADDRESSES):
        result.extend(queue[turn] for queue in queues if turn < len(queue))
        turn += 1
    return result[:MAX_ADDRESSES]


async def open_socket(
    loop: asyncio.AbstractEventLoop, host: str, port: int, look_up: LookUp
) -> socket.socket:
    """Return a connected socket; raises OSError, for several addresses the first one's."""
    waiting = interleave(await look_up(host, port))
    if not waiting:
        raise OSError(f"{host} has no address")
    if len(waiting) == 1:
        return await _connect(loop, waiting[0])
    return await _race(loop, waiting)


async def _race(loop: asyncio.AbstractEventLoop, waiting: list[Info]) -> socket.socket:
    tries: set[asyncio.Task[socket.socket]] = set()
    failure: OSError | None = None
    try:
        while waiting or tries:
            if waiting:
                tries.add(loop.create_task(_connect(loop, waiting.pop(0))))
            done, tries = await asyncio.wait(
                tries, timeout=NEXT_TRY_S if waiting else None, return_when=asyncio.FIRST_COMPLETED
            )
            winner, failure = _judge(done, failure)
            if winner is not None:
                return winner
    finally:
        for task in tries:
            task.cancel()
            task.add_done_callback(_close)
    assert failure is not None
    raise failure


def _judge(
    done: set[asyncio.Task[socket.socket]], failure: OSError | None
) -> tuple[socket.socket | None, OSError | None]:
    """Return the connected socket, if there is one, and the first failure."""
    winner: socket.socket | None = None
    for task in done:
        error = task.exception()
        if error is None and winner is None:
            winner = task.result()
        elif error is None:
            task.result().close()
        elif isinstance(error, OSError):
            failure = failure or error
        else:
            raise error
    return winner, failure


async def _connect(loop: asyncio.AbstractEventLoop, info: Info) -> socket.socket:
    family, kind, proto, _, address = info
    sock = socket.socket(family, kind, proto)
    try:
        sock.setblocking(False)
        await loop.sock_connect(sock, address)
    except BaseException:
        sock.close()
        raise
    return sock


def _close(task: asyncio.Task[socket.socket]) -> None:
    if not task.cancelled() and task.exception() is None:
        task.result().close()
