"""Upstreams with a health switch, and a proxy whose names are in a file."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from pathlib import Path

import grpc
import pytest

from tests.kit.processes import PATIENCE_S, Child, free_port
from tests.kit.rpc import trailing, unary_unary
from tests.kit.stand import Proxy, Stand


class Checked:
    """A server with a health service."""

    def __init__(self, stand: Stand, name: str, port: int = 0) -> None:
        self.switch: Path = stand.folder / f"health-{name}"
        arguments = ["-m", "tests.kit.health_upstream", str(port or free_port()), name, str(self.switch)]
        self.child: Child = stand._start(f"upstream-{name}", arguments)
        assert self.child.process.stdout is not None
        line = self.child.process.stdout.readline().strip()
        assert line, f"{name} did not start:\n{self.child.log()}"
        self.address: str = f"127.0.0.1:{int(line)}"

    def say(self, word: str) -> None:
        """Say SERVING or NOT_SERVING from now on."""
        temporary = self.switch.with_suffix(".new")
        temporary.write_text(word)
        temporary.replace(self.switch)


class Names:
    """The file that stands for the name service."""

    def __init__(self, path: Path) -> None:
        self.path: Path = path
        self.set({})

    def set(self, names: dict[str, list[str]]) -> None:
        """Answer like this from now on."""
        temporary = self.path.with_suffix(".new")
        temporary.write_text(json.dumps(names))
        temporary.replace(self.path)

    def proxy(self, stand: Stand, config: Path) -> Proxy:
        """Start a proxy that looks names up there."""
        arguments = ["-m", "tests.kit.named_proxy", "--config", str(config), "--log", "json"]
        arguments += ["--data-dir", str(stand.folder / "data")]
        return Proxy(stand._start("proxy", arguments, {"NAMES": str(self.path)}))


@pytest.fixture
def checked(stand: Stand) -> Callable[..., Checked]:
    """Start servers with a health service."""
    return lambda name, port=0: Checked(stand, name, port)


@pytest.fixture
def names(tmp_path: Path) -> Names:
    """Give a name service."""
    return Names(tmp_path / "names.json")


async def _served_by(proxy: Proxy, calls: int) -> dict[str, int]:
    """Make calls one after the other; return how many each server has answered."""
    served: dict[str, int] = {}
    async with grpc.aio.insecure_channel(proxy.address) as channel:
        for _ in range(calls):
            call = unary_unary(channel, "/any.Service/Unary")(b"", timeout=PATIENCE_S)
            await call
            name = str((await trailing(call))["served-by"])
            served[name] = served.get(name, 0) + 1
    return served


@pytest.fixture
def served_by() -> Callable[[Proxy, int], Awaitable[dict[str, int]]]:
    """Count who answers."""
    return _served_by
