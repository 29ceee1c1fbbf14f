"""A proxy in front of many upstreams that misbehave, one for each script, and of one that does not.

All calls of a test file go through one channel, so whatever an upstream does must leave the client's
connection to the proxy as it was; beside them a client calls the good upstream without a pause and must
notice nothing. In the end nothing is in flight, the proxy is healthy, and its log has no traceback.
"""

from __future__ import annotations

import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc

from tests.integration.misbehaving.wire import Rude, Script
from tests.kit.processes import PATIENCE_S, http_get, wait_until
from tests.kit.stand import Stand

POLICIES: dict[str, Any] = {
    "plain": {"timeout": "60s", "breaker": {"mode": "off"}},
    "retrying": {
        "timeout": "60s",
        "breaker": {"mode": "off"},
        "retry": {
            "max_attempts": 3,
            "codes": ["UNAVAILABLE"],
            "backoff": {"initial": "10ms"},
            "only_idempotent": False,
        },
    },
    "breaking": {
        "timeout": "60s",
        "breaker": {
            "window": {"kind": "count", "size": 10},
            "min_calls": 10,
            "consecutive": 3,
            "open_for": "60s",
        },
    },
}
CALL_LIMIT_S = 50.0
_COUNT = re.compile(r'seawall_calls_total\{route="([^"]*)",rpc_status_code="([A-Z_]+)"\} (\d+)')


@dataclass
class Outcome:
    """How a call ended."""

    code: str
    details: str = ""
    messages: list[bytes] = field(default_factory=list)
    trailing: dict[str, Any] = field(default_factory=dict)
    took_s: float = 0.0


def call(
    channel: grpc.Channel,
    path: str,
    requests: Iterable[bytes] | bytes = b"hello",
    limit_s: float = CALL_LIMIT_S,
) -> Outcome:
    """Make a call: unary for bytes, else of a stream with a stream."""
    began = time.monotonic()
    messages: list[bytes] = []
    if isinstance(requests, bytes):
        method: Any = channel.unary_unary(path)
        unary = method.future(requests, timeout=limit_s)
        error = unary.exception()
        if error is None:
            messages.append(unary.result())
        made = unary
    else:
        method = channel.stream_stream(path)
        made = method(iter(requests), timeout=limit_s)
        with suppress(grpc.RpcError):
            messages.extend(made)
    return Outcome(
        made.code().name,
        made.details() or "",
        messages,
        dict(made.trailing_metadata() or ()),
        time.monotonic() - began,
    )


class GoodClient:
    """Calls the good upstream without a pause; remembers what went wrong and how long the longest took."""

    def __init__(self, address: str) -> None:
        self.calls = 0
        self.failures: list[str] = []
        self._address = address
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    @contextmanager
    def calling(self) -> Iterator[None]:
        """Call for the length of the block."""
        self._thread.start()
        wait_until(lambda: self.calls > 3, "the good client is served")
        try:
            yield
        finally:
            self._stop.set()
            self._thread.join(PATIENCE_S)

    def _run(self) -> None:
        with grpc.insecure_channel(self._address) as channel:
            unary: Callable[..., bytes] = channel.unary_unary("/good.Good/Unary")
            while not self._stop.wait(0.01):
                try:
                    assert unary(b"hello", timeout=PATIENCE_S) == b"hello"
                except (grpc.RpcError, AssertionError) as error:
                    self.failures.append(repr(error))
                self.calls += 1


@dataclass
class Upstream:
    """A script with the policy of its route and what its cluster says beside the address."""

    script: Script
    policy: str = "plain"
    cluster: dict[str, Any] = field(default_factory=dict)


class Ground:
    """The proxy with its upstreams."""

    def __init__(self, stand: Stand, upstreams: Mapping[str, Upstream]) -> None:
        self.rudes = {name: Rude(upstream.script) for name, upstream in upstreams.items()}
        self._services = {name: f"m{number}.S" for number, name in enumerate(upstreams)}
        _, good = stand.upstream()
        clusters = [{"name": "good", "endpoints": [good]}]
        routes = [{"name": "good", "match": {"service": "good.Good"}, "cluster": "good", "policy": "plain"}]
        for number, (name, upstream) in enumerate(upstreams.items()):
            clusters.append(
                {"name": f"c{number}", "endpoints": [self.rudes[name].address], **upstream.cluster}
            )
            routes.append(
                {
                    "name": f"r{number}",
                    "match": {"service": self._services[name]},
                    "cluster": f"c{number}",
                    "policy": upstream.policy,
                }
            )
        self._numbers = {name: number for number, name in enumerate(upstreams)}
        self.proxy = stand.proxy(stand.policy({"clusters": clusters, "policies": POLICIES, "routes": routes}))
        self.channel = grpc.insecure_channel(self.proxy.address)

    def path(self, name: str) -> str:
        """Return a method of an upstream."""
        return f"/{self._services[name]}/Unary"

    def call(
        self, name: str, requests: Iterable[bytes] | bytes = b"hello", limit_s: float = CALL_LIMIT_S
    ) -> Outcome:
        """Call an upstream through the proxy."""
        return call(self.channel, self.path(name), requests, limit_s)

    def call_direct(self, name: str, requests: Iterable[bytes] | bytes, limit_s: float) -> Outcome:
        """Call an upstream without the proxy."""
        with grpc.insecure_channel(
            self.rudes[name].address, [("grpc.use_local_subchannel_pool", 1)]
        ) as channel:
            return call(channel, self.path(name), requests, limit_s)

    def route(self, name: str) -> str:
        """Return the name of an upstream's route."""
        return f"r{self._numbers[name]}"

    def wait_for(self, name: str) -> None:
        """Wait until an upstream has a connection that is ready."""
        self.proxy.wait_for_endpoints(f"c{self._numbers[name]}", 1)

    def counted(self, name: str) -> Counter[str]:
        """Return how many calls of an upstream's route ended with each status, as the proxy counts them."""
        _, page = http_get(self.proxy.admin, "/metrics")
        found = Counter[str]()
        for route, code, count in _COUNT.findall(page):
            if route == self.route(name):
                found[code] += int(count)
        return found

    def close(self) -> None:
        """End the upstreams."""
        self.channel.close()
        for rude in self.rudes.values():
            rude.close()

    def check(self) -> None:
        """Insist that the proxy is as it was."""

        def empty() -> bool:
            status = self.proxy.status()
            return status["calls_in_flight"] == 0 and all(
                cluster["in_flight"] == 0 for cluster in status["clusters"].values()
            )

        wait_until(empty, "nothing is in flight")
        assert http_get(self.proxy.admin, "/health")[0] == 200
        assert self.proxy.child.process.poll() is None
        assert "Traceback" not in self.proxy.child.log(), self.proxy.child.log()
        for name, rude in self.rudes.items():
            assert rude.broken == [], (name, rude.broken)


@contextmanager
def standing(folder: Path, upstreams: Mapping[str, Upstream]) -> Iterator[Ground]:
    """Give a ground for the length of the block, and check it in the end."""
    stand = Stand(folder)
    ground = None
    try:
        ground = Ground(stand, upstreams)
        good = GoodClient(ground.proxy.address)
        with good.calling():
            yield ground
        assert good.failures == []
        ground.check()
    finally:
        if ground is not None:
            ground.close()
        stand.close()
