"""Seeded faults of in-process use. Paths are relative to proxy/, as in every list of this folder."""

from __future__ import annotations

MECHANISM = "resilience"

TESTS = (
    "tests/unit/resilience/test_retry.py",
    "tests/unit/resilience/test_breaker.py",
    "tests/unit/resilience/test_limits.py",
    "tests/unit/resilience/test_fallback.py",
    "tests/unit/resilience/test_policy.py",
    "tests/unit/resilience/test_handling.py",
    "tests/unit/resilience/test_reporter.py",
    "tests/unit/resilience/test_exceptions.py",
)

_HERE = "../clients/python/seawall/resilience/"

MUTANTS = (
    (
        _HERE + "retry.py",
        "self._ends = min(deadline(), self._began + policy.timeout_s)",
        "self._ends = self._began + policy.timeout_s",
        "the deadline around the call is not seen",
    ),
    (
        _HERE + "retry.py",
        "            policy.budget.engine.deposit(now)",
        "            pass",
        "calls pay for no retries",
    ),
    (
        _HERE + "retry.py",
        "            if isinstance(error, Rejected):\n                return status.OK, -1.0",
        "            if False:\n                return status.OK, -1.0",
        "an open breaker burns retries",
    ),
    (
        _HERE + "retry.py",
        "pushback_ms = engine.PUSHBACK_STOP",
        "pushback_ms = engine.NO_PUSHBACK",
        "a server that asks not to retry is not obeyed",
    ),
    (
        _HERE + "retry.py",
        "                self.decision.options = one.options",
        "                self.decision.options = policy.options",
        "a class's own settings have no effect",
    ),
    (
        _HERE + "exceptions.py",
        "if isinstance(error, self._kinds) and (self._names_rejections or not isinstance(error, Rejected)):",
        "if isinstance(error, self._kinds):",
        "on=Exception repeats what was refused",
    ),
    (
        _HERE + "breaker.py",
        "            if code == status.CANCELLED:\n                self._engine.release(held.epoch, now)",
        "            if code == status.CANCELLED:\n                pass",
        "the permit of a cancelled call is lost",
    ),
    (
        _HERE + "breaker.py",
        "self._engine.record(held.epoch, code, now - held.since, now)",
        "self._engine.record(self._engine.epoch, code, now - held.since, now)",
        "a late result of an earlier state counts in this one",
    ),
    (
        _HERE + "breaker.py",
        "            engine.carry_over(self._engine, now)",
        "            pass",
        "other settings forget the state",
    ),
    (
        _HERE + "breaker.py",
        "if not isinstance(error, Exception) or self._ignore.match(error) is not False:",
        "if not isinstance(error, Exception):",
        "ignored failures count",
    ),
    (
        _HERE + "limits.py",
        "            waiter = self._waiting.popleft()\n",
        "            waiter = self._waiting.pop()\n",
        "the last in the queue is served first",
    ),
    (
        _HERE + "limits.py",
        "            if waiter.given:\n                self._release()",
        "            if waiter.given:\n                pass",
        "a place given to somebody who left is lost",
    ),
    (
        _HERE + "limits.py",
        "        set_deadline(min(before, own))",
        "        set_deadline(own)",
        "an inner timeout extends an outer one",
    ),
    (
        _HERE + "fallback.py",
        "if now - found[0] > self._max_age_s:",
        "if now - found[0] >= self._max_age_s:",
        "an answer is too old a moment too early",
    ),
    (
        _HERE + "fallback.py",
        "            self._good = 0\n            self._state = after = replace(\n",
        "            self._state = after = replace(\n",
        "successes before a failure count towards recovery",
    ),
    (
        _HERE + "policy.py",
        "            retry,\n            breaker,\n",
        "            breaker,\n            retry,\n",
        "the breaker stands outside the retry",
    ),
    (
        _HERE + "policy.py",
        "            fallback,\n            Timeout(self.timeout_s, clock=clock) if limited else None,",
        "            Timeout(self.timeout_s, clock=clock) if limited else None,\n            fallback,",
        "a call that ran out of time gets no fallback",
    ),
    (
        _HERE + "handling.py",
        "        self._operations.clear()\n",
        "",
        "what was undone is undone again after the next attempt",
    ),
    (
        _HERE + "reporter.py",
        "                self._queue.extendleft(reversed(batch))",
        "                pass",
        "a batch that did not arrive is lost and counted nowhere",
    ),
    (
        _HERE + "reporter.py",
        "if self._closed or len(self._queue) + self._travelling >= self._max_queue:",
        "if self._closed:",
        "the queue has no bound",
    ),
)
