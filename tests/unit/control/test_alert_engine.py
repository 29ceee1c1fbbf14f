"""The engine, told events and the time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from seawall_control.domain.alerts import builtin, codec
from seawall_control.domain.alerts.engine import GRACE_US, MAX_ACTIVE_PER_RULE, News
from seawall_control.domain.alerts.facts import BreakerFact, Facts, GroupNotice, ProxyFact, failures_of
from seawall_control.domain.alerts.lifecycle import Phase
from seawall_control.domain.alerts.messages import body_of, headline, text_of
from seawall_control.domain.alerts.rules import BurnWindow, Filters, Trigger, TriggerKind
from seawall_control.domain.alerts.silences import Silence
from seawall_control.domain.events import MICROS, AttemptSummary, EventKind, Severity
from tests.unit.control.alert_bench import START_US, Bench, rule

OCCURRENCE = Trigger(kind=TriggerKind.EVENT, severity=Severity.HIGH, window_s=60.0)


def test_an_event_fires_and_stands_for_its_window() -> None:
    """One alert however often the event comes, resolved when it has not come for the window."""
    bench = Bench(rule(OCCURRENCE))
    bench.event(severity=Severity.MEDIUM)
    bench.tick()
    assert bench.phases() == []
    for _ in range(5):
        bench.event(severity=Severity.HIGH, error_type="Boom")
        bench.tick()
    bench.tick(61)
    assert bench.phases() == ["resolved"]
    assert bench.told == [(News.FIRING, "app/Boom"), (News.RESOLVED, "app/Boom")]
    assert bench.alerts["a1"].text == "Boom in app (high)"


def test_filters_look_at_the_whole_event() -> None:
    """All, any and none; also over fields that an alert does not carry."""
    wanted = Filters(all=("component = app",), any=("code = A", "code = B"), none=('message:"test"',))
    bench = Bench(rule(OCCURRENCE, filters=wanted))
    for fields in (
        {"code": "C"},
        {"code": "A", "message": "a test"},
        {"code": "A", "component": "other"},
        {"code": "B", "message": "real"},
    ):
        bench.event(severity=Severity.HIGH, fingerprint=str(sorted(fields.items())), **fields)
    bench.tick()
    assert [alert.subject.code for alert in bench.alerts.values()] == ["B"]


def test_events_about_alerts_raise_none() -> None:
    """A channel that is down does not tell of itself."""
    bench = Bench(rule(OCCURRENCE))
    bench.event(severity=Severity.CRITICAL, component="alerts")
    bench.tick()
    assert bench.phases() == []


def test_one_error_again_and_again() -> None:
    """The twentieth within the window fires; each fingerprint counts for itself."""
    bench = Bench(rule(Trigger(kind=TriggerKind.EVENT_COUNT, threshold=20.0)))
    for number in range(19):
        bench.event(fingerprint="f1", error_type="Boom")
        bench.event(fingerprint=f"other{number}")
    bench.tick()
    assert bench.phases() == []
    bench.event(fingerprint="f1", error_type="Boom")
    bench.tick()
    assert bench.alerts["a1"].text == "20 times Boom in app within 5 min (allowed less than 20)"
    bench.tick(400)
    assert bench.phases() == ["resolved"]


def test_retries_that_do_not_help() -> None:
    """A quarter of the calls that were tried again failed all the same; single attempts do not count."""
    trigger = Trigger(kind=TriggerKind.RECOVERY_FAILURE_RATE, threshold=0.25, min_calls=8)
    bench = Bench(rule(trigger))
    twice = (AttemptSummary(number=1), AttemptSummary(number=2))
    for _ in range(6):
        bench.event(kind=EventKind.CALL_RECOVERED, route="r", attempts=twice)
        bench.event(kind=EventKind.CALL_FAILED, route="r", attempts=twice[:1])
    bench.event(kind=EventKind.CALL_FAILED, route="r", attempts=twice)
    bench.tick()
    assert bench.phases() == []
    bench.event(kind=EventKind.CALL_FAILED, route="r", attempts=twice)
    bench.tick()
    assert bench.alerts["a1"].value == 0.25


def test_the_error_rate_of_a_route() -> None:
    """Reaching the threshold fires, given enough calls; it resolves when the window has moved on."""
    bench = Bench(
        rule(Trigger(kind=TriggerKind.ERROR_RATE, threshold=0.15, min_calls=20), keep_firing_s=30.0)
    )
    bench.engine.calls("few", 5, 10, bench.at_us)
    bench.engine.calls("fine", 14, 100, bench.at_us)
    bench.engine.calls("bad", 15, 100, bench.at_us)
    bench.tick()
    assert [alert.subject.route for alert in bench.alerts.values()] == ["bad"]
    bench.engine.calls("bad", 0, 1000, bench.at_us)
    bench.tick()
    assert bench.phases() == ["firing"]
    bench.tick(30)
    assert bench.phases() == ["resolved"]


def test_codes_that_are_a_servers_fault() -> None:
    """UNKNOWN, DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED, UNIMPLEMENTED, INTERNAL, UNAVAILABLE, DATA_LOSS."""
    assert failures_of(tuple(range(17))) == (2 + 4 + 8 + 12 + 13 + 14 + 15, sum(range(17)))
    assert failures_of((5, 1, 1)) == (1, 7)


def test_a_burn_rate_needs_both_windows() -> None:
    """Errors that are over: the long windows still show them, the short ones do not."""
    trigger = Trigger(kind=TriggerKind.BURN_RATE, objective=0.99, min_calls=100)
    bench = Bench(rule(trigger))
    for _ in range(10):
        bench.engine.calls("r", 60, 100, bench.at_us)
        bench.tick(60)
    assert bench.phases() == ["firing"]
    assert bench.alerts["a1"].text == (
        "route r: the error budget of 99 % burns 60 times too fast over 1 h and 60 times over 5 min"
        " (allowed less than 14.4)"
    )
    for _ in range(6):
        bench.engine.calls("r", 0, 100, bench.at_us)
        bench.tick(60)
    # The pair of six hours and thirty minutes still holds, and speaks for the same alert.
    assert bench.phases() == ["firing"]
    for _ in range(40):
        bench.engine.calls("r", 0, 100, bench.at_us)
        bench.tick(60)
    assert bench.phases() == ["resolved"]


def test_own_windows_of_a_burn_rate() -> None:
    """Windows may be given; how far back calls are kept follows them."""
    pair = BurnWindow(2.0, 600.0, 60.0)
    bench = Bench(rule(Trigger(kind=TriggerKind.BURN_RATE, objective=0.9, windows=(pair,))))
    bench.engine.calls("r", 19, 100, bench.at_us)
    bench.tick()
    assert bench.phases() == []
    bench.engine.calls("r", 2, 2, bench.at_us)
    bench.tick()
    assert bench.phases() == ["firing"]


def breaker(bench: Bench, *, opened: bool, proxy: str = "p1", name: str = "all") -> None:
    """Tell that a breaker opened or closed."""
    kind = EventKind.BREAKER_OPENED if opened else EventKind.BREAKER_CLOSED
    bench.event(kind=kind, route="all", proxy=proxy, details={"breaker": name}, severity=Severity.HIGH)


def test_a_breaker_is_one_alert_over_all_proxies() -> None:
    """It fires when it opens anywhere and resolves when it is closed everywhere."""
    bench = Bench(rule(Trigger(kind=TriggerKind.BREAKER)))
    bench.facts = Facts(proxies=(ProxyFact("p1", True, START_US), ProxyFact("p2", True, START_US)))
    breaker(bench, opened=True)
    breaker(bench, opened=True, proxy="p2")
    bench.tick()
    breaker(bench, opened=False)
    bench.tick()
    assert bench.phases() == ["firing"]
    breaker(bench, opened=False, proxy="p2")
    bench.tick()
    assert bench.told == [(News.FIRING, "all"), (News.RESOLVED, "all")]


def test_reports_of_breakers_are_the_truth() -> None:
    """One that is reported open fires without an event; one reported closed resolves, unless the report may
    be older than the event.
    """
    bench = Bench(rule(Trigger(kind=TriggerKind.BREAKER)))
    proxies = (ProxyFact("p1", True, START_US),)
    bench.facts = Facts(proxies=proxies, breakers=(BreakerFact("all", "all", "p1", True, bench.at_us),))
    bench.tick()
    assert bench.phases() == ["firing"]
    bench.facts = Facts(
        proxies=proxies, breakers=(BreakerFact("all", "all", "p1", False, bench.at_us + MICROS),)
    )
    bench.tick()
    assert bench.phases() == ["firing"]
    late = BreakerFact("all", "all", "p1", False, bench.at_us + 9 * MICROS)
    bench.facts = Facts(proxies=proxies, breakers=(late,))
    bench.tick(9)
    assert bench.phases() == ["resolved"]


def test_a_proxy_that_goes_away_takes_its_breakers_along() -> None:
    """After two minutes."""
    bench = Bench(rule(Trigger(kind=TriggerKind.BREAKER)))
    breaker(bench, opened=True)
    bench.tick()
    bench.tick(121)
    bench.tick()
    assert bench.phases() == ["resolved"]


def test_groups() -> None:
    """Only the states that a rule names."""
    bench = Bench(rule(Trigger(kind=TriggerKind.GROUP, of=("regressed",))))
    bench.engine.notice(GroupNotice("new", "g1"), bench.at_us)
    bench.engine.notice(GroupNotice("regressed", "g2", component="app", severity=4), bench.at_us)
    bench.tick()
    (alert,) = bench.alerts.values()
    assert (alert.subject.key, alert.severity) == ("g2", Severity.CRITICAL)
    assert alert.text == "group of errors in app is regressed"


def test_what_does_not_come() -> None:
    """Events, calls of a route, reports of a proxy; what was missed before the start is no absence."""
    trigger = Trigger(kind=TriggerKind.ABSENCE, of=("events", "calls", "proxy"), window_s=60.0)
    bench = Bench(rule(trigger, filters=Filters(none=("proxy = p9",))))
    bench.facts = Facts(
        proxies=(
            ProxyFact("p1", False, START_US - 3600 * MICROS),
            ProxyFact("p2", True, START_US),
            ProxyFact("p9", False, START_US),
        )
    )
    bench.engine.calls("r", 0, 1, bench.at_us)
    bench.tick(59)
    assert bench.phases() == []
    bench.tick(12)
    assert {a.subject.key for a in bench.alerts.values()} == {"events", "route/r", "proxy/p1"}
    bench.event()
    bench.engine.calls("r", 0, 1, bench.at_us)
    bench.tick()
    assert sorted(bench.phases()) == ["firing", "resolved", "resolved"]


def test_levels() -> None:
    """Disk, queues, drops and the store."""
    bench = Bench(
        rule(
            Trigger(kind=TriggerKind.DISK, threshold=0.9),
            Trigger(kind=TriggerKind.STORE),
            Trigger(kind=TriggerKind.QUEUE, of=("ingest", "deliveries"), threshold=10.0),
            Trigger(kind=TriggerKind.QUEUE, of=("dropped_events",), threshold=3.0),
        )
    )
    bench.facts = Facts(disk_used=0.89, queues={"ingest": 9}, proxies=(ProxyFact("p", True, 0, 100, "b1"),))
    bench.tick()
    assert bench.phases() == []
    bench.facts = Facts(
        disk_used=0.9,
        queues={"ingest": 10},
        store_state="full",
        store_detail="no room",
        proxies=(ProxyFact("p", True, 0, 103, "b1"),),
    )
    bench.tick()
    assert {a.text for a in bench.alerts.values()} == {
        "the disk of the store is 90 % full (allowed less than 90 %)",
        "the store is full: no room",
        "10 changes wait for the store (allowed less than 10)",
        "proxy p dropped 3 events that it could not deliver",
    }
    bench.facts = Facts(proxies=(ProxyFact("p", True, 0, 2, "b2"),))
    bench.tick(400)
    assert set(bench.phases()) == {"resolved"}


def test_spools_of_proxies() -> None:
    """Each proxy for itself, by number and by age; one that is away says nothing."""
    bench = Bench(
        rule(
            Trigger(kind=TriggerKind.QUEUE, of=("spooled_events",), threshold=100.0),
            Trigger(kind=TriggerKind.QUEUE, of=("spool_age",), threshold=60.0),
        )
    )
    bench.facts = Facts(proxies=(ProxyFact("p1", True, 0, spooled=99, spool_age_s=59.9),))
    bench.tick()
    assert bench.phases() == []
    bench.facts = Facts(
        proxies=(
            ProxyFact("p1", True, 0, spooled=100, spool_age_s=59.0),
            ProxyFact("p2", True, 0, spooled=1, spool_age_s=90.0),
            ProxyFact("p3", False, 0, spooled=500, spool_age_s=500.0),
        )
    )
    bench.tick()
    assert {(a.subject.proxy, a.text) for a in bench.alerts.values()} == {
        ("p1", "proxy p1: 100 events wait on its disk (allowed less than 100)"),
        ("p2", "proxy p2: its oldest event has waited on disk for 90 s (allowed less than 1 min)"),
    }
    bench.facts = Facts(proxies=(ProxyFact("p1", True, 0), ProxyFact("p2", True, 0)))
    bench.tick()
    assert set(bench.phases()) == {"resolved"}


def test_pending_until_it_has_held() -> None:
    """A condition that is over before `hold` leaves nothing."""
    bench = Bench(rule(Trigger(kind=TriggerKind.DISK, threshold=0.9), hold_s=5.0))
    bench.facts = Facts(disk_used=0.95)
    bench.tick()
    assert bench.phases() == ["pending"]
    bench.facts = Facts(disk_used=0.5)
    assert bench.tick().removed == ("a1",)
    bench.facts = Facts(disk_used=0.95)
    bench.tick()
    bench.tick(5)
    assert bench.phases() == ["firing"]


def test_the_interval_defers_and_does_not_drop() -> None:
    """What fires again within the interval is told at its end if it still fires, and else not at all."""
    bench = Bench(rule(Trigger(kind=TriggerKind.DISK, threshold=0.9), interval_s=100.0))
    for used in (0.95, 0.5, 0.95, 0.5, 0.95):
        bench.facts = Facts(disk_used=used)
        bench.tick(10)
    assert bench.told == [(News.FIRING, "disk"), (News.RESOLVED, "disk")]
    bench.tick(61)
    assert bench.told[2:] == [(News.FIRING, "disk")]


def test_flapping_is_told_three_times() -> None:
    """The third firing within ten minutes stays until it has been quiet for ten."""
    bench = Bench(rule(Trigger(kind=TriggerKind.DISK, threshold=0.9)))
    for _ in range(20):
        for used in (0.95, 0.5):
            bench.facts = Facts(disk_used=used)
            bench.tick(10)
    assert [news for news, _ in bench.told] == [
        News.FIRING, News.RESOLVED, News.FIRING, News.RESOLVED, News.FIRING
    ]  # fmt: skip
    bench.tick(601)
    assert bench.told[-1][0] is News.RESOLVED


def test_repeated_until_acknowledged() -> None:
    """A reminder after `repeat`, none once somebody looks after it."""
    bench = Bench(rule(Trigger(kind=TriggerKind.DISK, threshold=0.9), repeat_s=60.0))
    bench.facts = Facts(disk_used=0.95)
    bench.tick()
    bench.tick(59)
    bench.tick(1)
    assert [news for news, _ in bench.told] == [News.FIRING, News.REPEATED]
    assert bench.engine.acknowledge("a1", by="me", why="on it", at_us=bench.at_us) is not None
    assert bench.engine.acknowledge("a2", by="me", why="", at_us=bench.at_us) is None
    bench.tick(600)
    assert len(bench.told) == 2
    bench.facts = Facts(disk_used=0.5)
    bench.tick()
    assert bench.told[-1][0] is News.RESOLVED
    assert bench.alerts["a1"].acknowledged_by == "me"


def test_the_hourly_bound_defers() -> None:
    """What finds no room is told when there is some, the worst first."""
    bench = Bench(rule(OCCURRENCE, max_per_hour=2, notify_resolved=False))
    for number in range(4):
        bench.event(severity=Severity.CRITICAL if number == 3 else Severity.HIGH, fingerprint=str(number))
    bench.tick()
    bench.tick()
    assert len(bench.told) == 2
    for _ in range(70):
        bench.tick(58)
        for number in range(4):
            bench.event(severity=Severity.HIGH, fingerprint=str(number))
    assert bench.told[0] == (News.FIRING, "3")
    assert len(bench.told) == 4


def silence(**fields: Any) -> Silence:
    """Return a silence of ten minutes from the start."""
    values: dict[str, Any] = {
        "id": "s", "start_us": START_US, "end_us": START_US + 600 * MICROS, "author": "me", "reason": "x"
    }  # fmt: skip
    return Silence(**{**values, **fields})


@pytest.mark.parametrize(
    ("fields", "matches"),
    [
        ({}, True),
        ({"rules": ("r",)}, True),
        ({"rules": ("x*",)}, False),
        ({"rules": ("x", "?")}, True),
        ({"filter": "component = app"}, True),
        ({"filter": "component = other"}, False),
        ({"start_us": START_US + 300 * MICROS}, False),
    ],
)
def test_silences(fields: dict[str, Any], matches: bool) -> None:
    """A silence that matches keeps it quiet until its end, and the alert says so."""
    bench = Bench(rule(replace(OCCURRENCE, window_s=900.0)), silences=(silence(**fields),))
    bench.event(severity=Severity.HIGH)
    bench.tick()
    assert bench.alerts["a1"].quiet_by == ("silence s" if matches else "")
    assert len(bench.told) == int(not matches)
    if matches:
        bench.tick(600)
        assert bench.told == [(News.FIRING, "app/")]
        assert bench.alerts["a1"].quiet_by == ""


def test_inhibition() -> None:
    """An alert about the same route keeps another quiet, not one about another route."""
    low = rule(replace(OCCURRENCE, severity=Severity.LOW), name="low", inhibited_by=("high",))
    high = rule(Trigger(kind=TriggerKind.BREAKER), name="high")
    bench = Bench(low, high)
    breaker(bench, opened=True)
    bench.event(route="all", fingerprint="same")
    bench.event(route="another", fingerprint="other")
    bench.tick()
    bench.tick()
    assert {a.subject.key: a.quiet_by for a in bench.alerts.values() if a.rule == "low"} == {
        "same": "rule high", "other": "", "app/": "rule high"
    }  # fmt: skip


def test_a_restart_keeps_what_fires() -> None:
    """Alerts go on with their id and are not told again; what is unknown is unchanged for a grace time."""
    first = Bench(rule(Trigger(kind=TriggerKind.DISK, threshold=0.9)))
    first.facts = Facts(disk_used=0.95)
    first.tick()
    stored = tuple(codec.alert_of(codec.to_text(alert)) for alert in first.alerts.values())
    assert stored == tuple(first.alerts.values())
    again = Bench(rule(Trigger(kind=TriggerKind.DISK, threshold=0.9)), alerts=stored)
    again.at_us += 3600 * MICROS
    again.engine._started_us = again.at_us
    again.tick(GRACE_US / MICROS - 1)
    assert again.told == []
    assert [a.id for a in again.engine.active()] == ["a1"]
    again.tick(2)
    assert again.told == [(News.RESOLVED, "disk")]


def test_a_restart_keeps_breakers_and_occurrences() -> None:
    """What was told by an event stands until what ends it, also over a restart."""
    first = Bench(rule(Trigger(kind=TriggerKind.BREAKER), OCCURRENCE))
    breaker(first, opened=True)
    first.tick()
    again = Bench(rule(Trigger(kind=TriggerKind.BREAKER), OCCURRENCE), alerts=tuple(first.alerts.values()))
    again.facts = Facts(proxies=(ProxyFact("p1", True, START_US),))
    again.engine._started_us = again.at_us = START_US + 30 * MICROS
    again.tick()
    assert again.told == []
    breaker(again, opened=False)
    again.tick()
    assert (News.RESOLVED, "all") in again.told


def test_each_restart_is_told_until_they_are_a_loop() -> None:
    """One that is unclean soon after one in order is news; from the third on the rule about loops speaks."""
    bench = Bench(*(builtin.BY_NAME[f"builtin/{name}"] for name in ("restart", "restart-loop")))

    def restart(severity: Severity) -> None:
        bench.event(
            kind=EventKind.SYSTEM, error_type="proxy_restarted", severity=severity, fingerprint="f", proxy="p"
        )
        bench.tick()

    for number, severity in enumerate((Severity.LOW, Severity.MEDIUM, Severity.MEDIUM, Severity.MEDIUM)):
        restart(severity)
        bench.tick(20)
        assert len(bench.told) == (1, 2, 4, 4)[number]
    told = sorted((a.rule, a.severity.name) for a in bench.alerts.values() if a.told)
    assert told == [
        ("builtin/restart", "LOW"),
        ("builtin/restart", "MEDIUM"),
        ("builtin/restart", "MEDIUM"),
        ("builtin/restart-loop", "HIGH"),
    ]


def test_rules_come_and_go() -> None:
    """A rule that is disabled or gone ends its alerts; one that only changes its threshold keeps them."""
    trigger = Trigger(kind=TriggerKind.DISK, threshold=0.9)
    bench = Bench(rule(trigger))
    bench.facts = Facts(disk_used=0.95)
    bench.tick()
    bench.engine.set_rules([rule(replace(trigger, threshold=0.8))], at_us=bench.at_us)
    bench.tick()
    assert bench.phases() == ["firing"]
    bench.engine.set_rules([rule(trigger, disabled=True)], at_us=bench.at_us)
    bench.tick()
    assert bench.phases() == ["resolved"]
    assert bench.told[-1][0] is News.RESOLVED
    assert bench.alerts["a1"].text.endswith("its rule was disabled or deleted")
    assert bench.engine.is_idle


def test_a_change_of_a_rule_keeps_its_counts() -> None:
    """Counting goes on where the trigger is the same."""
    counted = Trigger(kind=TriggerKind.EVENT_COUNT, threshold=3.0)
    bench = Bench(rule(counted))
    bench.event(fingerprint="f")
    bench.event(fingerprint="f")
    bench.engine.set_rules([rule(counted, title="new title")], at_us=bench.at_us)
    bench.event(fingerprint="f")
    bench.tick()
    assert bench.phases() == ["firing"]


def test_alerts_of_a_rule_are_bounded() -> None:
    """The rest is counted."""
    bench = Bench(rule(OCCURRENCE))
    for number in range(MAX_ACTIVE_PER_RULE + 5):
        bench.event(severity=Severity.HIGH, fingerprint=str(number))
    bench.tick()
    assert len(bench.engine.active()) == MAX_ACTIVE_PER_RULE
    assert bench.engine.overflow() == 5


def personal() -> Iterator[str]:
    """Yield what must never leave the house."""
    yield from ("ada@example.com", "+44 20 7946 0958", "4111111111111111", "ghp_" + "a" * 36, "hunter2secret")


def test_nothing_personal_leaves() -> None:
    """Messages, details, jobs and stacks stay; addresses of people and secrets are taken out of the rest."""
    bench = Bench(rule(OCCURRENCE))
    private = " ".join(personal())
    bench.event(
        severity=Severity.HIGH,
        component=f"app ada@example.com {'x' * 400}",
        error_type="password=hunter2secret\n+44 20 7946 0958",
        route="ghp_" + "a" * 36,
        method="4111111111111111",
        message=private,
        details={"note": private},
        job_id=private,
        job_name=private,
        stack_trace=private,
        trace_id="0af7651916cd43dd8448eb211c80319c",
        resolution=private,
    )
    bench.tick()
    (alert,) = bench.alerts.values()
    body = body_of(alert, None, News.FIRING)
    everything = f"{body} {headline([body])} {text_of([body])} {codec.to_text(alert)}"
    assert not [secret for secret in personal() if secret in everything]
    assert "0af7651916cd43dd8448eb211c80319c" not in everything
    assert "\n" not in headline([body])


def test_messages_for_people() -> None:
    """One alert has a headline of its own; several are counted, and long lists are cut."""
    bench = Bench(rule(OCCURRENCE, title="Trouble"))
    bench.event(severity=Severity.HIGH, error_type="Boom", route="r")
    bench.tick()
    firing = body_of(bench.alerts["a1"], rule(title="Trouble"), News.FIRING)
    over = {**firing, "state": "resolved"}
    assert headline([firing]) == "[HIGH] Trouble: Boom in app (high)"
    assert headline([over]) == "[RESOLVED] Trouble: Boom in app (high)"
    assert headline([firing, over, over]) == "[Seawall] 1 firing, 2 resolved"
    assert "  route: r\n" in text_of([firing])
    assert "and 10 more" in text_of([firing] * 60)
    assert "nobody has acknowledged" in text_of([{**firing, "state": "repeated", "flapping": True}])


def test_phases_are_words() -> None:
    """The words are part of the stored form."""
    assert [phase.value for phase in Phase] == ["pending", "firing", "resolved"]
