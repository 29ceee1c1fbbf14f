"""The rules that are there from the start: each tells of its trouble, and none of peace."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from seawall_control.domain.alerts import builtin
from seawall_control.domain.alerts.engine import News
from seawall_control.domain.alerts.facts import BreakerFact, Facts, GroupNotice, ProxyFact
from seawall_control.domain.alerts.lifecycle import Phase
from seawall_control.domain.alerts.rules import BUILTIN
from seawall_control.domain.events import AttemptSummary, EventKind, Severity
from tests.unit.control.alert_bench import START_US, Bench


def test_built_in_rules_are_quiet_in_peace() -> None:
    """Nothing fires for an hour of a healthy fleet."""
    bench = Bench(*builtin.RULES)
    for number in range(60):
        proxy = ProxyFact("p", True, bench.at_us, 0, "b")
        bench.facts = Facts(proxies=(proxy,), disk_used=0.5, queues={"ingest": 1})
        bench.engine.calls("r", number % 3, 100, bench.at_us)
        bench.tick(60)
    assert bench.alerts == {}


def _failing_calls(bench: Bench) -> None:
    bench.engine.calls("r", 0, 17, bench.at_us)
    bench.engine.calls("r", 3, 3, bench.at_us)


def _same_error(bench: Bench) -> None:
    for _ in range(20):
        bench.event(fingerprint="f", error_type="Boom")


def _vain_retries(bench: Bench) -> None:
    twice = (AttemptSummary(number=1), AttemptSummary(number=2))
    for number in range(20):
        kind = EventKind.CALL_FAILED if number < 5 else EventKind.CALL_RECOVERED
        bench.event(kind=kind, route="r", attempts=twice, fingerprint=str(number))


def _burnt_budget(bench: Bench) -> None:
    bench.engine.calls("r", 30, 200, bench.at_us)


def _started_again(times: int) -> Callable[[Bench], None]:
    def trouble(bench: Bench) -> None:
        for _ in range(times):
            bench.event(
                severity=Severity.LOW,
                component="proxy/p",
                error_type="proxy_restarted",
                proxy="p",
                kind=EventKind.SYSTEM,
                fingerprint="restarts",
            )

    return trouble


def _is(**facts: object) -> Callable[[Bench], None]:
    def trouble(bench: Bench) -> None:
        bench.facts = Facts(**facts)  # type: ignore[arg-type] # each table row names fields that there are

    return trouble


def _silent_proxy(bench: Bench) -> None:
    bench.facts = Facts(proxies=(ProxyFact("p", False, START_US),))
    bench.tick(300)


TROUBLE: dict[str, tuple[Severity, Callable[[Bench], None]]] = {
    "error-rate": (Severity.HIGH, _failing_calls),
    "specific-error": (Severity.MEDIUM, _same_error),
    "recovery-failures": (Severity.HIGH, _vain_retries),
    "breaker-open": (Severity.HIGH, _is(breakers=(BreakerFact("b", "r", "p", True, START_US),))),
    "critical-event": (Severity.CRITICAL, lambda bench: bench.event(severity=Severity.CRITICAL)),
    "error-budget": (Severity.CRITICAL, _burnt_budget),
    "group-returned": (
        Severity.HIGH,
        lambda bench: bench.engine.notice(GroupNotice("regressed", "g"), bench.at_us),
    ),
    "proxy-absent": (Severity.HIGH, _silent_proxy),
    "restart": (Severity.LOW, _started_again(1)),
    "restart-loop": (Severity.HIGH, _started_again(3)),
    "own-trouble": (
        Severity.HIGH,
        lambda bench: bench.event(
            severity=Severity.HIGH, component="control", error_type="loop_failed", kind=EventKind.SYSTEM
        ),
    ),
    "healing": (
        Severity.MEDIUM,
        lambda bench: bench.event(error_type="healing_proposed", component="healing/b"),
    ),
    "store": (Severity.CRITICAL, _is(store_state="failed", store_detail="no route to the database")),
    "disk-warning": (Severity.MEDIUM, _is(disk_used=0.8)),
    "disk": (Severity.HIGH, _is(disk_used=0.9)),
    "queue": (Severity.HIGH, _is(proxies=(ProxyFact("p", True, START_US, spooled=10_000),))),
}


@pytest.mark.parametrize("name", TROUBLE)
def test_each_tells_of_its_trouble(name: str) -> None:
    """At its threshold, with its severity; a condition that has to hold is told when it has."""
    severity, trouble = TROUBLE[name]
    bench = Bench(*builtin.RULES)
    trouble(bench)
    fired = set()
    for _ in range(12):
        bench.tick()
        fired |= {(a.rule, a.severity) for a in bench.alerts.values() if a.phase is Phase.FIRING}
    assert (f"{BUILTIN}{name}", severity) in fired


def test_every_rule_has_its_trouble_here() -> None:
    """A new one needs a row."""
    assert {f"{BUILTIN}{name}" for name in TROUBLE} == set(builtin.BY_NAME)


@pytest.mark.parametrize(
    ("fields", "rules"),
    [
        ({"kind": EventKind.POLICY_REJECTED, "severity": Severity.HIGH}, {"builtin/own-trouble"}),
        ({"error_type": "healing_failed", "severity": Severity.HIGH}, {"builtin/healing"}),
        ({"error_type": "rollout_paused", "severity": Severity.MEDIUM}, set()),
        ({"kind": EventKind.CALL_FAILED, "severity": Severity.HIGH}, set()),
    ],
)
def test_what_is_told_of_ourselves_is_told_once(fields: dict[str, object], rules: set[str]) -> None:
    """By the rule about trouble or by the one about cases; calls that fail are no trouble of ours."""
    bench = Bench(*builtin.RULES)
    bench.event(**{"kind": EventKind.SYSTEM, **fields})
    bench.tick()
    assert {alert.rule for alert in bench.alerts.values()} == rules


@pytest.mark.parametrize("used", [0.79, 0.89])
def test_a_little_less_is_not_yet(used: float) -> None:
    """80 % warns and 90 % is worse, as the requirements have it."""
    bench = Bench(*builtin.RULES)
    bench.facts = Facts(disk_used=used)
    bench.tick()
    found = [alert.rule for alert in bench.alerts.values()]
    assert found == ([] if used < 0.8 else ["builtin/disk-warning"])


def test_a_disk_that_is_nearly_full_is_told_once() -> None:
    """The warning keeps quiet while the worse is told, and speaks when only it is left."""
    bench = Bench(*builtin.RULES)
    bench.facts = Facts(disk_used=0.95)
    bench.tick()
    assert bench.told == [(News.FIRING, "disk")]
    assert [(a.rule, a.quiet_by) for a in bench.alerts.values() if a.quiet_by] == [
        ("builtin/disk-warning", "rule builtin/disk")
    ]
    bench.facts = Facts(disk_used=0.85)
    bench.tick()
    for _ in range(7):
        bench.tick(10)
    assert bench.told == [(News.FIRING, "disk"), (News.RESOLVED, "disk"), (News.FIRING, "disk")]
