"""What a data path does with calls beside carrying them, as the proxy's own file says: the access log, the
services that the proxy answers itself, and how many methods are counted apart.
"""

from __future__ import annotations

import logging
from pathlib import Path
from time import monotonic, time
from typing import TYPE_CHECKING

from seawall.v1 import policy_pb2
from seawall_policy.compile.access_log import read_access_log
from seawall_policy.compile.report import Report
from seawall_policy.compile.scope import Scope
from seawall_proxy.call.local import LocalHandler, LocalServices
from seawall_proxy.call.methods import DEFAULT_LEARNED
from seawall_proxy.runtime import served_health, served_reflection
from seawall_proxy.runtime.places import StartFailed
from seawall_proxy.runtime.strategies import load_strategies
from seawall_proxy.telemetry import prometheus
from seawall_proxy.telemetry.access_format import AccessFormatter
from seawall_proxy.telemetry.access_log import STDOUT, AccessLog
from seawall_proxy.telemetry.clock import ClockAnchor
from seawall_proxy.telemetry.counters import RouteCounters

if TYPE_CHECKING:
    from seawall_proxy.runtime.policy_holder import PolicyHolder
    from seawall_proxy.runtime.worker import Worker
    from seawall_proxy.telemetry.prometheus import Exposition
    from seawall_proxy.upstream.clusters import ClusterSet

log = logging.getLogger("seawall.proxy")

SERVED_ROUTE = "(serve)"
"""Under this name calls to the proxy's own services are counted; no route can have it."""


class Served(LocalServices):
    """The services that the proxy answers itself."""

    def __init__(
        self,
        counters: RouteCounters,
        worker: Worker,
        clusters: ClusterSet,
        holder: PolicyHolder,
        serve: policy_pb2.Serve,
    ) -> None:
        super().__init__(counters, worker.context.methods)
        own: tuple[str, ...] = ()
        paths: list[bytes] = []
        if serve.health:
            own += (served_health.SERVICE,)
            paths += [served_health.CHECK, served_health.WATCH, served_health.LIST]
        if serve.reflection:
            own += served_reflection.SERVICES
            paths += served_reflection.PATHS
        self.paths = frozenset(paths)
        self.board = served_health.HealthBoard(worker, clusters, own)
        self.book = served_reflection.ReflectionBook(worker, clusters, holder, own)

    def begin(self, path: bytes) -> LocalHandler:
        """Return the handler for a new call."""
        if path in served_reflection.PATHS:
            return served_reflection.reflect(self.book)
        if path == served_health.WATCH:
            return served_health.watch(self.board)
        return served_health.HealthHandler(self.board)


class CallFeatures:
    """Made once for a data path; told when a second has passed and when the end comes."""

    def __init__(
        self,
        document: policy_pb2.PolicyDocument,
        folder: Path,
        worker: Worker,
        clusters: ClusterSet,
        holder: PolicyHolder,
        routes: dict[str, RouteCounters],
    ) -> None:
        context = worker.context
        admin = document.admin
        context.methods.max_learned = admin.max_methods if admin.HasField("max_methods") else DEFAULT_LEARNED
        self.access: AccessLog | None = open_access_log(document, folder)
        context.access = self.access
        context.strategies = load_strategies()
        self.served: Served | None = None
        if document.serve.health or document.serve.reflection:
            counters = RouteCounters(SERVED_ROUTE)
            routes[SERVED_ROUTE] = counters
            self.served = Served(counters, worker, clusters, holder, document.serve)
            context.local = self.served

    def tick(self) -> None:
        """Tell those who watch what has changed; due about once a second."""
        if self.served is not None:
            self.served.board.refresh()

    def add_metrics(self, page: Exposition) -> None:
        """Add what the access log counts."""
        access = self.access
        if access is not None:
            prometheus.add_access_log(page, access.written, access.dropped, len(access))

    def start_drain(self) -> None:
        """Say that nothing is served any more."""
        if self.served is not None:
            self.served.board.draining = True
            self.served.board.refresh()

    def park(self, parked: bool) -> None:
        """Say that nothing is served while a person has the proxy out of service, and that it is again."""
        if self.served is not None:
            self.served.board.parked = parked
            self.served.board.refresh()

    def finish_drain(self) -> None:
        """End what would keep connections open."""
        if self.served is not None:
            self.served.board.end_watches()

    async def close(self) -> None:
        """Stop asking upstreams for their descriptors."""
        if self.served is not None:
            await self.served.book.close()

    def flush(self) -> None:
        """Write what the access log still has; may block for two seconds."""
        access = self.access
        if access is not None and not access.close():
            log.warning("the access log %s took too long: %d lines are lost", access.path, len(access))


def open_access_log(document: policy_pb2.PolicyDocument, folder: Path) -> AccessLog | None:
    """Open the access log of a document whose relative names are below `folder`; raise StartFailed when it
    cannot be written.
    """
    options = read_access_log(Scope(Report(), ""), document)
    if options is None:
        return None
    formatter = AccessFormatter(options.fields, lambda: ClockAnchor(monotonic(), time()))
    try:
        path = options.path if options.path == STDOUT else str(folder / options.path)
        return AccessLog(path, formatter, share=options.share, failures_only=options.failures_only)
    except OSError as error:
        raise StartFailed(
            f"cannot write the access log {options.path}: {error.strerror or error}; "
            "choose another `path` under `access_log`"
        ) from error
