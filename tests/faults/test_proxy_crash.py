"""F1: the proxy is killed at random moments, again and again."""

from __future__ import annotations

import asyncio
import random
from time import monotonic

import pytest

from tests.faults.trial import Trial, times

pytestmark = [pytest.mark.integration, pytest.mark.slow]


KILLS = times(4, 100)


@pytest.mark.parametrize("part", range(times(1, 5)))
async def test_f1_proxy_killed_at_random_moments(trial: Trial, part: int) -> None:
    """Under load, killed after 0 to 2 s, started again: no acknowledged event is lost, none is stored twice,
    what was lost is declared, and no more than that, and calls are served at once after each start.
    """
    dice = random.Random(part)
    upstream = trial.upstream()
    control = trial.control()
    link = trial.link()
    config = trial.stand.policy(trial.document(upstream))
    await trial.apply(config)
    proxy = trial.proxy(config, link)
    await trial.in_force(proxy, 1)
    async with trial.callers() as callers:
        for _ in range(KILLS):
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
    verdict = trial.verdict("I1", "I2", "I3", "I4", "I6", "I8")
    assert verdict.findings["I6"].looked_at == verdict.figures["faults"] == KILLS
    # Nothing counts twice; but beside calls a proxy tells of its own start, and that may be lost, too.
    assert 0 < verdict.figures["declared"] <= verdict.figures["unstored"] + KILLS, verdict.report()
