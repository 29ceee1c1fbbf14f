"""Mistakes that a type checker must find; each line says which. Checked by test_typing, never run."""

from __future__ import annotations

from seawall.resilience import Backoff, fallback, get_circuit_breaker, retry, timeout


@retry(on=ConnectionError)
def fetch(url: str, *, size: int = 1) -> bytes:
    return url.encode() * size


fetch(1)  # E: arg-type
fetch("x", sizes=2)  # E: call-arg
text: str = fetch("x")  # E: assignment
get_circuit_breaker("a").call(fetch, 1)  # E: arg-type
get_circuit_breaker("a").call(fetch)  # E: call-arg
retry(on=3)  # E: arg-type
retry(on=int)  # E: arg-type
retry(on=OSError, attempt=3)  # E: call-arg
retry(on=OSError, preset="fast")  # E: arg-type
Backoff(kind="quadratic")  # E: arg-type
Backoff.constant(1, jitter="some")  # E: arg-type
fallback()  # E: call-overload
timeout("1s")  # E: arg-type


@fallback(value=None)
def maybe(number: int) -> str:
    return str(number)


word: str = maybe(1)  # E: assignment
