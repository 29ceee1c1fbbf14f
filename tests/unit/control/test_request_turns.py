"""Requests with one id take turns."""

from __future__ import annotations

import asyncio

from seawall_control.domain.access import Caller, Role
from seawall_control.domain.requests import Asked
from seawall_control.services.edge import SystemClock
from seawall_control.services.requests import Requests
from seawall_control.store.memory import MemoryStore

ANN = Caller("ann", "token", frozenset({Role.ADMIN}), "127.0.0.1")


async def test_one_at_a_time_however_many_come() -> None:
    """Also one that comes just when another has ended and the next one has not gone on yet."""
    requests = Requests(MemoryStore(), SystemClock())
    asked = Asked.of(
        ANN, "6f0a2f6e-0000-4000-8000-000000000001", "/m", b"", call="1", at_us=requests.now_us()
    )
    ends = [asyncio.Event() for _ in range(3)]
    inside: list[int] = []

    async def request(number: int) -> None:
        async with requests.turn(asked):
            inside.append(number)
            await ends[number].wait()
            inside.remove(number)

    first, second = asyncio.create_task(request(0)), asyncio.create_task(request(1))
    await asyncio.sleep(0)
    ends[0].set()
    await first
    third = asyncio.create_task(request(2))
    for _ in range(10):
        await asyncio.sleep(0)
    assert inside == [1]
    ends[1].set()
    ends[2].set()
    await asyncio.gather(second, third)
    assert inside == []
    assert requests._running == {}
