"""Mistakes that the tests of injected faults must notice."""

from __future__ import annotations

MECHANISM = "fault"
TESTS = (
    "tests/unit/policy/test_fault.py",
    "tests/property/policy/test_fault_model.py",
    "tests/scenario/test_fault.py",
    "tests/scenario/test_shadow_modes.py",
)
MUTANTS = (
    (
        "seawall_policy/fault.py",
        "        if self.options.shadow:\n",
        "        if False:\n",
        "a fault in shadow is injected",
    ),
    (
        "seawall_policy/fault.py",
        "if share > 0.0 and draw() < share:",
        "if share > 0.0 and mask == 0 and draw() < share:",
        "the kinds share one draw instead of drawing for themselves",
    ),
    (
        "seawall_policy/fault.py",
        "        if now >= self.until:\n            return 0\n        mask = 0",
        "        mask = 0",
        "a fault never ends",
    ),
    (
        "seawall_policy/fault.py",
        "if statistics.active >= self.options.max_active:",
        "if statistics.active > self.options.max_active:",
        "one more than max_active at once",
    ),
    (
        "seawall_policy/fault.py",
        "    _require(status.OK < code <= status.MAX_CODE,",
        "    _require(status.OK <= code <= status.MAX_CODE,",
        "an abort with status OK is taken",
    ),
    (
        "seawall_policy/fault.py",
        "return until_s - wall_offset_s",
        "return until_s",
        "the wall clock is taken for the monotonic one",
    ),
    (
        "seawall_policy/fault.py",
        "            self._left -= 1\n        return pos",
        "            self._left -= 1\n            pos = size\n        return pos",
        "what stands behind the last message goes through as well",
    ),
    (
        "seawall_policy/fault.py",
        "start = max(now, self._free_at)",
        "start = now",
        "pieces on a slow link pass beside each other",
    ),
    (
        "seawall_proxy/call/faults.py",
        "        attempt.seen = retry.SEEN\n        attempt.fail(",
        "        attempt.fail(",
        "an injected abort is repeated as if the server had never seen it",
    ),
    (
        "seawall_proxy/call/faults.py",
        "    attempt.be_injected()\n",
        "",
        "the endpoint is blamed for what was injected (envoy #25487)",
    ),
    (
        "seawall_proxy/call/faults.py",
        "    if faults is None or call.in_fallback:",
        "    if faults is None:",
        "fallbacks are broken as well",
    ),
    (
        "seawall_proxy/call/faults.py",
        "        if self.tick >= 0:\n            self._timers.cancel(self)\n        self._queue.clear()\n",
        "        self._queue.clear()\n",
        "a delay that was cancelled still fires",
    ),
    (
        "seawall_proxy/call/faults.py",
        "        self._faults.statistics.ended()\n",
        "",
        "the gauge of active faults never sinks",
    ),
    (
        "seawall_proxy/call/faults.py",
        "min(self._now() + faults.options.delay_s, faults.until)",
        "self._now() + faults.options.delay_s",
        "a delay outlives the fault",
    ),
    (
        "seawall_proxy/call/faults.py",
        "if self._pace is not None and self._queue:\n            self._wait(_TRAILERS,",
        "if self._pace is not None and not self._queue:\n            self._wait(_TRAILERS,",
        "trailers overtake the bytes before them",
    ),
    (
        "seawall_proxy/call/faults.py",
        "            stream.reset(CANCEL)\n        self._end(code)",
        "            pass\n        self._end(code)",
        "the endpoint goes on sending a response that was broken off",
    ),
)
