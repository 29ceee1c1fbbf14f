"""What is recorded about the kind of a failure: rules, rich errors, phases, and what was covered."""

from __future__ import annotations

import base64

from google.rpc import error_details_pb2, status_pb2

from seawall_policy import classify
from seawall_policy.classify import Classifier
from seawall_policy.classify_rules import HEADERS, MID_STREAM, ClassifyRule
from seawall_policy.pattern import Pattern
from seawall_proxy.call.ports import CallRecord
from seawall_proxy.http2.headers import Field
from seawall_proxy.testing import Playbook, make_policy, make_route, make_snapshot
from seawall_proxy.testing.policies import to_static
from tests.scenario.scenes import GET, LIST, METHODS, begin, retrying

RULES = (
    ClassifyRule(classify.TRANSIENT, 0, message=Pattern("deadlock")),
    ClassifyRule(classify.RESOURCE, classify.FAIL_FAST, reason="NO_SPACE", domain="db"),
    ClassifyRule(classify.PERMANENT, 0, code=13, phase=MID_STREAM),
    ClassifyRule(classify.VALIDATION, 0, code=13, phase=HEADERS),
    ClassifyRule(classify.RESOURCE, 0, reason="NO_HEALTHY_BACKEND"),
)


def play_with(*, retries: int = 1, static: bool = False) -> Playbook:
    """One route with the rules above."""
    fallback = (to_static(b"\0\0\0\0\0", GET.encode()),) if static else ()
    policy = make_policy(retry=retrying(retries), fallback=fallback, classifier=Classifier(rules=RULES))
    return Playbook(make_snapshot(make_route(policy), methods=METHODS))


def no_space() -> Field:
    """Return the details that say NO_SPACE."""
    message = status_pb2.Status(code=2)
    message.details.add().Pack(error_details_pb2.ErrorInfo(reason="NO_SPACE", domain="db"))
    return b"grpc-status-details-bin", base64.b64encode(message.SerializeToString())


def last(play: Playbook) -> CallRecord:
    """Return the newest record."""
    play.forget()
    return play.world.sink.calls[-1]


def test_by_message_and_by_reason() -> None:
    """The rule that decided is recorded, and what the server said."""
    with play_with() as play:
        begin(play)
        play.server().last.trailers_only(13, (b"grpc-message", b"a%20deadlock"))
        record = last(play)
        assert (record.category, record.strategy, record.rule) == (classify.TRANSIENT, classify.RETRY, 0)
        begin(play)
        play.server().last.trailers_only(2, no_space())
        record = last(play)
        assert (record.category, record.strategy, record.rule) == (classify.RESOURCE, classify.FAIL_FAST, 1)
        assert (record.error_reason, record.error_domain) == ("NO_SPACE", "db")


def test_by_phase() -> None:
    """A response that has begun fails in the middle."""
    with play_with() as play:
        begin(play)
        play.server().last.trailers_only(13)
        assert last(play).category == classify.VALIDATION
        begin(play, path=LIST)
        play.server().last.headers()
        play.server().last.data(b"\0\0\0\0\1x")
        play.server().last.trailers(13)
        assert last(play).category == classify.PERMANENT


def test_by_a_reason_of_ours() -> None:
    """Seawall's own failures can be told apart as well."""
    with play_with() as play:
        play.server().set_mode("refuse")
        play.server().cut()
        play.advance(0.1)
        begin(play)
        record = last(play)
        assert record.reason == "NO_HEALTHY_BACKEND"
        assert (record.category, record.rule) == (classify.RESOURCE, 4)


def test_what_a_retry_covered() -> None:
    """The failure that was covered is classified, with its own details."""
    with play_with(retries=2) as play:
        begin(play)
        play.server().last.trailers_only(14, no_space())
        play.advance(0.03)
        play.server().last.reply(b"\0\0\0\0\0")
        record = last(play)
        assert (record.code, record.failed_code, record.rule) == (0, 14, 1)


def test_what_a_fallback_covered() -> None:
    """The same for a fallback, which is named."""
    with play_with(static=True) as play:
        begin(play)
        play.server().last.trailers_only(13, (b"grpc-message", b"deadlock"))
        record = last(play)
        assert (record.code, record.fallback, record.rule) == (0, "static", 0)
