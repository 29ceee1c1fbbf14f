"""The sum over workers while one of them dies."""

from __future__ import annotations

from seawall.v1 import fleet_pb2
from seawall_proxy.runtime.frames import Frame, Head, Kind
from seawall_proxy.runtime.workers.handle import GONE, WorkerHandle
from seawall_proxy.runtime.workers.view import PoolView
from seawall_proxy.telemetry.counters import ProxyCounters

PAGE = "# HELP calls_total Calls.\n# TYPE calls_total counter\ncalls_total 10\n"


class Mortal(WorkerHandle):
    """A worker without a process, which dies when it is asked the second time."""

    def __init__(self, view: PoolView) -> None:
        self.number = 0
        self.alive = self.ready = True
        self.metrics = ""
        self.stats = fleet_pb2.StatsReport()
        self._view = view
        self._asked = 0

    async def ask(self, kind: Kind, head: Head, body: bytes = b"", limit_s: float = 10.0) -> Frame:
        """Answer, or die."""
        self._asked += 1
        if self._asked > 1:
            self.alive = self.ready = False
            self._view.lost(self)
            raise ConnectionError(GONE)
        return Frame(Kind.ANSWER, {}, PAGE.encode())


async def test_what_a_worker_has_counted_counts_once_when_it_dies_during_a_scrape() -> None:
    """Its last numbers are among those of the dead by then; a counter that jumps would have to fall again."""
    view = PoolView(ProxyCounters())
    worker = Mortal(view)
    assert "calls_total 10\n" in await view.metrics([worker], 1, 0)
    assert "calls_total 10\n" in await view.metrics([worker], 1, 0)
    assert "calls_total 10\n" in await view.metrics([], 1, 1)
