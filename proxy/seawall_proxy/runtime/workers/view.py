"""What the workers of a proxy look like together: its numbers, its status, its scrape page."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Sequence
from typing import Final

from seawall.v1 import fleet_pb2, policy_pb2
from seawall_proxy.runtime.frames import Json, Kind
from seawall_proxy.runtime.policy_holder import FROM_NOWHERE
from seawall_proxy.runtime.workers import answers, merge
from seawall_proxy.runtime.workers.handle import WorkerHandle
from seawall_proxy.telemetry import names, prometheus
from seawall_proxy.telemetry.counters import ProxyCounters

log = logging.getLogger("seawall.workers")

PAGE_LIMIT_S: Final = 2.0


class PoolPolicy:
    """What is in force in all workers."""

    def __init__(self) -> None:
        self.document: policy_pb2.PolicyDocument = policy_pb2.PolicyDocument()
        self.source: str = FROM_NOWHERE
        self.revision: int = 0
        self.digest: str = ""
        self.refused: list[str] = []


class PoolView:
    """Asks the workers and adds up what they say, with what those that have died had said."""

    def __init__(self, counters: ProxyCounters) -> None:
        self._counters: ProxyCounters = counters
        """The front's own."""
        self._gone_stats: fleet_pb2.StatsReport = fleet_pb2.StatsReport()
        self._gone_metrics: str = ""

    def lost(self, worker: WorkerHandle) -> None:
        """Keep what a worker has counted that is gone."""
        self._gone_stats = merge.merge_stats([], self._gone_stats, merge.counters_of(worker.stats))
        pages = [page for page in (self._gone_metrics, worker.metrics) if page]
        self._gone_metrics = merge.merge_metrics(pages, counters_only=True)

    def stats(self, workers: Sequence[WorkerHandle]) -> fleet_pb2.StatsReport:
        """Return the numbers of all workers, as of their last pulse."""
        report = merge.merge_stats([worker.stats for worker in workers], self._gone_stats)
        report.events_produced += self._counters.events_produced
        report.events_dropped += self._counters.events_dropped
        if not report.HasField("at"):
            report.at.GetCurrentTime()
        return report

    async def status(
        self, workers: Sequence[WorkerHandle], policy: PoolPolicy, restarts: int
    ) -> dict[str, object]:
        """Return the merged pages, and a line for each worker."""
        pages = await self._pages([worker for worker in workers if worker.alive], answers.STATUS)
        overloads = {number: page.pop("overload", None) for number, page in pages.items()}
        # Every worker has the same ones, and seconds do not add up.
        operations = [page.pop("operations", None) for page in pages.values()]
        merged = merge.merge_pages(list(pages.values()))
        page: dict[str, object] = dict(merged) if isinstance(merged, dict) else {}
        page["operations"] = operations[0] if operations else None
        of_first = next((found["policy"] for found in pages.values() if "policy" in found), None)
        page["policy"] = {
            **(of_first if isinstance(of_first, dict) else {}),
            "source": policy.source,
            "revision": policy.revision,
            "hash": policy.digest,
            "refused": policy.refused,
        }
        page["workers"] = [
            _line(worker, pages.get(worker.number, {}), overloads.get(worker.number))
            for worker in sorted(workers, key=lambda worker: worker.number)
        ]
        page["worker_restarts"] = restarts
        return page

    async def internals(self, workers: Sequence[WorkerHandle]) -> dict[str, object]:
        """Return the sums over the workers."""
        merged = merge.merge_pages(list((await self._pages(workers, answers.INTERNALS)).values()))
        return dict(merged) if isinstance(merged, dict) else {}

    async def metrics(self, workers: Sequence[WorkerHandle], revision: int, restarts: int) -> str:
        """Return the workers' scrape pages, added up."""
        bodies = await asyncio.gather(*(_page(worker, answers.METRICS) for worker in workers))
        # What one that died meanwhile had counted is among that of the dead.
        alive = [worker for worker in workers if worker.alive]
        for worker, body in zip(workers, bodies, strict=True):
            if body and worker.alive:
                worker.metrics = body.decode("utf-8")
        own = prometheus.Exposition()
        prometheus.add_proxy(own, self._counters, revision=revision, control_connected=None)
        own.family(names.WORKERS, [((), sum(worker.ready for worker in alive))])
        own.family(names.WORKER_RESTARTS, [((), restarts)])
        return merge.merge_metrics([*(worker.metrics for worker in alive), own.text(), self._gone_metrics])

    async def _pages(self, workers: Sequence[WorkerHandle], page: str) -> dict[int, dict[str, Json]]:
        bodies = await asyncio.gather(*(_page(worker, page) for worker in workers))
        return {worker.number: json.loads(body) for worker, body in zip(workers, bodies, strict=True) if body}


async def _page(worker: WorkerHandle, page: str) -> bytes:
    """Return a worker's part of a page; empty when it does not answer in time."""
    try:
        return (await worker.ask(Kind.ASK, {"page": page}, limit_s=PAGE_LIMIT_S)).body
    except ConnectionError:
        return b""
    except TimeoutError:
        log.warning("worker %d does not answer for a page within %g s", worker.number, PAGE_LIMIT_S)
        return b""


def _line(worker: WorkerHandle, page: dict[str, Json], overload: Json) -> dict[str, object]:
    return {
        "number": worker.number,
        "pid": worker.pid,
        "state": "ready" if worker.ready else "starting" if worker.alive else "dead",
        "calls_in_flight": page.get("calls_in_flight", worker.calls),
        "connections": page.get("connections"),
        "overload": overload,
    }
