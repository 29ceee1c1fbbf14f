"""The built-in policies, in the words of a policy file.

They are policies like any other: `extends` works on them, and `seawall get policies --builtin` shows them.
Every value has a reason beside it. None retries what might be executed twice, except `builtin/read`, which a
person has to choose by name.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Final, Protocol

from seawall.v1 import policy_pb2

DEFAULT: Final = "builtin/standard"
"""What a route without a policy gets."""


class _Duration(Protocol):
    def FromNanoseconds(self, nanos: int) -> None: ...  # noqa: N802


_MS: Final = 1_000_000
_SECOND: Final = 1_000

_FAULTS: Final = ("UNAVAILABLE", "DEADLINE_EXCEEDED", "INTERNAL", "DATA_LOSS")
"""What the breaker of a built-in policy counts. UNKNOWN is what many servers make of any exception in a
handler, and RESOURCE_EXHAUSTED may be one caller's quota: opening a whole route on either needs a
person's decision."""

DESCRIPTIONS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "builtin/standard": "Safe for every method, streams included; retries and hedges only what is "
        "declared idempotent.",
        "builtin/read": "Unary calls that only read: retried freely, each try limited.",
        "builtin/write": "Unary calls that change something: never tried twice unless the server provably "
        "saw nothing.",
        "builtin/batch": "Work in the background: patient, and gentle to a service in trouble.",
        "builtin/streaming": "Long streams: no limit on their length, a breaker that needs few of them.",
        "builtin/latency-critical": "Calls that a person waits for: short tries, and slowness counts as a "
        "fault.",
    }
)
"""One sentence for each."""


@lru_cache(maxsize=1)
def builtin_policies() -> Mapping[str, policy_pb2.Policy]:
    """Return the built-in policies by name. They are shared: copy before changing one."""
    return MappingProxyType(
        {
            "builtin/standard": _standard(),
            "builtin/read": _read(),
            "builtin/write": _write(),
            "builtin/batch": _batch(),
            "builtin/streaming": _streaming(),
            "builtin/latency-critical": _latency_critical(),
        }
    )


def builtin_documents() -> dict[str, policy_pb2.Policy]:
    """Return copies of the built-in policies by name, to show or to change."""
    copies: dict[str, policy_pb2.Policy] = {}
    for name, policy in builtin_policies().items():
        copies[name] = policy_pb2.Policy()
        copies[name].CopyFrom(policy)
    return copies


def _standard() -> policy_pb2.Policy:
    policy = policy_pb2.Policy()
    # No timeout: the same policy serves streams that last for days, and the caller's own deadline applies
    # anyway.
    _retry(policy, attempts=3, initial_ms=25, max_ms=1_000)  # three tries pass over one dead endpoint of two
    policy.retry.codes.append("INTERNAL")  # one replica that is broken; running twice is declared harmless
    policy.retry.codes.append("UNKNOWN")  # what many servers make of an exception in a handler, the same case
    # Not DEADLINE_EXCEEDED: a server that says so has run out of time behind itself, and asking at once keeps
    # it there. (A try that `per_try_timeout` cuts short is retried anyway.) Not RESOURCE_EXHAUSTED and
    # ABORTED: the caller knows better when to come back.
    policy.retry.only_idempotent = True  # nobody has said that a method may run twice until it is declared
    # With the reserve less than a fifth more load when everything fails, which a service in trouble can bear
    # (Finagle, Gateway API GEP-3388), and ten seconds' worth of it at once when one endpoint of three fails.
    _budget(policy, percent=15, min_per_second=2)
    # Three calls of a hundred are sent once more because they are late; what the budget has beyond that is
    # saved for the moment in which an endpoint freezes and a third of the calls is late, until it is left
    # out. With the retries of such a moment it stays below a tenth more load.
    policy.hedge.percentile = 97
    _duration(policy.hedge.min_delay, 10)  # below that a hedge saves less than anybody notices
    policy.hedge.max_attempts = 2  # the third endpoint is for the retry, should both fail
    policy.hedge.budget = 8
    policy.hedge.only_idempotent = True  # as for retries
    # Half of at least 20 calls in 30 s: a route with little traffic needs a lasting fault, a busy one reacts
    # in a second.
    _breaker_by_time(policy, seconds=30, min_calls=20)
    _limit(policy)
    return policy


def _read() -> policy_pb2.Policy:
    policy = policy_pb2.Policy()
    _duration(policy.timeout, 10 * _SECOND)  # three tries and their waits fit
    _duration(policy.per_try_timeout, 3 * _SECOND)  # a try that hangs leaves time for two others
    _retry(policy, attempts=3, initial_ms=25, max_ms=1_000)
    policy.retry.codes.append("DEADLINE_EXCEEDED")  # a read that timed out may be asked elsewhere
    policy.retry.only_idempotent = (
        False  # choosing this policy is the declaration: reading twice changes nothing
    )
    _budget(policy, percent=20, min_per_second=10)
    _breaker_by_time(policy, seconds=10, min_calls=20)  # reads are many, so ten seconds say enough
    _limit(policy)
    return policy


def _write() -> policy_pb2.Policy:
    policy = policy_pb2.Policy()
    _duration(
        policy.timeout, 30 * _SECOND
    )  # writes wait for locks and replicas; longer than that nobody waits
    policy.retry.max_attempts = (
        1  # a write that may have happened is not repeated; what was never sent still is
    )
    _breaker_by_time(policy, seconds=30, min_calls=20)
    _limit(policy)
    return policy


def _batch() -> policy_pb2.Policy:
    policy = policy_pb2.Policy()
    _duration(policy.timeout, 600 * _SECOND)  # a job's call may take minutes, but not for ever
    _retry(
        policy, attempts=5, initial_ms=1_000, max_ms=30_000
    )  # nobody is watching: wait for the service to come back
    policy.retry.codes.append(
        "RESOURCE_EXHAUSTED"
    )  # a full queue drains; people at a screen could not wait for it
    policy.retry.only_idempotent = True
    _budget(
        policy, percent=10, min_per_second=1
    )  # retries of background work must not crowd out the foreground
    _breaker_by_time(policy, seconds=60, min_calls=10)
    _duration(policy.breaker.open_for, 30 * _SECOND)  # patient: probing can wait
    _limit(policy, queue_ms=10_000)  # background work may wait until the foreground leaves room
    policy.limit.criticality = policy_pb2.CRITICALITY_SHEDDABLE  # and it is what is refused first
    return policy


def _streaming() -> policy_pb2.Policy:
    policy = policy_pb2.Policy()
    # No timeouts: a stream lasts as long as both sides like.
    _retry(
        policy, attempts=3, initial_ms=100, max_ms=5_000
    )  # only before the first response; slower than for unary calls
    policy.retry.only_idempotent = True
    _budget(policy, percent=20, min_per_second=5)
    _breaker(policy)
    policy.breaker.window.kind = (
        policy_pb2.WINDOW_KIND_COUNT
    )  # streams end rarely, so a time window would be empty
    policy.breaker.window.size = 20
    policy.breaker.min_calls = 10
    # No limit: what is at work here is not what is open, and a stream's start says nothing about its weight.
    return policy


def _latency_critical() -> policy_pb2.Policy:
    policy = policy_pb2.Policy()
    _duration(policy.timeout, 1 * _SECOND)  # after a second the person has noticed
    _duration(policy.per_try_timeout, 400)  # two tries and the wait between them fit
    _retry(policy, attempts=2, initial_ms=5, max_ms=50)
    policy.retry.codes.append("DEADLINE_EXCEEDED")  # a slow try is what this policy is about
    policy.retry.only_idempotent = True
    _budget(policy, percent=10, min_per_second=10)  # less extra load, because load is latency
    _breaker_by_time(policy, seconds=10, min_calls=20)
    _duration(policy.breaker.slow_call.duration, 300)  # late, and before the try's own time is up
    policy.breaker.slow_call.rate = 50
    _duration(policy.breaker.open_for, 2 * _SECOND)  # probe soon: every rejected call is seen by a person
    _limit(policy, queue_ms=200)  # what has waited for longer would be late: 400 ms are one try's time
    return policy


def _retry(policy: policy_pb2.Policy, *, attempts: int, initial_ms: int, max_ms: int) -> None:
    policy.retry.max_attempts = attempts
    policy.retry.codes.append(
        "UNAVAILABLE"
    )  # the one code that AIP-194 lets a client retry without knowing more
    policy.retry.backoff.kind = policy_pb2.BACKOFF_KIND_EXPONENTIAL
    _duration(policy.retry.backoff.initial, initial_ms)
    policy.retry.backoff.multiplier = 2
    _duration(policy.retry.backoff.max, max_ms)
    policy.retry.backoff.jitter = 0.2  # as gRFC A6


def _budget(policy: policy_pb2.Policy, *, percent: float, min_per_second: float) -> None:
    policy.retry.budget.percent = percent
    policy.retry.budget.min_per_second = min_per_second
    _duration(policy.retry.budget.interval, 10 * _SECOND)


def _breaker(policy: policy_pb2.Policy) -> None:
    policy.breaker.failure_rate = (
        50  # a route with one of two endpoints dead still serves half of its callers
    )
    policy.breaker.failure_codes.extend(_FAULTS)
    # Five calls every 700 ms are no burden for a service that is down, and callers wait no longer than that
    # for one that is back.
    _duration(policy.breaker.open_for, 700)
    policy.breaker.open_multiplier = 1
    policy.breaker.half_open_calls = 5
    policy.breaker.success_threshold = 3  # one lucky probe is no recovery
    policy.breaker.mode = policy_pb2.BREAKER_MODE_ENFORCE


def _breaker_by_time(policy: policy_pb2.Policy, *, seconds: int, min_calls: int) -> None:
    _breaker(policy)
    policy.breaker.window.kind = policy_pb2.WINDOW_KIND_TIME
    _duration(policy.breaker.window.duration, seconds * _SECOND)
    policy.breaker.min_calls = min_calls


def _limit(policy: policy_pb2.Policy, *, queue_ms: int = 1_000) -> None:
    """Add a limit that finds its size, for services that get more than they can do.

    Measured in tests/simulation/test_overload.py: a healthy service loses nothing, one with three times the
    calls that it can do answers as many in time as it can do.
    """
    policy.limit.adaptive = (
        policy_pb2.LIMIT_KIND_KNEE
    )  # the only kind that needs no tuning; docs/policies/limits.md
    policy.limit.max_in_flight = 1000  # as the cluster's own ceiling of 1024, with some left for retries
    policy.limit.min_in_flight = 4  # fewer could not even find out whether the service is back
    policy.limit.initial = 1000  # nothing is known yet, and a healthy service must not pay for that
    policy.limit.queue = 1000  # a second of a busy service; the queue, not a refusal, takes up bursts
    # As long as a limit that was too low may need to grow, and as long as most callers wait at all. The
    # call's own deadline ends its wait earlier.
    _duration(policy.limit.queue_timeout, queue_ms)


def _duration(field: _Duration, milliseconds: int) -> None:
    field.FromNanoseconds(milliseconds * _MS)
