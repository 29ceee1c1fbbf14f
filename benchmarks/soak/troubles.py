"""What happens around the proxy: upstreams are killed, frozen and restarted, and the policy changes.

Of three upstreams at most one is in trouble at a time, most of the time; now and then it is two. The policy
file goes round a few forms (other endpoints, other policies, another route, a mistake that must be refused),
so that the names in it, and the counters that stay for them, are bounded.
"""

from __future__ import annotations

import asyncio
import random
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import yaml

from benchmarks.processes import ROOT, free_port

UPSTREAMS = 3


class Upstream:
    """A gRPC server that comes and goes on one port."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.port = free_port()
        self.child: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it, without waiting until it listens."""
        command = [sys.executable, "-m", "tests.kit.upstream", str(self.port), self.name]
        self.child = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def send(self, number: signal.Signals) -> None:
        """Send a signal."""
        if self.child is not None and self.child.poll() is None:
            self.child.send_signal(number)

    def kill(self) -> None:
        """End it at once; what was in flight is lost."""
        if self.child is not None:
            self.child.kill()
            self.child.wait(10)


def document(form: int, upstreams: list[Upstream], bystander: str | None) -> dict[str, object]:
    """Return one of the policies that alternate."""
    addresses = [upstream.address for upstream in upstreams]
    if form == 1:
        addresses.reverse()
    elif form == 2:
        addresses = addresses[:2]
    policy: dict[str, object] = {
        "timeout": ("10s", "8s", "10s", "12s")[form],
        "retry": {
            "max_attempts": 3,
            "codes": ["UNAVAILABLE"],
            "only_idempotent": False,
            "budget": {"percent": "20%", "min_per_second": 10, "interval": "10s"},
        },
        "breaker": {
            "window": {"kind": "count", "size": 200},
            "min_calls": 100,
            "failure_rate": "80%",
            "open_for": "1s",
        },
    }
    routes: list[dict[str, object]] = []
    if form == 3:
        routes.append(
            {
                "name": "unary",
                "match": {"service": "soak.v1.Echo", "method": "Unary"},
                "cluster": "moody",
                "policy": "usual",
            }
        )
    routes.append(
        {"name": "soak", "match": {"service": "soak.v1.Echo"}, "cluster": "moody", "policy": "usual"}
    )
    clusters = [
        {"name": "moody", "endpoints": addresses, "balance": "least_request" if form else "round_robin"}
    ]
    if bystander is not None:
        clusters.append({"name": "calm", "endpoints": [bystander]})
        routes.append({"name": "bystander", "match": {}, "cluster": "calm", "policy": "usual"})
    return {
        "version": "v1",
        "listeners": [{"name": "main", "address": "127.0.0.1:0"}],
        "admin": "127.0.0.1:0",
        "clusters": clusters,
        "policies": {"usual": policy},
        "routes": routes,
    }


FORMS = 4


class Troubles:
    """Makes trouble until told to stop, and then puts everything right."""

    def __init__(self, folder: Path, bystander: str | None, seed: int) -> None:
        self.config = folder / "soak.yaml"
        self.bystander = bystander
        self.dice = random.Random(seed)
        self.done: Counter[str] = Counter()
        self.upstreams = [Upstream(f"u{number}") for number in range(UPSTREAMS)]
        self.form = 0

    def begin(self) -> None:
        """Start the upstreams and write the first policy."""
        for upstream in self.upstreams:
            upstream.start()
        self.write(0)

    def write(self, form: int) -> None:
        """Put a policy into the file, whole at any moment."""
        self.form = form
        text = yaml.safe_dump(document(form, self.upstreams, self.bystander))
        self._replace(text)

    def _replace(self, text: str) -> None:
        draft = self.config.with_suffix(".new")
        draft.write_text(text)
        draft.replace(self.config)

    async def _kill(self) -> None:
        upstream = self.dice.choice(self.upstreams)
        upstream.kill()
        self.done["upstream killed"] += 1
        await asyncio.sleep(self.dice.uniform(0.0, 1.5))
        upstream.start()

    async def _stop_gently(self) -> None:
        upstream = self.dice.choice(self.upstreams)
        upstream.send(signal.SIGTERM)
        self.done["upstream ended by SIGTERM"] += 1
        await asyncio.sleep(self.dice.uniform(0.5, 1.5))
        upstream.kill()
        upstream.start()

    async def _freeze(self) -> None:
        upstream = self.dice.choice(self.upstreams)
        upstream.send(signal.SIGSTOP)
        self.done["upstream frozen"] += 1
        await asyncio.sleep(self.dice.uniform(0.2, 3.0))
        upstream.send(signal.SIGCONT)

    async def _two_at_once(self) -> None:
        self.done["two upstreams killed"] += 1
        first, second = self.dice.sample(self.upstreams, 2)
        first.kill()
        second.kill()
        await asyncio.sleep(self.dice.uniform(0.5, 2.0))
        first.start()
        second.start()

    async def _new_policy(self) -> None:
        self.write((self.form + 1) % FORMS)
        self.done["policy changed"] += 1
        await asyncio.sleep(1.2)

    async def _bad_policy(self) -> None:
        self._replace("version: v1\nroutes: [{name: nowhere, cluster: none, policy: none}]\n")
        self.done["policy with mistakes"] += 1
        await asyncio.sleep(1.5)
        self.write(self.form)

    async def drive(self, stop: asyncio.Event) -> None:
        """Make trouble."""
        kinds = [self._kill, self._kill, self._stop_gently, self._freeze, self._new_policy, self._new_policy]
        kinds += [self._bad_policy, self._two_at_once]
        turn = 0
        while not stop.is_set():
            # In turn at first, so that a short run has seen each.
            work = kinds[turn] if turn < len(kinds) else self.dice.choice(kinds)
            turn += 1
            await work()
            await asyncio.sleep(self.dice.uniform(0.2, 2.5))

    def put_right(self) -> None:
        """Have all upstreams up and the first policy in force again."""
        for upstream in self.upstreams:
            upstream.send(signal.SIGCONT)
            if upstream.child is None or upstream.child.poll() is not None:
                upstream.start()
        self.write(0)

    def end(self) -> None:
        """End the upstreams."""
        for upstream in self.upstreams:
            upstream.send(signal.SIGCONT)
            upstream.kill()
