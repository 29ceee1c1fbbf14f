"""One fault test: a stand, a link with a witness, callers, and the verdict about the history at the end."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable
from pathlib import Path
from time import monotonic
from typing import Any

import psutil
import pytest

from seawall.client import AsyncSeawall
from tests.faults.callers import Callers
from tests.kit.history import Recorder, Verdict, check, read
from tests.kit.history.results import LENGTH, keep
from tests.kit.history.sides import from_file, from_postgres, from_spool
from tests.kit.link import Link
from tests.kit.processes import PATIENCE_S, Child, free_port, start, wait_until
from tests.kit.stand import Control, Proxy, Stand

KEEP_ALL = ("--group-rate", "0")
"""Every event is stored: none is only counted, so each can be asked for."""


def is_full() -> bool:
    """Whether the whole matrix is to be run, not the part of every test run."""
    return os.environ.get(LENGTH) == "full"


LONG = pytest.mark.skipif(not is_full(), reason="only at length: make faults")
"""For rows that other tests show, too."""


def times(quick: int, full: int) -> int:
    """Return how often to do something."""
    return full if is_full() else quick


class Trial:
    """What a fault test needs; closed by its fixture."""

    def __init__(self, stand: Stand, name: str) -> None:
        self.stand = stand
        self.name = name
        self.folder = stand.folder / "history"
        self.note = Recorder(self.folder, "test")
        self.control_port = free_port()
        self.listen = f"127.0.0.1:{free_port()}"
        self._callers = Recorder(self.folder, "caller")
        self._wire = Recorder(self.folder, "wire")
        self._links: list[Link] = []
        self.upstream_address = ""
        self.running: Control | None = None
        """The control plane."""
        self.control_env: dict[str, str] | None = None
        self.proxy_env: dict[str, str] | None = None

    def close(self) -> None:
        """End links, close files."""
        for link in self._links:
            link.close()
        for recorder in (self.note, self._callers, self._wire):
            recorder.close()

    # ------------------------------------------------------------------------------------------ the parts

    def upstream(self) -> str:
        """Start the upstream, which notes the calls that it sees; return its address."""
        _, self.upstream_address = self.stand.upstream(history=self.folder)
        return self.upstream_address

    def link(self, port: int | None = None) -> Link:
        """Return a link to the control plane."""
        link = Link(port or self.control_port, self._wire).start()
        self._links.append(link)
        return link

    def callers(self, *, rate: float = 150.0, name: str = "job", address: str = "") -> Callers:
        """Return callers of the proxy."""
        return Callers(self._callers, address or self.listen, rate=rate, name=name)

    def document(self, upstream: str, *, stamp: str = "", **policy: Any) -> dict[str, Any]:
        """Return a policy document with one route, whose breaker and limits stay out of the way. A stamp is
        written into each call, on its way there and on its way back.
        """
        document: dict[str, Any] = {
            "listeners": [{"name": "main", "address": self.listen}],
            "clusters": [
                {"name": "up", "endpoints": [upstream], "outlier": {"mode": "off"}, "max_in_flight": 5000}
            ],
            "policies": {"p": {"timeout": "100s", "breaker": {"mode": "off"}, **policy}},
            "routes": [{"name": "all", "match": {}, "cluster": "up", "policy": "p"}],
        }
        if stamp:
            document["routes"][0]["headers"] = {
                "request": {"set": {"x-revision": stamp}},
                "response": {"set": {"x-revision-back": stamp}},
            }
        return document

    def control(self, *arguments: str, data: str = "control") -> Control:
        """Start the control plane, always at the same address."""
        address = f"127.0.0.1:{self.control_port}"
        self.running = self.stand.control(
            *KEEP_ALL, *arguments, data=data, grpc=address, env=self.control_env
        )
        return self.running

    def second_control(self, data: str = "control") -> Child:
        """Start another control plane on the same data directory, and wait until it has ended."""
        folder = self.stand.folder
        arguments = ["-m", "seawall_control", "--data-dir", str(folder / data), "--log", "json"]
        arguments += ["--grpc", "127.0.0.1:0", "--http", "127.0.0.1:0"]
        child = start("second", arguments, folder)
        self.stand.children.append(child)
        child.process.wait(PATIENCE_S)
        return child

    async def follow(
        self, *arguments: str, data: str = "data", control: str = "control"
    ) -> tuple[Proxy, Link]:
        """Start an upstream, a control plane and a proxy behind a link that has the first revision."""
        await asyncio.to_thread(self.upstream)
        await asyncio.to_thread(self.control, *arguments, data=control)
        config = self.stand.policy(self.document(self.upstream_address))
        link = self.link()
        await self.apply(config)
        proxy = await asyncio.to_thread(self.proxy, config, link, data=data)
        await self.in_force(proxy, 1)
        return proxy, link

    async def end(
        self, *proxies: Proxy, data: str = "data", control: str = "control", collect: bool = True
    ) -> None:
        """End everything in good order, and write down what is in the store and the spools."""
        nodes = [str(proxy.status()["node"]) for proxy in proxies]
        for proxy in proxies:
            assert await asyncio.to_thread(proxy.child.terminate) == 0, proxy.child.log()
        if self.running is not None:
            assert await asyncio.to_thread(self.running.child.terminate) == 0, self.running.child.log()
            self.running = None
        if collect:
            self.collect(*nodes, control=self.stand.folder / control, data=data)

    def proxy(
        self, config: Path, link: Link, node: str = "one", data: str = "data", more: tuple[str, ...] = ()
    ) -> Proxy:
        """Start a proxy behind a link."""
        follow = ("--control", link.address, "--node", node, *more)
        return self.stand.proxy(config, *follow, data=data, env=self.proxy_env)

    async def apply(self, policy: Path | dict[str, Any], **more: Any) -> int:
        """Apply a policy and note what it became."""
        async with AsyncSeawall(f"127.0.0.1:{self.control_port}") as seawall:
            asked_s = monotonic()
            applied = await seawall.policies.apply(policy, **more)
            self.note(
                "published",
                revision=applied.revision.revision,
                hash=applied.revision.hash,
                asked_s=asked_s,
            )
            return int(applied.revision.revision)

    def wire(self) -> Recorder:
        """Return the recorder of the wire, for a test that speaks on it itself."""
        return self._wire

    def caller(self) -> Recorder:
        """Return the recorder of calls, for a test that makes its own."""
        return self._callers

    def published(self, revision: int, content: str) -> None:
        """Note a revision."""
        self.note("published", revision=revision, hash=content)

    async def in_force(self, proxy: Proxy, revision: int, limit_s: float = 2 * PATIENCE_S) -> None:
        """Wait until a proxy has a revision in force, and has said so."""

        def done() -> bool:
            if proxy.status()["policy"]["revision"] < revision:
                return False
            return any(link.applied.get(proxy.status()["node"], 0) >= revision for link in self._links)

        await asyncio.to_thread(wait_until, done, f"revision {revision} is in force", limit_s)

    async def delivered(self, proxy: Proxy, limit_s: float = 3 * PATIENCE_S) -> None:
        """Wait until a proxy has nothing left to deliver."""

        def done() -> bool:
            spool = proxy.status()["control"]["spool"]
            return spool is not None and spool["depth"] == 0

        # What has just failed is on its way from the call to the spool.
        await asyncio.sleep(0.4)
        await asyncio.to_thread(wait_until, done, "all events are delivered", limit_s)

    def fault(self, name: str) -> None:
        """Note that something is broken now."""
        self.note("fault", name=name)

    def held(self, node: str, ids: list[str], harmed: list[str]) -> None:
        """Note events that are whole in a spool, and so may not be lost whatever is declared; and others,
        that are so no more.
        """
        with contextlib.closing(Recorder(self.folder, "spool")) as note:
            note("held", node=node, ids=ids, harmed=harmed)

    def resources(self, child: Child, when: str) -> None:
        """Note what a process holds."""
        process = psutil.Process(child.process.pid)
        self.note(
            "resources", process=child.name, when=when, files=process.num_fds(), threads=process.num_threads()
        )

    # --------------------------------------------------------------------------------------- the verdict

    def collect(self, *nodes: str, control: Path | None = None, data: str = "data") -> None:
        """Write down what the store and the spools hold, after everything has ended."""
        from_file(self.folder, control or self.stand.folder / "control")
        for node in nodes:
            from_spool(self.folder, self.stand.folder / data, node)

    def collect_spool(self, node: str, data: str = "data") -> None:
        """Write down what is in the spool of a proxy that has ended."""
        from_spool(self.folder, self.stand.folder / data, node)

    async def collect_postgres(self, url: str, *nodes: str, data: str = "data") -> None:
        """Do the same for a store in PostgreSQL."""
        await from_postgres(self.folder, url)
        for node in nodes:
            from_spool(self.folder, self.stand.folder / data, node)

    def verdict(self, *invariants: str) -> Verdict:
        """Judge the history; raise AssertionError when anything is broken or one of these was not seen."""
        found = check(read(self.folder))
        keep(self.name, found)
        return found.require(*invariants)


async def eventually(check_: Callable[[], Any], what: str, limit_s: float = 2 * PATIENCE_S) -> Any:
    """Wait, without standing in anybody's way, until something holds."""
    return await asyncio.to_thread(wait_until, check_, what, limit_s)
