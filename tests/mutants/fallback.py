"""Ways to get fallbacks, last good answers and the state of degradation wrong."""

MECHANISM = "fallback"
TESTS = (
    "tests/unit/policy/test_last_good.py",
    "tests/unit/policy/test_degradation.py",
    "tests/scenario/test_fallback.py",
    "tests/scenario/test_fallback_kinds.py",
    "tests/scenario/test_shadow_modes.py",
    "tests/scenario/test_idempotency.py",
    "tests/property/policy/test_last_good_model.py",
    "tests/property/policy/test_degradation_model.py",
)
_STORE = "seawall_policy/last_good.py"
_STATE = "seawall_policy/degradation.py"
_CALL = "seawall_proxy/call/call_fallback.py"
_KEPT = "seawall_proxy/call/kept.py"
MUTANTS = (
    (
        _CALL,
        "if step.mode == ENFORCE and step.applies(code, reason) and",
        "if step.applies(code, reason) and",
        "an entry in shadow answers",
    ),
    (
        _CALL,
        "            self.shadow_fallback_asked = True\n",
        "",
        "what an entry in shadow would have done is counted for each failure of a call",
    ),
    (
        _STORE,
        "        del self._kept[key]\n        self._kept[key] = found\n",
        "",
        "oldest first, not least used",
    ),
    (_STORE, "        if age > max_age_s:\n            return None\n", "", "older than the step allows"),
    (
        _STORE,
        "            self.bytes -= found.answer.size\n",
        "            pass\n",
        "what is gone counts for ever",
    ),
    (
        _STORE,
        "        self._drop(key)\n        if answer.size > self.memory_bytes:\n            return False\n",
        "        if answer.size > self.memory_bytes:\n            return False\n        self._drop(key)\n",
        "an old answer stays when the new one is too large",
    ),
    (
        _STORE,
        "            parts.append(optional(values[index]))\n",
        "",
        "one tenant gets another's answer",
    ),
    (
        _STORE,
        'request if self.by_request else b""',
        'b""',
        "another request's answer",
    ),
    (_STATE, "started < self._last", "False", "stragglers end a degradation"),
    (
        _STATE,
        "        self._last = now\n        self._row = 0\n",
        "        self._last = now\n",
        "not in a row",
    ),
    (
        _STATE,
        "return self._row >= self.recovered_after",
        "return self._row > self.recovered_after",
        "one more",
    ),
    (
        _STATE,
        "        if self.since >= 0.0:\n            self.calls += 1\n            return False\n",
        "        if self.since >= 0.0:\n            self.calls += 1\n",
        "an event for each call",
    ),
    (
        _KEPT,
        "        if head.value_of(name, extra) is not None:\n            return False\n",
        "        pass\n",
        "one caller's answer is served to another",
    ),
    (
        _KEPT,
        "if self._lost or self._end == 0 or self.size != self._end:",
        "if self._lost or self._end == 0:",
        "half a message is kept",
    ),
    (
        _KEPT,
        "[field for field in fields if field[0] in _KEPT_OF_HEAD]",
        "list(fields)",
        "metadata of one call is served to another",
    ),
    (
        _KEPT,
        "return taken is not None and used in",
        "return True or used in",
        "a message that the caller cannot read",
    ),
    (
        _CALL,
        "            self.fallback_index += 1\n            if step.mode == ENFORCE",
        "            self.fallback_index += 2\n            if step.mode == ENFORCE",
        "every other step is left out",
    ),
    (
        _CALL,
        "            self.ticket.close()\n",
        "            pass\n",
        "the next with the same key waits for a fallback",
    ),
    (
        _CALL,
        "            if now >= self.client_deadline:\n                return False\n",
        "",
        "an answer for a caller who has stopped waiting",
    ),
    (
        _CALL,
        "        self.fallback_index -= 1\n",
        "",
        "the step that waits for the request is passed over",
    ),
    (
        _CALL,
        "if self.has_waited or self.replay is None",
        "if self.replay is None",
        "the wait for a request that is too large begins again and again",
    ),
    (
        _CALL,
        'b"" if self._kind() == KIND_STREAM else EMPTY_MESSAGE',
        "EMPTY_MESSAGE",
        "a message in an empty stream",
    ),
    (
        "seawall_proxy/call/call_end.py",
        "if not self.answered_static and degradation.succeeded(self.started):",
        "if degradation.succeeded(self.started):",
        "a replay ends a degradation",
    ),
)
