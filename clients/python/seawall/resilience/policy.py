"""Several policies around one call, in the order that works; and policies by name, as the proxy has them.

Outer to inner: the deadline starts; a place in the bulkhead; the fallback; the time of the call is enforced;
retries; the breaker; the time of one attempt; the call. So each attempt is counted by the breaker, an open
breaker burns no retries, and the fallback answers for everything that is inside it.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from math import inf
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from seawall.resilience.breaker import BreakerRegistry, CircuitBreaker, breakers
from seawall.resilience.budget import Budget, Throttle
from seawall.resilience.clock import Clock, Seconds, duration_of
from seawall.resilience.errors import DeadlineExceeded, Rejected
from seawall.resilience.exceptions import ExceptionMap, exception_map
from seawall.resilience.fallback import Fallback, LastGood, Source, Step, Value
from seawall.resilience.limits import Bulkhead, DeadlineEntry, Timeout
from seawall.resilience.retry import Retry
from seawall.resilience.strategy import CallInfo, Strategy, Wrapper
from seawall_policy import model
from seawall_policy.budget import BudgetOptions, ThrottleOptions
from seawall_policy.classify import Classifier

if TYPE_CHECKING:
    from seawall.resilience.documents import Loaded
    from seawall.v1.policy_pb2 import PolicyDocument

T = TypeVar("T")


class Pipeline(Wrapper):
    """Policies around a call, outermost first."""

    def __init__(self, *strategies: Strategy) -> None:
        self.strategies = strategies

    def run(self, work: Callable[[], T], info: CallInfo) -> T:
        """Do the work under all of them."""
        inner = work
        for one in reversed(self.strategies):
            inner = _around(one, inner, info)
        return inner()

    async def arun(self, work: Callable[[], Awaitable[T]], info: CallInfo) -> T:
        """Do asynchronous work under all of them."""
        inner = work
        for one in reversed(self.strategies):
            inner = _aaround(one, inner, info)
        return await inner()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(repr(one) for one in self.strategies)})"


def _around(strategy: Strategy, inner: Callable[[], T], info: CallInfo) -> Callable[[], T]:
    return lambda: strategy.run(inner, info)


def _aaround(
    strategy: Strategy, inner: Callable[[], Awaitable[T]], info: CallInfo
) -> Callable[[], Awaitable[T]]:
    return lambda: strategy.arun(inner, info)


def pipeline(*strategies: Strategy) -> Pipeline:
    """Return policies around a call in the order that you give, outermost first. `Policy` knows the usual
    one.
    """
    return Pipeline(*strategies)


class Policy(Pipeline):
    """Policies around a call in their proper order. Every part may be missing."""

    def __init__(
        self,
        *,
        name: str = "",
        timeout: Seconds | None = None,
        bulkhead: Bulkhead | None = None,
        fallback: Fallback[Any] | None = None,
        retry: Retry | None = None,
        breaker: CircuitBreaker | None = None,
        per_try_timeout: Seconds | None = None,
        classifier: Classifier | None = None,
        ignored: tuple[str, ...] = (),
        clock: Clock | None = None,
    ) -> None:
        self.name: Final = name
        self.bulkhead: Final = bulkhead
        self.fallback: Final = fallback
        self.retry: Final = retry
        self.breaker: Final = breaker
        self.classifier: Final = classifier or Classifier()
        self.timeout_s: Final = inf if timeout is None else duration_of(timeout, "timeout")
        self.per_try_timeout_s: Final = (
            inf if per_try_timeout is None else duration_of(per_try_timeout, "per_try_timeout")
        )
        self.ignored: Final = ignored
        """Settings of the policy file that do nothing in a process, such as `hedge`."""
        limited = self.timeout_s < inf
        parts: list[Strategy | None] = [
            DeadlineEntry(self.timeout_s, clock=clock) if limited else None,
            bulkhead,
            fallback,
            Timeout(self.timeout_s, clock=clock) if limited else None,
            retry,
            breaker,
            Timeout(self.per_try_timeout_s, per_try=True, clock=clock)
            if self.per_try_timeout_s < inf
            else None,
        ]
        super().__init__(*(part for part in parts if part is not None))


def policy(
    name: str,
    *,
    file: str | PathLike[str] | None = None,
    document: PolicyDocument | Mapping[str, object] | None = None,
    idempotent: bool = False,
    breaker_name: str = "",
    registry: BreakerRegistry | None = None,
    exceptions: ExceptionMap | None = None,
    clock: Clock | None = None,
) -> Policy:
    """Return the policy of this name with the numbers that a proxy would use: a built-in one
    ("builtin/read"), or one of a policy file or document.

    The document is compiled by the proxy's own compiler: `Invalid` carries every mistake. `idempotent` says
    that what is called may be executed twice, which `retry.only_idempotent` asks; a refused connection is
    repeated in any case. With `breaker_name` its breaker appears in `registry` (default: `breakers`) under
    that name. Each call of this function makes a policy with a breaker and budget of its own, so keep what
    it returns.

    A fallback's static message is answered as the plain value of its JSON, `empty` as an empty dict. What a
    process cannot do (another cluster, hedging, adaptive limits, faults) is left out; `Policy.ignored`
    names it.
    """
    from seawall.resilience.documents import load  # noqa: PLC0415 - protobuf is only needed here

    loaded = load(name, file=None if file is None else Path(fspath(file)), document=document)
    found = loaded.policy
    return Policy(
        name=found.name,
        timeout=None if found.timeout_s == inf else found.timeout_s,
        bulkhead=_bulkhead(loaded, clock),
        per_try_timeout=None if found.per_try_timeout_s == inf else found.per_try_timeout_s,
        fallback=_fallback(loaded, exceptions or exception_map, clock),
        retry=Retry(
            found.retry,
            budget=None if found.retry.budget is None else _budget(found.retry.budget),
            throttle=_throttle(found.retry.throttle),
            idempotent=idempotent,
            classifier=found.classifier,
            exceptions=exceptions,
            clock=clock,
        ),
        breaker=_breaker(found, breaker_name, registry, exceptions, clock),
        classifier=found.classifier,
        ignored=loaded.ignored,
        clock=clock,
    )


def _throttle(options: ThrottleOptions | None) -> Throttle | None:
    return None if options is None else Throttle(options.max_tokens, options.token_ratio)


def _budget(options: BudgetOptions) -> Budget:
    return Budget(options.percent, min_per_second=options.min_per_second, interval=options.interval_s)


def _breaker(
    found: model.Policy,
    name: str,
    registry: BreakerRegistry | None,
    exceptions: ExceptionMap | None,
    clock: Clock | None,
) -> CircuitBreaker | None:
    if found.breaker is None:
        return None
    if not name:
        return CircuitBreaker(found.name, found.breaker, exceptions=exceptions, clock=clock)
    return (breakers if registry is None else registry).add(name, options=found.breaker)


def _bulkhead(loaded: Loaded, clock: Clock | None) -> Bulkhead | None:
    if loaded.max_in_flight == 0:
        return None
    wait = loaded.queue_timeout_s if loaded.queue else 0.0
    return Bulkhead(
        loaded.max_in_flight, name=loaded.policy.name, max_wait=wait, queue=loaded.queue, clock=clock
    )


def _fallback(loaded: Loaded, exceptions: ExceptionMap, clock: Clock | None) -> Fallback[Any] | None:
    steps: list[Step] = []
    for step, answer in zip(loaded.policy.fallback, loaded.answers, strict=True):
        source: Source
        if step.mode != model.ENFORCE:
            continue
        if answer.json_text:
            source = Value(json.loads(answer.json_text))
        elif answer.last_good_s > 0.0:
            source = LastGood(answer.last_good_s, max_entries=answer.max_entries, clock=clock)
        elif answer.empty:
            source = Value({})
        else:
            continue
        steps.append(Step(_applies(step, exceptions), source))
    return Fallback(steps) if steps else None


def _applies(step: model.FallbackStep, exceptions: ExceptionMap) -> Callable[[Exception], bool]:
    """Return whether an entry answers a failure, by its code and, of what Seawall refused, its reason."""

    def applies(error: Exception) -> bool:
        reason = error.reason if isinstance(error, Rejected | DeadlineExceeded) else ""
        return step.applies(exceptions.code(error), reason)

    return applies
