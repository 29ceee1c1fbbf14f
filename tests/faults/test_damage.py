"""F8: files with flipped bits, without their end, with zeros at their end, and in each other's place."""

from __future__ import annotations

import asyncio
import random
import shutil
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from time import monotonic

import pytest

from seawall.v1 import event_pb2
from seawall_proxy.telemetry.spool.format import ENTRY_BYTES, HEADER_BYTES
from tests.faults.trial import Trial, eventually, times
from tests.kit.history.sides import look_into
from tests.kit.stand import Proxy

pytestmark = [pytest.mark.integration, pytest.mark.slow]


def flip(path: Path, dice: random.Random, bits: int = 20, share: float = 1.0) -> None:
    """Turn some bits of a file over, or of its first part."""
    data = bytearray(path.read_bytes())
    for _ in range(bits):
        data[dice.randrange(int(len(data) * share))] ^= 1 << dice.randrange(8)
    path.write_bytes(data)


def shorten(path: Path, dice: random.Random) -> None:
    """Cut the end of a file off."""
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.truncate(dice.randrange(size // 2, size))


def blank(path: Path, dice: random.Random) -> None:
    """Fill the end of a file with zeros, as a file system may after a power cut."""
    data = bytearray(path.read_bytes())
    start = dice.randrange(len(data) // 2, len(data))
    data[start:] = bytes(len(data) - start)
    path.write_bytes(data)


def swap(one: Path, other: Path) -> None:
    """Put two files in each other's place."""
    aside = one.with_name("aside")
    one.rename(aside)
    other.rename(one)
    aside.rename(other)


def sorted_out(spool: Path, before: dict[Path, bytes]) -> tuple[list[str], list[str]]:
    """Return the ids of the events that waited in a spool: of those whose bytes, and whose segment's header,
    are still what they were, and of the others.
    """
    with tempfile.TemporaryDirectory() as scratch:
        whole = Path(scratch) / "spool"
        shutil.copytree(spool, whole)
        for path, data in before.items():
            (whole / path.name).write_bytes(data)
        _, batch = look_into(whole)
    after = {path: path.read_bytes() for path in before}
    waiting: set[str] = set()
    held: set[str] = set()
    for _, payload in () if batch is None else batch.events:
        event_id = event_pb2.ErrorEvent.FromString(payload).id
        waiting.add(event_id)
        for path, old in before.items():
            end = old.find(payload) + len(payload)
            start = end - len(payload) - ENTRY_BYTES
            if start < HEADER_BYTES:
                continue
            new = after[path]
            if new[:HEADER_BYTES] == old[:HEADER_BYTES] and new[start:end] == old[start:end]:
                held.add(event_id)
    return sorted(held), sorted(waiting - held)


def waits(proxy: Proxy, least: int) -> bool:
    """Tell whether so many events are in the spool of a proxy, to be delivered."""
    spool = proxy.status()["control"]["spool"]
    return spool is not None and int(spool["depth"]) >= least


Harm = Callable[[Path, random.Random], None]
HARMS: dict[str, Harm] = {"flipped bits": flip, "cut off": shorten, "zeros at the end": blank}


async def test_f8_damaged_spools(trial: Trial) -> None:
    """Segments and marks of a proxy's spool are damaged between two runs: what is delivered is what was
    recorded, once, what is missing is declared, and what no damage has reached is not missing.
    """
    dice = random.Random(8)
    proxy, link = await trial.follow()
    config = trial.stand.folder / "policy.yaml"
    spool = trial.stand.folder / "data" / "proxies" / "one" / "spool"
    async with trial.callers() as callers:
        for name, harm in list(HARMS.items()) * times(1, 10):
            link.weather.refuse = True
            link.cut()
            await callers.until(100)
            await eventually(partial(waits, proxy, 100), "they are in the spool")
            trial.fault(name)
            proxy.child.kill()
            files = [*sorted(spool.glob("*.seg")), spool / "mark"]
            before = {path: path.read_bytes() for path in files}
            harm(files[-2], dice)
            if dice.random() < 0.5:
                harm(spool / "mark", dice)
            assert files[-2].read_bytes() != before[files[-2]], "nothing is damaged"
            trial.held("one", *await asyncio.to_thread(sorted_out, spool, before))
            link.weather.refuse = False
            proxy = await asyncio.to_thread(trial.proxy, config, link)
    await trial.delivered(proxy)
    await trial.end(proxy)
    trial.verdict("I1", "I2", "I3")


async def test_f8_lost_marks(trial: Trial) -> None:
    """The mark of a proxy's spool is gone, and bits of what waits are flipped: nobody knows any more which
    numbers were given out. What no damage has reached is delivered, and the rest is declared.
    """
    dice = random.Random(10)
    proxy, link = await trial.follow()
    config = trial.stand.folder / "policy.yaml"
    spool = trial.stand.folder / "data" / "proxies" / "one" / "spool"
    async with trial.callers() as callers:
        for _ in range(times(1, 5)):
            link.weather.refuse = True
            link.cut()
            await callers.until(100)
            await eventually(partial(waits, proxy, 100), "they are in the spool")
            trial.fault("no mark, and flipped bits")
            proxy.child.kill()
            last = max(spool.glob("*.seg"))
            before = {path: path.read_bytes() for path in [*spool.glob("*.seg"), spool / "mark"]}
            # Not at its end: how much was there, nobody could tell without the mark.
            flip(last, dice, bits=5, share=0.8)
            trial.held("one", *await asyncio.to_thread(sorted_out, spool, before))
            (spool / "mark").unlink()
            link.weather.refuse = False
            proxy = await asyncio.to_thread(trial.proxy, config, link)
    await trial.delivered(proxy)
    await trial.end(proxy)
    verdict = trial.verdict("I1", "I2", "I3")
    assert verdict.figures["declared"] > 0


async def test_f8_damaged_policies(trial: Trial) -> None:
    """The last good policy of a proxy is damaged while it is down and its control plane away: it starts from
    the one before, or from its file, never from what is damaged, and never goes back behind what it had when
    two good files are in each other's place.
    """
    dice = random.Random(9)
    proxy, link = await trial.follow()
    config = trial.stand.folder / "policy.yaml"
    for timeout in ("99s", "98s"):
        revision = await trial.apply(
            trial.stand.policy(trial.document(trial.upstream_address, timeout=timeout), "next.yaml")
        )
        await trial.in_force(proxy, revision)
    await trial.end(proxy, collect=False)
    folder = trial.stand.folder / "data" / "proxies" / "one"
    kept = trial.stand.folder / "kept"
    shutil.copytree(folder, kept)
    current, previous = folder / "last_good.pb", folder / "last_good.previous.pb"

    async def starts(source: str, revision: int) -> None:
        began = monotonic()
        started = await asyncio.to_thread(trial.proxy, config, link)
        async with trial.callers(name=f"c{began}") as callers:
            await callers.until(3)
        policy = started.status()["policy"]
        trial.note(
            "booted", node="one", source=policy["source"], away=True, served=True, ready_s=monotonic() - began
        )
        assert (policy["source"], policy["revision"]) == (source, revision), started.child.log()
        started.child.kill()
        shutil.rmtree(folder)
        shutil.copytree(kept, folder)

    trial.fault("swapped")
    swap(current, previous)
    await starts("last_good", 3)
    for name, harm in list(HARMS.items())[: times(1, 3)]:
        trial.fault(f"{name}: the newest")
        harm(current, dice)
        await starts("last_good", 2)
    trial.fault("both")
    flip(current, dice)
    shorten(previous, dice)
    await starts("file", 0)
    trial.verdict("I6", "I8")
