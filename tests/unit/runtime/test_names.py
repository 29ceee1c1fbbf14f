"""Looking up names: one thread for each, a bound on them, and one answer for all who ask."""

from __future__ import annotations

import asyncio
import socket

import pytest

from seawall_proxy.runtime.names import Names


async def test_an_address_is_its_own_answer() -> None:
    """In either family, without a thread; its port is kept."""
    names = Names(most=0)
    assert [info[4][:2] for info in await names.look_up("192.0.2.7", 81)] == [("192.0.2.7", 81)]
    assert [info[4][:2] for info in await names.look_up("2001:db8::1", 82)] == [("2001:db8::1", 82)]


async def test_who_asks_at_once_gets_one_answer() -> None:
    """Whoever gives up takes it from nobody, and nothing is remembered afterwards."""
    names = Names()
    asking = [asyncio.ensure_future(names.look_up("localhost", 80)) for _ in range(3)]
    await asyncio.sleep(0)
    assert len(names._asked) == 1
    asking[0].cancel()
    first, second = [await one for one in asking[1:]]
    assert first is second
    assert {info[1] for info in first} == {socket.SOCK_STREAM}
    assert {info[4][:2] for info in first} & {("127.0.0.1", 80), ("::1", 80)}
    assert names._asked == {}


async def test_more_names_than_threads_wait_for_their_turn() -> None:
    """Each is answered; what is no name is refused."""
    names = Names(most=1)
    wanted = [names.look_up("localhost", port) for port in range(1, 9)]
    found = await asyncio.gather(*wanted, names.look_up("not..a.name", 1), return_exceptions=True)
    assert isinstance(found.pop(), OSError | UnicodeError)
    assert [one[0][4][1] for one in found if not isinstance(one, BaseException)] == list(range(1, 9))
    assert not names._waiting
    assert names._threads <= 1


async def test_what_cannot_be_looked_up_says_so() -> None:
    """As the system says it; the next one asks anew."""
    names = Names()
    for _ in range(2):
        with pytest.raises((OSError, UnicodeError)):
            await names.look_up("x" * 70 + ".invalid", 1)
    assert names._asked == {}
