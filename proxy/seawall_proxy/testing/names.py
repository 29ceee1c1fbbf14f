"""A name service and a port prober that a test decides about."""

from __future__ import annotations

from seawall_proxy.upstream.ports import Lookup, Probe, Prober, Resolver, UpstreamObserver


class ScriptedResolver(Resolver):
    """Answers from `names` at once; a name that is not there fails. With `silent` questions wait in
    `pending`.
    """

    def __init__(self, names: dict[str, list[str]] | None = None) -> None:
        self.names: dict[str, list[str]] = names or {}
        self.silent: bool = False
        self.pending: list[Lookup] = []
        self.asked: int = 0

    def resolve(self, lookup: Lookup) -> None:
        self.asked += 1
        if self.silent:
            self.pending.append(lookup)
        elif lookup.host in self.names:
            lookup.answered(list(self.names[lookup.host]))
        else:
            lookup.failed("no such name")


class ScriptedProber(Prober):
    """Answers probes at once: ports in `closed` refuse. With `silent` probes wait in `pending`."""

    def __init__(self) -> None:
        self.closed: set[str] = set()
        self.silent: bool = False
        self.pending: list[Probe] = []
        self.probes: list[str] = []

    def probe(self, probe: Probe) -> None:
        self.probes.append(probe.address)
        if self.silent:
            self.pending.append(probe)
        elif probe.address in self.closed:
            probe.failed("refused")
        else:
            probe.passed()


class Notes(UpstreamObserver):
    """Writes down what it is told."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def health_changed(self, cluster: str, address: str, before: int, after: int, why: str) -> None:
        self.lines.append(f"{address} {before}->{after} {why}")

    def health_unknown_service(self, cluster: str, address: str) -> None:
        self.lines.append(f"{address} has no health service")

    def lookup_failed(self, cluster: str, host: str, reason: str, kept: int) -> None:
        self.lines.append(f"{host} failed: {reason}, {kept} kept")

    def lookup_recovered(self, cluster: str, host: str, found: int) -> None:
        self.lines.append(f"{host} found: {found}")

    def panic_began(self, cluster: str) -> None:
        self.lines.append(f"{cluster} panics")
