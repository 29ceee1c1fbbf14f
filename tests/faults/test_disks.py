"""F4, F5, F6, F7: disks that are full, fail, are read-only, or gone."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from time import monotonic, sleep

import psutil
import pytest

from tests.faults.trial import Trial, eventually, is_full
from tests.kit.processes import PATIENCE_S, Child, http_get, wait_until
from tests.kit.stand import Control
from tests.kit.strace import attached, why_not

pytestmark = [pytest.mark.integration, pytest.mark.slow]


def mounted(target: Path, options: str) -> str:
    """Mount a file system in memory, or change it; return why that is not possible."""
    kind = [] if options.startswith("remount") else ["-t", "tmpfs"]
    source = [] if options.startswith("remount") else ["tmpfs"]
    done = subprocess.run(
        ["mount", *kind, "-o", options, *source, str(target)],
        capture_output=True, text=True, check=False, timeout=PATIENCE_S,
    )  # fmt: skip
    return "" if done.returncode == 0 else done.stderr.strip()


@pytest.fixture
def disk(trial: Trial) -> Iterator[Path]:
    """A file system of 16 MiB in the folder of the trial."""
    target = trial.stand.folder / "disk"
    target.mkdir()
    if why := mounted(target, "size=16m"):
        pytest.skip(f"a tmpfs cannot be mounted here (needs root): {why}")
    yield target
    trial.close()
    trial.stand.close()
    subprocess.run(["umount", "-l", str(target)], check=True, timeout=PATIENCE_S)


def fill(disk: Path) -> Path:
    """Take all the room; return the file that has it."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"x" * 4096)
        except OSError:
            pass
    return ballast


@contextlib.contextmanager
def suspended(pid: int) -> Iterator[None]:
    """Have a process do nothing for the length of the block."""
    process = psutil.Process(pid)
    process.suspend()
    try:
        wait_until(lambda: process.status() == psutil.STATUS_STOPPED, "it stands still")
        yield
    finally:
        process.resume()


def busy_share(child: Child, seconds: float) -> float:
    """Return the share of a processor that a process takes for a while."""
    process = psutil.Process(child.process.pid)
    before, began = process.cpu_times(), monotonic()
    sleep(seconds)
    after = process.cpu_times()
    return (after.user + after.system - before.user - before.system) / (monotonic() - began)


async def ended(control: Control, why: str) -> None:
    """Wait until a control plane has ended by itself."""
    await eventually(lambda: control.child.process.poll() is not None, f"it ends: {why}")


async def test_f4_disk_of_the_control_plane_is_full(trial: Trial, disk: Path) -> None:
    """Nothing is acknowledged without room; with room again everything that waits is stored, once."""
    proxy, _ = await trial.follow(control="disk/control")
    assert trial.running is not None
    trial.resources(trial.running.child, "before")
    async with trial.callers() as callers:
        await callers.until(100)
        trial.fault("disk full")
        ballast = fill(disk)
        control = trial.running
        await eventually(lambda: http_get(control.http, "/health")[0] == 503, "it says that it is full")
        await callers.until(200)
        assert proxy.status()["control"]["spool"]["depth"] > 0
        ballast.unlink()
        await eventually(lambda: http_get(control.http, "/health")[0] == 200, "it is well again")
        await callers.until(50)
        assert callers.failed_otherwise == 0
    await trial.delivered(proxy)
    trial.resources(trial.running.child, "after")
    await trial.end(proxy, control="disk/control")
    trial.verdict("I1", "I2", "I3", "I8", "I9")


@pytest.mark.parametrize("kind", ["full disk", "size limit"] if is_full() else ["full disk"])
async def test_f5_disk_of_the_proxy_is_full(trial: Trial, disk: Path, kind: str) -> None:
    """Calls do not notice; what the spool cannot take is declared, and after it the rest arrives."""
    proxy, link = await trial.follow(data="disk/data")
    process = psutil.Process(proxy.child.process.pid)
    async with trial.callers() as callers:
        await callers.until(50)
        # The control plane is away, so that nothing makes room in the spool.
        link.weather.refuse = True
        link.cut()
        trial.fault(kind)
        ballast = disk / "ballast"
        if kind == "full disk":
            fill(disk)
        else:
            process.rlimit(resource.RLIMIT_FSIZE, (8192, resource.RLIM_INFINITY))
        await callers.until(200)
        await eventually(
            lambda: proxy.status()["control"]["spool"]["degraded"], "the spool says that it is degraded"
        )
        ballast.unlink(missing_ok=True)
        process.rlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        link.weather.refuse = False
        await callers.until(50)
        assert callers.failed_otherwise == 0
    await trial.delivered(proxy)
    assert proxy.status()["control"]["spool"]["dropped"].get("disk_error", 0) > 0
    await trial.end(proxy, data="disk/data")
    verdict = trial.verdict("I1", "I2", "I3", "I8")
    assert verdict.figures["declared"] > 0


@pytest.mark.skipif(bool(why_not()), reason=why_not() or "strace is here")
async def test_f6_spool_whose_sync_fails(trial: Trial) -> None:
    """The disk of a proxy fails to sync, a few times: the file is left alone from then on, another one is
    begun, calls do not notice, and everything is delivered or declared.
    """
    proxy, _ = await trial.follow()
    async with trial.callers() as callers:
        await callers.until(30)
        trial.fault("fsync of a segment fails")
        segment = max((trial.stand.folder / "data" / "proxies" / "one" / "spool").glob("*.seg"))
        with attached(proxy.child.process.pid, "fsync:error=EIO", segment) as failed:
            await eventually(lambda: failed() > 0, "a sync of the segment fails")
            await callers.until(100)
            assert failed() == 1, "a sync that failed is not tried again"
        trial.fault("fsync fails")
        with attached(proxy.child.process.pid, "fsync:error=EIO:when=2..5") as failed:
            await callers.until(150)
            await eventually(
                lambda: proxy.status()["control"]["spool"]["degraded"], "the spool says that it is degraded"
            )
            assert failed() > 0
        await callers.until(30)
        assert callers.failed_otherwise == 0
    await trial.delivered(proxy)
    await trial.end(proxy)
    trial.verdict("I1", "I2", "I3", "I8")


@pytest.mark.skipif(bool(why_not()), reason=why_not() or "strace is here")
async def test_f7_read_only_and_gone(trial: Trial) -> None:
    """The control plane's disk becomes read-only, and well again; then its directory is deleted under it, and
    so is the proxy's spool. Nothing is acknowledged that is not kept, nobody spins, and calls go on under the
    policy in memory.
    """
    proxy, link = await trial.follow()
    control = trial.running
    assert control is not None
    data = trial.stand.folder / "control"
    copy = trial.stand.folder / "copy"
    async with trial.callers(rate=50) as callers:
        await callers.until(50)
        trial.fault("read-only")
        with attached(control.child.process.pid, "pwrite64,ftruncate,fallocate:error=EROFS") as failed:
            await ended(control, "what cannot be written cannot be kept")
            assert failed() > 0
        assert control.child.process.returncode == 3
        assert "Traceback" not in control.child.log().splitlines()[-1]
        await callers.until(50)
        control = await asyncio.to_thread(trial.control)
        await eventually(lambda: proxy.status()["control"]["connected"], "the proxy is back")
        await callers.until(50)
        await trial.delivered(proxy)
        link.weather.refuse = True
        link.cut()
        trial.fault("data directory deleted")
        with suspended(control.child.process.pid):
            # File by file, which is one state of the store only as long as nobody writes.
            shutil.copytree(data, copy)
            shutil.rmtree(data)
        link.weather.refuse = False
        await ended(control, "what it writes is nobody's")
        assert control.child.process.returncode == 3
        assert "is gone" in control.child.log()
        share = await asyncio.to_thread(busy_share, proxy.child, 2.0)
        assert share < 0.9, "the proxy spins"
        trial.fault("spool deleted")
        shutil.rmtree(trial.stand.folder / "data" / "proxies" / "one" / "spool")
        await callers.until(50)
        assert not data.exists(), f"made anew by whom it was taken from: {sorted(data.rglob('*'))}"
        shutil.copytree(copy, data)
        control = await asyncio.to_thread(trial.control)
        await eventually(lambda: proxy.status()["control"]["connected"], "the proxy is back")
        await callers.until(50)
        assert callers.failed_otherwise == 0
    assert (trial.stand.folder / "data" / "proxies" / "one" / "spool" / "mark").exists()
    await trial.delivered(proxy)
    await trial.end(proxy)
    trial.verdict("I1", "I2", "I3", "I4", "I8")
