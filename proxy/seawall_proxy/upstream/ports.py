"""What the upstream room asks of the runtime: names looked up, ports tried, and what it noticed passed on.

The asked side answers now or later, exactly once, by calling the object that it was handed; nothing is ever
waited for here. An answer to something that was given up is ignored.
"""

from __future__ import annotations

from mypy_extensions import mypyc_attr


@mypyc_attr(allow_interpreted_subclasses=True)
class Lookup:
    """One question for the addresses of a name."""

    def __init__(self, host: str, port: int, timeout_s: float) -> None:
        self.host: str = host
        self.port: int = port
        self.timeout_s: float = timeout_s
        self.done: bool = False

    def answered(self, addresses: list[str]) -> None:
        """Take the answer: `host:port` each."""

    def failed(self, reason: str) -> None:
        """Learn that there is no answer."""


@mypyc_attr(allow_interpreted_subclasses=True)
class Resolver:
    """Looks names up."""

    def resolve(self, lookup: Lookup) -> None:
        """Answer `lookup`, now or later."""
        lookup.failed("no name service")


@mypyc_attr(allow_interpreted_subclasses=True)
class Probe:
    """One try whether a port accepts connections."""

    def __init__(self, address: str, timeout_s: float) -> None:
        self.address: str = address
        self.timeout_s: float = timeout_s
        self.done: bool = False

    def passed(self) -> None:
        """Learn that it does."""

    def failed(self, reason: str) -> None:
        """Learn that it does not."""


@mypyc_attr(allow_interpreted_subclasses=True)
class Prober:
    """Tries ports."""

    def probe(self, probe: Probe) -> None:
        """Answer `probe`, now or later; no connection is left behind."""
        probe.failed("nobody tries ports")


@mypyc_attr(allow_interpreted_subclasses=True)
class UpstreamObserver:
    """Takes what is worth telling a person. This one drops it."""

    def health_changed(self, cluster: str, address: str, before: int, after: int, why: str) -> None:
        """Take a change of an endpoint's health (`seawall_policy.health`)."""

    def health_unknown_service(self, cluster: str, address: str) -> None:
        """Take that a server has no health service and so counts as healthy; once for each cluster."""

    def lookup_failed(self, cluster: str, host: str, reason: str, kept: int) -> None:
        """Take that a name cannot be looked up, and how many endpoints are kept; once until it can be."""

    def lookup_recovered(self, cluster: str, host: str, found: int) -> None:
        """Take that it can be looked up again."""

    def panic_began(self, cluster: str) -> None:
        """Take that health is ignored in a cluster, because too little of it is well."""

    def endpoint_ejected(
        self, cluster: str, address: str, reason: str, at: float, until: float, times_out: int
    ) -> None:
        """Take that an endpoint is left out as an outlier, why (`seawall_policy.outlier.standing`), from when
        until when (monotonic seconds), and how often in a row.
        """

    def endpoint_returned(self, cluster: str, address: str, reason: str, why: str) -> None:
        """Take that it is back, with the reason that it was out for and the one that it is back for."""
