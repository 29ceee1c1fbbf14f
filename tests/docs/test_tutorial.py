"""The tutorial, run as its reader runs it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.pages import read
from tests.kit.processes import environment, free_port

DEFAULT_PORTS = (8080, 8081, 9090, 9091, 50051, 50052)
LIMIT_S = 600


def script_of(page: str, ports: dict[int, int]) -> str:
    """Return the shell blocks of the tutorial but the installation, with other ports."""
    first, *rest = re.findall(r"^```sh\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    assert first.startswith("make setup")
    text = "\n".join(rest)
    addresses = "--grpc 127.0.0.1:9090 --http 127.0.0.1:9091 --admin 127.0.0.1:8081"
    text = text.replace("seawall up ", f"seawall up {addresses} ")
    text = text.replace("check --quick", "check --quick --http 127.0.0.1:9091 --admin 127.0.0.1:8081")
    for default, port in ports.items():
        text = text.replace(f"127.0.0.1:{default}", f"127.0.0.1:{port}")
        text = text.replace(f"server.py {default} ", f"server.py {port} ")
    return "set -eu\n" + text


def test_the_tutorial_waits_for_nothing_without_end() -> None:
    """Where something does not start its reader is told so: a loop of the shell would never end."""
    script = script_of(read("tutorial/first-route.md"), {})
    shell = re.sub(r"<<'END'\n.*?^END$", "", script, flags=re.MULTILINE | re.DOTALL)
    assert not re.search(r"^\s*(until|while)\b", shell, re.MULTILINE)
    assert re.search(r"check --quick .*--wait \d+s \|\| tail .*seawall\.log", shell)


@pytest.mark.slow
@pytest.mark.integration
def test_the_tutorial_runs(tmp_path: Path) -> None:
    """Every command of the tutorial succeeds, and shows what the page says it shows."""
    ports = dict(zip(DEFAULT_PORTS, _free_ports(len(DEFAULT_PORTS)), strict=True))
    env = environment() | {
        "PATH": f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}",
        "SEAWALL_CONTROL": f"127.0.0.1:{ports[9090]}",
    }
    process = subprocess.Popen(
        ["bash", "-c", script_of(read("tutorial/first-route.md"), ports)],
        cwd=tmp_path,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        said, _ = process.communicate(timeout=LIMIT_S)
    finally:
        if process.poll() is None or _group_lives(process.pid):
            os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == 0, said
    # Half of the calls meet the endpoint that fails 60 of 100; later every call is answered.
    assert re.search(r"^ +30 x UNAVAILABLE: out for lunch", said, re.MULTILINE), said
    assert said.count("out for lunch") == 1, said
    for wanted in ("'seawall-outcome': 'retried'", "'seawall-reason': 'NO_HEALTHY_BACKEND'"):
        assert wanted in said, said
    assert re.search(r"x Nobody is at home\.  .*'seawall-reason': 'BREAKER_OPEN'", said), said
    assert re.search(r"hello +local +○ OPEN", said), said
    assert re.search(r"hello +local +● CLOSED", said), said
    assert re.search(r"Kind: +breaker_opened", said), said
    assert re.search(r"^\d+ events resolved$", said, re.MULTILINE), said


def _free_ports(wanted: int) -> list[int]:
    """Return ports that differ: one that was free a moment ago may be the next one that is."""
    found: set[int] = set()
    while len(found) < wanted:
        found.add(free_port())
    return list(found)


def _group_lives(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True
