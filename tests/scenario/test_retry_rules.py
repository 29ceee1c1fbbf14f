"""The rules of retries beyond gRFC A6: classes, RetryInfo, throttle, concurrency, and why there was none."""

from __future__ import annotations

from base64 import b64encode

import pytest
from google.protobuf.any_pb2 import Any
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status

from seawall_policy import status
from seawall_policy.budget import BudgetOptions, ConcurrencyBudget, ThrottleOptions
from seawall_policy.model import MethodInfo
from seawall_policy.retry import RetryClass, RetryOptions
from seawall_proxy.http2.headers import Field
from seawall_proxy.testing import Playbook
from tests.scenario.scenes import (
    GET,
    METHODS,
    TWO,
    UNAVAILABLE,
    begin,
    playing,
    retrying,
    snapshot,
    tripping,
)


def details(*messages: RetryInfo | ErrorInfo) -> Field:
    """Return grpc-status-details-bin with these details."""
    whole = Status(code=8)
    for message in messages:
        packed = Any()
        packed.Pack(message)
        whole.details.append(packed)
    return b"grpc-status-details-bin", b64encode(whole.SerializeToString()).rstrip(b"=")


def in_ms(milliseconds: int) -> RetryInfo:
    """Return a RetryInfo."""
    delay = Duration()
    delay.FromMilliseconds(milliseconds)
    return RetryInfo(retry_delay=delay)


def not_retried(play: Playbook) -> str:
    """Return what the record of the only failed call says."""
    (record,) = play.world.sink.calls
    assert play.world.counters["all"].not_retried == ({record.not_retried: 1} if record.not_retried else {})
    return record.not_retried


@pytest.mark.parametrize("milliseconds", [0, 300])
def test_retry_info_is_the_wait(milliseconds: int) -> None:
    """X10: RetryInfo in the details is obeyed like a pushback."""
    with playing(retry=retrying()) as play:
        begin(play)
        started = play.now
        play.server().last.trailers_only(14, details(in_ms(milliseconds)))
        play.advance(1.0)
        waited = (play.server().last.seen.at - started) * 1000
        assert milliseconds <= waited <= milliseconds + 2
        play.server().last.trailers_only(0)
        play.forget()


def test_pushback_comes_before_retry_info() -> None:
    """X10: pushback, RetryInfo, computed, in this order."""
    with playing(retry=retrying()) as play:
        begin(play)
        play.server().last.trailers_only(14, details(in_ms(900)), (b"grpc-retry-pushback-ms", b"10"))
        play.advance(0.02)
        assert play.server().count == 2
        play.server().last.trailers_only(0)
        play.forget()


@pytest.mark.parametrize("value", [b"!!!", b"CAgSA", b"////", b""])
def test_damaged_details_are_ignored(value: bytes) -> None:
    """What cannot be read says nothing: the computed wait applies."""
    with playing(retry=retrying()) as play:
        begin(play)
        play.server().last.trailers_only(14, (b"grpc-status-details-bin", value))
        play.advance(0.026)
        assert play.server().count == 2
        play.server().last.trailers_only(0)
        play.forget()


def test_retry_info_can_be_switched_off() -> None:
    """retry_info: false waits as computed."""
    options = retrying()
    options.retry_info = False
    with playing(retry=options) as play:
        begin(play)
        play.server().last.trailers_only(14, details(in_ms(900)))
        play.advance(0.026)
        assert play.server().count == 2
        play.server().last.trailers_only(0)
        play.forget()


def classed(*classes: RetryClass, max_attempts: int = 2) -> RetryOptions:
    """Retries with classes."""
    return RetryOptions(
        max_attempts=max_attempts, initial_s=0.5, jitter=0.0, only_idempotent=False, classes=classes
    )


def of_class(
    name: str, codes: int = 0, reasons: frozenset[str] = frozenset(), category: int = 0, *, attempts: int = 3
) -> RetryClass:
    """Return a class whose waits are 10 ms."""
    options = RetryOptions(
        max_attempts=attempts, kind="constant", initial_s=0.01, jitter=0.0, only_idempotent=False
    )
    return RetryClass(name, codes, reasons, category, options)


def test_a_class_by_the_reason_of_the_server() -> None:
    """C23: ErrorInfo.reason chooses the class, which makes the status worth a retry."""
    quota = of_class("quota", reasons=frozenset({"SHORT_QUOTA"}))
    with playing(retry=classed(quota)) as play:
        begin(play)
        play.server().last.trailers_only(8, details(ErrorInfo(reason="SHORT_QUOTA", domain="shop")))
        play.advance(0.012)
        assert play.server().count == 2
        play.server().last.trailers_only(8, details(ErrorInfo(reason="LONG_QUOTA", domain="shop")))
        play.forget()
        assert not_retried(play) == "code"


def test_a_class_by_our_own_reason() -> None:
    """A reset has a reason of ours."""
    network = of_class("network", reasons=frozenset({"UPSTREAM_RESET"}))
    with playing(retry=classed(network)) as play:
        begin(play)
        play.server().last.reset(2)
        play.advance(0.012)
        assert play.server().count == 2
        play.server().last.trailers_only(0)
        play.forget()


def test_a_class_by_category_and_code() -> None:
    """Everything that is given must fit; the first class that fits decides."""
    both = of_class("both", codes=1 << status.ABORTED, category=2)
    resource = of_class("resource", category=2)
    with playing(retry=classed(both, resource)) as play:
        begin(play)
        play.server().last.trailers_only(8)
        play.advance(0.012)
        assert play.server().count == 2
        play.server().last.trailers_only(2)
        play.forget()
        assert not_retried(play) == "code"


def test_a_class_has_attempts_of_its_own() -> None:
    """Three attempts for the class, two for the rest."""
    with playing(retry=classed(of_class("network", codes=UNAVAILABLE), max_attempts=1)) as play:
        begin(play)
        for _ in range(3):
            play.server().last.trailers_only(14)
            play.advance(0.012)
        assert play.server().count == 3
        play.forget()
        assert not_retried(play) == "attempts"


def test_a_class_can_forbid() -> None:
    """max_attempts: 1 in a class takes failures out of the retry."""
    never = of_class("never", reasons=frozenset({"POISON"}), attempts=1)
    with playing(retry=classed(never, max_attempts=3)) as play:
        begin(play)
        play.server().last.trailers_only(14, details(ErrorInfo(reason="POISON")))
        play.forget()
        assert play.server().count == 1
        assert not_retried(play) == "attempts"


def test_the_throttle_is_that_of_the_cluster() -> None:
    """A6: more than half of the tokens, or no retry; successes give back."""
    options = retrying(5, initial_s=0.0)
    options.throttle = ThrottleOptions(4.0, 1.0)
    with playing(retry=options) as play:
        begin(play)
        play.server().last.trailers_only(14)
        play.server().last.trailers_only(14)
        play.forget()
        assert play.server().count == 2
        assert not_retried(play) == "throttled"
        throttle = play.world.state().throttle
        assert throttle is not None
        assert throttle.tokens() == 2.0
        begin(play)
        play.server().last.trailers_only(0)
        play.forget()
        assert throttle.tokens() == 3.0
        play.apply(snapshot(retry=options, revision=2))
        assert play.world.state().throttle is throttle


def concurrent(percent: float, least: int) -> RetryOptions:
    """Retries with a budget of kind concurrency."""
    return retrying(3, initial_s=0.5, budget=BudgetOptions(percent, concurrent=True, min_concurrent=least))


def test_retries_at_work_are_a_share_of_the_calls_at_work() -> None:
    """C8: of ten calls two may be in retry, from the moment they wait (envoy 30205); what ends makes room."""
    with playing(retry=concurrent(20.0, 0)) as play:
        for _ in range(10):
            begin(play)
        for number in range(1, 11):
            play.server().request(number).trailers_only(14)
        lines = play.forget()
        # The fewer calls are left, the fewer retries there may be.
        assert sum("UNAVAILABLE" in line for line in lines) == 8
        budget = play.world.state().budget
        assert isinstance(budget, ConcurrencyBudget)
        assert (budget.calls, budget.retries) == (2, 2)
        play.advance(0.6)
        assert play.server().count == 12
        play.server().request(11).trailers_only(0)
        play.server().request(12).trailers_only(0)
        play.forget()
        assert (budget.calls, budget.retries) == (0, 0)


def test_a_thousand_failures_at_once_keep_to_the_budget() -> None:
    """Envoy 30205: retries that wait are inside the budget of either kind."""
    budgets = (
        BudgetOptions(20.0, 0.0, 10.0),
        BudgetOptions(20.0, concurrent=True, min_concurrent=0),
    )
    for budget in budgets:
        with playing(retry=retrying(2, initial_s=0.5, budget=budget)) as play:
            for _ in range(90):
                begin(play)
            for number in range(1, 91):
                play.server().request(number).trailers_only(14)
            play.advance(1.0)
            assert play.world.counters["all"].retries <= 18
            for number in range(91, play.server().count + 1):
                play.server().request(number).trailers_only(0)
            play.forget()


def test_a_client_that_leaves_gives_its_retry_back() -> None:
    """A retry that never happens is no longer at work."""
    with playing(retry=concurrent(0.0, 1)) as play:
        call = begin(play)
        play.server().last.trailers_only(14)
        call.cancel()
        budget = play.world.state().budget
        assert isinstance(budget, ConcurrencyBudget)
        assert (budget.calls, budget.retries) == (0, 0)
        play.forget()


@pytest.mark.parametrize(
    ("options", "code", "reason"),
    [
        (retrying(2), 13, "code"),
        (retrying(2, only_idempotent=True), 14, "not_idempotent"),
        (retrying(1), 14, ""),
        (retrying(2, budget=BudgetOptions(0.0, 0.0, 10.0)), 14, "budget"),
    ],
)
def test_why_there_was_no_retry(options: RetryOptions, code: int, reason: str) -> None:
    """The reason is in the record of the call and counted; without retries there is none."""
    with playing(retry=options) as play:
        begin(play)
        play.server().last.trailers_only(code)
        play.forget()
        assert not_retried(play) == reason


def test_a_stream_that_breaks_was_committed() -> None:
    """Why a broken stream was not retried."""
    with playing(retry=retrying(3)) as play:
        begin(play, path="/shop.v1.Orders/List")
        play.server().last.headers()
        play.server().last.data(b"one")
        play.advance(0.1)
        play.server().last.trailers(14)
        play.forget()
        (record,) = play.world.sink.calls
        assert record.not_retried == "committed"


def test_a_reset_without_error_is_a_failure_and_decided_like_one() -> None:
    """grpc-node 2569: RST_STREAM with code 0 and no trailers is INTERNAL (gRPC over HTTP/2), for retries
    too.
    """
    for codes, count in ((UNAVAILABLE, 1), (1 << status.INTERNAL, 2)):
        with playing(retry=retrying(2, codes=codes, initial_s=0.0)) as play:
            begin(play)
            play.server().last.reset(0)
            assert play.server().count == count
            if count == 2:
                play.server().last.trailers_only(0)
            lines = play.forget()
            assert any("INTERNAL" in line for line in lines) is (count == 1)


def test_unary_without_content_length_is_retried() -> None:
    """linkerd2 7141: a request whose length nobody has told is repeated like any other."""
    with playing(retry=retrying(2, initial_s=0.0), clusters=TWO) as play:
        call = play.call("/shop.v1.Orders/Get", b"first ", end=False)
        call.send(b"second")
        call.end()
        play.forget()
        play.server("a").last.trailers_only(14)
        assert bytes(play.server("b").last.seen.data) == b"first second"
        play.server("b").last.trailers_only(0)
        play.forget()


def test_an_open_breaker_keeps_the_answer_of_the_server() -> None:
    """A retry that the breaker refuses: permits are given back, and the caller gets what the server said."""
    with playing(retry=retrying(3, initial_s=0.01), breaker=tripping(1), clusters=TWO) as play:
        begin(play)
        play.server("a").last.trailers_only(14, (b"x-who", b"a"))
        play.advance(0.02)
        (line,) = play.forget()
        assert "x-who=a" in line
        assert "BREAKER_OPEN" in line


def test_a_method_that_is_declared_idempotent_is_retried() -> None:
    """`idempotency_level` of the contract speaks for its method alone, where the route says nothing."""
    declared = {**METHODS, GET.encode(): MethodInfo(False, False, True)}
    for methods, sent in ((METHODS, 1), (declared, 2)):
        with playing(retry=retrying(only_idempotent=True), methods=methods) as play:
            begin(play)
            play.server().last.trailers_only(14)
            play.advance(0.03)
            assert play.server().count == sent
            if sent == 2:
                play.server().last.trailers_only(0)
            play.forget()
