"""Mutants of balancing: levels, consistent hashing, latency, weights, turns."""

MECHANISM = "balance"
TESTS = (
    "tests/unit/policy/balance/test_levels.py",
    "tests/unit/policy/balance/test_pickers.py",
    "tests/property/policy/test_balance_properties.py",
)
_LEVELS = "seawall_policy/balance/levels.py"
_RING = "seawall_policy/balance/ring_hash.py"
_EWMA = "seawall_policy/balance/peak_ewma.py"
_DRAW = "seawall_policy/balance/weighted.py"
_TURNS = "seawall_policy/balance/round_robin.py"
_START = "seawall_policy/balance/slow_start.py"
MUTANTS = (
    (
        _LEVELS,
        "share = min(left, healths[level] * scale)",
        "share = min(1.0, healths[level] * scale)",
        "levels get more than all calls together",
    ),
    (
        _LEVELS,
        "panic.append(low and together < _WHOLE)",
        "panic.append(low)",
        "a level panics although others can take its calls",
    ),
    (
        _LEVELS,
        "    if together == 0.0:\n        return _by_size(totals, panic_threshold)\n",
        "    if together == 0.0:\n        together = 1.0\n",
        "with nobody available nobody gets calls",
    ),
    (
        _LEVELS,
        "        point -= shares[level]\n",
        "        point -= 0.0\n",
        "later levels get too few",
    ),
    (
        _RING,
        "at = bisect_left(self._points, key_hash)",
        "at = bisect_left(self._points, key_hash) + 1",
        "a key belongs to the second point behind it",
    ),
    (
        _RING,
        "self._owners[(at + step) % count]",
        "self._owners[min(at + step, count - 1)]",
        "the ring does not close",
    ),
    (_RING, "able = allowed & ~excluded", "able = allowed", "an endpoint that was tried is picked again"),
    (_RING, "shares.append(max(1, share))", "shares.append(share + 1)", "everybody has a point too many"),
    (
        _EWMA,
        "        if latency_s >= estimate:",
        "        if latency_s >= estimate * 2.0:",
        "a peak is averaged away",
    ),
    (
        _EWMA,
        "(in_flight + 1) / weight",
        "in_flight / weight",
        "an idle endpoint costs nothing, however slow it is",
    ),
    (
        _EWMA,
        "max(latency_s, FAILURE_S, pushback_s)",
        "max(latency_s, pushback_s)",
        "who fails fast looks fast",
    ),
    (
        _EWMA,
        "max(latency_s, EXHAUSTED_S, pushback_s), MAX_PENALTY_S",
        "max(latency_s, EXHAUSTED_S, pushback_s), 1e9",
        "a pushback banishes for ever",
    ),
    (
        _DRAW,
        "if not (excluded >> slot) & 1:",
        "if not (excluded >> position) & 1:",
        "the place of a slot is taken for the slot",
    ),
    (
        _DRAW,
        "        sums.append(total)",
        "        sums.append(weight)",
        "what is drawn from is no running sum",
    ),
    (
        _TURNS,
        "        if turn >= count:\n            turn = 0\n",
        "        turn %= max(1, count - 1)\n",
        "the last in the row never has a turn",
    ),
    (
        _TURNS,
        "(moment - self._now) * self._weights[slot]",
        "0.0 * self._weights[slot]",
        "a change gives everybody a turn at once",
    ),
    (
        _START,
        "        if age_s >= self.window_s:\n            return 1.0\n",
        "",
        "an old endpoint gets more than its weight",
    ),
    (_START, "return max(self.min_weight, grown)", "return grown", "a new endpoint gets nothing at all"),
)
