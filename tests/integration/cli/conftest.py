"""A real control plane in a process of its own, and proxies that answer as a test tells them."""

from __future__ import annotations

import json
import queue
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest

from seawall.cli import main
from seawall.client import Seawall
from seawall.v1 import event_pb2, fleet_pb2, stats_pb2
from tests.kit.processes import PATIENCE_S, Child, running, wait_until

POLICY = """\
version: v1
listeners: [{name: main, address: "127.0.0.1:0"}]
clusters: [{name: c, endpoints: ["127.0.0.1:1"]}]
policies:
  careful: {extends: builtin/standard, timeout: 2s}
routes: [{name: r, match: {service: a.B}, cluster: c, policy: careful}]
"""


class ScriptedProxy:
    """Speaks the proxy's side of the stream: says hello, answers pushes and commands as told, reports what it
    is given.
    """

    def __init__(
        self, target: str, node: str, *, reasons: tuple[str, ...] = (), answers_commands: bool = True
    ) -> None:
        self.node = node
        self.reasons = reasons
        """Why it refuses every policy; empty: it takes them."""
        self.answers_commands = answers_commands
        self.applied = 0
        self._out: queue.Queue[fleet_pb2.ConnectRequest | None] = queue.Queue()
        self._channel = grpc.insecure_channel(target)
        connect = self._channel.stream_stream(
            "/seawall.v1.FleetService/Connect",
            request_serializer=fleet_pb2.ConnectRequest.SerializeToString,
            response_deserializer=fleet_pb2.ConnectResponse.FromString,
        )
        hello = fleet_pb2.Hello(
            node=node, boot_id="1", version="test", schema_version=1, policy_source="none"
        )
        self._out.put(fleet_pb2.ConnectRequest(hello=hello))
        self._stream = connect(iter(self._out.get, None))
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def report(self, **stats: Any) -> None:
        """Send statistics."""
        self._out.put(fleet_pb2.ConnectRequest(stats=fleet_pb2.StatsReport(**stats)))

    def close(self) -> None:
        """Hang up."""
        self._out.put(None)
        self._stream.cancel()
        self._thread.join(PATIENCE_S)
        self._channel.close()

    def _read(self) -> None:
        try:
            for message in self._stream:
                self._answer(message)
        except grpc.RpcError:
            pass

    def _answer(self, message: fleet_pb2.ConnectResponse) -> None:
        kind = message.WhichOneof("kind")
        if kind == "policy":
            push = message.policy
            self.applied = self.applied if self.reasons else push.revision
            result = fleet_pb2.PolicyResult(
                nonce=push.nonce,
                revision=push.revision,
                verdict=fleet_pb2.POLICY_VERDICT_NACK if self.reasons else fleet_pb2.POLICY_VERDICT_ACK,
                reasons=self.reasons,
                applied_revision=self.applied,
                applied_hash="" if self.reasons else push.hash,
            )
            self._out.put(fleet_pb2.ConnectRequest(policy_result=result))
        elif kind == "command" and self.answers_commands:
            result_ = fleet_pb2.CommandResult(id=message.command.id, ok=True)
            self._out.put(fleet_pb2.ConnectRequest(command_result=result_))


@dataclass
class Ran:
    """What a command did."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        """Return its stdout as JSON."""
        return json.loads(self.out)


Run = Callable[..., Ran]
Connect = Callable[..., ScriptedProxy]


@pytest.fixture
def control(tmp_path: Path) -> Iterator[Child]:
    """Run a control plane; its addresses are in `ready`."""
    data = tmp_path / "data"
    # Of what is alike everything is stored, however quick the store is.
    arguments = ["-m", "seawall_control", "--data-dir", str(data), "--log", "json", "--group-rate", "0"]
    with running(
        "control", [*arguments, "--grpc", "127.0.0.1:0", "--http", "127.0.0.1:0"], tmp_path
    ) as child:
        child.wait_ready()
        yield child


@pytest.fixture
def seawall(control: Child) -> Iterator[Seawall]:
    """Give a client of it."""
    with Seawall(control.ready["grpc"]) as client:
        yield client


@pytest.fixture
def run(control: Child, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    """Give a function that runs a command line against it."""
    monkeypatch.setenv("SEAWALL_CONTROL", control.ready["grpc"])

    def run_(*arguments: str) -> Ran:
        capfd.readouterr()
        code = main(arguments)
        out, err = capfd.readouterr()
        return Ran(code, out, err)

    return run_


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    """Write a policy file."""
    path = tmp_path / "policy.yaml"
    path.write_text(POLICY)
    return path


@pytest.fixture
def proxies(control: Child, seawall: Seawall) -> Iterator[Connect]:
    """Give a function that connects a scripted proxy and waits until the control plane knows it."""
    made: list[ScriptedProxy] = []

    def connect(node: str, **how: Any) -> ScriptedProxy:
        proxy = ScriptedProxy(control.ready["grpc"], node, **how)
        made.append(proxy)
        wait_until(
            lambda: any(item.node == node and item.connected for item in seawall.operations.proxies()),
            f"{node} is connected",
        )
        return proxy

    yield connect
    for proxy in made:
        proxy.close()


def some_event(index: int, **fields: Any) -> event_pb2.ErrorEvent:
    """Return an event with what most tests do not care about."""
    event = event_pb2.ErrorEvent(
        id=f"00000000-0000-4000-8000-{index:012d}",
        severity=event_pb2.SEVERITY_MEDIUM,
        kind=event_pb2.EVENT_KIND_APPLICATION,
        component="test",
        error_type="ValueError",
        message=f"event {index}",
    )
    event.timestamp.FromSeconds(1_790_000_000 + index)
    event.MergeFrom(event_pb2.ErrorEvent(**fields))
    return event


def some_breaker(state: stats_pb2.BreakerState, name: str = "r") -> stats_pb2.BreakerStatus:
    """Return a breaker's report."""
    return stats_pb2.BreakerStatus(
        name=name, route=name, state=state, window_calls=20, window_failures=15, opened=1
    )
