"""What the runtime makes of an ejection: a log line, an event, and word to the other workers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from random import Random

import pytest

from seawall.v1 import event_pb2, policy_pb2
from seawall_policy.model import BALANCE_ROUND_ROBIN, ClusterSpec
from seawall_policy.outlier.options import OutlierOptions
from seawall_proxy.call.ports import TraceSink
from seawall_proxy.runtime.endpoint_status import (
    add_endpoints,
    cluster_line,
    cluster_message,
    endpoint_message,
)
from seawall_proxy.runtime.frames import Frame, Kind
from seawall_proxy.runtime.upstream_edge import connect_upstream
from seawall_proxy.runtime.worker import Worker
from seawall_proxy.runtime.workers.siblings import Siblings
from seawall_proxy.telemetry.clock import ClockAnchor
from seawall_proxy.telemetry.counters import ProxyCounters, RouteCounters
from seawall_proxy.telemetry.events import EventBuilder
from seawall_proxy.telemetry.prometheus import Exposition
from seawall_proxy.telemetry.recorder import EventRecorder
from seawall_proxy.upstream.clusters import ClusterSet

SPEC = ClusterSpec(
    "main", ("127.0.0.1:1", "127.0.0.1:2"), BALANCE_ROUND_ROBIN, 10, 1.0, b"",
    outlier=OutlierOptions(jitter=0.0),
)  # fmt: skip


class Process:
    """One worker process, as far as it matters here."""

    def __init__(self, number: int) -> None:
        self.recorder: EventRecorder = EventRecorder(ProxyCounters())
        self.worker: Worker = Worker(
            asyncio.get_running_loop(),
            Random(1).random,
            self.recorder,
            TraceSink(),
            ProxyCounters(),
            RouteCounters(""),
        )
        self.clusters: ClusterSet = ClusterSet(
            self.worker.dialer, self.worker.context.timers, Random(1).random
        )
        connect_upstream(self.clusters, self.worker, self.recorder, policy_pb2.PolicyDocument())
        self.told: list[Frame] = []
        self.siblings: Siblings = Siblings(self.worker, number, self.told.append)
        self.siblings.watch(self.clusters)
        self.clusters.adopt(self.clusters.prepare({"main": SPEC}))

    def fail(self, times: int = 5) -> None:
        """Let attempts at the first endpoint fail."""
        endpoint = self.clusters.clusters["main"].endpoints[0]
        self.worker.tell_time()
        assert endpoint.tally is not None
        for _ in range(times):
            endpoint.judged(endpoint.tally, self.worker.context.now, 14, 0)


@pytest.fixture
async def processes() -> AsyncIterator[tuple[Process, Process]]:
    """Two workers of one proxy."""
    both = (Process(0), Process(1))
    yield both
    for process in both:
        process.clusters.close()
        process.worker.close()


async def test_an_ejection_is_told(processes: tuple[Process, Process]) -> None:
    """As an event with the reason, as metrics, at /status, and to siblings with its end, who follow without
    a word of their own.
    """
    one, other = processes
    one.fail()
    builder = EventBuilder("node", ClockAnchor(0.0, 0.0), bytes)
    (record,) = one.recorder.take(10)
    event = builder.build(record)
    assert event.kind == event_pb2.EVENT_KIND_ENDPOINT_EJECTED
    assert event.severity == event_pb2.SEVERITY_MEDIUM
    assert (event.endpoint, event.reason) == ("127.0.0.1:1", "consecutive")
    assert event.details["seconds"] == pytest.approx(5.0)
    (frame,) = one.told
    assert frame.kind == Kind.EJECTION
    other.siblings.follow_ejection(frame)
    assert other.clusters.clusters["main"].endpoints[0].ejected
    assert not other.told
    assert len(other.recorder) == 0
    line = cluster_line(other.clusters.clusters["main"], other.worker.context.now)
    assert line["outliers"] == {"mode": "enforce", "ejected": 1, "ejections": {"sibling": 1}, "spared": {}}
    cluster = one.clusters.clusters["main"]
    numbers = cluster_message(cluster)
    assert (dict(numbers.ejections), numbers.ejected, numbers.endpoints) == ({"consecutive": 1}, 1, 2)
    out = endpoint_message(cluster, cluster.endpoints[0], one.worker.context.now)
    assert (out.outlier, out.outlier_reason) == ("ejected", "consecutive")
    page = Exposition()
    add_endpoints(page, one.clusters.clusters.values(), one.worker.context.now)
    text = page.text()
    assert 'seawall_endpoint_ejected{cluster="main",endpoint="127.0.0.1:1"} 1' in text
    assert (
        'seawall_outlier_ejections_total{cluster="main",reason="consecutive",enforced="true",why=""} 1'
        in text
    )


async def test_a_return_is_told(processes: tuple[Process, Process]) -> None:
    """With why it was out and why it is back; gauges are computed from the state (linkerd2 #12961)."""
    one, _ = processes
    one.fail()
    one.recorder.take(10)
    cluster = one.clusters.clusters["main"]
    cluster.outliers.configure(None)
    (record,) = one.recorder.take(10)
    event = EventBuilder("node", ClockAnchor(0.0, 0.0), bytes).build(record)
    assert event.kind == event_pb2.EVENT_KIND_ENDPOINT_RETURNED
    assert event.severity == event_pb2.SEVERITY_LOW
    assert event.details["why"] == "policy"
    assert cluster.outliers.out() == 0


async def test_a_sibling_of_another_policy_is_no_trouble(processes: tuple[Process, Process]) -> None:
    """Clusters and endpoints that are not known are passed over."""
    one, _ = processes
    for cluster, endpoint in (("gone", "127.0.0.1:1"), ("main", "127.0.0.1:9")):
        head: dict[str, object] = {"cluster": cluster, "endpoint": endpoint, "until": 1e12}
        one.siblings.follow_ejection(Frame(Kind.EJECTION, head))  # type: ignore[arg-type]
    assert one.clusters.clusters["main"].outliers.out() == 0
