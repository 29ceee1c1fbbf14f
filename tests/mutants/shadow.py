"""Mistakes that the tests of shadow policies and of what-if must notice."""

from __future__ import annotations

MECHANISM = "shadow"
TESTS = (
    "tests/unit/policy/test_shadow.py",
    "tests/scenario/test_shadow.py",
    "tests/unit/policy/test_whatif.py",
    "tests/unit/policy/test_whatif_mechanisms.py",
    "tests/property/policy/test_whatif_model.py",
)
_REPLAY = "seawall_policy/whatif/replay.py"
MUTANTS = (
    (
        "seawall_policy/shadow.py",
        "            self.statistics.would[REJECT] += 1\n            return NO_PERMIT",
        "            return NO_PERMIT",
        "refusals are not counted",
    ),
    (
        "seawall_policy/shadow.py",
        "if duration_s > self.per_try_timeout_s:",
        "if duration_s >= self.per_try_timeout_s:",
        "an attempt that was just in time counts as late",
    ),
    (
        "seawall_policy/shadow.py",
        "            code = status.DEADLINE_EXCEEDED\n",
        "",
        "its breaker sees the outcome of an attempt that it would have cut short",
    ),
    (
        "seawall_policy/shadow.py",
        "RETRY if would else NO_RETRY_HERE",
        "NO_RETRY_HERE if would else RETRY",
        "more retries are told as fewer",
    ),
    (
        "seawall_proxy/call/shadowing.py",
        "        call.shadow_left = True\n",
        "        pass\n",
        "attempts that it would not have made are compared",
    ),
    (
        "seawall_proxy/call/routing.py",
        "            breaker.carry_over(before.breaker, now)\n",
        "            pass\n",
        "a policy push closes the shadow's breaker",
    ),
    (
        _REPLAY,
        "_END: Final = 0",
        "_END: Final = 5",
        "what ends at a moment is not known to what begins at it",
    ),
    (
        _REPLAY,
        "        limit = min(now + policy.per_try_timeout_s, run.deadline)",
        "        limit = run.deadline",
        "per_try_timeout is left out",
    ),
    (
        _REPLAY,
        "        run.over = True\n        self._fall_back(run, code, reason)\n",
        "        run.over = True\n        self._fail(run, 0.0, code, reason)\n",
        "a rejected good call counts as lost as well",
    ),
    (
        "seawall_policy/whatif/record.py",
        "return attempts[min(bisect_left(starts, now), len(attempts) - 1)]",
        "return attempts[-1]",
        "attempts that were never made fare like the last of the record",
    ),
)
