"""Which peers there are on this machine, and how to run them."""

from __future__ import annotations

import json
import os
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.interop.python.schema import PROTO, VARIABLE
from tests.kit.processes import PATIENCE_S, ROOT, environment

BUILT = ROOT / "build" / "interop"
"""Where `make interop` puts what it installs and builds for Node and Go."""
SOURCES = PROTO.parent.parent
PYTHON_PEERS = ("grpcio", "grpcio-aio", "grpclib")
ALL_PEERS = (*PYTHON_PEERS, "grpc-js", "grpc-go")
START_LIMIT_S = 2 * PATIENCE_S
_SERVERS = {"grpcio": "server_grpcio", "grpcio-aio": "server_aio", "grpclib": "server_grpclib"}


def why_not(peer: str) -> str | None:
    """Return why a peer cannot be run here; None when it can."""
    if peer == "grpc-js":
        if shutil.which("node") is None:
            return "node is not installed"
        if not (BUILT / "node" / "node_modules" / "@grpc" / "grpc-js").is_dir():
            return "grpc-js is not installed; `make interop` does it"
    if peer == "grpc-go" and not (BUILT / "peer").is_file():
        return "the Go peer is not built; `make interop` does it where Go is installed"
    return None


@dataclass(frozen=True)
class Setting:
    """What all peers of one run share."""

    transport: str
    certs: Path
    stubs: Path
    """Folder of the generated messages."""
    logs: Path

    def environment(self) -> dict[str, str]:
        """Return the environment of a peer."""
        return {**environment(), VARIABLE: str(self.stubs), "NODE_PATH": str(BUILT / "node" / "node_modules")}

    def _reached(self) -> list[str]:
        return ["--transport", self.transport, "--certs", str(self.certs)]

    def server(self, peer: str, port: int) -> list[str]:
        """Return the command of a server."""
        where = ["--port", str(port), *self._reached()]
        if peer == "grpc-js":
            return ["node", str(SOURCES / "node" / "server.js"), "--proto", str(PROTO), *where]
        if peer == "grpc-go":
            return [str(BUILT / "peer"), "server", *where]
        return [sys.executable, "-m", f"tests.interop.python.{_SERVERS[peer]}", *where]

    def client(self, peer: str, places: Mapping[str, str], scale: str, cases: list[str]) -> list[str]:
        """Return the command of a client that runs cases at each place."""
        what = [*self._reached(), "--scale", scale, "--cases", ",".join(cases)]
        for path, address in places.items():
            what += ["--at", f"{path}={address}"]
        if peer == "grpc-js":
            return ["node", str(SOURCES / "node" / "client.js"), "--proto", str(PROTO), *what]
        if peer == "grpc-go":
            return [str(BUILT / "peer"), "client", *what]
        return [sys.executable, "-m", "tests.interop.python.client", peer, *what]


class Server:
    """A running test server."""

    def __init__(self, setting: Setting, peer: str, port: int = 0) -> None:
        self._log = setting.logs / f"server-{peer}-{setting.transport}-{time.monotonic_ns()}.log"
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                setting.server(peer, port),
                cwd=ROOT,
                env=setting.environment(),
                stdout=subprocess.PIPE,
                stderr=log,
            )
        self.address = f"127.0.0.1:{self._read_port(peer)}"

    def _read_port(self, peer: str) -> int:
        out = self.process.stdout
        assert out is not None
        ready, _, _ = select.select([out], [], [], START_LIMIT_S)
        line = out.readline().strip() if ready else b""
        if not line:
            self.end()
            raise AssertionError(f"the server {peer} does not start:\n{self._log.read_text()}")
        return int(line)

    def end(self) -> None:
        """End it at once, as a crash would."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(PATIENCE_S)
        if self.process.stdout is not None:
            self.process.stdout.close()


@contextmanager
def serving(setting: Setting, peer: str, port: int = 0) -> Iterator[Server]:
    """Run a server for the length of the block."""
    server = Server(setting, peer, port)
    try:
        yield server
    finally:
        server.end()


def run_client(
    setting: Setting, peer: str, places: Mapping[str, str], scale: str, cases: list[str], limit_s: float
) -> list[dict[str, Any]]:
    """Run cases at each place; return the lines that the client prints."""
    try:
        done = subprocess.run(
            setting.client(peer, places, scale, cases),
            cwd=ROOT,
            env={**setting.environment(), "GRPC_VERBOSITY": os.environ.get("GRPC_VERBOSITY", "NONE")},
            capture_output=True,
            timeout=limit_s,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        return _lines(error.stdout or b"")
    return _lines(done.stdout) or [
        {"path": "", "case": "", "result": "failed", "why": done.stderr.decode()[-2000:]}
    ]


def _lines(out: bytes) -> list[dict[str, Any]]:
    return [
        json.loads(line) for line in out.decode().splitlines() if line.startswith("{") and line.endswith("}")
    ]
