"""What the upstream room asks of the outside world: names, ports, and somebody to tell.

Names are looked up by the operating system (names.py). A lookup that was made ahead, while a policy was being
prepared, is answered from what it found: then the members of a new cluster are there when the policy is.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable, Iterable
from time import monotonic
from typing import TYPE_CHECKING, Final

from seawall.v1 import event_pb2
from seawall_policy.health import HEALTH_NAMES, UNHEALTHY
from seawall_policy.members import DnsTarget
from seawall_policy.outlier.standing import REASONS, SIBLING
from seawall_policy.transport import unix_path
from seawall_proxy.call.ports import EjectionRecord
from seawall_proxy.runtime.connecting import open_socket
from seawall_proxy.runtime.dialing import split_address
from seawall_proxy.runtime.names import NAMES
from seawall_proxy.telemetry.events import SystemRecord
from seawall_proxy.upstream.ports import Lookup, Probe, Prober, Resolver, UpstreamObserver

if TYPE_CHECKING:
    from seawall.v1 import policy_pb2
    from seawall_proxy.runtime.worker import Worker
    from seawall_proxy.telemetry.recorder import EventRecorder
    from seawall_proxy.upstream.clusters import ClusterSet

log = logging.getLogger("seawall.upstream")

AHEAD_LIMIT_S: Final = 2.0
"""How long a policy waits for the names in it before it is put in force without them."""
AHEAD_FRESH_S: Final = 5.0
"""For how long such an answer is good."""

Ask = Callable[[str, int], Awaitable[list[str]]]


async def ask_system(host: str, port: int) -> list[str]:
    """Return the addresses of a host as `host:port`; raise OSError when there is no answer."""
    found = await NAMES.look_up(host, port)
    return [
        f"[{place[0]}]:{port}" if family == socket.AF_INET6 else f"{place[0]}:{port}"
        for family, _, _, _, place in found
    ]


class SystemResolver(Resolver):
    """Looks names up with the operating system's resolver."""

    def __init__(self, worker: Worker, ask: Ask | None = None) -> None:
        self._worker: Worker = worker
        self._ask: Ask = ask_system if ask is None else ask
        self._tasks: set[asyncio.Task[None]] = set()
        self._ahead: dict[tuple[str, int], tuple[float, list[str]]] = {}

    def resolve(self, lookup: Lookup) -> None:
        found = self._ahead.pop((lookup.host, lookup.port), None)
        if found is not None and monotonic() - found[0] <= AHEAD_FRESH_S:
            lookup.answered(found[1])
            return
        task = self._worker.loop.create_task(self._resolve(lookup))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _resolve(self, lookup: Lookup) -> None:
        try:
            addresses = await self._look_up(lookup.host, lookup.port, lookup.timeout_s)
        except OSError as error:
            self._worker.tell_time()
            lookup.failed(str(error))
        else:
            self._worker.tell_time()
            lookup.answered(addresses)
        self._worker.after_batch()

    async def _look_up(self, host: str, port: int, timeout_s: float) -> list[str]:
        try:
            async with asyncio.timeout(timeout_s):
                return await self._ask(host, port)
        except TimeoutError:
            raise OSError(f"no answer within {timeout_s:g} s") from None
        except UnicodeError as error:
            raise OSError(f"no host name: {error}") from error
        except OSError as error:
            raise OSError(error.strerror or str(error)) from error

    async def look_ahead(self, targets: Iterable[DnsTarget]) -> None:
        """Look names up that are about to be asked for, all at once; a failure is for the one who asks."""
        self._ahead.clear()
        await asyncio.gather(*(self._one_ahead(target) for target in targets))

    async def _one_ahead(self, target: DnsTarget) -> None:
        try:
            found = await self._look_up(target.host, target.port, min(target.timeout_s, AHEAD_LIMIT_S))
        except OSError:
            return
        if found:
            self._ahead[target.host, target.port] = (monotonic(), found)


class PortProber(Prober):
    """Tries whether ports accept connections."""

    def __init__(self, worker: Worker) -> None:
        self._worker: Worker = worker
        self._tasks: set[asyncio.Task[None]] = set()

    def probe(self, probe: Probe) -> None:
        task = self._worker.loop.create_task(self._probe(probe))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _probe(self, probe: Probe) -> None:
        reason = ""
        try:
            async with asyncio.timeout(probe.timeout_s):
                await self._connect(probe.address)
        except TimeoutError:
            reason = f"no connection within {probe.timeout_s:g} s"
        except (OSError, UnicodeError) as error:
            reason = getattr(error, "strerror", "") or str(error)
        self._worker.tell_time()
        if reason:
            probe.failed(reason)
        else:
            probe.passed()
        self._worker.after_batch()

    async def _connect(self, address: str) -> None:
        loop = self._worker.loop
        path = unix_path(address)
        if path:
            transport, _ = await loop.create_unix_connection(asyncio.Protocol, path)
        else:
            host, port = split_address(address)
            sock = await open_socket(loop, host, port, NAMES.look_up)
            transport, _ = await loop.create_connection(asyncio.Protocol, sock=sock)
        transport.close()


class UpstreamNotes(UpstreamObserver):
    """Writes changes to the log, and those of health and ejections to the events."""

    def __init__(self, worker: Worker, recorder: EventRecorder) -> None:
        self.on_ejection: Callable[[str, str, float], None] | None = None
        """Hears of every ejection that this process has decided: cluster, endpoint, and when it ends."""
        self._worker: Worker = worker
        self._recorder: EventRecorder = recorder

    def health_changed(self, cluster: str, address: str, before: int, after: int, why: str) -> None:
        bad = after == UNHEALTHY
        log.log(
            logging.WARNING if bad else logging.INFO,
            "cluster %s: %s is %s: %s",
            cluster,
            address,
            HEALTH_NAMES[after],
            why,
        )
        self._recorder.system(
            SystemRecord(
                event_pb2.EVENT_KIND_SYSTEM,
                event_pb2.SEVERITY_MEDIUM if bad else event_pb2.SEVERITY_LOW,
                "proxy/health",
                "endpoint_unhealthy" if bad else "endpoint_healthy",
                f"{address} of cluster {cluster} is {HEALTH_NAMES[after]}: {why}",
                monotonic(),
                {"cluster": cluster, "endpoint": address, "before": HEALTH_NAMES[before]},
            )
        )

    def health_unknown_service(self, cluster: str, address: str) -> None:
        log.warning(
            "cluster %s: %s has no grpc.health.v1, so it counts as healthy whenever it answers; "
            "use `health_check: {kind: tcp}` or serve grpc.health.v1 there",
            cluster,
            address,
        )

    def lookup_failed(self, cluster: str, host: str, reason: str, kept: int) -> None:
        log.warning("cluster %s: looking up %s failed, %d endpoints stay: %s", cluster, host, kept, reason)

    def lookup_recovered(self, cluster: str, host: str, found: int) -> None:
        log.info("cluster %s: %s is found again, %d endpoints", cluster, host, found)

    def endpoint_ejected(
        self, cluster: str, address: str, reason: str, at: float, until: float, times_out: int
    ) -> None:
        why = REASONS.get(reason, reason)
        log.warning("cluster %s: %s is left out for %.1f s: %s", cluster, address, until - at, why)
        if reason == SIBLING:
            return
        record = self._ejection(cluster, address, reason)
        record.ejected = True
        record.seconds = until - at
        record.times_out = times_out
        self._recorder.endpoint_changed(record)
        if self.on_ejection is not None:
            self.on_ejection(cluster, address, until)

    def endpoint_returned(self, cluster: str, address: str, reason: str, why: str) -> None:
        log.info("cluster %s: %s takes calls again (%s)", cluster, address, why)
        record = self._ejection(cluster, address, reason)
        record.why = why
        self._recorder.endpoint_changed(record)

    def _ejection(self, cluster: str, address: str, reason: str) -> EjectionRecord:
        context = self._worker.context
        record = EjectionRecord(cluster, address, False, reason, context.now)
        record.revision = 0 if context.table is None else context.table.snapshot.revision
        return record

    def panic_began(self, cluster: str) -> None:
        log.warning("cluster %s: so little of it is healthy that health is ignored (panic)", cluster)


def connect_upstream(
    clusters: ClusterSet, worker: Worker, recorder: EventRecorder, document: policy_pb2.PolicyDocument
) -> SystemResolver:
    """Give the clusters their ports and the proxy's zone, as its own file has it."""
    resolver = SystemResolver(worker)
    clusters.resolver = resolver
    clusters.prober = PortProber(worker)
    clusters.observer = UpstreamNotes(worker, recorder)
    clusters.zone = document.zone or document.control.labels.get("zone", "")
    return resolver
