"""Rules of classification: conditions, order, what is decoded, and details that speak for themselves."""

from __future__ import annotations

import base64

import pytest
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2

from seawall_policy import classify, status
from seawall_policy.classify import NO_RULE, Classifier
from seawall_policy.classify_rules import (
    CONNECT,
    HEADERS,
    LOCAL,
    MID_STREAM,
    ClassifyRule,
    Failure,
    phase_of,
)
from seawall_policy.pattern import Pattern


def details(*parts: Message) -> bytes:
    """Return grpc-status-details-bin."""
    message = status_pb2.Status(code=13)
    for part in parts:
        message.details.add().Pack(part)
    return base64.b64encode(message.SerializeToString())


def test_conditions_hold_together() -> None:
    """Each condition alone decides against a rule."""
    rule = ClassifyRule(
        classify.RESOURCE,
        0,
        code=status.INTERNAL,
        reason="NO_SPACE",
        domain="db.example",
        message=Pattern("disk .* full"),
        phase=HEADERS,
    )
    info = error_details_pb2.ErrorInfo(reason="NO_SPACE", domain="db.example")
    rich = details(info)
    message = b"disk%20sda is full"
    assert rule.matches(Failure(status.INTERNAL, "", HEADERS, message, rich))
    assert not rule.matches(Failure(status.UNKNOWN, "", HEADERS, message, rich))
    assert not rule.matches(Failure(status.INTERNAL, "", MID_STREAM, message, rich))
    assert not rule.matches(Failure(status.INTERNAL, "", HEADERS, b"disk full", rich))
    assert not rule.matches(Failure(status.INTERNAL, "", HEADERS, message))
    other = details(error_details_pb2.ErrorInfo(reason="NO_SPACE", domain="x"))
    assert not rule.matches(Failure(status.INTERNAL, "", HEADERS, message, other))
    third = details(error_details_pb2.ErrorInfo(reason="OTHER", domain="db.example"))
    assert not rule.matches(Failure(status.INTERNAL, "", HEADERS, message, third))


def test_the_first_match_counts() -> None:
    """Order is as written; the index says which it was."""
    rules = (
        ClassifyRule(classify.TRANSIENT, 0, message=Pattern("deadlock")),
        ClassifyRule(classify.PERMANENT, classify.FAIL_FAST, code=status.INTERNAL),
        ClassifyRule(classify.RESOURCE, 0, code=status.INTERNAL, phase=HEADERS),
        ClassifyRule(0, classify.RETRY, code=status.NOT_FOUND),
    )
    classifier = Classifier(rules=rules)
    assert classifier.classify(Failure(status.INTERNAL, "", HEADERS, b"a deadlock")) == (
        classify.TRANSIENT,
        classify.RETRY,
        0,
    )
    assert classifier.classify(Failure(status.INTERNAL, "", HEADERS)) == (
        classify.PERMANENT,
        classify.FAIL_FAST,
        1,
    )
    assert classifier.classify(Failure(status.NOT_FOUND, "", HEADERS)) == (
        classify.PERMANENT,
        classify.RETRY,
        3,
    )
    assert classifier.classify(Failure(status.ABORTED, "", HEADERS)) == (
        classify.TRANSIENT,
        classify.RETRY,
        NO_RULE,
    )


def test_reasons_of_our_own() -> None:
    """A local reason is the reason, its domain is `seawall`, and details of a server do not matter."""
    failure = Failure(
        status.UNAVAILABLE, "BREAKER_OPEN", LOCAL, b"", details(error_details_pb2.ErrorInfo(reason="X"))
    )
    assert (failure.error_reason(), failure.domain(), failure.rich()) == ("BREAKER_OPEN", "seawall", None)
    rule = ClassifyRule(classify.RESOURCE, 0, reason="BREAKER_OPEN", domain="seawall")
    assert rule.matches(failure)


def test_details_speak_where_the_code_says_nothing() -> None:
    """BadRequest is validation, QuotaFailure resource; a code that says more wins, and so does a policy."""
    bad = error_details_pb2.BadRequest()
    bad.field_violations.add(field="name")
    quota = error_details_pb2.QuotaFailure()
    quota.violations.add(subject="t", description="d")
    plain = Classifier()
    assert plain.classify(Failure(status.UNKNOWN, "", HEADERS, b"", details(bad)))[0] == classify.VALIDATION
    assert plain.classify(Failure(status.INTERNAL, "", HEADERS, b"", details(quota))) == (
        classify.RESOURCE,
        classify.QUEUE,
        NO_RULE,
    )
    assert plain.classify(Failure(status.ABORTED, "", HEADERS, b"", details(bad)))[0] == classify.TRANSIENT
    assert plain.classify(Failure(status.UNKNOWN, "", HEADERS, b"", b"!"))[0] == classify.UNKNOWN
    said = Classifier({status.UNKNOWN: (classify.UNKNOWN, 0)})
    assert said.classify(Failure(status.UNKNOWN, "", HEADERS, b"", details(bad)))[0] == classify.UNKNOWN


def test_only_what_is_asked_for_is_decoded() -> None:
    """A rule about codes costs no decoding."""
    failure = Failure(status.ABORTED, "", HEADERS, b"x", details(error_details_pb2.ErrorInfo(reason="X")))
    Classifier(rules=(ClassifyRule(classify.RESOURCE, 0, code=status.INTERNAL, reason="X"),)).classify(
        failure
    )
    assert not failure._decoded


def test_messages_are_cut() -> None:
    """Patterns see the first KiB."""
    rule = ClassifyRule(classify.RESOURCE, 0, message=Pattern("end$"))
    assert rule.matches(Failure(2, "", HEADERS, b"x" * 1021 + b"end"))
    assert not rule.matches(Failure(2, "", HEADERS, b"x" * 1022 + b"end"))


@pytest.mark.parametrize(
    ("reason", "answered", "phase"),
    [
        ("", False, HEADERS),
        ("", True, MID_STREAM),
        ("UPSTREAM_CONNECT_FAILED", False, CONNECT),
        ("NO_HEALTHY_BACKEND", False, CONNECT),
        ("UPSTREAM_RESET", False, MID_STREAM),
        ("PER_TRY_TIMEOUT", False, HEADERS),
        ("DEADLINE_EXCEEDED", True, MID_STREAM),
        ("BREAKER_OPEN", True, LOCAL),
        ("MEMORY_LIMITED", False, LOCAL),
    ],
)
def test_phases(reason: str, answered: bool, phase: int) -> None:
    """Where it happened follows from who says so and how far the response was."""
    assert phase_of(reason, answered) == phase


def test_rules_without_sense() -> None:
    """A rule asks something and says something."""
    with pytest.raises(ValueError, match="condition"):
        ClassifyRule(classify.RESOURCE, 0)
    with pytest.raises(ValueError, match="what to change"):
        ClassifyRule(0, 0, code=3)


def test_covers() -> None:
    """A general rule covers a special one, never the other way round."""
    general = ClassifyRule(classify.RESOURCE, 0, code=13)
    special = ClassifyRule(classify.RESOURCE, 0, code=13, reason="X", message=Pattern("a"))
    assert general.covers(special)
    assert not special.covers(general)
    assert ClassifyRule(classify.RESOURCE, 0, message=Pattern("a")).covers(special)
    assert not ClassifyRule(classify.RESOURCE, 0, message=Pattern("b")).covers(special)
    assert not ClassifyRule(classify.RESOURCE, 0, code=2).covers(special)
