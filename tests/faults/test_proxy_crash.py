"""F1: the proxy is killed at random moments, again and again."""

from __future__ import annotations

import asyncio
import random
from time import monotonic

import pytest

from tests.faults.trial import Trial, times

pytestmark = [pytest.mark.integration, pytest.mark.slow]


async def test_f1_proxy_killed_at_random_moments(trial: Trial) -> None:
    """Under load, killed after 0 to 2 s, started again: no acknowledged event is lost, none is stored twice,
    what was lost is declared, and calls are served at once after each start.
    """
    dice = random.Random(1)
    _, upstream = trial.stand.upstream()
    control = trial.control()
    link = trial.link()
    config = trial.stand.policy(trial.document(upstream))
    await trial.apply(config)
    proxy = trial.proxy(config, link)
    await trial.in_force(proxy, 1)
    async with trial.callers() as callers:
        for _ in range(times(4, 500)):
            await asyncio.sleep(dice.uniform(0, 2))
            trial.fault("proxy killed")
            proxy.child.kill()
            began = monotonic()
            proxy = await asyncio.to_thread(trial.proxy, config, link)
            await callers.until(1)
            status = proxy.status()
            trial.note(
                "booted",
                node="one",
                source=status["policy"]["source"],
                away=True,
                served=True,
                ready_s=monotonic() - began,
            )
    await trial.delivered(proxy)
    assert proxy.child.terminate() == 0
    assert control.child.terminate() == 0
    trial.collect("one")
    trial.verdict("I1", "I2", "I3", "I4", "I6", "I8")
