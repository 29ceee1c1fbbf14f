"""Ends of streams that are no ends of runs."""

from __future__ import annotations

import asyncio

import pytest

from seawall_control.server import ControlPlane
from seawall_control.services.runs import PROXY
from tests.integration.control.kit import Proxy, Stubs, until

pytestmark = pytest.mark.integration


async def gone(plane: ControlPlane, node: str) -> None:
    """Wait until a proxy's stream has ended."""

    async def check() -> bool:
        return not plane.fleet.is_connected(node)

    await until(check, what="the stream has ended")


async def told(plane: ControlPlane, *wanted: str) -> None:
    """Wait until the types of all events are these, the oldest first, and a little longer."""

    async def check() -> bool:
        found = [event.error_type for event in (await plane.events.page()).events]
        return found[::-1] == [*wanted]

    await until(check, what=f"the events are {wanted}")
    await asyncio.sleep(0.3)
    assert await check()


async def test_a_stream_that_we_end_says_nothing_of_the_run(plane: ControlPlane, stubs: Stubs) -> None:
    """Its age is reached: nothing is noted, and how the run ended is not known when the next begins."""
    proxy = Proxy(stubs, "p1", says_goodbye=True)
    await proxy.hello()
    plane.fleet.sessions["p1"].ends_s = 0.0
    await gone(plane, "p1")
    await told(plane)
    assert await plane.store.document(PROXY, "p1") is None
    await Proxy(stubs, "p1", boot_id="boot-2", says_goodbye=True).hello()
    await told(plane, "proxy_restarted")
    (event,) = (await plane.events.page()).events
    assert event.details is not None
    assert event.details["ending"] == "unknown" and not event.resolved


async def test_a_stream_that_breaks_and_is_opened_again(plane: ControlPlane, stubs: Stubs) -> None:
    """The run goes on: what was noted of its end is taken back, and nobody is told."""
    proxy = Proxy(stubs, "p1", says_goodbye=True)
    await proxy.hello()
    proxy.call.cancel()
    await gone(plane, "p1")
    again = Proxy(stubs, "p1", says_goodbye=True)
    await again.hello()
    await told(plane)
    await again.say(goodbye={"reason": "SIGTERM"})
    await again.call.done_writing()
    await gone(plane, "p1")
    await told(plane, "proxy_stopped")
    await Proxy(stubs, "p1", boot_id="boot-2").hello()
    await told(plane, "proxy_stopped", "proxy_restarted")
    # It went in order: an upgrade of many proxies leaves nothing for people to resolve.
    page = await plane.events.page()
    assert all(event.resolved and event.resolution == "It went in order." for event in page.events)
    assert (await plane.events.counts()).unresolved == 0


async def test_a_proxy_of_an_older_version(plane: ControlPlane, stubs: Stubs) -> None:
    """It never says goodbye, so that it did not says nothing."""
    proxy = Proxy(stubs, "p1")
    await proxy.hello()
    proxy.call.cancel()
    await gone(plane, "p1")
    await Proxy(stubs, "p1", boot_id="boot-2").hello()
    await told(plane, "proxy_restarted")
    (event,) = (await plane.events.page()).events
    assert event.details is not None
    assert event.details["ending"] == "unknown"
