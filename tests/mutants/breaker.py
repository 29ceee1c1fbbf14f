"""Breakers that are almost right."""

MECHANISM = "breaker"
TESTS = (
    "tests/unit/policy/test_breaker.py",
    "tests/unit/policy/test_breaker_ramp.py",
    "tests/unit/policy/test_breaker_held.py",
    "tests/unit/policy/test_window.py",
    "tests/scenario/test_breaker_scopes.py",
    "tests/property/policy/test_breaker_model.py",
)

_MACHINE = "seawall_policy/breaker/machine.py"
_STATE = "seawall_policy/breaker/state.py"
_PROBING = "seawall_policy/breaker/probing.py"
_RAMP = "seawall_policy/breaker/ramp.py"
_OPERATED = "seawall_policy/breaker/operated.py"
_KEEPING = "seawall_policy/breaker/keeping.py"
_OPTIONS = "seawall_policy/breaker/options.py"
_SCOPES = "seawall_proxy/call/breaker_scopes.py"
_WINDOW = "seawall_policy/window.py"

MUTANTS = (
    (
        _MACHINE,
        "        if permit != self.epoch:\n            return False\n",
        "",
        "a straggler from an earlier state teaches the present one",
    ),
    (
        _MACHINE,
        "        self.in_flight -= 1\n        if permit",
        "        if permit",
        "permits that come back are not counted",
    ),
    (
        _MACHINE,
        "            outcome = FAILED\n",
        "            outcome = SUCCESS\n",
        "a failure is taken for a success",
    ),
    (
        _MACHINE,
        "if duration_s >= self.options.slow_call_duration_s:",
        "if duration_s > self.options.slow_call_duration_s:",
        "a call that takes exactly as long as a slow one is not slow",
    ),
    (
        _MACHINE,
        "self.open_until = min(old.open_until, old.since + self.options.open_for_max_s)",
        "self.open_until = old.open_until",
        "a shorter ceiling does not reach the breaker that is open now",
    ),
    (
        _MACHINE,
        "        self._transitions = old._transitions\n",
        "",
        "transitions are lost when the policy changes",
    ),
    (
        _MACHINE,
        '            self._move(PROBES_TIMED_OUT, now, "probe_timeout")',
        "            pass",
        "probes that hang are waited for without end",
    ),
    (
        _STATE,
        "window.failures * 100.0 >= options.failure_rate * window.calls",
        "window.failures * 100.0 > options.failure_rate * window.calls",
        "trips above its threshold, not at it",
    ),
    (
        _STATE,
        '        if window.calls < needed:\n            return ""\n',
        "",
        "a share of one call trips",
    ),
    (
        _STATE,
        "        elif code != status.RESOURCE_EXHAUSTED:\n            self.consecutive += 1\n        window",
        "        else:\n            self.consecutive += 1\n        window",
        "RESOURCE_EXHAUSTED counts among failures in a row",
    ),
    (
        _STATE,
        "        self._reopened += 1\n",
        "",
        "the open time does not grow",
    ),
    (
        _STATE,
        "(2.0 * self._draw() - 1.0)",
        "self._draw()",
        "jitter only prolongs",
    ),
    (
        _STATE,
        "            if after != FORCED_OPEN:\n                self.window.reset()",
        "            if after != FORCED_OPEN and after != CLOSED:\n                self.window.reset()",
        "a closed breaker remembers what opened it",
    ),
    (
        _PROBING,
        "return self.probes_in_flight < self.options.half_open_calls",
        "return self.probes_in_flight <= self.options.half_open_calls",
        "one probe too many is in flight",
    ),
    (
        _PROBING,
        "if self.probes_passed >= options.success_threshold:",
        "if self.probes_passed > options.success_threshold:",
        "one probe too many has to pass",
    ),
    (
        _PROBING,
        "sample - self.probes_not_passed < options.success_threshold",
        "sample - self.probes_not_passed <= options.success_threshold",
        "opens while the threshold can still be met",
    ),
    (
        _RAMP,
        "        self.epoch += 1\n        self.consecutive = 0\n",
        "        self.consecutive = 0\n",
        "one burst of failures steps back several times",
    ),
    (
        _RAMP,
        "if self._step_admitted > 0 and self._step_ended == 0:",
        "if False:",
        "an upstream that hangs is given more",
    ),
    (
        _RAMP,
        "trigger = self._tripped_by(1)",
        "trigger = self._tripped_by(self.required_calls)",
        "few failures do not fail a step",
    ),
    (
        _RAMP,
        "share = self.ramp_share / 2.0",
        "share = 0.0",
        "a failed step snaps open",
    ),
    (
        _RAMP,
        "return self._draw() * 100.0 < self.ramp_share",
        "return self._draw() * 100.0 <= self.ramp_share",
        "lets in more than the share",
    ),
    (
        _OPERATED,
        "        self.hold_until = now + for_s\n",
        "",
        "what is held does not end",
    ),
    (
        _OPERATED,
        "if self.state == FORCED_OPEN and self.options.mode not in (OFF, OBSERVE_ONLY):",
        "if self.state == FORCED_OPEN and self.options.mode == OFF:",
        "closes after a trip without probing",
    ),
    (
        _KEEPING,
        "age = max(age_s, 0.0)",
        "age = age_s",
        "a clock that went back prolongs an open time",
    ),
    (
        _KEEPING,
        "            state = HALF_OPEN\n        if state == RAMP",
        "            return False\n        if state == RAMP",
        "an open time that has passed while away means closed",
    ),
    (
        _KEEPING,
        "        self._reopened = max(saved.reopened, 0)\n",
        "",
        "the growth of the open time is forgotten by a restart",
    ),
    (
        _KEEPING,
        "(not by_hand and age > MAX_AGE_S)",
        "(age > MAX_AGE_S)",
        "a long hold is forgotten by a restart",
    ),
    (
        _OPTIONS,
        'return min(options.min_calls, options.size) if options.kind == "count" else options.min_calls',
        "return options.min_calls",
        "a count window smaller than min_calls never decides",
    ),
    (
        _SCOPES,
        "            if other is not None and cluster.bit(other) & blocked:\n",
        "            if False and other is not None:\n",
        "a call is rejected although an endpoint that it has tried is not open",
    ),
    (
        _SCOPES,
        "            if breaker.state == CLOSED and breaker.in_flight == 0:\n",
        "            if True:\n",
        "an open breaker is forgotten to make room",
    ),
    (
        _SCOPES,
        "if learned or named or path in methods:",
        "if True:",
        "callers make breakers grow",
    ),
    (
        _WINDOW,
        "            self.slow -= oldest >> 1\n",
        "",
        "slow calls never leave a count window",
    ),
    (
        _WINDOW,
        "        self._next = at if at < self._size else 0\n",
        "        self._next = at if at <= self._size - 2 else 0\n",
        "a count window loses its last place",
    ),
    (
        _WINDOW,
        "        if steps <= 0:\n            return\n",
        "",
        "a time window follows a clock that runs backwards",
    ),
    (
        _WINDOW,
        "            self._at = self._at + 1 if self._at + 1 < self._size else 0\n",
        "            self._at = self._at + 1 if self._at + 2 < self._size else 0\n",
        "a time window is a second short",
    ),
    (
        _WINDOW,
        "        self.failures -= self._failures[at]\n",
        "",
        "failures never leave a time window",
    ),
)
