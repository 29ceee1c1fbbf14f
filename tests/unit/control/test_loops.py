"""Loops that go on whatever happens to them."""

from __future__ import annotations

import asyncio

import pytest

from seawall_control.services.loops import kept_going


async def test_a_loop_that_fails_unexpectedly_begins_anew(caplog: pytest.LogCaptureFixture) -> None:
    """And its failure is on record; without this the rules of alerts could stop being asked unnoticed."""
    begun: list[int] = []

    async def work() -> None:
        begun.append(len(begun))
        if len(begun) < 3:
            raise ZeroDivisionError("nobody expected this")

    async with asyncio.timeout(5):
        await kept_going("rules", work, again_s=0.001)
    assert begun == [0, 1, 2]
    failed = [record for record in caplog.records if record.exc_info]
    assert [record.__dict__["fields"]["loop"] for record in failed] == ["rules", "rules"]


async def test_the_pause_grows_to_its_bound() -> None:
    """A loop that fails at once must not fill the log."""
    at: list[float] = []

    async def work() -> None:
        at.append(asyncio.get_running_loop().time())
        raise OSError("again")

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.5):
            await kept_going("x", work, again_s=0.01, longest_s=0.08)
    assert 5 <= len(at) <= 10, "0.01, 0.02, 0.04, and 0.08 from then on"


async def test_cancelling_ends_it() -> None:
    """As the shutdown does."""

    async def work() -> None:
        await asyncio.Event().wait()

    task = asyncio.create_task(kept_going("x", work))
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
