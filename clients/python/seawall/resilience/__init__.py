"""The policies of the proxy around your own functions: the same engine, in this process.

    from seawall.resilience import retry

    @retry(on=ConnectionError, attempts=5)
    def fetch(url: str) -> bytes: ...

Everything here is a decorator for functions and coroutine functions, and a caller (`policy.call(function,
*args)`); what has a beginning and an end is a `with` and `async with` too. Nothing is configured globally,
nothing starts a thread or a connection until you report an error, and gRPC is not imported before that.

- `retry`: try again; `Backoff`, `Budget`, `Throttle`, `RetryClass`, `NETWORK`, `DATABASE`, `RESOURCE`
- `get_circuit_breaker`, `breakers`: stop calling what fails
- `timeout`, `time_left`, `bulkhead`: how long, and how many at once
- `fallback`, `GracefulDegradation`: an answer in place of a failure
- `policy`, `Policy`, `pipeline`: several of them in the right order, or a named policy of a file
- `with_error_handling`, `ErrorHandlingContext`, `record_operation`: undo, classify, report
- `report_to`, `error_context`: errors to the control plane
- `virtual_time`: tests without sleeps
"""

from seawall.context import ContextFilter, context_fields, error_context
from seawall.resilience.backoff import Backoff
from seawall.resilience.breaker import (
    BreakerChange,
    BreakerRegistry,
    CircuitBreaker,
    breakers,
    get_circuit_breaker,
)
from seawall.resilience.budget import Budget, Throttle
from seawall.resilience.clock import Clock, VirtualClock, virtual_time
from seawall.resilience.deadline import time_left
from seawall.resilience.errors import BreakerOpen, BulkheadFull, DeadlineExceeded, Rejected
from seawall.resilience.exceptions import category_of, code_of, exception_map, strategy_of
from seawall.resilience.fallback import DegradationState, Fallback, GracefulDegradation, fallback
from seawall.resilience.handling import ErrorHandlingContext, record_operation, with_error_handling
from seawall.resilience.limits import Bulkhead, Timeout, bulkhead, timeout
from seawall.resilience.policy import Pipeline, Policy, pipeline, policy
from seawall.resilience.recovery import RAISE, Failure, Recovery, strategies
from seawall.resilience.reporter import Reporter, report_to, stop_reporting
from seawall.resilience.retry import (
    DATABASE,
    NETWORK,
    RESOURCE,
    Attempt,
    Retry,
    RetryClass,
    RetryState,
    retry,
)
from seawall_policy.breaker import State

__all__ = [
    "DATABASE",
    "NETWORK",
    "RAISE",
    "RESOURCE",
    "Attempt",
    "Backoff",
    "BreakerChange",
    "BreakerOpen",
    "BreakerRegistry",
    "Budget",
    "Bulkhead",
    "BulkheadFull",
    "CircuitBreaker",
    "Clock",
    "ContextFilter",
    "DeadlineExceeded",
    "DegradationState",
    "ErrorHandlingContext",
    "Failure",
    "Fallback",
    "GracefulDegradation",
    "Pipeline",
    "Policy",
    "Recovery",
    "Rejected",
    "Reporter",
    "Retry",
    "RetryClass",
    "RetryState",
    "State",
    "Throttle",
    "Timeout",
    "VirtualClock",
    "breakers",
    "bulkhead",
    "category_of",
    "code_of",
    "context_fields",
    "error_context",
    "exception_map",
    "fallback",
    "get_circuit_breaker",
    "pipeline",
    "policy",
    "record_operation",
    "report_to",
    "retry",
    "stop_reporting",
    "strategies",
    "strategy_of",
    "time_left",
    "timeout",
    "virtual_time",
    "with_error_handling",
]
