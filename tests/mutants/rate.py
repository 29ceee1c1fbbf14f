# ruff: noqa: E501 - a mutant is one line
"""Ways to break rate limits, each of which a test must notice."""

from __future__ import annotations

MECHANISM = "rate"
TESTS = ("tests/unit/policy/test_rate.py", "tests/property/policy/test_rate_model.py")
MUTANTS = (
    ("seawall_policy/rate.py", "        self._slack_s: float = (options.burst - 1) * self._interval_s\n", "        self._slack_s: float = options.burst * self._interval_s\n", "one call too many at once"),
    ("seawall_policy/rate.py", "        full_at = max(full_at, now)\n", "", "an idle bucket saves up without bound"),
    ("seawall_policy/rate.py", "            buckets.move_to_end(key)\n", "            pass\n", "the wrong bucket is forgotten"),
    ("seawall_policy/rate.py", "            buckets.popitem(last=False)\n        buckets[key]", "            pass\n        buckets[key]", "keys without bound"),
    ("seawall_policy/rate.py", "        buckets[key] = full_at + self._interval_s\n", "        buckets[key] = full_at\n", "tokens cost nothing"),
    ("seawall_policy/rate.py", "                self.would_refuse += 1\n                return 0.0\n", "                self.would_refuse += 1\n                return wait\n", "a shadow refuses"),
    ("seawall_policy/rate.py", "            key = key[:LONGEST_KEY]\n", "            pass\n", "keys of any length"),
    ("seawall_policy/rate.py", "        wait = full_at - now - self._slack_s\n", "        wait = full_at - now\n", "no burst"),
)  # fmt: skip
