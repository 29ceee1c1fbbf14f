"""F9, F10, F11: the control plane is away, flaps, or its network is slow, narrow, torn or deaf."""

from __future__ import annotations

import asyncio
import signal
from dataclasses import replace
from functools import partial
from time import monotonic

import pytest

from tests.faults.trial import LONG, Trial, eventually, times
from tests.kit.link import Link, Weather
from tests.kit.stand import Proxy

pytestmark = [pytest.mark.integration, pytest.mark.slow]

WEATHER = {
    "latency and jitter": (Weather(latency_s=0.1, jitter_s=0.1), {"latency_s": 3}),
    "bandwidth": (Weather(bytes_per_s=30_000), {"bytes_per_s": 3}),
    "slicer": (Weather(slice_bytes=3), {"slice_bytes": 100}),
    "limit of data": (Weather(cut_after=20_000), {"cut_after": 1}),
    "lost acknowledgements": (Weather(lose_acks=3), {"lose_acks": 3}),
    "one way: nothing comes back": (Weather(silent={"down"}), {"silent down": 1}),
    "one way: nothing gets there": (Weather(silent={"up"}), {"silent up": 1}),
    "black hole": (Weather(silent={"up", "down"}), {"silent up": 1}),
    "down": (Weather(refuse=True), {"refuse": 1}),
}
"""What the weather is, and how often it must have been felt: there is no proof in what nobody noticed."""


def is_felt(link: Link, wanted: dict[str, int]) -> bool:
    """Tell whether each kind of weather was felt so often."""
    return all(link.felt[kind] >= least for kind, least in wanted.items())


async def passes(trial: Trial, proxy: Proxy, link: Link, timeout: int) -> None:
    """The weather is good again: a new policy arrives, and so do the events."""
    link.weather = Weather()
    link.cut()
    name = f"next-{timeout}.yaml"
    revision = await trial.apply(
        trial.stand.policy(trial.document(trial.upstream_address, timeout=f"{timeout}s"), name)
    )
    trial.note("healed", revision=revision, nodes=["one"])
    await trial.in_force(proxy, revision)


async def test_f10_f11_bad_networks(trial: Trial) -> None:
    """Whatever the network does to the link, calls are answered as the server answers them, and afterwards
    policies and events are through, once.
    """
    proxy, link = await trial.follow()
    timeout = 101
    async with trial.callers(rate=100) as callers:
        for name, (weather, felt) in WEATHER.items():
            trial.fault(name)
            link.felt.clear()
            link.weather = replace(weather, silent=set(weather.silent))
            if name == "down":
                link.cut(reset=True)
            await callers.until(times(30, 300))
            await eventually(partial(is_felt, link, felt), f"{name} is felt")
            timeout += 1
            await passes(trial, proxy, link, timeout)
        assert callers.failed_otherwise == 0
    await trial.delivered(proxy)
    await trial.end(proxy)
    trial.verdict("I1", "I2", "I3", "I4", "I7", "I8")


@LONG
@pytest.mark.parametrize("silent", [("up", "down"), ("down",), ("up",)], ids=["both", "down", "up"])
async def test_f10_a_black_hole_is_found(trial: Trial, silent: tuple[str, ...]) -> None:
    """By pings, within 30 s and 10 s more, with nobody but them to notice."""
    proxy, link = await trial.follow()
    trial.fault(f"black hole: {', '.join(silent)}")
    link.weather = Weather(silent=set(silent))  # type: ignore[arg-type]
    began = monotonic()
    await eventually(
        lambda: not proxy.status()["control"]["connected"], "the black hole is found", 30 + 10 + 15
    )
    assert monotonic() - began < 30 + 10 + 5
    await passes(trial, proxy, link, 102)
    await trial.end(proxy)
    trial.verdict("I4", "I7")


async def test_f9_no_control_plane_at_the_start_then_one_that_flaps(trial: Trial) -> None:
    """A proxy that starts without its control plane serves from what it has; one that comes and goes every
    few seconds costs no call anything, and is not run into.
    """
    proxy, link = await trial.follow()
    await trial.end(proxy, collect=False)
    trial.fault("no control plane at the start")
    config = trial.stand.folder / "policy.yaml"
    for node, source in (("two", "file"), ("one", "last_good")):
        began = monotonic()
        proxy = await asyncio.to_thread(trial.proxy, config, link, node)
        async with trial.callers(name=f"away-{node}") as callers:
            await callers.until(20)
        assert proxy.status()["policy"]["source"] == source
        trial.note("booted", node=node, source=source, away=True, served=True, ready_s=monotonic() - began)
        if node == "two":
            assert await asyncio.to_thread(proxy.child.terminate) == 0
    before = link.accepted
    async with trial.callers(rate=100) as callers:
        began = monotonic()
        for round_ in range(times(2, 20)):
            control = await asyncio.to_thread(trial.control)
            await callers.until(50)
            trial.fault("frozen" if round_ % 2 else "killed")
            if round_ % 2:
                control.child.process.send_signal(signal.SIGSTOP)
                await callers.until(100)
                control.child.process.send_signal(signal.SIGCONT)
                await callers.until(20)
            control.child.kill()
            await callers.until(50)
        took = monotonic() - began
        assert callers.failed_otherwise == 0
        # The first attempt after a loss is quick, later ones wait longer and longer, up to 5 s.
        assert link.accepted - before < 3 + 3 * took
        await asyncio.to_thread(trial.control)
        revision = await trial.apply(
            trial.stand.policy(trial.document(trial.upstream_address, timeout="102s"), "next.yaml")
        )
        trial.note("healed", revision=revision, nodes=["one"])
        await trial.in_force(proxy, revision)
    await trial.delivered(proxy)
    await trial.end(proxy)
    trial.collect_spool("two")
    trial.verdict("I3", "I4", "I6", "I7", "I8")
