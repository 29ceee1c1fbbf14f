"""Which group an event belongs to, and what is said about it."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import replace
from typing import Any

import pytest
from google.protobuf.any_pb2 import Any as AnyMessage
from google.rpc import error_details_pb2, status_pb2

from seawall_control.domain.admission import admitted
from seawall_control.domain.errors import InvalidRequest, StaleEtag
from seawall_control.domain.events import Event, EventKind, Severity
from seawall_control.domain.grouping import (
    AS_THEY_ARE,
    Rule,
    compiled,
    fingerprint_of,
    grouped,
    reason_of,
    why,
)
from seawall_control.domain.status_details import with_status
from seawall_control.services.edge import SystemClock
from seawall_control.services.grouping import Grouping
from seawall_control.store.memory import MemoryStore
from seawall_policy.fingerprint import fingerprint_v1

EVENT = Event(
    id="00000000-0000-4000-8000-000000000001",
    timestamp_us=1,
    severity=Severity.MEDIUM,
    component="route/shop",
    kind=EventKind.CALL_FAILED,
    error_type="UNAVAILABLE",
    message="shard 17 is away",
    route="shop",
    method="shop.v1.Shop/Get",
    code="UNAVAILABLE",
)


def given(event: Event, *parts: str) -> Event:
    """Return the event with the fingerprint of these parts."""
    return replace(event, fingerprint="v1:" + fingerprint_v1(*parts))


def test_fingerprint_is_taken_apart() -> None:
    """Every part that was hashed is shown; the message as it was compared."""
    event = given(EVENT, "shop", EVENT.method, "UNAVAILABLE", "", "headers", EVENT.message)
    assert why(compiled([]), event) == {
        "algorithm": "v1",
        "route": "shop",
        "method": "shop.v1.Shop/Get",
        "code": "UNAVAILABLE",
        "phase": "headers",
        "message": "shard <num> is away",
    }
    own = replace(EVENT, reason="UPSTREAM_CONNECT_FAILED")
    found = why(compiled([]), given(own, "shop", own.method, "UNAVAILABLE", own.reason, "connect", "x"))
    assert (found["reason"], found["phase"], "message" in found) == (
        "UPSTREAM_CONNECT_FAILED",
        "connect",
        False,
    )


def test_reason_of_the_server_counts_with_its_domain() -> None:
    """Two services' reasons of one name are two groups; the message does not matter then."""
    event = replace(EVENT, details={"error_reason": "STOCK_EXHAUSTED", "error_domain": "shop"})
    print_ = given(event, "shop", event.method, "UNAVAILABLE", "shop/STOCK_EXHAUSTED", "headers", "")
    assert why(compiled([]), print_)["reason"] == "shop/STOCK_EXHAUSTED"
    assert reason_of(replace(event, reason="BREAKER_OPEN")) == "BREAKER_OPEN"
    own = admitted(replace(event, fingerprint=""))
    assert own.fingerprint == admitted(replace(event, fingerprint="", message="other words")).fingerprint
    other = replace(
        event, details={"error_reason": "STOCK_EXHAUSTED", "error_domain": "bank"}, fingerprint=""
    )
    assert own.fingerprint != admitted(other).fingerprint


def test_breakers_and_endpoints_are_taken_apart_too() -> None:
    """Their fingerprints have parts of their own."""
    breaker = replace(
        EVENT,
        kind=EventKind.BREAKER_OPENED,
        error_type="breaker_opened",
        code="",
        method="",
        reason="failure_rate",
        details={"breaker": "shop@a"},
    )
    found = why(compiled([]), given(breaker, "shop", "", "breaker_opened", "failure_rate", "local", "shop@a"))
    assert (found["algorithm"], found["code"], found["reason"]) == ("v1", "breaker_opened", "failure_rate")
    endpoint = replace(
        breaker, route="", component="proxy/outlier", endpoint="10.0.0.1:1", details={"cluster": "shop"}
    )
    found = why(
        compiled([]), given(endpoint, "shop", "10.0.0.1:1", "breaker_opened", "failure_rate", "local", "")
    )
    assert (found["route"], found["method"]) == ("shop", "10.0.0.1:1")


def test_fingerprint_of_applications_and_of_others() -> None:
    """One that admission made is taken apart; one that nobody here made is said to be given."""
    own = admitted(replace(EVENT, route="", fingerprint="", error_type="ValueError"))
    assert why(compiled([]), own)["code"] == "ValueError"
    assert "given" in why(compiled([]), replace(EVENT, fingerprint="billing-7"))
    assert "given" in why(compiled([]), replace(EVENT, fingerprint="v1:" + "0" * 32))


def test_first_rule_that_matches_decides() -> None:
    """By the fields that it names; the rest of an event does not matter."""
    rules = compiled(
        [
            Rule("shards", 'message:"shard"', ("route", "message")),
            Rule("everything of shop", "route = shop"),
        ]
    )
    one, two = grouped(rules, EVENT), grouped(rules, replace(EVENT, message="shard 4 is away", method="x"))
    assert one.fingerprint == two.fingerprint != grouped(rules, replace(EVENT, route="b")).fingerprint
    assert one.fingerprint.startswith("r1:")
    rest = grouped(rules, replace(EVENT, message="no"))
    assert rest.fingerprint == fingerprint_of(rules.rules[1], EVENT)
    untouched = replace(EVENT, message="no", route="b")
    assert grouped(rules, untouched) is untouched
    assert why(rules, one) == {"rule": "shards", "route": "shop", "message": "shard <num> is away"}
    assert why(compiled([]), one) == {"rule": "one that has been changed since"}


def test_a_rule_may_say_how_severe_its_events_are() -> None:
    """With a group of their own, or in the groups where they are."""
    rules = compiled(
        [
            Rule("money", "route = shop", AS_THEY_ARE, Severity.CRITICAL),
            Rule("rest", "severity >= LOW", ("route",), Severity.LOW),
        ]
    )
    money, rest = grouped(rules, EVENT), grouped(rules, replace(EVENT, route="b"))
    assert (money.severity, money.fingerprint) == (Severity.CRITICAL, EVENT.fingerprint)
    assert (rest.severity, rest.fingerprint[:3]) == (Severity.LOW, "r1:")
    assert why(rules, rest) == {"rule": "rest", "route": "b"}
    assert why(rules, money) == why(compiled([]), EVENT)
    assert grouped(compiled([Rule("r", "route = shop")]), EVENT).severity is EVENT.severity


def test_values_of_a_rule_cannot_pass_for_each_other() -> None:
    """Fields are told apart by length, not by a separator."""
    rule = Rule("r", "severity >= LOW", ("route", "method"))
    assert fingerprint_of(rule, replace(EVENT, route="ab", method="c")) != fingerprint_of(
        rule, replace(EVENT, route="a", method="bc")
    )


def test_every_mistake_in_rules_is_named() -> None:
    """With its place."""
    with pytest.raises(InvalidRequest) as raised:
        compiled([Rule("", "route = a"), Rule("b", ""), Rule("b", "nothing", ("secret",))])
    places = [problem.field for problem in raised.value.problems]
    assert places == ["rules[0].name", "rules[1].filter", "rules[2].name", "rules[2].by", "rules[2].filter"]
    for wrong, place in (
        (Rule("a", "route = a", ("fingerprint", "route"), 4), "rules[0].by"),
        (Rule("a", "route = a", ("fingerprint",)), "rules[0]"),
        (Rule("a", "route = a", (), 9), "rules[0].severity"),
    ):
        with pytest.raises(InvalidRequest) as raised:
            compiled([wrong])
        assert [problem.field for problem in raised.value.problems] == [place]
    with pytest.raises(InvalidRequest, match="at most 100"):
        compiled([Rule(str(n), "route = a") for n in range(101)])


async def test_rules_are_kept_and_followed() -> None:
    """Another control plane on the same store sees them; an old etag is refused."""
    store = MemoryStore()
    first, second = Grouping(store, SystemClock()), Grouping(store, SystemClock())
    rule = Rule("r", "route = shop", ("code",), Severity.HIGH)
    await first.set([rule])
    await second.load()
    assert second.rules == first.rules and (second.version, second.rules.rules) == (1, (rule,))
    assert second.grouped(EVENT).fingerprint == fingerprint_of(rule, EVENT)
    await second.set([], etag="1", allow_empty=True)
    with pytest.raises(StaleEtag):
        await first.set([rule], etag="1")
    await first.load()
    assert first.rules.rules == ()
    await first.set([rule], validate_only=True)
    assert first.rules.rules == ()


def trailer(*details: Any) -> str:
    """Return a value of grpc-status-details-bin."""
    status = status_pb2.Status(code=8, message="no more")
    for detail in details:
        packed = AnyMessage()
        packed.Pack(detail)
        status.details.append(packed)
    return b64encode(status.SerializeToString()).decode().rstrip("=")


def test_status_details_become_readable() -> None:
    """What the server said is text in the details; the raw value is gone before keys are redacted."""
    raw = trailer(
        error_details_pb2.ErrorInfo(reason="QUOTA", domain="shop", metadata={"plan": "small", "token": "x"}),
        error_details_pb2.QuotaFailure(
            violations=[error_details_pb2.QuotaFailure.Violation(subject="user:7", description="10 a day")]
        ),
        error_details_pb2.BadRequest(
            field_violations=[error_details_pb2.BadRequest.FieldViolation(field="a.b")]
        ),
    )
    found = admitted(replace(EVENT, details={"grpc-status-details-bin": raw, "more": 1})).details
    assert found == {
        "more": 1,
        "status_details": {
            "code": "RESOURCE_EXHAUSTED",
            "message": "no more",
            "metadata": {"plan": "small", "token": "[redacted:key]"},
            "quotas": [{"subject": "user:7", "description": "10 a day"}],
            "bad_fields": ["a.b"],
        },
        "error_reason": "QUOTA",
        "error_domain": "shop",
    }


def test_status_details_that_cannot_be_read_are_dropped() -> None:
    """A binary value that says nothing is redacted as any other."""
    for raw in ("%%%", 7, "AAAA"):
        found = admitted(replace(EVENT, details={"grpc-status-details-bin": raw})).details
        assert found == {"grpc-status-details-bin": "[redacted:key]"}
    assert with_status({"a": 1}) == {"a": 1}
