"""Commands of runbooks as processes: how they end, what they said, that nothing of them stays."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from seawall_control.services.healing.actions.hooks import MAX_OUTPUT, run_command
from tests.kit.processes import PATIENCE_S, ROOT, environment, wait_until

pytestmark = pytest.mark.integration


def python(script: str) -> list[str]:
    """Return the words that run a script."""
    return [sys.executable, "-S", "-c", script]


async def run(words: list[str]) -> tuple[int, str]:
    """Run words with this process's environment."""
    async with asyncio.timeout(PATIENCE_S):
        return await run_command(words, dict(os.environ))


def test_commands_run_while_calls_come_in() -> None:
    """Not one of sixty dies before it has begun: uvloop's own way to start them lost one of twelve."""
    ended = subprocess.run(
        [sys.executable, "-m", "tests.integration.control.busy_hooks"],
        cwd=ROOT, env=environment(), capture_output=True, text=True, check=False, timeout=2 * PATIENCE_S,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout) == [[0, "done"]] * 60


@pytest.mark.parametrize(
    ("script", "code", "said"),
    [
        ("print('well'); import sys; print('ill', file=sys.stderr, flush=True); sys.exit(3)", 3, "ill"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGTERM)", -15, ""),
        ("import os, time; os.write(1, b'so far'); os.close(1); os.close(2); time.sleep(0.2)", 0, "so far"),
        ("import sys; print(repr(sys.stdin.read()))", 0, "''"),
    ],
)
async def test_how_it_ended_is_told(script: str, code: int, said: str) -> None:
    """With what it said, of both kinds; also when it says nothing more long before it ends."""
    got, text = await run(python(script))
    assert got == code
    assert said in text


async def test_the_beginning_of_much_is_kept() -> None:
    """And all of it is read, or the command would wait for us."""
    code, said = await run(python("print('a' * 10 + 'b' * 3_000_000)"))
    assert (code, len(said), said[:12]) == (0, MAX_OUTPUT, "a" * 10 + "bb")


async def test_a_command_that_is_not_there() -> None:
    """Is an error of the machine's, which says its name."""
    with pytest.raises(FileNotFoundError, match="no-such-command"):
        await run(["no-such-command"])


async def test_whoever_gives_it_up_leaves_nothing(tmp_path: Path) -> None:
    """What the command started in its turn is killed, too."""
    pids = tmp_path / "pids"
    script = (
        "import os, subprocess, sys, time;"
        "child = subprocess.Popen([sys.executable, '-S', '-c', 'import time; time.sleep(600)']);"
        f"open({str(pids)!r} + '.new', 'w').write(f'{{os.getpid()}} {{child.pid}}');"
        f"os.rename({str(pids)!r} + '.new', {str(pids)!r}); time.sleep(600)"
    )
    running = asyncio.create_task(run(python(script)))
    await asyncio.to_thread(wait_until, pids.exists, "the command has started another")
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    started = [int(pid) for pid in pids.read_text().split()]
    await asyncio.to_thread(wait_until, lambda: not any(map(_lives, started)), "both are gone")


def _lives(pid: int) -> bool:
    """Say whether a process runs; one that nobody has asked for its end does not."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"
