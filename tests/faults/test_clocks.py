"""F20: the wall clocks of proxy and control plane jump."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path

import pytest

from tests.faults.trial import Trial, eventually
from tests.kit.offset_clock import OffsetClock, built
from tests.kit.stand import Proxy

pytestmark = [pytest.mark.integration, pytest.mark.slow]

HOUR_S = 3600
DAY_S = 24 * HOUR_S


@pytest.fixture
def library(tmp_path: Path) -> Path:
    """The library that clocks are off with, compiled."""
    return built(tmp_path)


def has_answers(proxy: Proxy, produced: int) -> bool:
    """Tell whether the control plane has stored or refused so many events of a proxy."""
    link = proxy.status()["control"]
    return int(link["events_acked"]) + int(link["events_refused"]) >= produced


async def test_f20_clocks_jump(trial: Trial, library: Path) -> None:
    """Forward, back, by an hour, by more than a year, one side's, both sides': calls go on, policies arrive,
    what is acknowledged is stored once; and events from beyond tomorrow are refused by number, not lost.
    """
    here, there = (
        OffsetClock(library, trial.stand.folder / name) for name in ("proxy.clock", "control.clock")
    )
    trial.proxy_env, trial.control_env = here.env, there.env
    proxy, _ = await trial.follow()
    timeout = 101
    async with trial.callers(rate=100) as callers:
        for ours, theirs in (
            (HOUR_S, 0),
            (HOUR_S, -HOUR_S),
            (-HOUR_S, HOUR_S),
            (0, 0),
            (400 * DAY_S, 0),
            (400 * DAY_S, 400 * DAY_S),
            (0, 400 * DAY_S),
            (0, 0),
        ):
            trial.fault(f"proxy {ours:+} s, control plane {theirs:+} s")
            here.set(ours)
            there.set(theirs)
            await callers.until(20)
            timeout += 1
            document = trial.document(trial.upstream_address, timeout=f"{timeout}s")
            revision = await trial.apply(trial.stand.policy(document, "next.yaml"))
            trial.note("healed", revision=revision, nodes=["one"])
            await trial.in_force(proxy, revision)
            # What is recorded until now is delivered under these clocks.
            produced = int((await asyncio.to_thread(proxy.status))["events_produced"])
            await eventually(partial(has_answers, proxy, produced), "what was recorded is answered")
        assert callers.failed_otherwise == 0
    await trial.delivered(proxy)
    await trial.end(proxy)
    verdict = trial.verdict("I1", "I2", "I3", "I4", "I7", "I8")
    assert verdict.figures["refused"] > 0, "events from beyond tomorrow"
