"""Several policies around one call: their order, and named policies with the proxy's numbers."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from seawall.errors import Invalid
from seawall.resilience import (
    Backoff,
    BreakerOpen,
    BreakerRegistry,
    BulkheadFull,
    CircuitBreaker,
    DeadlineExceeded,
    Policy,
    State,
    VirtualClock,
    bulkhead,
    fallback,
    pipeline,
    policy,
    retry,
    time_left,
)
from seawall.resilience.backoff import PRESETS, Preset
from seawall.resilience.breaker import classic
from seawall.v1 import policy_pb2
from seawall_policy import retry as engine
from seawall_policy.builtin import builtin_policies
from seawall_policy.compile import compile_document


def fails(error: Exception, log: list[float | None]) -> Callable[[], Any]:
    """Return a function that notes the time left and fails."""

    def work() -> Any:
        log.append(time_left())
        raise error

    return work


def test_the_order_of_the_parts() -> None:
    """Each attempt is counted by the breaker, which stops the retries, and the fallback answers at last."""
    clock = VirtualClock()
    breaker = CircuitBreaker("b", classic(threshold=2), clock=clock)
    guarded = Policy(
        timeout=10,
        fallback=fallback(value="fallback"),
        retry=retry(on=Exception, attempts=5, backoff=Backoff.constant(1), clock=clock),
        breaker=breaker,
        per_try_timeout=3,
        clock=clock,
    )
    log: list[float | None] = []
    assert guarded.call(fails(KeyError(), log)) == "fallback"
    assert len(log) == 2
    assert breaker.state.name == "OPEN"
    assert guarded.call(fails(KeyError(), log)) == "fallback"
    assert len(log) == 2


async def test_time_of_the_call_and_of_the_attempt() -> None:
    """An attempt that hangs is cut short and repeated; the whole ends in time, and is answered."""
    clock = VirtualClock()
    tried: list[float] = []

    async def hang() -> str:
        tried.append(clock.now())
        await clock.asleep(100)
        return "never"

    guarded = Policy(
        timeout=5,
        retry=retry(on=TimeoutError, attempts=9, backoff=Backoff.constant(0), clock=clock),
        per_try_timeout=2,
        clock=clock,
    )
    with pytest.raises(DeadlineExceeded, match="within 5 s"):
        await guarded.call(hang)
    assert (tried, clock.now()) == ([0.0, 2.0, 4.0], 5.0)
    answered = Policy(timeout=5, fallback=fallback(value="stale"), clock=clock)
    assert await answered.call(hang) == "stale"


def test_the_bulkhead_stands_outside_the_fallback() -> None:
    """A call that finds no room is refused, like one that the proxy does not admit."""
    room = bulkhead(1)
    guarded = Policy(bulkhead=room, fallback=fallback(value="fallback"))
    with room, pytest.raises(BulkheadFull):
        guarded.call(lambda: "work")
    assert guarded.call(lambda: "work") == "work"


def test_a_pipeline_has_the_order_that_is_given() -> None:
    """Outermost first: here the breaker sees one call, whatever the retry does."""
    clock = VirtualClock()
    breaker = CircuitBreaker("b", classic(threshold=1), clock=clock)
    log: list[float | None] = []
    with pytest.raises(KeyError):
        pipeline(breaker, retry(on=KeyError, attempts=3, clock=clock)).call(fails(KeyError(), log))
    assert len(log) == 3
    assert breaker.state.name == "OPEN"


@pytest.mark.parametrize("name", sorted(builtin_policies()))
def test_built_in_policies_have_the_numbers_of_the_proxy(name: str) -> None:
    """Every number that the proxy's compiler gives is in the policy that runs here."""
    document = policy_pb2.PolicyDocument(version="v1")
    document.clusters.add(name="c").endpoints.add(address="127.0.0.1:1")
    document.routes.add(name="r", cluster="c", policy=name)
    snapshot = compile_document(document).snapshot
    assert snapshot is not None
    there = snapshot.routes[0].policy
    here = policy(name)
    assert (here.timeout_s, here.per_try_timeout_s) == (there.timeout_s, there.per_try_timeout_s)
    assert here.retry is not None
    assert here.breaker is not None
    for mine, other in ((here.retry.options, there.retry), (here.breaker.options, there.breaker)):
        assert type(mine) is type(other)
        names = [one for one in dir(other) if not one.startswith("_") and one != "budget"]
        values = {one: getattr(other, one) for one in names if not callable(getattr(other, one))}
        assert {one: getattr(mine, one) for one in values} == values
    assert there.retry.budget is not None
    assert here.retry.budget is not None
    mine_budget = here.retry.budget.engine.options
    assert mine_budget.percent == there.retry.budget.percent
    assert mine_budget.min_per_second == there.retry.budget.min_per_second


def test_builtin_standard_is_safe_by_default() -> None:
    """What may have happened is not repeated unless it is declared; a refused connection always is."""
    clock = VirtualClock(draws=[0.5])
    for idempotent, attempts in ((False, 1), (True, 3)):
        log: list[float | None] = []
        with pytest.raises(ConnectionResetError):
            policy("builtin/standard", idempotent=idempotent, clock=clock).call(
                fails(ConnectionResetError(), log)
            )
        assert len(log) == attempts
    log = []
    with pytest.raises(ConnectionRefusedError):
        policy("builtin/write", clock=clock).call(fails(ConnectionRefusedError(), log))
    assert len(log) > 1


def test_the_breaker_of_a_policy_counts_what_the_proxy_counts() -> None:
    """An exception of which nothing is known is UNKNOWN, which built-in policies do not count."""
    clock = VirtualClock()
    registry = BreakerRegistry()
    reading = policy("builtin/read", breaker_name="catalog", registry=registry, clock=clock)
    for error, state in ((RuntimeError(), State.CLOSED), (ConnectionResetError(), State.OPEN)):
        for _ in range(40):
            with pytest.raises((RuntimeError, ConnectionResetError, BreakerOpen)):
                reading.call(fails(error, []))
        assert registry["catalog"].state is state


FILE = """
version: v1
listeners: [{name: main, address: 127.0.0.1:8080}]
clusters: [{name: shop, endpoints: ["127.0.0.1:50051"]}, {name: dr, endpoints: ["127.0.0.1:50052"]}]
policies:
  browsing:
    extends: builtin/read
    timeout: 1500ms
    retry: {max_attempts: 2}
    fallback:
      - {when: [BREAKER_OPEN], cluster: dr}
      - {when: [UNAVAILABLE, BREAKER_OPEN], static: {json: {notice: "Back in a minute."}}}
routes: [{name: all, cluster: shop, policy: browsing}]
"""


def test_a_policy_of_a_file(tmp_path: Path) -> None:
    """Friendly spellings, inheritance and static answers; what a process cannot do is named."""
    path = tmp_path / "policy.yaml"
    path.write_text(FILE)
    clock = VirtualClock()
    browsing = policy("browsing", file=path, clock=clock)
    assert (browsing.timeout_s, browsing.per_try_timeout_s) == (1.5, 3.0)
    assert browsing.ignored == ("fallback[0].cluster", "limit")
    log: list[float | None] = []
    answer = browsing.call(fails(ConnectionResetError(), log))
    assert (answer, len(log)) == ({"notice": "Back in a minute."}, 2)
    with pytest.raises(ValueError):
        browsing.call(fails(ValueError(), log))
    assert browsing.breaker is not None
    browsing.breaker.trip()
    assert browsing.call(fails(KeyError(), log)) == {"notice": "Back in a minute."}


def test_a_policy_of_a_document() -> None:
    """As a message or as its JSON mapping."""
    document = {"version": "v1", "policies": {"p": {"timeout": "2s", "retry": {"maxAttempts": 4}}}}
    found = policy("p", document=document)
    assert found.timeout_s == 2.0
    assert found.retry is not None
    assert found.retry.options.max_attempts == 4
    message = policy_pb2.PolicyDocument(version="v1")
    message.policies["q"].timeout.seconds = 3
    assert policy("q", document=message).timeout_s == 3.0


def test_a_static_limit_is_a_bulkhead() -> None:
    """With its queue; an adaptive one is named as not applied."""
    document = policy_pb2.PolicyDocument(version="v1")
    document.policies["p"].limit.max_in_flight = 2
    limited = policy("p", document=document)
    assert limited.bulkhead is not None
    assert limited.bulkhead.limit == 2
    document.policies["p"].limit.adaptive = policy_pb2.LIMIT_KIND_VEGAS
    adaptive = policy("p", document=document)
    assert adaptive.bulkhead is None
    assert adaptive.ignored == ("limit",)


def test_classes_and_throttle_of_a_policy() -> None:
    """The first class that fits gives attempts and waits; the throttle is the policy's."""
    clock = VirtualClock()
    document = policy_pb2.PolicyDocument(version="v1")
    settings = document.policies["p"].retry
    settings.max_attempts = 2
    settings.only_idempotent = False
    settings.throttle.max_tokens = 100
    settings.budget.kind = policy_pb2.BUDGET_KIND_CONCURRENCY
    one = settings.classes.add(name="full", category=policy_pb2.CATEGORY_RESOURCE, max_attempts=4)
    one.backoff.kind = policy_pb2.BACKOFF_KIND_CONSTANT
    one.backoff.initial.seconds = 3
    one.backoff.max.seconds = 3
    one.backoff.jitter_kind = policy_pb2.JITTER_KIND_NONE
    guarded = policy("p", document=document, clock=clock)
    log: list[float | None] = []
    with pytest.raises(MemoryError):
        guarded.call(fails(MemoryError(), log))
    assert (len(log), clock.sleeps) == (4, [3.0, 3.0, 3.0])
    log.clear()
    with pytest.raises(ConnectionResetError):
        guarded.call(fails(ConnectionResetError(), log))
    assert len(log) == 2
    assert guarded.retry is not None
    assert guarded.retry.throttle is not None
    assert guarded.retry.throttle.tokens() == 94.0
    assert guarded.ignored == ("retry.budget.kind",)


@pytest.mark.parametrize("name", list(PRESETS))
def test_presets_have_the_numbers_of_a_policy_file(name: Preset) -> None:
    """Attempts and waits of `retry(preset=...)` are those of `retry: {preset: ...}`."""
    document = policy_pb2.PolicyDocument(version="v1")
    document.policies["p"].retry.preset = getattr(policy_pb2, f"RETRY_PRESET_{name.upper()}")
    there = policy("p", document=document).retry
    assert there is not None
    here = PRESETS[name]
    assert there.options.max_attempts == here.attempts
    mine = here.backoff.options(here.attempts, 0, only_idempotent=False)
    for draw in (0.0, 0.5, 0.9):
        for number in range(1, here.attempts):
            assert engine.backoff(mine, number, 0.0, draw) == pytest.approx(
                engine.backoff(there.options, number, 0.0, draw)
            )


def test_mistakes_are_told(tmp_path: Path) -> None:
    """An unknown name with a suggestion, every mistake of the document, an unreadable document."""
    with pytest.raises(Invalid, match="Did you mean builtin/read"):
        policy("builtin/raed")
    document = policy_pb2.PolicyDocument(version="v1")
    document.policies["p"].retry.max_attempts = 99
    document.policies["p"].breaker.failure_rate = 500
    with pytest.raises(Invalid) as caught:
        policy("p", document=document)
    assert len(caught.value.violations) >= 2
    with pytest.raises(Invalid, match="not a policy document"):
        policy("p", document={"versoin": "v1"})
    with pytest.raises(ValueError, match="not both"):
        policy("p", document=document, file=tmp_path)


def test_importing_it_brings_neither_grpc_nor_the_proxy() -> None:
    """Who only wants a retry pays for a retry; a built-in policy needs protobuf, and no gRPC either."""
    script = (
        "import sys, seawall.resilience as r\n"
        "assert not {'grpc', 'google.protobuf', 'seawall_proxy', 'seawall_control'} & set(sys.modules)\n"
        "r.policy('builtin/read').call(lambda: 1)\n"
        "assert not {'grpc', 'seawall_proxy', 'seawall_control'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, env={"PYTHONPATH": ":".join(sys.path)})
