"""Children of `seawall up`: started, watched, restarted and stopped. The children are real processes of a few
lines.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from seawall.cli import supervisor
from seawall.cli.supervisor import Child, StartFailed
from tests.kit.processes import PATIENCE_S, environment, wait_until

pytestmark = pytest.mark.integration

LIVES = "import time; print('alive', flush=True); time.sleep(600)"
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + LIVES


class Log:
    """Keeps what was logged."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str]] = []

    def __call__(self, name: str, line: str) -> None:
        self.lines.append((name, line))

    async def alive(self) -> bool:
        """Tell whether the child has said so."""
        return any(line == "alive" for name, line in self.lines if name)

    def text(self) -> str:
        """Return all of it."""
        return "\n".join(line for _, line in self.lines)


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Restart sooner, give up sooner."""
    monkeypatch.setattr(supervisor, "BACKOFF_FIRST_S", 0.01)
    monkeypatch.setattr(supervisor, "BACKOFF_MOST_S", 0.05)


def _child(log: Log, code: str, **how: float) -> Child:
    return Child("child", [sys.executable, "-c", code], log.alive, log, **how)


async def test_a_child_is_ready_when_its_probe_says_so_and_ends_gently() -> None:
    """SIGTERM ends it; its output was passed on."""
    log = Log()
    child = _child(log, LIVES)
    await child.start(ready_within_s=PATIENCE_S)
    assert ("child", "alive") in log.lines
    assert child.pid is not None
    assert await child.stop() == -signal.SIGTERM
    assert child.pid is None


async def test_a_child_that_ends_before_it_is_ready_fails_the_start() -> None:
    """The message has the exit code; the child's last words are in the log."""
    log = Log()
    child = _child(log, "print('no room'); raise SystemExit(7)")
    with pytest.raises(StartFailed, match="exit code 7 before it was ready"):
        await child.start(ready_within_s=PATIENCE_S)
    assert ("child", "no room") in log.lines
    assert await child.stop() == 7


async def test_a_child_that_is_never_ready_fails_the_start() -> None:
    """The time is bounded."""
    child = _child(Log(), "import time; time.sleep(60)")
    with pytest.raises(StartFailed, match="not ready within"):
        await child.start(ready_within_s=0.2)
    await child.stop()


async def test_a_child_that_is_killed_is_started_again() -> None:
    """The new process is another one, counted and announced."""
    log = Log()
    child = _child(log, LIVES)
    await child.start(ready_within_s=PATIENCE_S)
    keeping = asyncio.create_task(child.keep())
    first = child.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    await asyncio.to_thread(
        wait_until, lambda: child.restarts and child.pid not in {None, first}, "it is back"
    )
    assert "child ended with SIGKILL" in log.text()
    keeping.cancel()
    await asyncio.gather(keeping, return_exceptions=True)
    await child.stop()


async def test_a_child_that_cannot_live_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The number of restarts is bounded."""
    monkeypatch.setattr(supervisor, "DEATHS_ALLOWED", 3)
    log = Log()
    # The first one lives until the probe has seen it.
    seen = tmp_path / "seen"
    waits = f"while not os.path.exists({str(seen)!r}): time.sleep(0.01)"
    child = _child(log, f"import os, time\nprint('alive', flush=True)\n{waits}")
    await child.start(ready_within_s=PATIENCE_S)
    seen.touch()
    with pytest.raises(StartFailed, match="ended 3 times"):
        async with asyncio.timeout(PATIENCE_S):
            await child.keep()
    assert child.restarts == 2


async def test_a_child_that_does_not_end_is_killed() -> None:
    """Stopping takes a bounded time."""
    log = Log()
    child = _child(log, STUBBORN, stop_s=0.2)
    await child.start(ready_within_s=PATIENCE_S)
    assert await child.stop() == -signal.SIGKILL
    assert "is killed" in log.text()


async def test_a_very_long_line_does_not_stop_the_log() -> None:
    """What comes after a line that is longer than the limit is still passed on."""
    log = Log()
    child = _child(log, "print('x' * 300_000); print('alive', flush=True); import time; time.sleep(60)")
    await child.start(ready_within_s=PATIENCE_S)
    await child.stop()
    assert "(a line that was too long)" in log.text()


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel ends orphans on Linux only")
def test_children_end_when_the_supervisor_is_killed(tmp_path: Path) -> None:
    """A kill -9 of the supervisor leaves nothing behind."""
    script = textwrap.dedent(
        f"""
        import asyncio, sys
        from seawall.cli.supervisor import Child

        async def ready():
            return True

        async def main():
            child = Child("c", [sys.executable, "-c", {LIVES!r}], ready, lambda name, line: None)
            await child.start(ready_within_s={PATIENCE_S})
            print(child.pid, flush=True)
            await asyncio.sleep(60)

        asyncio.run(main())
        """
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, env=environment()
    )
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    parent.kill()
    parent.communicate()
    wait_until(lambda: not _exists(pid), "the child has ended")


def _exists(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return False
    return state != "Z"
