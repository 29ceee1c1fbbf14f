"""A test stand: upstreams, proxies and a control plane in one temporary folder, all ended with the test."""

from __future__ import annotations

import contextlib
import json
import os
import signal
from pathlib import Path
from typing import Any

import yaml

from tests.kit.processes import PATIENCE_S, READY_LIMIT_S, Child, end, free_port, http_get, start, wait_until


class Stand:
    """Starts what a test needs and ends it all."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.children: list[Child] = []
        self.others: list[int] = []
        """Processes that children of ours have started and left behind."""

    def close(self) -> None:
        """End every process that is still there."""
        for number in self.others:
            with contextlib.suppress(ProcessLookupError):
                os.kill(number, signal.SIGKILL)
        for child in reversed(self.children):
            end(child)

    def _start(self, name: str, arguments: list[str], env: dict[str, str] | None = None) -> Child:
        child = start(name, arguments, self.folder, env)
        self.children.append(child)
        return child

    def upstream(self, name: str = "a", port: int = 0, history: Path | None = None) -> tuple[Child, str]:
        """Start an upstream, which notes what it sees in a history; return it and its address, which is
        nobody else's also while it is away.
        """
        more = [str(port or free_port()), name, *([] if history is None else [str(history)])]
        child = self._start(f"upstream-{name}", ["-m", "tests.kit.upstream", *more])
        assert child.process.stdout is not None
        line = child.process.stdout.readline().strip()
        assert line, f"upstream {name} did not start:\n{child.log()}"
        return child, f"127.0.0.1:{int(line)}"

    def policy(self, document: dict[str, Any], name: str = "policy.yaml") -> Path:
        """Write a policy file; listener and admin are added on free ports."""
        full = {
            "version": "v1",
            "listeners": [{"name": "main", "address": "127.0.0.1:0"}],
            "admin": "127.0.0.1:0",
            **document,
        }
        path = self.folder / name
        path.write_text(yaml.safe_dump(full))
        return path

    def proxy(
        self, config: Path, *arguments: str, data: str = "data", env: dict[str, str] | None = None
    ) -> Proxy:
        """Start a proxy and wait until it is ready."""
        child = self._start(
            "proxy",
            [
                "-m",
                "seawall_proxy",
                "--config",
                str(config),
                "--data-dir",
                str(self.folder / data),
                "--log",
                "json",
                *arguments,
            ],
            env,
        )
        return Proxy(child)

    def control(
        self,
        *arguments: str,
        data: str = "control",
        grpc: str | None = None,
        http: str = "127.0.0.1:0",
        env: dict[str, str] | None = None,
    ) -> Control:
        """Start a control plane and wait until it is ready."""
        child = self._start(
            "control",
            [
                "-m",
                "seawall_control",
                "--data-dir",
                str(self.folder / data),
                "--log",
                "json",
                "--grpc",
                grpc or f"127.0.0.1:{free_port()}",
                "--http",
                http,
                *arguments,
            ],
            env,
        )
        ready = child.wait_ready()
        return Control(child, ready["grpc"], ready["http"])


class Proxy:
    """A running proxy."""

    def __init__(self, child: Child) -> None:
        self.child = child
        ready = child.wait_ready()
        self.address: str = ready["listen"][0]
        self.admin: str = ready["admin"]

    def status(self) -> dict[str, Any]:
        """Return /status."""
        code, body = http_get(self.admin, "/status")
        assert code == 200, body
        return dict(json.loads(body))

    def route(self, name: str) -> dict[str, Any]:
        """Return what /status says of one route."""
        return next(dict(route) for route in self.status()["routes"] if route["name"] == name)

    def wait_for_breaker(self, route: str, state: str, limit_s: float = PATIENCE_S) -> None:
        """Wait until a route's breaker is in a state."""
        wait_until(
            lambda: self.route(route)["breaker"]["state"] == state, f"breaker of {route} is {state}", limit_s
        )

    def wait_for_endpoints(self, cluster: str, ready: int) -> None:
        """Wait until so many endpoints of a cluster are ready."""

        def count() -> bool:
            endpoints = self.status()["clusters"][cluster]["endpoints"]
            return sum(1 for endpoint in endpoints if endpoint["state"] == "ready") == ready

        wait_until(count, f"{ready} endpoints of {cluster} are ready")

    def generations(self) -> list[int]:
        """Return the pids of those who have said that they are ready, oldest first: this proxy, and who took
        over from it.
        """
        whole = [line for line in self.child.log().splitlines(keepends=True) if line.endswith("\n")]
        return [int(json.loads(line)["pid"]) for line in whole if '"event": "ready"' in line]

    def wait_for_generation(self, number: int) -> int:
        """Wait until so many have been ready; return the pid of the newest. The one before it may end sooner
        than it says so.
        """
        wait_until(lambda: len(self.generations()) == number, f"generation {number} is ready", READY_LIMIT_S)
        return self.generations()[-1]


class Control:
    """A running control plane."""

    def __init__(self, child: Child, grpc: str, http: str) -> None:
        self.child = child
        self.grpc = grpc
        self.http = http
