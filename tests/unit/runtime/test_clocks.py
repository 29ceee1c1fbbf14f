"""Where a wall clock may be read: a jump of it must change no decision about calls and connections."""

from __future__ import annotations

import re
from pathlib import Path

import seawall_policy
import seawall_proxy

WALL = re.compile(
    r"from time import [^\n]*\b(time|time_ns|localtime|gmtime|strftime)\b"
    r"|\btime\.(time|time_ns|localtime|gmtime|strftime)\(|\bdatetime\.(now|utcnow|today)\(|import datetime"
)
DECIDING = (
    "http2/**/*.py",
    "call/**/*.py",
    "upstream/**/*.py",
    "runtime/admission.py",
    "runtime/age.py",
    "runtime/dialing.py",
    "runtime/downstream.py",
    "runtime/overload_monitor.py",
    "runtime/transported.py",
    "runtime/worker.py",
)


def test_decisions_are_made_by_the_monotonic_clock() -> None:
    """Nothing that decides about calls or connections reads a wall clock: not the policies, not HTTP/2, not
    calls, not endpoints, not the worker and its connections.
    """
    policy = Path(str(seawall_policy.__file__)).parent
    proxy = Path(str(seawall_proxy.__file__)).parent
    paths = [*policy.rglob("*.py"), *(path for pattern in DECIDING for path in proxy.glob(pattern))]
    assert len(paths) > 60
    assert [path.name for path in paths if WALL.search(path.read_text("utf-8"))] == []


def test_the_rule_can_fail() -> None:
    """The expression sees the usual ways to read a wall clock, and not the monotonic one."""
    for line in ("from time import monotonic, time", "time.time()", "datetime.now(UTC)", "import datetime"):
        assert WALL.search(line)
    for line in ("from time import monotonic", "time.monotonic()", "timeout.time_left"):
        assert not WALL.search(line)
