"""F30: a copy taken while the control plane writes, and a store that is put back to an older point."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from seawall.client import AsyncSeawall
from tests.faults.trial import LONG, Trial, eventually
from tests.integration.control.kit import until
from tests.kit.processes import ROOT, environment

pytestmark = [pytest.mark.integration, pytest.mark.slow]


async def command(*arguments: str | Path) -> str:
    """Run the `seawall` command to its end; return what it said."""

    def run() -> str:
        words = [sys.executable, "-m", "seawall", *map(str, arguments)]
        done = subprocess.run(
            words, cwd=ROOT, env=environment(), capture_output=True, text=True, check=False, timeout=60
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return await asyncio.to_thread(run)


async def test_f30_copy_under_writes_and_restore_to_an_older_point(trial: Trial) -> None:
    """Numbers of policies go on above all that proxies have had, with the content of the copy; what was
    acknowledged after the copy is sent again, and nothing is there twice.
    """
    upstream = trial.upstream()
    control = trial.control()
    link = trial.link()
    config = trial.stand.policy(trial.document(upstream))
    await trial.apply(config)
    one = trial.proxy(config, link, "one")
    await trial.in_force(one, 1)
    data = trial.stand.folder / "control"
    copy = trial.stand.folder / "copy.db"
    async with trial.callers() as callers:
        await callers.until(100)
        await command("backup", copy, "--data-dir", data)
        await callers.until(100)
        for timeout in ("99s", "98s", "97s"):
            await trial.apply(trial.stand.policy(trial.document(upstream, timeout=timeout), "next.yaml"))
        await trial.in_force(one, 4)
        await callers.until(50)
        trial.fault("killed, and put back to the copy")
        control.child.kill()
        await callers.until(50)
        await command("restore", copy, "--data-dir", data)
        trial.note("restored")
        control = await asyncio.to_thread(trial.control)
        async with AsyncSeawall(control.grpc) as seawall:

            async def renumbered() -> bool:
                newest = await seawall.policies.revision()
                return newest.revision > 4

            await until(renumbered, what="the content of the copy has a new number")
            newest = await seawall.policies.revision()
            first = await seawall.policies.revision(1)
            assert (newest.revision, newest.hash) == (5, first.hash)
            trial.published(newest.revision, newest.hash)
            trial.note("healed", revision=5, nodes=["one"])
            await trial.in_force(one, 5)
            await callers.until(50)
            kinds = {event.error_type async for event in seawall.events.list("kind = SYSTEM", limit=1000)}
            assert "policy_renumbered" in kinds
            assert "events_elsewhere" not in kinds
    await trial.delivered(one)
    assert one.child.terminate() == 0
    assert control.child.terminate() == 0
    trial.collect("one")
    trial.verdict("I1", "I2", "I3", "I4", "I7", "I8")


@pytest.mark.parametrize("restarted", [False, True], ids=["idle", "restarted"])
async def test_f30_idle_proxies_are_asked_at_once(trial: Trial, restarted: bool) -> None:
    """No call is made after the restore: what was acknowledged after the copy comes back all the same, also
    from a proxy that has started anew since.
    """
    proxy, link = await trial.follow()
    control = trial.running
    assert control is not None
    data = trial.stand.folder / "control"
    copy = trial.stand.folder / "copy.db"
    async with trial.callers() as callers:
        await callers.until(60)
        await command("backup", copy, "--data-dir", data)
        await callers.until(60)
    await trial.delivered(proxy)
    trial.fault("killed, and put back to the copy")
    control.child.kill()
    if restarted:
        assert await asyncio.to_thread(proxy.child.terminate) == 0
    await command("restore", copy, "--data-dir", data)
    trial.note("restored")
    await asyncio.to_thread(trial.control)
    if restarted:
        config = trial.stand.policy(trial.document(trial.upstream_address))
        proxy = await asyncio.to_thread(trial.proxy, config, link)

    async def is_whole() -> bool:
        async with AsyncSeawall(f"127.0.0.1:{trial.control_port}") as seawall:
            found = [event async for event in seawall.events.list('proxy = "one"', limit=1000)]
        return sum(bool(event.job_id) for event in found) >= callers.answered

    await until(is_whole, what="all events are there")
    await trial.delivered(proxy)
    await trial.end(proxy)
    verdict = trial.verdict("I1", "I2", "I3")
    assert verdict.figures["declared"] == 0


@LONG
async def test_f30_a_new_store_goes_on_above_what_proxies_have(trial: Trial) -> None:
    """The data directory is gone altogether: the first policy that is applied gets a number above the one in
    effect, and the way back leads to content, not to numbers.
    """
    upstream = trial.upstream()
    control = trial.control()
    link = trial.link()
    config = trial.stand.policy(trial.document(upstream))
    await trial.apply(config)
    other = trial.stand.policy(trial.document(upstream, timeout="89s"), "other.yaml")
    await trial.apply(other)
    proxy = trial.proxy(config, link)
    await trial.in_force(proxy, 2)
    trial.fault("the data directory is gone")
    control.child.kill()
    shutil.rmtree(trial.stand.folder / "control")
    control = await asyncio.to_thread(trial.control)
    trial.note("restored")
    await eventually(lambda: proxy.status()["control"]["connects"] >= 2, "the proxy is back")
    assert await trial.apply(config) == 3
    await trial.in_force(proxy, 3)
    assert await trial.apply(other) == 4
    async with AsyncSeawall(control.grpc) as seawall:
        back = await seawall.policies.rollback()
        assert (back.revision, back.rollback_of) == (5, 3)
        trial.published(5, back.hash)
        trial.note("healed", revision=5, nodes=["one"])
    await trial.in_force(proxy, 5)
    assert proxy.child.terminate() == 0
    assert control.child.terminate() == 0
    trial.collect("one")
    trial.verdict("I4", "I7")
