"""F16, and F1 with workers: those who carry calls are killed, alone or together with the one in front, which
is killed also at the moments when what it has numbered and what it has said of it differ.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
from functools import partial
from pathlib import Path

import psutil
import pytest

from seawall_proxy.telemetry.spool import WORKER_DIED
from tests.faults.trial import Trial, eventually, times
from tests.kit.history import read
from tests.kit.link import Link
from tests.kit.processes import PATIENCE_S
from tests.kit.stand import Proxy
from tests.kit.strace import attached, why_not

pytestmark = [pytest.mark.integration, pytest.mark.slow]

WORKERS = ("--workers", "2", "--drain-grace", "0.2", "--drain-limit", "2")


async def begin(trial: Trial, more: tuple[str, ...] = WORKERS) -> tuple[Proxy, Path, Link]:
    """Start an upstream, a control plane and a proxy with workers that has a policy."""
    upstream = await asyncio.to_thread(trial.upstream)
    await asyncio.to_thread(trial.control)
    config = trial.stand.policy(trial.document(upstream))
    await trial.apply(config)
    link = trial.link()
    proxy = await asyncio.to_thread(trial.proxy, config, link, more=more)
    await trial.in_force(proxy, 1)
    return proxy, config, link


def pids(proxy: Proxy) -> list[int]:
    """Return the processes of the workers that serve."""
    return [worker["pid"] for worker in proxy.status()["workers"] if worker["state"] == "ready"]


def is_replaced(proxy: Proxy, killed: int) -> bool:
    """Tell whether two workers serve that are not the one that was killed."""
    serving = pids(proxy)
    return len(serving) == 2 and killed not in serving


def killed_at(proxy: Proxy, inject: str, file: Path) -> None:
    """Have a proxy killed at a system call that is about a file."""
    with attached(proxy.child.process.pid, inject, file):
        assert proxy.child.process.wait(PATIENCE_S) == -signal.SIGKILL


def being_written(proxy: Proxy) -> Path | None:
    """Return the segment that a proxy appends to, or None when it has not begun one."""
    files = psutil.Process(proxy.child.process.pid).open_files()
    return next((Path(f.path) for f in files if f.path.endswith(".seg") and f.mode != "r"), None)


def successor_of(proxy: Proxy) -> int | None:
    """Return the process that has said, after a proxy, that it is ready; None when none has."""
    lines = [json.loads(line) for line in proxy.child.log().splitlines() if '"event": "ready"' in line]
    return int(lines[-1]["pid"]) if len(lines) > 1 else None


def all_gone(workers: list[int]) -> bool:
    """Tell whether none of these processes runs."""
    return not any(map(is_running, workers))


def is_running(pid: int) -> bool:
    """Tell whether a process is there; one that has ended and that nobody has waited for is not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def judged(trial: Trial) -> None:
    """Judge it. What is missing is declared, and no more than what can be missing: calls that reached their
    server and have no stored event.
    """
    verdict = trial.verdict("I1", "I2", "I3", "I8")
    assert 0 < verdict.figures["declared"] <= verdict.figures["unstored"], verdict.report()


def judged_by_reason(trial: Trial) -> None:
    """Judge it. Whoever carries calls was not killed, so all that reached its server is recorded: what of
    that is declared has no event, and nothing else of workers is.
    """
    verdict = trial.verdict("I1", "I2", "I3", "I8")
    lost = sum(
        line["last"] - line["first"] + 1
        for line in read(trial.folder)
        if line["what"] == "gap" and line["reason"] == WORKER_DIED
    )
    assert 0 < lost <= verdict.figures["unstored"], verdict.report()


async def test_f16_workers_killed_at_random_moments(trial: Trial) -> None:
    """What a worker had recorded and not handed on is declared, exactly; the other one's calls go on."""
    dice = random.Random(2)
    proxy, _, _ = await begin(trial)
    async with trial.callers(rate=300) as callers:
        for _ in range(times(4, 30)):
            await asyncio.sleep(dice.uniform(0.1, 1.0))
            serving = await asyncio.to_thread(pids, proxy)
            killed = dice.choice(serving)
            trial.fault("worker killed")
            os.kill(killed, signal.SIGKILL)
            await eventually(partial(is_replaced, proxy, killed), "another one is in its place", 30)
        await callers.until(50)
    await trial.delivered(proxy)
    await trial.end(proxy)
    assert not list((trial.stand.folder / "data" / "proxies" / "one" / "spool").glob("worker-*"))
    judged(trial)


async def test_f1_a_proxy_with_workers_killed_at_random_moments(trial: Trial) -> None:
    """First the process in front, then its workers at once or not at all: these drain. The next run declares
    what they had recorded and nobody had numbered.
    """
    dice = random.Random(3)
    proxy, config, link = await begin(trial)
    rounds = times(4, 30)
    async with trial.callers(rate=300) as callers:
        for round_ in range(rounds):
            await asyncio.sleep(dice.uniform(0.1, 1.0))
            workers = await asyncio.to_thread(pids, proxy)
            trial.fault("proxy killed")
            proxy.child.kill()
            for pid in workers if round_ % 2 else ():
                os.kill(pid, signal.SIGKILL)
            await eventually(partial(all_gone, workers), "the workers are gone")
            proxy = await asyncio.to_thread(trial.proxy, config, link, more=WORKERS)
            await callers.until(1)
    await trial.delivered(proxy)
    await trial.end(proxy)
    judged(trial)


@pytest.mark.skipif(bool(why_not()), reason=why_not() or "strace is here")
async def test_f1_a_proxy_with_workers_killed_while_it_numbers(trial: Trial) -> None:
    """The process in front is killed at a system call: before it writes a batch, after that and before it
    notes its numbers, and when it syncs. Its workers drain, so each call that reached its server is recorded,
    and no more of what they had is declared than what has no event.
    """
    proxy, config, link = await begin(trial)
    spool = trial.stand.folder / "data" / "proxies" / "one" / "spool"
    async with trial.callers(rate=300) as callers:
        for round_ in range(times(6, 30)):
            await callers.until(20)
            workers = await asyncio.to_thread(pids, proxy)
            call = ("pwrite64", "write", "fsync")[round_ % 3]
            segment = await eventually(partial(being_written, proxy), "a segment is begun")
            file = spool / "mark" if call == "pwrite64" else segment
            trial.fault(f"proxy killed at {call}")
            inject = f"{call}:signal=KILL:when={1 + round_ // 3 % 3}"
            await asyncio.to_thread(killed_at, proxy, inject, file)
            await eventually(partial(all_gone, workers), "the workers are gone")
            proxy = await asyncio.to_thread(trial.proxy, config, link, more=WORKERS)
    await trial.delivered(proxy)
    await trial.end(proxy)
    judged_by_reason(trial)


async def test_f1_the_new_process_of_a_handover_is_killed(trial: Trial) -> None:
    """While the old one, which drains, hands on what its workers have left. What the new one has numbered
    counts, what it has not is declared by the next one; the old one's workers and its own drain.
    """
    dice = random.Random(4)
    patient = ("--workers", "2", "--drain-grace", "1", "--drain-limit", "5")
    proxy, config, link = await begin(trial, patient)
    async with trial.callers(rate=300) as callers:
        for _ in range(times(2, 20)):
            await callers.until(20)
            old = proxy.child.process.pid
            os.kill(old, signal.SIGUSR2)
            new = await eventually(partial(successor_of, proxy), "the new process is ready")
            family = [process.pid for process in psutil.Process(old).children(recursive=True)]
            await asyncio.sleep(dice.uniform(0.1, 1.0))
            trial.fault("new process killed")
            os.kill(new, signal.SIGKILL)
            assert await asyncio.to_thread(proxy.child.process.wait, PATIENCE_S) == 0
            await eventually(partial(all_gone, family), "all others are gone")
            proxy = await asyncio.to_thread(trial.proxy, config, link, more=patient)
    await trial.delivered(proxy)
    await trial.end(proxy)
    judged_by_reason(trial)
