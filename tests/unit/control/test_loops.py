"""Loops that go on whatever happens to them."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest

from seawall_control.services.loops import kept_going


async def test_a_loop_that_fails_unexpectedly_begins_anew(caplog: pytest.LogCaptureFixture) -> None:
    """And its failure is on record; without this the rules of alerts could stop being asked unnoticed."""
    begun: list[int] = []

    async def work() -> None:
        begun.append(len(begun))
        if len(begun) < 3:
            raise ZeroDivisionError("nobody expected this")
        task.cancel()
        await asyncio.Event().wait()

    task = asyncio.create_task(kept_going("rules", work, again_s=0.001))
    async with asyncio.timeout(60):
        await asyncio.wait({task})
    assert begun == [0, 1, 2]
    failed = [record for record in caplog.records if record.exc_info]
    assert [record.__dict__["fields"]["loop"] for record in failed] == ["rules", "rules"]


@pytest.mark.parametrize("end", ["returns", "is cancelled by what it waits for"])
async def test_a_loop_that_ends_in_silence_begins_anew(end: str, caplog: pytest.LogCaptureFixture) -> None:
    """Neither is an error, and nobody would see that it is gone."""
    begun = 0

    async def work() -> None:
        nonlocal begun
        begun += 1
        if begun == 3:
            await asyncio.Event().wait()
        elif end != "returns":
            waited_for = asyncio.get_running_loop().create_future()
            waited_for.cancel()
            await waited_for

    task = asyncio.create_task(kept_going("rules", work, again_s=0.001))
    async with asyncio.timeout(60):
        while begun < 3:  # noqa: ASYNC110 - the loop under test tells nobody
            await asyncio.sleep(0.001)
    assert [record.__dict__["fields"]["loop"] for record in caplog.records] == ["rules", "rules"]
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_the_pause_grows_to_its_bound(caplog: pytest.LogCaptureFixture) -> None:
    """A loop that fails at once must not fill the log."""
    at: list[float] = []
    loop = asyncio.get_running_loop()

    async def work() -> None:
        at.append(loop.time())
        if len(at) == 6:
            task.cancel()
            await asyncio.Event().wait()
        raise OSError("again")

    task = asyncio.create_task(kept_going("x", work, again_s=0.01, longest_s=0.08))
    await asyncio.wait({task}, timeout=60)
    pauses = [record.__dict__["fields"]["in_s"] for record in caplog.records]
    assert pauses == [0.01, 0.02, 0.04, 0.08, 0.08]
    # The loop's clock may wake it a tick early.
    assert all(two - one > 0.9 * pause for (one, two), pause in zip(pairwise(at), pauses, strict=True))


async def test_cancelling_ends_it() -> None:
    """As the shutdown does."""

    async def work() -> None:
        await asyncio.Event().wait()

    task = asyncio.create_task(kept_going("x", work))
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
