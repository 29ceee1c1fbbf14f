"""Documents that meet: which one is in force when two are on their way."""

from __future__ import annotations

import asyncio

from seawall.v1 import policy_pb2
from seawall_policy.compile import MissingDescriptor
from seawall_proxy.call.ports import EventSink, TraceSink
from seawall_proxy.runtime.policy_holder import FROM_CONTROL_PLANE, PolicyHolder
from seawall_proxy.runtime.worker import Worker
from seawall_proxy.telemetry.counters import ProxyCounters, RouteCounters
from seawall_proxy.upstream.clusters import ClusterSet


def document() -> policy_pb2.PolicyDocument:
    """Return the least document that is valid."""
    return policy_pb2.PolicyDocument(
        version="v1",
        clusters=[policy_pb2.Cluster(name="up", endpoints=[policy_pb2.Endpoint(address="127.0.0.1:1")])],
        policies={"p": policy_pb2.Policy()},
        routes=[policy_pb2.Route(name="all", match=policy_pb2.RouteMatch(), cluster="up", policy="p")],
    )


async def test_asking_again_never_brings_an_older_document_back() -> None:
    """While fallbacks wait for descriptors a newer document comes: asking again concerns the newer one, even
    when it had to wait for its turn behind it.
    """
    counters = ProxyCounters()
    worker = Worker(
        asyncio.get_running_loop(), lambda: 0.5, EventSink(), TraceSink(), counters, RouteCounters("")
    )
    clusters = ClusterSet(worker.dialer, worker.context.timers, lambda: 0.5)
    holder = PolicyHolder(worker, clusters, {}, counters, lambda: 0.5, None)
    assert await holder.apply(document(), revision=1, source=FROM_CONTROL_PLANE, patient=True) == []
    holder.pending = (MissingDescriptor("all", "s.S", "up"),)
    newer = asyncio.create_task(
        holder.apply(document(), revision=2, source=FROM_CONTROL_PLANE, patient=False)
    )
    await asyncio.sleep(0)
    await holder._learn_pending()
    assert await newer == []
    assert holder.revision == 2
    assert not holder.pending
    clusters.close()
    worker.close()
