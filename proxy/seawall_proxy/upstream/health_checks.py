"""Active health checking of a cluster's endpoints.

Each endpoint is checked at an interval: asked with a grpc.health.v1 Check on its own connection, or, for kind
tcp, tried with a new one. Beside the checks a Watch listens for what the server announces, so that a change
is known when it happens; a Watch that fails is opened again after a wait that grows, and says nothing about
health by failing. A connection that is new is asked at once, and its first answer decides.

A server without the health service counts as healthy (gRFC A17), which is told once. Whether an endpoint can
be reached is for its connections to say: a check that finds none only has it dialled again, so that with
checks a return is noticed within an interval.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from seawall_policy import status
from seawall_policy.health import KIND_TCP, QUIET_AFTER_S, UNHEALTHY, HealthOptions, HealthVerdict
from seawall_proxy.call.timers import Timed, TimerWheel
from seawall_proxy.http2.headers import HeaderBlock
from seawall_proxy.upstream.endpoint import BACKOFF, Endpoint
from seawall_proxy.upstream.health_call import LOST, NO_CONNECTION, HealthCall, HealthCallOwner
from seawall_proxy.upstream.health_wire import (
    CHECK,
    NOT_SERVING,
    SERVICE_UNKNOWN,
    SERVING,
    WATCH,
    request_block,
    request_message,
)
from seawall_proxy.upstream.ports import Probe, Prober, UpstreamObserver

REWATCH_FIRST_S: Final = 1.0
REWATCH_MAX_S: Final = 120.0
REWATCH_GROWTH: Final = 1.6
"""gRPC's connection backoff, which A17 uses for Watch too."""


class HealthSink:
    """Whoever wants to know."""

    def health_changed(self, endpoint: Endpoint, health: int) -> None:
        """Take a new verdict."""

    def check_passed(self, endpoint: Endpoint) -> None:
        """Take that a check has succeeded, whatever the verdict."""


class HealthChecks:
    """The checks of one cluster."""

    def __init__(
        self,
        cluster: str,
        options: HealthOptions,
        scheme: bytes,
        authority: bytes,
        prober: Prober,
        timers: TimerWheel,
        draw: Callable[[], float],
        observer: UpstreamObserver,
        sink: HealthSink,
    ) -> None:
        self.cluster: str = cluster
        self.options: HealthOptions = options
        self.prober: Prober = prober
        self.timers: TimerWheel = timers
        self.draw: Callable[[], float] = draw
        self.observer: UpstreamObserver = observer
        self.sink: HealthSink = sink
        self.scheme: bytes = scheme
        self.authority: bytes = authority
        self.message: bytes = request_message(options.service)
        self.checks: int = 0
        """Checks that were begun."""
        self.failures: int = 0
        """Checks that failed or were not answered."""
        self.quiet: bool = False
        """The cluster has had no calls for a while."""
        self._told_unknown: bool = False
        self._checked: dict[int, EndpointCheck] = {}
        """By slot."""
        self._attempts: int = -1
        self._busy_at: float = timers.now

    def set_endpoints(self, endpoints: list[Endpoint]) -> None:
        """Check these from now on, and no others."""
        known = self._checked
        self._checked = {}
        begun: list[EndpointCheck] = []
        for endpoint in endpoints:
            check = known.get(endpoint.index)
            if check is not None and check.endpoint is endpoint:
                del known[endpoint.index]
            else:
                check = EndpointCheck(self, endpoint)
                begun.append(check)
            self._checked[endpoint.index] = check
        for left in known.values():
            left.stop()
        for check in begun:
            check.begin()

    def stop(self) -> None:
        """Check nothing any more."""
        self.set_endpoints([])

    def ready(self, endpoint: Endpoint) -> None:
        """Learn that an endpoint has a new first connection."""
        check = self._checked.get(endpoint.index)
        if check is not None and check.endpoint is endpoint:
            check.renew()

    def sweep(self, now: float) -> None:
        """See whether there are calls; due about once a second."""
        attempts = 0
        for check in self._checked.values():
            attempts += check.endpoint.attempts
        if attempts != self._attempts:
            self._attempts = attempts
            self._busy_at = now
            if self.quiet:
                self.quiet = False
                for check in self._checked.values():
                    check.wake()
        elif now - self._busy_at >= QUIET_AFTER_S:
            self.quiet = True

    def block(self, path: bytes, endpoint: Endpoint) -> HeaderBlock:
        """Return the headers of a health call."""
        authority = self.authority
        if len(authority) == 0:
            address = endpoint.address
            authority = b"localhost" if address.startswith("unix:") else address.encode("ascii", "replace")
        return request_block(path, self.scheme, authority)

    def unknown_service(self, endpoint: Endpoint) -> None:
        """A server has no health service."""
        if not self._told_unknown:
            self._told_unknown = True
            self.observer.health_unknown_service(self.cluster, endpoint.address)


class EndpointCheck(Timed):
    """The checks of one endpoint: waiting for the next one, or running one."""

    def __init__(self, group: HealthChecks, endpoint: Endpoint) -> None:
        self.tick = -1
        self.group: HealthChecks = group
        self.endpoint: Endpoint = endpoint
        self.verdict: HealthVerdict = HealthVerdict(group.options)
        self._tcp: bool = group.options.kind == KIND_TCP
        self._call: HealthCall | None = None
        self._probe: _PortProbe | None = None
        self._watch: _Watch | None = None
        if group.options.watch and not self._tcp:
            self._watch = _Watch(self)

    def begin(self) -> None:
        """Check now."""
        self.fire(self.group.timers.now)

    def renew(self) -> None:
        """Check the connection that is new; its first answer decides."""
        self.verdict.renew()
        self._drop()
        self.begin()

    def wake(self) -> None:
        """Check now, unless one is running."""
        if self._call is None and self._probe is None:
            self.begin()

    def stop(self) -> None:
        """Ask nothing any more."""
        self._drop()
        self.group.timers.cancel(self)
        if self._watch is not None:
            self._watch.stop()

    def _drop(self) -> None:
        call = self._call
        if call is not None:
            self._call = None
            call.cancel()
        probe = self._probe
        if probe is not None:
            self._probe = None
            probe.done = True

    def fire(self, now: float) -> None:
        call = self._call
        if self._probe is not None or (call is not None and not call.waits):
            self._drop()
            self.result(UNANSWERED, f"no answer within {self.group.options.timeout_s:g} s")
        elif call is not None:
            # It waits for a connection: that is no statement of the server's.
            self._drop()
            self._wait()
        else:
            self._ask(now)

    def _ask(self, now: float) -> None:
        group = self.group
        endpoint = self.endpoint
        if endpoint.state == BACKOFF:
            endpoint.retry_now()
        if self._watch is not None:
            self._watch.look(now)
        group.checks += 1
        group.timers.arm(self, now + group.options.timeout_s)
        if self._tcp:
            probe = _PortProbe(self, endpoint.address, group.options.timeout_s)
            self._probe = probe
            group.prober.probe(probe)
        else:
            call = HealthCall(_CheckCalls(self), endpoint, group.block(CHECK, endpoint), group.message)
            self._call = call
            call.start()

    def _wait(self) -> None:
        group = self.group
        wait = group.options.wait_s(group.quiet, group.draw())
        group.timers.arm(self, group.timers.now + wait)

    def asked_in_vain(self) -> None:
        """Nobody could be asked."""
        self._call = None
        self._wait()

    def result(self, what: int, why: str) -> None:
        """Take the result of a check, and wait for the next one."""
        self._call = None
        self._probe = None
        self._wait()
        if what != WELL:
            self.group.failures += 1
        self.judge(what, why)

    def judge(self, what: int, why: str) -> None:
        """Take a statement about the endpoint."""
        verdict = self.verdict
        before = verdict.health
        if what == WELL:
            changed = verdict.passed()
        elif what == UNWELL:
            changed = verdict.refused()
        else:
            changed = verdict.failed()
        if changed:
            group = self.group
            group.sink.health_changed(self.endpoint, verdict.health)
            if UNHEALTHY in (before, verdict.health):
                group.observer.health_changed(
                    group.cluster, self.endpoint.address, before, verdict.health, why
                )
        if what == WELL:
            self.group.sink.check_passed(self.endpoint)


WELL: Final = 1
UNWELL: Final = 2
"""The server says so itself."""
UNANSWERED: Final = 3


class _CheckCalls(HealthCallOwner):
    """Hears the answer to one check."""

    def __init__(self, check: EndpointCheck) -> None:
        self._check: EndpointCheck = check
        self._serving: int = -1

    def said(self, call: HealthCall, serving: int) -> None:
        self._serving = serving

    def ended(self, call: HealthCall, code: int) -> None:
        serving = self._serving
        check = self._check
        if code in (NO_CONNECTION, LOST):
            check.asked_in_vain()
        elif code == status.UNIMPLEMENTED:
            check.group.unknown_service(check.endpoint)
            check.result(WELL, "the server has no health service")
        elif code == status.NOT_FOUND:
            check.result(UNWELL, "the server does not know the service")
        elif code != status.OK:
            check.result(UNANSWERED, f"the check ended with {status.NAMES[code]}")
        elif serving == SERVING:
            check.result(WELL, "SERVING")
        elif serving == NOT_SERVING:
            check.result(UNWELL, "NOT_SERVING")
        else:
            check.result(UNANSWERED, "the answer says neither SERVING nor NOT_SERVING")


class _Watch(HealthCallOwner):
    """Keeps a Watch open."""

    def __init__(self, check: EndpointCheck) -> None:
        self._check: EndpointCheck = check
        self._call: HealthCall | None = None
        self._retry_at: float = 0.0
        self._failures: int = 0

    def look(self, now: float) -> None:
        """Open it if it is not; called at each check."""
        call = self._call
        if call is not None:
            if not call.is_stranded():
                return
            call.cancel()
        elif now < self._retry_at:
            return
        check = self._check
        group = check.group
        call = HealthCall(self, check.endpoint, group.block(WATCH, check.endpoint), group.message)
        self._call = call
        call.start()

    def stop(self) -> None:
        call = self._call
        if call is not None:
            self._call = None
            call.cancel()

    def said(self, call: HealthCall, serving: int) -> None:
        self._failures = 0
        if serving == SERVING:
            self._check.judge(WELL, "SERVING")
        elif serving == NOT_SERVING:
            self._check.judge(UNWELL, "NOT_SERVING")
        elif serving == SERVICE_UNKNOWN:
            self._check.judge(UNWELL, "the server does not know the service")

    def ended(self, call: HealthCall, code: int) -> None:
        if self._call is not call:
            return
        self._call = None
        if code in (NO_CONNECTION, LOST):
            # The next connection may be another server's.
            self._failures = 0
            self._retry_at = 0.0
            return
        group = self._check.group
        wait = REWATCH_MAX_S
        if code != status.UNIMPLEMENTED:
            wait = min(REWATCH_FIRST_S * REWATCH_GROWTH ** min(self._failures, 32), REWATCH_MAX_S)
        self._failures += 1
        self._retry_at = group.timers.now + wait * (0.8 + 0.4 * group.draw())


class _PortProbe(Probe):
    """A check of kind tcp."""

    def __init__(self, check: EndpointCheck, address: str, timeout_s: float) -> None:
        super().__init__(address, timeout_s)
        self._check: EndpointCheck = check

    def passed(self) -> None:
        if not self.done:
            self.done = True
            self._check.result(WELL, "the port accepts connections")

    def failed(self, reason: str) -> None:
        if not self.done:
            self.done = True
            self._check.result(UNANSWERED, reason)
