"""The policies of the proxy around functions of one's own. Run it: `python -m examples.in_process`.

Nothing here needs a network or a control plane, and nothing really waits: the clock is a virtual one.
"""

from __future__ import annotations

from seawall.resilience import (
    BreakerOpen,
    GracefulDegradation,
    Policy,
    breakers,
    record_operation,
    retry,
    timeout,
    virtual_time,
    with_error_handling,
)


class Warehouse:
    """A service that is down for its first few calls."""

    def __init__(self, failures: int) -> None:
        self.failures = failures
        self.calls = 0

    def stock(self, item: str) -> int:
        """Return how many there are."""
        self.calls += 1
        if self.calls <= self.failures:
            raise ConnectionError(f"the warehouse does not answer for {item}")
        return 7


def retried() -> None:
    """A function that is tried again."""
    warehouse = Warehouse(failures=2)

    @retry(on=ConnectionError, attempts=5)
    def stock(item: str) -> int:
        return warehouse.stock(item)

    print(f"retry: {stock('herring')} herrings after {warehouse.calls} attempts")


def broken() -> None:
    """A service that is left alone while it is down."""
    warehouse = Warehouse(failures=5)
    guard = breakers.add("warehouse", threshold=5, timeout=60)
    guard.on_transition(lambda change: print(f"breaker: {change.before.name} -> {change.after.name}"))
    for _ in range(6):
        try:
            guard.call(warehouse.stock, "herring")
        except BreakerOpen as refused:
            print(f"breaker: come back in {refused.retry_after:.0f} s")
        except ConnectionError:
            pass
    breakers.remove("warehouse")


def degraded() -> None:
    """An answer in place of a failure, several parts in one, and knowing about it."""
    warehouse = Warehouse(failures=4)
    feature = GracefulDegradation("stock", value=None, recovered_after=2)
    feature.on_change(lambda state: print(f"degradation: {'begins' if state.degraded else 'is over'}"))
    guarded = Policy(timeout=5, fallback=feature, retry=retry(on=ConnectionError, attempts=2))
    answers = [guarded.call(warehouse.stock, "herring") for _ in range(4)]
    print(f"degradation: answers {answers}")


def undone() -> None:
    """What was done is undone when a later step fails."""

    @with_error_handling(component="orders")
    def order(item: str) -> None:
        print(f"order: {item} reserved")
        record_operation("reserve", compensation=lambda: print(f"order: {item} released"))
        with timeout(1):
            raise TimeoutError("the courier does not answer")

    try:
        order("herring")
    except TimeoutError as error:
        print(f"order: {error}")


def main() -> None:
    """Show each."""
    with virtual_time():
        retried()
        broken()
        degraded()
        undone()


if __name__ == "__main__":
    main()
