"""Followers of the live stream: bounded, and told what they missed."""

from __future__ import annotations

import time

import pytest

from seawall_control.domain.errors import ShuttingDown, TooManyStreams
from seawall_control.domain.events import Event, Severity
from seawall_control.domain.filters import EVERYTHING, parse
from seawall_control.services.tail import FOLLOWERS, QUEUE, Hub


def event(number: int, severity: Severity = Severity.LOW) -> Event:
    """Return an event."""
    return Event(id=str(number), timestamp_us=number, severity=severity, component="c")


async def test_slow_follower_loses_the_oldest_and_is_told_how_many() -> None:
    """Queued = the newest; sent + skipped = everything that matched; nobody else is slowed down."""
    hub = Hub()
    slow, picky = hub.follow(EVERYTHING), hub.follow(parse("severity = HIGH"))
    hub.publish(event(i) for i in range(QUEUE + 7))
    hub.publish([event(-1, Severity.HIGH)])
    first, missed = await slow.next()
    assert (first.id, missed) == ("8", 8)
    assert await slow.next() == (event(9), 0)
    assert await picky.next() == (event(-1, Severity.HIGH), 0)
    assert hub.skipped == 8


async def test_closed_stream_sends_what_waits_and_ends() -> None:
    """At the end a follower gets what is queued, and then why there is no more."""
    hub = Hub()
    follower = hub.follow(EVERYTHING)
    hub.publish([event(1)])
    hub.close(ShuttingDown("bye"))
    assert await follower.next() == (event(1), 0)
    with pytest.raises(ShuttingDown):
        await follower.next()


async def test_followers_are_bounded_and_leave() -> None:
    """One more than the bound is refused, until one leaves."""
    hub = Hub()
    followers = [hub.follow(EVERYTHING) for _ in range(FOLLOWERS)]
    with pytest.raises(TooManyStreams):
        hub.follow(EVERYTHING)
    hub.leave(followers[0])
    hub.leave(followers[0])
    hub.follow(EVERYTHING)
    assert len(hub) == FOLLOWERS


async def test_readers_of_one_view_cost_what_one_does() -> None:
    """Whoever stores events waits for this: a filter is asked once for all that have it."""
    hub = Hub()
    view = 'severity = HIGH AND component = c AND NOT message:"refused"'
    followers = [hub.follow(parse(view)) for _ in range(FOLLOWERS)]
    began = time.thread_time()
    hub.publish([event(i, Severity.HIGH) for i in range(500)] + [event(-1)])
    assert time.thread_time() - began < 0.3
    for follower in followers:
        assert await follower.next() == (event(0, Severity.HIGH), 0)
        hub.leave(follower)
    assert len(hub) == 0 and not hub._questions
