"""Whether an endpoint is well, from the results of checks.

An endpoint is UNKNOWN until its first check has ended, and that one decides at once, so that a start is not
spent waiting; so does the first one after its connection was lost and is back. Otherwise a number of results
in a row is needed: one lost answer is no outage, and one good answer may be no recovery. A server that says
itself that it is not serving is believed at once.

Checks of the same endpoint by many proxies should not come in step, so each interval is drawn from
interval x (1 - jitter) to interval x (1 + jitter).
"""

from __future__ import annotations

from typing import Final

UNKNOWN: Final = 0
HEALTHY: Final = 1
UNHEALTHY: Final = 2
HEALTH_NAMES: Final[tuple[str, ...]] = ("unknown", "healthy", "unhealthy")

KIND_GRPC: Final = 1
KIND_TCP: Final = 2

INTERVAL_S: Final = 5.0
TIMEOUT_S: Final = 1.0
UNHEALTHY_AFTER: Final = 2
HEALTHY_AFTER: Final = 1
JITTER: Final = 0.1
QUIET_AFTER_S: Final = 60.0
"""A cluster without calls for this long is checked at its `no_traffic_interval`."""


class HealthOptions:
    """How endpoints are checked."""

    def __init__(
        self,
        kind: int = KIND_GRPC,
        interval_s: float = INTERVAL_S,
        timeout_s: float = TIMEOUT_S,
        unhealthy_after: int = UNHEALTHY_AFTER,
        healthy_after: int = HEALTHY_AFTER,
        service: str = "",
        jitter: float = JITTER,
        no_traffic_interval_s: float = 0.0,
        watch: bool = True,
    ) -> None:
        self.kind: int = kind
        self.interval_s: float = interval_s
        self.timeout_s: float = timeout_s
        self.unhealthy_after: int = unhealthy_after
        self.healthy_after: int = healthy_after
        self.service: str = service
        self.jitter: float = jitter
        self.no_traffic_interval_s: float = no_traffic_interval_s if no_traffic_interval_s > 0 else interval_s
        self.watch: bool = watch

    def key(self) -> tuple[int, float, float, int, int, str, float, float, bool]:
        """Return what two equal ones have in common."""
        return (
            self.kind,
            self.interval_s,
            self.timeout_s,
            self.unhealthy_after,
            self.healthy_after,
            self.service,
            self.jitter,
            self.no_traffic_interval_s,
            self.watch,
        )

    def wait_s(self, quiet: bool, draw: float) -> float:
        """Return how long to wait for the next check; `draw` is in [0, 1)."""
        interval = self.no_traffic_interval_s if quiet else self.interval_s
        return interval * (1.0 + self.jitter * (2.0 * draw - 1.0))


class HealthVerdict:
    """What the checks of one endpoint say together. Every method tells whether the verdict has changed."""

    def __init__(self, options: HealthOptions) -> None:
        self.options: HealthOptions = options
        self.health: int = UNKNOWN
        self._against: int = 0
        """Results in a row that contradict the verdict."""
        self._fresh: bool = True
        """The next result decides."""

    def renew(self) -> None:
        """Let the next result decide: there may be another server now."""
        self._fresh = True
        self._against = 0

    def passed(self) -> bool:
        """A check has succeeded."""
        return self._result(HEALTHY, self.options.healthy_after)

    def failed(self) -> bool:
        """A check has failed or was not answered in time."""
        return self._result(UNHEALTHY, self.options.unhealthy_after)

    def refused(self) -> bool:
        """The server said that it is not serving."""
        return self._result(UNHEALTHY, 1)

    def _result(self, health: int, needed: int) -> bool:
        fresh = self._fresh
        self._fresh = False
        if health == self.health:
            self._against = 0
            return False
        self._against += 1
        if not fresh and self._against < needed:
            return False
        self.health = health
        self._against = 0
        return True
